"""The types of expressions: what is wrong at load, at which operand, and that nothing else is wrong at run time."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.expression import ExpressionError, Unknown, Value, check, evaluate, parse
from incident_cli.expression_types import (
    ADDRESS,
    ANY,
    BPS,
    BYTES,
    MARKET,
    NUMBER,
    SECONDS,
    TEXT,
    TIME,
    TRUTH,
    Call,
    Type,
    amount_of,
    call_of,
    infer,
    type_of_abi,
    type_of_parameter,
)
from incident_cli.protocols.protocol import load_protocol
from incident_cli.units import Amount, Token, parse_amount

USDC, WETH = Token("USDC", 6), Token("WETH", 18)
TOKENS = {"USDC": USDC, "WETH": WETH}
UNKNOWN = Unknown("the feed did not answer")
CHECKSUMMED = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
ID = "0x" + "ab" * 32

NAMES: Mapping[str, Type] = {
    "market": MARKET,
    "max": BPS,
    "wait": SECONDS,
    "count": NUMBER,
    "cap": type_of_parameter("amount"),
    "now": TIME,
    "who": ADDRESS,
    "id": type_of_parameter("bytes32"),
    "flag": TRUTH,
    "anything": ANY,
}
CALLS: Mapping[str, Call] = {
    "exchange.fee": call_of([], ["uint16"], "bps"),
    "exchange.open": call_of([], ["uint256"], "USDC"),
    "exchange.held": call_of([], ["uint256"], "WETH"),
    "exchange.raw": call_of([], ["uint256"]),
    "exchange.period": call_of([], ["uint256"], "seconds"),
    "exchange.since": call_of(["bytes32"], ["uint256"], "time"),
    "exchange.paused": call_of(["bytes32"], ["bool"]),
    "exchange.quote": call_of(["uint256", "address", "bool"], ["int256"], "USDC"),
    "exchange.owner": call_of([], ["address"]),
    "exchange.version": call_of([], ["string"]),
    "exchange.code": call_of([], ["bytes32"]),
    "exchange.selector": call_of([], ["bytes4"]),
    "exchange.owners": call_of([], ["address[]"]),
    "exchange.round": call_of([], ["uint80", "int256"]),
}


def columns(source: str) -> list[int]:
    return [one.column for one in infer(parse(source), NAMES, CALLS).errors]


SOUND = [
    ("exchange.fee() > bps('1.5%')", TRUTH),
    ("exchange.fee() > bps(150) and exchange.fee() <= max", TRUTH),
    ("exchange.fee() >= 0 and exchange.open() > 0 and wait > 0 and exchange.since(id) > 0", TRUTH),
    ("exchange.raw() > 150", TRUTH),
    ("exchange.open() < amount('250000 USDC')", TRUTH),
    ("exchange.open() < cap and exchange.held() < cap", TRUTH),
    ("ago(exchange.open(), '1h') - exchange.open()", amount_of("USDC")),
    ("ago(exchange.paused(market), '50 blocks')", TRUTH),
    ("exchange.open() * max // 10_000", amount_of("USDC")),
    ("max * exchange.open() // 10_000 + exchange.open()", amount_of("USDC")),
    ("exchange.open() * max * max // 10_000 // 10_000 > cap", TRUTH),
    ("exchange.raw() * max // 10_000 > exchange.raw()", TRUTH),
    ("bps((exchange.open() - cap) * 10_000 // exchange.open()) > max", TRUTH),
    ("exchange.open() * wait <= cap * exchange.period()", TRUTH),
    ("exchange.open() / amount('1 USDC') < 0.5", TRUTH),
    ("exchange.open() // 2 * count", amount_of("USDC")),
    ("exchange.open() % cap", amount_of("USDC")),
    ("now - exchange.since(market)", SECONDS),
    ("now - wait", TIME),
    ("wait + now > exchange.since(id) + duration('1h')", TRUTH),
    ("now - exchange.since(id) > duration(wait * 2)", TRUTH),
    ("now % duration('1d') > duration('9h') and now // 86_400 > 5", TRUTH),
    ("2 * max + max / 2 - max % 3", BPS),
    ("wait / exchange.period()", NUMBER),
    ("0.5 * wait", SECONDS),
    ("abs(-max)", BPS),
    ("min(max, bps(5), 0)", BPS),
    ("max(0, exchange.open())", amount_of("USDC")),
    ("min(now, exchange.since(id))", TIME),
    ("exchange.owner() == who", TRUTH),
    ("quiet_for(x, '30m') and firing_for(x, wait) and quiet_for(x, 60) or unknown(x)", TRUTH),
    (f"exchange.owner() == '{CHECKSUMMED}' or who == '{CHECKSUMMED.lower()}'", TRUTH),
    (f"exchange.code() == '{ID}' and id == exchange.code()", TRUTH),
    ("exchange.version() == '1.4.1'", TRUTH),
    ("exchange.owners() == ago(exchange.owners(), '1h') or exchange.round() != exchange.round()", TRUTH),
    (f"exchange.quote(exchange.open(), '{CHECKSUMMED}', flag) + exchange.quote(5, who, True)", amount_of("USDC")),
    (f"exchange.paused(id) or exchange.paused('{ID}')", TRUTH),
    ("market == market and not flag == True", TRUTH),
    ("anything + 1 > max or anything or anything == market", TRUTH),
    ("undeclared > max and undeclared.read(1) + exchange.open() == 0", TRUTH),
    ("exchange.fee() / 10_000 < 0.015", TRUTH),
]


@pytest.mark.parametrize(("source", "wanted"), SOUND)
def test_what_goes_together_has_a_type(source: str, wanted: Type) -> None:
    found = infer(parse(source), NAMES, CALLS, wanted)
    assert (found.type, found.errors) == (wanted, ())


WRONG = [
    ("exchange.fee() > amount('1 USDC')", 18),
    ("amount('1 USDC') > exchange.fee()", 20),
    ("exchange.fee() > 150", 18),
    ("150 < exchange.fee()", 1),
    ("exchange.fee() > '1.5%'", 18),
    ("exchange.fee() > -5", 18),
    ("exchange.fee() > 0.5", 18),
    ("wait < max", 8),
    ("wait < 60", 8),
    ("wait < '60s'", 8),
    ("wait == now", 9),
    ("now > 5", 7),
    ("now + 5", 7),
    ("now + now", 7),
    ("wait - now", 8),
    ("0 - now", 1),
    ("now * 2", 7),
    ("-now", 2),
    ("-flag", 2),
    ("-'a'", 2),
    ("abs(now)", 5),
    ("abs(flag)", 5),
    ("exchange.version() == 5", 23),
    ("exchange.version() > 'a'", 22),
    ("exchange.version() == market", 23),
    ("exchange.open() < 250000", 19),
    ("exchange.open() < exchange.raw()", 19),
    ("exchange.open() < exchange.held()", 19),
    ("exchange.open() + exchange.held()", 19),
    ("exchange.open() / exchange.held()", 19),
    ("exchange.open() * exchange.open()", 19),
    ("exchange.open() * 1.5", 19),
    ("exchange.open() * (exchange.raw() / 2)", 20),
    ("exchange.open() / 2", 19),
    ("exchange.open() % 2", 19),
    ("2 // exchange.open()", 6),
    ("exchange.open() * max > cap", 25),
    ("exchange.open() + 1", 19),
    ("amount('1 USDC') == amount('1 WETH')", 21),
    ("not 5", 5),
    ("not exchange.fee()", 5),
    ("firing(x) + 1", 1),
    ("1 + firing(x)", 5),
    ("count and flag", 1),
    ("flag or exchange.open()", 9),
    ("flag == 1", 9),
    ("flag < flag", 8),
    ("market > market", 10),
    ("market == 'ETH-USD'", 11),
    ("who == '0x12'", 8),
    (f"who == '{CHECKSUMMED.replace('5aA', '5Aa')}'", 8),
    ("who > who", 7),
    ("exchange.code() == '0x12'", 20),
    ("exchange.code() == 'abc'", 20),
    ("exchange.code() == exchange.selector()", 20),
    ("exchange.owners() == exchange.round()", 22),
    ("exchange.owners() == who", 22),
    ("exchange.round() > 5", 20),
    ("'a' + 'b'", 1),
    ("1 + '1'", 5),
    ("min(1, max)", 5),
    ("min(flag, flag)", 5),
    ("max(exchange.open(), exchange.held())", 22),
    ("max(0, 'a')", 8),
    ("bps(wait)", 5),
    ("bps(1.5)", 5),
    ("bps(count / 2)", 5),
    ("bps(exchange.version())", 5),
    ("duration(max)", 10),
    ("bps(max % 1.5)", 5),
    ("exchange.quote(now % 1.5, who, flag)", 16),
    ("exchange.quote(now + wait / 2, who, flag)", 16),
    ("quiet_for(x, max)", 14),
    ("quiet_for(x, count / 2)", 14),
    ("exchange.paused(5)", 17),
    ("exchange.paused(who)", 17),
    ("exchange.paused('ETH-USD')", 17),
    ("ago(exchange.paused(max), '1h')", 21),
    ("exchange.quote(market, who, flag)", 16),
    ("exchange.quote(-1, who, flag)", 16),
    ("exchange.quote(1 / 2, who, flag)", 16),
    ("exchange.quote(1, market, flag)", 19),
    ("exchange.quote(1, '0x12', flag)", 19),
    ("exchange.quote(1, who, 1)", 24),
    ("1 < exchange.fee() < 2", 1),
]


@pytest.mark.parametrize(("source", "column"), WRONG)
def test_what_does_not_go_together_is_an_error_at_its_operand(source: str, column: int) -> None:
    assert columns(source)[0] == column
    for one in infer(parse(source), NAMES, CALLS).errors:
        assert one.message.isprintable() and len(one.message) < 300 and len(one.hint) < 300


def test_every_wrong_operand_is_told_at_once() -> None:
    assert columns("1 < exchange.fee() < 2 and not 5 or exchange.paused(1) and count") == [1, 22, 32, 53, 60]
    assert columns("exchange.fee() + 1 == wait") == [18]  # one slip is one error


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("exchange.fee() > 150", "write bps(150) or bps('1.5%')"),
        ("exchange.fee() > 0.5", "write bps('1.5%')"),
        ("exchange.open() < 250000", "write amount('250000 USDC')"),
        ("cap < 5", "write amount('250000 USDC')"),
        ("exchange.held() < 5", "write amount('250000 WETH')"),
        ("wait < 60", "write duration(60) or duration('1h')"),
        ("wait < '30m'", "write duration('30m')"),
        ("now + 5", "write duration(5) to add it; an age is `now() - …`, compared with duration('1h')"),
        (
            "exchange.fee() > amount('1 USDC')",
            "both sides must be of one kind: `exchange.fee()` is bps, `amount('1 USDC')` is an amount of USDC",
        ),
        ("exchange.open() < exchange.raw()", "unless its protocol file declares `unit:`"),
        ("exchange.open() * max > cap", "divided by 10_000"),
        ("exchange.fee() and flag", "compare it, as in `exchange.fee() > …`"),
    ],
)
def test_hints_say_what_to_write(source: str, hint: str) -> None:
    assert hint in infer(parse(source), NAMES, CALLS).errors[0].hint


def test_a_place_wants_a_type() -> None:
    found = infer(parse(" exchange.fee()"), NAMES, CALLS, TRUTH)
    assert [(one.column, one.message) for one in found.errors] == [
        (2, "True or False is needed here, `exchange.fee()` is bps")
    ]
    assert infer(parse("anything"), NAMES, CALLS, TRUTH).errors == ()
    assert infer(parse("exchange.fee()"), NAMES, CALLS, BPS).errors == ()


def test_types_come_from_the_abi_and_its_unit() -> None:
    assert [type_of_abi("uint256", unit) for unit in (None, "number", "bps", "seconds", "time", "USDC")] == [
        NUMBER,
        NUMBER,
        BPS,
        SECONDS,
        TIME,
        amount_of("USDC"),
    ]
    assert [type_of_abi(one) for one in ("bool", "address", "string", "bytes", "bytes4")] == [
        TRUTH,
        ADDRESS,
        TEXT,
        BYTES,
        BYTES,
    ]
    assert str(type_of_abi("address[]")) == "address[]" and str(call_of([], ["uint8", "bool"]).output) == "(uint8,bool)"
    assert type_of_parameter("unheard_of") == ANY


UNIT_FILE = """
protocol: example
source: a test
slots: {pool: address}
reads:
  fee: {on: pool, call: "fee() returns (uint16)", unit: UNIT}
  paused: {on: pool, call: "paused() returns (bool)"}
