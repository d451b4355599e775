"""Write the catalogue's README anew from its files: `python -m tests.protocols.regenerate`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from incident_cli.flows.catalog.find import ordered, proof_of
from incident_cli.protocols.catalog import SHIPPED, Catalog
from incident_cli.protocols.protocol import Protocol

README = SHIPPED / "README.md"
INTRODUCTION = """# The catalogue

Written by `python -m tests.protocols.regenerate` from the files beside it: change those, never this page.
One YAML file describes one protocol; how to write one is in `runbooks/README.md`, section "The protocol file".
`incident lever list` names every lever, `incident lever show PROTOCOL.LEVER` says all there is to know of one, and
`incident lever encode PROTOCOL.LEVER` writes its calldata without a chain.

`real`: a test pulls every lever of the file on the protocol's own compiled contracts. `interface`: on a stand-in with
the same interface. `drill`: the contracts exist in drills alone.
"""
LEVERS = (
    "| protocol | proof | reviewed | levers | undo by | source |",
    "|---|---|---|---|---|---|",
)
READS = ("| protocol | reads | source |", "|---|---|---|")
NOBODY = "nobody"


def text() -> str:
    """The whole page."""
    every = protocols()
    with_levers = [one for one in every if one.levers]
    others = [one for one in every if not one.levers]
    lines = [INTRODUCTION, "## Protocols with levers", "", counts(with_levers), "", *LEVERS]
    lines += [lever_row(one) for one in with_levers]
    lines += ["", "## Protocols that are only read", "", *READS, *[read_row(one) for one in others]]
    return "\n".join(lines) + "\n"


def protocols() -> list[Protocol]:
    """Every shipped protocol, those of drills last; a wrong file ends it with its problems."""
    catalog = Catalog((SHIPPED,))
    found = {name: catalog.find(name) for name in ordered(catalog.names())}
    for name in found:
        catalog.documents[name].refuse_if_wrong()
    return [one for one in found.values() if one is not None]


def counts(found: Sequence[Protocol]) -> str:
    """How many files and levers were proven in which way."""
    files = Counter(proof_of(one) for one in found)
    levers = Counter({proof: sum(len(one.levers) for one in found if proof_of(one) == proof) for proof in files})
    parts = [f"{files[proof]} {proof} ({plural(levers[proof], 'lever')})" for proof in sorted(files, key=order)]
    return f"{plural(len(found), 'file')} with {plural(levers.total(), 'lever')}: {', '.join(parts)}."


def order(proof: str) -> int:
    """The best proof first."""
    return ("real", "interface", "drill", "not stated").index(proof)


def plural(count: int, noun: str) -> str:
    """`1 lever`, `3 levers`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def lever_row(one: Protocol) -> str:
    """A protocol and its levers."""
    levers = ", ".join(f"`{name}`" for name in one.levers)
    return row(f"`{one.protocol}`", proof_of(one), one.reviewed or "–", levers, ", ".join(undone_by(one)), one.source)


def undone_by(one: Protocol) -> list[str]:
    """Who can undo its levers, each once; nobody where one is irreversible."""
    found = dict.fromkeys(lever.undo.by if lever.undo else NOBODY for lever in one.levers.values())
    return ["who pulled it" if by == "same" else by for by in found]


def read_row(one: Protocol) -> str:
    """A protocol without levers."""
    return row(f"`{one.protocol}`", ", ".join(f"`{name}`" for name in one.reads) or "–", one.source)


def row(*cells: str) -> str:
    """A line of a table."""
    return f"| {' | '.join(escaped(cells))} |"


def escaped(cells: Sequence[str]) -> Iterator[str]:
    """Cells without what would end them."""
    return (" ".join(one.split()).replace("|", "\\|") for one in cells)


if __name__ == "__main__":
    README.write_text(text(), "utf-8")
