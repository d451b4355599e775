"""How a proposal reaches the chain: as a file for its owners, or (in a drill) through their rehearsed hands."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from incident_cli import __version__
from incident_cli.chain.execution import Execution, count_executions, execution_of, find_execution
from incident_cli.errors import NotProven, Refused, Unread, Waiting
from incident_cli.evm import Block
from incident_cli.flows.leg import Leg
from incident_cli.flows.preparing import read_safe
from incident_cli.flows.proposal import SafeState
from incident_cli.flows.session import Session
from incident_cli.incident.events import Event, Kind, block_to_json, executions
from incident_cli.runbook.model import ContainStep
from incident_cli.safe.files import read_json, write_proposal
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.transaction import SafeTx

if TYPE_CHECKING:
    from incident_cli.evm import Address
    from incident_cli.flows.multisig.place import Place
    from incident_cli.flows.multisig.queueing import Queue
    from incident_cli.flows.reading import Reader
    from incident_cli.safe.service import TransactionService

PLANNED = "planned"  # a plan that was only shown reserves nothing
FILE_SCHEMA = "incident.proposal/v1"
REOPENING_SCHEMA = "incident.reopening/v1"
MOST_SUPERSEDED = 1_000
# what two plans of one transaction have in common; block, simulation and reopening are each plan's own
ALWAYS_THE_SAME = (
    "safe_tx",
    "safe_tx_hash",
    "domain_hash",
    "message_hash",
    "calldata_digest",
    "calldata_bytes",
    "calls",
    "schema",
    "incident",
    "runbook",
    "runbook_hash",
    "market",
    "because",
)
FILE_CAP = 4 * 1024 * 1024


class Delivery(Protocol):
    """One road for a confirmed proposal."""

    @property
    def follows(self) -> bool:
        """Whether others are waited for here, rather than by resuming."""

    @property
    def hurries(self) -> bool:
        """Whether not even blocks are waited for."""

    def pause(self, session: Session) -> None:
        """Let some time pass before everything is looked at again; only where it `follows`."""

    def deliver(self, session: Session, leg: Leg) -> Execution:
        """Bring it to execution and return the evidence; safe to call again after any interruption.

        Raises Waiting where others must act first.
        """

    def keep_reopening(self, session: Session, step: ContainStep) -> None:
        """Keep the prepared way back of a containment where its people will find it."""

    def queue(self, session: Session, safe: Address) -> Queue | None:
        """What stands in the Safe's queue on the session's chain; None where there is no such thing. Raises Unread."""

    def withdraw(self, session: Session, tx: SafeTx) -> str:
        """Put a rejection where the owners sign it, once; where that is, in words."""


class Replaced(Exception):
    """Another transaction took the proposal's nonce: it can never execute."""


