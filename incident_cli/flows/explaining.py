"""Every word that `incident explain` knows: the format, the codes of inspections and of the transaction service."""

from __future__ import annotations

from collections.abc import Mapping

from incident_cli.binding import did_you_mean
from incident_cli.errors import Misused
from incident_cli.runbook import explain as format_words
from incident_cli.runbook.explain import Explanation
from incident_cli.safe import explanations, rotation_inspection, service_explanations
from incident_cli.text import plain

INSPECTION = "inspection"
SERVICE = "service"
FINDINGS: Mapping[str, str] = {**explanations.EXPLANATIONS, **rotation_inspection.EXPLANATIONS}


def words() -> Mapping[str, tuple[str, ...]]:
    """Every word that can be explained, by what it is."""
    own = {INSPECTION: tuple(sorted(FINDINGS)), SERVICE: tuple(sorted(service_explanations.EXPLANATIONS))}
    return {**format_words.words(), **own}


def explain(word: str) -> Explanation:
    """What a word means; raises Misused with the nearest one where there is no such word."""
    if word in FINDINGS:
        return Explanation(word, INSPECTION, FINDINGS[word])
    if word in service_explanations.EXPLANATIONS:
        return Explanation(word, SERVICE, service_explanations.EXPLANATIONS[word])
    every = [one for group in words().values() for one in group]
    if word in every:
        return format_words.explain(word)
    message = f"there is nothing called {plain(word, 80)!r} to explain{did_you_mean(word, every)}"
    raise Misused(message, "`incident explain` lists every word")
