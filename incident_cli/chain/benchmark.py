"""A number from an HTTPS JSON service, held against the chain: it belongs to no block."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import Decimal, localcontext

from incident_cli.chain.answers import Answer
from incident_cli.errors import IncidentError
from incident_cli.evm import BenchmarkRead, Missing
from incident_cli.strict_json import DEPTH_LIMIT, refuse_constant, refuse_depth, without_duplicates
from incident_cli.text import plain
from incident_cli.web import fetch

SCALE = 18
UNIT: int = 10**SCALE
DIGITS = 78  # of a number that a contract could hold
NUMBER = re.compile(r"-?[0-9]{1,78}(?:\.[0-9]{1,78})?(?:[eE][+-]?[0-9]{1,2})?")
INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
EARLIEST_MILLISECONDS = 10**11  # as seconds that would be the year 5138
Found = None | bool | int | str | Decimal | list["Found"] | dict[str, "Found"]


def read_benchmark(read: BenchmarkRead) -> Answer:
    """The number in units of 10^-18 and its time (seconds since the epoch, or None); Missing with the reason."""
    name = plain(read.name, 80)
    try:
        body = parse_exact(fetch(read.url, name))
        time = seconds(at_pointer(body, read.time_pointer)) if read.time_pointer else None
        return units(at_pointer(body, read.pointer)), time
    except IncidentError as problem:
        return Missing(problem.message)
    except ValueError as problem:
        return Missing(f"{name}: {plain(problem, 200)}")


def parse_exact(content: bytes) -> Found:
    """Strict JSON with its numbers as they are written, never as floats; raises ValueError."""
    refuse_depth(content, DEPTH_LIMIT)
    try:
        found: Found = json.loads(
            content.decode(),
            object_pairs_hook=without_duplicates,
            parse_constant=refuse_constant,
            parse_float=sane,
            parse_int=sane,
        )
    except (ValueError, RecursionError):
        raise ValueError("it did not answer with sound JSON") from None
    return found


def number(text: str) -> Decimal:
    """A decimal number of a sane size; raises ValueError."""
    if not NUMBER.fullmatch(text):
        raise ValueError("a number is needed, with no more than 78 digits")
    return Decimal(text)


def sane(text: str) -> Decimal | None:
    """The same for a number that may not be the one asked for: None where it is no such number."""
    return Decimal(text) if NUMBER.fullmatch(text) else None


def at_pointer(found: Found, pointer: str) -> Found:
    """The value that a JSON pointer (RFC 6901) names; raises ValueError."""
    if pointer and not pointer.startswith("/"):
        raise ValueError("a JSON pointer begins with /")
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict) and key in found:
            found = found[key]
        elif isinstance(found, list) and INDEX.fullmatch(key) and int(key) < len(found):
            found = found[int(key)]
        else:
            raise ValueError(f"its answer has nothing at {pointer}")
    return found


def units(found: Found) -> int:
    """A JSON number or a decimal string in units of 10^-18, what is smaller cut off; raises ValueError."""
    value = number(found) if isinstance(found, str) else found
    if not isinstance(value, Decimal):
        raise ValueError("its answer has no number at the pointer")
    with localcontext() as context:
        context.prec = 4 * DIGITS
        return int(value.scaleb(SCALE))


def seconds(found: Found) -> int:
    """Seconds since the epoch from seconds or milliseconds, or from an ISO 8601 time (UTC where it names no zone)."""
    if isinstance(found, str) and not NUMBER.fullmatch(found):
        try:
            time = datetime.fromisoformat(found)
        except ValueError:
            raise ValueError("its time is none") from None
        value = int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())
    else:
        value = units(found) // UNIT
    if not 0 <= value < EARLIEST_MILLISECONDS * 1_000:
        raise ValueError("its time is none")
    return value if value < EARLIEST_MILLISECONDS else value // 1_000
