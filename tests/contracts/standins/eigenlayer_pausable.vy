# pragma version 0.4.3
"""Stands in for a core contract of EigenLayer: one bit for each group of functions."""

interface PauserRegistry:
    def isPauser(account: address) -> bool: view
    def unpauser() -> address: view

DEPOSITS: constant(uint8) = 0
WITHDRAWALS: constant(uint8) = 1

pauserRegistry: public(address)
bits: uint256


@deploy
def __init__(registry: address, bits: uint256):
    self.pauserRegistry = registry
    self.bits = bits


@external
@view
def paused(index: uint8 = 0) -> uint256:
    # paused() is all bits, paused(uint8) one of them: both answer one word
    return self.bits if len(msg.data) == 4 else self.bits >> convert(index, uint256) & 1


@external
def pause(status: uint256):
    self._only_pauser()
    assert self.bits & status == self.bits, "InvalidNewPausedStatus"
    self.bits = status


@external
def pauseAll():
    self._only_pauser()
    self.bits = max_value(uint256)


@external
def unpause(status: uint256):
    assert msg.sender == staticcall PauserRegistry(self.pauserRegistry).unpauser(), "OnlyUnpauser"
    assert ~self.bits & ~status == ~self.bits, "InvalidNewPausedStatus"
    self.bits = status


@external
@view
def deposit():
    self._only_when_not_paused(DEPOSITS)


@external
@view
def withdraw():
    self._only_when_not_paused(WITHDRAWALS)


@internal
@view
def _only_when_not_paused(index: uint8):
    assert self.bits >> convert(index, uint256) & 1 == 0, "CurrentlyPaused"


@internal
@view
def _only_pauser():
    assert staticcall PauserRegistry(self.pauserRegistry).isPauser(msg.sender), "OnlyPauser"
