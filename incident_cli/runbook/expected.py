"""What a test expects of the checks: at a time, a check's verdict and, where named, more of its finding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from incident_cli.binding import Kind, did_you_mean, one_of, parse_text
from incident_cli.checks.check import Finding, Verdict
from incident_cli.document import Document, Node, Place, Table, Text
from incident_cli.runbook.bind import Bound
from incident_cli.units import Token, parse_amount, parse_bps, parse_duration, parse_integer

GENESIS = 1_767_225_600  # 2026-01-01 00:00:00 UTC: the chain time of every test's first sample
FIRST_BLOCK = 1_000_000
MOST_JUDGED = 3_000  # every sample up to the last expectation is judged
TELLS = ("verdict", "value", "limit", "since", "reason", "summary")


@dataclass(frozen=True, slots=True)
class Expected:
    """One thing a finding must say at a sample: `field` must be `text` (`reason` and `summary`: contain it)."""

    index: int
    at: int
    check: str
    field: str
    text: str
    place: Place

    def mismatch(self, finding: Finding, tokens: Mapping[str, Token]) -> tuple[str, str] | None:
        """Expected and found, in words, where they differ."""
        found = found_in(finding, self.field)
        if self.field in ("reason", "summary"):
            return None if self.text in found else (f"… {self.text} …", found)
        wanted = number_in(self.text, finding.reading.unit, tokens) if self.field in ("value", "limit") else self.text
        return None if str(wanted) == found else (str(wanted), found)


def found_in(finding: Finding, field: str) -> str:
    """A field of a finding in the words of a test; times since the first sample."""
    reading = finding.reading
    if field == "since":
        return "none" if finding.since is None else f"{finding.since - GENESIS}s"
    values = {"verdict": finding.verdict.value, "reason": reading.reason, "summary": finding.summary}
    values |= {"value": "none" if reading.value is None else str(reading.value), "limit": str(reading.limit)}
    return values[field]


def number_in(text: str, unit: str, tokens: Mapping[str, Token]) -> str:
    """A number as written (`1200`, `12%`, `1h`, `250000 USDC`) in the reading's unit, as decimal text."""
    if unit in tokens and " " in text:
        return str(parse_amount(text, dict(tokens)).units)
    kinds = {"bps": parse_bps, "s": parse_duration, "seconds": parse_duration}
    for parse in (parse_integer, *([kinds[unit]] if unit in kinds else [])):
        try:
            return str(parse(text))
        except ValueError:
            continue
    return text


def parse_since(text: str) -> str:
    """`48s` or `none`, as the finding's since is said."""
    return text if text == "none" else f"{parse_duration(text)}s"


KINDS: dict[str, Kind] = {
    "verdict": one_of("verdict", *(one.value for one in Verdict)),
    "since": Kind("duration", parse_since),
}
ANY = Kind("text", parse_text)


def read_expectations(document: Document, bound: Bound, interval: int, tables: Sequence[Table]) -> Iterator[Expected]:
    """Everything a case expects; problems are noted."""
    for table in tables:
        at = time_of(document, table, interval)
        for name, entry in table.entries.items():
            if name == "at":
                continue
            if name not in bound.checks:
                hint = did_you_mean(name, bound.checks).removeprefix("; ")
                document.wrong(entry.key.place, "unknown-check", f"{name!r} is no check of {bound.runbook.id}", hint)
            elif at is not None:
                for field, node in tells(document, entry.value):
                    text = scalar(document, KINDS.get(field, ANY), node)
                    if text is not None:
                        yield Expected(at // interval, at, name, field, text, node.place)


def time_of(document: Document, table: Table, interval: int) -> int | None:
    """The time of an expectation (s), or None with the problem noted."""
    if "at" not in table.entries:
        document.wrong(table.place, "missing-key", "'at' is missing")
        return None
    node = table.entries["at"].value
    text = scalar(document, Kind("duration", lambda one: str(parse_duration(one))), node)
    if text is not None and int(text) % interval:
        document.wrong(node.place, "bad-value", f"{int(text)}s is no multiple of the interval, {interval}s")
        return None
    if text is not None and int(text) // interval >= MOST_JUDGED:
        document.wrong(node.place, "bad-value", f"at most {MOST_JUDGED:,} samples are judged: use a longer interval")
        return None
    return None if text is None else int(text)


def tells(document: Document, node: Node) -> Iterator[tuple[str, Node]]:
    """Field and value: a word alone is the verdict."""
    if not isinstance(node, Table):
        yield "verdict", node
        return
    for field, entry in node.entries.items():
        if field in TELLS:
            yield field, entry.value
        else:
            hint = did_you_mean(field, TELLS).removeprefix("; ") or f"known: {', '.join(TELLS)}"
            document.wrong(entry.key.place, "unknown-key", f"{field!r} is no key here", hint)


def scalar(document: Document, kind: Kind, node: Node) -> str | None:
    """A scalar of a kind as text, or None with the problem noted."""
    if not isinstance(node, Text):
        document.wrong(node.place, "wrong-type", f"{kind.name} is needed here, not a list or a mapping")
        return None
    try:
        return str(kind.parse(node.value))
    except ValueError as problem:
        document.wrong(node.place, "bad-value", f"{node.value!r} is no {kind.name}: {problem}")
        return None
