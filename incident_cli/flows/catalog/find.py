"""The levers of the catalogue by name: the shipped files, and in-house ones before them. Reads files only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from incident_cli.binding import did_you_mean
from incident_cli.document import Document
from incident_cli.errors import Misused
from incident_cli.protocols.catalog import SHIPPED, Catalog
from incident_cli.protocols.definitions import LeverDefinition
from incident_cli.protocols.protocol import Protocol
from incident_cli.runbook.shipped import is_there
from incident_cli.text import plain

OWN_FOLDER = Path("protocols")
DRILL_PREFIX = "drill-"
NAME_LIMIT = 120
HINT = "`incident lever list` shows every lever"


@dataclass(frozen=True, slots=True)
class NamedLever:
    """One lever of one protocol file; `shipped` where the file comes with this program."""

    protocol: Protocol
    name: str
    shipped: bool

    @property
    def definition(self) -> LeverDefinition:
        """What the protocol file says of it."""
        return self.protocol.levers[self.name]

    @property
    def full_name(self) -> str:
        """`drill-exchange.pause_market`."""
        return f"{self.protocol.protocol}.{self.name}"

    @property
    def proof(self) -> str:
        """`real`, `interface`, `drill` for what exists in drills alone, else `not stated`."""
        return proof_of(self.protocol)

    def to_json(self) -> dict[str, Any]:
        """One lever in a list."""
        return {
            "protocol": self.protocol.protocol,
            "lever": self.name,
            "scope": self.definition.scope,
            "does": self.definition.does,
            "irreversible": self.definition.irreversible,
            "proof": self.proof,
            "reviewed": self.protocol.reviewed,
            "shipped": self.shipped,
        }


def proof_of(protocol: Protocol) -> str:
    """How its levers were proven, in a word or two."""
    if protocol.protocol.startswith(DRILL_PREFIX):
        return "drill"
    return protocol.proof or "not stated"


def catalog_with(folder: Path | None) -> Catalog:
    """The shipped catalogue behind in-house files: those of the folder, else of `protocols/` here; raises Misused."""
    if folder is not None and not is_there(folder.is_dir):
        message = f"--protocols {plain(folder, NAME_LIMIT)} is no folder"
        raise Misused(message, "name the folder that holds the in-house protocol files")
    return Catalog((OWN_FOLDER if folder is None else folder, SHIPPED))


def ordered(names: Sequence[str]) -> list[str]:
    """Protocols by name, those of drills last."""
    return sorted(names, key=lambda one: (one.startswith(DRILL_PREFIX), one))


def every_lever(catalog: Catalog, only: str | None = None) -> tuple[list[NamedLever], list[Document]]:
    """Every lever of the sound files, and the wrong files; `only` names one protocol. Raises Misused."""
    names = ordered(catalog.names()) if only is None else [known_protocol(catalog, only)]
    found = [one for name in names for one in levers_of(catalog, name)]
    return found, [catalog.documents[one] for one in names if catalog.find(one) is None]


def levers_of(catalog: Catalog, name: str) -> Iterator[NamedLever]:
    """The levers of one protocol; none where its file is wrong."""
    protocol = catalog.find(name)
    if protocol is not None:
        shipped = Path(catalog.documents[name].name).parent == SHIPPED
        yield from (NamedLever(protocol, one, shipped) for one in protocol.levers)


def known_protocol(catalog: Catalog, name: str) -> str:
    """The name, where a protocol file has it; raises Misused."""
    names = catalog.names()
    if name not in names:
        message = f"there is no protocol {plain(name, NAME_LIMIT)!r}{did_you_mean(name[:NAME_LIMIT], names)}"
        raise Misused(message, "`incident lever list` shows every protocol that has levers; --protocols DIR adds yours")
    return name


def find_lever(catalog: Catalog, full_name: str) -> NamedLever:
    """The lever called PROTOCOL.LEVER; raises Misused, or WrongFile where its protocol file is wrong."""
    protocol, dot, lever = full_name.partition(".")
    if not dot:
        raise Misused(f"{plain(full_name, NAME_LIMIT)!r} is not PROTOCOL.LEVER{near(catalog, full_name)}", HINT)
    known_protocol(catalog, protocol)
    found = {one.name: one for one in levers_of(catalog, protocol)}
    catalog.documents[protocol].refuse_if_wrong()
    if lever not in found:
        message = f"{protocol} has no lever {plain(lever, NAME_LIMIT)!r}{did_you_mean(lever[:NAME_LIMIT], found)}"
        raise Misused(message, f"levers: {', '.join(found)}" if found else HINT)
    return found[lever]


def near(catalog: Catalog, word: str) -> str:
    """`; did you mean …` for what was written without its protocol: every lever of that name, else the nearest."""
    every = every_lever(catalog)[0]
    same = [repr(one.full_name) for one in every if one.name == word]
    return f"; did you mean {' or '.join(same)}?" if same else did_you_mean(word[:NAME_LIMIT], names_of(every))


def names_of(levers: Sequence[NamedLever]) -> list[str]:
    """Their full names."""
    return [one.full_name for one in levers]