class FileDelivery:
    """Writes `<safe_tx_hash>.json` and waits for the owners to sign and execute it. Needs no key."""

    follows = hurries = False

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def pause(self, session: Session) -> None:
        """Nothing: whoever waits for files resumes."""

    def deliver(self, session: Session, leg: Leg) -> Execution:
        """The evidence once the chain has it; until then the file, and Waiting for signatures."""
        proposal = leg.proposal
        tx = SafeTx.from_json(proposal["safe_tx"])
        state = read_safe(session.reader, tx.safe)
        if not leg.is_handed_over and state.nonce > tx.nonce:
            raise Replaced(f"the Safe {tx.safe} moved on to nonce {state.nonce} while {tx.nonce} was being confirmed")
        if state.nonce <= tx.nonce:
            self.export(session, leg)
            raise self.waiting(proposal, state)
        hash_ = proposal["safe_tx_hash"]
        endpoint, chain = session.reader.endpoint, session.reader.chain
        sent = find_execution(endpoint, chain, tx.safe, hash_, leg.planned_at.number)
        if sent is None:
            self.require_others(session, leg, state.nonce)
            raise Replaced(f"another transaction took nonce {tx.nonce} of the Safe {tx.safe}")
        known = leg.find(Kind.SUBMITTED)
        if known is None or known.data["transaction_hash"] != sent:
            leg.record(session, Kind.SUBMITTED, transaction_hash=sent, by="others")
        return execution_of(endpoint, chain, tx.safe, hash_, sent)

    def keep_reopening(self, session: Session, step: ContainStep) -> None:
        """Write `reopening-STEP.json`: the undo calls, what must still stand for them, and by whom they are made."""
        made = reopening_document(session, step)
        if made is not None:
            where = f"-{session.elsewhere}" if session.elsewhere else ""
            name = f"reopening-{step.id}{where}-{session.attempt}.json"
            path = self.directory / name
            path = path if path.exists() else write_proposal(self.directory, name, made)
            session.screen.say(f"the way back is prepared: {path}", "good")

    def require_others(self, session: Session, leg: Leg, nonce: int) -> None:
        """Raise Unread unless the node shows who spent every nonce since the plan's block: where it shows fewer, our
        own execution may be among those it has not indexed."""
        tx = SafeTx.from_json(leg.proposal["safe_tx"])
        spent = nonce - int(leg.proposal["safe"].get("nonce", tx.nonce))
        since = leg.planned_at.number + 1
        found = count_executions(session.reader.endpoint, session.reader.chain, tx.safe, since)
        if found < spent:
            raise Unread(
                f"the Safe's nonce moved on by {spent}, but {session.reader.endpoint.name} shows {found} executions",
                "its search of events is incomplete: resume with another node",
            )

    def queue(self, session: Session, safe: Address) -> Queue | None:
        """What other incidents on this machine have proposed; a queue elsewhere is not seen."""
        return queue_here(session, safe, None)

    def withdraw(self, session: Session, tx: SafeTx) -> str:
        """Written beside the proposals, as `<safe_tx_hash>.json`."""
        name = f"{hash_transaction(tx).safe_tx_hash}.json"
        path = self.directory / name
        path = path if path.exists() else write_proposal(self.directory, name, tx.to_json())
        return f"owners sign and execute {path}"

    def export(self, session: Session, leg: Leg) -> None:
        """Write the file and record it; a file that is there already must still hold this transaction."""
        name = f"{leg.proposal['safe_tx_hash']}.json"
        path = self.directory / name
        if path.exists() and not self.is_current(path, session, leg):
            supersede(path)
        is_new = not path.exists()
        if is_new:
            path = write_proposal(self.directory, name, document(session, leg))
        if leg.find(Kind.EXPORTED) is None:
            leg.record(session, Kind.EXPORTED, path=str(path))
        elif not is_new:
            return
        session.screen.say(f"proposal written: {path}", "good")

    def is_current(self, path: Path, session: Session, leg: Leg) -> bool:
        """Whether the file is what was confirmed; False where an earlier plan of the very same transaction wrote it.

        Raises Refused where somebody changed it.
        """
        found, wanted = read_json(path, FILE_CAP), json.loads(json.dumps(document(session, leg)))
        later = {"reopening": wanted["reopening"]}  # a file that an earlier version wrote does not say it
        if isinstance(found, dict) and {**later, **found, "version": ""} == {**wanted, "version": ""}:
            return True
        if isinstance(found, dict) and is_of_earlier_plan(found, wanted):
            return False
        raise Refused(
            f"{path} does not hold what was confirmed: somebody changed it",
            "sign nothing in it; move it away, find out who did, then resume: it is written again",
        )

    def waiting(self, proposal: dict[str, Any], safe: SafeState) -> Waiting:
        """Owners must sign; the message says how many now and where the file is."""
        return Waiting(
            f"the proposal {proposal['safe_tx_hash']} waits for {safe.threshold} of {len(safe.owners)} owners "
            f"of {safe.address}",
            "signatures",
            f"owners sign {self.directory / (proposal['safe_tx_hash'] + '.json')}",
        )


