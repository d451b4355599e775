# pragma version 0.4.3
# pragma evm-version cancun
"""
@title Stand-in for Maker's Emergency Shutdown Module: anybody may fire once enough MKR has been joined, which is lost
"""

interface End:
    def cage(): nonpayable
    def live() -> uint256: view
    def vat() -> address: view

interface Vat:
    def deny(account: address): nonpayable

end: public(address)
proxy: public(address)
live: public(uint256)
Sum: public(uint256)
sum: public(HashMap[address, uint256])
ward: address
threshold: uint256
purse: public(HashMap[address, uint256])  # MKR that its holders have approved


@deploy
def __init__(end_: address, proxy_: address, threshold: uint256):
    self.end = end_
    self.proxy = proxy_
    self.threshold = threshold
    self.live = 1
    self.ward = msg.sender


@external
@view
def min() -> uint256:
    return self.threshold


@external
def fund(holder: address, wad: uint256):
    self.purse[holder] += wad


@external
def cage():
    assert msg.sender == self.ward, "ESM/not-authorized"
    self.live = 0


@external
def join(wad: uint256):
    assert self.live == 1, "ESM/permanently-disabled"
    assert staticcall End(self.end).live() == 1, "ESM/system-already-shutdown"
    self.purse[msg.sender] -= wad
    self.sum[msg.sender] += wad
    self.Sum += wad


@external
def fire():
    assert self.live == 1, "ESM/permanently-disabled"
    assert self.Sum >= self.threshold, "ESM/min-not-reached"
    if self.proxy != empty(address):
        extcall Vat(staticcall End(self.end).vat()).deny(self.proxy)
    extcall End(self.end).cage()
