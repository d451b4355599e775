"""A finding in words: values with their units, prices, and the summary line of a check.

A unit of the form `10^-2 sigma` or `10^-6 USDC` means that whole numbers of it are shown with a point.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from incident_cli.checks.check import Reading, SourceReading
from incident_cli.text import plain

PRICE_DECIMALS = 18
FRACTION = re.compile(r"10\^-([1-9][0-9]?) (.+)")
PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")
LONGEST_SUMMARY = 300


def render_summary(template: str, reading: Reading, finds: Iterable[str] = ()) -> str:
    """The display template with `{source}`, `{value}`, `{limit}` and what the check `finds` filled in, once.

    It is only ever text on a screen. What was not found is `none`.
    """
    values = {one.name: describe_source(one) for one in reading.sources}
    values |= {**dict.fromkeys(finds, "none"), **{one.name: one.text for one in reading.found}}
    values |= {"value": describe(reading.value, reading.unit), "limit": describe(reading.limit, reading.unit)}
    return plain(PLACEHOLDER.sub(lambda one: values.get(one.group(1), one.group()), template), LONGEST_SUMMARY)


def to_the_limit(reading: Reading) -> Reading:
    """The reading; where it trips by less than its whole number shows, its reason says so."""
    if not reading.holds or reading.value != reading.limit:
        return reading
    limit = describe(reading.limit, reading.unit)
    return replace(reading, reason=f"{reading.reason}, a little more than {limit}")


def describe(value: int | None, unit: str) -> str:
    """A number with its unit (`150 bps`; 612 of `10^-2 sigma` is `6.12 sigma`), or `unknown`."""
    if value is None:
        return "unknown"
    scaled = FRACTION.fullmatch(unit)
    if scaled is None:
        return f"{value:,} {unit}".rstrip()
    places = int(scaled.group(1))
    return f"{decimal(value, places, min(2, places))} {scaled.group(2)}"


def decimal(value: int, places: int, least: int) -> str:
    """A whole number of 10^-places with its point: at least `least` decimals, and never rounded."""
    whole, fraction = divmod(abs(value), 10**places)
    digits = f"{fraction:0{places}d}".rstrip("0").ljust(least, "0")
    return f"{'-' if value < 0 else ''}{whole:,}{'.' + digits if digits else ''}"


def describe_source(source: SourceReading) -> str:
    """`feed 3,900.00`, or the problem."""
    if source.value is None:
        return f"{source.name} unknown ({source.problem})"
    return f"{source.name} {describe_price(source.value)}"


def describe_price(price: int) -> str:
    """A price (10^-18), rounded down: `3,900.00`, `0.9985`, `0.00001234`: two decimals and four digits at least."""
    digits = len(str(abs(price)))
    shown = max(2, min(PRICE_DECIMALS, PRICE_DECIMALS + 4 - digits))  # decimals that leave four digits
    return decimal(price // 10 ** (PRICE_DECIMALS - shown), shown, 2)
