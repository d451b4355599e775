# pragma version 0.4.3
# pragma evm-version cancun
"""
@title The part of OpenZeppelin's TimelockController that a reopening and its defence need
@notice Proposers schedule, cancellers cancel (every proposer is one), anybody executes what is due. Roles are fixed
    at creation. Ids, roles, states and events are OpenZeppelin's.
"""

event CallScheduled:
    id: indexed(bytes32)
    index: indexed(uint256)
    target: address
    value: uint256
    data: Bytes[4096]
    predecessor: bytes32
    delay: uint256

event CallSalt:
    id: indexed(bytes32)
    salt: bytes32

event CallExecuted:
    id: indexed(bytes32)
    index: indexed(uint256)
    target: address
    value: uint256
    data: Bytes[4096]

event Cancelled:
    id: indexed(bytes32)

event RoleGranted:
    role: indexed(bytes32)
    account: indexed(address)
    sender: indexed(address)

HOLDERS: constant(uint256) = 4
DONE: constant(uint256) = 1
PROPOSER_ROLE: public(constant(bytes32)) = keccak256("PROPOSER_ROLE")
CANCELLER_ROLE: public(constant(bytes32)) = keccak256("CANCELLER_ROLE")
EXECUTOR_ROLE: public(constant(bytes32)) = keccak256("EXECUTOR_ROLE")

proposer: public(immutable(address))  # the first of them
getMinDelay: public(immutable(uint256))
getTimestamp: public(HashMap[bytes32, uint256])
hasRole: public(HashMap[bytes32, HashMap[address, bool]])


@deploy
def __init__(proposers: DynArray[address, HOLDERS], cancellers: DynArray[address, HOLDERS], minDelay: uint256):
    proposer = proposers[0]
    getMinDelay = minDelay
    for one: address in proposers:
        self._grant(PROPOSER_ROLE, one)
        self._grant(CANCELLER_ROLE, one)
    for one: address in cancellers:
        self._grant(CANCELLER_ROLE, one)
    self._grant(EXECUTOR_ROLE, empty(address))  # nobody in particular: everybody


@external
@payable
def __default__():
    pass


@external
def schedule(target: address, amount: uint256, data: Bytes[4096], predecessor: bytes32, salt: bytes32, delay: uint256):
    assert self.hasRole[PROPOSER_ROLE][msg.sender], "only a proposer schedules"
    assert delay >= getMinDelay, "the delay is too short"
    id: bytes32 = self._hash(target, amount, data, predecessor, salt)
    assert self._state(id) == 0, "the operation is already scheduled"
    self.getTimestamp[id] = block.timestamp + delay
    log CallScheduled(id=id, index=0, target=target, value=amount, data=data, predecessor=predecessor, delay=delay)
    if salt != empty(bytes32):
        log CallSalt(id=id, salt=salt)


@external
def cancel(id: bytes32):
    assert self.hasRole[CANCELLER_ROLE][msg.sender], "only a canceller cancels"
    assert self._state(id) in [1, 2], "the operation is not pending"
    self.getTimestamp[id] = 0
    log Cancelled(id=id)


@external
@payable
def execute(target: address, amount: uint256, payload: Bytes[4096], predecessor: bytes32, salt: bytes32):
    id: bytes32 = self._hash(target, amount, payload, predecessor, salt)
    assert self._state(id) == 2, "the operation is not ready"
    assert predecessor == empty(bytes32) or self._state(predecessor) == 3, "the predecessor is not done"
    self.getTimestamp[id] = DONE
    raw_call(target, payload, value=amount)
    log CallExecuted(id=id, index=0, target=target, value=amount, data=payload)


@external
@view
def hashOperation(target: address, amount: uint256, data: Bytes[4096], predecessor: bytes32, salt: bytes32) -> bytes32:
    return self._hash(target, amount, data, predecessor, salt)


@external
@view
def getOperationState(id: bytes32) -> uint8:
    return self._state(id)


@external
@view
def isOperation(id: bytes32) -> bool:
    return self._state(id) != 0


@external
@view
def isOperationPending(id: bytes32) -> bool:
    return self._state(id) in [1, 2]


@external
@view
def isOperationReady(id: bytes32) -> bool:
    return self._state(id) == 2


@external
@view
def isOperationDone(id: bytes32) -> bool:
    return self._state(id) == 3


@internal
def _grant(role: bytes32, account: address):
    self.hasRole[role][account] = True
    log RoleGranted(role=role, account=account, sender=msg.sender)


@internal
@view
def _state(id: bytes32) -> uint8:
    due: uint256 = self.getTimestamp[id]
    if due == 0:
        return 0
    if due == DONE:
        return 3
    return 1 if due > block.timestamp else 2


@internal
@pure
def _hash(target: address, amount: uint256, data: Bytes[4096], predecessor: bytes32, salt: bytes32) -> bytes32:
    return keccak256(abi_encode(target, amount, data, predecessor, salt))
