"""What a response cost and saved, against the world's own books; and the sentence about its ending."""

from __future__ import annotations

import pytest

from incident_cli.drills.scenario import Fault, Scenario
from incident_cli.drills.score import HORIZON_BLOCKS, gain_at, height_of, losses, verdict
from incident_cli.drills.world import World

ATTACK = Scenario(
    "moved", "T", "oracle-divergence", "ETH-USD", "contained", (Fault("feed-moved", "ETH-USD", 2, -900),), attacker=True
)
ALARM = Scenario("alarm", "T", "oracle-divergence", "ETH-USD", "stood-down", ())
KEY = Scenario("key", "T", "compromised-key", "ETH-USD", "contained", (Fault("hostile-operation", None, 2),))
SHAKEN_FOR_NOTHING = Scenario("calm", "T", "r", "ETH-USD", "stood-down", (Fault("feed-shaken", "ETH-USD", 2, 50),))
BLOCKS = 8


@pytest.fixture(scope="module")
def attacked() -> World:
    """An attack that nobody stops."""
    world = World.build(4, ATTACK)
    for _ in range(BLOCKS):
        world.advance()
    return world


def test_without_containment_everything_is_lost_and_nothing_avoided(attacked: World) -> None:
    found = losses(attacked, None, None)
    assert (found.before_detection, found.until_contained, found.avoided) == (gain_at(attacked, BLOCKS), 0, None)
    assert found.before_detection > 0
    assert found.at_stake


@pytest.mark.parametrize("detected", [2, 4, 6])
@pytest.mark.parametrize("contained", [6, 8])
def test_the_two_parts_are_the_whole(detected: int, contained: int, attacked: World) -> None:
    blocks = [books.block for books in attacked.history]
    found = losses(attacked, blocks[detected], blocks[contained])
    assert found.before_detection == attacked.history[detected].attacker_gain
    assert found.before_detection + found.until_contained == attacked.history[contained].attacker_gain
    undisturbed = attacked.without_containment(contained + HORIZON_BLOCKS)
    assert found.avoided == undisturbed - attacked.history[-1].attacker_gain > 0


def test_without_an_attacker_nothing_is_lost_or_saved() -> None:
    world = World.build(4, ALARM)
    world.advance()
    found = losses(world, world.history[0].block, world.history[1].block)
    assert (found.before_detection, found.until_contained, found.avoided) == (0, 0, 0)
    assert not found.at_stake


def test_heights_stay_within_the_history(attacked: World) -> None:
    blocks = [books.block for books in attacked.history]
    assert [height_of(attacked, block) for block in blocks] == list(range(BLOCKS + 1))
    assert gain_at(attacked, 10_000) == gain_at(attacked, BLOCKS)


def test_money_is_printed_as_decimal_text_of_base_units(attacked: World) -> None:
    found = losses(attacked, attacked.history[2].block, None).to_json()
    assert found["token"] == "USDC" and found["decimals"] == 6 and found["avoided"] is None
    assert str(found["before_detection"]).isdigit() and str(found["until_contained"]).isdigit()


@pytest.mark.parametrize(
    ("scenario", "ending", "begins"),
    [
        (ATTACK, "contained", "Right"),
        (ALARM, "stood-down", "Right"),
        (ATTACK, "stood-down", "Wrong"),
        (ALARM, "contained", "Wrong"),
        (ATTACK, "not-contained", "Not contained: skipped pause."),
        (ATTACK, "contained", "Right: the market had"),
        (KEY, "contained", "Right: it had"),
        (KEY, "stood-down", "Wrong: it had"),
        (SHAKEN_FOR_NOTHING, "stood-down", "Right: nothing"),
        (SHAKEN_FOR_NOTHING, "contained", "Wrong: nothing"),
    ],
)
def test_the_sentence_says_whether_it_was_right(scenario: Scenario, ending: str, begins: str) -> None:
    assert verdict(scenario, ending, {"pause": "skipped", "prove": "done"}).startswith(begins)
