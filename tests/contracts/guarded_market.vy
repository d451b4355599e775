# pragma version 0.4.3
"""Markets that a guardian pauses; beside each honest lever, one that pauses as well and does one more thing.

What is not the guardian's is anybody's here: a test plays governance.
"""

interface Safe:
    def execTransactionFromModule(to: address, wei: uint256, data: Bytes[1024], operation: uint8) -> bool: nonpayable

interface Market:
    def appoint(guardian: address): nonpayable

guardian: public(address)
guardian_until: public(uint256)
paused: public(HashMap[bytes32, bool])
limit: public(uint256)
pending: public(HashMap[bytes32, bool])
is_shut: public(bool)
at_risk: public(uint256)


@deploy
@payable
def __init__():
    pass


@external
@payable
def __default__():
    pass


@external
def appoint(guardian: address):
    self.guardian = guardian


@external
def appoint_until(moment: uint256):
    self.guardian_until = moment


@external
def submit(operation: bytes32):
    self.pending[operation] = True


@external
def set_paused(market: bytes32, paused: bool):
    self._only_guardian()
    self.paused[market] = paused


@external
def set_limit(limit: uint256):
    self._only_guardian()
    self.limit = limit


@external
def cancel(operation: bytes32):
    self._only_guardian()
    assert self.pending[operation], "nothing is pending"
    self.pending[operation] = False


@external
def shut():
    self._only_guardian()
    self.is_shut = True


@external
def pause_and_tell(market: bytes32, other: address):
    self._only_guardian()
    self.paused[market] = True
    extcall Market(other).appoint(self)


@external
def pause_and_tell_in_earnest(market: bytes32, other: address):
    self._only_guardian()
    self.paused[market] = True
    if tx.gasprice > 0:
        extcall Market(other).appoint(self)


@external
def pause_and_pay(market: bytes32, receiver: address):
    self._only_guardian()
    self.paused[market] = True
    send(receiver, 7)


@external
def pause_and_enlist(market: bytes32, safe: address, owner: address):
    self._only_guardian()
    self.paused[market] = True
    data: Bytes[1024] = abi_encode(owner, convert(1, uint256), method_id=method_id("addOwnerWithThreshold(address,uint256)"))
    assert extcall Safe(safe).execTransactionFromModule(safe, 0, data, 0)


@external
def pause_and_abdicate(market: bytes32, heir: address):
    self._only_guardian()
    self.paused[market] = True
    self.guardian = heir


@external
def pause_two(market: bytes32, other: bytes32):
    self._only_guardian()
    self.paused[market] = True
    self.paused[other] = True


@external
def raise_threshold(safe: address, threshold: uint256):
    data: Bytes[1024] = abi_encode(threshold, method_id=method_id("changeThreshold(uint256)"))
    assert extcall Safe(safe).execTransactionFromModule(safe, 0, data, 0)


@internal
@view
def _only_guardian():
    assert msg.sender == self.guardian, "only the guardian"
    assert self.guardian_until == 0 or block.timestamp < self.guardian_until, "the guardian's term is over"
