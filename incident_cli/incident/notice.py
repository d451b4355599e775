"""A short status notice in plain words, from recorded facts alone. Pure: text in, text out, nothing is sent.

What nobody recorded is not made up: it is left as a place to fill in, in [square brackets]. A template that claims
more than the record proves is refused: `contained` needs the block that shows it, and no reopening begun since.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from incident_cli.errors import Refused
from incident_cli.evm import Block
from incident_cli.incident.events import Event, Kind, Outcome, with_plans
from incident_cli.incident.timeline import Moment, block_of, moments
from incident_cli.incident.walk import ENDED_WELL, Ending, ending, latest_outcomes, standing
from incident_cli.runbook.model import (
    TEMPLATES,
    AskStep,
    CheckStep,
    ContainStep,
    NotifyStep,
    RestoreStep,
    Runbook,
    Step,
)
from incident_cli.text import plain

TITLE_LIMIT, MARKET_LIMIT, CALL_LIMIT = 200, 80, 300
HANDED_OVER = frozenset({Kind.EXPORTED, Kind.SIGNED, Kind.SUBMIT_INTENDED, Kind.SUBMITTED, Kind.EXECUTED})
ADDRESS_IN_TEXT = re.compile(r"0[xX][0-9a-fA-F]{40}(?![0-9a-fA-F])")
PLACE_FOR_ADVICE = "[say what users should do; nothing is recorded about it]"
PLACE_FOR_TIME = "[say when]"
REHEARSAL = "REHEARSAL: this is a drill. None of it has happened; do not publish it."
STOOD_DOWN = "The alarm was looked into and the response was stood down."


@dataclass(frozen=True, slots=True)
class Facts:
    """What the record bears out: the moments, and the blocks that show it contained or recovered now, if any do."""

    moments: Mapping[str, Moment]
    contained: Moment | None
    recovered: Moment | None
    stood_down: bool


def facts(runbook: Runbook, events: Sequence[Event]) -> Facts:
    """The facts a notice may state."""
    whole = ending(runbook, events) is Ending.CONTAINED
    return Facts(
        moments(runbook, events),
        shown(runbook, events, "contained", RestoreStep) if whole else None,
        shown(runbook, events, "recovered", ContainStep),
        was_stood_down(runbook, events),
    )


def shown(runbook: Runbook, events: Sequence[Event], mark: str, undone_by: type[Step]) -> Moment | None:
    """The latest block that proves a mark which still stands: nothing that may undo it has been handed over since."""
    outcomes = latest_outcomes(events)
    marked = {one.id for one in runbook.steps if one.marks == mark and outcomes.get(one.id) is Outcome.DONE}
    undoing = {one.id for one in runbook.steps if isinstance(one, undone_by)}
    found: Moment | None = None
    for event in events:
        if event.kind is Kind.STEP_ENDED and event.step in marked and "proof_block" in event.data:
            found = Moment(mark, block_of(event))
        elif event.kind in HANDED_OVER and event.step in undoing:
            found = None
    return found


def was_stood_down(runbook: Runbook, events: Sequence[Event]) -> bool:
    """Whether a decision or quiet checks ended the response before anything was handed over for signing."""
    outcomes = latest_outcomes(events)
    acting = {one.id for one in runbook.steps if isinstance(one, ContainStep)}
    if any(event.kind in HANDED_OVER and event.step in acting for event in events):
        return False
    ends = {AskStep: Outcome.NO, CheckStep: Outcome.QUIET}
    return any(type(one) in ends and outcomes.get(one.id) is ends[type(one)] for one in runbook.steps)


def unproven(runbook: Runbook, events: Sequence[Event], template: str) -> str:
    """Why the record does not bear a template out; empty where it does."""
    known = facts(runbook, events)
    if template == "identified" and not {"detected", "acknowledged"} & known.moments.keys():
        return "nothing has been detected, and nobody has taken the lead"
    if template == "contained" and known.contained is None:
        return "no block on record shows it contained now"
    if template == "monitoring" and known.contained is None and known.recovered is None:
        return "no block on record shows it contained or restored now"
    if template == "resolved" and known.recovered is None and not known.stood_down:
        return "no block on record shows it restored now, and it was not stood down"
    return ""


def instead(runbook: Runbook, events: Sequence[Event], template: str) -> str:
    """The strongest weaker template that the record bears out; `investigating` claims nothing and always serves."""
    weaker = reversed(TEMPLATES[: TEMPLATES.index(template)])
    return next(one for one in weaker if not unproven(runbook, events, one))


def notice_text(
    runbook: Runbook,
    market: str,
    events: Sequence[Event],
    template: str,
    audience: str,
    now: str,
    *,
    drill: bool,
) -> list[str]:
    """The notice's lines; `now` as `utc` writes it. Raises Refused where it would say more than is proven."""
    reason = unproven(runbook, events, template)
    if reason:
        weaker = instead(runbook, events, template)
        raise Refused(f"a notice that says `{template}` is refused: {reason}", f"`{weaker}` can be said")
    known = facts(runbook, events)
    lines = [
        *([REHEARSAL] if drill else []),
        f"What: {plain(runbook.title, TITLE_LIMIT)}",
        f"Where: {plain(market, MARKET_LIMIT)}",
        f"Status: {template}. {sentence(template, known)}",
        *since(known),
        *proofs(known, effects(runbook, events) if known.contained else []),
        f"What to do: {PLACE_FOR_ADVICE}",
        f"Next update: {next_update(runbook, events, audience, known, now)}",
        *asides(runbook, events, audience),
        f"As of: {plain(now, MARKET_LIMIT)}",
    ]
    return [ADDRESS_IN_TEXT.sub("(an address)", one) for one in lines] if audience == "public" else lines


