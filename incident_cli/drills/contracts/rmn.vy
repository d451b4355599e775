# pragma version 0.4.3
# pragma evm-version cancun
"""
@title The part of Chainlink's RMNRemote that others read: which lanes are cursed
@notice A subject is a lane's chain selector, or one of two constants. Its owner curses and lifts curses. Names,
    events and the meaning of both constants are RMNRemote's.
"""

event Cursed:
    subjects: DynArray[bytes16, SUBJECTS]

event Uncursed:
    subjects: DynArray[bytes16, SUBJECTS]

SUBJECTS: constant(uint256) = 16
WHOLE_CHAIN: constant(bytes16) = 0x01000000000000000000000000000000
EVERYTHING: constant(bytes16) = 0x01000000000000000000000000000001

owner: public(immutable(address))
cursed: DynArray[bytes16, SUBJECTS]


@deploy
def __init__(owner_: address):
    owner = owner_


@external
def curse(subject: bytes16):
    assert msg.sender == owner, "only the owner curses"
    assert not subject in self.cursed, "it is cursed already"
    self.cursed.append(subject)
    log Cursed(subjects=[subject])


@external
def uncurse(subject: bytes16):
    assert msg.sender == owner, "only the owner lifts a curse"
    assert subject in self.cursed, "it is not cursed"
    kept: DynArray[bytes16, SUBJECTS] = []
    for one: bytes16 in self.cursed:
        if one != subject:
            kept.append(one)
    self.cursed = kept
    log Uncursed(subjects=[subject])


@external
@view
def isCursed(subject: bytes16 = WHOLE_CHAIN) -> bool:
    return subject in self.cursed or EVERYTHING in self.cursed


@external
@view
def getCursedSubjects() -> DynArray[bytes16, SUBJECTS]:
    return self.cursed
