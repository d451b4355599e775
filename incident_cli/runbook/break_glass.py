"""A runbook for one lever that somebody decided to pull without a firing check. Pure text.

It is a runbook like any other, so that the same safety, record, proof and way back hold for it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from incident_cli.protocols.definitions import LeverDefinition
from incident_cli.protocols.protocol import Protocol
from incident_cli.text import plain

RUNBOOK_ID = "break-glass"
BECAUSE_LIMIT = 500


@dataclass(frozen=True, slots=True)
class BrokenGlass:
    """What is pulled: the lever of a slot through a Safe's slot, its arguments as written, why, and who may undo it."""

    slot: str
    lever: str
    protocol: Protocol
    by: str
    args: Mapping[str, str]
    because: str
    severity: str
    restored_by: tuple[str, str] | None = None  # the slot of whoever may undo it, and its protocol

    @property
    def definition(self) -> LeverDefinition:
        """The lever."""
        return self.protocol.levers[self.lever]

    def still(self) -> list[str]:
        """What must not change: what it brings about, in every other market."""
        reads = [(name, self.protocol.reads[name]) for name in self.definition.expect]
        kinds = {name: [one.type for one in read.parameters] for name, read in reads}
        return [name for name, read in reads if kinds[name] in ([], ["bytes32"]) and self.protocol.stands_alone(read)]


def break_glass_text(glass: BrokenGlass) -> str:
    """The YAML of the runbook."""
    title = plain(f"Break-glass: {glass.slot}.{glass.lever}, because {glass.because}", 200)
    calls = {"lever": f"{glass.slot}.{glass.lever}", **written(glass)}
    slots = {glass.slot: glass.protocol.protocol, glass.by: "safe"}
    if glass.restored_by is not None:
        slots[glass.restored_by[0]] = glass.restored_by[1]
    lines = [
        "schema: incident/v1",
        f"id: {RUNBOOK_ID}",
        f"title: {quoted(title)}",
        f"meta: {{owner: the operator, severity: {glass.severity}, status: stable}}",
        "params: {market: {type: market}}",
        "slots:",
        *(f"  {name}: {{protocol: {protocol}}}" for name, protocol in slots.items()),
        "steps:",
        "  - id: contain",
        "    contain:",
        f"      by: {glass.by}",
        f"      calls: [{{{', '.join(f'{name}: {quoted(value)}' for name, value in calls.items())}}}]",
        *still_lines(glass),
        "    marks: contained",
        *restore_lines(glass),
    ]
    return "\n".join(lines) + "\n"


def written(glass: BrokenGlass) -> dict[str, str]:
    """The arguments; a market is the chosen one."""
    chosen = {name: "{market}" for name, one in glass.definition.args.items() if one.type == "market"}
    return {**glass.args, **chosen}


def still_lines(glass: BrokenGlass) -> list[str]:
    """`must_not_change` of every other market."""
    still = [f"{{read: {glass.slot}.{one}, for_each: markets, except: '{{market}}'}}" for one in glass.still()]
    return [f"      must_not_change: [{', '.join(still)}]"] if still and glass.definition.scope == "market" else []


def restore_lines(glass: BrokenGlass) -> list[str]:
    """The way back; the incident stays open until it is taken, so that what lapses or is due is not forgotten."""
    definition = glass.definition
    if definition.undo is None and definition.lapses is None:
        return []
    question = "Is the cause mended, so that it may be opened again? No leaves all as it is, and this incident open."
    return [
        "  - id: mended",
        f"    ask: {quoted(question)}",
        "    role: incident_leader",
        f"  - {{id: reopen, {way_back(glass)}}}",
    ]


def way_back(glass: BrokenGlass) -> str:
    """Restored by whom the deployment names; else by hand, or by waiting until it lapses."""
    undo = glass.definition.undo
    if undo is None:
        words = "Nobody may undo it: it lapses by itself. Write down what the chain shows once it has."
    elif glass.restored_by is not None:
        return f"restore: contain, by: {glass.restored_by[0]}, marks: recovered"
    else:
        words = (
            f"Only {undo.by} may undo it, whom this deployment does not name: hand them the file "
            "reopening-contain-*.json from this incident's proposals. Write down what the chain shows afterwards."
        )
    return f"manual: {quoted(words)}, evidence: text"


def quoted(text: str) -> str:
    """Text as a double-quoted YAML scalar: JSON is one."""
    return json.dumps(text, ensure_ascii=False)
