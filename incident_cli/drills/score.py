"""What a response cost and saved, from the world's books. Money in base units of the drill's token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from incident_cli.drills.scenario import Scenario
from incident_cli.drills.world import World
from incident_cli.evm import Block
from incident_cli.units import Token

TOKEN = Token("USDC", 6)
HORIZON_BLOCKS = 100  # `avoided` compares with the same attack left alone for 20 more minutes of 12 s blocks


@dataclass(frozen=True, slots=True)
class Losses:
    """What the attacker took before detection, and from there until containment; and what it would have taken on."""

    before_detection: int
    until_contained: int
    avoided: int | None
    at_stake: bool = True  # False where the scenario has no attacker: then nothing can be lost or saved

    def to_json(self) -> dict[str, object]:
        """As commands print it: decimal text in base units."""
        return {
            "token": TOKEN.symbol,
            "decimals": TOKEN.decimals,
            "before_detection": str(self.before_detection),
            "until_contained": str(self.until_contained),
            "avoided": None if self.avoided is None else str(self.avoided),
        }


def losses(world: World, detected: Block | None, contained: Block | None) -> Losses:
    """The attacker's gains by block; without containment, all of them up to the head and nothing avoided."""
    head = world.height
    before = gain_at(world, height_of(world, detected)) if detected else gain_at(world, head)
    end = height_of(world, contained) if contained else head
    total = gain_at(world, end)
    avoided = None
    if contained is not None:
        avoided = max(0, world.without_containment(end + HORIZON_BLOCKS) - gain_at(world, head))
    return Losses(before, max(0, total - before), avoided, world.scenario.attacker)


def gain_at(world: World, height: int) -> int:
    """The attacker's gain at a height, never less than nothing."""
    return max(0, world.history[min(height, len(world.history) - 1)].attacker_gain)


def height_of(world: World, block: Block) -> int:
    """A block's height in the world."""
    return max(0, block.number - world.first_block.number)


def verdict(scenario: Scenario, ending: str, steps: Mapping[str, str]) -> str:
    """One sentence: whether the ending was the right one."""
    if ending == scenario.intended:
        return right(scenario)
    if ending == "contained":
        honest = "the feed was honest. A market was closed to its users for nothing."
        return (
            f"Wrong: {honest if of_prices(scenario) else 'nothing had to be contained. Users were restricted for it.'}"
        )
    if ending == "stood-down":
        attacked = "the market was under attack, and it was left open."
        return f"Wrong: {attacked if of_prices(scenario) else 'it had to be contained, and it was left to run.'}"
    skipped = [step for step, outcome in steps.items() if outcome == "skipped"]
    return "Not contained" + (f": skipped {', '.join(skipped)}." if skipped else ".")


def right(scenario: Scenario) -> str:
    """The sentence for the ending that was intended."""
    if scenario.intended == "contained":
        what = "the market" if of_prices(scenario) else "it"
        return f"Right: {what} had to be contained, and the chain proves that it is."
    if of_prices(scenario):
        return "Right: the feed was honest and its reference was wrong. Nobody was locked out of a market."
    return "Right: nothing had to be contained. Nobody was restricted for nothing."


def of_prices(scenario: Scenario) -> bool:
    """Whether the drill is about one source of a price against another, as the first three kinds of fault are."""
    return not scenario.faults or scenario.has("feed-moved", "feed-frozen", "reference-moved")
