"""A first scenario for a drill on a fork: it trips the one check of a first runbook. Pure text."""

from __future__ import annotations

from collections.abc import Iterator

from incident_cli.runbook.abi_names import comment, quoted, review
from incident_cli.runbook.first_check import BAD
from incident_cli.runbook.first_runbook import TEST_VALUES, First

HELD, GONE = "1000000", "0"
MOST_BITS = 128  # a number of so many is more than any supply
MEMORY_BLOCKS = 60  # of 12 s: longer than the ten minutes that a check looks back


def scenario_id(first: First) -> str:
    """The id, and the file's name: a drill on a fork looks for it by itself."""
    return f"{first.id}-fork"


def scenario_text(first: First) -> str:
    """The scenario."""
    return "\n".join([*top(first), "inject:", *injected(first), *answers(first)]) + "\n"


def top(first: First) -> Iterator[str]:
    """What it is."""
    yield comment(f"Written by `incident init`: what a drill of {first.id} injects into a fork of the chain.")
    yield "schema: incident-fork-scenario/v1"
    yield f"id: {scenario_id(first)}"
    yield f"title: {quoted(first.check.title)}"
    yield f"runbook: {first.id}"
    yield "intended: contained"
    given = {name: kind for name, kind in (first.lever.args if first.lever else {}).items() if kind != "market"}
    if given:
        yield review("values for the drill alone; an incident takes its own from --param or the deployment")
        yield f"params: {{{', '.join(f'{name}: {quoted(TEST_VALUES[kind])}' for name, kind in given.items())}}}"


def injected(first: First) -> Iterator[str]:
    """What trips the check."""
    slot, check = first.stub.slot, first.check
    view = f'"{slot}.{check.read}()"'
    if check.name == "owner_changed":
        yield f'  - {{answer: {view}, value: "{BAD}", at_block: 2}}'
    elif check.name == "upgraded":
        yield f"  - {{change: implementation, slot: {slot}, at_block: 2}}"
    elif check.name == "assets_fell":
        yield f'  - {{answer: {view}, value: "{HELD}", at_block: 1}}'
        yield f'  - {{answer: {view}, value: "{GONE}", at_block: {MEMORY_BLOCKS}}}'
    elif check.name == "supply_grew":
        yield f'  - {{answer: {view}, value: "{largest(first)}", at_block: 2}}'
    else:
        yield f"  - {{change: code, slot: {slot}, at_block: 2}}"


def largest(first: First) -> int:
    """The largest number that the check's view can answer, or one that is more than any supply."""
    own = next(name for name, here in first.stub.reads.items() if here == first.check.read)
    return (1 << min(int(first.stub.types[own].removeprefix("uint")), MOST_BITS)) - 1


def answers(first: First) -> Iterator[str]:
    """What is rehearsed; every other question is answered so that the walk goes forward."""
    yield "answers:"
    yield '  declare: "yes"'
    yield "  cause: It was injected by the scenario."