def sentence(template: str, known: Facts) -> str:
    """The template in words; each is only reached where it is true."""
    restored = known.recovered is not None
    return {
        "investigating": "We are looking into it.",
        "identified": "A problem has been identified; the response is under way.",
        "contained": "The containment is in place; the chain shows it.",
        "monitoring": f"It is {'restored' if restored else 'contained'}, and we are watching it.",
        "resolved": "What had been stopped is restored; the chain shows it." if restored else STOOD_DOWN,
    }[template]


def since(known: Facts) -> Iterator[str]:
    """When it was noticed."""
    for name, word in (("detected", "Detected"), ("opened", "Opened")):
        if name in known.moments:
            yield f"{word}: {at(known.moments[name].block)}"
            return


def proofs(known: Facts, done: Sequence[str]) -> Iterator[str]:
    """Each thing the chain shows now, with the block and the hash that prove it, and what was done."""
    for moment, word in ((known.contained, "Contained"), (known.recovered, "Restored")):
        if moment is not None:
            yield f"{word}: shown at {at(moment.block)}"
            yield f"Block hash: {plain(moment.block.hash, MARKET_LIMIT)}"
    yield from (f"In force: {one}" for one in done)


def proposals(runbook: Runbook, events: Sequence[Event]) -> Iterator[tuple[Step, Mapping[str, Any], Event | None]]:
    """The latest confirmed proposal of each step on each of its chains, with its execution where there is one."""
    for step in (one for one in runbook.steps if isinstance(one, ContainStep | RestoreStep)):
        latest: dict[str, tuple[Mapping[str, Any], Event | None]] = {}
        for event, plan in with_plans([one for one in events if one.step == step.id]):
            chain = event.data.get("chain", "")
            if event.kind is Kind.CONFIRMED and plan is not None:
                latest[chain] = plan.data["proposal"], None
            elif event.kind is Kind.EXECUTED and chain in latest:
                latest[chain] = latest[chain][0], event
        yield from ((step, confirmed, execution) for confirmed, execution in latest.values())


def effects(runbook: Runbook, events: Sequence[Event]) -> list[str]:
    """What the executed and proven calls do, in the protocol file's words without their arguments."""
    outcomes = latest_outcomes(events)
    return [
        plain(str(call["plain"]).partition(": ")[2] or call["plain"], CALL_LIMIT)
        for step, proposal, execution in proposals(runbook, events)
        if isinstance(step, ContainStep) and execution is not None and outcomes.get(step.id) in ENDED_WELL
        for call in proposal["calls"]
    ]


def next_update(runbook: Runbook, events: Sequence[Event], audience: str, known: Facts, now: str) -> str:
    """The deadline of the runbook's next notice to the same audience, where there is one that has not passed."""
    detected, here = known.moments.get("detected"), standing(runbook, events)
    ahead = runbook.steps[runbook.steps.index(here) + 1 :] if here is not None else ()
    later = (one for one in ahead if isinstance(one, NotifyStep) and not one.only_by_goto)
    deadline = next((one.deadline for one in later if one.notify.audience == audience), None)
    if detected is None or deadline is None:
        return PLACE_FOR_TIME
    due = utc(detected.block.timestamp + deadline)
    return f"by {due}" if due > now else PLACE_FOR_TIME


def asides(runbook: Runbook, events: Sequence[Event], audience: str) -> Iterator[str]:
    """What only some may know: partners the transaction, owners and insiders the safeTxHash, insiders what is next."""
    for _, proposal, execution in proposals(runbook, events):
        if audience in ("owners", "internal"):
            state = "executed" if execution else "not executed"
            yield f"safeTxHash ({state}): {plain(proposal['safe_tx_hash'], MARKET_LIMIT)}"
        sent = execution.data.get("transaction_hash") if execution else None
        if audience != "public" and sent:
            yield f"Transaction: {plain(sent, MARKET_LIMIT)}"
    if audience == "internal":
        step = standing(runbook, events)
        following = runbook.after(step.id) if step is not None else None
        yield f"Next step: {f'{following.id} ({following.verb})' if following else 'none'}"


def at(block: Block) -> str:
    """`2026-11-22 03:00:12 UTC, ethereum block 123`."""
    return f"{utc(block.timestamp)}, {plain(block.chain, MARKET_LIMIT)} block {block.number}"


def utc(seconds: int) -> str:
    """`2026-11-22 03:00:12 UTC`, from seconds since 1970; later times sort later."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
