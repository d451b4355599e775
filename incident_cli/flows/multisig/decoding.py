"""Calldata to words: which function it is, its arguments, and a sentence; or that nobody knows.

A function is believed only where the calldata are its one canonical encoding. Where several functions fit, all of
them are named; where a known function fits but for its encoding, something rides along and the call is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from incident_cli.abi import Signature
from incident_cli.evm import Address, to_hex
from incident_cli.flows.multisig.functions import Candidate, Functions
from incident_cli.flows.multisig.naming import Names
from incident_cli.flows.multisig.wording import (
    MONEY,
    argument_texts,
    clear_sentence,
    empty_sentence,
    generic_sentence,
    is_unlimited,
    known_sentence,
    native,
    whole,
)
from incident_cli.flows.proposal import counted
from incident_cli.safe.finding import InspectionFinding, refused, warned
from incident_cli.safe.inspect import is_rejection
from incident_cli.safe.known_functions import MULTICALL, OTHER_SAFE
from incident_cli.safe.strict_abi import NotCanonical, decode_arguments
from incident_cli.safe.transaction import SafeTx
from incident_cli.safe.unfolding import MadeCall
from incident_cli.text import plain

Fit = tuple[Candidate, tuple[object, ...]]
PAYLOADS: Mapping[str, str] = {
    **dict.fromkeys(("schedule", "multicall"), "data"),
    **dict.fromkeys(("scheduleBatch", "executeBatch"), "payloads"),
    **dict.fromkeys((one.partition("(")[0] for one in OTHER_SAFE), "data"),
    **dict.fromkeys((one.partition("(")[0] for one in MULTICALL), "calls"),
    "execute": "payload",
    "multiSend": "transactions",
}
ALLOWANCES = frozenset({"approve", "increaseAllowance", "permit"})


@dataclass(frozen=True, slots=True)
class DecodedCall:
    """One call as it is shown. `function` is empty where it is not known; `source` says where it is known from.

    `args` are whole and as they are on chain; `asides` say some of them in their units.
    """

    made: MadeCall
    name: str
    function: str
    args: dict[str, str]
    plain: str
    source: str
    values: tuple[object, ...]
    findings: tuple[InspectionFinding, ...] = ()
    asides: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it: amounts of wei as decimal strings, `number` is its place, `via` who makes it."""
        call = self.made.call
        return {
            "to": call.to,
            "name": self.name or None,
            "value": str(call.value),
            "operation": call.operation,
            "function": self.function or None,
            "args": self.args,
            "plain": self.plain,
            "number": self.made.number,
            "via": self.made.road or None,
            "decoded_by": self.source or None,
            "data": to_hex(call.data),
        }

    @property
    def is_plain(self) -> bool:
        """Whether the function and its arguments are all that the calldata hold."""
        return bool(self.function) and all(one.code != "padded-calldata" for one in self.findings)

    @property
    def handed_on(self) -> str:
        """The argument that holds calls which are shown by themselves; empty where there is none."""
        return PAYLOADS.get(self.function.partition("(")[0], "") if self.is_plain and self.source == "built in" else ""

    @property
    def addresses(self) -> Iterator[Address]:
        """Every address among the arguments."""
        yield from addresses_in(self.values)


def addresses_in(value: object) -> Iterator[Address]:
    """Every address in decoded values."""
    if isinstance(value, tuple):
        for one in value:
            yield from addresses_in(one)
    elif isinstance(value, str) and len(value) == 42 and value.startswith("0x"):
        yield Address(value)


def decode_call(made: MadeCall, tx: SafeTx, functions: Functions, names: Names) -> DecodedCall:
    """One call decoded by the best source that fits."""
    call = made.call
    if not call.data:
        words = empty_sentence(call, tx, names)
        found = () if is_rejection(tx) or call.value else (warned("undecoded", f"call {made.number} has no data"),)
        return DecodedCall(made, names.of(call.to), "", {}, words, "", (), found)
    candidates = list(functions.candidates(call))
    fits = list(fitting(candidates, call.data))
    if fits:
        return decoded(made, fits, functions, names)
    return misfit(made, candidates, names) if candidates else undecoded(made, names)


def fitting(candidates: Sequence[Candidate], data: bytes) -> Iterator[Fit]:
    """The candidates whose one canonical encoding the calldata are."""
    for one in candidates:
        try:
            args, extra = decode_arguments(one.signature, data)
        except NotCanonical:
            continue
        if not extra:
            yield one, args


