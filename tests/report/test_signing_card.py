"""The signing card as text: whole values, 72 columns, nothing hidden, nothing that acts on a terminal."""

from __future__ import annotations

from dataclasses import replace

import pytest

from incident_cli.report.signing_card import CardSimulation, address, code_rows, sections, text
from tests.report.cards import MARKET, OWNERS, SAFE, VENUE, card_of, hash_of

HOSTILE = "</pre><script>alert(1)</script>\x1b]52;c;AAAA\x07\u202e\u200b\n& \"'"


def test_it_fits_a_chat_and_nothing_is_cut() -> None:
    shown = text(card_of())
    assert max(len(line) for line in shown.splitlines()) <= 72
    for whole in (SAFE, VENUE, MARKET, *OWNERS, *(hash_of(one) for one in (0xD0, 0xE0, 0xF0, 0xC0, 0x99))):
        assert any(whole in line for line in shown.splitlines()), f"{whole} is broken or missing"
    for words in ("nonce        42", "chain id 1", "484 bytes", "these never can", "Mon 08:00 UTC", "3 of 5 owners"):
        assert words in " ".join(shown.split("\n"))
    assert "\n1: incident safe hash FILE\n" in shown and "by eye" in shown


def test_it_is_in_the_order_in_which_it_is_read() -> None:
    titles = [one.title for one in sections(card_of())]
    assert titles.index("What it does") < titles.index("Simulation") < titles.index("Hashes") < len(titles) - 1


def test_what_nobody_looked_at_is_said() -> None:
    shown = text(replace(card_of(), displaces=None, nonce_on_chain=None, threshold=None, reopening="", overrides=()))
    assert "Nobody looked for other transactions at nonce 42." in shown
    assert "not stated" in shown and "OVERRULED" not in shown and "must sign" not in shown
    assert "No other transaction at nonce 42 is known." in text(replace(card_of(), displaces=()))


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (CardSimulation("not-simulated", "x", "no node can"), "NOT SIMULATED: no node can."),
        (CardSimulation("failed", "eth_call", "GS013"), "FAILED, by eth_call: GS013."),
        (CardSimulation("passed", "eth_call"), "Passed, by eth_call."),
    ],
)
def test_a_simulation_is_what_it_is(found: CardSimulation, words: str) -> None:
    shown = text(replace(card_of(), simulation=found))
    assert words in shown and ("! SIMULATION" in shown) is (found.state != "passed")


@pytest.mark.parametrize(("on_chain", "words"), [(41, "1 earlier"), (42, "next to execute"), (43, "never execute")])
def test_the_nonce_is_held_against_the_chain(on_chain: int, words: str) -> None:
    assert words in text(replace(card_of(), nonce_on_chain=on_chain))


def test_an_empty_rejection_is_said_to_be_one() -> None:
    assert "uses up nonce 42" in text(card_of(0))


def test_hostile_words_stay_words() -> None:
    shown = text(card_of(text=HOSTILE))
    assert not set(shown) & set("\x1b\x07\u202e\u200b") and "<U+001B>" in shown


def test_long_arguments_are_wrapped_not_cut() -> None:
    card = card_of(1)
    long = "0x" + "ab" * 700
    shown = text(replace(card, calls=[replace(card.calls[0], args={"data": long})]))
    assert long in "".join(line.strip() for line in shown.splitlines())


def test_the_code_names_the_transaction() -> None:
    card = card_of()
    assert address(card) == f"safe:1:{SAFE}?safeTxHash={hash_of(0xF0)}&nonce=42"
    rows = code_rows(card)
    assert {len(one) for one in rows} == {2 * len(rows)} or {len(one) for one in rows} == {2 * len(rows) - 1}
    assert len(rows[0]) <= 72 and not set("".join(rows)) - set(" ▀▄█")
