# pragma version 0.4.3
"""Stands in for what Lido pauses for a time: its WithdrawalQueue, and its ValidatorsExitBusOracle."""

PAUSE_ROLE: constant(bytes32) = keccak256("PAUSE_ROLE")
RESUME_ROLE: constant(bytes32) = keccak256("RESUME_ROLE")

hasRole: public(HashMap[bytes32, HashMap[address, bool]])
getResumeSinceTimestamp: public(uint256)
unfinalizedStETH: public(uint256)
claimed: public(uint256)


@deploy
def __init__(pausers: DynArray[address, 4], resumer: address):
    for one: address in pausers:
        self.hasRole[PAUSE_ROLE][one] = True
    self.hasRole[RESUME_ROLE][resumer] = True


@external
@view
def isPaused() -> bool:
    return self._is_paused()


@external
def pauseFor(duration: uint256):
    assert self.hasRole[PAUSE_ROLE][msg.sender], "AccessControl: PAUSE_ROLE is missing"
    assert not self._is_paused(), "ResumedExpected"
    assert duration != 0, "ZeroPauseDuration"
    if duration == max_value(uint256):
        self.getResumeSinceTimestamp = duration
    else:
        self.getResumeSinceTimestamp = block.timestamp + duration


@external
def resume():
    assert self.hasRole[RESUME_ROLE][msg.sender], "AccessControl: RESUME_ROLE is missing"
    assert self._is_paused(), "PausedExpected"
    self.getResumeSinceTimestamp = block.timestamp


@external
def requestWithdrawals(amount: uint256):
    assert not self._is_paused(), "ResumedExpected"
    self.unfinalizedStETH += amount


@external
def claimWithdrawal(amount: uint256):
    self.claimed += amount


@internal
@view
def _is_paused() -> bool:
    return block.timestamp < self.getResumeSinceTimestamp
