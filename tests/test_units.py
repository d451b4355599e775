"""Units: what is printed is what was parsed, to the last base unit."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.units import (
    BLOCKS_LIMIT,
    Amount,
    Span,
    Token,
    format_amount,
    format_bps,
    format_duration,
    format_span,
    parse_amount,
    parse_bps,
    parse_duration,
    parse_integer,
    parse_span,
    parse_unit,
)

USDC, ETHER, WHOLE = Token("USDC", 6), Token("ETH", 18), Token("NFT", 0)
TOKENS = {one.symbol: one for one in (USDC, ETHER, WHOLE)}


@given(st.integers(0, 10**40 - 1), st.sampled_from([USDC, ETHER, WHOLE]))
@settings(max_examples=100)
def test_an_amount_is_printed_and_parsed_back_to_the_last_unit(units: int, token: Token) -> None:
    assert parse_amount(format_amount(units, token).replace(",", ""), TOKENS) == Amount(units, token)


@given(st.integers(0, 10**40 - 1), st.text("0123456789", min_size=1, max_size=18))
@settings(max_examples=100)
def test_an_amount_is_exact_beyond_the_precision_of_a_decimal(whole: int, fraction: str) -> None:
    exact = Fraction(f"{whole}.{fraction}") * 10**18
    assert parse_amount(f"{whole}.{fraction} ETH", TOKENS).units == exact


def test_amounts_are_shown_with_their_token_and_never_rounded() -> None:
    assert str(Amount(1_234_500_000, USDC)) == "1,234.50 USDC"
    assert format_amount(1, ETHER) == "0.000000000000000001 ETH"
    assert format_amount(-5_000_001, USDC) == "-5.000001 USDC"
    assert format_amount(7, WHOLE) == "7 NFT"


@pytest.mark.parametrize(
    "text", ["250000", "250000  USDC", "1.5e3 USDC", "-1 USDC", "1,000 USDC", "٣ USDC", " 1 USDC", ".5 USDC", "1. USDC"]
)
def test_an_amount_that_is_not_written_plainly_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="an amount and its token"):
        parse_amount(text, TOKENS)


def test_an_amount_with_more_decimals_than_its_token_or_an_unknown_token_is_refused() -> None:
    assert parse_amount("250_000.1000000 USDC", TOKENS) == Amount(250_000_100_000, USDC)
    with pytest.raises(ValueError, match="USDC has 6 decimals"):
        parse_amount("1.0000001 USDC", TOKENS)
    with pytest.raises(ValueError, match="not in the deployment's tokens"):
        parse_amount("1 DAI", TOKENS)


@given(st.integers(-(10**9) + 1, 10**9 - 1))
@settings(max_examples=50)
def test_basis_points_round_trip_as_bps_and_as_per_cent(bps: int) -> None:
    assert parse_bps(f"{bps} bps") == parse_bps(f"{bps}") == bps
    assert Fraction(format_bps(bps).split("(")[1].rstrip("%)")) * 100 == bps


@pytest.mark.parametrize(("text", "bps"), [("150", 150), ("150 bps", 150), ("1.5%", 150), ("0.01 %", 1), ("-3%", -300)])
def test_basis_points(text: str, bps: int) -> None:
    assert parse_bps(text) == bps
    assert type(parse_bps(text)) is int


@pytest.mark.parametrize(
    "text", ["", "1.5", "0.001%", "1.005%", "1e2", "NaN", "150 BPS", "١٥٠", "1 permille", "0.5 bps"]
)
def test_what_is_no_whole_basis_point_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="basis point"):
        parse_bps(text)


@given(st.integers(0, 99 * 86_400))
@settings(max_examples=100)
def test_a_duration_is_printed_by_its_two_largest_units(seconds: int) -> None:
    shown = format_duration(seconds)
    assert len(shown.split()) <= 2
    assert 0 <= seconds - parse_duration(shown.replace(" ", "")) < 3_600


def test_durations() -> None:
    assert [parse_duration(one) for one in ("36s", "15m", "1h30m", "30d")] == [36, 900, 5_400, 2_592_000]
    assert [format_duration(one) for one in (0, 36, 5_400, 187_200, -60)] == ["0s", "36s", "1h 30m", "2d 4h", "-1m"]


@pytest.mark.parametrize("text", ["", "5", "5 m", "1.5h", "-5m", "5w", "12:30", "٥m", "5m\n"])
def test_a_number_without_its_unit_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="a duration is needed"):
        parse_duration(text)


@pytest.mark.parametrize(
    "text", ["", "1e18", "0x10", "1.0", "1_00", "٣", "+1", "1" * 79, " 1", "1\n", "1" + "_000" * 2_000]
)
def test_whole_numbers_are_written_plainly(text: str) -> None:
    with pytest.raises(ValueError, match="a whole number is needed"):
        parse_integer(text)


@given(st.integers(-(2**255), 2**256 - 1))
@settings(max_examples=50)
def test_whole_numbers_round_trip(number: int) -> None:
    assert parse_integer(str(number)) == number
    assert number.bit_length() > 200 or parse_integer(f"{number:_}") == number


@given(
    st.builds(lambda n: Span(seconds=n), st.integers(1, 10**9))
    | st.builds(lambda n: Span(blocks=n), st.integers(1, BLOCKS_LIMIT))
)
@settings(max_examples=100)
def test_a_span_is_printed_and_parsed_back(span: Span) -> None:
    assert parse_span(format_span(span)) == span
    assert str(span) == format_span(span)


def test_spans() -> None:
    assert parse_span("1h30m") == Span(seconds=5_400)
    assert parse_span("50 blocks") == Span(blocks=50)
    assert not parse_span("0s") and parse_span("1s") and format_span(Span()) == "0s"
    assert [format_span(one) for one in (Span(blocks=1), Span(blocks=3), Span(seconds=93_784))] == [
        "1 block",
        "3 blocks",
        "1d2h3m4s",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "0 blocks",
        "01 blocks",
        "1000001 blocks",
        "9999999 blocks",
        "5blocks",
        "5  blocks",
        "-1h",
        "٣ blocks",
        "1h 5 blocks",
        "50 BLOCKS",
        "50 blocks\n",
        "1.5 blocks",
        "1h\n",
    ],
)
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"needed|a span"):
        parse_span(text)


@pytest.mark.parametrize("given_", [(1, 1), (-1, 0), (0, -1), (5, -5), (0, BLOCKS_LIMIT + 1)])
def test_a_span_is_one_of_the_two(given_: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="a span"):
        Span(*given_)


@pytest.mark.parametrize("text", ["bps", "seconds", "time", "number", "USDC", "stETH", "USDC.e", "DAI"])
def test_units_of_a_read(text: str) -> None:
    assert parse_unit(text) == text


@pytest.mark.parametrize("text", ["", "second", "times", "numbers", "1INCH", "US DC", "bp", "А", "a" * 17])
def test_what_is_no_unit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a unit is"):
        parse_unit(text)
