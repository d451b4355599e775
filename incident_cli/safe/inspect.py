"""What is dangerous about a Safe transaction. Every rule looks by itself; all findings are reported at once.

A transaction is clean only if it is exactly the calls that were decided on, sent from the right Safe on the right
chain, and none of those calls, nor what it hands to a time-lock, changes who controls a Safe or a protocol, even
where the runbook itself asked for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from incident_cli.abi import parse_signature
from incident_cli.evm import ZERO, Address, Call, to_hex
from incident_cli.safe.batch import InnerCall, is_batch
from incident_cli.safe.contracts import CONTROL_FUNCTIONS, MULTISEND_CODE_HASHES, OPAQUE_FUNCTIONS
from incident_cli.safe.finding import InspectionFinding, refused, warned
from incident_cli.safe.hashes import CHAIN_ID_SINCE, NEWEST, OLDEST
from incident_cli.safe.hidden import control_within
from incident_cli.safe.known_functions import control_selectors, known
from incident_cli.safe.transaction import CALL, DELEGATECALL, SafeTx, parse_version
from incident_cli.safe.unfolding import MadeCall, Unfolding, unfold
from incident_cli.text import plain

NONCE_HORIZON = 50  # how far ahead of the chain a ladder of pre-signed transactions may reach


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
    unfolded = unfold(tx)
    findings += [refused("bad-batch", problem) for problem in unfolded.problems]
    for made in unfolded.calls:
        findings += (*inspect_call(made, tx), *inspect_opaque(made.call))
    return (*findings, *inspect_hidden(tx, unfolded), *compare(unfolded.outermost, expected, tx))


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
    yield from inspect_own_version(tx)


def inspect_own_version(tx: SafeTx) -> Iterator[InspectionFinding]:
    """A version that is fit for emergencies, and whose hashing was measured."""
    if parse_version(tx.version) < CHAIN_ID_SINCE:
        yield refused("old-version", f"a Safe {tx.version} signs without the chain id; 1.3.0 or later is needed")
    if not OLDEST <= parse_version(tx.version) <= NEWEST:
        yield refused("unknown-version", f"a Safe {tx.version} lies outside what was measured, 0.0.2 to 1.5.0")


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


def inspect_call(made: MadeCall, tx: SafeTx) -> Iterator[InspectionFinding]:
    """One call: no delegatecall, no batch within, nothing that changes who is in control."""
    call = made.call
    selector, is_batched = call.data[:4], made.road == "other Safe" and call.to in MULTISEND_CODE_HASHES
    if made.road and call.operation != CALL and not is_batched:
        yield refused("inner-operation", f"the call to {call.to} has operation {call.operation}, it must be 0")
    if is_batch(call.data) and made.road != "" and not is_batched:
        yield refused("nested-batch", f"the call to {call.to} is a batch of further calls")
    elif is_batch(call.data) and made.road == "" and call.operation == CALL:
        yield refused("nested-batch", f"the call to {call.to} is a batch, and not made by a delegatecall")
    if call.to == tx.safe and not is_rejection(tx):
        yield refused("safe-itself", f"it calls the Safe itself: {name_of(call.data)}")
    control = CONTROL_FUNCTIONS.get(selector) or control_selectors().get(selector)
    if control:
        yield refused("control-change", f"{control} at {call.to}")


def inspect_opaque(call: InnerCall) -> Iterator[InspectionFinding]:
    """Nothing by which a Safe acts on what cannot be seen here."""
    if call.data[:4] in OPAQUE_FUNCTIONS:
        yield refused("opaque-call", f"{OPAQUE_FUNCTIONS[call.data[:4]]} at {call.to}")


def inspect_hidden(tx: SafeTx, unfolded: Unfolding) -> Iterator[InspectionFinding]:
    """Functions of control in bytes that a call hands on, beside the calls that are shown as such."""
    shown = {one.call.data[:4] for one in unfolded.calls}
    for text in control_within(tx.data):
        if parse_signature(text).selector not in shown:
            yield refused("control-change", f"{text} stands in the bytes that are handed on")


def is_rejection(tx: SafeTx) -> bool:
    """Whether it is the empty call to the Safe itself."""
    return tx.to == tx.safe and tx.operation == CALL and not tx.value and not tx.data


def name_of(data: bytes) -> str:
    """The function called, by name where it is known."""
    if not data:
        return "no function"
    named = CONTROL_FUNCTIONS.get(data[:4]) or OPAQUE_FUNCTIONS.get(data[:4])
    return named or next((one.canonical for one in known(data)), f"function {to_hex(data[:4])}")


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
