"""A Safe desk on anvil: a 2-of-3 Safe that may pause a market, its deployment file, and owners whose keys are known."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from incident_cli.abi import parse_signature
from incident_cli.chain.execution import Execution as Evidence
from incident_cli.chain.execution import find_execution
from incident_cli.evm import Address, Call, checksummed, hex_bytes, to_hex
from incident_cli.flows.clock import Clock
from incident_cli.flows.multisig.executing import Road, execute
from incident_cli.flows.multisig.place import Place, place_of_slot
from incident_cli.flows.multisig.standing import Standing, stand
from incident_cli.runbook.deployment import Deployment, load_deployment
from incident_cli.safe.hashes import SafeHashes, hash_transaction
from incident_cli.safe.service import TransactionService
from incident_cli.safe.transaction import SafeTx
from tests.contracts.misbehaviour import compiled
from tests.contracts.packages import Packages
from tests.contracts.safes import Safe2of3, build_safe
from tests.fakes.anvil import Anvil
from tests.fakes.desk import FakeClock
from tests.fakes.safe_service import Execution, Record, SafeService, SafeState
from tests.fakes.signers import AccountSigner
from tests.real.containing import Site

ETHER = 10**18
ETH, BTC = (to_hex(one.ljust(32, b"\0")) for one in (b"ETH-USD", b"BTC-USD"))
SET_PAUSED = parse_signature("set_paused(bytes32 market, bool paused)")
SET_LIMIT = parse_signature("set_limit(uint256 limit)")
PASSPHRASE = "correct horse battery"
HASTY = Road(poll=1, bump=4, patience=60)


def nothing(name: str) -> None:
    """An environment without a variable."""


@dataclass
class Told:
    """What an execution told its caller, in order."""

    events: list[tuple[str, object]] = field(default_factory=list)

    def intent(self, raw: bytes) -> None:
        self.events.append(("intent", raw))

    def sent(self, transaction_hash: str) -> None:
        self.events.append(("sent", transaction_hash))

    def say(self, words: str) -> None:
        self.events.append(("say", words))

    @property
    def intents(self) -> list[bytes]:
        """The raw transactions that were intended."""
        return [value for kind, value in self.events if kind == "intent" and isinstance(value, bytes)]

    @property
    def kinds(self) -> list[str]:
        """What happened, without words."""
        return [kind for kind, _ in self.events if kind != "say"]


@dataclass(frozen=True)
class Office:
    """The chain, the Safe and the market, and a folder of its own. `extra` are further lines of the deployment."""

    council: Safe2of3
    market: Address
    folder: Path
    extra: str = ""

    @property
    def anvil(self) -> Anvil:
        """The node."""
        return self.council.anvil

    @property
    def home(self) -> Path:
        """Where incidents live."""
        return self.folder / "home"

    @property
    def deployment_file(self) -> Path:
        """The deployment file, as it is written now."""
        owners = self.council.owners
        path = self.folder / "deployment.yaml"
        path.write_text(
            f"""schema: incident-deployment/v1
name: test
chains: {{local: {{id: {self.anvil.chain_id}, rpc: [{{url: "{self.anvil.url}"}}]}}}}
slots:
  council: {{chain: local, protocol: safe, addresses: {{safe: "{self.council.address}"}}}}
