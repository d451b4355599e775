"""Who answered a signer drill when, from its events alone.

An answer is recorded when it is seen. It was made at some moment after the look before: where nobody looked in between
(the drill was stopped), the two are far apart, and both are said.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from incident_cli.evm import Address
from incident_cli.incident.events import Event, Kind, closing, every, last
from incident_cli.units import format_duration

HERE = "here"  # the road of whoever asked: signed at this desk, before it was posted
ROADS = {HERE: "with the key at hand", "service": "in the service", "file": "by file", "chain": "on chain"}
SAME = 60  # seconds between two looks up to which one number is said


@dataclass(frozen=True, slots=True)
class Answered:
    """An owner's answer: seen `seconds` after it was asked for, not there yet at `not_before` seconds."""

    owner: Address
    road: str
    seconds: int
    not_before: int
    block: int | None

    def to_json(self, name: str) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "owner": self.owner,
            "name": name,
            "seconds": self.seconds,
            "not_before_seconds": self.not_before,
            "road": self.road,
            "block": self.block,
        }


def asked_at(events: Sequence[Event]) -> str | None:
    """When the owners could first answer, ISO 8601 UTC: when it stood in the service, else when its file was written.

    None where it never left this machine's hands.
    """
    found = last(events, Kind.PROPOSED) or last(events, Kind.EXPORTED)
    return found.at if found is not None else None


def answers_of(events: Sequence[Event]) -> tuple[Answered, ...]:
    """Every owner's first answer, the earliest first."""
    asked = asked_at(events)
    found: dict[Address, Answered] = {}
    for event in every(events, Kind.SEEN_SIGNED) if asked is not None else ():
        owner = Address(str(event.data["owner"]))
        seconds = seconds_between(asked, event.at)
        before = min(seconds_between(asked, event.data.get("not_before")), seconds)
        block = None if event.block is None else event.block.number
        found.setdefault(owner, Answered(owner, str(event.data["road"]), seconds, before, block))
    return tuple(sorted(found.values(), key=lambda one: one.seconds))


def seconds_between(asked: str | None, at: str | None) -> int:
    """Whole seconds of wall time from one moment to another; 0 where it was before, or is not known."""
    if asked is None or at is None:
        return 0
    return max(0, int((datetime.fromisoformat(at) - datetime.fromisoformat(asked)).total_seconds()))


def reached_after(answers: Sequence[Answered], owners: Collection[Address], threshold: int) -> int | None:
    """The seconds after which as many present owners as must sign had answered; None where they have not."""
    own = [one.seconds for one in answers if one.owner in owners]
    return own[threshold - 1] if len(own) >= threshold > 0 else None


def span_words(earliest: int, latest: int) -> str:
    """`after 12m`; where nobody looked in between, `after 3m to 2h 10m`."""
    if latest - earliest <= SAME:
        return f"after {format_duration(latest)}"
    return f"after {format_duration(earliest)} to {format_duration(latest)}"


def last_look(events: Sequence[Event]) -> str | None:
    """When it was last looked at and everything seen, as far as that was recorded."""
    looks = [one.data.get("look") if one.kind is Kind.NOTED else one.data.get("not_before") for one in events]
    return max((one for one in looks if isinstance(one, str)), default=None)


def is_out(events: Sequence[Event]) -> bool:
    """Whether it left this program: somebody may have signed it."""
    return last(events, Kind.EXPORTED) is not None


def may_execute(events: Sequence[Event]) -> bool:
    """Whether its nonce must be left to it, unless the chain shows that it is used: while the drill goes on, and
    afterwards if anybody has signed it."""
    signed = any(one.kind in (Kind.SIGNED, Kind.SEEN_SIGNED, Kind.PROPOSED) for one in events)
    return closing(events) is None or signed
