"""From a sent transaction to the proof: the receipt, the Safe's own success, and the chain read again.

A fee that is too low is raised with the same nonce of the same sender, so that at most one of all attempts is mined.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Protocol

from incident_cli.chain import fees
from incident_cli.chain.execution import Execution, execution_of, find_execution
from incident_cli.errors import IncidentError, Refused, Unread
from incident_cli.evm import Block, Missing, keccak, to_hex
from incident_cli.flows.clock import Clock, stamp
from incident_cli.flows.vault.asking import NONCE, NONCE_KEY, Answers, Key, ask, call, effect_asks
from incident_cli.flows.vault.intents import Attempt, Intents
from incident_cli.flows.vault.judging import shown
from incident_cli.flows.vault.roads import Roads
from incident_cli.safe.signing import Signer, raw_by
from incident_cli.safe.vault import Rung, Shown, Vault
from incident_cli.transport import Endpoint, Request

SCHEMA = "incident.vault-fire-report/v1"
POLL_SECONDS = 2.0
SPENT_LOOKS = 2  # at a nonce that is used up, before it is others who used it
BUMP_BLOCKS = 3  # without a receipt, the fee is raised
PRIVATE_BLOCKS = 2  # so long a private node is trusted alone
MOST_BUMPS = 8
UNDERPRICED = ("underpriced", "replacement", "fee too low")
Outcome = Literal["already-contained", "contained", "contained-by-others", "not-contained"]
EXITS: Mapping[Outcome, int] = {"already-contained": 0, "contained": 0, "contained-by-others": 0, "not-contained": 6}


class Voice(Protocol):
    """What people see of a fire; a walk's screen is one."""

    def say(self, text: str, tone: Literal["plain", "good", "bad", "warn"] = "plain") -> None:
        """One line."""

    def working(self, text: str) -> AbstractContextManager[None]:
        """Something that may take longer than a second."""


@dataclass(frozen=True, slots=True)
class Report:
    """How a fire ended. `block` is the one that shows it; `problem` says what is not as it should be."""

    vault: Vault
    market: str
    outcome: Outcome
    block: Block | None
    rung: Rung | None = None
    transaction_hash: str = ""
    problem: str = ""
    attempts: tuple[Attempt, ...] = ()

    @classmethod
    def already(cls, vault: Vault, market: str, block: Block | None) -> Report:
        """The chain showed it before anything was sent."""
        return cls(vault, market, "already-contained", block)

    @property
    def exit_code(self) -> int:
        """0 contained, 6 not shown."""
        return EXITS[self.outcome]

    def to_json(self) -> dict[str, Any]:
        """The object of `--json`."""
        return {
            "schema": SCHEMA,
            "outcome": self.outcome,
            "sent": bool(self.attempts),
            "market": self.market,
            "chain_id": self.vault.chain_id,
            "safe": self.vault.safe,
            "nonce": self.rung.tx.nonce if self.rung else None,
            "safe_tx_hash": self.rung.safe_tx_hash if self.rung else None,
            "transaction_hash": self.transaction_hash or None,
            "block": asdict(self.block) if self.block else None,
            "problem": self.problem or None,
            "attempts": [one.transaction_hash for one in self.attempts],
        }


