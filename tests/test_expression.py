"""The expression language: what it computes, what it refuses and where it says so."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.evm import Missing
from incident_cli.expression import Expression, ExpressionError, Unknown, Value, check, evaluate, parse
from incident_cli.expression_types import ANY, BPS, TRUTH, infer
from incident_cli.expression_values import with_unit
from incident_cli.units import Amount, Span, Token

USDC = Token("USDC", 6)
WETH = Token("WETH", 18)
UNKNOWN = Unknown("the feed did not answer")
LOWER = "0x" + "ab" * 20


@dataclass(frozen=True, slots=True)
class Names:
    """A resolver over given values; calls answer from a table and are remembered."""

    values: Mapping[str, Value] = field(default_factory=dict)
    calls: Mapping[str, Value] = field(default_factory=dict)
    asked: list[tuple[str, tuple[Value, ...]]] = field(default_factory=list)

    def name(self, dotted: str) -> Value:
        return self.values[dotted]

    def call(self, dotted: str, args: tuple[Value, ...]) -> Value:
        self.asked.append((dotted, args))
        return self.calls[dotted]


def value(source: str, **names: Value) -> Value:
    return evaluate(parse(source), Names({name.replace("__", "."): given for name, given in names.items()}))


def error(source: str, **names: Value) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        value(source, **names)
    return caught.value


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("-7 // 2", -4),
        ("-7.0 // 2", Decimal(-4)),
        (f"-{10**40 + 1}.0 // 2", Decimal(-(10**40 // 2 + 1))),
        ("-7 % 3", 2),
        ("-7.0 % 3", Decimal(2)),
        ("7 / 2", Decimal("3.5")),
        ("0.1 + 0.2 == 0.3", True),
        ("250_000", 250_000),
        ("1 == 1.0", True),
        ("1 < 2 < 3", True),
        ("1 < 3 < 2", False),
        ("'a' == \"a\"", True),
        ("not True or 1 != 2", True),
        ("abs(-3) + abs(2)", 5),
        ("min(3, 1.5, 2)", Decimal("1.5")),
        ("max(3, 1.5, 2)", 3),
        ("bps('1.5%') + bps(10)", 160),
        ("duration('1h30m')", 5_400),
        ("  1\n + 1\n", 2),
        ("False and 1 / 0 > 1", False),
        ("0.1 * 3", Decimal("0.3")),
    ],
)
def test_it_computes(source: str, wanted: Value) -> None:
    found = value(source)
    assert (found, type(found)) == (wanted, type(wanted))


def test_numbers_come_from_the_source_not_from_floats() -> None:
    assert value("0.1000000000000000055511151231257827021181583404541015625 == 0.1") is False
    assert value("9007199254740993.0 == 9007199254740993") is True
    assert value(f"{2**256} == {2**256 - 1}") is False


def test_names_and_reads_are_resolved() -> None:
    names = Names({"market": "ETH-USD", "before.paused": True}, {"exchange.paused": False})
    assert evaluate(parse("exchange.paused(market) or before.paused"), names) is True
    assert names.asked == [("exchange.paused", ("ETH-USD",))]


def test_functions_of_checks_are_given_the_name() -> None:
    names = Names({}, {"firing": True, "quiet_for": UNKNOWN})
    assert evaluate(parse("firing(divergence) and quiet_for(divergence, '30m')"), names) == UNKNOWN
    assert names.asked == [("firing", ("divergence",)), ("quiet_for", ("divergence", 1_800))]


def test_what_an_expression_mentions_is_known_before_it_runs() -> None:
    expression = parse("firing(divergence) and exchange.paused(market, 1 + 2) == before.paused and min(x, 2) > 1")
    assert expression.names == {"market", "before.paused", "x"}
    assert expression.checks == {"divergence"}
    assert expression.calls == (
        ("firing", ("divergence",)),
        ("exchange.paused", ("market", "1 + 2")),
        ("min", ("x", "2")),
    )
    assert expression == parse(expression.source) and hash(expression)


KLEENE: tuple[Value, ...] = (True, False, UNKNOWN)


@pytest.mark.parametrize(("left", "right"), itertools.product(KLEENE, KLEENE))
def test_kleene(left: Value, right: Value) -> None:
    both = False if left is False or right is False else UNKNOWN if UNKNOWN in (left, right) else True
    either = True if left is True or right is True else UNKNOWN if UNKNOWN in (left, right) else False
    assert value("a and b", a=left, b=right) == both
    assert value("a or b", a=left, b=right) == either
    assert value("not a", a=left) == (UNKNOWN if left == UNKNOWN else not left)
    assert value("not (a and b)", a=left, b=right) == value("not a or not b", a=left, b=right)


@pytest.mark.parametrize(
    "source", ["u == u", "u < 1", "1 + u", "-u", "abs(u)", "min(1, u)", "bps(u)", "u == 'x'", "1 < 2 < u"]
)
def test_unknown_spreads(source: str) -> None:
    assert value(source, u=UNKNOWN) == UNKNOWN


def test_a_read_of_an_unknown_is_unknown_and_not_made() -> None:
    names = Names({"market": UNKNOWN})
    assert evaluate(parse("exchange.paused(market)"), names) == UNKNOWN
    assert names.asked == []


def test_a_missing_answer_becomes_unknown() -> None:
    assert value("price > 1", price=Missing("timed\x1b out")) == Unknown("timed<U+001B> out")


def test_unknown_has_no_truth() -> None:
    with pytest.raises(TypeError):
        bool(UNKNOWN)


def test_a_decided_chain_stops_despite_an_unknown() -> None:
    assert value("1 < u < 0", u=UNKNOWN) == UNKNOWN
    assert value("3 < 2 < u", u=UNKNOWN) is False


@pytest.mark.parametrize(
    ("source", "column"),
    [
        ("flag == 1", 9),
        ("1 == flag", 6),
        ("flag < True", 8),
        ("text == 1", 9),
        ("text < 'b'", 8),
        ("usdc == 1", 9),
        ("usdc > weth", 8),
        ("usdc + weth", 8),
        ("usdc * usdc", 8),
        ("usdc * 1.5", 8),
        ("flag + 1", 8),
        ("text + text", 8),
        ("text * 3", 8),
        ("-flag", 2),
        ("-text", 2),
        ("not 1", 5),
        ("1 and flag", 1),
        ("flag and text", 10),
        ("1 / 0", 5),
        ("0.0 / 0", 7),
        ("1 % 0", 5),
        ("min(1, flag)", 1),
        ("bps('many')", 5),
        ("duration(flag)", 1),
        ("code == '0x00'", 9),
        ("code == 'abc'", 9),
        ("opaque == 1", 11),
        ("opaque < opaque", 10),
    ],
)
def test_kinds_do_not_mix(source: str, column: int) -> None:
    names: dict[str, Value] = {"flag": True, "text": "a", "code": b"\x01\x02", "opaque": object()}
    found = error(source, usdc=Amount(5, USDC), weth=Amount(5, WETH), **names)
    assert found.column == column and found.message


def test_amounts() -> None:
    names: dict[str, Value] = {"a": Amount(30, USDC), "b": Amount(12, USDC)}
    assert value("a - b", **names) == Amount(18, USDC)
    assert value("a * 2 // 7", **names) == Amount(8, USDC)
    assert value("3 * a", **names) == Amount(90, USDC)
    assert value("a / b", **names) == Decimal("2.5")
    assert value("-a < b < a", **names) is True
    assert value("abs(b - a) == max(a, b) - b", **names) is True


def test_addresses_are_compared_without_their_case() -> None:
    assert value("a == b", a=LOWER, b="0x" + "AB" * 20) is True
    assert value("a == 'x'", a="X") is False


def test_bytes_are_compared_with_hex_text() -> None:
    assert value("code == '0x0102'", code=b"\x01\x02") is True
    assert value("'0x0103' == code", code=b"\x01\x02") is False


@pytest.mark.parametrize(
    "given", [1.5, Decimal("NaN"), Decimal("Infinity"), Decimal("1e999"), 2**513, Amount(-(2**513), USDC)]
)
def test_values_out_of_the_language_are_not_admitted(given: Value) -> None:
    assert error("1 == 1 and x == x", x=given).column == 12


def test_results_are_bounded() -> None:
    assert "2**512" in error("x * x * 5", x=2**255).message
    assert error("x * x * x * x", x=Decimal(2) ** 250).message
    assert error(f"{2**256 + 1}").message


HOSTILE = [
    "",
    "   ",
    "().__class__.__bases__",
    "x.__class__",
    "x._private",
    "__import__('os')",
    "__builtins__",
    "eval('1')[0]",
    "x[0]",
    "[x for x in y]",
    "(x for x in y)",
    "any(x for x in y)",
    "{1: 2}",
    "{1}",
    "lambda: 1",
    "lambda x: 1",
    "f'{x}'",
    "b'x'",
    "r'x'",
    "'a\\x41'",
    "(x := 1)",
    "x if y else z",
    "2 ** 100",
    "9 ** 9 ** 9",
    "1 << 9",
    "1 | 2",
    "1 & 2",
    "1 ^ 2",
    "~1",
    "+1",
    "x @ y",
    "x is y",
    "x is not y",
    "x in y",
    "x not in y",
    "f(*x)",
    "f(**x)",
    "f(a=1)",
    "(1, 2)",
    "f()()",
    "f().x",
    "'a'.upper()",
    "(1).real",
    "1 .real",
    "1.real",
    "1e9",
    "1e400",
    "1j",
    "0x10",
    "0b1",
    "1_",
    "1__0",
    "007",
    "1and 2",
    "None",
    "...",
    "await x",
    "yield",
    "x; y",
    "x = 1",
    "x == 1 # comment",
    "import os",
    "x\x00",
    "x\u202e",
    "ﬁring(x)",
    "fırıng(x)",
    "'ü'",
    "`x`",
    "$x",
    "x?",
    "a && b",
    "a || b",
    "!a",
    "(" * 250,
    "-" * 400 + "1",
    "not " * 100 + "x",
    "(" * 100 + "1" + ")" * 100 + "+",
    "f(" * 60 + "1" + ")" * 60,
    "+".join(["1"] * 200),
    " or ".join(["x"] * 101),
    "1" * 500,
    "1" * 501,
    "a.b.c.d.e.f.g.h.i",
    "firing()",
    "firing('divergence')",
    "firing(1)",
    "firing(not x)",
    "firing(x._y)",
    "firing(x, y)",
    "quiet_for(x)",
    "quiet_for(x, 'soon')",
    "duration('soon')",
    "bps('1.005%')",
    "abs()",
    "abs(1, 2)",
    "min()",
    "...x",
    "async x",
    "x;",
    "(yield x)",
    "(yield from x)",
    "x[1:2]",
    "{**x}",
    "f(*x, *y)",
    "exchange.paused(market=market)",
    "exchange.paused().hidden",
    "exchange.__class__()",
    "exchange.paused.__call__()",
    "firing.__globals__",
    "amount.__class__",
    "'' 'b' in x",
    "'%s' % x if x else y",
    "print(x) or del x",
    '"""a""" == x',
    "u'x'",
    "rb'x'",
    "'a' 'b\\n'",
    "1" * 78 + "_" * 3,
    f"{2**256 + 1}",
    "1.0.0",
    "0777",
    "0o777",
    ".5",
    "x<>y",
    "x -> y",
    "x: y",
    "@x",
    "~x",
    "not",
    "and",
    "x y",
    "()",
    "[]",
    "[*x]",
    "match x",
    "True()",
    "True.x",
    "lambda",
    "x\\\ny",
    "\ufeffx",
    "x\x1b[2J",
    "ｘ",
    "<".join(["x"] * 101),
    " < ".join(["x"] * 500),
    "((((((((((((((((((((((-1" + ")" * 22 + ".x",
    "ago()",
    "ago(1, '1h')",
    "ago(x, '1h')",
    "ago('x.y()', '1h')",
    "ago(x.y(), x.y())",
    "ago(x.y(), 50)",
    "ago(x.y(), '0s')",
    "ago(x.y(), '0 blocks')",
    "ago(x.y(), '1000001 blocks')",
    "ago(x.y(), '-1 blocks')",
    "ago(x.y(), '1h', 2)",
    "ago(x.y() + 1, '1h')",
    "ago(ago(x.y(), '1h'), '1h')",
    "ago(firing(x), '1h')",
    "ago(abs(1), '1h')",
    "ago(amount('1 USDC'), '1h')",
    "ago(x.y(a=1), '1h')",
    "ago(x.y(*a), '1h')",
    "ago(*x, '1h')",
    "ago(x._y(), '1h')",
    "ago(x()(), '1h')",
    "amount()",
    "amount(5)",
    "amount(x)",
    "amount('5')",
    "amount('USDC')",
    "amount('1e6 USDC')",
    "amount('-1 USDC')",
    "amount('1 USDC' )()",
    "amount('1', 'USDC')",
]


@pytest.mark.parametrize("source", HOSTILE)
def test_what_is_not_in_the_language_is_refused(source: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(source)
    assert 1 <= caught.value.column <= max(1, len(source))
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("source", ["-" * 15 + "1", "(" * 100 + "1" + ")" * 100, " or ".join(["x"] * 99), "1" * 77])
def test_what_is_within_the_bounds_is_read(source: str) -> None:
    assert isinstance(parse(source), Expression)


def test_columns_survive_leading_blanks_and_line_breaks() -> None:
    assert error("  \n x ==\n  'a'", x=1).column == 12
    assert error("   foo").column == 4


def test_hints_name_the_usual_slips() -> None:
    assert "==" in error("x = 1").hint
    assert "quotes" in error("0x10").hint
    assert "`and`" in error("a && b").hint


def checked(source: str, checks: tuple[str, ...] | None = ("divergence",)) -> list[tuple[str, int, str]]:
    known = check(parse(source), {"market", "before.paused"}, {"exchange.paused": 1, "exchange.sum": -1}, checks)
    return [(one.message, one.column, one.hint) for one in known]


def test_check_reports_every_error_at_once() -> None:
    found = checked("firng(x) and firing(divergance) and exchange.pausd(markt) and before.paused(market)")
    assert [column for _, column, _ in found] == [1, 7, 21, 37, 52, 63]
    assert "`divergence`" in found[2][2] and "`exchange.paused`" in found[3][2] and "`market`" in found[4][2]
    assert found[0][2] == "did you mean `firing`?"
    assert found[5][2] == "write `before.paused`"


def test_check_counts_arguments() -> None:
    assert checked("exchange.paused(market) and exchange.sum(1, 2)") == []
    assert "takes 1 argument, here it has 0" in checked("exchange.paused()")[0][0]


def test_check_knows_where_checks_may_be_asked_about() -> None:
    assert checked("firing(divergence)") == []
    assert checked("firing(divergence)", None)[0][1] == 1


def test_ago_asks_for_the_past_of_a_read_with_the_arguments_of_now() -> None:
    names = Names({"market": "ETH-USD", "u": UNKNOWN}, {"ago": 7, "exchange.open": 9})
    assert evaluate(parse("ago(exchange.open(market, 1 + 1), '50 blocks') < exchange.open(market)"), names) is True
    assert names.asked == [
        ("ago", ("exchange.open", ("ETH-USD", 2), "50 blocks")),
        ("exchange.open", ("ETH-USD",)),
    ]
    assert evaluate(parse("ago(exchange.open(u), '1h')"), names) == UNKNOWN
    assert len(names.asked) == 2
    assert evaluate(parse("ago(exchange.open(), '1h') > 1"), Names({}, {"ago": UNKNOWN})) == UNKNOWN


def test_the_reads_of_an_expression_are_listed_and_those_of_the_past_are_told_apart() -> None:
    expression = parse("ago(exchange.open(), '1h') > exchange.open() and firing(x) and abs(1) < 2")
    assert [(one.name, one.span) for one in expression.reads] == [
        ("exchange.open", Span(seconds=3_600)),
        ("exchange.open", None),
    ]
    assert [name for name, _ in expression.calls] == ["ago", "exchange.open", "exchange.open", "firing", "abs"]


def test_check_looks_into_ago() -> None:
    assert checked("ago(exchange.paused(market), '1h')") == []
    assert [
        column for _, column, _ in checked("ago(exchange.pausd(markt), '1h') and ago(exchange.paused(), '1h')")
    ] == [
        5,
        20,
        42,
    ]


def test_an_amount_is_given_by_its_text() -> None:
    names = Names({"held": Amount(3, USDC)}, {"amount": Amount(5, USDC)})
    assert evaluate(parse("held < amount('0.000005 USDC')"), names) is True
    assert names.asked == [("amount", ("0.000005 USDC",))]
    assert checked("amount('1 USDC') == 0") == []
    assert parse("amount('1 USDC') < x and y > amount(  ( \"2.5 WETH\" ))").amounts == ("1 USDC", "2.5 WETH")
    assert error("amount(5)").column == 8 and "amount('250000 USDC')" in error("amount(5)").hint


def test_nothing_is_nothing_of_every_token() -> None:
    assert value("usdc > 0 and 0 < usdc and usdc + 0 == usdc and max(0, usdc) == usdc", usdc=Amount(5, USDC)) is True
    assert value("usdc - usdc == 0", usdc=Amount(5, USDC)) is True


def test_amounts_of_one_token_are_divided_into_whole_times_and_a_rest() -> None:
    names: dict[str, Value] = {"a": Amount(30, USDC), "b": Amount(12, USDC), "w": Amount(12, WETH)}
    assert value("a // b", **names) == 2
    assert value("a % b", **names) == Amount(6, USDC)
    assert "division by zero" in error("a // (b - b)", **names).message
    assert (error("a // w", **names).column, error("a % w", **names).column) == (6, 5)


def test_ids_are_compared_without_their_case() -> None:
    assert value("a == b", a="0x" + "ab" * 32, b="0x" + "AB" * 32) is True


def test_a_unit_makes_an_amount_of_a_number() -> None:
    tokens = {"USDC": USDC}
    assert with_unit(7, "USDC", tokens) == Amount(7, USDC)
    assert [with_unit(7, unit, tokens) for unit in (None, "bps", "seconds", "time", "number")] == [7] * 5
    assert with_unit(UNKNOWN, "USDC", tokens) is UNKNOWN
    assert with_unit(Missing("gone"), "USDC", tokens) == Missing("gone")
    assert with_unit(True, "USDC", tokens) is True
    assert with_unit(7, "DAI", tokens) == Unknown("the deployment has no token DAI, in which this is counted")


def test_no_part_is_evaluated_twice() -> None:
    names = Names({}, {"r": UNKNOWN})
    assert evaluate(parse(f"max({','.join(['r()'] * 98)})"), names) == UNKNOWN
    assert len(names.asked) == 98


def parses(source: str) -> Expression | None:
    try:
        return parse(source)
    except ExpressionError:
        return None


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=80) | st.text(alphabet="xu01.,()'\"+-*/%<>=!_ andortfiqe\\\n[]{}:", max_size=60))
def test_arbitrary_text_never_escapes(source: str) -> None:
    expression = parses(source)
    if expression is not None:
        check(expression, (), {})
        infer(expression, {"x": BPS, "u": ANY}, {}, TRUTH)


leaves = st.sampled_from(["x", "u", "a.b", "1", "0", "0.5", "True", "False", "'t'", "usdc", "code", f"{2**255}"])


def combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    symbols = st.sampled_from(["+", "-", "*", "/", "//", "%", "==", "!=", "<", "<=", ">", ">=", "and", "or"])
    return (
        st.builds(lambda a, op, b: f"({a} {op} {b})", inner, symbols, inner)
        | st.builds(lambda op, a: f"({op} {a})", st.sampled_from(["not", "-"]), inner)
        | st.builds(lambda f, a, b: f"{f}({a}, {b})", st.sampled_from(["min", "max", "read"]), inner, inner)
        | st.builds(lambda f, a: f"{f}({a})", st.sampled_from(["abs", "bps", "duration"]), inner)
    )


@settings(max_examples=400, deadline=None)
@given(st.recursive(leaves, combined, max_leaves=20))
def test_any_expression_gives_a_value_or_an_error_with_its_column(source: str) -> None:
    names: dict[str, Value] = {"x": 3, "u": UNKNOWN, "a.b": True, "usdc": Amount(7, USDC), "code": b"\x01"}
    try:
        found = evaluate(parse(source), Names(names, {"read": 5}))
    except ExpressionError as problem:
        assert 1 <= problem.column <= len(source)
        return
    assert isinstance(found, bool | int | Decimal | str | bytes | Unknown | Amount)


numbers = st.integers(-(10**30), 10**30)


@settings(max_examples=100, deadline=None)
@given(numbers, numbers, st.sampled_from(["//", "%"]), st.booleans())
def test_division_rounds_down_for_both_kinds_of_number(left: int, right: int, symbol: str, decimal: bool) -> None:
    if right == 0:
        assert error(f"a {symbol} b", a=left, b=right).column == 6
        return
    whole = left // right if symbol == "//" else left % right
    assert value(f"a {symbol} b", a=Decimal(left) if decimal else left, b=right) == whole
