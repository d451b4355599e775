# pragma version 0.4.3
"""Stands in for an ether.fi contract that a guardian pauses for a time, and governance for good."""

interface Roles:
    def hasRole(role: bytes32, account: address) -> bool: view

DAY: constant(uint256) = 86_400
MIN_PAUSE_DURATION: public(constant(uint256)) = DAY // 3
PAUSER_UNTIL_COOLDOWN: public(constant(uint256)) = 7 * DAY

roleRegistry: public(address)
governance: address
paused: public(bool)
pausedUntil: public(uint256)
pauseUntilDuration: public(uint256)
lastPauseTimestamp: public(HashMap[address, uint256])
deposits: public(uint256)


@deploy
def __init__(roles: address, governance: address, duration: uint256):
    self.roleRegistry = roles
    self.governance = governance
    self.pauseUntilDuration = duration


@external
@view
def isPaused() -> bool:
    return self.paused or self._is_paused_until()


@external
def pauseUntil():
    role: bytes32 = keccak256("GUARDIAN_ROLE")
    assert staticcall Roles(self.roleRegistry).hasRole(role, msg.sender), "OnlyGuardian"
    assert not self._is_paused_until(), "ContractPausedUntil"
    duration: uint256 = self.pauseUntilDuration
    if duration == 0:
        duration = MIN_PAUSE_DURATION
    free_at: uint256 = self.lastPauseTimestamp[msg.sender] + duration + PAUSER_UNTIL_COOLDOWN
    assert free_at <= block.timestamp, "PauserCooldownStillActive"
    self.pausedUntil = block.timestamp + duration
    self.lastPauseTimestamp[msg.sender] = block.timestamp


@external
def unpauseUntil():
    assert msg.sender == self.governance, "OnlyGovernance"
    assert self._is_paused_until(), "ContractNotPausedUntil"
    self.pausedUntil = 0


@external
def pause():
    assert msg.sender == self.governance, "OnlyGovernance"
    assert not self._is_paused_until(), "ContractPausedUntil"
    self.paused = True


@external
def deposit():
    assert not (self.paused or self._is_paused_until()), "ContractPausedUntil"
    self.deposits += 1


@internal
@view
def _is_paused_until() -> bool:
    return self.pausedUntil >= block.timestamp