@dataclass(slots=True)
class Fired:
    """A rung on its way. `attempts` grow as its fee is raised; `sent_at` is the block it was last sent at,
    `since` the one at which the rung was seen to be live."""

    vault: Vault
    rung: Rung
    signer: Signer
    roads: Roads
    intents: Intents
    clock: Clock
    screen: Voice
    data: bytes
    seconds: float
    attempts: list[Attempt]
    sent_at: int
    since: int
    notes: Mapping[str, Any] = field(default_factory=dict)
    is_public: bool = False
    bumps: int = 0
    spent_looks: int = 0

    def send(self, attempt: Attempt, *, is_recorded: bool = False) -> None:
        """Sign, record and send; the same bytes are not recorded twice. A refusal for its price raises the price.

        Raises Refused where nodes take nothing of it.
        """
        while True:
            raw = raw_by(self.signer, attempt.outgoing(self.vault.chain_id, self.vault.safe, self.data))
            signed = replace(attempt, transaction_hash=to_hex(keccak(raw)))
            is_new = not (is_recorded and signed.transaction_hash in {one.transaction_hash for one in self.attempts})
            if is_new:
                self.intents.intend(signed, **self.notes)
                self.attempts.append(signed)
            try:
                self.deliver(raw)
            except Refused as problem:
                if is_new and self.roads.private is None:  # else an earlier sending, or the private node, may have it
                    self.intents.refuse(signed.transaction_hash, problem.message)
                if self.bumps >= MOST_BUMPS or not any(one in problem.message.lower() for one in UNDERPRICED):
                    raise
                attempt, self.bumps, is_recorded = raised(signed, stamp(self.clock.now())), self.bumps + 1, False
                continue
            self.screen.say(f"sent: {signed.transaction_hash}, by {signed.sender} at its nonce {signed.nonce}")
            return

    def deliver(self, raw: bytes) -> None:
        """To the private node while that is trusted alone, else to all; what may be on its way counts as sent."""
        privately = self.roads.private is not None and not self.is_public
        try:
            self.roads.send(raw, privately=privately)
        except IncidentError as problem:
            if privately:
                self.screen.say(f"the private node did not take it ({problem.message}): sent to the others", "warn")
                self.is_public = True
                self.deliver(raw)
            elif isinstance(problem, Unread):
                self.screen.say(problem.message, "warn")
            else:
                raise

    def go_public(self) -> None:
        """The last attempt once more, to every node."""
        self.is_public = True
        last = self.attempts[-1]
        raw = raw_by(self.signer, last.outgoing(self.vault.chain_id, self.vault.safe, self.data))
        self.screen.say("the private node did not bring it about: sent to the others", "warn")
        try:
            self.deliver(raw)
        except Refused as problem:
            self.screen.say(problem.message, "warn")

    def bump(self, block: int) -> None:
        """The same transaction with a higher fee, at the same nonce of the same sender."""
        self.bumps += 1
        self.sent_at = block
        attempt = raised(self.attempts[-1], stamp(self.clock.now()))
        words = f"not mined after {BUMP_BLOCKS} blocks: the fee is raised to {attempt.max_fee} wei per gas"
        self.screen.say(words, "warn")
        try:
            self.send(attempt)
        except Refused as problem:
            self.screen.say(f"the higher fee was not taken: {problem.message}", "warn")


def raised(attempt: Attempt, at: str) -> Attempt:
    """The attempt at a higher fee (both parts an eighth up), not yet signed."""
    max_fee, priority = fees.raised(attempt.max_fee), fees.raised(attempt.priority_fee)
    return replace(attempt, max_fee=max_fee, priority_fee=priority, transaction_hash="", at=at)


def receipt_asks(attempts: Iterable[Attempt]) -> dict[Key, Request]:
    """The receipt of each attempt."""
    hashes = dict.fromkeys(one.transaction_hash for one in attempts)
    return {("receipt", one): Request("eth_getTransactionReceipt", (one,)) for one in hashes}


def follow(firing: Fired) -> Report:
    """Wait until an attempt is mined, or the Safe's nonce is used up by others, and prove what came of it.

    Raises Unread where that is not known in time; the next run takes it up.
    """
    until = firing.clock.monotonic_ns() + int(firing.seconds * 10**9)
    with firing.screen.working("waiting for the block"):
        while True:
            found = look(firing)
            report = found and outcome_of(firing, found)
            if report:
                return report
            if firing.clock.monotonic_ns() >= until:
                raise Unread(
                    f"sent, but nothing is mined after {firing.seconds:.0f} s: {firing.attempts[-1].transaction_hash}",
                    "it may still be mined: run the same command again, it takes the attempt up",
                )
            if found:
                hurry(firing, found.block.number)
            firing.clock.sleep(POLL_SECONDS)


def look(firing: Fired) -> Answers | None:
    """The receipts and the Safe's nonce now; None where no node answered this time."""
    asks = {
        NONCE_KEY: Request("eth_call", (call(firing.vault.safe, NONCE), "latest")),
        **receipt_asks(firing.attempts),
    }
    try:
        return firing.roads.ask(firing.vault.chain, firing.vault.chain_id, asks)
    except Unread as problem:
        firing.screen.say(problem.message, "warn")
        return None


def hurry(firing: Fired, block: int) -> None:
    """What a transaction that is not mined needs after some blocks."""
    waited = block - firing.sent_at
    if firing.roads.private is not None and not firing.is_public and waited >= PRIVATE_BLOCKS:
        firing.go_public()
    elif waited >= BUMP_BLOCKS and firing.bumps < MOST_BUMPS:
        firing.bump(block)


