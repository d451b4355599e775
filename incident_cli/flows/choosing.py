"""Which nonce a proposal takes: what stands in the Safe's queue is shown, and the operator sees what is displaced."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from incident_cli.errors import IncidentError, Refused, Unread, Waiting
from incident_cli.evm import Address, Call
from incident_cli.flows.desk import Prompt
from incident_cli.flows.multisig.queueing import AtNonce
from incident_cli.flows.session import Session
from incident_cli.runbook.model import Step
from incident_cli.safe.batch import fold
from incident_cli.safe.hashes import hash_transaction
from incident_cli.text import plain

if TYPE_CHECKING:
    from incident_cli.flows.multisig.queueing import Queue

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


@dataclass(frozen=True, slots=True)
class Chosen:
    """The nonce to take (None: the one on chain), and in words what can then never execute."""

    nonce: int | None = None
    displaces: tuple[str, ...] = ()


NEXT = Chosen()


def chosen_nonce(
    session: Session, step: Step, safe: Address, calls: Sequence[Call], reading: Meanwhile[Queue | None]
) -> Chosen:
    """The nonce to take; where nothing that counts stands at the one on chain, that one without a question.

    A queue that cannot be read is said, and holds nobody up. What anybody may have posted without a signature is said,
    and asks nothing. Raises Waiting where the operator stops.
    """
    try:
        queue = reading.result()
    except IncidentError as problem:
        session.screen.say(f"what stands in the Safe's queue is NOT known: {problem.message}", "bad")
        return Chosen(displaces=("NOT KNOWN: the queue could not be read",))
    if queue is None:
        return NEXT
    say_problems(session, queue)
    standing = [at for one in queue.at if (at := credible(session, one)) is not None]
    same = the_same(session, safe, calls, queue, standing)
    taken = [one for one in standing if one.nonce == queue.nonce]
    if not taken and same is None:
        say_behind(session, standing)
        return NEXT
    if same == queue.nonce:
        session.screen.say(f"the very same transaction stands at nonce {same} already: this one joins it", "good")
        return NEXT
    return ask(session, step, queue, standing, same)


def credible(session: Session, at: AtNonce) -> AtNonce | None:
    """What stands at a nonce without what the service does not trust, which is only said; None: nothing is left."""
    trusted = tuple(one for one in at.queued if one.trusted)
    for one in at.queued:
        if not one.trusted:
            words = f"NOT trusted by the service, anybody may have put it there: nonce {one.nonce}: {one.label}"
            session.screen.say(plain(words, 600), "warn")
    return AtNonce(at.nonce, trusted, at.reserved) if trusted or at.reserved else None


def say_problems(session: Session, queue: Queue) -> None:
    """What is not known of the queue."""
    if queue.service_problem and session.bound.deployment.services.get(session.reader.chain) is not None:
        session.screen.say(f"what stands in the Safe's queue is NOT known: {queue.service_problem}", "bad")
    for name in queue.unread:
        session.screen.say(f"what the incident {name} reserved is NOT known: its journal does not verify", "bad")


def say_behind(session: Session, standing: Sequence[AtNonce]) -> None:
    """What waits behind the nonce that is taken."""
    for one in standing[:MOST_SHOWN]:
        session.screen.say(f"behind it in the queue, nonce {one.nonce}: {words_of(one)}")


def the_same(
    session: Session, safe: Address, calls: Sequence[Call], queue: Queue, standing: Sequence[AtNonce]
) -> int | None:
    """The first nonce at which the very same transaction stands; other encodings of the same calls are no such."""
    here = session.reader.chain_id
    for at in standing:
        try:
            tx = fold(calls, chain_id=here, safe=safe, version=queue.version, nonce=at.nonce)
        except Refused:  # this version cannot batch them: nothing is the same
            return None
        if hash_transaction(tx).safe_tx_hash in hashes_at(at):
            return at.nonce
    return None


def hashes_at(at: AtNonce) -> set[str]:
    """What can be joined at a nonce: what is sound in the service, and what incidents here proposed."""
    shown = {one.safe_tx_hash for one in at.queued if one.tx is not None}
    return shown | {one.safe_tx_hash for one in at.reserved}


def ask(session: Session, step: Step, queue: Queue, standing: Sequence[AtNonce], same: int | None) -> Chosen:
    """The operator's choice among what stands there; Enter alone stops."""
    for one in standing[:MOST_SHOWN]:
        alarm = "RIVALS at " if one.are_rivals else ""
        session.screen.say(f"{alarm}nonce {one.nonce}: {words_of(one)}", "bad" if one.are_rivals else "warn")
    there = next((one.labels for one in standing if one.nonce == queue.nonce), ())
    behind = max((one.nonce + 1 for one in standing), default=queue.nonce)
    made = {"join": Chosen(same), "on": Chosen(queue.nonce, there), "last": Chosen(behind)}
    displaces = f"; this makes impossible: {'; '.join(there)}" if there else ""
    words = {
        "stop": "leave the incident here; it can be resumed",
        "join": f"confirm what stands at nonce {same}: the very same calls",
        "on": f"nonce {queue.nonce}, which executes next{displaces}",
        "last": f"nonce {behind}: only after everything else in the queue",
    }
    choices = [(name, plain(text, 900)) for name, text in words.items() if name != "join" or same is not None]
    prompt = Prompt(step.id, "choice", "The Safe's queue is not empty. At which nonce?", choices=choices, help=HELP)
    chosen = session.ask(step, prompt)
    if chosen not in made:
        raise Waiting("no nonce was chosen; nothing was proposed", "operator")
    return made[chosen]


def words_of(one: AtNonce) -> str:
    """What stands at a nonce."""
    return plain("; or ".join(one.labels), 600)
