"""Signing a file: only by a present owner, only what was examined and shown, only by a person who types its hash.

Asked to sign something twice ("it failed, sign again" is how Safes were emptied), the difference to what was signed
before is shown field by field and answered first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from incident_cli.errors import Refused, Waiting
from incident_cli.evm import Address
from incident_cli.flows.clock import Clock, stamp
from incident_cli.flows.connecting import Environment
from incident_cli.flows.desk import Answer, Answerer, Prompt
from incident_cli.flows.multisig.aids import Aids
from incident_cli.flows.multisig.carding import card_of
from incident_cli.flows.multisig.examining import examine
from incident_cli.flows.multisig.loading import Loaded
from incident_cli.flows.multisig.trying import tried
from incident_cli.report.signing_card import Rival, SigningCard
from incident_cli.safe.finding import InspectionFinding
from incident_cli.safe.leaving import leaving
from incident_cli.safe.rotation import refuse_excluded
from incident_cli.safe.rotation_inspection import WEAKENS
from incident_cli.safe.signature_file import SignatureFile, Signed, difference, store
from incident_cli.safe.signing import Signer, signed_by
from incident_cli.safe.signing_record import Memory, Remembered, recall, remember
from incident_cli.safe.transaction import SafeTx
from incident_cli.safe.typed_data import safe_tx_typed_data

SCHEMA = "incident.safe-sign/v1"
TYPED = 8  # characters of the hash
AGAIN = "sign another"
WEAKEN = "weaken"
Tone = Literal["plain", "good", "bad", "warn"]


@dataclass(frozen=True, slots=True)
class SigningOrder:
    """What is to be signed, by whom, for which deployment, and where the signature goes.

    `weaken`: the signer allows a rotation after which fewer keys act for the Safe; it is asked for once more.
    """

    loaded: Loaded
    aids: Aids
    signer: Signer
    out: Path
    displaces: Sequence[Rival] | None = None
    weaken: bool = False


@dataclass(frozen=True, slots=True)
class SigningDesk:
    """Who is there: what is shown, who answers, the clock, the home of this machine's record, the environment."""

    show: Callable[[SigningCard], None]
    say: Callable[[str, Tone], None]
    answerer: Answerer
    clock: Clock
    home: Path
    environment: Environment


@dataclass(frozen=True, slots=True)
class SignedFile:
    """A signature that was made and written; `owners` have signed in this file, of `threshold` needed."""

    path: Path
    safe_tx_hash: str
    signer: Address
    owners: tuple[Address, ...]
    threshold: int

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "schema": SCHEMA,
            "safe_tx_hash": self.safe_tx_hash,
            "signer": self.signer,
            "signed": list(self.owners),
            "threshold": self.threshold,
            "missing": max(0, self.threshold - len(self.owners)),
            "path": str(self.path),
        }


def sign(order: SigningOrder, desk: SigningDesk) -> SignedFile:
    """Examine, show, ask, sign, write. Raises Refused before anybody is asked where the signer is no owner or the
    transaction is dangerous, NeedsTerminal where nobody is there, Waiting where the answer is no."""
    tx = order.loaded.tx
    place, found, view = examine(order.loaded, order.aids, desk.environment, weaken=order.weaken)
    require_owner(order.signer, view.owners, tx)
    refuse_excluded([order.signer.address], leaving(tx))
    card = card_of(order.loaded, found, order.displaces, place.chain, tried(order.loaded, place, view))
    desk.show(card)
    ask_to_weaken(found.findings, desk.answerer)
    ask(order, desk, card.hashes.safe_tx_hash, recall(desk.home, tx))
    remember(desk.home, Remembered(stamp(desk.clock.now()), order.signer.address, tx, call_words(card)))
    signature = signed_by(order.signer, safe_tx_typed_data(tx))
    path, merged = store(order.out, SignatureFile(tx, (Signed(order.signer.address, signature),)))
    proven = (one.owner for one in merged.file.signatures if one.is_verified)  # of claims only the chain knows
    counting = tuple(one for one in proven if one in view.owners)
    return SignedFile(path, card.hashes.safe_tx_hash, order.signer.address, counting, view.threshold)


def ask_to_weaken(findings: Sequence[InspectionFinding], answerer: Answerer) -> None:
    """The word typed where fewer keys would act for the Safe; raises Waiting for anything else."""
    found = [one.message for one in findings if one.code == WEAKENS]
    if found:
        text = f"This WEAKENS the Safe: {'; '.join(found)}. Type {WEAKEN} to allow it."
        help_ = "Fewer keys then hold the Safe. Ask the other owners, by another road, whether it is meant."
        demand(answerer, Prompt("weaken", "type", text, WEAKEN, help=help_, typed=True))


def require_owner(signer: Signer, owners: Sequence[Address], tx: SafeTx) -> None:
    """Refused unless the signer is an owner now: whoever is no owner is not even asked."""
    if signer.address not in owners:
        raise Refused(
            f"{signer.address} ({signer.kind}) is no owner of the Safe {tx.safe}",
            f"its owners are {', '.join(owners)}; nothing was signed",
        )


def call_words(card: SigningCard) -> tuple[str, ...]:
    """Each call in one line, for the record."""
    lines = []
    for one in card.calls:
        args = ", ".join(f"{name} {value}" for name, value in one.args.items())
        lines.append(f"{one.function} at {one.to} with {args or 'nothing'}")
    return tuple(lines) or ("nothing",)


def ask(order: SigningOrder, desk: SigningDesk, safe_tx_hash: str, memory: Memory) -> None:
    """The person's own yes: first to every difference, then to the hash; raises Waiting for anything else."""
    tx, signer = order.loaded.tx, order.signer.address
    if memory.damaged:
        desk.say(f"{memory.damaged} lines of this machine's record of signatures cannot be read", "warn")
    again = memory.same(signer, tx)
    if again is not None:
        desk.say(f"{signer} was asked to sign exactly this before, at {again.at}: it changes nothing", "plain")
    related = memory.related(signer, tx)
    for one in related:
        tell_difference(desk, one, tx)
    if related:
        text = f"{signer} was asked before to sign what is shown above, and this is ANOTHER transaction. Sign both?"
        help_ = "Both can be in hands that you do not see. If somebody said that it failed, look at the chain first."
        demand(desk.answerer, Prompt("sign-again", "type", text, AGAIN, help=help_))
    phrase = safe_tx_hash[-TYPED:]
    text = f"Sign it with the {order.signer.kind} of {signer}? Type the last {TYPED} characters of the safeTxHash."
    help_ = "Read them from your device or another machine, not from this screen alone."
    demand(desk.answerer, Prompt("sign", "type", text, phrase, help=help_, typed=True))


def tell_difference(desk: SigningDesk, before: Remembered, tx: SafeTx) -> None:
    """Every field that differs, the earlier value first, and what the earlier one was said to do."""
    desk.say(f"asked before, at {before.at}: {before.safe_tx_hash}", "bad")
    for call in before.calls:
        desk.say(f"  it did: {call}", "warn")
    left, right = before.tx.to_json(), tx.to_json()
    for name in (one for one in left if left[one] != right[one]):
        desk.say(f"  before / now: {difference(name, left[name], right[name])}", "warn")


def demand(answerer: Answerer, prompt: Prompt) -> None:
    """Go on only where exactly the phrase was typed."""
    reply = answerer.ask(prompt)
    if not isinstance(reply, Answer) or reply.text != prompt.phrase:
        raise Waiting("nothing was signed", "operator", "Run it again to sign.")
