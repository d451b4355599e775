# pragma version 0.4.3
"""Stands in for USDC: a pauser stops the token, a blacklister freezes accounts."""

owner: public(address)
pauser: public(address)
blacklister: public(address)
paused: public(bool)
isBlacklisted: public(HashMap[address, bool])
balanceOf: public(HashMap[address, uint256])
totalSupply: public(uint256)


@deploy
def __init__(pauser: address, blacklister: address, supply: uint256):
    self.owner = msg.sender
    self.pauser = pauser
    self.blacklister = blacklister
    self.balanceOf[msg.sender] = supply
    self.totalSupply = supply


@external
def pause():
    assert msg.sender == self.pauser, "Pausable: caller is not the pauser"
    self.paused = True


@external
def unpause():
    assert msg.sender == self.pauser, "Pausable: caller is not the pauser"
    self.paused = False


@external
def blacklist(account: address):
    assert msg.sender == self.blacklister, "Blacklistable: caller is not the blacklister"
    self.isBlacklisted[account] = True


@external
def unBlacklist(account: address):
    assert msg.sender == self.blacklister, "Blacklistable: caller is not the blacklister"
    self.isBlacklisted[account] = False


@external
def transfer(receiver: address, amount: uint256) -> bool:
    assert not self.paused, "Pausable: paused"
    assert not self.isBlacklisted[msg.sender], "Blacklistable: account is blacklisted"
    assert not self.isBlacklisted[receiver], "Blacklistable: account is blacklisted"
    self.balanceOf[msg.sender] -= amount
    self.balanceOf[receiver] += amount
    return True
