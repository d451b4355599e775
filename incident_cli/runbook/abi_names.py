"""Names for what an ABI calls its own way: snake_case, no keyword, nothing twice; and texts that YAML keeps whole."""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Iterable

from incident_cli.binding import IDENTIFIER_FORM
from incident_cli.expression_syntax import NAME_ARGUMENTS
from incident_cli.expression_values import FUNCTIONS
from incident_cli.protocols.worth import FUNCTIONS as OWN_FUNCTIONS
from incident_cli.text import plain

SHORT = 34  # leaves room for what makes a name differ
RESERVED = frozenset(
    {*FUNCTIONS, *OWN_FUNCTIONS, *NAME_ARGUMENTS, "by", "before", "checks", "market", "council", "amount", "ago", "now"}
)
WORD_ENDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class Names:
    """Gives every name once."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self.taken = {*taken, *RESERVED}

    def new(self, wanted: str, suffix: str = "view") -> str:
        """A name like the wanted one that nothing has yet."""
        base = snake(wanted) or suffix
        found, number = base, 1
        while found in self.taken or keyword.iskeyword(found):
            found = f"{base}_{suffix}" if number == 1 else f"{base}_{number}"
            number += 1
        self.taken.add(found)
        return found


def snake(name: str) -> str:
    """`borrowCap` is `borrow_cap`, `PAUSER_ROLE` is `pauser_role`; empty where nothing of it is a name."""
    words = re.sub(r"[^a-z0-9]+", "_", WORD_ENDS.sub("_", name).lower())
    found = words.strip("_").lstrip("0123456789_")[:SHORT].rstrip("_")
    return found if IDENTIFIER_FORM.fullmatch(found) else ""


def quoted(text: str) -> str:
    """Text as one double-quoted YAML scalar."""
    return json.dumps(plain(text, 500), ensure_ascii=False)


def comment(text: str, indent: int = 0) -> str:
    """One line of YAML comment."""
    return f"{' ' * indent}# {plain(text, 500)}"


def review(why: str, indent: int = 0) -> str:
    """A comment that asks somebody to look at the line below it."""
    return comment(f"REVIEW: {why}", indent)
