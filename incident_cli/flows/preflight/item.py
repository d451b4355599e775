"""One line of a preflight: its stable id, its status, what was seen, and what to do where it is not ready."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from incident_cli.errors import IncidentError, Unread
from incident_cli.text import plain

Status = Literal["ready", "not-ready", "unknown"]
WORST: tuple[Status, ...] = ("not-ready", "unknown", "ready")
AGAIN = "Look again; where it stays so, name another node in the deployment."


@dataclass(frozen=True, slots=True)
class Item:
    """One question and its answer. `unknown` is never ready: what could not be seen may be anything."""

    id: str
    status: Status
    detail: str
    fix: str = ""

    @property
    def group(self) -> str:
        """What kind of question it is: the id's first part."""
        return self.id.partition(":")[0]

    def to_json(self) -> dict[str, str]:
        """As `--json` prints it."""
        return {"id": self.id, "status": self.status, "detail": self.detail, "fix": self.fix}


def ready(name: str, detail: str) -> Item:
    """Nothing stands against it."""
    return Item(plain(name, 200), "ready", plain(detail))


def not_ready(name: str, detail: str, fix: str) -> Item:
    """It would stand in the way, and what to do about it."""
    return Item(plain(name, 200), "not-ready", plain(detail), plain(fix))


def unknown(name: str, detail: str, fix: str = AGAIN) -> Item:
    """It could not be seen, and why."""
    return Item(plain(name, 200), "unknown", plain(detail), plain(fix))


def waiting(name: str, causes: Iterable[str]) -> Item:
    """It was not looked at, because of other items that are not ready."""
    shown = ", ".join(dict.fromkeys(causes))
    return unknown(name, f"not looked at while this is not ready: {shown}", f"Mend {shown} first.")


def judged(name: str, look: Callable[[], Item]) -> Item:
    """What `look` found; its own failure is the item's, and never ready."""
    try:
        return look()
    except Unread as problem:
        return unknown(name, problem.message, problem.hint or AGAIN)
    except IncidentError as problem:
        return not_ready(name, problem.message, problem.hint or "Look at the message, then at the runbook's files.")
    except (ValueError, LookupError, TypeError, ArithmeticError, OSError) as problem:
        return unknown(name, f"it could not be judged: {type(problem).__name__}: {problem}")


def merged(items: Iterable[Item]) -> tuple[Item, ...]:
    """One item for each id: the worst status, with everything that was said at that status."""
    found: dict[str, Item] = {}
    for one in items:
        found[one.id] = one if one.id not in found else worse(found[one.id], one)
    return tuple(found.values())


def worse(one: Item, other: Item) -> Item:
    """The worse of two items of one id; of two that are alike, both."""
    if one.status != other.status:
        return min(one, other, key=lambda item: WORST.index(item.status))
    detail = one.detail if other.detail in one.detail else f"{one.detail}; {other.detail}"
    return replace(one, detail=detail, fix=one.fix or other.fix)


def together(items: Sequence[Item]) -> Status:
    """The status of all: not-ready wins over unknown, unknown over ready."""
    return min((one.status for one in items), key=WORST.index, default="unknown")
