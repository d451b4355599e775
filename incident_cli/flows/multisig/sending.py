"""What is sent next for an execution that is not included: the same bytes again, a higher fee, or a first attempt.

One broadcaster's attempts all use one nonce of its own, so that at most one of them is included. Another broadcaster's
are never outbid, only sent again; the Safe executes its nonce once, whoever sends.
"""

from __future__ import annotations

from incident_cli.chain.fees import Unpayable
from incident_cli.chain.simulate import simulate_execution
from incident_cli.errors import Refused, Unread
from incident_cli.flows.multisig.broadcasting import Attempt, Whereabouts, attempt_of, whereabouts
from incident_cli.flows.multisig.journey import Journey
from incident_cli.flows.multisig.readiness import ready
from incident_cli.safe.execution_data import execution_data
from incident_cli.safe.signing import raw_by

MOST_BUMPS = 6


def go_on(journey: Journey, packed: bytes | None, idle: float) -> bool:
    """Send what is due, where anything is; whether something was sent.

    `packed` are the signatures collected now, None where they do not suffice: then nothing new is begun. `idle` is
    since how many seconds nothing new was sent. Raises Refused where it would fail (nothing was sent).
    """
    own, others = journey.by(own=True), journey.by(own=False)
    where = whereabouts(journey.place, own[-1]) if own else "spent"
    if where != "spent":
        return carry_on(journey, own[-1], where, packed, idle)
    if others:
        sent, may_begin = leave_to(journey, others[-1], idle)
        if not may_begin:
            return sent
    if packed is None:
        return False
    require_ready(journey, packed)
    begin(journey, execution_data(journey.tx, packed))
    return True


def carry_on(journey: Journey, last: Attempt, where: Whereabouts, packed: bytes | None, idle: float) -> bool:
    """Go on with this broadcaster's own attempt, or replace it where it would fail and other signatures would not."""
    data = None if packed is None else execution_data(journey.tx, packed)
    if data != last.outgoing.data and not would_pass(journey, last):
        if packed is None or data is None:
            return False
        require_ready(journey, packed)
        journey.say(f"{last.hash} would fail now: it is replaced by one with the signatures collected now")
        begin(journey, data, last)
        return True
    bumps = sum(one.outgoing.nonce == last.outgoing.nonce for one in journey.by(own=True)) - 1
    if idle >= journey.road.bump and bumps < MOST_BUMPS:
        return raise_fee(journey, last)
    if where == "known" or journey.is_hidden(last):
        return False
    if packed is not None and data == last.outgoing.data:
        require_ready(journey, packed)
    return send_again(journey, last)


def leave_to(journey: Journey, other: Attempt, idle: float) -> tuple[bool, bool]:
    """Whether another broadcaster's attempt was sent again; whether this broadcaster may begin one of its own."""
    where, who = whereabouts(journey.place, other), f"{other.hash} by {other.sender}"
    if where == "spent":
        journey.say(f"{who} can never be included: its nonce {other.outgoing.nonce} was used for something else")
        return False, True
    if not would_pass(journey, other):
        journey.say(f"{who} would fail now: it is not sent again")
        return False, True
    sent = where == "free" and send_again(journey, other)
    if idle < journey.road.bump and (sent or where == "known"):
        return sent, False
    journey.say(
        f"{who} may still be included; {journey.broadcaster.address} sends its own beside it:"
        " the Safe executes it once, and the later one only reverts and costs its gas"
    )
    return sent, True


def would_pass(journey: Journey, attempt: Attempt) -> bool:
    """Whether an attempt, as it was signed, would execute now."""
    place, tx = journey.place, journey.tx
    shown = simulate_execution(place.reader.endpoint, place.chain, tx.safe, attempt.outgoing.data, attempt.sender)
    return shown.state == "passed"


def require_ready(journey: Journey, packed: bytes) -> None:
    """Refused unless the execution with these signatures passes now."""
    shown = ready(journey.place, journey.tx, packed, journey.broadcaster.address)
    if shown.state != "passed":
        words = shown.reason or "the node does not say why"
        raise Refused(
            f"with the collected signatures the execution would fail: {words}"
            if shown.state == "failed"
            else f"the execution could not be simulated: {words}",
            "nothing was sent; `incident safe status` shows what stands",
        )


def begin(journey: Journey, data: bytes, replacing: Attempt | None = None) -> None:
    """A new attempt, at the nonce of what it replaces where it replaces one."""
    outgoing = journey.priced(data, replacing).outgoing
    journey.dispatch(attempt_of(raw_by(journey.broadcaster, outgoing)))


def send_again(journey: Journey, attempt: Attempt) -> bool:
    """The very same bytes; whether a node took them. A refusal is said: what stands instead shows at the next look.

    Raises Unpayable where this broadcaster itself lacks the money meanwhile.
    """
    try:
        journey.say(f"sending the same transaction again: {attempt.hash}")
        journey.send(attempt)
    except (Refused, Unread) as problem:
        if isinstance(problem, Unpayable) and attempt.sender == journey.broadcaster.address:
            raise
        journey.say(f"it was not taken again: {problem.message}")
        return False
    return True


def raise_fee(journey: Journey, last: Attempt) -> bool:
    """The same transaction at the same nonce with a fee that nodes take as a replacement; whether it was sent."""
    try:
        outgoing = journey.priced(last.outgoing.data, last).outgoing
        journey.say(f"raising the fee to {outgoing.max_fee} wei per gas")
        journey.dispatch(attempt_of(raw_by(journey.broadcaster, outgoing)))
    except (Refused, Unread) as problem:  # the one before may have been included meanwhile
        journey.say(f"the raised fee was not taken: {problem.message}")
        return False
    return True
