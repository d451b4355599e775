"""A transaction simulated by whoever is asked to sign it: what its file says of a simulation is its author's word."""

from __future__ import annotations

from dataclasses import dataclass

from incident_cli.abi import Signature
from incident_cli.chain.simulate import Simulation, Trial, simulate
from incident_cli.evm import Call, to_hex
from incident_cli.flows.multisig.inspecting import ChainView
from incident_cli.flows.multisig.loading import Loaded
from incident_cli.flows.multisig.place import Place
from incident_cli.report.signing_card import CardSimulation
from incident_cli.safe.batch import InnerCall
from incident_cli.safe.execution_data import execution_data
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.leaving import leaving
from incident_cli.safe.signatures import number_of, pack, pre_validated
from incident_cli.safe.unfolding import unfold


@dataclass(frozen=True, slots=True)
class BytesCall(Call):
    """A call by its bytes, of whatever function they are: what runs is what is tried."""

    calldata: bytes = b""

    @property
    def data(self) -> bytes:
        """The calldata."""
        return self.calldata


def as_it_runs(call: InnerCall) -> BytesCall:
    """A call of the transaction, named by its selector."""
    return BytesCall(call.to, Signature(f"function {to_hex(call.data[:4])}", ()), (), call.value, call.data)


def tried(loaded: Loaded, place: Place, view: ChainView) -> CardSimulation:
    """The execution as it would go now, by as many owners as must sign."""
    tx, nonce = loaded.tx, view.standing.nonce
    if nonce != tx.nonce:
        return CardSimulation("not-simulated", reason=f"the Safe stands at nonce {nonce}, not at {tx.nonce}")
    gone = leaving(tx)
    able = [owner for owner in sorted(view.owners, key=number_of) if owner not in gone]
    if len(able) < max(1, view.threshold):
        words = f"only {len(able)} owners may sign it, and {view.threshold} must: it can never execute"
        return CardSimulation("not-simulated", reason=words)
    signers = able[: view.threshold]
    signatures = pack({owner: pre_validated(owner) for owner in signers})
    hash_ = hash_transaction(tx).safe_tx_hash
    trial = Trial(execution_data(tx, signatures), signers[0], tuple(signers[1:]), hash_)
    calls = [as_it_runs(one) for one in unfold(tx).outermost]
    return in_words(simulate(place.reader.endpoint, place.chain, tx.safe, calls, (), trial=trial))


def in_words(shown: Simulation) -> CardSimulation:
    """A simulation as a card shows it."""
    return CardSimulation(shown.state, shown.method, shown.reason, shown.not_exercised, shown.overridden)
