"""A call worked back into the lever that makes it: which arguments the catalogue's lever would have been given.

An argument that stands in the calldata as it is, is read there. One that only went into a formula is tried: each value
of the calldata that the formula gave, each bit of it, each market of the deployment. A try that is right makes the
very same call again; whether one does is for `direction`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from incident_cli.evm import Address
from incident_cli.expression import Expression
from incident_cli.levers.lever import Pull
from incident_cli.protocols.definitions import LeverDefinition
from incident_cli.protocols.slot import BoundSlot
from incident_cli.protocols.worth import Worth

MOST = 64  # ways in which one call is worked back
BITS = "set_bit("


@dataclass(frozen=True, slots=True)
class BoundLever:
    """A lever of the catalogue at the addresses of a deployment; `comes_first` for a call that only prepares it."""

    slot: BoundSlot
    name: str
    comes_first: bool = False

    @property
    def definition(self) -> LeverDefinition:
        """What the protocol file says of it."""
        return self.slot.protocol.levers[self.name]

    @property
    def label(self) -> str:
        """`exchange.pause_market`."""
        return f"{self.slot.name}.{self.name}"


@dataclass(slots=True)
class Traces:
    """What the calldata say of a lever's arguments: `exact` as they are, `tried` what may be behind a formula."""

    definition: LeverDefinition
    exact: dict[str, object] = field(default_factory=dict)
    tried: dict[str, list[object]] = field(default_factory=dict)

    def follow(self, worth: Worth, value: object) -> None:
        """One worth of the protocol file and the value that the calldata have in its place."""
        if isinstance(worth, Expression):
            for name in worth.names:
                if name in self.definition.args:
                    self.note(name, worth, value)
        elif isinstance(value, tuple) and len(value) == len(worth):
            for one, part in zip(worth, value, strict=True):
                self.follow(one, part)

    def note(self, name: str, formula: Expression, value: object) -> None:
        """A value of a formula that mentions an argument."""
        if formula.source.strip() == name:
            self.exact[name] = value
            return
        is_bits = BITS in formula.source and isinstance(value, int)
        self.tried.setdefault(name, []).extend(bits_of(value) if is_bits else [value])


def bits_of(value: object) -> list[object]:
    """The places of the bits that are set in a word."""
    assert isinstance(value, int), "a bitmap is a number"
    return [place for place in range(256) if value >> place & 1]


def pulls_of(lever: BoundLever, args: Sequence[object], by: Address, markets: Mapping[str, str]) -> list[Pull]:
    """The ways in which a lever may have been pulled so that its call has these arguments; none where one argument
    left no trace. `markets` are names by id (0x hex)."""
    definition = lever.definition
    traces = Traces(definition)
    for parameter, value in zip(definition.call.inputs, args, strict=True):
        if parameter.name in definition.with_:
            traces.follow(definition.with_[parameter.name], value)
        elif parameter.name in definition.args:
            traces.exact[parameter.name] = value
    choices = [list(choices_of(name, traces, markets)) for name in definition.args]
    combined = itertools.islice(itertools.product(*choices), MOST)
    return [Pull(lever.slot, lever.name, dict(zip(definition.args, one, strict=True)), by) for one in combined]


def choices_of(name: str, traces: Traces, markets: Mapping[str, str]) -> Iterator[object]:
    """The values that an argument may have had."""
    kind = traces.definition.args[name].type
    if name in traces.exact:
        found = [traces.exact[name]]
    else:
        found = list(traces.tried.get(name, ()))
        if kind == "market":
            found += [bytes.fromhex(one.removeprefix("0x")) for one in markets]
    yield from dict.fromkeys(one for one in found if fits(kind, one))


def fits(kind: str, value: object) -> bool:
    """Whether a decoded value is of an argument's type."""
    if kind == "bool":
        return isinstance(value, bool)
    if kind == "address":
        return isinstance(value, str)
    if kind == "market" or kind.startswith("bytes"):
        return isinstance(value, bytes)
    return isinstance(value, int) and not isinstance(value, bool)
