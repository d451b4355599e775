"""Lines that fit the terminal: broken between words, and never inside a hash or an address."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

HEX = re.compile(r"(0x[0-9a-fA-F]{40,})")
LONGEST_HASH = 66  # 0x and 32 bytes
CALLDATA_ROW = 60
NEW_ROW = "\n"  # the gap before a row of calldata: it stands below the one before
PATH = re.compile(r"((?:^|(?<= ))(?:(?:~|\.{1,2})?/\S+|\S+/\S+\.(?:jsonl?|yaml|txt)))")
DISPLACED = 2  # the indentation of a hash that did not fit where it stood


def wrapped(text: str, width: int, hanging: int = 0, first: int | None = None) -> list[str]:
    """Lines of at most `width` columns, each but the first indented by `hanging`.

    The first line is indented by `first` columns that the caller fills. What does not fit beside the indentation
    gets a smaller one; only calldata, longer than any hash, is ever cut. A word that cannot be broken (a path) stays
    whole, for the terminal to wrap and the reader to copy.
    """
    lines: list[str] = []
    indent = hanging if first is None else first
    line = ""
    for gap, piece in pieces(text, width):
        fits = gap != NEW_ROW and len(line) + len(gap) + len(piece) <= width - indent
        if fits or not (line or indent):
            line += gap + piece
            continue
        lines.append(" " * indent + line)
        indent = hanging if hanging + len(piece) <= width and len(piece) < LONGEST_HASH else min(hanging, DISPLACED)
        line = piece
    return [*lines, " " * indent + line]


def paths_apart(text: str) -> list[str]:
    """A text as lines with each path alone on its line, without the sign that follows it: it is copied."""
    found: list[str] = []
    for number, part in enumerate(PATH.split(text)):
        if number % 2:
            found.append(part.rstrip(".,;:"))
        elif part.strip() or not number:
            found.append(part.strip())
    return found


def flowed(parts: Sequence[str], width: int, gap: str) -> list[str]:
    """Lines of parts that are never broken, with a gap between two on a line."""
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + len(gap) + len(part) <= width:
            lines[-1] += gap + part
        else:
            lines.append(part)
    return lines


def pieces(text: str, width: int) -> Iterator[tuple[str, str]]:
    """What may not be broken, each with the gap before it: a word, a hash with what closes it, a row of calldata."""
    for number, word in enumerate(text.split(" ")):
        gap = " " if number else ""
        for piece in parts(word, width):
            yield gap, piece
            gap = NEW_ROW if len(piece) == CALLDATA_ROW and HEX.search(word) else ""


def parts(word: str, width: int) -> list[str]:
    """A word whole where it fits; else what is before a hash, the hash with one closing sign, and the rest."""
    if "/" in word or (len(word) <= width and not (len(word) > LONGEST_HASH and HEX.search(word))):
        return [word]
    found: list[str] = []
    for piece in filter(None, HEX.split(word)):
        if HEX.fullmatch(piece) and len(piece) > LONGEST_HASH:
            found += [piece[start : start + CALLDATA_ROW] for start in range(0, len(piece), CALLDATA_ROW)]
        elif found and piece in (",", ".", ")", "),", ":"):
            found[-1] += piece
        else:
            found.append(piece)
    return found
