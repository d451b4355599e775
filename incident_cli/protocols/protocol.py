"""A protocol as data: its contract slots, its reads and its levers. One YAML file each, no code.

A read's arguments are taken by their ABI names from the arguments of the lever that uses it, so
`marketPaused(bytes32 market)` needs no further wiring inside a lever that has an argument `market`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from incident_cli.binding import DATE, SLUG, Binder, Shorthand, one_of
from incident_cli.document import Document, Place, read_document
from incident_cli.protocols.definitions import (
    EventDefinition,
    LeverDefinition,
    Name,
    ReadDefinition,
    SlotDefinition,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """One protocol file. `proof` says whether its levers were pulled on the protocol's own contracts in the tests
    (`real`) or on a stand-in with the same interface (`interface`); `reviewed` when its source was read."""

    protocol: Annotated[str, SLUG]
    source: str
    reviewed: Annotated[str, DATE] | None = None
    proof: Annotated[str, one_of("proof", "real", "interface")] | None = None
    slots: Mapping[Name, Annotated[SlotDefinition, Shorthand(SlotDefinition, "type")]]
    reads: Mapping[Name, ReadDefinition] = field(default_factory=dict)
    events: Mapping[Name, EventDefinition] = field(default_factory=dict)
    levers: Mapping[Name, LeverDefinition] = field(default_factory=dict)
    place: Place

    @property
    def given_slots(self) -> tuple[str, ...]:
        """The slots whose addresses a deployment must give."""
        return tuple(name for name, one in self.slots.items() if one.read is None)

    def stands_alone(self, read: ReadDefinition) -> bool:
        """Whether it can be asked outside a lever: what it fixes names neither arguments nor who pulls."""
        return read.fixed_names <= set(self.slots)


def load_protocol(path: Path) -> tuple[Protocol | None, Document]:
    """Read one protocol file; problems are in the document."""
    return protocol_of(read_document(path))


def protocol_of(document: Document) -> tuple[Protocol | None, Document]:
    """The protocol of a document; problems are in the document."""
    from incident_cli.protocols.review import Review

    protocol: Protocol | None = Binder(document).root(Protocol)
    if protocol is not None:
        Review(protocol, document).run()
    return (None if document.problems else protocol), document
