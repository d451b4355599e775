# pragma version 0.4.3
# pragma evm-version cancun
"""
@title Stand-in for a Comet of Compound III: five pause flags that one call overwrites together
"""

governor: public(address)
pauseGuardian: public(address)
isSupplyPaused: public(bool)
isTransferPaused: public(bool)
isWithdrawPaused: public(bool)
isAbsorbPaused: public(bool)
isBuyPaused: public(bool)
totalSupply: public(uint256)
totalBorrow: public(uint256)


@deploy
def __init__(governor_: address, guardian_: address):
    self.governor = governor_
    self.pauseGuardian = guardian_
    self.totalSupply = 1_000
    self.totalBorrow = 400


@external
def pause(supply_: bool, transfer_: bool, withdraw_: bool, absorb_: bool, buy_: bool):
    if msg.sender != self.governor and msg.sender != self.pauseGuardian:
        raw_revert(method_id("Unauthorized()"))
    self.isSupplyPaused = supply_
    self.isTransferPaused = transfer_
    self.isWithdrawPaused = withdraw_
    self.isAbsorbPaused = absorb_
    self.isBuyPaused = buy_


@internal
@pure
def stop_where(paused: bool):
    if paused:
        raw_revert(method_id("Paused()"))


@external
def supply(asset: address, amount: uint256):
    self.stop_where(self.isSupplyPaused)
    self.totalBorrow -= min(amount, self.totalBorrow)  # a supply repays first


@external
def transfer(receiver: address, amount: uint256) -> bool:
    self.stop_where(self.isTransferPaused)
    return True


@external
def withdraw(asset: address, amount: uint256):
    self.stop_where(self.isWithdrawPaused)
    self.totalBorrow += amount  # and a withdrawal may borrow


@external
def absorb(absorber: address, accounts: DynArray[address, 4]):
    self.stop_where(self.isAbsorbPaused)


@external
def buyCollateral(asset: address, minimum: uint256, amount: uint256, receiver: address):
    self.stop_where(self.isBuyPaused)
