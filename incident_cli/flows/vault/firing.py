"""Firing a vault: one batch that says which rung is live and whether it would succeed, one transaction, one proof.

Two round trips lie between the decrypted key and the sent transaction. Nothing of web3, safe_eth or eth_account is
loaded. "Sent" is not "contained": only a read of the chain, at the block of the execution, is.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from incident_cli.chain.fees import HISTORY_BLOCKS, TIP_PERCENTILE, ether, fees_of, gas_limit, market_of
from incident_cli.errors import Refused, Unread
from incident_cli.evm import Address, Missing
from incident_cli.flows.clock import Clock, stamp
from incident_cli.flows.vault.asking import Answers, Key, execution_of, standing_asks, trial_asks
from incident_cli.flows.vault.following import Fired, Report, Voice, follow, receipt_asks
from incident_cli.flows.vault.intents import Attempt, Intents
from incident_cli.flows.vault.judging import Condition, Standing, adapted, live_rung, stand
from incident_cli.flows.vault.roads import Roads
from incident_cli.safe.signing import Signer
from incident_cli.safe.vault import Rung, Vault
from incident_cli.transport import Request

# what the execution itself shows to hold, because it runs with the very signatures and through the guards
TOLERATED = frozenset({"owners", "threshold", "modules", "fallback handler", "guard", "module guard"})


@dataclass(frozen=True, slots=True)
class Fire:
    """What is fired, by whom, over which nodes. `overruled` are the people who fire although code changed, each with a
    reason; `take_over`: although another broadcaster's attempt may still be on its way."""

    vault: Vault
    market: str
    signer: Signer
    roads: Roads
    intents: Intents
    clock: Clock
    screen: Voice
    overruled: Sequence[tuple[str, str]] = field(default=())
    take_over: bool = False
    seconds: float = 600.0

    @property
    def tolerated(self) -> Collection[str]:
        """The facts whose change does not stop it."""
        return {one.name for one in self.vault.facts} if len(self.overruled) > 1 else TOLERATED

    @property
    def sender(self) -> Address:
        """Who pays."""
        return self.signer.address


def fire(order: Fire) -> Report:
    """Fire the live rung and follow it to its proof; raises Refused where nothing was sent, Unread where it is unknown.

    An attempt that was recorded before is taken up: its receipt is looked for, and the same transaction sent again.
    """
    require_two(order.overruled)
    rungs = order.vault.rungs_for(order.market)
    order.vault.target(order.market)
    before = order.intents.attempts(one.safe_tx_hash for one in rungs)
    with order.screen.working("reading the chain and trying the rung"):
        order, answers = asked(order, rungs, before)
    standing = stand(order.vault, answers, order.tolerated)
    is_contained = standing.contained[order.market] == "shown"
    done = [one for one in before if receipt_status(answers, one) == 1 and not is_settled(order.intents, one)]
    if done and is_contained:
        order.screen.say(f"it was fired before: {done[-1].transaction_hash}")
        return follow(fired(order, rung_of(rungs, done[-1].safe_tx_hash), before, answers))
    if is_contained:
        order.screen.say(f"{order.market} is contained already: nothing was sent, and the rung is kept", "good")
        return Report.already(order.vault, order.market, answers.block)
    if done:
        order.screen.say(f"{done[-1].transaction_hash} was mined, and the chain does not show it contained now", "warn")
    live = ready(order, standing)
    for name in standing.changed:
        order.screen.say(f"{name} is not as it was at arming; the execution was simulated with what stands now", "warn")
    unmined = [one for one in before if receipt_status(answers, one) is None]
    attempts = tuple(one for one in unmined if one.safe_tx_hash == live.rung.safe_tx_hash)
    again = repeated(order, attempts, answers)
    attempt = again or fresh(order, live, answers)
    with order.screen.working("signing and sending it"):
        firing = sent(order, live.rung, attempts, attempt, answers, is_new=again is None)
    return follow(firing)


