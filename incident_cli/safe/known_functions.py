"""Functions that every inspection knows without being given anything: with the names of their parameters.

Selectors are derived from the texts; a test holds them against the tables of `safe/contracts.py`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

from incident_cli.abi import Signature, parse_signature

# who controls a contract, beyond the Safe's own functions and those of contracts.CONTROL_FUNCTIONS
CONTROL = (
    "acceptAdmin()",
    "acceptDefaultAdminTransfer()",
    "acceptGovernance()",
    "addEmergencyAdmin(address admin)",
    "addPoolAdmin(address admin)",
    "beginDefaultAdminTransfer(address newAdmin)",
    "changeDefaultAdminDelay(uint48 newDelay)",
    "changeProxyAdmin(address proxy, address newAdmin)",
    "configureMinter(address minter, uint256 allowance)",
    "deny(address account)",
    "diamondCut((address facetAddress, uint8 action, bytes4[] functionSelectors)[] cut, address init, bytes data)",
    "grantRoles(address account, uint256 roles)",
    "grantRole(uint64 roleId, address account, uint32 executionDelay)",
    "nominateNewOwner(address owner)",
    "rely(address account)",
    "removeGuardian(address guardian)",
    "renounceRole(uint64 roleId, address callerConfirmation)",
    "revokeRole(uint64 roleId, address account)",
    "setACLAdmin(address admin)",
    "setACLManager(address manager)",
    "setAddressAsProxy(bytes32 id, address implementation)",
    "setAuthority(address authority)",
    "setDelay(uint256 delay)",
    "setEmergencyAdmin(address admin)",
    "setGovernor(address governor)",
    "setGrantDelay(uint64 roleId, uint32 newDelay)",
    "setImplementation(address implementation)",
    "setPauseGuardian(address guardian)",
    "setPauser(address pauser)",
    "setPendingAdmin(address admin)",
    "setPendingOwner(address owner)",
    "setPoolAdmin(address admin)",
    "setRoleAdmin(bytes32 role, bytes32 adminRole)",
    "setRoleAdmin(uint64 roleId, uint64 admin)",
    "setRoleGuardian(uint64 roleId, uint64 guardian)",
    "setTargetAdminDelay(address target, uint32 newDelay)",
    "setTargetFunctionRole(address target, bytes4[] selectors, uint64 roleId)",
    "setTimelock(address timelock)",
    "transferAdmin(address newAdmin)",
    "transferGovernance(address newGovernance)",
    "updateAuthority(address target, address newAuthority)",
    "updateMasterMinter(address minter)",
    "updatePauser(address pauser)",
    "upgrade(address proxy, address implementation)",
    "upgradeAndCall(address proxy, address implementation, bytes data)",
    "_setImplementation(address implementation)",
    "_setPauseGuardian(address guardian)",
    "_setPendingAdmin(address admin)",
)
# the same functions as contracts.CONTROL_FUNCTIONS and OPAQUE_FUNCTIONS, with the names of their parameters
NAMED_CONTROL = (
    "addOwnerWithThreshold(address owner, uint256 threshold)",
    "removeOwner(address previousOwner, address owner, uint256 threshold)",
    "swapOwner(address previousOwner, address oldOwner, address newOwner)",
    "changeThreshold(uint256 threshold)",
    "enableModule(address module)",
    "disableModule(address previousModule, address module)",
    "setGuard(address guard)",
    "setModuleGuard(address moduleGuard)",
    "setFallbackHandler(address handler)",
    "changeMasterCopy(address masterCopy)",
    "setup(address[] owners, uint256 threshold, address to, bytes data, address fallbackHandler, address paymentToken,"
    " uint256 payment, address paymentReceiver)",
    "setup(address[] owners, uint256 threshold, address to, bytes data, address paymentToken, uint256 payment,"
    " address paymentReceiver)",
    "setup(address[] owners, uint256 threshold, address to, bytes data)",
    "transferOwnership(address newOwner)",
    "renounceOwnership()",
    "acceptOwnership()",
    "grantRole(bytes32 role, address account)",
    "revokeRole(bytes32 role, address account)",
    "renounceRole(bytes32 role, address account)",
    "setGovernance(address governance)",
    "setGuardian(address guardian)",
    "upgradeTo(address implementation)",
    "upgradeToAndCall(address implementation, bytes data)",
    "updateDelay(uint256 newDelay)",
    "changeAdmin(address admin)",
    "setAdmin(address admin)",
    "setOwner(address owner)",
    "approveHash(bytes32 hashToApprove)",
)
TIMELOCK = (
    "schedule(address target, uint256 value, bytes data, bytes32 predecessor, bytes32 salt, uint256 delay)",
    "scheduleBatch(address[] targets, uint256[] values, bytes[] payloads, bytes32 predecessor, bytes32 salt,"
    " uint256 delay)",
    "execute(address target, uint256 value, bytes payload, bytes32 predecessor, bytes32 salt)",
    "executeBatch(address[] targets, uint256[] values, bytes[] payloads, bytes32 predecessor, bytes32 salt)",
    "cancel(bytes32 id)",
)
OTHER_SAFE = (
    "execTransaction(address to, uint256 value, bytes data, uint8 operation, uint256 safeTxGas, uint256 baseGas,"
    " uint256 gasPrice, address gasToken, address refundReceiver, bytes signatures)",
    "execTransactionFromModule(address to, uint256 value, bytes data, uint8 operation)",
    "execTransactionFromModuleReturnData(address to, uint256 value, bytes data, uint8 operation)",
)
MULTICALL = (
    "aggregate((address target, bytes callData)[] calls)",
    "tryAggregate(bool requireSuccess, (address target, bytes callData)[] calls)",
    "blockAndAggregate((address target, bytes callData)[] calls)",
    "tryBlockAndAggregate(bool requireSuccess, (address target, bytes callData)[] calls)",
    "aggregate3((address target, bool allowFailure, bytes callData)[] calls)",
    "aggregate3Value((address target, bool allowFailure, uint256 value, bytes callData)[] calls)",
)
SELF_MULTICALL = (
    "multicall(bytes[] data)",
    "multicall(uint256 deadline, bytes[] data)",
    "multicall(bytes32 previousBlockhash, bytes[] data)",
)
# executors: whoever is called makes the call that it is handed, as itself or with its own storage
EXECUTOR = (
    "execute(address target, bytes payload)",
    "execute(address target, uint256 value, bytes payload)",
    "relay(address target, uint256 value, bytes payload)",
    "schedule(address target, bytes data, uint48 when)",
)
EXECUTOR_OF_MANY = (
    "executeBatch(address[] targets, bytes[] payloads)",
    "executeBatch(address[] targets, uint256[] values, bytes[] payloads)",
)
# a module that lets a role act for a Safe
ROLE = (
    "execTransactionWithRole(address to, uint256 value, bytes data, uint8 operation, uint16 role, bool shouldRevert)",
    "execTransactionWithRole(address to, uint256 value, bytes data, uint8 operation, bytes32 roleKey,"
    " bool shouldRevert)",
    "execTransactionWithRoleReturnData(address to, uint256 value, bytes data, uint8 operation, uint16 role,"
    " bool shouldRevert)",
    "execTransactionWithRoleReturnData(address to, uint256 value, bytes data, uint8 operation, bytes32 roleKey,"
    " bool shouldRevert)",
)
# a time-lock that is handed the function as text beside its arguments
TEXT_TIMELOCK = (
    "queueTransaction(address target, uint256 value, string signature, bytes data, uint256 eta)",
    "executeTransaction(address target, uint256 value, string signature, bytes data, uint256 eta)",
)
CARRIER = (*EXECUTOR, *EXECUTOR_OF_MANY, *ROLE, *TEXT_TIMELOCK)
MULTI_SEND = ("multiSend(bytes transactions)",)
TOKEN = (
    "transfer(address to, uint256 amount)",
    "transferFrom(address from, address to, uint256 amount)",
    "safeTransferFrom(address from, address to, uint256 tokenId)",
    "safeTransferFrom(address from, address to, uint256 tokenId, bytes data)",
    "safeTransferFrom(address from, address to, uint256 id, uint256 amount, bytes data)",
    "approve(address spender, uint256 amount)",
    "increaseAllowance(address spender, uint256 added)",
    "decreaseAllowance(address spender, uint256 subtracted)",
    "setApprovalForAll(address operator, bool approved)",
    "permit(address owner, address spender, uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s)",
    "mint(address to, uint256 amount)",
    "burn(uint256 amount)",
    "withdraw(uint256 amount)",
    "deposit()",
)
# what nearly every protocol has
RESTRICTING = ("pause()", "unpause()")
CARRYING = (*TIMELOCK[:4], *OTHER_SAFE, *MULTICALL, *SELF_MULTICALL, *CARRIER, *MULTI_SEND)
EVERY = (*NAMED_CONTROL, *CONTROL, *TIMELOCK[4:], *CARRYING, *TOKEN)


@functools.cache
def control_selectors() -> dict[bytes, str]:
    """The canonical text of each further control function, by selector."""
    return {one.selector: one.canonical for one in map(parse_signature, CONTROL)}


@functools.cache
def known_functions() -> dict[bytes, tuple[Signature, ...]]:
    """Every known function by selector."""
    found: dict[bytes, tuple[Signature, ...]] = {}
    for text in (*EVERY, *RESTRICTING):
        signature = parse_signature(text)
        found[signature.selector] = (*found.get(signature.selector, ()), signature)
    return found


def known(data: bytes) -> Iterator[Signature]:
    """The known functions that calldata may be calls of."""
    yield from known_functions().get(data[:4], ())
