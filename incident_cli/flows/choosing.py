"""Which nonce a proposal takes: what stands in the Safe's queue is shown, and the operator sees what is displaced."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

from incident_cli.errors import IncidentError, Refused, Unread, Waiting
from incident_cli.evm import Address, Call
from incident_cli.flows.desk import Prompt
from incident_cli.flows.session import Session
from incident_cli.runbook.model import Step
from incident_cli.safe.batch import fold
from incident_cli.safe.hashes import hash_transaction
from incident_cli.text import plain

if TYPE_CHECKING:
    from incident_cli.flows.multisig.queueing import AtNonce, Queue

Found = TypeVar("Found")
MOST_SHOWN = 8
SECONDS = 20.0  # longer than a service and its throttle take; a queue that comes later is not waited for
HELP = "At one nonce one transaction executes; whichever comes first makes the others impossible."


class Meanwhile(Generic[Found]):
    """Something that is read while other things are; `result` waits for it and raises what it raised."""

    def __init__(self, work: Callable[[], Found]) -> None:
        self._found: list[Found] = []
        self._problem: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()

    def _run(self, work: Callable[[], Found]) -> None:
        try:
            self._found.append(work())
        except BaseException as problem:  # handed to whoever waits, in the other thread
            self._problem.append(problem)

    def result(self) -> Found:
        """What was found; raises what was raised, or Unread where it took too long."""
        self._thread.join(SECONDS)
        if self._problem:
            raise self._problem[0]
        if not self._found:
            raise Unread(f"the queue was not read within {SECONDS:.0f} s")
        return self._found[0]


def reading_queue(session: Session, safe: Address) -> Meanwhile[Queue | None]:
    """The queue of a Safe, read while the levers are planned."""
    return Meanwhile(lambda: session.delivery.queue(session, safe))


def chosen_nonce(
    session: Session, step: Step, safe: Address, calls: Sequence[Call], reading: Meanwhile[Queue | None]
) -> int | None:
    """The nonce to take; None: the one on chain, where nothing stands that would be displaced.

    A queue that cannot be read is said, and holds nobody up. Raises Waiting where the operator stops.
    """
    try:
        queue = reading.result()
    except IncidentError as problem:
        session.screen.say(f"what stands in the Safe's queue is NOT known: {problem.message}", "bad")
        return None
    if queue is None:
        return None
    say_problems(session, queue)
    same = the_same(session, safe, calls, queue)
    taken = [one for one in queue.at if one.nonce == queue.nonce]
    if not taken and same is None:
        say_behind(session, queue)
        return None
    if same == queue.nonce:
        session.screen.say(f"the very same transaction stands at nonce {same} already: this one joins it", "good")
        return None
    return ask(session, step, queue, same)


def say_problems(session: Session, queue: Queue) -> None:
    """What is not known of the queue."""
    if queue.service_problem and session.bound.deployment.services.get(session.reader.chain) is not None:
        session.screen.say(f"what stands in the Safe's queue is NOT known: {queue.service_problem}", "bad")
    for name in queue.unread:
        session.screen.say(f"what the incident {name} reserved is NOT known: its journal does not verify", "bad")


def say_behind(session: Session, queue: Queue) -> None:
    """What waits behind the nonce that is taken."""
    for one in queue.at[:MOST_SHOWN]:
        session.screen.say(f"behind it in the queue, nonce {one.nonce}: {words_of(one)}")


def the_same(session: Session, safe: Address, calls: Sequence[Call], queue: Queue) -> int | None:
    """The first nonce at which the very same transaction stands; other encodings of the same calls are no such."""
    here = session.reader.chain_id
    for at in queue.at:
        try:
            tx = fold(calls, chain_id=here, safe=safe, version=queue.version, nonce=at.nonce)
        except Refused:  # this version cannot batch them: nothing is the same
            return None
        if hash_transaction(tx).safe_tx_hash in hashes_at(at):
            return at.nonce
    return None


def hashes_at(at: AtNonce) -> set[str]:
    """What can be joined at a nonce: what the service shows as trusted and sound, and what incidents here proposed."""
    shown = {one.safe_tx_hash for one in at.queued if one.trusted and one.tx is not None}
    return shown | {one.safe_tx_hash for one in at.reserved}


def ask(session: Session, step: Step, queue: Queue, same: int | None) -> int | None:
    """The operator's choice among what stands there; Enter alone stops."""
    for one in queue.at[:MOST_SHOWN]:
        alarm = "RIVALS at " if one.are_rivals else ""
        session.screen.say(f"{alarm}nonce {one.nonce}: {words_of(one)}", "bad" if one.are_rivals else "warn")
    there = next((words_of(one) for one in queue.at if one.nonce == queue.nonce), "")
    choices = [("stop", "leave the incident here; it can be resumed")]
    if same is not None:
        choices.append(("join", f"confirm what stands at nonce {same}: the very same calls"))
    displaces = f"; this makes impossible: {there}" if there else ""
    choices.append(("on", f"nonce {queue.nonce}, which executes next{displaces}"))
    choices.append(("last", f"nonce {queue.next_free}: only after everything else in the queue"))
    prompt = Prompt(step.id, "choice", "The Safe's queue is not empty. At which nonce?", choices=choices, help=HELP)
    chosen = session.ask(step, prompt)
    if chosen == "stop":
        raise Waiting("no nonce was chosen; nothing was proposed", "operator")
    return {"join": same, "on": queue.nonce}.get(chosen, queue.next_free)


def words_of(one: AtNonce) -> str:
    """What stands at a nonce."""
    return plain("; or ".join(one.labels), 600)
