"""From nodes to typed values: the fields are the keys, and every problem below a node is noted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

import pytest

from incident_cli.binding import (
    ADDRESS,
    BOOLEAN,
    BPS,
    DATE,
    DURATION,
    EXPRESSION,
    IDENTIFIER,
    INTEGER,
    SIGNATURE,
    SLUG,
    TEXT,
    Binder,
    Given,
    Kind,
    did_you_mean,
    one_of,
)
from incident_cli.document import Items, Place, Problem, Table, Text, parse_document


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    name: Annotated[str, IDENTIFIER]
    limit: Annotated[int, BPS] = 150
    place: Place

    def __post_init__(self) -> None:
        if self.limit <= 0:
            raise ValueError("limit must be more than 0 bps")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    title: str
    for_: Annotated[int, DURATION] = 0
    inner: Inner | None = None
    many: tuple[Inner, ...] = ()
    table: Mapping[Annotated[str, IDENTIFIER], Annotated[int, INTEGER]] = field(default_factory=dict)
    raw: Table | None = None


def bound(text: str, scope: Mapping[str, Given] | None = None) -> tuple[Outer | None, list[Problem]]:
    document = parse_document(text.encode(), "f.yaml")
    outer: Outer | None = Binder(document, scope).root(Outer)
    return outer, sorted(document.problems)


def told(text: str, scope: Mapping[str, Given] | None = None) -> list[str]:
    """`line:column code message|hint` of each problem; nothing is bound where there is one."""
    outer, problems = bound(text, scope)
    assert (outer is None) is bool(problems)
    return [f"{p.place.line}:{p.place.column} {p.code} {p.message}{'|' + p.hint if p.hint else ''}" for p in problems]


def test_a_mapping_becomes_its_dataclass() -> None:
    outer, problems = bound("title: 1e18\nfor: 1m\ninner: {name: a}\nmany: [{name: b, limit: 1%}]\ntable: {x: 7}\n")
    assert problems == []
    assert outer == Outer(
        title="1e18",
        for_=60,
        inner=Inner(name="a", place=Place(3, 8)),
        many=(Inner(name="b", limit=100, place=Place(4, 8)),),
        table={"x": 7},
    )


def test_every_problem_is_noted_at_once_with_its_place() -> None:
    text = """titel: x
for: 5
inner: {nam: a, limit: 1.5}
many:
  - {name: class}
  - [1]
  - {name: ok, limit: 0}
