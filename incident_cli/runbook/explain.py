"""What every word of the format means: error codes, kinds of check, verbs. The code's own docstrings are the text."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass

from incident_cli.binding import did_you_mean
from incident_cli.checks.registry import KINDS
from incident_cli.errors import Misused
from incident_cli.runbook.codes import codes
from incident_cli.runbook.keys import Key, keys_of
from incident_cli.runbook.model import VERBS
from incident_cli.text import plain


@dataclass(frozen=True, slots=True)
class Explanation:
    """One word: what it is (`code`, `kind` or `verb`), its text, and for kinds and verbs their keys."""

    word: str
    what: str
    text: str
    keys: tuple[Key, ...] = ()


def words() -> Mapping[str, tuple[str, ...]]:
    """Every word that can be explained, by what it is."""
    found = codes()
    return {
        "verb": tuple(VERBS),
        "kind": tuple(KINDS),
        "code": tuple(one.code for one in found.values() if one.level == "error"),
        "warning": tuple(one.code for one in found.values() if one.level == "warning"),
    }


def explain(word: str) -> Explanation:
    """What a word means; raises Misused with the nearest one where there is no such word."""
    if word in VERBS:
        return Explanation(word, "verb", docstring(VERBS[word]), keys_of(VERBS[word]))
    if word in KINDS:
        return Explanation(word, "kind", docstring(KINDS[word]), keys_of(KINDS[word]))
    known = codes()
    if word in known:
        return Explanation(word, "code", known[word].text)
    near = did_you_mean(word, [one for group in words().values() for one in group])
    message = f"there is nothing called {plain(word, 80)!r} to explain{near}"
    raise Misused(message, "`incident explain` lists every word")


def docstring(cls: type) -> str:
    """The docstring of a class, each paragraph on one line; empty where it has none of its own."""
    paragraphs = inspect.cleandoc(cls.__dict__.get("__doc__") or "").split("\n\n")
    return "\n\n".join(one if "\n " in one else one.replace("\n", " ") for one in paragraphs)