def decoded(made: MadeCall, fits: Sequence[Fit], functions: Functions, names: Names) -> DecodedCall:
    """A call that fits; what the other sources say of the same function is added."""
    best, args = fits[0]
    signature = best.signature
    same = [one for one, _ in fits if one.signature.canonical == signature.canonical]
    others = {one.signature.canonical for one, _ in fits} - {signature.canonical}
    findings = list(money(made, signature, args, names))
    if others:
        listed = ", ".join([signature.canonical, *sorted(others)])
        findings.append(warned("ambiguous-function", f"call {made.number} may be any of {listed}"))
    if is_no_lever(same, args):
        findings.append(warned("not-restricting", f"call {made.number}: {lever_words(same, args)}"))
    words = sentence(made, same, args, functions, names)
    if made.call.value:
        words += f" It sends {native(made.call.value)}."
    texts = argument_texts(signature, args)
    found = tuple(findings)
    asides = counted_arguments(same, args, list(texts), names)
    name = names.of(made.call.to)
    return DecodedCall(made, name, signature.canonical, texts, words, best.source, args, found, asides)


def counted_arguments(
    same: Sequence[Candidate], args: tuple[object, ...], labels: Sequence[str], names: Names
) -> dict[str, str]:
    """Arguments in the units that the catalogue gives them, by their names."""
    units = next((one.units for one in same if one.units), {})
    tokens = {one.symbol: one for one in names.tokens.values()}
    said = {labels[place]: (whole(args[place]), counted(args[place], unit, tokens)) for place, unit in units.items()}
    return {name: words for name, (raw, words) in said.items() if words != raw}


def is_no_lever(same: Sequence[Candidate], args: tuple[object, ...]) -> bool:
    """Whether it is the function of a lever, called in another way than a lever calls it."""
    levers = [one for one in same if one.meaning]
    return bool(levers) and not any(one.restricts(args) for one in levers)


def lever_words(same: Sequence[Candidate], args: tuple[object, ...]) -> str:
    """What the catalogue says of a function with these arguments; nothing where it has no lever of it."""
    levers = [one for one in same if one.meaning]
    found = next((one for one in levers if one.restricts(args)), None)
    found = found or next((one for one in levers if one.loosens), None)
    if found is not None or not levers:
        return found.meaning if found else ""
    label = levers[0].meaning.partition(":")[0]
    return f"Calls the function of {label} with other values than that lever: it may do the opposite of restricting."


def sentence(
    made: MadeCall, same: Sequence[Candidate], args: tuple[object, ...], functions: Functions, names: Names
) -> str:
    """The best words there are: of the catalogue, of every inspection, of an ERC-7730 file."""
    words = [lever_words(same, args) or known_sentence(made.call, same[0].signature, args, names)]
    clear = next((one.format for one in same if one.format), None)
    if clear is not None:
        words.append(clear_sentence(clear, made.call, args, names, functions.chain_id))
    return " ".join(filter(None, words)) or generic_sentence(made.call, same[0].signature, names)


def money(made: MadeCall, signature: Signature, args: tuple[object, ...], names: Names) -> Iterator[InspectionFinding]:
    """Whether a call moves a token, or lets somebody: who and how much."""
    if signature.canonical not in MONEY:
        return
    words = f"call {made.number}: {known_sentence(made.call, signature, args, names)}"
    amount = args[2] if signature.name == "permit" else args[1]
    is_allowance = signature.name in ALLOWANCES
    is_all = signature.name == "setApprovalForAll"
    if (is_allowance or is_all) and not amount:
        return
    unlimited = is_all or (is_allowance and isinstance(amount, int) and is_unlimited(amount))
    yield warned("unlimited-approval" if unlimited else "moves-money", words)


def misfit(made: MadeCall, candidates: Sequence[Candidate], names: Names) -> DecodedCall:
    """A call that begins like a known function, and is not encoded as that function's calls are."""
    call, signature = made.call, candidates[0].signature
    try:
        args, extra = decode_arguments(signature, call.data)
        why = f"{extra} bytes follow the arguments of {signature.canonical}: {plain(to_hex(call.data[-extra:]), 200)}"
    except NotCanonical as problem:
        args, why = (), f"it is no call of {signature.canonical} as an encoder writes it: {problem}"
    texts = argument_texts(signature, args) if args else {}
    words = f"Begins like {signature.canonical} and is not plainly that: {why}."
    found = (refused("padded-calldata", f"call {made.number}: {why}"),)
    return DecodedCall(made, names.of(call.to), signature.canonical, texts, words, candidates[0].source, args, found)


def undecoded(made: MadeCall, names: Names) -> DecodedCall:
    """A call of a function that nobody here knows."""
    call = made.call
    function = to_hex(call.data[:4])
    words = f"Calls the unknown function {function} of {names.beside(call.to)}: what it does cannot be said."
    if call.value:
        words += f" It sends {native(call.value)}."
    message = f"call {made.number}: nothing given knows the function {function} of {call.to}"
    return DecodedCall(made, names.of(call.to), "", {}, words, "", (), (warned("undecoded", message),))