table: {x: seven, Y: 1, z: [1]}
raw: text
"""
    assert told(text) == [
        "1:1 missing-key 'title' is missing",
        "1:1 unknown-key 'titel' is no key here|did you mean 'title'?",
        "2:6 bad-value '5' is no duration: a duration is needed, such as 36s, 15m, 1h30m or 30d",
        "3:8 missing-key 'name' is missing",
        "3:9 unknown-key 'nam' is no key here|did you mean 'name'?",
        "3:24 bad-value '1.5' is no bps: a basis point is the smallest step: 0.01%",
        "5:12 bad-value 'class' is no identifier: a name is snake_case, at most 40 characters, and no Python keyword",
        "6:5 wrong-type a mapping is needed here, not a list",
        "7:5 bad-value limit must be more than 0 bps",
        "8:12 bad-value 'seven' is no int: a whole number is needed, such as 250000",
        "8:19 bad-value 'Y' is no identifier: a name is snake_case, at most 40 characters, and no Python keyword",
        "8:28 wrong-type int is needed here, not a list",
        "9:6 wrong-type a mapping is needed here, not a single value",
    ]


def test_a_key_that_is_near_nothing_names_the_keys_there_are() -> None:
    assert told("title: a\nqqqq: 1\n") == [
        "2:1 unknown-key 'qqqq' is no key here|known: title, for, inner, many, table, raw"
    ]


def test_the_field_s_own_spelling_and_place_are_no_keys() -> None:
    assert len(told("title: a\nfor_: 1s\ninner: {name: a, place: 3}\n")) == 2


@pytest.mark.parametrize("text", ["- a\n", "a\n"])
def test_the_root_must_be_a_mapping(text: str) -> None:
    assert told(text)[0].startswith("1:1 wrong-type a mapping is needed here")


def test_a_reference_stands_for_a_whole_typed_value() -> None:
    scope = {"max": Given("bps", 300), "wait": Given("duration", 36), "checks.up.id": Given("int", 4)}
    outer, problems = bound(
        'title: "{max}"\nfor: "{wait}"\ninner: {name: a, limit: "{max}"}\ntable: {x: "{checks.up.id}"}\n', scope
    )
    assert problems == []
    assert outer is not None and outer.inner is not None
    assert (outer.title, outer.for_, outer.inner.limit, outer.table) == ("{max}", 36, 300, {"x": 4})


def test_a_reference_of_another_type_or_to_nothing_is_refused() -> None:
    scope = {"max": Given("bps", 300)}
    assert told('title: a\nfor: "{max}"\n', scope) == ["2:6 wrong-type {max} is bps, duration is needed here"]
    assert told('title: a\nfor: "{maxx}"\n', scope) == [
        "2:6 unknown-name {maxx} names no parameter|did you mean 'max'?"
    ]


@pytest.mark.parametrize("text", ['"{max} bps"', '"x{max}"', '"{max}{max}"', '"{ max }"', '"{{max}}"'])
def test_a_reference_is_never_spliced_into_text(text: str) -> None:
    told_of = told(f"title: a\ninner: {{name: a, limit: {text}}}\n", {"max": Given("bps", 300)})
    assert len(told_of) == 1 and "is no bps" in told_of[0]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (TEXT, "no", "no"),
        (BOOLEAN, "true", True),
        (BOOLEAN, "false", False),
        (INTEGER, "250_000", 250_000),
        (DURATION, "1h30m", 5_400),
        (SLUG, "oracle-divergence", "oracle-divergence"),
        (DATE, "2026-11-01", "2026-11-01"),
        (ADDRESS, "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"),
    ],
)
def test_kinds(kind: Kind, text: str, value: object) -> None:
    assert kind.parse(text) == value


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        (TEXT, ["", "  "]),
        (BOOLEAN, ["no", "yes", "True", "1", "on", ""]),
        (IDENTIFIER, ["lambda", "none-of-it", "A", "1a", "_a", "a" * 41, "é", "a\n"]),
        (SLUG, ["A", "a_b", "-a", "../x", "a/b", "", "a\n"]),
        (DATE, ["2026-13-01", "2026-1-1", "٢٠٢٦-11-01", "2026-11-41"]),
        (ADDRESS, ["0x5aaeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0x5aAe…BeAed"]),
        (SIGNATURE, ["f(", "f(uint7)"]),
        (EXPRESSION, ["", "__import__('os')", "a.b.c()()", "1 if"]),
    ],
)
def test_what_is_not_of_the_kind_is_a_value_error(kind: Kind, texts: list[str]) -> None:
    for text in texts:
        with pytest.raises(ValueError, match=r"."):
            kind.parse(text)


def test_one_of_names_the_words_and_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"one of quiet, loud; did you mean .quiet."):
        one_of("sound", "quiet", "loud").parse("quit")
    assert did_you_mean("xyz", ["pause"]) == ""


def test_an_expression_s_own_column_is_added_to_its_place() -> None:
    document = parse_document(b"a: x + __y\n", "f.yaml")
    assert isinstance(document.root, Table)
    node = document.root.entries["a"].value
    assert Binder(document).try_bind(Annotated[object, EXPRESSION], node) is None
    assert [(one.place, one.code) for one in document.problems] == [(Place(1, 8), "bad-expression")]


def test_nodes_may_be_kept_as_written() -> None:
    document = parse_document(b"a: 1\n", "f.yaml")
    assert document.root is not None
    assert Binder(document).try_bind(Table, document.root) is document.root
    assert Binder(document).try_bind(Items, document.root) is None
    assert Binder(document).try_bind(Text, document.root) is None
    assert len(document.problems) == 2
