# pragma version 0.4.3
"""Stands in for a Wormhole NttManager: a pause, and limits with at most eight decimals that delay transfers."""

struct RateLimitParams:
    limit: uint72
    currentCapacity: uint72
    lastTxTimestamp: uint64

TRIMMED: constant(uint8) = 8

owner: public(address)
pauser: public(address)
isPaused: public(bool)
tokenDecimals: public(uint8)
rateLimitDuration: public(uint64)
outbound: RateLimitParams
inbound: HashMap[uint16, RateLimitParams]
queued_at: HashMap[uint64, uint256]
sequence: public(uint64)
sent: public(uint256)
received: public(uint256)


@deploy
def __init__(owner: address, pauser: address, decimals: uint8, duration: uint64):
    self.owner = owner
    self.pauser = pauser
    self.tokenDecimals = decimals
    self.rateLimitDuration = duration


@external
def pause():
    assert msg.sender == self.pauser or msg.sender == self.owner, "InvalidPauser"
    assert not self.isPaused, "RequireContractIsNotPaused"
    self.isPaused = True


@external
def unpause():
    assert msg.sender == self.owner, "OwnableUnauthorizedAccount"
    self.isPaused = False


@external
def setOutboundLimit(limit: uint256):
    assert msg.sender == self.owner, "OwnableUnauthorizedAccount"
    self.outbound = self._limited(self.outbound, limit)


@external
def setInboundLimit(limit: uint256, chain_id: uint16):
    assert msg.sender == self.owner, "OwnableUnauthorizedAccount"
    self.inbound[chain_id] = self._limited(self.inbound[chain_id], limit)


@external
@view
def getOutboundLimitParams() -> RateLimitParams:
    return self.outbound


@external
@view
def getInboundLimitParams(chain_id: uint16) -> RateLimitParams:
    return self.inbound[chain_id]


@external
@view
def getCurrentOutboundCapacity() -> uint256:
    return self._capacity(self.outbound) * self._scale()


@external
@view
def getCurrentInboundCapacity(chain_id: uint16) -> uint256:
    return self._capacity(self.inbound[chain_id]) * self._scale()


@external
def transfer(amount: uint256, chain_id: uint16, should_queue: bool):
    assert not self.isPaused, "RequireContractIsNotPaused"
    trimmed: uint256 = amount // self._scale()
    capacity: uint256 = self._capacity(self.outbound)
    if self.rateLimitDuration != 0 and trimmed > capacity:
        assert should_queue, "NotEnoughCapacity"
        self.sequence += 1
        self.queued_at[self.sequence] = block.timestamp
        return
    self.outbound.currentCapacity = self._packed(capacity - min(trimmed, capacity))
    self.outbound.lastTxTimestamp = convert(block.timestamp, uint64)
    self.sent += amount


@external
def completeOutboundQueuedTransfer(sequence: uint64):
    assert not self.isPaused, "RequireContractIsNotPaused"
    assert self.queued_at[sequence] != 0, "OutboundQueuedTransferNotFound"
    ready_at: uint256 = self.queued_at[sequence] + convert(self.rateLimitDuration, uint256)
    assert block.timestamp >= ready_at, "OutboundQueuedTransferStillQueued"
    self.queued_at[sequence] = 0
    self.sent += 1


@external
def executeMsg(chain_id: uint16, amount: uint256):
    assert not self.isPaused, "RequireContractIsNotPaused"
    assert amount // self._scale() <= self._capacity(self.inbound[chain_id]), "queued"
    self.received += amount


@internal
@view
def _scale() -> uint256:
    return 10 ** convert(self.tokenDecimals - min(self.tokenDecimals, TRIMMED), uint256)


@internal
@view
def _packed(trimmed: uint256) -> uint72:
    return convert(trimmed << 8, uint72) | convert(min(self.tokenDecimals, TRIMMED), uint72)


@internal
@view
def _capacity(params: RateLimitParams) -> uint256:
    if self.rateLimitDuration == 0:
        return convert(max_value(uint64), uint256)
    limit: uint256 = convert(params.limit, uint256) >> 8
    passed: uint256 = block.timestamp - convert(params.lastTxTimestamp, uint256)
    refilled: uint256 = limit * passed // convert(self.rateLimitDuration, uint256)
    return min((convert(params.currentCapacity, uint256) >> 8) + refilled, limit)


@internal
@view
def _limited(params: RateLimitParams, limit: uint256) -> RateLimitParams:
    new: uint256 = limit // self._scale()
    old: uint256 = convert(params.limit, uint256) >> 8
    assert new <= convert(max_value(uint64), uint256), "SafeCast: value doesn't fit in 64 bits"
    capacity: uint256 = self._capacity(params)
    if params.limit == 0:
        capacity = new
    elif old > new:
        capacity -= min(capacity, old - new)
    else:
        capacity += new - old
    return RateLimitParams(
        limit=self._packed(new),
        currentCapacity=self._packed(min(capacity, new)),
        lastTxTimestamp=convert(block.timestamp, uint64),
    )