def outcome_of(firing: Fired, answers: Answers) -> Report | None:
    """The report, as soon as there is something to report; None where it must be waited for."""
    mined = [one for one in firing.attempts if is_receipt(answers, one)]
    nonce = answers.number(NONCE_KEY)
    try:
        if mined:
            return firing.roads.first(lambda node: proven(firing, node, mined[-1].transaction_hash))
        if isinstance(nonce, int) and nonce > firing.rung.tx.nonce:
            firing.spent_looks += 1  # a node may know the new nonce a moment before the receipt of ours
        if firing.spent_looks >= SPENT_LOOKS:
            return firing.roads.first(lambda node: proven_by_others(firing, node))
    except Unread as problem:
        firing.screen.say(problem.message, "warn")
    return None


def is_receipt(answers: Answers, attempt: Attempt) -> bool:
    """Whether a node answered with a receipt."""
    return isinstance(answers.replies[("receipt", attempt.transaction_hash)], dict)


def proven(firing: Fired, node: Endpoint, transaction_hash: str) -> Report | None:
    """What a mined transaction brought about; None where its block is not the chain's (yet): it is looked for again."""
    vault, rung = firing.vault, firing.rung
    execution = execution_of(node, vault.chain, vault.safe, rung.safe_tx_hash, transaction_hash)
    if not execution.mined or execution.block is None:
        return None
    effect, block = effect_at(node, vault, rung.market, execution.block)
    return settled(firing, transaction_hash, execution, effect, block)


def settled(
    firing: Fired, transaction_hash: str, execution: Execution, effect: Shown | Missing, block: Block
) -> Report:
    """The report of a mined transaction; raises Unread where the effect could not be read."""
    if isinstance(effect, Missing):
        words = f"executed in block {block.number}, but the effect could not be read: {effect.reason}"
        raise Unread(words, "look again")
    problem = execution.problem or ("" if execution.succeeded else "the transaction was mined and reverted")
    outcome: Outcome = "contained" if execution.succeeded else "contained-by-others"
    if effect != "shown":
        outcome, problem = "not-contained", problem or "it was executed, and the chain does not show the effect"
    return report(firing, outcome, block, transaction_hash, problem)


def proven_by_others(firing: Fired, node: Endpoint) -> Report:
    """The nonce was used up without a transaction of ours: by the same rung sent by others, or by something else."""
    vault, rung = firing.vault, firing.rung
    found = find_execution(node, vault.chain, vault.safe, rung.safe_tx_hash, firing.since)
    if found in {one.transaction_hash for one in firing.attempts}:
        raise Unread("the rung was executed by a transaction of ours whose receipt is not there yet", "look again")
    block = ask(node, vault.chain, vault.chain_id, {}).block
    effect, block = effect_at(node, vault, rung.market, block)
    if isinstance(effect, Missing):
        raise Unread(f"whether it is contained could not be read: {effect.reason}", "look again")
    words = f"others executed this rung: {found}" if found else f"something else used up nonce {rung.tx.nonce}"
    words = words if effect == "shown" else f"{words}; fire again: the next rung is live"
    return report(firing, "contained-by-others" if effect == "shown" else "not-contained", block, found or "", words)


def effect_at(node: Endpoint, vault: Vault, market: str, block: Block) -> tuple[Shown | Missing, Block]:
    """What the chain shows at a block, or at the head where the node keeps that block's state no more."""
    effects = vault.target(market).effects
    pinned = ask(node, vault.chain, vault.chain_id, dict(effect_asks(market, effects, hex(block.number))))
    found = shown(vault, market, pinned)
    if not isinstance(found, Missing):
        return found, block
    latest = ask(node, vault.chain, vault.chain_id, dict(effect_asks(market, effects)))
    return shown(vault, market, latest), latest.block


def report(firing: Fired, outcome: Outcome, block: Block, transaction_hash: str, problem: str) -> Report:
    """The report, which is also recorded beside the vault."""
    attempts = tuple(firing.attempts)
    made = Report(firing.vault, firing.rung.market, outcome, block, firing.rung, transaction_hash, problem, attempts)
    firing.intents.write({"kind": "outcome", "at": stamp(firing.clock.now()), **without_schema(made.to_json())})
    return made


def without_schema(document: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a report, to stand in a record of another schema."""
    return {name: value for name, value in document.items() if name != "schema"}
