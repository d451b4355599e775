"""The Safe transaction service in memory, over real HTTP on 127.0.0.1, as safe-transaction-service 6.10.1 answers.

Built from recorded exchanges, which `tests/safe/test_service_recorded.py` replays against it. It verifies every
signature; faults are in `safe_service_faults.py`.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from incident_cli.evm import Address, checksummed, to_hex
from incident_cli.safe.typed_data import delegate_typed_data, totp_of
from tests.fakes import safe_service_rules as rules
from tests.fakes.safe_service_faults import Fault, Faults, Reply, reply_of, site_of, spoiled
from tests.fakes.safe_service_records import (
    Confirmation,
    Execution,
    Record,
    SafeState,
    delegate,
    delete_digest,
    moment,
    queued,
    written,
)
from tests.fakes.safe_service_rules import No

__all__ = ["Execution", "Fault", "Record", "SafeService", "SafeState", "delegate", "queued"]
ABOUT = {"name": "Safe Transaction Service", "version": "6.10.1", "api_version": "v1", "secure": False}
NOT_FOUND = b'\n<!doctype html>\n<html lang="en">\n<head>\n  <title>Not Found</title>\n</head>\n</html>\n'
UNCHECKSUMMED = "Checksum address validation failed"
Executions = Callable[[Record], Execution | None]


class SafeService:
    """Use it as a context manager.

    `queue` holds the records and `delegates` the entries as they are listed; `safes` is what it knows of the chain
    (`state_of` and `execution_of`, where given, are asked instead of `safes` and for every record not executed yet).
    With a `key` every request must carry it. `status` and `body`, where set, spoil every answer; `faults` spoils one.
    """

    def __init__(
        self,
        key: str = "",
        chain_id: int = 0,
        *,
        state_of: Callable[[Address], SafeState | None] | None = None,
        execution_of: Executions = lambda record: None,
        accepts: rules.Contracts = lambda owner, safe_tx_hash, signature: True,
        now: Callable[[], float] = time.time,
        network: str = "GOCHAIN_TESTNET",
    ) -> None:
        self.key, self.chain_id, self.status, self.network = key, chain_id, 200, network
        self.body: bytes | None = None
        self.safes: dict[Address, SafeState] = {}
        self.state_of: Callable[[Address], SafeState | None] = state_of or self.safes.get
        self.execution_of, self.accepts, self.now = execution_of, accepts, now
        self.delegatecalls = True
        self.queue: list[Record] = []
        self.delegates: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.requests: list[tuple[str, str]] = []  # method, site
        self.bodies: dict[str, list[bytes]] = {}  # what was sent, by site
        self.faults = Faults()
        self._created, self._lock, self._port = 0, threading.Lock(), 0
        self._open()

    @property
    def url(self) -> str:
        """Where it is, without a closing slash."""
        return f"http://127.0.0.1:{self._port}"

    def find(self, safe_tx_hash: str) -> Record | None:
        """The record of a hash, as it is kept."""
        return next((one for one in self.queue if one.safe_tx_hash == safe_tx_hash), None)

    def execute(self, safe_tx_hash: str, transaction_hash: str = "0x" + "ee" * 32, successful: bool = True) -> None:
        """Mark a transaction as executed, and raise its Safe's nonce where `safes` holds it."""
        record = self.find(safe_tx_hash)
        assert record is not None
        record.execution = Execution(transaction_hash, successful)
        if state := self.safes.get(record.tx.safe):
            state.nonce = max(state.nonce, record.tx.nonce + 1)

    def add(self, record: Record) -> None:
        """Keep a record with the next time stamp."""
        record.created = record.created or self.stamp()
        self.queue.append(record)

    def stamp(self) -> str:
        """The next time stamp."""
        self._created += 1
        return moment(self._created)

    def reply(self, method: str, target: str, authorization: str, raw: bytes) -> Reply:
        """The HTTP answer to one request."""
        parts = urlsplit(target)
        if self.key and authorization != f"Bearer {self.key}":
            return reply_of(401, {"detail": "Authentication credentials were not provided."})
        if not parts.path.endswith("/"):
            return Reply(301, b"", {"location": f"{parts.path}/"})
        try:
            posted = json.loads(raw) if raw else None
        except ValueError:
            return reply_of(400, {"detail": "JSON parse error - Expecting value: line 1 column 1 (char 0)"})
        asked = {key: values[0] for key, values in parse_qs(parts.query).items()}
        status, found = self.answer(method, parts.path, asked, posted)
        if isinstance(found, bytes):
            return Reply(status, found, {"content-type": "text/html; charset=utf-8"})
        reply = reply_of(self.status if self.status != 200 else status, found)
        return reply if self.body is None else Reply(reply.status, self.body, reply.headers)

    def answer(self, method: str, path: str, query: dict[str, str], posted: Any) -> tuple[int, Any]:
        """The status and the JSON (None: no body) of one request."""
        with self._lock:
            for record in self.queue:
                record.execution = record.execution or self.execution_of(record)
            try:
                return self._route(method, path.strip("/").split("/"), query, posted)
            except No as refusal:
                return refusal.status, refusal.body

    def _route(self, method: str, parts: list[str], query: dict[str, str], posted: Any) -> tuple[int, Any]:  # noqa: C901 - a table
        """Which request it is."""
        version = parts[1] if len(parts) > 1 else ""
        match [method, *parts]:
            case ["GET", "api", "v1", "about"]:
                return 200, ABOUT
            case ["GET", "api", "v1", "about", "ethereum-rpc"] if self.chain_id:
                about = {"version": "anvil/v1.7.1", "block_number": 37, "chain_id": self.chain_id}
                return 200, {**about, "chain": self.network, "syncing": False}
            case ["GET", "api", "v1", "safes", safe]:
                return self._safe(checked(safe))
            case ["GET", "api", "v1", "owners", owner, "safes"]:
                return 200, {"safes": [safe for safe, state in self.safes.items() if checked(owner) in state.owners]}
            case ["GET", "api", "v1" | "v2", "safes", safe, "multisig-transactions"]:
                return 200, self._listed(checked(safe), query, version)
            case ["POST", "api", "v1" | "v2", "safes", safe, "multisig-transactions"]:
                return self._propose(checked(safe), posted if isinstance(posted, dict) else {})
            case ["POST", "api", "v1", "safes", safe, "multisig-transactions", "estimations"]:
                checked(safe)
                return 200, {"safeTxGas": "0"}
            case ["POST", "api", "v1", "data-decoder"]:
                known = posted.get("data") == "0x8456cb59"
                return (200, {"method": "pause", "parameters": []}) if known else (404, None)
            case ["GET" | "DELETE", "api", "v1" | "v2", "multisig-transactions", safe_tx_hash]:
                record = self._found(safe_tx_hash)
                return (200, record.to_json(version)) if method == "GET" else self._delete(record, posted)
            case ["GET" | "POST", "api", "v1", "multisig-transactions", safe_tx_hash, "confirmations"]:
                return self._confirmations(method, safe_tx_hash, posted if isinstance(posted, dict) else {})
            case ["GET" | "POST", "api", "v2", "delegates"]:
                return self._delegates(query) if method == "GET" else self._add_delegate(posted)
            case ["DELETE", "api", "v2", "delegates", who]:
                return self._remove_delegate(checked(who), posted)
        return 404, NOT_FOUND

    def _safe(self, safe: Address) -> tuple[int, Any]:
        if (state := self.state_of(safe)) is None:
            return 404, None
        shown = {"address": safe, "nonce": str(state.nonce), "threshold": state.threshold}
        return 200, {**shown, "owners": list(state.owners), "version": f"{state.version}+L2"}

    def _found(self, safe_tx_hash: str) -> Record:
        if not rules.is_hash(safe_tx_hash):
            raise No(404, {"detail": "Not found."})
        if (record := self.find(safe_tx_hash)) is None:
            raise No(404, {"detail": "No MultisigTransaction matches the given query."})
        return record

    def _listed(self, safe: Address, query: dict[str, str], version: str) -> dict[str, Any]:
        """A page of a Safe's transactions; by default only what is trusted, the last nonce first."""
        own = [one for one in self.queue if one.tx.safe == safe]
        trusted = query.get("trusted", "true").lower() not in ("false", "0")
        seen = [one for one in own if one.trusted or not trusted]
        chosen = [one for one in own if one.trusted == trusted and chosen_by(one, query)]
        ordered = sorted(chosen, key=lambda one: (one.tx.nonce, one.created), reverse=query.get("ordering") != "nonce")
        page = self._page(f"/api/{version}/safes/{safe}/multisig-transactions/", query, ordered)
        page["results"] = [one.to_json(version) for one in page["results"]]
        return {**page, "countUniqueNonce": len({one.tx.nonce for one in seen})}

    def _page(self, path: str, query: dict[str, str], entries: list[Any]) -> dict[str, Any]:
        limit, offset = min(200, int(query.get("limit", "100"))), int(query.get("offset", "0"))
        kept = "&".join(f"{key}={value}" for key, value in query.items() if key not in ("limit", "offset"))
        more = f"{self.url}{path}?{kept}&limit={limit}&offset={offset + limit}"
        return {
            "count": len(entries),
            "next": more if len(entries) > offset + limit else None,
            "previous": None,
            "results": entries[offset : offset + limit],
        }

    def _propose(self, safe: Address, posted: dict[str, Any]) -> tuple[int, Any]:
        rules.check_fields(posted)
        if (state := self.state_of(safe)) is None:
            words = f"Could not get Safe {safe} owners from blockchain, check contract exists on network "
            raise rules.no(words + self.network)
        tx = rules.transaction_of(posted, safe, state, self.chain_id)
        rules.check_delegatecall(tx, self.delegatecalls)
        safe_tx_hash = rules.check_hash(tx, posted)
        rules.check_not_executed(tx, safe_tx_hash, self.queue)
        delegates = {one["delegate"]: one["delegator"] for one in self.delegates if one["safe"] in (safe, None)}
        signatures = rules.check_signers(safe_tx_hash, posted, state, delegates, self.accepts)
        sender, record = Address(posted["sender"]), self.find(safe_tx_hash)
        if record is None:
            by, through = (sender, None) if sender in state.owners else (Address(delegates[sender]), sender)
            origin = posted.get("origin") or "{}"
            record = Record(tx, safe_tx_hash, by, through, origin, required=state.threshold)
            self.add(record)
        record.trusted = record.trusted or bool(signatures)
        self._confirm(record, {by: one for by, one in signatures.items() if by in state.owners})
        return 201, None

    def _confirm(self, record: Record, signatures: dict[Address, bytes]) -> None:
        """Keep the first signature of each owner."""
        for owner, signature in signatures.items():
            record.confirmations.setdefault(owner, Confirmation(owner, signature, self.stamp()))

    def _confirmations(self, method: str, safe_tx_hash: str, posted: dict[str, Any]) -> tuple[int, Any]:
        record = self.find(safe_tx_hash)
        if method == "GET" and record is not None:
            listed = [written(one) for one in record.confirmations.values()]
            return 200, {"count": len(listed), "next": None, "previous": None, "results": listed}
        if record is None:
            words = f"Multisig transaction with safe-tx-hash={safe_tx_hash} was not found"
            raise No(404, {"detail": words})
        state = self.state_of(record.tx.safe)
        assert state is not None
        self._confirm(record, rules.check_confirmation(record, posted, state, self.accepts))
        record.trusted = True
        return 201, {"signature": posted["signature"]}

    def _delete(self, record: Record, posted: Any) -> tuple[int, Any]:
        hours = self._hours()
        digests = [delete_digest(record.tx.safe, record.safe_tx_hash, self.chain_id, hour) for hour in hours]
        wanted = {record.proposer, record.delegate} - {None}
        if not rules.signed_by(digests, posted["signature"], [one for one in wanted if one]):
            words = "Provided signer is not the proposer or the delegate user who proposed the transaction"
            raise rules.no(words, 400)
        self.queue.remove(record)
        return 204, None

    def _delegates(self, query: dict[str, str]) -> tuple[int, Any]:
        asked = {key: value for key, value in query.items() if key in ("safe", "delegate", "delegator", "label")}
        if not asked:
            raise No(400, ["At least one query param must be provided"])
        found = [one for one in self.delegates if all(one[key] == value for key, value in asked.items())]
        return 200, self._page("/api/v2/delegates/", query, found)

    def _add_delegate(self, posted: Any) -> tuple[int, Any]:
        safe, who, by = posted.get("safe"), posted["delegate"], posted["delegator"]
        state = self.state_of(safe) if safe else None
        if state is not None and by not in state.owners:
            raise rules.no(f"Provided delegator={by} is not an owner of Safe={safe}", 400)
        self._check_delegate(who, by, posted)
        entry = {"safe": safe, "delegate": who, "delegator": by, "label": posted["label"]}
        entry["expiryDate"] = posted.get("expiryDate")
        self.delegates = [one for one in self.delegates if same(one) != same(entry)] + [entry]
        return 201, {**entry, "signature": posted["signature"]}

    def _remove_delegate(self, who: Address, posted: Any) -> tuple[int, Any]:
        gone = {"safe": posted.get("safe"), "delegate": who, "delegator": posted["delegator"]}
        if all(same(one) != same(gone) for one in self.delegates):
            return 404, None
        self._check_delegate(who, posted["delegator"], posted)
        self.delegates[:] = [one for one in self.delegates if same(one) != same(gone)]
        return 204, None

    def _check_delegate(self, who: Address, by: Address, posted: Any) -> None:
        digests = [to_hex(delegate_typed_data(self.chain_id, who, hour).digest) for hour in self._hours()]
        if not rules.signed_by(digests, posted["signature"], [by]):
            raise rules.no(f"Signature does not match provided delegator={by}", 400)

    def _hours(self) -> tuple[int, int]:
        hour = totp_of(self.now())
        return hour, hour - 1

    def close(self) -> None:
        """Listen no longer: whoever connects is refused."""
        self._server.shutdown()
        self._server.server_close()

    def reopen(self) -> None:
        """Listen again where it listened before."""
        self._open()
        self._thread.start()

    def _open(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), handler_of(self))
        self._server.daemon_threads = True
        self._port = self._server.server_port
        self._thread = threading.Thread(target=lambda: self._server.serve_forever(poll_interval=0.005), daemon=True)

    def __enter__(self) -> SafeService:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.faults.closing.set()
        self.close()


