# pragma version 0.4.3
# pragma evm-version cancun
"""
@title Stand-in for an asset of Derive v2 that counts the positions of each manager against a cap
"""

owner: public(address)
totalPosition: public(HashMap[address, uint256])
totalPositionCap: public(HashMap[address, uint256])


@deploy
def __init__(owner_: address, manager: address, cap: uint256):
    self.owner = owner_
    self.totalPositionCap[manager] = cap


@external
def setTotalPositionCap(manager: address, cap: uint256):
    assert msg.sender == self.owner, "not the owner"
    self.totalPositionCap[manager] = cap


@external
def open(manager: address, amount: uint256):
    self.totalPosition[manager] += amount
    assert self.totalPosition[manager] <= self.totalPositionCap[manager], "cap exceeded"


@external
def close(manager: address, amount: uint256):
    self.totalPosition[manager] -= amount
