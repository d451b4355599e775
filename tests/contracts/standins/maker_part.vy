# pragma version 0.4.3
# pragma evm-version cancun
"""
@title Stand-in for a part of Maker that the shutdown stops: a Vat, Vow, Pot and so on; a Vow has two auctions to stop
"""

interface Part:
    def cage(): nonpayable

wards: public(HashMap[address, uint256])
live: public(uint256)
flapper: public(address)
flopper: public(address)


@deploy
def __init__(flapper_: address, flopper_: address):
    self.wards[msg.sender] = 1
    self.live = 1
    self.flapper = flapper_
    self.flopper = flopper_


@external
def rely(account: address):
    assert self.wards[msg.sender] == 1, "not-authorized"
    self.wards[account] = 1


@external
def deny(account: address):
    assert self.wards[msg.sender] == 1, "not-authorized"
    self.wards[account] = 0


@external
def cage(rad: uint256 = 0):
    assert self.wards[msg.sender] == 1, "not-authorized"
    self.live = 0
    for auction: address in [self.flapper, self.flopper]:
        if auction != empty(address):
            extcall Part(auction).cage()


@external
def frob(wad: uint256):
    """Draws new Dai."""
    assert self.live == 1, "Vat/not-live"
