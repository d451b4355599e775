"""The one sanitiser: every string from outside (chain, service, YAML) passes it before a screen or a file.

Terminals act on more than the escape character: C1 controls, OSC 52 (clipboard), bidirectional overrides
and invisible tag characters all change what a reader sees without changing what is signed. None of them
survives here; each is replaced by a visible `<U+XXXX>` so that nothing is hidden and nothing is lost.
"""

from __future__ import annotations

import unicodedata

HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
INVISIBLE = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5")
VARIATION_SELECTORS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))
LINE_LIMIT = 2_000


def plain(text: object, limit: int = LINE_LIMIT) -> str:
    """One line of text without anything a terminal acts on or a reader cannot see; cut at `limit` characters."""
    source = str(text)
    shown = "".join(visible(character) for character in source[:limit])
    return shown if len(source) <= limit else f"{shown}… ({len(source)} characters)"


def plain_lines(text: object, limit: int = LINE_LIMIT, most: int = 200) -> list[str]:
    """The same for text of several lines: at most `most` lines, each sanitised by itself."""
    lines = str(text).replace("\r\n", "\n").split("\n")
    shown = [plain(line, limit) for line in lines[:most]]
    return shown if len(lines) <= most else [*shown, f"… ({len(lines)} lines)"]


def visible(character: str) -> str:
    """The character itself, or its code point in words where it would not be seen as what it is."""
    if character == " " or (character.isascii() and character.isprintable()):
        return character
    return f"<U+{ord(character):04X}>" if is_hidden(character) else character


def is_hidden(character: str) -> bool:
    """Whether a reader would not see this character, or a terminal would act on it."""
    point = ord(character)
    return (
        character in INVISIBLE
        or unicodedata.category(character) in HIDDEN_CATEGORIES
        or (unicodedata.category(character) == "Zs" and character != " ")
        or any(point in selectors for selectors in VARIATION_SELECTORS)
    )
