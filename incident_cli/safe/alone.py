"""A transaction inspected by itself, without knowing what it should do: who wrote it, and why, is not asked.

What was not read counts as unknown, and nothing unknown is clean. So without a view of the chain the verdict is at
best "warned": a nonce that is used up, code that was exchanged and a Safe that is not yours look the same on paper.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from incident_cli.abi import parse_signature
from incident_cli.evm import ZERO, Address
from incident_cli.safe.contracts import EXEC_TRANSACTION, MULTICALL3, MULTISEND_CODE_HASHES, OPAQUE_FUNCTIONS, SENTINEL
from incident_cli.safe.finding import InspectionFinding, refused, warned
from incident_cli.safe.inspect import (
    inspect_call,
    inspect_delegatecall,
    inspect_hidden,
    inspect_nonce,
    inspect_opaque,
    inspect_own_version,
    inspect_refund,
    inspect_version,
    is_rejection,
    name_of,
)
from incident_cli.safe.lookalike import hidden_in, lookalikes
from incident_cli.safe.strict_abi import NotCanonical, decode_exactly
from incident_cli.safe.transaction import CALL, DELEGATECALL, SafeTx
from incident_cli.safe.unfolding import MadeCall, Unfolding

NOT_READ = (
    "the nonce, the Safe's version and owners, and the code at every address were not read: name the deployment with"
    " --deployment"
)


@dataclass(frozen=True, slots=True)
class Standing:
    """The Safe and the code around it as the chain shows them; `code` holds 0x code hashes, None where none stands."""

    nonce: int
    version: str
    code: Mapping[Address, str | None]


def inspect_alone(
    tx: SafeTx,
    unfolded: Unfolding,
    *,
    standing: Standing | None,
    named: Collection[Address] | None,
    mentioned: Collection[Address] = (),
) -> tuple[InspectionFinding, ...]:
    """Every finding about a transaction whose purpose is not known.

    `standing` is None where the chain was not read; `named` are the addresses a deployment names, None without one;
    `mentioned` are those among decoded arguments.
    """
    findings = [*inspect_standing(tx, standing), *inspect_refund(tx)]
    findings += [refused("bad-batch", problem) for problem in unfolded.problems]
    for made in unfolded.calls:
        findings += inspect_call(made, tx)
        findings += inspect_carrier(made)
        findings += inspect_target(made, tx, standing, named)
    findings += inspect_hidden(tx, unfolded)
    findings += inspect_mentioned(tx, unfolded, named, mentioned)
    findings += inspect_lookalikes(tx, unfolded, named or (), mentioned)
    return tuple(dict.fromkeys(findings))


def inspect_standing(tx: SafeTx, standing: Standing | None) -> Iterator[InspectionFinding]:
    """Version, nonce and the code of MultiSendCallOnly against the chain; or that it was not read."""
    if standing is None:
        yield from inspect_own_version(tx)
        if tx.operation == DELEGATECALL and tx.to in MULTISEND_CODE_HASHES:
            yield warned("multisend-unread", f"the code of MultiSendCallOnly at {tx.to} was not read")
        else:
            yield from inspect_delegatecall(tx, None)
        yield warned("chain-not-read", NOT_READ)
        return
    yield from inspect_version(tx, standing.version)
    yield from inspect_nonce(tx.nonce, standing.nonce)
    yield from inspect_delegatecall(tx, standing.code.get(tx.to) or "there is no code")


def inspect_carrier(made: MadeCall) -> Iterator[InspectionFinding]:
    """Calls that hand others on, and what is approved without being seen."""
    call = made.call
    carries = name_of(call.data).partition("(")[0]
    if call.data[:4] not in OPAQUE_FUNCTIONS:
        if call.to == MULTICALL3 and call.operation == CALL:
            yield warned("other-sender", f"call {made.number}: {carries} of Multicall3, so its calls come from there")
        return
    if carries == "approveHash":
        yield from inspect_opaque(call)
    else:
        yield warned("other-safe", f"call {made.number}: {call.to} is asked for {carries}; its payload is shown below")
        yield from inspect_inner_refund(made)


def inspect_inner_refund(made: MadeCall) -> Iterator[InspectionFinding]:
    """What another Safe is made to pay the broadcaster, which is forbidden there as here."""
    signature = parse_signature(EXEC_TRANSACTION)
    if made.call.data[:4] != signature.selector:
        return
    try:
        args = decode_exactly(signature, made.call.data)
    except NotCanonical:
        return  # a problem of the unfolding
    for one, value in zip(signature.inputs[4:9], args[4:9], strict=True):
        if value not in (0, ZERO):
            code = "safe-tx-gas" if one.name == "safeTxGas" else "refund"
            yield refused(code, f"call {made.number}: {one.name} of the other Safe is {value}, it must be zero")


def inspect_target(
    made: MadeCall, tx: SafeTx, standing: Standing | None, named: Collection[Address] | None
) -> Iterator[InspectionFinding]:
    """Where a call goes, and the native currency that it takes along."""
    call, number = made.call, made.number
    if call.value:
        yield warned("sends-value", f"call {number} sends {call.value} wei to {call.to}")
    if call.to == ZERO:
        yield refused("zero-target", f"call {number} goes to the zero address")
        return
    if call.to in MULTISEND_CODE_HASHES:
        yield from inspect_inner_batch(made, standing)
        return
    if call.to == tx.safe:
        return
    if named is not None and call.to not in named:
        yield warned("unknown-target", f"call {number} goes to {call.to}, which the deployment does not name")
    if standing is not None and call.data and standing.code.get(call.to, "") is None and not is_rejection(tx):
        yield warned("no-code", f"call {number}: there is no contract at {call.to}")


def inspect_inner_batch(made: MadeCall, standing: Standing | None) -> Iterator[InspectionFinding]:
    """The code of MultiSendCallOnly where another Safe makes a batch through it."""
    to = made.call.to
    if not made.road or made.call.operation != DELEGATECALL:
        return
    if standing is None:
        yield warned("multisend-unread", f"call {made.number}: the code of MultiSendCallOnly at {to} was not read")
    elif (found := standing.code.get(to) or "no code") != MULTISEND_CODE_HASHES[to]:
        wanted = MULTISEND_CODE_HASHES[to]
        yield refused("multisend-code", f"call {made.number}: the code hash at {to} is {found}, it must be {wanted}")


def inspect_mentioned(
    tx: SafeTx, unfolded: Unfolding, named: Collection[Address] | None, mentioned: Collection[Address]
) -> Iterator[InspectionFinding]:
    """Addresses among the arguments that the deployment does not know; those called are said as targets."""
    if named is None:
        return
    known = {*named, *MULTISEND_CODE_HASHES, MULTICALL3, ZERO, SENTINEL, tx.safe}
    known |= {one.call.to for one in unfolded.calls}
    for address in dict.fromkeys(mentioned):
        if address not in known:
            yield warned("unknown-address", f"{address} is among the arguments, and the deployment does not name it")


def inspect_lookalikes(
    tx: SafeTx, unfolded: Unfolding, named: Collection[Address], mentioned: Collection[Address]
) -> Iterator[InspectionFinding]:
    """Addresses that look like known ones: in the fields, as targets, and anywhere in the calldata."""
    known = {*named, *MULTISEND_CODE_HASHES, MULTICALL3, tx.safe}
    targets = [tx.to, tx.gas_token, tx.refund_receiver, *(one.call.to for one in unfolded.calls)]
    for address, other in lookalikes([*targets, *mentioned], known):
        yield refused("lookalike-address", f"{address} looks like {other}, and is another address")
    for address, other in hidden_in(tx.data, {*known, *targets}):
        if address not in known:
            yield refused("lookalike-address", f"{address} looks like {other}, and is another address")
