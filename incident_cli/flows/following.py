"""Proposals that wait for others: every leg goes as far as it can, and where somebody follows live, again and again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from incident_cli.errors import Waiting
from incident_cli.flows.session import Session

Done = TypeVar("Done")
SIGNATURES, FINALITY = "signatures", "finality"
BLOCK_SECONDS = 12


def followed(session: Session, legs: Mapping[str, Callable[[], Done]]) -> dict[str, Done]:
    """Chain → what its leg ended with, once every leg has ended.

    Each leg is carried as far as it goes before any is waited for, so that the owners of every chain can sign at once.
    Raises Waiting, naming how many are done, where the delivery does not follow live.
    """
    done: dict[str, Done] = {}
    while True:
        waits: list[Waiting] = []
        for chain, leg in legs.items():
            if chain in done:
                continue
            try:
                done[chain] = leg()
            except Waiting as problem:
                if problem.waiting_for not in (SIGNATURES, FINALITY):
                    raise
                waits.append(problem)
        if not waits:
            return done
        bide(session, waits, len(done), len(legs))


def bide(session: Session, waits: Sequence[Waiting], done: int, legs: int) -> None:
    """Let some time pass: blocks pass by themselves, owners are waited for where the delivery follows; else raise."""
    if all(one.waiting_for == FINALITY for one in waits):
        with session.screen.working("; ".join(one.message for one in waits)):
            session.pace.wait(BLOCK_SECONDS)
    elif session.delivery.follows:
        session.delivery.pause(session)
    else:
        raise together([one for one in waits if one.waiting_for == SIGNATURES], done, legs)


def together(waits: Sequence[Waiting], done: int, legs: int) -> Waiting:
    """What is waited for, as one; of several legs, how many are done."""
    if legs == 1:
        return waits[0]
    words = "; ".join(one.message for one in waits)
    hints = "; ".join(one.hint for one in waits if one.hint)
    return Waiting(f"contained on {done} of {legs} chains; {words}", SIGNATURES, hints)
