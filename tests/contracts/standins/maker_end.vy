# pragma version 0.4.3
# pragma evm-version cancun
"""
@title Stand-in for Maker's End: cage() stops every part for good, then cage(bytes32) fixes each collateral's price
"""

interface Part:
    def cage(): nonpayable

wards: public(HashMap[address, uint256])
live: public(uint256)
when: public(uint256)
tag: public(HashMap[bytes32, uint256])
vat: public(address)
cat: public(address)
dog: public(address)
vow: public(address)
pot: public(address)
spot: public(address)
cure: public(address)


@deploy
def __init__(ward: address, parts: address[7]):
    self.wards[msg.sender] = 1
    self.wards[ward] = 1
    self.live = 1
    self.vat = parts[0]
    self.cat = parts[1]
    self.dog = parts[2]
    self.vow = parts[3]
    self.pot = parts[4]
    self.spot = parts[5]
    self.cure = parts[6]


@external
def rely(account: address):
    assert self.wards[msg.sender] == 1, "End/not-authorized"
    self.wards[account] = 1


@external
def cage(ilk: bytes32 = empty(bytes32)):
    if len(msg.data) > 4:
        assert self.live == 0, "End/still-live"
        assert self.tag[ilk] == 0, "End/tag-ilk-already-defined"
        self.tag[ilk] = 10**27
        return
    assert self.wards[msg.sender] == 1, "End/not-authorized"
    assert self.live == 1, "End/not-live"
    self.live = 0
    self.when = block.timestamp
    for part: address in [self.vat, self.cat, self.dog, self.vow, self.pot, self.spot, self.cure]:
        extcall Part(part).cage()
