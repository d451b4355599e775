# pragma version 0.4.3
"""Stands in for a LayerZero OFT whose owner sets rate limits: what is in flight decays over a window."""

struct RateLimit:
    amountInFlight: uint192
    lastUpdated: uint64
    limit: uint192
    window: uint64

struct RateLimitConfig:
    dstEid: uint32
    limit: uint192
    window: uint64

owner: public(address)
rateLimits: public(HashMap[uint32, RateLimit])
received: public(uint256)


@deploy
def __init__(owner: address):
    self.owner = owner


@external
def setRateLimits(configs: DynArray[RateLimitConfig, 8]):
    assert msg.sender == self.owner, "OwnableUnauthorizedAccount"
    for one: RateLimitConfig in configs:
        self._outflow(one.dstEid, 0)
        self.rateLimits[one.dstEid].limit = one.limit
        self.rateLimits[one.dstEid].window = one.window


@external
@view
def getAmountCanBeSent(destination: uint32) -> (uint256, uint256):
    return self._amount_can_be_sent(self.rateLimits[destination])


@external
def send(destination: uint32, amount: uint256):
    self._outflow(destination, amount)


@external
def lzReceive(source: uint32, amount: uint256):
    self.received += amount


@internal
@view
def _amount_can_be_sent(limit: RateLimit) -> (uint256, uint256):
    most: uint256 = convert(limit.limit, uint256)
    since: uint256 = block.timestamp - convert(limit.lastUpdated, uint256)
    decay: uint256 = most * since // max(convert(limit.window, uint256), 1)
    in_flight: uint256 = convert(limit.amountInFlight, uint256)
    in_flight -= min(in_flight, decay)
    return in_flight, most - min(most, in_flight)


@internal
def _outflow(destination: uint32, amount: uint256):
    in_flight: uint256 = 0
    can_be_sent: uint256 = 0
    in_flight, can_be_sent = self._amount_can_be_sent(self.rateLimits[destination])
    assert amount <= can_be_sent, "RateLimitExceeded"
    self.rateLimits[destination].amountInFlight = convert(in_flight + amount, uint192)
    self.rateLimits[destination].lastUpdated = convert(block.timestamp, uint64)
