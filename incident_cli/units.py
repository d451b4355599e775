"""Units of the field: basis points, token amounts, durations and block counts; parsed from text, printed for people.

Money and ratios are integers: base units of a token, basis points (1 bps = 1/10,000), seconds. Nothing here is a
float, and a number without its unit is refused where a unit is needed.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from decimal import Decimal

BPS = 10_000
SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
DURATION = re.compile(r"(?:[0-9]{1,9}[smhd])+")
PART = re.compile(r"([0-9]+)([smhd])")
AMOUNT = re.compile(
    r"(?P<whole>[0-9]{1,40}(?:_[0-9]{3}){0,20})(?:\.(?P<fraction>[0-9]{1,36}))? (?P<token>[A-Za-z][A-Za-z0-9.+-]{0,15})"
)
TOKEN = re.compile(r"[A-Za-z][A-Za-z0-9.+-]{0,15}")
INTEGER = re.compile(r"-?[0-9]{1,78}(?:_[0-9]{3}){0,25}")
BLOCKS = re.compile(r"([1-9][0-9]{0,6}) blocks?")
BLOCKS_LIMIT = 1_000_000
UNIT_WORDS = ("bps", "seconds", "time", "number")  # what a read's number may mean besides base units of a token
BASIS_POINTS = re.compile(r"(-?[0-9]{1,9}(?:\.[0-9]{1,2})?) ?(bps|%)?")


@dataclass(frozen=True, slots=True)
class Token:
    """A token's symbol and its number of decimals."""

    symbol: str
    decimals: int


@dataclass(frozen=True, slots=True, order=True)
class Amount:
    """`units` base units of a token."""

    units: int
    token: Token

    def __str__(self) -> str:
        return format_amount(self.units, self.token)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the past, or of a condition's lasting: seconds of block time or a number of blocks, never both.
    Without either it is falsy: now, or at once."""

    seconds: int = 0
    blocks: int = 0

    def __post_init__(self) -> None:
        if self.seconds < 0 or self.blocks < 0 or (self.seconds and self.blocks):
            raise ValueError("a span is a number of seconds or a number of blocks, not both")
        if self.blocks > BLOCKS_LIMIT:
            raise ValueError(f"a span has at most {BLOCKS_LIMIT:,} blocks")

    def __bool__(self) -> bool:
        return bool(self.seconds or self.blocks)

    def __str__(self) -> str:
        return format_span(self)


NO_SPAN = Span()


def parse_integer(text: str) -> int:
    """`1000`, `-3`, `250_000`; raises ValueError."""
    if not INTEGER.fullmatch(text):
        raise ValueError("a whole number is needed, such as 250000")
    return int(text.replace("_", ""))


def parse_bps(text: str) -> int:
    """`150`, `150 bps` or `1.5%` as basis points; raises ValueError."""
    match = BASIS_POINTS.fullmatch(text)
    if match is None:
        raise ValueError("basis points are needed, such as 150 bps or 1.5%")
    number = Decimal(match.group(1)) * (100 if match.group(2) == "%" else 1)
    if number != int(number):
        raise ValueError("a basis point is the smallest step: 0.01%")
    return int(number)


def parse_duration(text: str) -> int:
    """`36s`, `15m`, `1h30m`, `30d` in seconds; raises ValueError."""
    if not DURATION.fullmatch(text):
        raise ValueError("a duration is needed, such as 36s, 15m, 1h30m or 30d")
    return sum(int(number) * SECONDS[unit] for number, unit in PART.findall(text))


def parse_span(text: str) -> Span:
    """`36s`, `1h30m` or `50 blocks`; `0s` is falsy; raises ValueError."""
    match = BLOCKS.fullmatch(text)
    if match is not None:
        return Span(blocks=int(match.group(1)))
    if not DURATION.fullmatch(text):
        raise ValueError("a duration or a number of blocks is needed, such as 36s, 1h30m or 50 blocks")
    return Span(seconds=parse_duration(text))


def parse_unit(text: str) -> str:
    """What a number means: `bps`, `seconds`, `time`, `number`, or the symbol of a token; raises ValueError."""
    if text in UNIT_WORDS:
        return text
    near = difflib.get_close_matches(text, UNIT_WORDS, 1)
    if not TOKEN.fullmatch(text) or near:
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"a unit is {', '.join(UNIT_WORDS)} or a token such as USDC{hint}")
    return text


def parse_amount(text: str, tokens: dict[str, Token]) -> Amount:
    """`250000 USDC` in base units of a token the deployment names; raises ValueError."""
    match = amount_parts(text)
    token = tokens.get(match.group("token"))
    if token is None:
        raise ValueError(f"the token {match.group('token')} is not in the deployment's tokens")
    fraction = (match.group("fraction") or "").rstrip("0")
    if len(fraction) > token.decimals:
        raise ValueError(f"{token.symbol} has {token.decimals} decimals, this has more")
    return Amount(int(match.group("whole").replace("_", "") + fraction.ljust(token.decimals, "0")), token)


def amount_parts(text: str) -> re.Match[str]:
    """The parts `whole`, `fraction` and `token` of an amount, whatever tokens there are; raises ValueError."""
    match = AMOUNT.fullmatch(text)
    if match is None:
        raise ValueError("an amount and its token are needed, such as 250000 USDC")
    return match


def format_amount(units: int, token: Token) -> str:
    """`1,234.50 USDC`: at least two decimals where the token has them, and never rounded."""
    sign, digits = ("-" if units < 0 else ""), str(abs(units)).rjust(token.decimals + 1, "0")
    whole, fraction = digits[: len(digits) - token.decimals], digits[len(digits) - token.decimals :]
    shown = fraction.rstrip("0").ljust(min(2, token.decimals), "0")
    return f"{sign}{int(whole):,}{'.' + shown if shown else ''} {token.symbol}"


def format_bps(bps: int | Decimal) -> str:
    """`150 bps (1.50%)`."""
    return f"{bps} bps ({Decimal(bps) / 100:.2f}%)"


def format_duration(seconds: int) -> str:
    """`36s`, `15m`, `1h 30m`, `2d 4h`: the two largest units."""
    if seconds < 0:
        return f"-{format_duration(-seconds)}"
    parts: list[str] = []
    for unit, size in sorted(SECONDS.items(), key=lambda pair: -pair[1]):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2]) or "0s"


def format_span(span: Span) -> str:
    """`50 blocks`, `1 block`, or the whole duration as `1d2h5s`: what `parse_span` reads back."""
    if span.blocks:
        return f"{span.blocks} block{'' if span.blocks == 1 else 's'}"
    parts, rest = [], span.seconds
    for unit, size in sorted(SECONDS.items(), key=lambda pair: -pair[1]):
        count, rest = divmod(rest, size)
        parts.append(f"{count}{unit}" if count else "")
    return "".join(parts) or "0s"
