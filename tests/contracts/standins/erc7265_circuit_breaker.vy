# pragma version 0.4.3
"""Stands in for an ERC-7265 circuit breaker of one asset: what leaves is held back once too little is left."""

BPS: constant(uint256) = 10_000

admin: public(address)
isOperational: public(bool)
isRateLimited: public(bool)
gracePeriodEndTimestamp: public(uint256)
lastRateLimitTimestamp: public(uint256)
rateLimitCooldownPeriod: public(uint256)
isProtectedContract: public(HashMap[address, bool])
lockedFunds: public(HashMap[address, HashMap[address, uint256]])
registered: address
retained: uint256
liquidity: uint256
change: int256


@deploy
def __init__(admin: address, asset: address, retained: uint256, cooldown: uint256):
    self.admin = admin
    self.registered = asset
    self.retained = retained
    self.rateLimitCooldownPeriod = cooldown
    self.isOperational = True


@external
@view
def isRateLimitTriggered(asset: address) -> bool:
    return asset == self.registered and self._is_triggered()


@external
@view
def isInGracePeriod() -> bool:
    return block.timestamp <= self.gracePeriodEndTimestamp


@external
def onTokenInflow(token: address, amount: uint256):
    self._check()
    self.liquidity += amount


@external
def onTokenOutflow(token: address, amount: uint256, recipient: address, reverts: bool):
    self._check()
    self.change -= convert(amount, int256)
    if block.timestamp <= self.gracePeriodEndTimestamp or not (self.isRateLimited or self._is_triggered()):
        return
    assert not reverts, "RateLimited"
    self.isRateLimited = True
    self.lastRateLimitTimestamp = block.timestamp
    self.lockedFunds[recipient][token] += amount


@external
def claimLockedFunds(token: address, recipient: address):
    assert self.isOperational, "ProtocolWasExploited"
    assert not self.isRateLimited, "RateLimited"
    assert self.lockedFunds[recipient][token] > 0, "NoLockedFunds"
    self.lockedFunds[recipient][token] = 0


@external
def startGracePeriod(end: uint256):
    self._only_admin()
    assert end > block.timestamp, "InvalidGracePeriodEnd"
    self.gracePeriodEndTimestamp = end


@external
def overrideRateLimit():
    self._only_admin()
    assert self.isRateLimited, "NotRateLimited"
    self.isRateLimited = False


@external
def overrideExpiredRateLimit():
    assert self.isRateLimited, "NotRateLimited"
    assert block.timestamp - self.lastRateLimitTimestamp >= self.rateLimitCooldownPeriod, "CooldownPeriodNotReached"
    self.isRateLimited = False


@external
def markAsNotOperational():
    self._only_admin()
    self.isOperational = False


@external
def addProtectedContracts(contracts: DynArray[address, 8]):
    self._only_admin()
    for one: address in contracts:
        self.isProtectedContract[one] = True


@external
def removeProtectedContracts(contracts: DynArray[address, 8]):
    self._only_admin()
    for one: address in contracts:
        self.isProtectedContract[one] = False


@internal
@view
def _only_admin():
    assert msg.sender == self.admin, "NotAdmin"


@internal
@view
def _check():
    assert self.isProtectedContract[msg.sender], "NotAProtectedContract"
    assert self.isOperational, "ProtocolWasExploited"


@internal
@view
def _is_triggered() -> bool:
    left: int256 = convert(self.liquidity, int256) + self.change
    return left < convert(self.liquidity * self.retained // BPS, int256)
