"""Where a function's meaning may come from, best first: the deployment's own levers, what every inspection knows, the
files that were given, and last the proposal, which anybody may have written.

Each source is asked for candidates by the four bytes of the selector; whether one fits is for the strict decoder.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from incident_cli.abi import Signature, SignatureError, parse_signature
from incident_cli.errors import Misused
from incident_cli.evm import Address, Call
from incident_cli.expression import Expression, ExpressionError, evaluate
from incident_cli.flows.multisig.clear_signing import Descriptor, FunctionFormat
from incident_cli.flows.multisig.pulls import BoundLever
from incident_cli.protocols.catalog import Catalog
from incident_cli.protocols.definitions import LeverDefinition
from incident_cli.protocols.protocol import Protocol
from incident_cli.protocols.slot import BoundSlot, Fixed, abi_value
from incident_cli.protocols.worth import Worth, computed, expressions, fitted
from incident_cli.runbook.deployment import Deployment, SlotEntry
from incident_cli.safe.batch import InnerCall
from incident_cli.safe.known_functions import known
from incident_cli.strict_json import Json, parse_json
from incident_cli.text import plain

ABI_CAP = 4 * 1024 * 1024
ABI_DEPTH = 256  # an artefact may hold a whole syntax tree
FUNCTIONS = 5_000  # of one file
COMPONENT_DEPTH = 8
CATALOGUE, BUILT_IN, PROPOSAL, PROTOCOL_FILE, CLEAR = "catalogue", "built in", "proposal", "protocol file", "ERC-7730"
TIMELOCK, MANAGER = "timelock", "access_manager"  # roads of a delay; a time-lock's own protocol and slot, too
Table = dict[bytes, list["Candidate"]]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A function that calldata may be a call of, where it is known from, and what it means where that is said.

    `fixed` are the arguments, by place, that a lever always gives; `loosens` where it is the way back of a lever;
    `units` say what an argument counts: a token's symbol, seconds, bps; `lever` is the lever at its addresses.
    """

    signature: Signature
    source: str
    meaning: str = ""
    format: FunctionFormat | None = None
    fixed: Mapping[int, object] = field(default_factory=dict)
    loosens: bool = False
    units: Mapping[int, str] = field(default_factory=dict)
    lever: BoundLever | None = None

    @property
    def by_file(self) -> bool:
        """Whether nothing but a file says what the function is."""
        return self.source not in (CATALOGUE, BUILT_IN)

    def restricts(self, args: Sequence[object]) -> bool:
        """Whether these arguments are those with which a lever restricts: those it fixes are as it fixes them, and of
        the flags that it leaves open at least one is set."""
        if self.loosens or any(args[place] != value for place, value in self.fixed.items()):
            return False
        flags = [flag for place, value in enumerate(args) if place not in self.fixed for flag in flags_in(value)]
        return any(flags) or not flags


@dataclass(slots=True)
class Functions:
    """Every source. `at` holds functions of contracts that the deployment names, `delaying` those through which calls
    are scheduled, by the road of a delay; `anywhere` holds functions of no address."""

    at: dict[Address, Table] = field(default_factory=dict)
    expected: dict[tuple[Address, bytes], Signature] = field(default_factory=dict)
    anywhere: Table = field(default_factory=dict)
    descriptors: Sequence[Descriptor] = ()
    chain_id: int = 0
    delaying: dict[str, set[Address]] = field(default_factory=dict)

    def candidates(self, call: InnerCall) -> Iterator[Candidate]:
        """The functions that a call may be of, best source first."""
        selector = call.data[:4]
        yield from self.at.get(call.to, {}).get(selector, ())
        yield from (Candidate(one, BUILT_IN) for one in known(call.data))
        yield from self.anywhere.get(selector, ())
        for one in self.descriptors:
            if one.is_for(self.chain_id, call.to):
                yield from (Candidate(two.signature, CLEAR, "", two) for two in one.functions(selector))
        named = self.expected.get((call.to, call.data))
        if named is not None:
            yield Candidate(named, PROPOSAL)


def add_levers(functions: Functions, deployment: Deployment, chain: str, catalog: Catalog) -> None:
    """The levers of every protocol that the deployment puts somewhere on the chain, at their addresses."""
    for slot, entry in every_slot(deployment):
        protocol = catalog.find(entry.protocol) if entry.protocol and entry.chain == chain else None
        if protocol is None:
            continue
        for road, on in delays_of(protocol):
            if on in entry.addresses:
                functions.delaying.setdefault(road, set()).add(entry.addresses[on])
        bound = (
            BoundSlot(slot, protocol, chain, entry.addresses) if set(protocol.slots) <= set(entry.addresses) else None
        )
        for on, found in levers_of(protocol, slot, bound):
            address = entry.addresses.get(on)
            if address is not None:
                put(functions.at.setdefault(address, {}), found)


def delays_of(protocol: Protocol) -> Iterator[tuple[str, str]]:
    """The contracts of a protocol that delay calls: the road, and the protocol's own slot."""
    if protocol.protocol == TIMELOCK:
        yield TIMELOCK, TIMELOCK
    for lever in protocol.levers.values():
        for one in (lever.delay, lever.undo.delay if lever.undo else None):
            if one is not None and one.on is not None:
                yield one.road, one.on


def add_protocols(functions: Functions, folder: Catalog, names: Sequence[str]) -> None:
    """The levers of protocol files that were given, wherever they stand: what a contract is, no such file can say."""
    for name in names:
        protocol = folder.find(name)
        for _, found in levers_of(protocol, name) if protocol else ():
            put(functions.anywhere, replace(found, source=PROTOCOL_FILE))