def asked(order: Fire, rungs: Sequence[Rung], before: Sequence[Attempt]) -> tuple[Fire, Answers]:
    """The answers, asked once more where the owners changed and other signatures must be tried."""
    vault = order.vault
    answers = order.roads.ask(vault.chain, vault.chain_id, asks_of(order, rungs, before))
    changed = adapted(vault, answers)
    if changed is vault:
        return order, answers
    order = replace(order, vault=changed)
    return order, order.roads.ask(vault.chain, vault.chain_id, asks_of(order, rungs, before))


def asks_of(order: Fire, rungs: Sequence[Rung], before: Sequence[Attempt]) -> dict[Key, Request]:
    """Everything that must be known, in one batch: the market's effect, every rung tried, the sender, past attempts."""
    sender = order.sender
    return {
        **dict(standing_asks(order.vault, [order.market])),
        **dict(trial_asks(order.vault, rungs, sender)),
        ("sender", "nonce"): Request("eth_getTransactionCount", (sender, "latest")),
        ("sender", "pending"): Request("eth_getTransactionCount", (sender, "pending")),
        ("sender", "balance"): Request("eth_getBalance", (sender, "latest")),
        ("fees", "tip"): Request("eth_maxPriorityFeePerGas"),
        ("fees", "history"): Request("eth_feeHistory", (hex(HISTORY_BLOCKS), "latest", [TIP_PERCENTILE])),
        **receipt_asks(before),
    }


def receipt_status(answers: Answers, attempt: Attempt) -> int | None:
    """1 where an attempt was mined and succeeded, 0 where it reverted, None where it is not mined."""
    found = answers.replies[("receipt", attempt.transaction_hash)]
    return int(found.get("status") == "0x1") if isinstance(found, dict) else None


def is_settled(intents: Intents, attempt: Attempt) -> bool:
    """Whether what came of an attempt was reported before."""
    ended = [one for one in intents.records if one.get("kind") == "outcome"]
    return any(one.get("transaction_hash") == attempt.transaction_hash for one in ended)


def rung_of(rungs: Sequence[Rung], safe_tx_hash: str) -> Rung:
    """The rung of a hash that is known to be among them."""
    return next(one for one in rungs if one.safe_tx_hash == safe_tx_hash)


def require_two(people: Sequence[tuple[str, str]]) -> None:
    """Raises Refused where one person alone would overrule, or the same one twice."""
    names = {name.casefold() for name, _ in people}
    if people and (len(names) < 2 or not all(reason.strip() for _, reason in people)):
        raise Refused("changed code is overruled by two people, each with a reason", "give --overrule twice")


def ready(order: Fire, standing: Standing) -> Condition:
    """The live rung of the market, once it would succeed; raises Refused or Unread with what stands in its way."""
    if isinstance(standing.nonce, Missing):
        raise Unread(f"the Safe's nonce could not be read: {standing.nonce.reason}", "nothing was sent; try again")
    rung = live_rung(order.vault, order.market, standing.nonce)
    if rung is None:
        raise Refused(no_rung(order.vault, standing.nonce), "propose it instead: `incident respond`. Nothing was sent")
    found = next(one for one in standing.conditions if one.rung is rung)
    if found.state == "ready":
        return found
    words = f"the rung at nonce {standing.nonce} cannot be fired: {found.state}: {found.reason}"
    if found.state == "unknown":
        raise Unread(words, "nothing was sent; try another node with --rpc")
    hint = "nothing was sent; propose it instead: `incident respond`"
    if found.state == "changed" and standing.changed:
        hint = 'nothing was sent; two people may fire all the same: --overrule "NAME: REASON", twice'
    raise Refused(words, hint)


def no_rung(vault: Vault, nonce: int) -> str:
    """Why no rung is live."""
    first, last = vault.nonces[0], vault.nonces[-1]
    if nonce > last:
        return f"the ladder is used up: the Safe stands at nonce {nonce}, the last rung was {last}"
    return f"the Safe stands at nonce {nonce}, before the ladder's first, {first}: what is queued there must come first"


