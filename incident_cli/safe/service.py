"""The Safe transaction service of one chain: proposals, confirmations, the queue and delegates.

Nothing that is sent counts until it was read back: a page of HTML with status 200, or a redirect that turns a POST
into a GET, reads like success otherwise. Every POST is idempotent and may be sent again byte for byte. The hosted ones
are at https://api.safe.global/tx-service/ and the chain's short name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from incident_cli.errors import Misused, Refused, Unread
from incident_cli.evm import Address, to_hex
from incident_cli.safe.service_explanations import see
from incident_cli.safe.service_post import confirmed, proposal, proposal_stands, signer_of
from incident_cli.safe.service_records import (
    Malformed,
    ServiceDelegate,
    ServiceTransaction,
    page_of,
    parse_delegate,
    parse_transaction,
)
from incident_cli.safe.service_road import Oversized, ServiceRoad, Unsure
from incident_cli.safe.signatures import hash_bytes
from incident_cli.safe.transaction import SafeTx
from incident_cli.strict_json import Json
from incident_cli.text import plain

Found = TypeVar("Found")
PAGE = 200  # the most that the service gives at once
MOST = 2_000  # entries of one list
ATTEMPTS = 3  # of the same bytes, and of reading a list that changes meanwhile
PAUSE = 1.0  # seconds between attempts, where there is a way to wait
LABEL_LIMIT = 50
AGAIN = see("service-unclear", "It may have arrived. Run it again: it is idempotent.")
NEITHER = see("service-forged", "Sign neither: it, or what stands between, is not to be trusted.")


@dataclass(frozen=True, slots=True)
class About:
    """What a service says of itself; `chain_id` is None where it does not say, as not every one does."""

    name: str
    version: str
    chain_id: int | None


class TransactionService:
    """The client of one chain's service. `key` goes into a header and nowhere else.

    `sleep` waits so many seconds (without it nothing is waited for), `proxy` is a proxy's URL. Every method raises
    Unread where the service cannot be read, and Refused with its own words where it says no.
    """

    def __init__(
        self,
        url: str,
        *,
        chain: str,
        chain_id: int,
        key: str | None = None,
        proxy: str = "",
        sleep: Callable[[float], None] | None = None,
        connect_seconds: float = 3,
        read_seconds: float = 6,
    ) -> None:
        self.chain, self.chain_id, self.name = chain, chain_id, f"the transaction service of {plain(chain, 60)}"
        self._sleep = sleep
        self._road = ServiceRoad(
            url,
            self.name,
            key=key,
            proxy=proxy,
            sleep=sleep,
            connect_seconds=connect_seconds,
            read_seconds=read_seconds,
        )

    def about(self) -> About:
        """Its name and version, and the chain it serves; raises Unread where what answers is no such service."""
        found = self._road.read("/api/v1/about/")
        if not isinstance(found, dict) or not isinstance(found.get("version"), str):
            raise Unread(f"what answers as {self.name} is no transaction service", self._road.look_at_url)
        try:
            served = self._road.read("/api/v1/about/ethereum-rpc/")
        except Unread:
            served = None
        said = served.get("chain_id") if isinstance(served, dict) else None
        name = plain(found.get("name") or "", 60)
        return About(name, plain(found["version"], 20), said if type(said) is int else None)

    def transaction(self, safe_tx_hash: str) -> ServiceTransaction | None:
        """The record of a hash; None where the service says that it has none."""
        hash_bytes(safe_tx_hash)
        found = self._road.read(f"/api/v2/multisig-transactions/{safe_tx_hash}/")
        if found is None:
            return None
        record = self._parsed(parse_transaction, found)
        if record.safe_tx_hash != safe_tx_hash.lower():
            raise Refused(
                f"{self.name} was asked for {safe_tx_hash} and answered with {record.safe_tx_hash}",
                NEITHER,
            )
        return record

    def propose(
        self,
        tx: SafeTx,
        safe_tx_hash: str,
        sender: Address,
        signature: bytes | None,
        origin: str,
        *,
        delegate: bool = False,
        look_first: bool = True,
    ) -> None:
        """Put a transaction there, with the sender's signature, and prove it by reading it back.

        `sender` is an owner, or (`delegate`) one who proposes for an owner. An empty signature posts it unsigned, with
        an owner as its sender: it is then not trusted, and hidden from lists. Nothing is sent where it already stands
        there as asked (`look_first`). Another owner's proposal of the same transaction adds a confirmation.
        """
        document = proposal(tx, safe_tx_hash, sender, signature, origin, self.chain_id)

        def stands() -> bool:
            found = self.transaction(safe_tx_hash)
            if found is None:
                return False
            self._same(found, tx)
            return proposal_stands(found, sender, signature or b"", delegate)

        path = f"/api/v2/safes/{tx.safe}/multisig-transactions/"
        self._deliver("POST", path, document, stands, look_first)

    def confirm(self, safe_tx_hash: str, signature: bytes) -> None:
        """Add an owner's signature to a transaction that is there, and prove it by reading it back."""
        owner = signer_of(safe_tx_hash, signature)

        def stands() -> bool:
            found = self.transaction(safe_tx_hash)
            if found is None:
                raise Refused(f"{self.name} does not know {safe_tx_hash}", "Propose the transaction first.")
            return confirmed(found, owner, signature)

        path = f"/api/v1/multisig-transactions/{safe_tx_hash}/confirmations/"
        self._deliver("POST", path, {"signature": to_hex(signature)}, stands)

    def pending(self, safe: Address, nonce: int) -> tuple[ServiceTransaction, ...]:
        """What is not executed from a nonce on, by nonce; `nonce` is the Safe's own: losers of earlier ones stay for
        ever.

        All that is trusted, and the first page of what is not: anybody can put that there, so that it is left out
        where it is too large to be read. A record is a claim: only `safe_tx` says what it would do.
        """
        path = f"/api/v2/safes/{safe}/multisig-transactions/?executed=false&nonce__gte={nonce}&ordering=nonce"
        trusted = self._all(f"{path}&trusted=true", parse_transaction, transaction_key)
        untrusted = self._untrusted(f"{path}&trusted=false")
        records = {one.safe_tx_hash: one for one in (*untrusted, *trusted)}.values()
        if any(one.safe != safe for one in records):
            raise Unread(f"{self.name} lists what is not of {safe}", self._road.look_at_url)
        waiting = (one for one in records if not one.executed and one.nonce >= nonce)
        return tuple(sorted(waiting, key=lambda one: (one.nonce, one.submitted)))

    def delegates(self, safe: Address) -> tuple[ServiceDelegate, ...]:
        """Who may propose in a Safe, and for whom."""
        listed = self._all(f"/api/v2/delegates/?safe={safe}", parse_delegate, delegate_key)
        if any(one.safe not in (safe, None) for one in listed):
            raise Unread(f"{self.name} lists delegates of another Safe than {safe}", self._road.look_at_url)
        return tuple(listed)

    def add_delegate(
        self,
        safe: Address,
        delegate: Address,
        delegator: Address,
        label: str,
        signature: bytes,
        expires: str | None = None,
    ) -> None:
        """Let `delegate` propose for the owner `delegator`, whose signature is over `delegate_typed_data`.

        `label` has at most 50 characters; `expires` is a moment such as `2026-12-31T00:00:00Z`.
        """
        if not label.strip() or len(label) > LABEL_LIMIT:
            raise Misused(f"a delegate's label has 1 to {LABEL_LIMIT} characters")
        document = {"safe": safe, "delegate": delegate, "delegator": delegator, "label": label}
        document |= {"signature": to_hex(signature), **({"expiryDate": expires} if expires else {})}

        def stands() -> bool:
            wanted = (delegate, delegator, plain(label, 60))
            return any((one.delegate, one.delegator, one.label) == wanted for one in self.delegates(safe))

        self._deliver("POST", "/api/v2/delegates/", document, stands, look_first=False)

    def remove_delegate(self, safe: Address, delegate: Address, delegator: Address, signature: bytes) -> None:
        """Take that right away again; the signature is as for adding. Nothing is sent where it is not there."""
        document = {"safe": safe, "delegator": delegator, "signature": to_hex(signature)}

        def gone() -> bool:
            return all((one.delegate, one.delegator) != (delegate, delegator) for one in self.delegates(safe))

        self._deliver("DELETE", f"/api/v2/delegates/{delegate}/", document, gone)

    def _deliver(
        self,
        method: str,
        path: str,
        document: Mapping[str, object],
        stands: Callable[[], bool],
        look_first: bool = True,
    ) -> None:
        """Send the same bytes until what is there is what was sent; raises Unread where that cannot be said."""
        if look_first and stands():
            return
        problem: Unsure | None = None
        for attempt in range(ATTEMPTS):
            if attempt and self._sleep is not None:
                self._sleep(PAUSE)
            problem = self._sent(method, path, document)
            if self._read_back(stands, problem):
                return
        said = problem.message if problem is not None else f"{self.name} took it and does not show it"
        raise Unread(f"{said}; sent {ATTEMPTS} times, it is not there", AGAIN)

    def _sent(self, method: str, path: str, document: Mapping[str, object]) -> Unsure | None:
        """Send once; what went wrong where it is not certain that it did."""
        try:
            answer = self._road.ask(method, path, document)
            if answer.status == 404 and method == "POST":
                return Unsure(f"{self.name} answered HTTP 404", self._road.look_at_url)
            if answer.body:
                self._road.json_of(answer)
        except Unsure as problem:
            return problem
        return None

    def _read_back(self, stands: Callable[[], bool], problem: Unsure | None) -> bool:
        """Whether it is there; raises Unread saying what is known where that cannot be read."""
        try:
            return stands()
        except Unread as unread:
            if problem is not None and not problem.arrived:
                raise Unread(problem.message, f"Nothing was sent. {problem.hint}") from None
            raise Unread(f"{unread.message}; what was sent could not be read back", AGAIN) from None

    def _same(self, found: ServiceTransaction, tx: SafeTx) -> None:
        """Refused unless a record is exactly this transaction."""
        if found.safe_tx(tx.chain_id, tx.version) != tx:
            raise Refused(f"{self.name} shows another transaction under {found.safe_tx_hash}", NEITHER)

    def _all(self, path: str, parse: Callable[[Json], Found], key: Callable[[Found], object]) -> list[Found]:
        """Every entry of a list; raises Unread where it has more than MOST or changes while it is read."""
        for _ in range(ATTEMPTS):
            entries: dict[object, Found] = {}
            more, count = True, 0
            for offset in range(0, MOST, PAGE):
                count, more, listed = self._page(f"{path}&limit={PAGE}&offset={offset}")
                entries |= {key(one): one for one in (self._parsed(parse, entry) for entry in listed)}
                if not more:
                    break
            if more or count > MOST:
                raise Unread(f"{self.name} lists more than {MOST} entries", "Have the owners clear the queue.")
            if len(entries) >= count:
                return list(entries.values())
        raise Unread(f"{self.name} lists something else each time it is read", "Run it again.")

    def _untrusted(self, path: str) -> list[ServiceTransaction]:
        """The first page of a queue that anybody can fill; nothing where somebody filled it with more than is read."""
        try:
            listed = self._page(f"{path}&limit={PAGE}&offset=0")[2]
        except Oversized:
            return []
        return [self._parsed(parse_transaction, one) for one in listed]

    def _page(self, path: str) -> tuple[int, bool, Sequence[Json]]:
        """One page: how many there are altogether, whether more follow, the entries."""
        return self._parsed(page_of, self._road.read(path))

    def _parsed(self, parse: Callable[[Json], Found], found: Json) -> Found:
        try:
            return parse(found)
        except Malformed as problem:
            words = f"{self.name} answered with a {plain(problem, 40)} that is none"
            raise Unread(words, "Look at its URL and version.") from None


def transaction_key(one: ServiceTransaction) -> object:
    """What makes an entry of the queue one."""
    return one.safe_tx_hash


def delegate_key(one: ServiceDelegate) -> object:
    """What makes a delegate one."""
    return (one.safe, one.delegate, one.delegator)
