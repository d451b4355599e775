"""What can go wrong between a client and the transaction service in memory, at which of its requests."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs

HUGE = 17 * 2**20
PAGE = b"<!doctype html><html><body><h1>Something else</h1></body></html>"
HTML = {"content-type": "text/html; charset=utf-8"}
OTHER = "0x" + "0b" * 32
ELSEWHERE = "0x3AAF4Fb7B04f4e61ACa14565d9eD6a7463bA4E30"


@dataclass(frozen=True)
class Reply:
    """One HTTP answer."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def reply_of(status: int, found: Any) -> Reply:
    """An answer in JSON, or (None) without a body."""
    if found is None:
        return Reply(status)
    return Reply(status, json.dumps(found).encode(), {"content-type": "application/json"})


@dataclass(frozen=True)
class Fault:
    """One way to spoil an answer. `before`: the request is never acted upon. `page`: what is answered instead;
    `change`: what becomes of the JSON; `manner`: how it is sent."""

    name: str
    before: bool = False
    page: Reply | None = None
    change: Callable[[Any], Any] | None = None
    manner: str = "whole"


def each(change: Callable[[dict[str, Any]], None]) -> Callable[[Any], Any]:
    """A change of one record, or of every record of a list."""

    def changed(found: Any) -> Any:
        records = found.get("results", [found]) if isinstance(found, dict) else []
        for one in records:
            if "safeTxHash" in one or "delegator" in one:
                change(one)
        return found

    return changed


def wrong_signature(record: dict[str, Any]) -> None:
    """Every confirmation shows another signature."""
    for one in record.get("confirmations", []):
        one["signature"] = "0x" + "17" * 64 + "1b"


def other_safe(record: dict[str, Any]) -> None:
    record["safe"] = ELSEWHERE


def other_hash(record: dict[str, Any]) -> None:
    record["safeTxHash"] = OTHER


def other_value(record: dict[str, Any]) -> None:
    """The fields are others, the hash is the same."""
    record["value"] = "1"


def endless(found: Any) -> Any:
    """A list that has always one page more, elsewhere."""
    return {**found, "count": 10**6, "next": "https://elsewhere.example/"} if "results" in found else found


def growing(found: Any) -> Any:
    """A list that holds fewer entries than it says."""
    return {**found, "count": found["count"] + 1} if "results" in found else found


def not_strict(record: dict[str, Any]) -> None:
    """An address without its checksum."""
    for name in ("to", "delegate"):
        if name in record:
            record[name] = record[name].lower()


FAULTS = {
    one.name: one
    for one in (
        Fault("silent before", before=True, manner="silent"),
        Fault("silent after", manner="silent"),
        Fault("reset before", before=True, manner="reset"),
        Fault("reset after", manner="reset"),
        Fault("cut", manner="cut"),
        Fault("drip", manner="drip"),
        Fault("redirect 301", before=True, page=Reply(301, b"", {"location": "/api/v1/about/"})),
        Fault("redirect 307", before=True, page=Reply(307, b"", {"location": "https://elsewhere.example/"})),
        Fault("html 200 before", before=True, page=Reply(200, PAGE, HTML)),
        Fault("html 200 after", page=Reply(200, PAGE, HTML)),
        Fault("html 201 before", before=True, page=Reply(201, PAGE, HTML)),
        Fault("html 404", before=True, page=Reply(404, PAGE, HTML)),
        Fault("html 500 before", before=True, page=Reply(500, PAGE, HTML)),
        Fault("html 502 after", page=Reply(502, PAGE, HTML)),
        Fault("throttled", before=True, page=Reply(429, b"{}", {"x-ratelimit-reset": "2"})),
        Fault("throttled long", before=True, page=Reply(429, b"{}", {"retry-after": "3600"})),
        Fault("throttled until", before=True, page=Reply(429, b"{}", {"x-ratelimit-reset": "2000000000"})),
        Fault("wrong key", before=True, page=Reply(401, b'{"detail": "Invalid token."}')),
        Fault("refused 422", before=True, page=Reply(422, b'{"nonFieldErrors": ["not\\u001b[2J now"]}')),
        Fault("banned 451", before=True, page=Reply(451, b"{}")),
        Fault("half a json", manner="half"),
        Fault("huge", manner="huge"),
        Fault("nested", page=Reply(200, b"[" * 50_000)),
        Fault("wrong hash", change=each(other_hash)),
        Fault("wrong value", change=each(other_value)),
        Fault("another safe", change=each(other_safe)),
        Fault("wrong signature", change=each(wrong_signature)),
        Fault("no checksum", change=each(not_strict)),
        Fault("endless list", change=endless),
        Fault("growing list", change=growing),
    )
}


