"""A finding of an inspection, and what all findings together mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["clean", "warned", "refused"]
MOST = 200  # findings that are shown; the verdict is that of all


@dataclass(frozen=True, slots=True)
class InspectionFinding:
    """One thing that is wrong (`refused`) or worth a second look (`warned`)."""

    code: str
    severity: Literal["refused", "warned"]
    message: str

    def to_json(self) -> dict[str, str]:
        """As `--json` prints it."""
        return {"code": self.code, "severity": self.severity, "message": self.message}


def refused(code: str, message: str) -> InspectionFinding:
    """A finding that forbids."""
    return InspectionFinding(code, "refused", message)


def warned(code: str, message: str) -> InspectionFinding:
    """A finding to look at."""
    return InspectionFinding(code, "warned", message)


def is_refused(findings: Iterable[InspectionFinding]) -> bool:
    """Whether any finding forbids the transaction."""
    return any(one.severity == "refused" for one in findings)


def verdict_of(findings: Iterable[InspectionFinding]) -> Verdict:
    """The worst of them; clean is only what nothing was found about."""
    severities = {one.severity for one in findings}
    return "refused" if "refused" in severities else "warned" if severities else "clean"


def ordered(findings: Iterable[InspectionFinding]) -> tuple[InspectionFinding, ...]:
    """Each finding once, what forbids first; of very many the first of every code, and how many more there are."""
    every = sorted(dict.fromkeys(findings), key=lambda one: one.severity)
    return tuple(every) if len(every) <= MOST else capped(every)


def capped(every: Sequence[InspectionFinding]) -> tuple[InspectionFinding, ...]:
    """As many as are shown, each code among them, and one that says how many are not."""
    count: Counter[str] = Counter()
    places: list[tuple[int, int]] = []
    for place, one in enumerate(every):
        places.append((count[one.code], place))
        count[one.code] += 1
    kept = sorted(place for _, place in sorted(places)[: MOST - 1])
    left = len(every) - len(kept)
    last = InspectionFinding("more-findings", "warned", f"{left} more findings like these are not shown")
    return (*(every[place] for place in kept), last)
