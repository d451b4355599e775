"""Nothing hidden survives the sanitiser, and nothing is lost by it."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.text import is_hidden, plain, plain_lines

ACTED_ON = [
    *range(0x20),
    *range(0x7F, 0xA0),  # C1: 0x9B is CSI on its own
    0xAD,
    0x61C,
    *range(0x200B, 0x2010),
    *range(0x2028, 0x202F),
    *range(0x2060, 0x2070),
    0xFEFF,
    *range(0xFFF9, 0xFFFC),
    *range(0xFE00, 0xFE10),
    *range(0xE0000, 0xE0080),
    *range(0xE0100, 0xE01F0),
    0x3164,
    0x2800,
    0x115F,
    0xA0,
    0x3000,
]
ANY_TEXT = st.text(st.characters(max_codepoint=sys.maxunicode, categories=None), max_size=80)


@pytest.mark.parametrize("block", [ACTED_ON[at : at + 64] for at in range(0, len(ACTED_ON), 64)])
def test_what_a_terminal_acts_on_or_nobody_sees_is_shown_by_its_code_point(block: list[int]) -> None:
    for point in block:
        assert plain(f"a{chr(point)}b") == f"a<U+{point:04X}>b"


def test_every_control_format_and_unassigned_code_point_is_hidden() -> None:
    categories = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    points = range(sys.maxunicode + 1)
    assert all(is_hidden(chr(point)) for point in points if unicodedata.category(chr(point)) in categories)


@given(ANY_TEXT)
@settings(max_examples=150)
def test_nothing_hidden_survives_and_once_is_enough(text: str) -> None:
    shown = plain(text)
    assert not any(is_hidden(character) for character in shown)
    assert plain(shown) == shown


@given(st.text(st.characters(categories=["L", "N", "P", "S"], max_codepoint=0x24FF), max_size=40))
@settings(max_examples=50)
def test_visible_text_stays_as_it_is(text: str) -> None:
    visible = "".join(one for one in text if not is_hidden(one))
    assert plain(visible) == visible


def test_an_escape_sequence_and_a_bidirectional_override_are_disarmed() -> None:
    assert plain("\x1b]52;c;ZXZpbA==\x07") == "<U+001B>]52;c;ZXZpbA==<U+0007>"
    assert plain("0xdead\u202ebeef") == "0xdead<U+202E>beef"


def test_length_and_lines_are_capped_and_say_so() -> None:
    assert plain("x" * 2_001) == "x" * 2_000 + "… (2001 characters)"
    assert plain_lines("a\r\nb\nc", most=2) == ["a", "b", "… (3 lines)"]
    assert plain_lines("a\rb") == ["a<U+000D>b"]


def test_what_is_no_text_is_shown_too() -> None:
    assert plain(7) == "7"
    assert plain(None) == "None"
