"""From what a command was given, a file or a safe_tx_hash, to one transaction with its place and its service."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from incident_cli.errors import Misused, Refused, Unread
from incident_cli.flows.connecting import Environment, Services, services_of
from incident_cli.flows.multisig.aids import Aids, aids_of
from incident_cli.flows.multisig.loading import Loaded, load_transaction
from incident_cli.flows.multisig.place import Place, place_of, place_of_slot, place_of_transaction, safes_of
from incident_cli.flows.multisig.standing import read_chain_side
from incident_cli.runbook.deployment import Deployment
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.transaction import SafeTx
from incident_cli.text import plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from incident_cli.safe.service import TransactionService

SERVICE = "the transaction service"
HASH = re.compile(r"0x[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True)
class Matter:
    """One transaction taken up, as it was loaded; `service` is that of its chain, where the deployment names one."""

    place: Place
    loaded: Loaded
    service: TransactionService | None

    @property
    def tx(self) -> SafeTx:
        """The transaction."""
        return self.loaded.tx

    @property
    def proposal(self) -> Mapping[str, Any] | None:
        """The proposal file it came in, where it came in one."""
        return self.loaded.proposal

    @property
    def safe_tx_hash(self) -> str:
        """Its hash, computed here."""
        return hash_transaction(self.tx).safe_tx_hash

    @property
    def since(self) -> int | None:
        """The block it was prepared at, where that is known: it was executed after it, if at all."""
        block = (self.proposal or {}).get("block")
        number = block.get("number") if isinstance(block, Mapping) else None
        return number if type(number) is int and number >= 0 else None


@dataclass(frozen=True, slots=True)
class Counter:
    """A deployment with its services: where transactions are taken up."""

    deployment: Deployment
    environment: Environment
    services: Services
    aids: Aids
    path: Path = Path("FILE")

    @property
    def option(self) -> str:
        """How the next command names the deployment."""
        return f"--deployment {shlex.quote(str(self.path))}"

    def matter(self, target: str, stdin: BinaryIO | None = None) -> Matter:
        """The transaction of a file (`-`: stdin), or of a safe_tx_hash that a service of the deployment knows.

        Raises Misused, Refused (it is of no Safe of this deployment, or not what it claims to be), Unread.
        """
        if HASH.fullmatch(target):
            return self.known_to_service(target.lower())
        loaded = load_transaction(target, stdin)
        place = place_of_transaction(self.deployment, loaded.tx, self.environment)
        return Matter(place, loaded, self.services(place.chain))

    def known_to_service(self, safe_tx_hash: str) -> Matter:
        """The transaction that a service holds, rebuilt from its fields and hashed here."""
        if not self.deployment.services:
            raise Misused(
                f"{self.deployment.name} names no transaction service, so a hash alone says nothing",
                "name the proposal's file instead, or add the service under `services` in the deployment",
            )
        problems: list[str] = []
        for chain in self.deployment.services:
            service = self.services(chain)
            try:
                record = service.transaction(safe_tx_hash) if service is not None else None
            except (Unread, Refused) as problem:  # another service may know it
                problems.append(problem.message)
                continue
            if record is not None:
                place = self.place_named(chain, record.safe)
                version = read_chain_side(place)[0].version
                tx = record.safe_tx(place.chain_id, version)
                return Matter(place, Loaded(tx, None, SERVICE, tx.to_json()), service)
        raise unknown(f"no transaction service of {self.deployment.name}", safe_tx_hash, problems)

    def place_named(self, chain: str, safe: str) -> Place:
        """The place of a Safe that the service names; raises Refused where the deployment names no such Safe."""
        for _, on, one in safes_of(self.deployment):
            if (on, one) == (chain, safe):
                return place_of(self.deployment, chain, one, self.environment)
        raise Refused(
            f"it is of the Safe {plain(safe, 60)} on {chain}, which {self.deployment.name} does not name",
            "sign nothing: it is for another Safe than yours",
        )

    def place(self, slot: str) -> Place:
        """The place of a Safe by its slot's name or its address."""
        return place_of_slot(self.deployment, slot, self.environment)

    def service_of(self, place: Place) -> TransactionService:
        """The service of a place; raises Misused where the deployment names none."""
        service = self.services(place.chain)
        if service is None:
            raise Misused(
                f"{self.deployment.name} names no transaction service of {place.chain}",
                "add it under `services`, or go on by files: each owner"
                f" `incident safe sign FILE {self.option} --keystore FILE`, then `incident safe merge` and `execute`",
            )
        return service


def unknown(who: str, safe_tx_hash: str, problems: Sequence[str]) -> Refused | Unread:
    """Nobody who could be asked knows it; with the problems of those who could not be."""
    hint = "look whether it was posted to another service, or name its file"
    if problems:
        return Unread(f"{who} that could be asked knows {safe_tx_hash}: {'; '.join(problems)}", hint)
    return Refused(f"{who} knows {safe_tx_hash}", hint)


def counter_of(path: Path, environment: Environment, sleep: Callable[[float], None]) -> Counter:
    """The counter of a deployment file, with the protocols that its slots name; raises WrongFile with every problem."""
    aids = aids_of(path, (), (), None, None)
    assert aids.deployment is not None, "a deployment was named"
    return Counter(aids.deployment, environment, services_of(aids.deployment, environment, sleep), aids, path)
