"""Executing by hand: the signatures collected, the intent kept on this machine, sent, and what the chain then shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from incident_cli.chain.execution import Execution, find_execution
from incident_cli.chain.fees import Quote, quote
from incident_cli.errors import Refused, Unread, Waiting
from incident_cli.flows.clock import Clock
from incident_cli.flows.multisig.executing import Road, execute
from incident_cli.flows.multisig.following import Watch
from incident_cli.flows.multisig.intents import Intents
from incident_cli.flows.multisig.proving import Shown, expectations_of, shown_after
from incident_cli.flows.multisig.readiness import Readiness, readiness
from incident_cli.flows.multisig.standing import Standing
from incident_cli.flows.multisig.taking_up import Matter
from incident_cli.incident.events import block_to_json
from incident_cli.safe.execution_data import execution_data
from incident_cli.safe.signing import Signer


@dataclass(frozen=True, slots=True)
class Carried:
    """An execution with its evidence, and what its proposal expects, as the chain shows it."""

    evidence: Execution
    safe_tx_hash: str
    transaction_hash: str
    depth: int
    shown: tuple[Shown, ...]

    @property
    def is_proven(self) -> bool:
        """Executed by the Safe's own word, and the chain shows all that the proposal expects (if it does)."""
        return self.evidence.succeeded and all(one.holds is True for one in self.shown)

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        block = self.evidence.block
        return {
            "safe_tx_hash": self.safe_tx_hash,
            "transaction_hash": self.transaction_hash,
            "executed": self.evidence.succeeded,
            "block": None if block is None else block_to_json(block),
            "depth": self.depth,
            "proven": self.is_proven,
            "problem": self.evidence.problem,
            "shown": [one.to_json() for one in self.shown],
        }


@dataclass(frozen=True, slots=True)
class Hands:
    """Who sends, by which road, and where this machine keeps what it is about to send."""

    broadcaster: Signer
    home: Path
    clock: Clock
    say: Callable[[str], None]
    road: Road

    def intents_of(self, safe_tx_hash: str) -> Intents:
        """What was about to be sent before."""
        return Intents(self.home, safe_tx_hash, self.clock)


def weigh(watch: Watch, standing: Standing, hands: Hands) -> Readiness:
    """What can be done now by this broadcaster; raises Waiting or Refused where it can neither be sent nor is done.

    A transaction that was about to be sent before may be on its way: then it is gone on with.
    """
    found = readiness(watch.matter.place, standing, hands.broadcaster.address)
    if found.state in ("ready", "executed", "failed"):
        return found
    hash_ = standing.safe_tx_hash
    if found.state in ("waiting", "queued"):
        raise Waiting(
            f"{hash_} is not ready: {found.reason}", "signatures", "nothing was sent; run it again when it is"
        )
    if found.state == "unknown":
        raise Unread(f"{hash_} could not be simulated: {found.reason}", "nothing was sent; name another node")
    raise Refused(f"{hash_} cannot be executed: {found.reason}", "nothing was sent")


def price(matter: Matter, found: Readiness, hands: Hands) -> Quote:
    """What sending it can cost; raises Refused where the broadcaster cannot pay it, before anybody is asked."""
    assert found.collected is not None, "what is ready has its signatures"
    place, sender = matter.place, hands.broadcaster.address
    data = execution_data(matter.tx, found.collected.packed)
    return quote(place.reader.endpoint, place.chain_id, sender, matter.tx.safe, data, cap=hands.road.cap)


def carry(matter: Matter, found: Readiness, hands: Hands) -> Carried:
    """Send it and wait, or find what was sent; then read what the chain shows. Raises as `execute` does."""
    assert found.collected is not None, "what is ready has its signatures"
    wanted, intents = expectations_of(matter.proposal), hands.intents_of(matter.safe_tx_hash)
    with intents.held():
        evidence = execute(
            matter.place,
            matter.tx,
            found.collected.packed,
            hands.broadcaster,
            intent=intents.intend,
            sent=lambda hash_: hands.say(f"sent: {hash_}"),
            clock=hands.clock,
            say=hands.say,
            road=hands.road,
            earlier=intents.earlier,
        )
    first = evidence.block.number if evidence.block else 0
    endpoint, chain = matter.place.reader.endpoint, matter.place.chain
    mined = find_execution(endpoint, chain, matter.tx.safe, matter.safe_tx_hash, first) or ""
    shown = shown_after(matter.place, wanted, evidence.block) if evidence.succeeded and evidence.block else ()
    return Carried(evidence, matter.safe_tx_hash, mined, hands.road.depth, shown)


def carried_before(matter: Matter, standing: Standing, depth: int) -> Carried:
    """The same of a transaction that was executed already, by whoever."""
    assert standing.executed_by is not None and standing.executed_in is not None, "it was executed"
    outcome: Literal["success", "failure"] = "success" if standing.fate == "executed" else "failure"
    evidence = Execution(True, 1, outcome, standing.executed_in)
    wanted = expectations_of(matter.proposal) if evidence.succeeded else []
    shown = shown_after(matter.place, wanted, standing.executed_in)
    return Carried(evidence, standing.safe_tx_hash, standing.executed_by, depth, shown)
