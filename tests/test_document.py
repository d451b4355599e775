"""The loader: everything DESIGN refuses is refused where it stands, all in one pass, and nothing is resolved."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.document import (
    DEPTH_LIMIT,
    NODE_LIMIT,
    SCALAR_LIMIT,
    SIZE_LIMIT,
    Document,
    Items,
    Place,
    Table,
    Text,
    WrongFile,
    deepest,
    masked,
    masked_column,
    parse_document,
    read_document,
)
from incident_cli.errors import Misused

BOMB = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n".encode()
    for before, name in zip("abcdef", "bcdefg", strict=True)
)
BROKEN = b"""name: &x 1
other: *x
tagged: !!str 3
<<: {a: 1}
name: 2
? [1]
: 2
"""


def codes(raw: bytes) -> list[tuple[str, int, int]]:
    """Each problem's code, line and column, in the order of the report."""
    return [(one.code, one.place.line, one.place.column) for one in sorted(parse_document(raw, "f.yaml").problems)]


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        (b"a: &x 1\n", ("anchor", 1, 4)),
        (b"a: &x [1]\n", ("anchor", 1, 4)),
        (b"&x a: 1\n", ("anchor", 1, 1)),
        (b"a: !!python/object/apply:os.system [id]\n", ("tag", 1, 4)),
        (b"a: ! b\n", ("tag", 1, 4)),
        (b"a: {<<: {b: 1}}\n", ("merge-key", 1, 5)),
        (b"a: 1\nb: 2\na: 3\n", ("duplicate-key", 3, 1)),
        (b"a: 1\n'a': 3\n", ("duplicate-key", 2, 1)),
        (b"? [1]\n: 2\n", ("key-not-text", 1, 3)),
        (b"a: 1\n---\nb: 2\n", ("several-documents", 2, 1)),
        (b"", ("empty-file", 1, 1)),
        (b"# nothing\n", ("empty-file", 1, 1)),
        (b"a: 1\nb: x\xff\n", ("not-utf8", 2, 5)),
        ("a: é\nb: \x07\n".encode(), ("yaml-syntax", 2, 4)),
        (b"a: b: c\n", ("yaml-syntax", 1, 5)),
        (b"\t- a\n", ("yaml-syntax", 1, 1)),
        (b"%YAML 9.9\n---\na: 1\n", ("yaml-syntax", 1, 1)),
        (b'a: "\\ud800"\n', ("yaml-syntax", 1, 7)),
        (b"[" * 500, ("too-deep", 1, DEPTH_LIMIT + 1)),
        (b"- " * 500 + b"a", ("too-deep", 1, 2 * DEPTH_LIMIT + 1)),
        (b"{a: " * 500, ("too-deep", 1, 4 * (DEPTH_LIMIT - 1) + 2)),
        (b"a: " + b"x" * (SCALAR_LIMIT + 1), ("too-long", 1, 4)),
        (b"x" * (SIZE_LIMIT + 1), ("too-large", 1, 1)),
        (b"\xef\xbb\xbfa: &x 1\n", ("anchor", 1, 4)),
    ],
)
def test_each_refusal_has_its_place(raw: bytes, wanted: tuple[str, int, int]) -> None:
    assert codes(raw) == [wanted]


def test_an_alias_is_refused_where_it_stands_and_where_it_points() -> None:
    assert codes(b"a: &x 1\nb: *x\n") == [("anchor", 1, 4), ("alias", 2, 4)]


def test_an_alias_bomb_is_never_expanded() -> None:
    assert len(BOMB) < 330
    found = codes(BOMB)
    assert {code for code, _, _ in found} == {"anchor", "alias"}
    assert len(found) == 7 + 6 * 9


def test_the_number_of_values_is_capped() -> None:
    assert [code for code, _, _ in codes(b"[" + b"a," * NODE_LIMIT + b"]")] == ["too-many-values"]
    assert codes(b"[" + b"a," * (NODE_LIMIT - 2) + b"]") == []


def test_depth_is_counted_here_and_not_left_to_the_interpreter() -> None:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)  # what importing py_ecc does
    try:
        assert codes(b"[" * 100_000)[0][0] == "too-deep"
    finally:
        sys.setrecursionlimit(before)


