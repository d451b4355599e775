"""A scripted JSON-RPC node over real HTTP on 127.0.0.1, with faults to inject."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal

from incident_cli.transport import Endpoint, HttpEndpoint, Json, Request, RpcError

Answer = Callable[[Request], Json | RpcError]
Fault = Literal[
    "silent",
    "drip",
    "drip headers",
    "status 429",
    "status 401",
    "html 500",
    "html 200",
    "truncated",
    "truncated chunk",
    "wrong id",
    "text id",
    "missing",
    "duplicate",
    "null",
    "no result",
    "oversized",
    "encoded",
    "redirect",
    "reset",
    "batch refused",
    "infinity",
    "nested",
    "shuffled",
]


PAGES: dict[str | None, tuple[int, bytes, dict[str, str]]] = {
    "status 401": (401, b"who are you", {}),
    "status 429": (429, b"slow down", {"retry-after": "30"}),
    "html 500": (500, b"<html>Internal Server Error</html>", {}),
    "html 200": (200, b"<html>Welcome</html>", {}),
    "redirect": (307, b"", {"location": "/elsewhere"}),
    "nested": (200, b"[" * 50_000, {}),
}


class Node:
    """A node whose answers are a function; `fault`, where set, spoils every exchange. Use it as a context manager.

    `spare_singles` leaves single requests whole: a node that refuses batches only. `spare_first` leaves so many
    exchanges whole: a node that breaks in the middle of a round.
    """

    def __init__(self, answer: Answer, fault: Fault | None = None) -> None:
        self.answer, self.fault = answer, fault
        self.spare_singles = False
        self.spare_first = 0
        self.exchanges = 0
        self.connections = 0
        self.requests: list[Request] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=lambda: self._server.serve_forever(poll_interval=0.01), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/"

    def endpoint(self, name: str = "node-a", **options: Any) -> HttpEndpoint:
        """A client of this node with short time-outs."""
        return HttpEndpoint(self.url, name=name, **{"connect_seconds": 1, "read_seconds": 2, **options})

    @property
    def active_fault(self) -> Fault | None:
        """The fault, where it spoils the present exchange."""
        return self.fault if self.exchanges > self.spare_first else None

    def __enter__(self) -> Node:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def count(self, method: str) -> int:
        """How many requests of a method were asked."""
        return sum(one.method == method for one in self.requests)

    def heard(self, body: Any, headers: dict[str, str], path: str) -> list[dict[str, Any]]:
        """Write an exchange down and answer it."""
        objects = body if isinstance(body, list) else [body]
        requests = [Request(one["method"], tuple(one["params"])) for one in objects]
        with self._lock:
            self.exchanges += 1
            self.requests += requests
            self.headers.append(headers)
            self.paths.append(path)
        found = [self.answer(request) for request in requests]
        return [answer_object(one["id"], answer) for one, answer in zip(objects, found, strict=True)]


def serving(endpoint: Endpoint) -> Node:
    """Another endpoint, such as the drill's chain, over real HTTP."""
    return Node(lambda request: endpoint.exchange([request])[0])


def closed_port() -> int:
    """A port of this machine on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answer_object(number: int, answer: Json | RpcError) -> dict[str, Any]:
    if isinstance(answer, RpcError):
        error = {"code": answer.code, "message": answer.message, **({"data": answer.data} if answer.data else {})}
        return {"jsonrpc": "2.0", "id": number, "error": error}
    return {"jsonrpc": "2.0", "id": number, "result": answer}


def handler_of(node: Node) -> type[BaseHTTPRequestHandler]:  # noqa: C901 - one closure over the node
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            node.connections += 1
            super().setup()

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answers = node.heard(body, headers, self.path)
            try:
                self.reply(body, answers)
            except OSError:  # the client went away first, as it should
                self.close_connection = True

        def reply(self, body: Any, answers: list[dict[str, Any]]) -> None:
            spared = node.spare_singles and not isinstance(body, list)
            spoiled = answers if spared else spoiled_json(node.active_fault, answers)
            text = json.dumps(spoiled if isinstance(body, list) else single(spoiled)).encode()
            if node.active_fault in PAGES:
                self.whole(*PAGES[node.active_fault])
            elif node.active_fault in ("truncated", "truncated chunk"):
                self.broken(text)
            elif node.active_fault in ("silent", "drip", "drip headers"):
                self.slow()
            elif node.active_fault == "reset":
                self.close_connection = True
            elif node.active_fault == "encoded":
                self.whole(200, text, {"content-encoding": "gzip"})
            elif node.active_fault == "infinity":
                self.whole(200, text.replace(b'"result": ', b'"result": Infinity, "x": '))
            else:
                self.whole(200, text)

        def slow(self) -> None:
            if node.active_fault == "silent":
                node.closing.wait(30)
            elif node.active_fault == "drip":
                self.head(200, {"content-length": "100000"})
            else:
                self.wfile.write(b"HTTP/1.1 200 OK\r\nx-slow: ")
            while not node.closing.wait(0.05):
                self.wfile.write(b" ")
                self.wfile.flush()

        def broken(self, text: bytes) -> None:
            if node.active_fault == "truncated":
                self.head(200, {"content-length": str(len(text) + 50)})
                self.wfile.write(text)
            else:
                self.head(200, {"transfer-encoding": "chunked"})
                self.wfile.write(b"FFFF\r\n" + text)
            self.close_connection = True

        def head(self, status: int, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {"content-type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.end_headers()

        def whole(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            self.head(status, {"content-length": str(len(body)), **(headers or {})})
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
            pass

    return Handler


def spoiled_json(fault: Fault | None, answers: list[dict[str, Any]]) -> Any:
    """The answers as a list, spoiled on the level of JSON."""
    match fault:
        case "wrong id":
            return [{**answers[0], "id": answers[0]["id"] + 1_000}, *answers[1:]]
        case "text id":
            return [{**answers[0], "id": str(answers[0]["id"])}, *answers[1:]]
        case "missing":
            return answers[:-1]
        case "duplicate":
            return [answers[0], answers[0], *answers[2:]]
        case "null":
            return None
        case "no result":
            return [{"jsonrpc": "2.0", "id": one["id"]} for one in answers]
        case "oversized":
            return [{**one, "padding": "x" * 1_000_000} for one in answers]
        case "batch refused":
            return {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "batches are off"}}
        case "shuffled":
            return answers[::-1]
    return answers


def single(spoiled: Any) -> Any:
    """The one answer to a request that was no batch."""
    return spoiled[0] if isinstance(spoiled, list) and spoiled else spoiled
