# pragma version 0.4.3
"""Stands in for a market of dYdX v1: its admin ends it at the oracle's price, within bounds, for good."""

interface Oracle:
    def getPrice() -> uint256: view

getAdmin: public(address)
getOracleContract: public(address)
getFinalSettlementEnabled: public(bool)
settlement_price: public(uint256)
margins: public(HashMap[address, uint256])
tokens: public(uint256)


@deploy
def __init__(admin: address, oracle: address):
    self.getAdmin = admin
    self.getOracleContract = oracle


@external
def enableFinalSettlement(lowest: uint256, highest: uint256):
    assert msg.sender == self.getAdmin, "Adminable: caller is not admin"
    assert not self.getFinalSettlementEnabled, "Not permitted during final settlement"
    price: uint256 = staticcall Oracle(self.getOracleContract).getPrice()
    assert price >= lowest, "Oracle price is less than the provided lower bound"
    assert price <= highest, "Oracle price is greater than the provided upper bound"
    self.settlement_price = price
    self.getFinalSettlementEnabled = True


@external
def deposit(account: address, amount: uint256):
    assert not self.getFinalSettlementEnabled, "Not permitted during final settlement"
    self.margins[account] += amount
    self.tokens += amount


@external
def lose(amount: uint256):
    self.tokens -= amount


@external
def withdrawFinalSettlement():
    assert self.getFinalSettlementEnabled, "Only permitted during final settlement"
    amount: uint256 = min(self.margins[msg.sender], self.tokens)
    self.margins[msg.sender] -= amount
    self.tokens -= amount