class Faults:
    """Which fault is due at which site, how often, and from which request on connections are refused."""

    def __init__(self) -> None:
        self.closing = threading.Event()
        self._armed: list[tuple[str, Fault | None]] = []
        self._refuse_at: int | None = None

    def arm(self, site: str, fault: str, times: int = 1, skip: int = 0) -> None:
        """Spoil so many requests at a site (`*` is every site), after the first few of it that are skipped."""
        self._armed += [(site, None)] * skip + [(site, FAULTS[fault])] * times

    def arm_with(self, site: str, fault: Fault) -> None:
        """The same once, with a fault of the test's own."""
        self._armed.append((site, fault))

    def refuse_after(self, requests: int) -> None:
        """Answer so many requests in all, and be gone when the next one comes."""
        self._refuse_at = requests

    def clear(self) -> None:
        """Nothing is spoilt any more."""
        self._armed.clear()
        self._refuse_at = None

    def due(self, site: str) -> Fault | None:
        """The fault of this request, which is then used up."""
        for number, (where, fault) in enumerate(self._armed):
            if where in (site, "*"):
                del self._armed[number]
                return fault
        return None

    def refuses_next(self, answered: int) -> bool:
        """Whether the connection after this request is refused."""
        return self._refuse_at is not None and answered >= self._refuse_at


def site_of(method: str, path: str, query: str) -> str:
    """What a request is for, in a word."""
    parts, asked = path.strip("/").split("/"), parse_qs(query)
    if parts[-1:] == ["confirmations"]:
        return "confirm" if method == "POST" else "confirmations"
    if "delegates" in parts:
        return {"GET": "delegates", "POST": "add delegate", "DELETE": "remove delegate"}[method]
    if parts[2:3] == ["safes"] and parts[-1:] == ["multisig-transactions"]:
        page = int(asked.get("offset", ["0"])[0]) // max(1, int(asked.get("limit", ["100"])[0])) + 1
        trusted = "untrusted" if asked.get("trusted") == ["false"] else "pending"
        return "propose" if method == "POST" else f"{trusted} {page}"
    if parts[2:3] == ["multisig-transactions"]:
        return "transaction" if method == "GET" else "delete"
    return "about" if parts[2:3] == ["about"] else "other"


def spoiled(
    handler: BaseHTTPRequestHandler, reply: Reply | None, fault: Fault | None, closing: threading.Event
) -> None:
    """Send an answer, spoilt by a fault where one is given."""
    if fault is None:
        assert reply is not None
        return send(handler, reply)
    reply = fault.page or reply or Reply(200)
    if fault.change is not None and reply.body:
        reply = Reply(reply.status, json.dumps(fault.change(json.loads(reply.body))).encode(), reply.headers)
    handler.close_connection = True
    try:
        MANNERS[fault.manner](handler, reply, closing)
    except OSError:
        return None  # the client has gone: it waited long enough


def send(handler: BaseHTTPRequestHandler, reply: Reply, length: int | None = None) -> None:
    """The whole answer, or with a length that is not its own."""
    handler.send_response(reply.status)
    for name, text in reply.headers.items():
        handler.send_header(name, text)
    handler.send_header("content-length", str(len(reply.body) if length is None else length))
    if handler.close_connection:
        handler.send_header("connection", "close")
    handler.end_headers()
    handler.wfile.write(reply.body)


def whole(handler: BaseHTTPRequestHandler, reply: Reply, closing: threading.Event) -> None:
    send(handler, reply)


def silent(handler: BaseHTTPRequestHandler, reply: Reply, closing: threading.Event) -> None:
    """Nothing, until the client has gone."""
    handler.connection.settimeout(10)
    handler.connection.recv(1)


def reset(handler: BaseHTTPRequestHandler, reply: Reply, closing: threading.Event) -> None:
    """The connection is broken off."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


def cut(handler: BaseHTTPRequestHandler, reply: Reply, closing: threading.Event) -> None:
    """It ends in the middle of what it announced."""
    send(handler, Reply(reply.status, reply.body[: len(reply.body) // 2], reply.headers), len(reply.body) + 10)


def half(handler: BaseHTTPRequestHandler, reply: Reply, closing: threading.Event) -> None:
    """Half of it, announced as the whole."""
    send(handler, Reply(reply.status, (reply.body or b'{"a": 1}')[: len(reply.body) // 2 or 4], reply.headers))


def huge(handler: BaseHTTPRequestHandler, reply: Reply, closing: threading.Event) -> None:
    """Without end."""
    send(handler, Reply(reply.status, b" " * HUGE, reply.headers))


def drip(handler: BaseHTTPRequestHandler, reply: Reply, closing: threading.Event) -> None:
    """One byte at a time."""
    send(handler, Reply(reply.status, b"", reply.headers), 10_000)
    while not closing.wait(0.03):
        handler.wfile.write(b" ")
        handler.wfile.flush()


MANNERS: Mapping[str, Callable[[BaseHTTPRequestHandler, Reply, threading.Event], None]] = {
    "whole": whole,
    "silent": silent,
    "reset": reset,
    "cut": cut,
    "half": half,
    "huge": huge,
    "drip": drip,
}