def queue_here(session: Session, safe: Address, service: TransactionService | None) -> Queue | None:
    """The queue by service and by the open incidents on this machine, this incident's own earlier steps among them.

    None where there is neither a service nor such an incident.
    """
    from incident_cli.flows.multisig.queueing import queue_of
    from incident_cli.flows.multisig.reservations import Reserved, reserved_here

    reader = session.reader.on(session.reader.chain)  # one of its own: it is read beside the plan
    place = place_here(session, safe, reader)
    found = reserved_here(session.recorder.directory.parent, reader.chain_id, safe, 0)
    left = tuple(one for one in found.reservations if one.stage != PLANNED)
    if service is None and not left and not found.unread:
        return None
    return queue_of(place, service, Reserved(left, found.unread))


def place_here(session: Session, safe: Address, reader: Reader) -> Place:
    """Where a Safe of the session's chain stands."""
    from incident_cli.flows.multisig.place import place_with

    return place_with(session.bound.deployment, safe, reader)


def is_of_earlier_plan(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether it is the file of another plan of the very same transaction."""
    return found.get("block") != wanted["block"] and all(found.get(key) == wanted.get(key) for key in ALWAYS_THE_SAME)


def supersede(path: Path) -> None:
    """Give a file of an earlier plan another name: what is signed is read from the present one."""
    numbers = (path.with_suffix(f".superseded-{number}.json") for number in range(1, MOST_SUPERSEDED))
    path.rename(next(one for one in numbers if not one.exists()))


def reopening_document(session: Session, step: ContainStep) -> dict[str, Any] | None:
    """The way back of a contain step from the values recorded before it; None where there is none."""
    here = [one for one in session.events if one.data.get("chain", "") == session.elsewhere]
    plans = executed_plans(here, step.id)
    undo = {record["label"]: record for plan in plans for record in plan.data["undo"]}
    if not undo:
        return None
    return {
        "schema": REOPENING_SCHEMA,
        "incident": session.recorder.incident,
        "step": step.id,
        "market": session.bound.market.name,
        "calls": [in_order(one) for one in reversed(undo.values())],
        "reopening": str(plans[-1].data["reopening"]),
        "version": __version__,
    }


def executed_plans(events: Sequence[Event], step: str) -> list[Event]:
    """The plans of a step that were executed and undo something, oldest first."""
    own = [one for one in events if one.step == step]
    return [plan for _, plan in executions(own) if plan.data["undo"]]


def document(session: Session, leg: Leg) -> dict[str, Any]:
    """The proposal file: the flat SafeTx, its hashes, its calls, its simulation, and where it comes from."""
    return {
        "schema": FILE_SCHEMA,
        **in_order(leg.proposal),
        "safe_tx": SafeTx.from_json(leg.proposal["safe_tx"]).to_json(),
        "incident": session.recorder.incident,
        "runbook": session.bound.runbook.id,
        "runbook_hash": session.runbook_hash,
        "market": session.bound.market.name,
        **({"because": str(because)} if (because := session.events[0].data.get("because")) else {}),
        "reopening": str(leg.plan.data.get("reopening", "")),
        "block": block_to_json(leg.planned_at),
        "version": __version__,
    }


def in_order(value: Any) -> Any:
    """Sorted at every level: the journal keeps no order, and a resumed export must write the same bytes."""
    if isinstance(value, Mapping):
        return {key: in_order(value[key]) for key in sorted(value)}
    return [in_order(one) for one in value] if isinstance(value, list | tuple) else value


def has_failed(evidence: Execution) -> bool:
    """Whether the chain itself shows that it failed: sending the same again can change nothing."""
    return evidence.mined and not evidence.problem and (evidence.status == 0 or evidence.safe_outcome == "failure")


def check_evidence(evidence: Execution) -> Block:
    """The block of a proven execution (receipt status, the Safe's success event, a canonical block), else NotProven."""
    if evidence.succeeded and evidence.block is not None:
        return evidence.block
    if not evidence.mined:
        problem = evidence.problem or "it is not mined"
    else:
        problem = evidence.problem or f"receipt status {evidence.status}, ExecutionSuccess {evidence.safe_outcome}"
    raise NotProven(
        f"the transaction was sent, but its execution is not proven: {problem}",
        "the market is NOT contained by it; look at the transaction, then resume",
    )