"""


@pytest.mark.parametrize(
    ("old", "new", "codes"),
    [
        ("UNIT", "bps", []),
        ("UNIT", "USDC", []),
        ("(uint16)", "(int256)", []),
        ("UNIT", "secnds", ["bad-value"]),
        ("(uint16)", "(bool)", ["wrong-unit"]),
        ("(uint16)", "(uint16, uint16)", ["wrong-unit"]),
        ("(uint16)", "(uint16[])", ["wrong-unit"]),
    ],
)
def test_a_protocol_file_says_what_a_number_means(tmp_path: Path, old: str, new: str, codes: list[str]) -> None:
    file = tmp_path / "example.yaml"
    file.write_text(UNIT_FILE.replace(old, new).replace("UNIT", "bps"), "utf-8")
    protocol, document = load_protocol(file)
    assert [one.code for one in document.problems] == codes
    assert (protocol is None) is bool(codes)


VALUES: Mapping[str, Value] = {
    "max": 150,
    "wait": 3_600,
    "count": 7,
    "cap": Amount(9, USDC),
    "now": 1_700_000_000,
    "who": CHECKSUMMED,
    "id": ID,
    "flag": True,
    "market": ("ETH-USD", b"\xab" * 32),
}
ANSWERS: Mapping[str, Value] = {
    "exchange.fee": 30,
    "exchange.open": Amount(1_000, USDC),
    "exchange.held": Amount(2_000, WETH),
    "exchange.raw": 5,
    "exchange.period": 60,
    "exchange.since": 1_600_000_000,
    "exchange.paused": False,
    "exchange.quote": Amount(-3, USDC),
    "exchange.owner": CHECKSUMMED,
    "exchange.version": "1.4.1",
    "exchange.code": b"\xab" * 32,
    "exchange.selector": b"\x01\x02\x03\x04",
    "exchange.owners": (CHECKSUMMED,),
    "exchange.round": (1, 2),
}


@dataclass(frozen=True, slots=True)
class World:
    """Answers what is declared; `unknown` of the reads could not be had."""

    unknown: frozenset[str] = frozenset()

    def name(self, dotted: str) -> Value:
        return VALUES[dotted]

    def call(self, dotted: str, args: tuple[Value, ...]) -> Value:
        if dotted == "amount":
            return parse_amount(str(args[0]), TOKENS)
        if dotted in ("firing", "quiet", "quiet_for", "firing_for", "unknown"):
            return dotted == "firing"
        read = str(args[0]) if dotted == "ago" else dotted
        return UNKNOWN if read in self.unknown else ANSWERS[read]


ALLOWED = ("division by zero", "this division has no answer", "a number is out of bounds", "a number is beyond 2**512")


def sort_of(value: Value) -> tuple[str, str]:
    if isinstance(value, Amount):
        return "number", value.token.symbol
    sorts: dict[type, str] = {bool: "truth", int: "number", Decimal: "number"}
    return sorts.get(type(value), "other"), ""


def sound(source: str, world: World) -> Type | None:
    """Evaluates an expression that has a type, which must go well; None for one that has none."""
    expression = parse(source)
    assert check(expression, NAMES, {name: len(one.inputs) for name, one in CALLS.items()}, {"x"}) == []
    found = infer(expression, {**NAMES, "cap": amount_of("USDC")}, CALLS)
    if found.errors:
        return None
    try:
        value = evaluate(expression, world)
    except ExpressionError as problem:
        assert problem.message in ALLOWED, (source, problem.message)
        return found.type
    if not isinstance(value, Unknown) and found.type.sort in ("truth", "number") and value != 0:
        assert sort_of(value) == (found.type.sort, found.type.token), (source, value)
    return found.type


Sources = st.SearchStrategy[str]


def of_kinds(depth: int) -> dict[str, Sources]:
    """Well-typed sources of each kind, nested at most `depth` deep."""
    kinds: dict[str, Sources] = {
        "bps": st.sampled_from(["exchange.fee()", "max", "bps(150)", "bps('1.5%')"]),
        "seconds": st.sampled_from(["wait", "exchange.period()", "duration('1h')"]),
        "time": st.sampled_from(["now", "exchange.since(market)", "ago(exchange.since(id), '5 blocks')"]),
        "amount": st.sampled_from(["exchange.open()", "cap", "amount('2.5 USDC')", "ago(exchange.open(), '1h')"]),
        "number": st.sampled_from(["count", "exchange.raw()", "3", "0"]),
        "truth": st.sampled_from(["flag", "firing(x)", "quiet_for(x, '1h')", "exchange.paused(market)", "True"]),
    }
    if depth == 0:
        return kinds
    inner = of_kinds(depth - 1)
    for kind in ("bps", "seconds", "amount", "number"):
        same = inner[kind]
        kinds[kind] |= two(same, st.sampled_from("+-"), same) | two(same, st.just("//"), inner["number"])
        kinds[kind] |= two(inner["number"], st.just("*"), same) | st.builds("min({}, {}, 0)".format, same, same)
        kinds[kind] |= st.builds("abs(-{})".format, same)
        kinds["number"] |= two(same, st.sampled_from(["//", "/"]), same) if kind != "number" else same
        kinds["truth"] |= compared(same)
    kinds["amount"] |= st.builds("({} * {} // 10_000)".format, inner["amount"], inner["bps"])
    kinds["time"] |= two(inner["time"], st.sampled_from("+-"), inner["seconds"])
    kinds["seconds"] |= two(inner["time"], st.just("-"), inner["time"])
    kinds["truth"] |= compared(inner["time"]) | two(
        inner["truth"], st.sampled_from(["and", "or", "=="]), inner["truth"]
    )
    kinds["truth"] |= st.builds("(not {})".format, inner["truth"])
    return kinds


def two(left: Sources, symbol: Sources, right: Sources) -> Sources:
    return st.builds("({} {} {})".format, left, symbol, right)


def compared(same: Sources) -> Sources:
    return two(same, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), same)


def fits(source: str) -> bool:
    try:
        parse(source)
    except ExpressionError as problem:
        assert "at most" in problem.message
        return False
    return True


KINDS = of_kinds(3)
WORLDS = st.builds(World, st.frozensets(st.sampled_from(sorted(ANSWERS)), max_size=3))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(KINDS)).flatmap(lambda kind: KINDS[kind]).filter(fits), WORLDS)
def test_a_well_typed_expression_is_evaluated_without_a_clash_of_kinds(source: str, world: World) -> None:
    sound(source, world)


@settings(max_examples=100, deadline=None)
@given(of_kinds(2)["truth"].filter(fits), WORLDS)
def test_what_is_built_of_one_kind_has_a_type(source: str, world: World) -> None:
    if "/ " in source.replace("//", ""):
        return  # a fraction: an amount is no fraction's multiple
    assert sound(source, world) == TRUTH


LEAVES = st.sampled_from(
    [
        "exchange.fee()",
        "max",
        "wait",
        "now",
        "cap",
        "exchange.held()",
        "count",
        "0",
        "1.5",
        "'a'",
        "flag",
        "who",
        "id",
        "exchange.code()",
        "exchange.selector()",
        "exchange.version()",
        "exchange.owners()",
        "market",
        "exchange.raw()",
        f"'{CHECKSUMMED}'",
        f"'{ID}'",
        "ago(exchange.open(), '1h')",
        "10_000",
        "amount('1 USDC')",
        "firing(x)",
    ]
)


def joined(inner: Sources) -> Sources:
    symbols = ["+", "-", "*", "/", "//", "%", "==", "!=", "<", "<=", ">", ">=", "and", "or"]
    one: Callable[[str, str], str] = "{}({})".format
    several = st.sampled_from(["min({}, {})", "max({}, {})"])
    return (
        two(inner, st.sampled_from(symbols), inner)
        | st.builds(one, st.sampled_from(["not ", "-", "abs", "bps", "duration", "exchange.paused"]), inner)
        | st.builds(lambda form, a, b: form.format(a, b), several, inner, inner)
    )


@settings(max_examples=400, deadline=None)
@given(st.recursive(LEAVES, joined, max_leaves=5), WORLDS)
def test_whatever_has_a_type_is_evaluated_without_a_clash_of_kinds(source: str, world: World) -> None:
    try:
        parse(source)
    except ExpressionError:  # bps('a')
        return
    sound(source, world)


THREE: Mapping[str, tuple[Value, float]] = {"a": (True, 1.0), "b": (False, 0.0), "c": (UNKNOWN, 0.5)}


@dataclass(frozen=True, slots=True)
class Logic:
    """True, False and unknown by name."""

    def name(self, dotted: str) -> Value:
        return THREE[dotted][0]

    def call(self, dotted: str, args: tuple[Value, ...]) -> Value:
        raise LookupError(dotted)


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula with its value in Łukasiewicz's reading of Kleene's tables: and is min, or is max, not is 1 − x."""

    source: str
    value: float


