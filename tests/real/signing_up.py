"""A signer drill on anvil: a Safe desk with a service, owners elsewhere, and a clock while which the world goes on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from incident_cli.evm import hex_bytes
from incident_cli.flows.multisig.signing import SigningDesk
from incident_cli.flows.signers.asking import ask
from incident_cli.flows.signers.drill import Room, SignerDrill, SignerOrder, begin, how_it_ended, report, take_up
from incident_cli.report.signing_card import SigningCard
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.service import TransactionService
from incident_cli.safe.signing import Signer
from tests.fakes.desk import FakeClock, Scripted
from tests.fakes.safe_service import SafeService
from tests.fakes.signers import AccountSigner
from tests.real.desking import Office, nothing

Happening = Callable[[], object]


@dataclass
class Rehearsing:
    """One desk, and what happens elsewhere after that many seconds of waiting."""

    service: SafeService | None
    client: TransactionService | None
    office: Office
    answerer: Scripted = field(default_factory=Scripted)
    clock: FakeClock = field(default_factory=FakeClock)
    said: list[str] = field(default_factory=list)
    cards: list[SigningCard] = field(default_factory=list)
    drill: SignerDrill | None = None

    @property
    def opened(self) -> SignerDrill:
        """The drill, once it is begun."""
        assert self.drill is not None
        return self.drill

    @property
    def words(self) -> str:
        """Everything that was said."""
        return "\n".join(self.said)

    def room(self, signer: Signer | None = None, follows: bool = True) -> Room:
        """The room with a key at hand."""
        desk = SigningDesk(
            self.cards.append,
            lambda text, tone: self.said.append(text),
            self.answerer,
            self.clock,
            self.office.home,
            nothing,
        )
        return Room(desk, signer, follows, lambda words: contextlib.nullcontext())

    def begin(self, signer: Signer | None = None, everybody: bool = False) -> SignerDrill:
        """A drill, begun."""
        order = SignerOrder(self.office.deployment_file, "council", everybody)
        self.drill = begin(order, self.room(signer))
        return self.drill

    def resume(self, signer: Signer | None = None, everybody: bool = False) -> SignerDrill:
        """The latest one, by another process."""
        self.let_go()
        self.drill = take_up("", self.room(signer), everybody)
        return self.drill

    def let_go(self) -> None:
        """As if the process had ended."""
        if self.drill is not None:
            self.drill.recorder.journal.close()

    def ask(self, signer: Signer | None = None, follows: bool = True) -> dict[str, Any]:
        """Ask until it has ended; raises what stops it."""
        ask(self.opened, self.room(signer, follows))
        how_it_ended(self.opened)
        return self.report()

    def report(self, waiting_for: str | None = None) -> dict[str, Any]:
        """The object."""
        return report(self.opened, waiting_for, self.room())

    def when(self, happenings: Mapping[int, Happening]) -> None:
        """Each happens once that many seconds have been slept."""
        due = dict(happenings)

        def sleeping(seconds: float) -> None:
            self.office.anvil.mine(1)
            for after in [one for one in due if one <= self.clock.slept]:
                due.pop(after)()

        self.clock.sleeping = sleeping

    def owner(self, number: int) -> AccountSigner:
        """An owner's key."""
        return self.office.signer(number)

    def confirm(self, number: int) -> None:
        """An owner confirms in the service, from elsewhere."""
        assert self.client is not None
        tx = self.opened.tx
        signature = self.office.council.owners[number].sign_hash(hex_bytes(hash_transaction(tx).safe_tx_hash))
        self.client.confirm(self.opened.safe_tx_hash, signature)
