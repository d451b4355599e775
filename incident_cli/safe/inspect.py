"""What is dangerous about a Safe transaction. Every rule looks by itself; all findings are reported at once.

A transaction is clean only if it is exactly the calls that were decided on, sent from the right Safe on the right
chain, and none of those calls, nor what it hands to a time-lock, changes who controls a Safe or a protocol, even
where the runbook itself asked for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from types import MappingProxyType
from typing import Any, Literal

from incident_cli.abi import decode, encode, parse_signature
from incident_cli.evm import ZERO, Address, Call, to_hex
from incident_cli.safe.batch import DEPTH_LIMIT, BatchError, InnerCall, decode_batch, is_batch
from incident_cli.safe.contracts import (
    CONTROL_FUNCTIONS,
    MULTISEND_CODE_HASHES,
    OPAQUE_FUNCTIONS,
    TIMELOCK_FUNCTIONS,
)
from incident_cli.safe.hashes import CHAIN_ID_SINCE, NEWEST
from incident_cli.safe.transaction import CALL, DELEGATECALL, SafeTx, parse_version
from incident_cli.text import plain

NONCE_HORIZON = 50  # how far ahead of the chain a ladder of pre-signed transactions may reach

# code → what it means and why; `incident explain CODE` prints it
EXPLANATIONS: Mapping[str, str] = MappingProxyType(
    {
        "wrong-chain": "The transaction is for another chain than the deployment names.",
        "wrong-safe": "The transaction is for another Safe than the deployment names.",
        "wrong-version": "The Safe on chain has another version than the transaction was hashed for.",
        "old-version": "A Safe below 1.3.0 signs without the chain id (a signature replays on other chains), and a"
        " failed execution burns the nonce.",
        "unknown-version": "Nobody has measured how this Safe version hashes and executes.",
        "delegatecall": "A delegatecall runs foreign code with the Safe's own storage: it can replace its owners or its"
        " implementation. Only the canonical MultiSendCallOnly may be called so.",
        "multisend-code": "The code at the MultiSendCallOnly address is not the known one on this chain.",
        "multisend-unread": "The code at the MultiSendCallOnly address was not read, so it may be anything.",
        "bad-batch": "The batch is not encoded as an encoder writes it: what is shown may not be what runs.",
        "nested-batch": "A batch within a batch hides calls, and they would not come from the Safe.",
        "inner-operation": "A call within the batch asks for a delegatecall or an unknown operation.",
        "refund": "Gas price, gas token, refund receiver and base gas pay the broadcaster from the Safe.",
        "safe-tx-gas": "With safeTxGas set, an execution that fails uses up the nonce: the proposal is burnt.",
        "safe-itself": "A call to the Safe itself changes its owners, threshold, modules, guards or handler. Only the"
        " empty call that revokes a nonce is allowed.",
        "control-change": "The function changes who controls a contract: a Safe's owners, threshold, modules, guards or"
        " handler, or a protocol's owner, roles, guardian, delay or implementation. No containment does that, and no"
        " way back does, directly or through a time-lock.",
        "opaque-call": "The function approves or executes something that cannot be shown here.",
        "unexpected-value": "The call sends native currency that was not decided on.",
        "sends-value": "The call sends native currency. It was decided on; look twice.",
        "padded-calldata": "The calldata begin as decided on and go on: something rides along.",
        "call-count": "There are more or fewer calls than were decided on.",
        "call-differs": "A call is not the one that was decided on.",
        "nonce-stale": "The nonce has been used: the transaction can never execute.",
        "nonce-ahead": "Transactions at earlier nonces must execute first.",
        "nonce-far": "The nonce lies so far ahead that this is no plan but a mistake or a trap.",
    }
)


@dataclass(frozen=True, slots=True)
class InspectionFinding:
    """One thing that is wrong (`refused`) or worth a second look (`warned`)."""

    code: str
    severity: Literal["refused", "warned"]
    message: str


def inspect(
    tx: SafeTx,
    *,
    expected: Sequence[Call],
    chain_id: int,
    safe: Address,
    version: str,
    nonce_on_chain: int,
    multisend_code_hash: str | None,
) -> tuple[InspectionFinding, ...]:
    """Every finding about a transaction that should make the `expected` calls (none: the empty rejection).

    `chain_id`, `safe` come from the deployment; `version`, `nonce_on_chain` and the code hash at `tx.to` (None: not
    read) from the chain.
    """
    findings = [
        *inspect_place(tx, chain_id, safe),
        *inspect_version(tx, version),
        *inspect_nonce(tx.nonce, nonce_on_chain),
        *inspect_refund(tx),
    ]
    findings += inspect_delegatecall(tx, multisend_code_hash)
    try:
        calls = calls_of(tx)
        every = tuple(flatten(calls))
    except BatchError as problem:
        return (*findings, refused("bad-batch", f"the batch cannot be read: {problem}"))
    for call in every:
        findings += inspect_call(call, tx)
    return (*findings, *compare(calls, expected, tx))


def is_refused(findings: Sequence[InspectionFinding]) -> bool:
    """Whether any finding forbids the transaction."""
    return any(one.severity == "refused" for one in findings)


def refused(code: str, message: str) -> InspectionFinding:
    """A finding that forbids."""
    return InspectionFinding(code, "refused", message)


def warned(code: str, message: str) -> InspectionFinding:
    """A finding to look at."""
    return InspectionFinding(code, "warned", message)


def inspect_place(tx: SafeTx, chain_id: int, safe: Address) -> Iterator[InspectionFinding]:
    """The right chain and the right Safe."""
    if tx.chain_id != chain_id:
        yield refused("wrong-chain", f"it is for chain {tx.chain_id}, not {chain_id}")
    if tx.safe != safe:
        yield refused("wrong-safe", f"it is for the Safe {tx.safe}, not {plain(safe)}")


def inspect_version(tx: SafeTx, version: str) -> Iterator[InspectionFinding]:
    """The version the chain states, and one that is fit for emergencies."""
    if tx.version.removesuffix("+L2") != version.removesuffix("+L2"):
        yield refused("wrong-version", f"it is hashed for a Safe {tx.version}, the chain says {plain(version, 40)}")
    if parse_version(tx.version) < CHAIN_ID_SINCE:
        yield refused("old-version", f"a Safe {tx.version} signs without the chain id; 1.3.0 or later is needed")
    if parse_version(tx.version) > NEWEST:
        yield refused("unknown-version", f"a Safe {tx.version} is newer than what was measured")


def inspect_nonce(nonce: int, on_chain: int) -> Iterator[InspectionFinding]:
    """A nonce that can still execute, and soon."""
    ahead = nonce - on_chain
    if ahead < 0:
        yield refused("nonce-stale", f"the nonce {nonce} is used up, the Safe stands at {on_chain}")
    elif ahead > NONCE_HORIZON:
        yield refused("nonce-far", f"the nonce {nonce} is {ahead} ahead of the Safe's {on_chain}")
    elif ahead:
        yield warned("nonce-ahead", f"{ahead} earlier nonces, from {on_chain}, must execute before {nonce}")


def inspect_refund(tx: SafeTx) -> Iterator[InspectionFinding]:
    """Nothing pays the broadcaster, and nothing lets a failed execution burn the nonce."""
    paying = {
        "baseGas": tx.base_gas or None,
        "gasPrice": tx.gas_price or None,
        "gasToken": None if tx.gas_token == ZERO else tx.gas_token,
        "refundReceiver": None if tx.refund_receiver == ZERO else tx.refund_receiver,
    }
    for name, value in paying.items():
        if value is not None:
            yield refused("refund", f"{name} is {value}, it must be zero")
    if tx.safe_tx_gas:
        yield refused("safe-tx-gas", f"safeTxGas is {tx.safe_tx_gas}, it must be zero")


def inspect_delegatecall(tx: SafeTx, code_hash: str | None) -> Iterator[InspectionFinding]:
    """Operation 1 only to MultiSendCallOnly, whose code on this chain is the known one."""
    if tx.operation != DELEGATECALL:
        return
    known = MULTISEND_CODE_HASHES.get(tx.to)
    if known is None:
        yield refused("delegatecall", f"it is a delegatecall to {tx.to}, which is no canonical MultiSendCallOnly")
    elif code_hash is None:
        yield refused("multisend-unread", f"the code at {tx.to} on chain {tx.chain_id} was not read")
    elif code_hash.lower() != known:
        yield refused("multisend-code", f"the code hash at {tx.to} is {plain(code_hash, 80)}, it must be {known}")
    if tx.value:
        yield refused("unexpected-value", f"the batch itself has a value of {tx.value} wei, it must be zero")


def calls_of(tx: SafeTx) -> tuple[InnerCall, ...]:
    """What the transaction really calls: itself, or the entries of its batch; raises BatchError."""
    if tx.operation == DELEGATECALL and tx.to in MULTISEND_CODE_HASHES:
        return decode_batch(tx.data)
    inner = decode_batch(tx.data) if is_batch(tx.data) else ()
    return (InnerCall(CALL, tx.to, tx.value, tx.data, inner),)


def flatten(calls: Sequence[InnerCall], depth: int = 0) -> Iterator[InnerCall]:
    """Every call, those within it, and those it hands to a time-lock; raises BatchError."""
    if depth > DEPTH_LIMIT:
        raise BatchError(f"calls nested more than {DEPTH_LIMIT} deep")
    for call in calls:
        yield call
        yield from flatten((*call.inner, *delayed_calls(call.data)), depth + 1)


def delayed_calls(data: bytes) -> tuple[InnerCall, ...]:
    """The calls a time-lock is asked to schedule or execute; raises BatchError for any but the canonical encoding."""
    text = TIMELOCK_FUNCTIONS.get(data[:4])
    if text is None:
        return ()
    signature = parse_signature(text)
    try:
        args: tuple[Any, ...] = decode(signature.input_types, data[4:])
        canonical = encode(signature.input_types, args)
    except ValueError as problem:
        raise BatchError(f"the arguments of {signature.name} cannot be read: {plain(problem, 200)}") from problem
    if canonical != data[4:]:
        raise BatchError(f"the arguments of {signature.name} are not encoded as an encoder writes them")
    targets, amounts, payloads = args[:3] if "[]" in text else ([args[0]], [args[1]], [args[2]])
    if not len(targets) == len(amounts) == len(payloads):
        raise BatchError(f"{signature.name} names {len(targets)} targets and {len(payloads)} payloads")
    carried = zip(targets, amounts, payloads, strict=True)
    return tuple(InnerCall(CALL, Address(to), value, payload) for to, value, payload in carried)


def inspect_call(call: InnerCall, tx: SafeTx) -> Iterator[InspectionFinding]:
    """One call: no delegatecall, no batch within, nothing that changes who is in control."""
    if call.operation != CALL:
        yield refused("inner-operation", f"the call to {call.to} has operation {call.operation}, it must be 0")
    if is_batch(call.data):
        yield refused("nested-batch", f"the call to {call.to} is a batch of {len(call.inner)} further calls")
    if call.to == tx.safe and not is_rejection(tx):
        yield refused("safe-itself", f"it calls the Safe itself: {name_of(call.data)}")
    selector = call.data[:4]
    if selector in CONTROL_FUNCTIONS:
        yield refused("control-change", f"{CONTROL_FUNCTIONS[selector]} at {call.to}")
    if selector in OPAQUE_FUNCTIONS:
        yield refused("opaque-call", f"{OPAQUE_FUNCTIONS[selector]} at {call.to}")


def is_rejection(tx: SafeTx) -> bool:
    """Whether it is the empty call to the Safe itself."""
    return tx.to == tx.safe and tx.operation == CALL and not tx.value and not tx.data


def name_of(data: bytes) -> str:
    """The function called, by name where it is known."""
    return CONTROL_FUNCTIONS.get(data[:4]) or OPAQUE_FUNCTIONS.get(data[:4]) or f"function {to_hex(data[:4])}"


def compare(calls: Sequence[InnerCall], expected: Sequence[Call], tx: SafeTx) -> Iterator[InspectionFinding]:
    """What differs between the calls made and the calls decided on."""
    if not expected and is_rejection(tx):
        return
    if len(calls) != len(expected):
        yield refused("call-count", f"{len(calls)} calls, and {len(expected)} were decided on")
    for number, (call, wanted) in enumerate(zip_longest(calls, expected), start=1):
        if call is not None and wanted is not None:
            yield from compare_call(number, call, wanted)
        elif call is not None:
            yield refused("call-differs", f"call {number}, to {call.to}, {name_of(call.data)}, was not decided on")


def compare_call(number: int, call: InnerCall, wanted: Call) -> Iterator[InspectionFinding]:
    """The differences of one call, field by field."""
    if call.to != wanted.to:
        yield refused("call-differs", f"call {number}: to is {call.to}, decided on was {plain(wanted.to)}")
    if call.value != wanted.value:
        yield refused("unexpected-value", f"call {number}: value is {call.value} wei, decided on was {wanted.value}")
    elif call.value:
        yield warned("sends-value", f"call {number} sends {call.value} wei to {call.to}")
    data = wanted.data
    if call.data == data:
        return
    if call.data.startswith(data):
        extra = len(call.data) - len(data)
        yield refused("padded-calldata", f"call {number}: {extra} bytes follow the {len(data)} that were decided on")
    else:
        yield refused("call-differs", f"call {number}: {first_difference(call.data, data, wanted)}")


def first_difference(found: bytes, wanted: bytes, call: Call) -> str:
    """Where two calldata part, in words a reader can check: the selector, or the first differing argument word."""
    if found[:4] != wanted[:4]:
        return f"the function is {name_of(found)}, decided on was {plain(call.signature.canonical, 200)}"
    at = next((i for i, (a, b) in enumerate(zip(found, wanted, strict=False)) if a != b), min(len(found), len(wanted)))
    word = 4 + (at - 4) // 32 * 32
    return (
        f"argument word {(at - 4) // 32 + 1} of {plain(call.signature.canonical, 200)} is"
        f" {to_hex(found[word : word + 32])}, decided on was {to_hex(wanted[word : word + 32])}"
    )
