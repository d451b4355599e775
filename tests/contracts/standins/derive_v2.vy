# pragma version 0.4.3
# pragma evm-version cancun
"""
@title Stand-in for a risk manager of Derive v2 and, at the same address, its Dutch auction and its cash
"""

owner: public(address)
guardian: public(address)
adjustmentsPaused: public(bool)
getIsWithdrawBlocked: public(bool)


@deploy
def __init__(owner_: address, guardian_: address):
    self.owner = owner_
    self.guardian = guardian_


@external
@view
def liquidation() -> address:
    return self


@external
def setGuardian(guardian_: address):
    assert msg.sender == self.owner, "not the owner"
    self.guardian = guardian_


@external
def setAdjustmentsPaused(paused: bool):
    if msg.sender != self.guardian:
        raw_revert(method_id("BM_GuardianOnly()"))
    self.adjustmentsPaused = paused


@internal
@view
def adjusted():
    if self.adjustmentsPaused:
        raw_revert(method_id("BM_AdjustmentsPaused()"))


@external
def trade(account: uint256, amount: int256):
    self.adjusted()


@external
def withdraw(account: uint256, amount: uint256, receiver: address):
    if self.getIsWithdrawBlocked:
        raw_revert(method_id("CA_WithdrawBlockedByOngoingAuction()"))
    self.adjusted()


@external
def bid(account: uint256, bidder: uint256):
    """The auction moves an account past the manager's hook."""
    self.getIsWithdrawBlocked = False


@external
def startInsolventAuction(account: uint256):
    self.getIsWithdrawBlocked = True
