"""The way back of each step, made now behind the step in one simulated block, by whoever undoes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from incident_cli.abi import parse_signature
from incident_cli.chain.answers import decode_result, refused
from incident_cli.chain.multicall import revert_reason
from incident_cli.chain.simulated_block import Outcome, parse_outcome
from incident_cli.evm import Address, Call, CallRead, Missing, keccak, part_of, to_hex
from incident_cli.flows.guarding import demand
from incident_cli.flows.preflight.ground import SAFE, Stage
from incident_cli.flows.preflight.item import Item, judged, not_ready, ready, unknown, waiting
from incident_cli.flows.preflight.steps import Rehearsed
from incident_cli.flows.proposal import show
from incident_cli.flows.reading import Reader
from incident_cli.levers.delay import Delay
from incident_cli.levers.expectation import Expectation, same
from incident_cli.levers.lever import Plan, Undo
from incident_cli.runbook.lint import bound_names
from incident_cli.runbook.model import RestoreStep
from incident_cli.text import plain
from incident_cli.transport import Json, Request, RpcError

TIMELOCK, PROPOSER = "timelock", "proposer"
MIN_DELAY = parse_signature("getMinDelay() view returns (uint256)")
SALT = keccak(b"incident preflight: the way back")
NO_NODE = "Name a node that has eth_simulateV1."


@dataclass(frozen=True, slots=True)
class Undoer:
    """Who undoes a lever: the account that makes the call, and in words. `proposer` is the Safe that schedules it,
    where that account is a time-lock."""

    account: Address
    words: str
    proposer: Address | None = None

    def scheduling(self, undo: Undo, seconds: int, number: int) -> Call:
        """What schedules an undo in the time-lock; equal calls are told apart by their number."""
        delay = Delay("timelock", self.account, self.account, seconds)
        return delay.schedule(undo.call, keccak(SALT + number.to_bytes(4)))


@dataclass(frozen=True, slots=True)
class Sent:
    """One call of the simulated block and who makes it."""

    by: Address
    call: Call
    what: str

    def to_json(self) -> dict[str, Json]:
        """As a node takes it."""
        call = self.call
        return {"from": self.by, "to": call.to, "value": hex(call.value), "data": to_hex(call.data)}


def undo_item(stage: Stage, made: Rehearsed, reader: Reader) -> Item:
    """Whether what the step does can be put back, by whom, and whether that was tried."""
    name = stage.id("undo")
    if found := bound_names(stage.step):
        return ready(name, f"not simulated: the step takes a value that a check finds ({', '.join(found)})")
    if made.item.status != "ready":
        return waiting(name, made.causes or [made.item.id])
    return judged(name, lambda: tried(name, stage, [one for one in made.plans if not one.satisfied], reader))


def tried(name: str, stage: Stage, plans: Sequence[Plan], reader: Reader) -> Item:
    """The item of plans that would be pulled."""
    undos = [(one, one.undo) for one in plans if one.undo is not None]
    final = [one.pull.label for one in plans if one.undo is None]
    never = f"cannot be undone by anyone: {', '.join(final)}" if final else ""
    if not undos:
        return ready(name, never or "nothing would be pulled, so there is nothing to undo")
    strangers = sorted({undo.by for _, undo in undos if undoer(stage, undo) is None})
    if strangers:
        words = f"it is undone by {', '.join(strangers)}, which this deployment does not name: NOT simulated"
        return unknown(name, words, f"Add {strangers[0]} under `slots` in the deployment, or a restore step.")
    who = "; ".join(dict.fromkeys(one.words for _, undo in undos if (one := undoer(stage, undo)) is not None))
    is_later = any(one.delay for one in plans)
    problem = simulate_undo(stage, plans, reader, is_later=is_later)
    if isinstance(problem, Missing):
        return unknown(name, f"undone by {who}; NOT simulated: {problem.reason}", NO_NODE)
    if problem:
        fix = "Find out who may undo it now, before it is done: look at `undo` and `restore`, and at the role."
        return not_ready(name, f"undone by {who}: {problem}", fix)
    if is_later:
        return ready(name, f"undone by {who}; not simulated: the step itself must be scheduled first")
    return ready(
        name, "; ".join(filter(None, (f"undone by {who}: tried behind the step, it puts back what stood", never)))
    )


def undoer(stage: Stage, undo: Undo) -> Undoer | None:
    """Who undoes: the restore step's authority, else the lever's own, by the slot of that name; None: not known."""
    restores = (
        one for one in stage.bound.runbook.steps if isinstance(one, RestoreStep) and one.restore == stage.step.id
    )
    restore = next(restores, None)
    slot = restore.by if restore is not None else stage.step.contain.by if undo.by == "same" else undo.by
    bound, deployment = stage.bound, stage.bound.deployment
    entry = deployment.slots.get(slot)
    addresses = bound.slots[slot].addresses if slot in bound.slots else entry.addresses if entry else {}
    if SAFE in addresses:
        return Undoer(addresses[SAFE], f"the Safe {slot} ({addresses[SAFE]}), its signatures not exercised")
    if TIMELOCK in addresses:
        unnamed = "" if PROPOSER in addresses else ", and nobody named who may schedule in it"
        words = f"the time-lock {slot} ({addresses[TIMELOCK]}), its delay not exercised{unnamed}"
        return Undoer(addresses[TIMELOCK], words, addresses.get(PROPOSER))
    return None


def simulate_undo(stage: Stage, plans: Sequence[Plan], reader: Reader, *, is_later: bool) -> str | Missing:
    """Nothing where the undo works behind the step; why it does not; Missing where it could not be tried.

    Where the step itself waits (`is_later`) only the scheduling of its undo is tried.
    """
    undos = [(one, one.undo, who) for one in reversed(plans) if one.undo and (who := undoer(stage, one.undo))]
    made = [Sent(stage.safe.address, call, one.pull.label) for one in plans for call in one.calls]
    scheduled = [sent for number, one in enumerate(undos) for sent in schedulings(*one, reader, number)]
    undone = [Sent(who.account, undo.call, f"the undo of {one.pull.label}") for one, undo, who in undos]
    expect = [] if is_later else [wish for _, undo, _ in undos for wish in undo.expect]
    sent = scheduled if is_later else [*made, *scheduled, *undone]
    return tried_in_a_block(stage, sent, expect, reader) if sent else ""


def schedulings(one: Plan, undo: Undo, who: Undoer, reader: Reader, number: int) -> list[Sent]:
    """What the time-lock's proposer sends first; nothing where no time-lock undoes. Raises Unread."""
    if who.proposer is None:
        return []
    read = CallRead(who.account, MIN_DELAY, (), reader.chain)
    seconds = demand("the time-lock's delay", reader.read([read]).value(read))
    assert isinstance(seconds, int), "a delay is a number"
    words = f"scheduling the undo of {one.pull.label} by its proposer {who.proposer}, which needs PROPOSER_ROLE,"
    return [Sent(who.proposer, who.scheduling(undo, seconds, number), words)]


