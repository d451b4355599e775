"""A finding of an inspection, and what all findings together mean."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["clean", "warned", "refused"]


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
