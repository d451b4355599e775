"""The second round trip of a preparation: the simulation, and with it what the Safe itself says of the transaction.

The first is a look: everything whose reads are known before anything was read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from incident_cli.abi import encode_call, parse_signature
from incident_cli.chain.parallel import gather
from incident_cli.chain.riding import Riding
from incident_cli.chain.simulate import Simulation, Trial, simulate
from incident_cli.errors import IncidentError
from incident_cli.evm import Call, CallRead, CodeRead, Missing, Read, Snapshot, StateRead, keccak, to_hex
from incident_cli.flows.looking import Look
from incident_cli.flows.proposal import TRANSACTION_HASH, SafeState
from incident_cli.flows.reading import Reader
from incident_cli.safe import contracts
from incident_cli.safe.signatures import pack, pre_validated
from incident_cli.safe.transaction import SafeTx
from incident_cli.transport import Endpoint

EXEC = parse_signature(contracts.EXEC_TRANSACTION)
MOST_SECONDS = 90  # every rung of the simulation has its own time-outs: this only ends what hangs


@dataclass(frozen=True, slots=True)
class Tried:
    """What the simulation shows, the Safe's own hash of the transaction (0x hex; Missing: not read), and the hash of
    the code that it would call (None where there is none)."""

    simulation: Simulation
    contract_hash: str | Missing
    code_hash: str | None


def try_out(
    reader: Reader,
    look: Look,
    tx: SafeTx,
    trial: Trial | None,
    shown: tuple[Sequence[Call], Sequence[Read]],
    late: Sequence[CallRead],
) -> Tried:
    """The calls of a transaction simulated with these reads around them: `shown` is (calls, reads).

    `late` are reads that came up in the look; they and the Safe's own hash ride with the simulation, so that all of it
    is one round trip where the node has eth_simulateV1. Where several nodes must agree they are asked beside it.
    """
    own, code = CallRead(tx.safe, TRANSACTION_HASH, (*tx.arguments, tx.nonce)), CodeRead(tx.to)
    riders: list[StateRead] = [own, code, *late]

    def run(endpoint: Endpoint) -> Simulation:
        return simulate(endpoint, reader.chain, tx.safe, *shown, trial=trial)

    simulation, told = (beside if reader.nodes.quorum > 1 else together)(reader, look, riders, run)
    hash_, found = told.value(own), told.value(code)
    return Tried(
        simulation,
        hash_ if isinstance(hash_, Missing) else to_hex(cast(bytes, hash_)),
        None if isinstance(found, Missing) else to_hex(keccak(cast(bytes, found))),
    )


def together(
    reader: Reader, look: Look, riders: Sequence[StateRead], run: Callable[[Endpoint], Simulation]
) -> tuple[Simulation, Snapshot]:
    """Both in the same HTTP request; riders that were not answered in it are read by themselves."""
    riding = Riding(reader.endpoint, reader.chain, riders)
    simulation = run(riding)
    if riding.block is None:
        return simulation, look.read(riders)
    told = Snapshot(riding.block, riding.answers)
    look.learn(told)
    return simulation, told


def beside(
    reader: Reader, look: Look, riders: Sequence[StateRead], run: Callable[[Endpoint], Simulation]
) -> tuple[Simulation, Snapshot]:
    """Both at once: one node simulates while a quorum is read."""
    works: dict[str, Callable[[], Simulation | Snapshot]] = {
        "simulation": lambda: run(reader.endpoint),
        "told": lambda: look.read(riders),
    }
    found = gather(works, MOST_SECONDS)
    for one in found.values():
        if isinstance(one, IncidentError):
            raise one
    return cast(Simulation, found["simulation"]), cast(Snapshot, found["told"])


def trial_of(state: SafeState, tx: SafeTx, safe_tx_hash: str) -> Trial | None:
    """The execution by the first `threshold` owners, their signatures taken as given; None where there are too few."""
    signers = sorted(state.owners, key=str.lower)[: state.threshold]
    if not 0 < state.threshold <= len(state.owners):
        return None
    signatures = pack({owner: pre_validated(owner) for owner in signers})
    data = encode_call(EXEC, (*tx.arguments, signatures))
    later = None if tx.nonce == state.nonce else tx.nonce
    return Trial(data, signers[0], tuple(signers[1:]), safe_tx_hash, later)
