# pragma version 0.4.3
"""Stands in for ether.fi's EtherFiRateLimiter: buckets of a capacity that fill at a rate."""

interface Roles:
    def hasRole(role: bytes32, account: address) -> bool: view

struct Limit:
    capacity: uint64
    remaining: uint64
    refillRate: uint64
    lastRefill: uint256

roleRegistry: public(address)
limits: HashMap[bytes32, Limit]


@deploy
def __init__(roles: address, id: bytes32, capacity: uint64, rate: uint64):
    self.roleRegistry = roles
    self.limits[id] = Limit(capacity=capacity, remaining=capacity, refillRate=rate, lastRefill=block.timestamp)


@external
def setCapacity(id: bytes32, capacity: uint64):
    role: bytes32 = keccak256("ETHERFI_RATE_LIMITER_ADMIN_ROLE")
    assert staticcall Roles(self.roleRegistry).hasRole(role, msg.sender), "IncorrectRole"
    assert self.limits[id].lastRefill != 0, "UnknownLimit"
    remaining: uint64 = self._remaining(id)
    self.limits[id].capacity = capacity
    self.limits[id].remaining = min(remaining, capacity)
    self.limits[id].lastRefill = block.timestamp


@external
@view
def getLimit(id: bytes32) -> (uint64, uint64, uint64, uint256):
    found: Limit = self.limits[id]
    assert found.lastRefill != 0, "UnknownLimit"
    return found.capacity, found.remaining, found.refillRate, found.lastRefill


@external
@view
def consumable(id: bytes32) -> uint64:
    return self._remaining(id)


@external
def consume(id: bytes32, amount: uint64):
    remaining: uint64 = self._remaining(id)
    assert amount <= remaining, "LimitExceeded"
    self.limits[id].remaining = remaining - amount
    self.limits[id].lastRefill = block.timestamp


@internal
@view
def _remaining(id: bytes32) -> uint64:
    found: Limit = self.limits[id]
    filled: uint256 = (block.timestamp - found.lastRefill) * convert(found.refillRate, uint256)
    return convert(min(convert(found.remaining, uint256) + filled, convert(found.capacity, uint256)), uint64)