def test_every_problem_is_found_in_one_pass_and_reported_in_order() -> None:
    assert [code for code, _, _ in codes(BROKEN)] == [
        "anchor",
        "alias",
        "tag",
        "merge-key",
        "duplicate-key",
        "key-not-text",
    ]
    with pytest.raises(WrongFile, match="6 problems; nothing was done") as caught:
        parse_document(BROKEN, "f.yaml").refuse_if_wrong()
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "word",
    [
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "1e18",
        "no",
        "off",
        "12:30",
        "0o17",
        "010",
        "null",
        "~",
        "2026-11-01",
        ".nan",
    ],
)
def test_the_schema_decides_types_never_yaml(word: str) -> None:
    root = parse_document(f"a: {word}\n".encode(), "f.yaml").root
    assert isinstance(root, Table)
    assert root.entries["a"].value == Text(word, Place(1, 4))


def test_nodes_keep_their_order_and_places() -> None:
    root = parse_document("é: [1, {b: zwei}]\nc:\n  - x\n".encode(), "f.yaml").root
    assert isinstance(root, Table)
    assert list(root.entries) == ["é", "c"]
    items = root.entries["é"].value
    assert isinstance(items, Items)
    assert items.items[0] == Text("1", Place(1, 5))
    assert items.items[1].place == Place(1, 8)


def caret(raw: bytes, index: int = 0) -> tuple[str, str]:
    """The source line and the caret line of a problem."""
    _, line, pointer = parse_document(raw, "f.yaml").report()[index].split("\n")[:3]
    return line, pointer


def under(raw: bytes) -> str:
    """What the caret points at."""
    line, pointer = caret(raw)
    return line[len(pointer) - 1 :]


@pytest.mark.parametrize(
    "raw",
    [
        b"a: &x 1\n",
        "ééé: &x 1\n".encode(),
        "a\u200b\u202eb: &x 1\n".encode(),
        b"\xef\xbb\xbfa: &x 1\n",
        b"# a\r\na: &x 1\r\n",
        "b: 2\u2028a: &x 1\n".encode(),
        b"a: " + b" " * 300 + b"&x 1\n",
    ],
)
def test_the_caret_stands_under_the_fault(raw: bytes) -> None:
    assert under(raw).startswith("&x 1")


def test_a_problem_is_rendered_with_place_code_line_caret_and_help() -> None:
    document = parse_document(b"kind: oracle\n", "runbooks/a\x1b.yaml")
    document.wrong(Place(1, 7), "unknown-kind", "no\x1b kind", "did you mean it?")
    assert document.report() == [
        "runbooks/a<U+001B>.yaml:1:7: error[unknown-kind]: no<U+001B> kind\n"
        "  kind: oracle\n"
        "        ^\n"
        "  help: did you mean it?"
    ]


def test_hidden_characters_of_the_file_are_shown_in_the_report() -> None:
    line, _ = caret("a\u202eb: &x 1\n".encode())
    assert line == "  a<U+202E>b: &x 1"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("https://node.example:8545", "https://node.example:8545"),
        ("https://node.example/", "https://node.example/"),
        ("https://node.example/v3/SECRET", "https://node.example/…"),
        ("https://node.example?key=SECRET", "https://node.example/…"),
        ("https://me:SECRET@node.example", "https://…@node.example"),
        ("wss://me:SECRET@node.example:1/SECRET#SECRET", "wss://…@node.example:1/…"),
        ("https://me:SE/CRET@node.example", "https://…"),
        ("https:\\/\\/me:SECRET@node.example", "https:\\/\\/…@node.example"),
        ("node.example/v3/SECRET0123456789", "node.example/…"),
    ],
)
@pytest.mark.parametrize(("left", "right"), [("'", "'"), ('"', '"'), ("", "")])
def test_a_url_shows_its_host_alone(written: str, shown: str, left: str, right: str) -> None:
    assert masked(f"a: {{b: {left}{written}{right}}}") == f"a: {{b: {left}{shown}{right}}}"


def test_a_masked_line_keeps_its_caret_right() -> None:
    line, caret_line = caret(b"a: [https://me:SECRET@node.example/SECRET, &x b]\n")
    assert line == "  a: [https://…@node.example/…, &x b]"
    assert caret_line.index("^") == line.index("&x")
    text = "a: [https://me:SECRET@node.example/SECRET]"
    assert masked_column(text, text.index("SECRET")) == text.index("https")
    (problem,) = parse_document(b"a: &x https://me:SECRET@node.example\n", "f.yaml").report()
    assert "SECRET" not in problem