def checked(text: str) -> Address:
    """An address in a path, which must have its checksum."""
    if text != checksummed(text):
        raise No(422, {"code": 1, "message": UNCHECKSUMMED, "arguments": [text]})
    return Address(text)


def chosen_by(record: Record, query: dict[str, str]) -> bool:
    """Whether a record passes the filters; a boolean that is none is silently ignored."""
    executed, nonce = query.get("executed", "").lower(), record.tx.nonce
    return (
        (executed not in ("true", "false") or (record.execution is not None) == (executed == "true"))
        and ("nonce" not in query or nonce == int(query["nonce"]))
        and ("nonce__gte" not in query or nonce >= int(query["nonce__gte"]))
    )


def same(entry: dict[str, Any]) -> tuple[Any, ...]:
    """What makes a delegate one."""
    return (entry["safe"], entry["delegate"], entry["delegator"])


def handler_of(service: SafeService) -> type[BaseHTTPRequestHandler]:
    """The handler that answers for this service."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def answer(self) -> None:
            target = urlsplit(self.path)
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            site = site_of(self.command, target.path, target.query)
            service.paths.append(target.path)
            service.requests.append((self.command, site))
            service.bodies.setdefault(site, []).append(raw)
            fault = service.faults.due(site)
            reply = (
                None
                if fault is not None and fault.before
                else service.reply(self.command, self.path, self.headers.get("authorization", ""), raw)
            )
            if service.faults.refuses_next(len(service.requests)):
                service.close()
                self.close_connection = True
            spoiled(self, reply, fault, service.faults.closing)

        def do_GET(self) -> None:
            self.answer()

        def do_POST(self) -> None:
            self.answer()

        def do_DELETE(self) -> None:
            self.answer()

        def log_message(self, *args: Any) -> None:
            """Nothing: tests read what they need from the service."""

    return Handler