def tried_in_a_block(
    stage: Stage, sent: Sequence[Sent], expect: Sequence[Expectation], reader: Reader
) -> str | Missing:
    """Nothing where every call succeeds and everything expected is seen behind them."""
    reads = [Sent(stage.safe.address, Call(one.read.to, one.read.signature, one.read.args), "") for one in expect]
    block: Json = {"calls": [one.to_json() for one in (*sent, *reads)]}
    (answer,) = reader.endpoint.exchange([Request("eth_simulateV1", ({"blockStateCalls": [block]}, "latest"))])
    if isinstance(answer, RpcError):
        return Missing(answer.message) if refused(answer) else f"the simulation fails: {answer.message}"
    outcomes = parse(answer, len(sent) + len(reads))
    for one_sent, outcome in zip(sent, outcomes, strict=False):
        if not outcome.result.success:
            reason = outcome.message if not outcome.result.data else revert_reason(outcome.result.data)
            return f"{one_sent.what} fails: {plain(reason, 300)}"
    return not_back(expect, outcomes[len(sent) :])


def parse(answer: Json, count: int) -> list[Outcome]:
    """The outcomes of the one simulated block; raises ValueError."""
    calls = answer[0].get("calls") if isinstance(answer, list) and answer and isinstance(answer[0], dict) else None
    if not isinstance(calls, list) or len(calls) != count:
        raise ValueError("the node's simulation is malformed")
    return [parse_outcome(one) for one in calls]


def not_back(expect: Sequence[Expectation], outcomes: Sequence[Outcome]) -> str | Missing:
    """What is not as it stood before; nothing where all of it is."""
    for one, outcome in zip(expect, outcomes, strict=True):
        answer = decode_result(one.read, outcome.result)
        if isinstance(answer, Missing):
            return Missing(f"{one.label} could not be read in it: {answer.reason}")
        found = part_of(answer, one.read.path)
        if not same(found, one.value):
            return f"afterwards {one.label} would be {show(found)}, it was {show(one.value)}"
    return ""
