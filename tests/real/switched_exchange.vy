# pragma version 0.4.3
"""An exchange whose every weakness is one switch in its storage, so that a test can turn exactly one."""

interface Noted:
    def note(): nonpayable

guardian: public(address)
governance: public(address)
guardian_until: public(uint256)
sweeper: public(address)
decimals: public(uint8)
hook: public(address)
paused: HashMap[bytes32, bool]


@deploy
def __init__(guardian: address, governance: address, until: uint256):
    self.guardian = guardian
    self.governance = governance
    self.guardian_until = until
    self.decimals = 6


@external
@view
def marketPaused(market: bytes32) -> bool:
    return self.paused[market]


@external
def setMarketPaused(market: bytes32, paused: bool):
    may_pause: bool = msg.sender == self.guardian and paused and block.timestamp < self.guardian_until
    assert may_pause or msg.sender == self.governance, "not allowed"
    self.paused[market] = paused
    if self.hook != empty(address):
        extcall Noted(self.hook).note()


@external
def sweep():
    assert msg.sender == self.sweeper, "not allowed"
    self.decimals = 0
