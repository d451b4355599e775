"""A transaction service in memory, over real HTTP on 127.0.0.1: what it says of itself, queues and delegates."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

ABOUT = {"name": "Safe Transaction Service", "version": "6.10.1", "api_version": "v1", "secure": False}


class SafeService:
    """Use it as a context manager. `queue` and `delegates` are entries as the service lists them.

    With a `key` every request must carry it; with a `chain_id` it says that this is its chain. `status` is what every
    answer has, and `body`, where set, what every answer is.
    """

    def __init__(self, key: str = "", chain_id: int = 0) -> None:
        self.key, self.chain_id, self.status = key, chain_id, 200
        self.body: bytes | None = None
        self.queue: list[dict[str, Any]] = []
        self.delegates: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=lambda: self._server.serve_forever(poll_interval=0.01), daemon=True)

    @property
    def url(self) -> str:
        """Where it is, without a closing slash."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, path: str, query: dict[str, list[str]]) -> tuple[int, Any]:
        """The status and the JSON of one GET."""
        if path == "/api/v1/about/":
            return self.status, ABOUT
        if path == "/api/v1/about/ethereum-rpc/" and self.chain_id:
            return self.status, {"version": "anvil/v1.7.1", "chain_id": self.chain_id, "syncing": False}
        if path == "/api/v2/delegates/":
            return self.status, listed([one for one in self.delegates if one["safe"] == query["safe"][0]])
        parts = path.strip("/").split("/")
        if parts[:3] == ["api", "v2", "safes"] and parts[4:] == ["multisig-transactions"]:
            least = int(query["nonce__gte"][0])
            found = [one for one in self.queue if one["safe"] == parts[3] and int(one["nonce"]) >= least]
            return self.status, listed([one for one in found if not one["isExecuted"]])
        return 404, {"detail": "Not found."}

    def __enter__(self) -> SafeService:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def listed(results: list[dict[str, Any]]) -> dict[str, Any]:
    """A page of results."""
    return {"count": len(results), "next": None, "previous": None, "results": results}


def queued(safe: str, nonce: int) -> dict[str, Any]:
    """A transaction that waits."""
    return {"safe": safe, "nonce": str(nonce), "safeTxHash": "0x" + "ab" * 32, "isExecuted": False}


def delegate(safe: str, by: str, address: str) -> dict[str, Any]:
    """Somebody who may propose for an owner."""
    return {"safe": safe, "delegate": address, "delegator": by, "label": "on call", "expiryDate": None}


def handler_of(service: SafeService) -> type[BaseHTTPRequestHandler]:
    """The handler that answers for this service."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            target = urlsplit(self.path)
            service.paths.append(target.path)
            if service.key and self.headers.get("authorization") != f"Bearer {service.key}":
                return self.reply(401, b'{"detail": "Authentication credentials were not provided."}')
            status, found = service.answer(target.path, parse_qs(target.query))
            return self.reply(status, json.dumps(found).encode() if service.body is None else service.body)

        def reply(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Nothing: tests read what they need from the service."""

    return Handler
