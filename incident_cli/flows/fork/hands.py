"""The hands of a fork drill: owners who are impersonated. Nothing they do proves that the real owners would sign.

All owners but the first approve the hash on chain; the first executes, which the Safe takes for its signature. No
signature is made that could be used on the real chain, and nothing leaves the fork.
"""

from __future__ import annotations

from collections.abc import Sequence

from incident_cli.abi import encode_call, parse_signature
from incident_cli.chain.execution import Execution, execution_of
from incident_cli.chain.simulate import simulate_execution
from incident_cli.drills.fork import Fork
from incident_cli.errors import Refused, Unread
from incident_cli.evm import Address, hex_bytes, to_hex
from incident_cli.flows.hands import execution_data
from incident_cli.flows.leg import Leg, leg_of
from incident_cli.flows.session import Session
from incident_cli.incident.events import Event, Kind
from incident_cli.runbook.model import ContainStep
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.signatures import pack, pre_validated
from incident_cli.safe.transaction import SafeTx

APPROVE_HASH = parse_signature("approveHash(bytes32 hashToApprove)")


class ImpersonatedHands:
    """Approves with as many owners as the threshold asks for, then executes."""

    follows = hurries = False

    def __init__(self, fork: Fork) -> None:
        self.fork = fork

    def deliver(self, session: Session, leg: Leg) -> Execution:
        """Approvals, a simulation with them, the intent on disk, then the send; an intent is never sent twice."""
        if leg.find(Kind.SIGNED) is None:
            self.sign(session, leg)
        intent = leg_of(session, leg.step, leg.name).find(Kind.SUBMIT_INTENDED) or self.intend(session, leg)
        sent = leg_of(session, leg.step, leg.name).find(Kind.SUBMITTED)
        hash_ = str(sent.data["transaction_hash"]) if sent else self.send(session, leg, intent)
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

    def sign(self, session: Session, leg: Leg) -> None:
        """Each owner is impersonated, once this program finds the hash again."""
        proposal = leg.proposal
        tx = SafeTx.from_json(proposal["safe_tx"])
        found = hash_transaction(tx).safe_tx_hash
        if found != proposal["safe_tx_hash"]:
            raise Refused(f"the hash found is {found}, the proposal says {proposal['safe_tx_hash']}", "sign nothing")
        signers = signers_of(proposal["safe"]["owners"], proposal["safe"]["threshold"])
        for owner in signers[1:]:
            self.approve(tx.safe, owner, found)
        packed = pack({owner: pre_validated(owner) for owner in signers})
        leg.record(session, Kind.SIGNED, signatures=to_hex(packed), signers=list(signers), impersonated=True)
        for number, owner in enumerate(signers, 1):
            words = f"signature {number} of {len(signers)} by {owner}, impersonated: it proves nothing of its owner"
            session.screen.say(words, "warn")

    def approve(self, safe: Address, owner: Address, safe_tx_hash: str) -> None:
        """approveHash by an owner; raises Refused where the Safe does not take it."""
        try:
            self.fork.send(owner, safe, encode_call(APPROVE_HASH, (hex_bytes(safe_tx_hash),)))
        except Unread as problem:
            raise Refused(f"{owner} could not approve on the fork: {problem.message}", "nothing was executed") from None

    def intend(self, session: Session, leg: Leg) -> Event:
        """Prove by simulation that the approvals suffice, then write down what is sent."""
        signed = leg_of(session, leg.step, leg.name).find(Kind.SIGNED)
        assert signed is not None, "it was signed just before"
        tx = SafeTx.from_json(leg.proposal["safe_tx"])
        data = execution_data(tx, hex_bytes(signed.data["signatures"]))
        sender = Address(signed.data["signers"][0])
        shown = simulate_execution(session.reader.endpoint, session.reader.chain, tx.safe, data, sender)
        if shown.state != "passed":
            leg.record(session, Kind.FAILED, problem=shown.reason, void=shown.state == "failed")
            raise Refused(f"with its approvals the transaction would fail: {shown.reason}", "it was not sent")
        return leg.record(session, Kind.SUBMIT_INTENDED, sender=sender, data=to_hex(data))

    def send(self, session: Session, leg: Leg, intent: Event) -> str:
        """Send what was intended, by its impersonated sender."""
        safe = Address(leg.proposal["safe_tx"]["safe"])
        hash_ = self.fork.send(Address(intent.data["sender"]), safe, hex_bytes(intent.data["data"]))
        leg.record(session, Kind.SUBMITTED, transaction_hash=hash_)
        return hash_


def signers_of(owners: Sequence[str], threshold: int) -> list[Address]:
    """As many owners as must sign, in the order of their addresses."""
    return [Address(one) for one in sorted(owners, key=str.lower)[:threshold]]
