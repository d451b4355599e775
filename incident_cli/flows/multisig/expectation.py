"""What a proposal file says a transaction should be, held against what the transaction is: field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from incident_cli.abi import Signature, SignatureError, parse_signature
from incident_cli.errors import Misused
from incident_cli.evm import Call, parse_address, to_hex
from incident_cli.flows.multisig.loading import Loaded
from incident_cli.flows.multisig.wording import argument_texts
from incident_cli.safe.batch import InnerCall
from incident_cli.safe.finding import InspectionFinding, refused
from incident_cli.safe.inspect import compare, name_of
from incident_cli.safe.strict_abi import NotCanonical, decode_exactly
from incident_cli.safe.transaction import DECIMAL, SafeTx
from incident_cli.safe.unfolding import unfold
from incident_cli.text import plain

CALLS = 2_000
HEX_LIMIT = 300_000
HINT = "This is no proposal file that incident wrote, or somebody changed it: ask for it again."


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as expected; empty where it is not there at all."""

    what: str
    expected: str
    found: str

    def to_json(self) -> dict[str, str]:
        """As `--json` prints it."""
        return {"field": self.what, "expected": self.expected, "found": self.found}


@dataclass(frozen=True, slots=True)
class Expected:
    """What a proposal file states: its transaction and its calls."""

    tx: SafeTx
    calls: tuple[Call, ...]


def expected_of(loaded: Loaded) -> Expected:
    """What a proposal file states; raises Misused where its calls are not written as incident writes them."""
    records = None if loaded.proposal is None else loaded.proposal.get("calls")
    if not isinstance(records, list) or len(records) > CALLS:
        raise Misused(f"{loaded.source} is no proposal file: it lists no calls", HINT)
    return Expected(loaded.tx, tuple(call_of(one, number, loaded.source) for number, one in enumerate(records, 1)))


def call_of(record: object, number: int, source: str) -> Call:
    """The call of a record, its calldata strictly its signature's; raises Misused."""
    where = f"call {number} of {source}"
    if not isinstance(record, Mapping):
        raise Misused(f"{where} is no object", HINT)
    try:
        to, signature = parse_address(text(record, "to")), parse_signature(text(record, "signature"))
        data = bytes.fromhex(text(record, "data").removeprefix("0x"))
        value = str(record.get("value", "0"))
        if not DECIMAL.fullmatch(value):
            raise ValueError("value is no decimal string")
        return Call(to, signature, decode_exactly(signature, data), int(value))
    except (SignatureError, NotCanonical, ValueError) as problem:
        raise Misused(f"{where} is wrong: {plain(problem, 200)}", HINT) from problem


def text(record: Mapping[Any, Any], key: str) -> str:
    """A text of a record; raises ValueError."""
    found = record.get(key)
    if not isinstance(found, str) or len(found) > HEX_LIMIT:
        raise ValueError(f"{key} is missing or no text")
    return found


def held_against(tx: SafeTx, expected: Expected) -> tuple[list[InspectionFinding], list[Difference]]:
    """The findings and the table of differences; none where the transaction is exactly what was expected."""
    differences = list(field_differences(tx, expected.tx))
    names = [one.what for one in differences]
    findings = [refused("field-differs", f"{name} is not what the proposal says") for name in names]
    calls = unfold(tx).outermost
    findings += compare(calls, expected.calls, tx)
    wanted = () if not expected.calls else expected.calls
    return findings, [*differences, *call_differences(calls, wanted)]


def field_differences(tx: SafeTx, expected: SafeTx) -> Iterator[Difference]:
    """Fields of the transaction that are not as expected."""
    wanted, found = expected.to_json(), tx.to_json()
    for name, value in wanted.items():
        if value != found[name]:
            yield Difference(name, str(value), str(found[name]))


def call_differences(found: Sequence[InnerCall], expected: Sequence[Call]) -> Iterator[Difference]:
    """Calls that are not as expected: their target, value, function, and each argument."""
    if not expected:
        return
    for number, (call, wanted) in enumerate(zip_longest(found, expected), start=1):
        where = f"call {number}"
        if call is None or wanted is None:
            yield Difference(where, shown_call(wanted), shown_call(call))
            continue
        for what, one, other in parts_of(call, wanted):
            if one != other:
                yield Difference(f"{where} {what}", other, one)


def shown_call(call: Call | InnerCall | None) -> str:
    """A call that stands alone."""
    return "" if call is None else f"{call.to}, {call.value} wei, {to_hex(call.data)}"


def parts_of(call: InnerCall, wanted: Call) -> Iterator[tuple[str, str, str]]:
    """Each part of a call: its name, as found, as expected."""
    yield "to", call.to, wanted.to
    yield "value", str(call.value), str(wanted.value)
    if call.data == wanted.data:
        return
    args = read(wanted.signature, call.data)
    if args is None:
        if call.data[:4] != wanted.signature.selector:
            yield "function", name_of(call.data), wanted.signature.canonical
        yield "data", to_hex(call.data), to_hex(wanted.data)
        return
    found, expected = argument_texts(wanted.signature, args), argument_texts(wanted.signature, wanted.args)
    yield from ((name, found[name], expected[name]) for name in expected)


def read(signature: Signature, data: bytes) -> tuple[object, ...] | None:
    """The arguments of a function in calldata, or None where they are not its."""
    try:
        return decode_exactly(signature, data)
    except NotCanonical:
        return None