@given(st.text("ab:/@.\"' \\?#,}h", max_size=60), st.integers(0, 60))
@settings(max_examples=300)
def test_masking_never_fails_and_keeps_columns_within(text: str, column: int) -> None:
    assert 0 <= masked_column(text, min(column, len(text))) <= len(masked(text))


def test_a_file_that_cannot_be_read_is_a_misuse(tmp_path: Path) -> None:
    with pytest.raises(Misused, match="cannot read"):
        read_document(tmp_path / "none.yaml")
    with pytest.raises(Misused, match="cannot read"):
        read_document(tmp_path)


def test_a_pipe_or_a_device_is_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    for path in (tmp_path / "pipe.yaml", Path("/dev/zero"), Path("/dev/tty")):
        with pytest.raises(Misused, match="cannot read"):
            read_document(path)


def test_what_the_shell_hands_over_is_read() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"a: b\n")
    os.close(writing)
    try:
        assert read_document(Path(f"/dev/fd/{reading}")).problems == []
    finally:
        os.close(reading)


def test_a_link_to_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "real.yaml").write_text("a: b\n")
    (tmp_path / "link.yaml").symlink_to("real.yaml")
    assert read_document(tmp_path / "link.yaml").problems == []


def test_a_path_too_long_is_a_misuse() -> None:
    with pytest.raises(Misused, match="cannot read"):
        read_document(Path("x" * 5_000))
    with pytest.raises(Misused, match="cannot read"):
        read_document(Path("zero\0"))


YAML_TEXT = st.lists(
    st.sampled_from(
        [
            "a",
            "b: ",
            "- ",
            "\n",
            "  ",
            "[",
            "]",
            "{",
            "}",
            ",",
            ": ",
            "? ",
            "&x ",
            "*x ",
            "!!t ",
            "<<",
            "'",
            '"',
            "|\n",
            "# ",
            "---\n",
            "é",
            "\t",
        ]
    ),
    max_size=30,
).map(lambda parts: "".join(parts).encode())


@given(st.binary(max_size=60) | YAML_TEXT)
@settings(max_examples=300)
def test_any_bytes_are_a_root_or_problems_and_never_raise(raw: bytes) -> None:
    document = parse_document(raw, "f.yaml")
    assert isinstance(document, Document)
    assert document.root is not None or document.problems
    lines = (
        raw.decode("utf-8", "replace").count("\n") + 3 + raw.count(b"\r") + raw.count(b"\x85") + raw.count(b"\xe2\x80")
    )
    assert all(1 <= one.place.line <= lines and one.place.column >= 1 for one in document.problems)
    assert len(document.report()) == len(set(document.problems))


@pytest.mark.parametrize(
    ("text", "column", "wanted"),
    [
        ("a: b and c\n", 7, Place(1, 10)),
        ('a: "b and c"\n', 7, Place(1, 11)),
        ("a: 'b and c'\n", 7, Place(1, 11)),
        ("a: 'b ''x'' c'\n", 3, Place(1, 7)),
        ("a: 'b ''x'' c'\n", 7, Place(1, 4)),
        ("a: >-\n  b\n  and c\n", 7, Place(1, 4)),
        ("a: b\n  and c\n", 7, Place(1, 4)),
        ("é: 'é and c'\n", 7, Place(1, 11)),
    ],
)
def test_a_character_of_a_value_has_its_place(text: str, column: int, wanted: Place) -> None:
    document = parse_document(text.encode(), "f.yaml")
    assert isinstance(document.root, Table)
    node = next(iter(document.root.entries.values())).value
    assert isinstance(node, Text)
    assert document.place_in(node, column) == wanted


def test_the_deepest_node_on_a_path_is_found() -> None:
    root = parse_document(b"a: [1, {b: 2}]\n", "f.yaml").root
    assert root is not None
    assert deepest(root, "a", 1, "b") == Text("2", Place(1, 12))
    assert deepest(root, "a", 1, "c").place == Place(1, 8)
    assert deepest(root, "a", 7).place == Place(1, 4)
    assert deepest(root, "z") is root


def test_a_value_refused_unread_brings_no_other_problem() -> None:
    document = parse_document(b"a: *x\nb: " + b"y" * (SCALAR_LIMIT + 1), "f.yaml")
    document.wrong(Place(1, 4), "bad-value", "it must not be empty")
    document.wrong(Place(2, 4), "bad-value", "it must not be empty")
    assert [one.code for one in document.problems] == ["alias", "too-long"]
