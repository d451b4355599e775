"""Whether a transaction is ready: execTransaction with the very signatures that were collected, simulated now."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from incident_cli.chain.simulate import Simulation, simulate_execution
from incident_cli.evm import Address, checksummed
from incident_cli.flows.multisig.collecting import NOBODY, Collected, collect
from incident_cli.flows.multisig.standing import Standing
from incident_cli.safe.execution_data import execution_data
from incident_cli.safe.leaving import leaving
from incident_cli.safe.transaction import SafeTx

ANYBODY = checksummed(b"\xde\xad".rjust(20, b"\0"))  # sends nothing: stands for whoever may send


if TYPE_CHECKING:
    from incident_cli.flows.multisig.place import Place


@dataclass(frozen=True, slots=True)
class Readiness:
    """What can be done with a standing now. `state` is `ready` only where the execution was simulated and passed.

    `executed`, `failed` and `displaced` are ends; `waiting` lacks confirmations; `queued` has earlier nonces before it;
    `refused` has them all and fails all the same; `unknown` could not be simulated. `reason` says why it is not ready.
    """

    state: str
    reason: str = ""
    collected: Collected | None = None


def ready(place: Place, tx: SafeTx, packed: bytes, sender: Address) -> Simulation:
    """The execution by `sender` with these signatures, simulated at the head: signatures and guards are exercised."""
    return simulate_execution(place.reader.endpoint, place.chain, tx.safe, execution_data(tx, packed), sender)


def readiness(place: Place, standing: Standing, sender: Address, without: Collection[Address] = NOBODY) -> Readiness:
    """What can be done now, sent by `sender`; no signature of the owners in `without` is used, nor of
    those whom the transaction takes out (their sending does not count either)."""
    if standing.fate != "open":
        return Readiness(standing.fate, end_words(standing))
    collected = collect(standing, sender, (*without, *leaving(standing.tx)))
    if collected.missing:
        reason = f"{len(standing.confirmations)} of {standing.threshold} confirmations"
        return Readiness("waiting", reason, collected)
    if not standing.is_next:
        reason = f"the Safe is at nonce {standing.nonce}: {standing.tx.nonce - standing.nonce} must execute before it"
        return Readiness("queued", reason, collected)
    shown = ready(place, standing.tx, collected.packed, sender)
    states = {"passed": "ready", "failed": "refused"}
    return Readiness(states.get(shown.state, "unknown"), shown.reason, collected)


def end_words(standing: Standing) -> str:
    """How it ended, in words."""
    if standing.fate == "executed":
        return f"executed by {standing.executed_by}"
    if standing.fate == "failed":
        return f"executed by {standing.executed_by}, and the Safe states failure: the nonce is spent, nothing was done"
    return f"another transaction took nonce {standing.tx.nonce}: this one can never execute"
