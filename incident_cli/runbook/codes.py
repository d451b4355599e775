"""Every code that the loader and `lint` give: what is wrong, why it is refused, what to do, and an example.

The codes are a contract: scripts and editors match on them, so one is never given a second meaning.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Code:
    """One code. `right` made `wrong` gives it (both empty where the example would be too large to show)."""

    code: str
    title: str
    why: str
    wrong: str = ""
    right: str = ""
    level: Literal["error", "warning"] = "error"

    @property
    def text(self) -> str:
        """What `incident explain` prints."""
        example = f"\n\nwrong:\n{indented(self.wrong)}\n\nright:\n{indented(self.right)}" if self.right else ""
        return f"{self.level}: {self.title}\n\n{self.why}{example}"


def indented(text: str) -> str:
    """Lines, each four blanks in."""
    return "\n".join(f"    {line}" for line in text.splitlines() or ["(left out)"])


def codes() -> dict[str, Code]:
    """Every code in the order of the alphabet."""
    from incident_cli.runbook import codes_of_any_file, codes_of_lint, codes_of_protocols, codes_of_runbooks

    rooms = (codes_of_any_file, codes_of_runbooks, codes_of_protocols, codes_of_lint)
    return {one.code: one for one in sorted((one for room in rooms for one in room.CODES), key=lambda one: one.code)}


def table(found: Iterable[Code], level: str) -> str:
    """The codes of a level as the rows of the guide's table."""
    return "".join(f"| `{one.code}` | {one.title} |\n" for one in found if one.level == level)
