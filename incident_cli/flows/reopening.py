"""The way back: when a containment can be undone at the earliest, and by whom."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import cast

from incident_cli.binding import Given
from incident_cli.evm import Read
from incident_cli.flows.guarding import demand
from incident_cli.flows.moments import LAST_MOMENT as LAST_MOMENT
from incident_cli.flows.session import Session
from incident_cli.levers.delay import Delay
from incident_cli.protocols.slot import BoundSlot
from incident_cli.runbook.model import ContainStep, RestoreStep
from incident_cli.units import DURATION, format_duration, parse_duration


def reopening_of(session: Session, step: ContainStep, irreversible: bool, waits: tuple[int, int] = (0, 0)) -> str:
    """One sentence for the confirmation: the earliest reopening and who may do it.

    `waits`: seconds until the effect itself, and those that whoever pulled it waits to undo it.
    """
    if irreversible:
        return "NEVER: at least one of these calls cannot be undone by anyone."
    restore = restore_of(session, step)
    if restore is None:
        return "No step puts it back: whoever may undo these levers does it by hand."
    slot = session.bound.slots[restore.by]
    condition = f", once {restore.requires.source}" if restore.requires else ""
    quiet = quiet_seconds(restore.requires.tree, session.bound.scope) if restore.requires else 0
    until, back = waits
    spans = [(until, "until it holds"), (quiet, "quiet")]
    if slot.protocol.protocol != "timelock":
        spans.append((back, "delay of its own"))
        when = moment_after(session, spans) if any(one for one, _ in spans) else "At once"
        return f"{when}, by the Safe {slot.addresses['safe']}{condition}."
    spans.append((delay_of(session, slot), "time-lock"))
    return (
        f"{moment_after(session, spans)}{condition}; "
        f"only the Safe {slot.addresses['proposer']} may schedule it, through {slot.addresses['timelock']}."
    )


def moment_after(session: Session, spans: Sequence[tuple[int, str]]) -> str:
    """The earliest moment after all of these (seconds and what for), with those that are any time at all."""
    words = [f"{format_duration(one)} {what}" for one, what in spans if one or what == "time-lock"]
    return not_before(session, sum(one for one, _ in spans), " and ".join(words))


def not_before(session: Session, seconds: int, why: str) -> str:
    """The earliest moment from the block last read; a delay of centuries is said as what it is."""
    assert session.reader.head is not None, "the plan was read at a block"
    moment = session.reader.head.timestamp + seconds
    if moment > LAST_MOMENT:
        return f"Not within any foreseeable time (a delay of {seconds} s)"
    return f"Not before {datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S} UTC ({why})"


def quiet_seconds(node: ast.expr, scope: Mapping[str, Given]) -> int:
    """How long an expression needs quiet at the least: the longest of all `and` parts, the shortest of any `or`."""
    match node:
        case ast.BoolOp(op=ast.And()):
            return max(quiet_seconds(one, scope) for one in node.values)
        case ast.BoolOp():
            return min(quiet_seconds(one, scope) for one in node.values)
        case ast.Call(func=ast.Name(id="quiet_for"), args=[_, lasting]):
            return constant_seconds(lasting, scope)
        case _:
            return 0


def constant_seconds(node: ast.expr, scope: Mapping[str, Given]) -> int:
    """The seconds a duration says: written out, or a parameter's; 0 where it cannot be known before it is evaluated."""
    match node:
        case ast.Call(func=ast.Name(id="duration"), args=[inner]):
            return constant_seconds(inner, scope)
        case ast.Constant(value=str(text)) if DURATION.fullmatch(text):
            return parse_duration(text)
        case ast.Constant(value=int(seconds)) if not isinstance(seconds, bool):
            return seconds
        case ast.Name(id=name) if name in scope and scope[name].kind == "duration":
            return cast(int, scope[name].value)
        case _:
            return 0


def delay_of(session: Session, timelock: BoundSlot) -> int:
    """The time-lock's minimum delay in seconds."""
    read = timelock.read("delay")
    return cast(int, demand("the time-lock's delay", session.reader.recent.read([read]).value(read)))


def reopening_reads(session: Session, step: ContainStep) -> list[Read]:
    """What `reopening_of` reads of a step."""
    restore = restore_of(session, step)
    slot = session.bound.slots[restore.by] if restore else None
    return [slot.read("delay")] if slot is not None and slot.protocol.protocol == "timelock" else []


def restore_of(session: Session, step: ContainStep) -> RestoreStep | None:
    """The step that undoes it, if the runbook has one."""
    steps = (one for one in session.bound.runbook.steps if isinstance(one, RestoreStep))
    return next((one for one in steps if one.restore == step.id), None)


def lock_of(session: Session, timelock: BoundSlot) -> Delay:
    """The time-lock as the delay that its calls have now."""
    addresses = timelock.addresses
    return Delay("timelock", addresses["timelock"], addresses["proposer"], delay_of(session, timelock), timelock.chain)