def every_slot(deployment: Deployment) -> Iterator[tuple[str, SlotEntry]]:
    """Slots of all markets and of each."""
    yield from deployment.slots.items()
    for market in deployment.markets.values():
        yield from market.slots.items()


def levers_of(protocol: Protocol, slot: str, bound: BoundSlot | None = None) -> Iterator[tuple[str, Candidate]]:
    """Every function of a protocol's levers, with the slot of the protocol it is called on."""
    for name, lever in protocol.levers.items():
        label = f"{slot}.{name}"
        own = BoundLever(bound, name) if bound else None
        fixed = fixed_in(lever.call, lever.with_)
        meaning, units = plain(f"{label}: {lever.does}"), units_in(lever, protocol)
        yield lever.on, Candidate(lever.call, CATALOGUE, meaning, fixed=fixed, units=units, lever=own)
        before = BoundLever(bound, name, True) if bound else None
        for first in lever.first:
            fixed, words = fixed_in(first.call, first.with_), plain(f"Must come first for {label}.")
            yield first.on, Candidate(first.call, CATALOGUE, words, fixed=fixed, lever=before)
        if lever.undo is not None and lever.undo.call is not None:
            meaning = plain(f"Undoes {label}: what that closed is opened again.")
            yield lever.undo.on or lever.on, Candidate(lever.undo.call, CATALOGUE, meaning, loosens=True)


def fixed_in(signature: Signature, worths: Mapping[str, Worth]) -> dict[int, object]:
    """The arguments, by place, that a protocol file gives as constants."""
    found: dict[int, object] = {}
    for place, one in enumerate(signature.inputs):
        worth = worths.get(one.name)
        if worth is None or any(formula.names for formula in expressions(worth)):
            continue
        with suppress(ExpressionError, ValueError, LookupError):
            value = computed(worth, lambda formula: evaluate(formula, Fixed({}, {})))
            found[place] = as_decoded(fitted(one.type, value, one.components))
    return found


def units_in(lever: LeverDefinition, protocol: Protocol) -> dict[int, str]:
    """What an argument counts: what the read counts that must show the very same value afterwards."""
    shown: dict[str, str] = {}
    for read, worth in lever.expect.items():
        unit = protocol.reads[read].unit if read in protocol.reads else None
        if unit is not None and isinstance(worth, Expression):
            shown[worth.source] = unit
    given = {one.name: lever.with_.get(one.name) for one in lever.call.inputs}
    sources = {name: worth.source if isinstance(worth, Expression) else name for name, worth in given.items()}
    places = enumerate(lever.call.inputs)
    return {place: shown[sources[one.name]] for place, one in places if sources[one.name] in shown}


def as_decoded(value: object) -> object:
    """A value as the decoder gives it: tuples for lists, base units for amounts."""
    return tuple(map(as_decoded, value)) if isinstance(value, tuple | list) else abi_value(value)


def flags_in(value: object) -> Iterator[bool]:
    """Every truth value within decoded values."""
    if isinstance(value, bool):
        yield value
    elif isinstance(value, tuple):
        for one in value:
            yield from flags_in(one)


def put(table: Table, found: Candidate) -> None:
    """Add a function once."""
    same = table.setdefault(found.signature.selector, [])
    if all((one.signature.canonical, one.meaning) != (found.signature.canonical, found.meaning) for one in same):
        same.append(found)


def add_expected(functions: Functions, calls: Sequence[Call]) -> None:
    """The calls that a proposal states."""
    functions.expected |= {(one.to, one.data): one.signature for one in calls}


def add_abi(functions: Functions, path: Path, content: bytes) -> None:
    """The functions of an ABI file; raises Misused where it is none."""
    try:
        signatures = list(abi_functions(parse_json(content, ABI_DEPTH)))
    except ValueError as problem:
        message = f"{plain(path)} is no ABI: {plain(problem, 200)}"
        raise Misused(message, "Give the JSON that a compiler or a block explorer wrote.") from problem
    for signature in signatures:
        put(functions.anywhere, Candidate(signature, f"ABI {plain(path.name, 60)}"))


def abi_functions(found: Json) -> Iterator[Signature]:
    """The functions of a bare ABI or of an artefact with `abi`; raises ValueError."""
    entries = found.get("abi") if isinstance(found, dict) else found
    if not isinstance(entries, list):
        raise ValueError("it holds no list of functions")
    if len(entries) > FUNCTIONS:
        raise ValueError(f"it has more than {FUNCTIONS} entries")
    for entry in entries:
        if isinstance(entry, dict) and entry.get("type", "function") == "function":
            yield function_of(entry)


def function_of(entry: Mapping[str, Json]) -> Signature:
    """One function of an ABI; raises ValueError."""
    name = entry.get("name")
    if not isinstance(name, str):
        raise ValueError("a function has no name")
    try:
        return parse_signature(f"{name}{parameters(entry.get('inputs') or [], 0)}")
    except SignatureError as problem:
        raise ValueError(f"the function {plain(name, 80)}: {problem}") from problem


def parameters(found: Json, depth: int) -> str:
    """Parameters as a signature writes them; raises ValueError."""
    if not isinstance(found, list) or depth > COMPONENT_DEPTH:
        raise ValueError("parameters are a list, and tuples are not nested without end")
    return f"({', '.join(parameter(one, depth) for one in found)})"


def parameter(found: Json, depth: int) -> str:
    """One parameter; a name that is none is left out."""
    kind = found.get("type") if isinstance(found, dict) else None
    if not isinstance(found, dict) or not isinstance(kind, str):
        raise ValueError("a parameter has no type")
    name = found.get("name")
    if kind.startswith("tuple"):
        kind = parameters(found.get("components") or [], depth + 1) + kind.removeprefix("tuple")
    return f"{kind} {name}" if isinstance(name, str) and name.isascii() and name.isidentifier() else kind