def repeated(order: Fire, attempts: Sequence[Attempt], answers: Answers) -> Attempt | None:
    """The attempt to send again, where one may still be carried out; None where a new one is to be made.

    Raises Refused where another account's attempt may be on its way: at most one would succeed, the other pays for it.
    """
    nonce = answers.number(("sender", "nonce"))
    others = [one for one in attempts if one.sender != order.sender]
    if others and not order.take_over:
        last = others[-1]
        raise Refused(
            f"{last.sender} fired this rung at {last.at} ({last.transaction_hash}) and it is not mined",
            "fire with that key: it takes the attempt up and raises its fee; or --take-over. Nothing was sent now",
        )
    own = [one for one in attempts if one.sender == order.sender]
    if not own or not isinstance(nonce, int) or nonce > own[-1].nonce:
        return None
    order.screen.say(f"an attempt was recorded at {own[-1].at} and is not mined: it is taken up", "warn")
    return own[-1]


def fresh(order: Fire, live: Condition, answers: Answers) -> Attempt:
    """A new attempt: priced, and known to be paid for; raises Refused or Unread."""
    nonce, pending = answers.number(("sender", "nonce")), answers.number(("sender", "pending"))
    if isinstance(nonce, Missing) or live.gas is None:
        raise Unread("the gas or the sender's nonce could not be read", "nothing was sent; try another node")
    if isinstance(pending, int) and pending > nonce:
        words = f"{order.sender} has {pending - nonce} transactions waiting: this one takes the place of the first"
        order.screen.say(words, "warn")
    told = {name: answers.replies[("fees", name)] for name in ("tip", "history")}
    market = market_of("the node", {"block": answers.header, **told})
    fees, gas = fees_of(market), gas_limit(live.gas, 0, market.block_gas)
    at, rung = stamp(order.clock.now()), live.rung
    attempt = Attempt(
        safe_tx_hash=rung.safe_tx_hash,
        market=order.market,
        rung=rung.tx.nonce,
        sender=order.sender,
        nonce=nonce,
        gas=gas,
        max_fee=fees.max_fee,
        priority_fee=fees.priority_fee,
        transaction_hash="",
        at=at,
    )
    require_paid(attempt, answers)
    return attempt


def require_paid(attempt: Attempt, answers: Answers) -> None:
    """Raises Refused where the sender could not pay what the node asks to be covered, Unread where that is unknown."""
    balance, cost = answers.number(("sender", "balance")), attempt.gas * attempt.max_fee
    if isinstance(balance, Missing):
        raise Unread(f"the balance of {attempt.sender} could not be read: {balance.reason}", "nothing was sent")
    if balance < cost:
        raise Refused(
            f"{attempt.sender} holds {ether(balance)}, and this can cost {ether(cost)}",
            "fund it, or fire with another broadcaster; nothing was sent",
        )


def sent(
    order: Fire, rung: Rung, before: Sequence[Attempt], attempt: Attempt, answers: Answers, *, is_new: bool
) -> Fired:
    """The attempt signed, recorded where it is new (or other bytes than before), and sent."""
    firing = fired(order, rung, before, answers)
    try:
        firing.send(attempt, is_recorded=not is_new)
    except Refused as problem:
        if is_new:
            raise
        order.screen.say(f"sent again, and refused: {problem.message}", "warn")  # what was sent before may be mined
    return firing


def fired(order: Fire, rung: Rung, attempts: Sequence[Attempt], answers: Answers) -> Fired:
    """What is followed from here on."""
    data = execution_of(order.vault, rung)
    own = [one for one in attempts if one.safe_tx_hash == rung.safe_tx_hash]
    notes = {"overruled": [{"name": name, "reason": reason} for name, reason in order.overruled]}
    return Fired(
        order.vault,
        rung,
        order.signer,
        order.roads,
        order.intents,
        order.clock,
        order.screen,
        data,
        order.seconds,
        list(own),
        answers.block.number,
        answers.block.number,
        notes,
    )
