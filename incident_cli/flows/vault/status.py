"""How a vault stands today: every rung validated again against the chain, in one batch to as many nodes as must agree.

The rungs are simulated by the deployment's own nodes only: a public simulation service would be handed what fires them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from incident_cli.chain.fees import HISTORY_BLOCKS, TIP_PERCENTILE, fees_of, gas_limit, market_of
from incident_cli.errors import IncidentError, Refused, Unread
from incident_cli.evm import Block, Missing
from incident_cli.flows.connecting import Environment
from incident_cli.flows.multisig.place import Place, place_of_transaction
from incident_cli.flows.vault.asking import Answers, Key, ask, later_asks, standing_asks, trial_asks
from incident_cli.flows.vault.judging import Standing, adapted, stand
from incident_cli.incident.events import block_to_json
from incident_cli.runbook.deployment import BroadcasterEntry, Deployment
from incident_cli.safe.vault import Vault
from incident_cli.transport import Endpoint, Request

SCHEMA = "incident.vault-status/v1"
TRIES = 3  # at a head that stands still
WORDS = {0: "ready", 1: "not-ready", 3: "unknown"}


@dataclass(frozen=True, slots=True)
class Purse:
    """One account that can broadcast: its balance in wei, and whether that pays for a fire (None: not known)."""

    name: str
    address: str
    balance: int | None
    enough: bool | None


@dataclass(frozen=True, slots=True)
class Examined:
    """A vault at one look. `gas` is what a fire is given, `max_fee` wei per gas; None where not known."""

    vault: Vault
    standing: Standing
    block: Block
    gas: int | None
    max_fee: int | None
    purses: tuple[Purse, ...]

    @property
    def cost(self) -> int | None:
        """Wei at most."""
        return None if self.gas is None or self.max_fee is None else self.gas * self.max_fee

    @property
    def alarms(self) -> tuple[str, ...]:
        """Everything that somebody must act on."""
        poor = [f"{one.name} ({one.address}) cannot pay for a fire" for one in self.purses if one.enough is False]
        return (*self.standing.alarms, *poor)

    @property
    def unknowns(self) -> tuple[str, ...]:
        """Everything that could not be known."""
        unread = [f"the balance of {one.name} ({one.address})" for one in self.purses if one.balance is None]
        return (*self.standing.unknowns, *(f"{one} could not be read" for one in unread))

    @property
    def exit_code(self) -> int:
        """0 ready, 1 not ready, 3 unknown; not ready wins."""
        return 1 if self.alarms else 3 if self.unknowns else 0

    def to_json(self) -> dict[str, Any]:
        """The object of `--json`."""
        standing = self.standing
        return {
            "schema": SCHEMA,
            "verdict": WORDS[self.exit_code],
            "chain": self.vault.chain,
            "chain_id": self.vault.chain_id,
            "safe": self.vault.safe,
            "block": block_to_json(self.block),
            "nonce": None if isinstance(standing.nonce, Missing) else standing.nonce,
            "nonces_left": list(standing.left),
            "rungs": [
                {
                    "nonce": one.rung.tx.nonce,
                    "market": one.rung.market,
                    "state": one.state,
                    "reason": one.reason or None,
                    "safe_tx_hash": one.rung.safe_tx_hash,
                    "signers": sorted(one.rung.signatures),
                }
                for one in standing.conditions
            ],
            "markets": {one: now if isinstance(now, str) else "unknown" for one, now in standing.contained.items()},
            "changed": list(standing.changed),
            "alarms": list(self.alarms),
            "unknown": list(self.unknowns),
            "gas": self.gas,
            "max_fee_per_gas": None if self.max_fee is None else str(self.max_fee),
            "cost": None if self.cost is None else {"amount": str(self.cost), "token": "native", "decimals": 18},
            "broadcasters": [
                {
                    "name": one.name,
                    "address": one.address,
                    "balance": None if one.balance is None else str(one.balance),
                    "enough": one.enough,
                }
                for one in self.purses
            ],
        }


def place_of_vault(vault: Vault, deployment: Deployment, environment: Environment) -> Place:
    """Where a vault's Safe stands in a deployment; raises Refused where it names no such Safe."""
    return place_of_transaction(deployment, vault.rungs[0].tx, environment)