contacts:
  - {{name: ana, owner: "{owners[0].address}", reach: pager, zone: Europe/Berlin}}
  - {{name: bo, owner: "{owners[1].address}", reach: "telephone +49 30 1234", zone: Asia/Tokyo}}
  - {{name: cy, owner: "{owners[2].address}", reach: pager, zone: America/New_York}}
{self.extra}"""
        )
        return path

    @property
    def deployment(self) -> Deployment:
        """The same, loaded."""
        return load_deployment(self.deployment_file)[0]

    @property
    def place(self) -> Place:
        """The Safe's place, with a reader of its own."""
        return place_of_slot(self.deployment, "council", nothing)

    def paused(self, market: str = ETH) -> bool:
        """Whether the chain shows a market paused."""
        return self.anvil.view(self.market, "paused(bytes32) returns (bool)", hex_bytes(market)) == (True,)

    def pause(self, market: str = ETH) -> Call:
        """The call that pauses one."""
        return Call(self.market, SET_PAUSED, (hex_bytes(market), True))

    def limit(self, most: int) -> Call:
        """The call that lets less through."""
        return Call(self.market, SET_LIMIT, (most,))

    def transaction(self, calls: Sequence[Call] = (), nonce: int | None = None) -> SafeTx:
        """The calls (else: pause one market) as a Safe transaction, at the next nonce or at another."""
        tx = self.council.transaction(list(calls) or [self.pause()])
        return tx if nonce is None else replace(tx, nonce=nonce)

    def signed(self, tx: SafeTx, *owners: int) -> dict[Address, bytes]:
        """These owners' signatures."""
        digest = hex_bytes(hash_transaction(tx).safe_tx_hash)
        return {one.address: one.sign_hash(digest) for one in (self.council.owners[number] for number in owners)}

    def signer(self, owner: int) -> AccountSigner:
        """An owner who signs, and can pay for gas."""
        account = self.council.owners[owner]
        self.anvil.rpc("anvil_setBalance", account.address, hex(ETHER))
        return AccountSigner(account)

    def standing(self, tx: SafeTx, *owners: int, service: TransactionService | None = None) -> Standing:
        """How it stands with these owners' signatures in files."""
        return stand(self.place, tx, service=service, signatures=self.signed(tx, *owners))

    def execute(
        self,
        tx: SafeTx,
        packed: bytes,
        told: Told,
        clock: Clock | None = None,
        road: Road = HASTY,
        earlier: Sequence[bytes] = (),
        intent: Callable[[bytes], None] | None = None,
    ) -> Evidence:
        """Sent by the third owner."""
        hands = (intent or told.intent, told.sent)
        return execute(
            self.place,
            tx,
            packed,
            self.signer(2),
            intent=hands[0],
            sent=hands[1],
            say=told.say,
            clock=clock or FakeClock(),
            road=road,
            earlier=earlier,
        )

    def as_safe(self, signature: str, *args: object) -> None:
        """The Safe does something to itself by another road than its own transactions: its nonce stays."""
        self.anvil.rpc("anvil_setBalance", self.council.address, hex(ETHER))
        self.anvil.transact(self.council.address, self.council.address, signature, *args)


Desk = TypeVar("Desk", Office, Site)


def build_office(anvil: Anvil, folder: Path, version: str = "1.4.1") -> Office:
    """A Safe of a version, and a market that it guards."""
    council = build_safe(anvil, version)
    market = anvil.deploy(compiled("guarded_market"))
    anvil.transact(anvil.accounts[0], market, "appoint(address guardian)", council.address)
    return Office(council, market, folder)


@contextmanager
def serving(office: Desk, clock: Clock | None = None) -> Iterator[tuple[SafeService, TransactionService, Desk]]:
    """A transaction service that knows the Safe from the chain, its client, and the deployment that names it."""
    anvil = office.anvil

    def state_of(safe: Address) -> SafeState | None:
        if safe != office.council.address:
            return None
        owners, nonce, threshold = (
            anvil.view(safe, f"{view}")[0]
            for view in (
                "getOwners() returns (address[])",
                "nonce() returns (uint256)",
                "getThreshold() returns (uint256)",
            )
        )
        assert isinstance(owners, tuple | list) and isinstance(nonce, int) and isinstance(threshold, int)
        return SafeState(tuple(checksummed(one) for one in owners), nonce, threshold, office.council.version)

    def execution_of(record: Record) -> Execution | None:
        endpoint = anvil.endpoint()
        found = find_execution(endpoint, "local", record.tx.safe, record.safe_tx_hash, 0)
        return None if found is None else Execution(found)

    now = (lambda: clock.now().timestamp()) if clock is not None else time.time
    with SafeService(chain_id=anvil.chain_id, state_of=state_of, execution_of=execution_of, now=now) as fake:
        client = TransactionService(fake.url, chain="local", chain_id=anvil.chain_id)
        extra = f'{office.extra}services: {{local: {{url: "{fake.url}"}}}}\n'
        yield fake, client, replace(office, extra=extra)


@contextmanager
def opened(packages: Packages, folder: Path, version: str = "1.4.1", automine: bool = True) -> Iterator[Office]:
    """A node of its own with everything on it."""
    with Anvil(packages.anvil, automine=automine) as anvil:
        yield build_office(anvil, folder, version)


@contextmanager
def as_opened(built: Office, folder: Path) -> Iterator[Office]:
    """The chain as it was, and an empty folder; afterwards the chain is so again."""
    before = built.anvil.snapshot()
    yield replace(built, folder=folder)
    built.anvil.revert(before)


def keystore(office: Office, owner: int) -> tuple[Path, bytes]:
    """The encrypted key of an owner, with a cheap derivation; and the key, which must never be seen."""
    from eth_keyfile import keyfile

    account = office.council.owners[owner]
    key = account._key
    made = keyfile.create_keyfile_json(key, PASSPHRASE.encode(), kdf="scrypt", iterations=2)
    path = office.folder / f"owner-{owner}.json"
    path.write_text(json.dumps({**made, "address": account.address[2:].lower()}))
    path.chmod(0o600)
    return path, key


def hashes_of(tx: SafeTx) -> SafeHashes:
    """The hashes of a transaction."""
    return hash_transaction(tx)
