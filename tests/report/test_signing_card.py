"""The signing card as text: whole values, 72 columns, nothing hidden, nothing that acts on a terminal."""

from __future__ import annotations

import re
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
    for words in ("nonce 42", "chain id 1", "484 bytes", "these never can", "Mon 08:00 UTC", "3 of 5 owners"):
        assert words in " ".join(shown.split())
    assert "\n1: incident safe hash FILE\n" in shown and "by eye" in shown


def test_it_is_in_the_order_in_which_it_is_read() -> None:
    titles = [one.title for one in sections(card_of())]
    assert titles.index("What it does") < titles.index("Simulation") < titles.index("Hashes") < len(titles) - 1


def test_what_nobody_looked_at_is_said() -> None:
    shown = text(replace(card_of(), displaces=None, nonce_on_chain=None, threshold=None, claims=()))
    assert "Nobody looked for other transactions at nonce 42." in shown
    assert "THE FILE SAYS" not in shown and "must sign" not in shown
    assert shown.startswith("SAFE TRANSACTION, HELD AGAINST NO CHAIN\n") and "! WHERE\nNOTHING here" in shown
    assert text(card_of()).startswith("SAFE TRANSACTION TO SIGN\n") and "NOTHING here" not in text(card_of())
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


def columns(shown: str) -> list[str]:
    """Every label of a card's rows."""
    return [row[1] for line in shown.splitlines() if (row := re.fullmatch(r"(\S[^>]*?) {2,}\S.*", line))]


@pytest.mark.parametrize("spaces", range(40, 75))
def test_no_word_of_the_file_stands_under_the_labels(spaces: int) -> None:
    forged = f"routine{' ' * spaces}call         setMarketPaused(bytes32,bool)"
    honest, hostile = (replace(card_of(), claims=[("because", words)] * 3) for words in ("routine", forged))
    shown = text(hostile)
    assert columns(shown) == columns(text(honest))
    inside = shown[shown.index("THE FILE SAYS") : shown.index("VERIFY IT")].splitlines()[1:]
    assert all(one.startswith("> ") for one in inside if one)
    revert = replace(card_of(), simulation=CardSimulation("failed", "eth_call", forged), warnings=[forged])
    assert not [one for one in text(revert).splitlines() if re.match(r"call\b.*setMarketPaused", one)]


@pytest.mark.parametrize("name", ["to", "sends", "Safe", "nonce", "call", 'to"', "to          0x1", "", "1"])
def test_a_parameter_is_no_row_of_the_card(name: str) -> None:
    card = replace(card_of(1), calls=[replace(card_of(1).calls[0], args={name: "5"})])
    (label,) = [one.label for one in sections(card)[0].lines if one.value == "5" and one.exact]
    assert re.fullmatch(r'1 "[^"]*"', label) and " " * 2 not in label


def test_fields_of_gas_and_refund_are_shown() -> None:
    shown = text(replace(card_of(), extras={"gasPrice": "7", "refundReceiver": VENUE}))
    assert ("gasPrice     7" in shown and f"refundReceiver\n  {VENUE}" in shown) or f"refundReceiver {VENUE}" in shown
    assert "! WHAT IT DOES" in shown


def test_the_longest_calldata_are_whole() -> None:
    long = "[" + ", ".join([SAFE] * 4_000 + [VENUE]) + "]"
    card = replace(card_of(1), calls=[replace(card_of(1).calls[0], args={"accounts": long})])
    assert long.replace(" ", "") in "".join(text(card).split())


def test_the_code_names_the_transaction() -> None:
    card = card_of()
    assert address(card) == f"safe:1:{SAFE}?safeTxHash={hash_of(0xF0)}&nonce=42"
    rows = code_rows(card)
    assert {len(one) for one in rows} == {2 * len(rows)} or {len(one) for one in rows} == {2 * len(rows) - 1}
    assert len(rows[0]) <= 72 and not set("".join(rows)) - set(" ▀▄█")
