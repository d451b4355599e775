"""Calldata to words: which function it is, its arguments, and a sentence; or that nobody knows.

A function is believed only where the calldata are its one canonical encoding. Where several functions fit, all of
them are named; where a known function fits but for its encoding, something rides along and the call is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from incident_cli.abi import Parameter, parse_signature
from incident_cli.evm import Address, to_hex
from incident_cli.flows.multisig.functions import BUILT_IN, Candidate, Functions
from incident_cli.flows.multisig.meaning import Fit, lever_words, meaning_findings, trusted
from incident_cli.flows.multisig.naming import Names
from incident_cli.flows.multisig.wording import (
    SHOWN_WHOLE,
    argument_texts,
    clear_sentence,
    empty_sentence,
    generic_sentence,
    known_sentence,
    native,
    whole,
)
from incident_cli.flows.proposal import counted
from incident_cli.safe.finding import InspectionFinding, refused, warned
from incident_cli.safe.inspect import is_rejection
from incident_cli.safe.known_functions import CARRYING
from incident_cli.safe.strict_abi import NotCanonical, decode_arguments
from incident_cli.safe.transaction import SafeTx
from incident_cli.safe.unfolding import MadeCall
from incident_cli.text import plain

CARRIED = frozenset({"data", "payload", "payloads", "calls", "transactions"})  # names of what is shown below
PAYLOADS: Mapping[str, str] = {
    one.canonical: next(two.name for two in one.inputs if two.name in CARRIED) for one in map(parse_signature, CARRYING)
}


@dataclass(frozen=True, slots=True)
class DecodedCall:
    """One call as it is shown. `function` is empty where it is not known; `source` says where it is known from.

    `args` are whole and as they are on chain; `asides` say some of them in their units, `addresses` are those among
    them; `levers` are the levers that it may be, restricting, before the chain was asked.
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
    addresses: tuple[Address, ...] = ()
    levers: tuple[Candidate, ...] = ()

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
        return PAYLOADS.get(self.function, "") if self.is_plain and self.source == BUILT_IN else ""


def addresses_in(parameters: Sequence[Parameter], values: Sequence[object]) -> Iterator[Address]:
    """Every address in decoded values, by their types: a text that looks like one is none."""
    for one, value in zip(parameters, values, strict=True):
        if one.type == "address":
            yield Address(str(value))
        elif one.type.endswith("]") and isinstance(value, tuple) and "address" in one.type:
            element = Parameter(one.type[: one.type.rindex("[")], "", one.components)
            yield from addresses_in([element] * len(value), value)
        elif one.components and isinstance(value, tuple):
            yield from addresses_in(one.components, value)


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
        return decoded(made, fits, candidates, functions, names)
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


def decoded(
    made: MadeCall, fits: Sequence[Fit], candidates: Sequence[Candidate], functions: Functions, names: Names
) -> DecodedCall:
    """A call that fits; what the other sources say of the same function is added."""
    best, args = fits[0]
    signature = best.signature
    same = [one for one, _ in fits if one.signature.canonical == signature.canonical]
    findings = [*ambiguous(made, fits, candidates), *meaning_findings(made, fits, same, functions, names)]
    words = sentence(made, same, args, functions, names)
    if made.call.value:
        words += f" It sends {native(made.call.value)}."
    texts = argument_texts(signature, args)
    asides = counted_arguments(same, args, list(texts), names)
    name, addresses = names.of(made.call.to), tuple(addresses_in(signature.inputs, args))
    levers = tuple(one for one in same if one.meaning and not one.by_file and one.restricts(args))
    found = DecodedCall(
        made, name, signature.canonical, texts, words, best.source, args, tuple(findings), asides, addresses, levers
    )
    return replace(found, findings=(*found.findings, *too_long(found)))


def ambiguous(made: MadeCall, fits: Sequence[Fit], candidates: Sequence[Candidate]) -> Iterator[InspectionFinding]:
    """Other functions of the same four bytes: those that fit, and whatever every inspection knows by them."""
    best = fits[0][0].signature.canonical
    others = {one.signature.canonical for one, _ in fits}
    others |= {one.signature.canonical for one in candidates if one.source == BUILT_IN}
    if others - {best}:
        listed = ", ".join([best, *sorted(others - {best})])
        yield warned("ambiguous-function", f"call {made.number} may be any of {listed}")


def too_long(call: DecodedCall) -> Iterator[InspectionFinding]:
    """Arguments that are cut on a screen and on a card."""
    for name, text in call.args.items():
        if len(text) > SHOWN_WHOLE and name != call.handed_on:
            words = f"call {call.made.number}: {plain(name, 60)} has {len(text)} characters, the screen shows"
            yield warned("too-long-to-show", f"{words} the first {SHOWN_WHOLE} and every address; --json has all")


def counted_arguments(
    same: Sequence[Candidate], args: tuple[object, ...], labels: Sequence[str], names: Names
) -> dict[str, str]:
    """Arguments in the units that the catalogue gives them, by their names."""
    units = next((one.units for one in trusted(same) if one.units), {})
    tokens = {one.symbol: one for one in names.tokens.values()}
    said = {labels[place]: (whole(args[place]), counted(args[place], unit, tokens)) for place, unit in units.items()}
    return {name: words for name, (raw, words) in said.items() if words != raw}


def sentence(
    made: MadeCall, same: Sequence[Candidate], args: tuple[object, ...], functions: Functions, names: Names
) -> str:
    """The best words there are: of the catalogue, of every inspection, of an ERC-7730 file."""
    words = [lever_words(same, args) or known_sentence(made.call, same[0].signature, args, names)]
    clear = next((one.format for one in same if one.format), None)
    if clear is not None:
        words.append(clear_sentence(clear, made.call, args, names, functions.chain_id))
    return " ".join(filter(None, words)) or generic_sentence(made.call, same[0].signature, names)


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
