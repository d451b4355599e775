# pragma version 0.4.3
# pragma evm-version cancun
"""
@title Stand-in for Maker's Oracle Security Module: a price is in use one hop after it was seen; readers must be kissed
"""

wards: public(HashMap[address, uint256])
bud: public(HashMap[address, uint256])
stopped: public(uint256)
hop: public(uint16)
zzz: public(uint64)
published: public(uint256)
current: uint256
coming: uint256


@deploy
def __init__(ward: address, published: uint256):
    self.wards[msg.sender] = 1
    self.wards[ward] = 1
    self.hop = 3600
    self.published = published
    self.current = published
    self.coming = published
    self.zzz = convert(block.timestamp - block.timestamp % 3600, uint64)


@external
def publish(price: uint256):
    self.published = price


@external
def kiss(reader: address):
    assert self.wards[msg.sender] == 1, "OSM/not-authorized"
    self.bud[reader] = 1


@external
def stop():
    assert self.wards[msg.sender] == 1, "OSM/not-authorized"
    self.stopped = 1


@external
def start():
    assert self.wards[msg.sender] == 1, "OSM/not-authorized"
    self.stopped = 0


@external
def void():
    assert self.wards[msg.sender] == 1, "OSM/not-authorized"
    self.current = 0
    self.coming = 0
    self.stopped = 1


@external
def poke():
    assert self.stopped == 0, "OSM/is-stopped"
    assert block.timestamp >= convert(self.zzz, uint256) + convert(self.hop, uint256), "OSM/not-passed"
    self.current = self.coming
    self.coming = self.published
    self.zzz = convert(block.timestamp - block.timestamp % convert(self.hop, uint256), uint64)


@external
@view
def peek() -> (bytes32, bool):
    assert self.bud[msg.sender] == 1, "OSM/contract-not-whitelisted"
    return convert(self.current, bytes32), self.current != 0


@external
@view
def peep() -> (bytes32, bool):
    assert self.bud[msg.sender] == 1, "OSM/contract-not-whitelisted"
    return convert(self.coming, bytes32), self.coming != 0
