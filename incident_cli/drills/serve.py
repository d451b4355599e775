"""A drill's chain over HTTP, on this machine only: for other tools to read along, never for a network."""

from __future__ import annotations

import contextlib
import errno
import re
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Protocol, cast

from incident_cli.errors import Misused

LOOPBACK = "127.0.0.1"
BODY_LIMIT = 2**20
IDLE_SECONDS = 60
# A browser that was tricked into resolving some other name to this machine still sends that other name.
LOOPBACK_HOST = re.compile(r"(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?", re.IGNORECASE)
HINT = b"This is a drill's chain. It answers JSON-RPC: POST application/json.\n"


class Handler(Protocol):
    """Whatever answers a JSON-RPC body."""

    def handle(self, body: bytes) -> bytes:
        """The reply, empty where there is none; never raises."""


class Server(ThreadingHTTPServer):
    """A thread for each connection; a broken connection is its client's business."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int, rpc: Handler) -> None:
        self.rpc = rpc
        self.connections: set[socket.socket] = set()
        super().__init__((LOOPBACK, port), Conversation)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection, so that closing the server ends it too."""
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget the connection."""
        self.connections.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Stop listening and end every connection that is kept open."""
        super().server_close()
        for connection in tuple(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: the terminal belongs to the drill."""


class Conversation(BaseHTTPRequestHandler):
    """One connection, kept open between requests."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "incident-drill", ""
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Answer JSON-RPC, or say why not."""
        if refusal := refused(self):
            self.answer(*refusal)
            return
        reply = cast(Server, self.server).rpc.handle(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer(200 if reply else 204, reply, "application/json")

    def do_GET(self) -> None:
        """Say what this is."""
        self.answer(405, HINT)

    do_HEAD = do_OPTIONS = do_PUT = do_DELETE = do_PATCH = do_GET  # noqa: N815 - the names http.server calls

    def answer(self, status: int, body: bytes, kind: str = "text/plain; charset=utf-8") -> None:
        """Send one reply."""
        if status >= 400:
            self.close_connection = True  # an unread body would be taken for the next request
        headers = {} if status == 204 else {"Content-Type": kind, "Content-Length": str(len(body))}
        headers |= {"Allow": "POST"} if status == 405 else {}
        headers |= {"Connection": "close"} if self.close_connection else {}
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name http.server gives it
        """Say nothing: the terminal belongs to the drill."""


class Served:
    """A chain being served at `url` until `close`."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="drill-rpc", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{LOOPBACK}:{self._server.server_port}"

    def close(self) -> None:
        """Stop listening; a second time does nothing."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Served:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def serve(rpc: Handler, port: int = 0) -> Served:
    """Serve on loopback; port 0 picks a free one. Raises Misused where the port cannot be had."""
    try:
        return Served(Server(port, rpc))
    except (OSError, OverflowError) as problem:
        taken = isinstance(problem, OSError) and problem.errno == errno.EADDRINUSE
        reason = "is already in use" if taken else "cannot be listened on"
        raise Misused(
            f"port {port} of this machine {reason}", "choose another port, or 0 for any free one"
        ) from problem


def refused(asked: BaseHTTPRequestHandler) -> tuple[int, bytes] | None:
    """Status and words where a POST is not answered."""
    hosts, length = asked.headers.get_all("Host") or [], asked.headers.get("Content-Length", "")
    if len(hosts) != 1 or not LOOPBACK_HOST.fullmatch(hosts[0].strip()):
        return 403, b"The Host header must name this machine: localhost or 127.0.0.1.\n"
    if asked.headers.get_content_type() != "application/json":
        return 415, HINT
    if asked.headers.get("Transfer-Encoding") or not re.fullmatch(r"[0-9]{1,12}", length):
        return 411, b"A Content-Length is needed.\n"
    if int(length) > BODY_LIMIT:
        return 413, b"The body is larger than 1 MiB.\n"
    return None
