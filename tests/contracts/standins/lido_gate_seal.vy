# pragma version 0.4.3
"""Stands in for Lido's GateSeal: a committee pauses what it covers, once, until it expires."""

interface Sealable:
    def pauseFor(duration: uint256): nonpayable
    def isPaused() -> bool: view

MOST: constant(uint256) = 8

committee: address
duration: uint256
sealables: DynArray[address, MOST]
expiry: uint256


@deploy
def __init__(committee: address, duration: uint256, sealables: DynArray[address, MOST], expiry: uint256):
    assert expiry > block.timestamp, "expiry timestamp: must be in the future"
    self.committee = committee
    self.duration = duration
    self.sealables = sealables
    self.expiry = expiry


@external
@view
def get_sealing_committee() -> address:
    return self.committee


@external
@view
def get_seal_duration_seconds() -> uint256:
    return self.duration


@external
@view
def get_sealables() -> DynArray[address, MOST]:
    return self.sealables


@external
@view
def get_expiry_timestamp() -> uint256:
    return self.expiry


@external
@view
def is_expired() -> bool:
    return block.timestamp > self.expiry


@external
def seal(sealables: DynArray[address, MOST]):
    assert msg.sender == self.committee, "sender: not SEALING_COMMITTEE"
    assert block.timestamp <= self.expiry, "gate seal: expired"
    assert len(sealables) > 0, "sealables: empty subset"
    self.expiry = 0
    for one: address in sealables:
        assert one in self.sealables, "sealables: includes a non-sealable"
        extcall Sealable(one).pauseFor(self.duration)
        assert staticcall Sealable(one).isPaused(), "sealables: failed to seal"
