"""The rehearsed hands of a drill: the owners who sign, the executor who sends. Their keys exist in the drill alone."""

from __future__ import annotations

from collections.abc import Sequence

from incident_cli.abi import encode_call, parse_signature
from incident_cli.chain.execution import Execution, execution_of, receipt, send_raw
from incident_cli.chain.simulate import simulate_execution
from incident_cli.drills.accounts import Account
from incident_cli.drills.world import World
from incident_cli.errors import Refused
from incident_cli.evm import Address, hex_bytes, keccak, to_hex
from incident_cli.flows.leg import Leg, leg_of
from incident_cli.flows.session import Session
from incident_cli.incident.events import Event, Kind
from incident_cli.runbook.model import ContainStep
from incident_cli.safe.contracts import EXEC_TRANSACTION
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.signatures import check, pack
from incident_cli.safe.transaction import SafeTx

EXEC = parse_signature(EXEC_TRANSACTION)


class RehearsedHands:
    """Signs with as many owners as the threshold asks for, then executes."""

    follows = hurries = False

    def __init__(self, world: World) -> None:
        self.world = world

    def deliver(self, session: Session, leg: Leg) -> Execution:
        """Signatures, a simulation with them, the intent on disk, then the send; an intent is never sent twice."""
        if leg.find(Kind.SIGNED) is None:
            self.sign(session, leg)
        intent = leg_of(session, leg.step, leg.name).find(Kind.SUBMIT_INTENDED) or self.intend(session, leg)
        sent = leg_of(session, leg.step, leg.name).find(Kind.SUBMITTED)
        hash_ = sent.data["transaction_hash"] if sent else self.send(session, leg, hex_bytes(intent.data["raw"]))
        safe, safe_tx_hash = Address(leg.proposal["safe_tx"]["safe"]), leg.proposal["safe_tx_hash"]
        return execution_of(session.reader.endpoint, session.reader.chain, safe, safe_tx_hash, hash_)

    def queue(self, session: Session, safe: Address) -> None:
        """None: nobody else proposes here."""

    def withdraw(self, session: Session, tx: SafeTx) -> str:
        """Nothing: what these hands made is worth nothing outside the rehearsal."""
        return "it is worth nothing outside the rehearsal"

    def pause(self, session: Session) -> None:
        """Nothing: these hands keep nobody waiting."""

    def keep_reopening(self, session: Session, step: ContainStep) -> None:
        """Nothing: the record holds it."""

    def owners_of(self, safe: Address) -> Sequence[Account]:
        """The rehearsed owners of a Safe of this world."""
        if safe == self.world.addresses.council:
            return self.world.council_owners
        return self.world.governance_owners

    def sign(self, session: Session, leg: Leg) -> None:
        """Each owner packs and hashes the transaction itself and signs only the hash it finds."""
        proposal = leg.proposal
        tx = SafeTx.from_json(proposal["safe_tx"])
        found = hash_transaction(tx).safe_tx_hash
        if found != proposal["safe_tx_hash"]:
            raise Refused(f"the owners find {found}, the proposal says {proposal['safe_tx_hash']}", "sign nothing")
        signers = self.owners_of(tx.safe)[: proposal["safe"]["threshold"]]
        signatures = {one.address: one.sign_hash(hex_bytes(found)) for one in signers}
        packed = pack(signatures)
        owners = [Address(one) for one in proposal["safe"]["owners"]]
        check(found, packed, owners, proposal["safe"]["threshold"])
        leg.record(session, Kind.SIGNED, signatures=to_hex(packed), signers=list(signatures))
        for number, owner in enumerate(signatures, 1):
            session.screen.say(f"signature {number} of {proposal['safe']['threshold']} by {owner}", "good")

    def intend(self, session: Session, leg: Leg) -> Event:
        """Prove by simulation that the signatures suffice, then write the exact bytes down before they are sent."""
        signed = leg_of(session, leg.step, leg.name).find(Kind.SIGNED)
        assert signed is not None, "it was signed just before"
        tx = SafeTx.from_json(leg.proposal["safe_tx"])
        data = execution_data(tx, hex_bytes(signed.data["signatures"]))
        executor = self.world.executor
        shown = simulate_execution(session.reader.endpoint, session.reader.chain, tx.safe, data, executor.address)
        if shown.state != "passed":
            leg.record(session, Kind.FAILED, problem=shown.reason, void=shown.state == "failed")
            raise Refused(
                f"with its signatures the transaction would fail: {shown.reason}",
                "it was not sent; resume to plan anew",
            )
        raw = self.world.transaction(executor, tx.safe, data)
        return leg.record(session, Kind.SUBMIT_INTENDED, raw=to_hex(raw), transaction_hash=to_hex(keccak(raw)))

    def send(self, session: Session, leg: Leg, raw: bytes) -> str:
        """Send the exact bytes of the intent, unless the chain has them from before an interruption."""
        endpoint, hash_ = session.reader.endpoint, to_hex(keccak(raw))
        if receipt(endpoint, session.reader.chain, hash_) is None:
            send_raw(endpoint, raw)
        leg.record(session, Kind.SUBMITTED, transaction_hash=hash_)
        return hash_


def execution_data(tx: SafeTx, signatures: bytes) -> bytes:
    """Calldata of execTransaction."""
    return encode_call(EXEC, (*tx.arguments, signatures))