def examine(vault: Vault, place: Place) -> Examined:
    """The vault as the chain shows it now; raises Unread where too few nodes answer, or where they disagree."""
    senders = [one for one in place.deployment.broadcasters if one.chain == place.chain]
    asks = asks_of(vault, senders)
    nodes, quorum = place.reader.nodes.members, place.reader.nodes.quorum
    looks, problems = list[Answers](), list[str]()
    for node in nodes:
        try:
            answers = steady(node, vault, asks)
            now = adapted(vault, answers)
            looks.append(answers if now is vault else steady(node, now, asks_of(now, senders)))
        except (Unread, Refused) as problem:
            problems.append(problem.message)
        if len(looks) == quorum:
            return agreeing(vault, senders, looks)
    raise Unread(
        f"{len(looks)} of {quorum} nodes that must agree could be read: {'; '.join(problems)}",
        "nothing is known of the vault until they can; try again",
    )


def asks_of(vault: Vault, senders: Sequence[BroadcasterEntry]) -> dict[Key, Request]:
    """Everything that must be known, in one batch."""
    sender = senders[0].address if senders else vault.owners[0]
    return {
        **dict(standing_asks(vault, vault.markets)),
        **dict(trial_asks(vault, vault.rungs, sender)),
        **dict(later_asks(vault, vault.rungs, sender)),
        ("fees", "tip"): Request("eth_maxPriorityFeePerGas"),
        ("fees", "history"): Request("eth_feeHistory", (hex(HISTORY_BLOCKS), "latest", [TIP_PERCENTILE])),
        **{("balance", one.address): Request("eth_getBalance", (one.address, "latest")) for one in senders},
    }


def steady(node: Endpoint, vault: Vault, asks: Mapping[Key, Request]) -> Answers:
    """The answers of a node, of one block where its head stands still long enough."""
    for _ in range(TRIES):
        answers = ask(node, vault.chain, vault.chain_id, asks)
        if answers.is_steady:
            break
    return answers


def agreeing(vault: Vault, senders: Sequence[BroadcasterEntry], looks: Sequence[Answers]) -> Examined:
    """What every node says alike; raises Unread where they say different things of a rung."""
    found = [examined(vault, senders, one) for one in looks]
    said = {summary(one) for one in found}
    if len(said) > 1:
        raise Unread("the nodes disagree about the vault", "one may lag: try again; then find out which one is wrong")
    return found[-1]


def summary(one: Examined) -> tuple[object, ...]:
    """What nodes must agree about."""
    standing = one.standing
    return standing.nonce, standing.changed, tuple((each.rung.safe_tx_hash, each.state) for each in standing.conditions)


def examined(vault: Vault, senders: Sequence[BroadcasterEntry], answers: Answers) -> Examined:
    """What the answers of one node say."""
    standing = stand(vault, answers)
    gas = max((one.gas for one in standing.conditions if one.state == "ready" and one.gas is not None), default=None)
    told = {name: answers.replies[("fees", name)] for name in ("tip", "history")}
    try:
        market = market_of("the node", {"block": answers.header, **told})
        max_fee, limit = fees_of(market).max_fee, None if gas is None else gas_limit(gas, 0, market.block_gas)
    except IncidentError:
        max_fee, limit = None, None
    cost = None if limit is None or max_fee is None else limit * max_fee
    purses = tuple(purse(one, answers, cost) for one in senders)
    return Examined(vault, standing, answers.block, limit, max_fee, purses)


def purse(one: BroadcasterEntry, answers: Answers, cost: int | None) -> Purse:
    """A broadcaster's balance against what a fire costs."""
    found = answers.number(("balance", one.address))
    balance = None if isinstance(found, Missing) else found
    enough = None if balance is None or cost is None else balance >= cost
    return Purse(one.name, one.address, balance, enough)