FORMULAS: st.SearchStrategy[Formula] = st.recursive(
    st.sampled_from([Formula(name, value) for name, (_, value) in THREE.items()]),
    lambda inner: (
        st.builds(lambda x: Formula(f"(not {x.source})", 1 - x.value), inner)
        | st.builds(lambda x, y: Formula(f"({x.source} and {y.source})", min(x.value, y.value)), inner, inner)
        | st.builds(lambda x, y: Formula(f"({x.source} or {y.source})", max(x.value, y.value)), inner, inner)
    ),
    max_leaves=12,
)


def logical(source: str) -> float:
    value = evaluate(parse(source), Logic())
    return 0.5 if isinstance(value, Unknown) else float(value is True)


@settings(max_examples=150, deadline=None)
@given(FORMULAS)
def test_and_or_and_not_are_kleenes(formula: Formula) -> None:
    assert logical(formula.source) == formula.value


@pytest.mark.parametrize(("x", "y", "z"), itertools.product("abc", repeat=3))
def test_kleenes_laws(x: str, y: str, z: str) -> None:
    for left, right in [
        (f"{x} and {y}", f"{y} and {x}"),
        (f"{x} or {y}", f"{y} or {x}"),
        (f"({x} and {y}) and {z}", f"{x} and ({y} and {z})"),
        (f"({x} or {y}) or {z}", f"{x} or ({y} or {z})"),
        (f"{x} and ({y} or {z})", f"{x} and {y} or {x} and {z}"),
        (f"{x} or {y} and {z}", f"({x} or {y}) and ({x} or {z})"),
        (f"not ({x} and {y})", f"not {x} or not {y}"),
        (f"not ({x} or {y})", f"not {x} and not {y}"),
        (f"{x} and ({x} or {y})", x),
        (f"{x} or {x} and {y}", x),
        (f"not not {x}", x),
    ]:
        assert logical(left) == logical(right), (left, right)
