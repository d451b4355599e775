"""Which Safe may pull which lever, in how severe an incident, how often, and for how long. Pure.

A deployment that grants anything grants everything it allows: what it does not name is refused. Without any grant the
chain's own roles are the only limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from incident_cli.units import format_duration

SEVERITIES = ("SEV1", "SEV2", "SEV3", "SEV4", "SEV5")  # the worst first


@dataclass(frozen=True, slots=True)
class Grant:
    """What one Safe may do: levers as slot.lever; `severity` is the mildest incident in which it may, `cooldown` the
    seconds between two pulls of one lever with the same arguments, `longest` the seconds it may last."""

    by: str
    levers: tuple[str, ...]
    severity: str = SEVERITIES[-1]
    cooldown: int = 0
    longest: int | None = None


@dataclass(frozen=True, slots=True)
class LastPull:
    """When a lever was pulled last with the same arguments (unix seconds of its block), and in which incident."""

    timestamp: int
    incident: str


def granted(grants: Sequence[Grant], by: str, lever: str) -> Grant | None:
    """The grant that names this Safe and this lever; the first, where several do."""
    return next((one for one in grants if one.by == by and lever in one.levers), None)


def forbidden(grants: Sequence[Grant], by: str, lever: str, severity: str) -> str | None:
    """Why the deployment does not let this Safe pull this lever in such an incident, or None where it does."""
    if not grants:
        return None
    found = granted(grants, by, lever)
    if found is None:
        others = sorted({one.by for one in grants if lever in one.levers})
        whose = f"it is granted to {' and '.join(others)}" if others else "it is granted to nobody"
        return f"the deployment's authority does not let {by} pull {lever}: {whose}"
    if SEVERITIES.index(severity) > SEVERITIES.index(found.severity):
        return f"the deployment lets {by} pull {lever} from {found.severity} on; this incident is {severity}"
    return None


def cooling(grant: Grant | None, cancels: bool, last: LastPull | None, now: int) -> str | None:
    """Why a pull comes too soon after the last, or None. Cancelling something hostile never waits."""
    if grant is None or cancels or last is None or now - last.timestamp >= grant.cooldown:
        return None
    when = f"{format_duration(now - last.timestamp)} before" if now >= last.timestamp else "after the block shown here"
    return f"it was pulled {when}, in {last.incident}; the cooldown is {format_duration(grant.cooldown)}"


def due(grant: Grant | None, executed: int) -> int | None:
    """Until when what was pulled may last (unix seconds), or None where nothing limits it."""
    return None if grant is None or grant.longest is None else executed + grant.longest
