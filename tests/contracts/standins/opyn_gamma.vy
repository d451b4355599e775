# pragma version 0.4.3
# pragma evm-version cancun
"""
@title Stand-in for the Controller of Opyn's Gamma: a partial pause leaves settling and redeeming open
"""

struct Action:
    actionType: uint8
    owner: address
    secondAddress: address
    asset: address
    vaultId: uint256
    amount: uint256
    index: uint256
    data: Bytes[32]

SETTLE_VAULT: constant(uint8) = 7
REDEEM: constant(uint8) = 8

owner: public(address)
partialPauser: public(address)
fullPauser: public(address)
systemPartiallyPaused: public(bool)
systemFullyPaused: public(bool)
performed: public(uint256)


@deploy
def __init__(partial: address, full: address):
    self.owner = msg.sender
    self.partialPauser = partial
    self.fullPauser = full


@external
def setSystemPartiallyPaused(paused: bool):
    assert msg.sender == self.partialPauser, "CO2"
    assert self.systemPartiallyPaused != paused, "CO9"
    self.systemPartiallyPaused = paused


@external
def setSystemFullyPaused(paused: bool):
    assert msg.sender == self.fullPauser, "CO1"
    assert self.systemFullyPaused != paused, "CO9"
    self.systemFullyPaused = paused


@external
def operate(actions: DynArray[Action, 4]):
    assert not self.systemFullyPaused, "CO5"
    for action: Action in actions:
        if action.actionType != SETTLE_VAULT and action.actionType != REDEEM:
            assert not self.systemPartiallyPaused, "CO4"
        self.performed += 1
