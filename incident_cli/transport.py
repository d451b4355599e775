"""One exchange with a JSON-RPC node: a batch of requests out, a batch of answers back. And one GET of a service."""

from __future__ import annotations

import base64
import ipaddress
import itertools
import json
import queue
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

from incident_cli.errors import Misused, Unread
from incident_cli.strict_json import Json as Json
from incident_cli.strict_json import parse_json
from incident_cli.text import plain

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

Found = TypeVar("Found")
MEBIBYTE = 1_048_576
PIECE_BYTES = 65_536
HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
HEX_INSIDE = re.compile(r"0x(?:[0-9a-fA-F]{2})+")
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


@dataclass(frozen=True, slots=True)
class Request:
    """One JSON-RPC request."""

    method: str
    params: tuple[Json, ...] = ()


@dataclass(frozen=True, slots=True)
class RpcError:
    """A node's own refusal of one request. `data` is the revert data (0x hex) where it gave any."""

    code: int
    message: str
    data: str = ""


class Endpoint(Protocol):
    """Whatever answers JSON-RPC: a node over HTTP, or the drill's embedded chain in process."""

    @property
    def name(self) -> str:
        """How messages call it; never a URL with a credential in it."""

    def exchange(self, requests: Sequence[Request]) -> list[Json | RpcError]:
        """One round trip: an answer (`result`) or an RpcError for each request, in order.

        Raises `errors.Unread` where the exchange as a whole failed (refused, timed out, not JSON-RPC).
        """


class Unusable(Exception):
    """Why an exchange failed as a whole, in words that hold nothing of the URL."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint or "Try again, or name another node for this chain in the deployment."


class Deadline:
    """A moment, `seconds` from now, after which nothing more is waited for."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds until then; 0 afterwards."""
        return max(0.0, self._until - time.monotonic())


class HttpEndpoint:
    """A node over HTTP. Every exchange is one POST on a kept-alive connection and ends by its deadline.

    The deadline (`connect_seconds` + `read_seconds`) is absolute: neither a slow name server nor an answer that
    drips exceeds it. Redirects, retries, proxies and netrc are off; the URL may hold a credential and is never shown.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str,
        headers: Mapping[str, str] | None = None,
        connect_seconds: float = 2,
        read_seconds: float = 5,
        cap_bytes: int = 16 * MEBIBYTE,
    ) -> None:
        self._name = plain(name, 80)
        self._target, credential = parse_url(url, self._name)
        self._headers = request_headers({**credential, **(headers or {})}, self._name)
        self._road = Road(connect_seconds, read_seconds, cap_bytes)
        self._ids = itertools.count(1)

    @property
    def name(self) -> str:
        """How messages call it."""
        return self._name

    def exchange(self, requests: Sequence[Request]) -> list[Json | RpcError]:
        """One POST: an answer or an RpcError for each request, in order; raises Unread where it failed as a whole."""
        if not requests:
            return []
        ids = [next(self._ids) for _ in requests]
        body = encode_requests(ids, requests)
        try:
            return match_answers(ids, parse_body(self._road.send("POST", self._target, self._headers, body)))
        except Unusable as problem:
            raise Unread(f"{self._name} {problem.reason}", problem.hint) from None


def fetch(url: str, name: str, *, seconds: float = 4, cap_bytes: int = PIECE_BYTES) -> bytes:
    """The body of one GET, over HTTPS but for this machine's own services; raises Misused, or Unread by the deadline.

    Redirects, retries, proxies and netrc are off, as for a node.
    """
    target, credential = parse_url(url, name)
    if urlsplit(target).scheme != "https" and not is_loopback(urlsplit(target).hostname or ""):
        raise Misused(f"the URL of {name} is not https://", "Only a service on this machine may be read without TLS.")
    headers = {name: value for name, value in request_headers(credential, name).items() if name != "content-type"}
    try:
        return Road(seconds / 2, seconds / 2, cap_bytes).send("GET", target, headers)
    except Unusable as problem:
        raise Unread(f"{name} {problem.reason}", "Try again later, or read the value from the chain.") from None


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by definition, not by what a name server says."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Road:
    """HTTP to one place: a kept-alive connection, time-outs and an absolute deadline, a cap, and nothing followed."""

    def __init__(self, connect_seconds: float, read_seconds: float, cap_bytes: int) -> None:
        self._connect_seconds, self._read_seconds, self._cap_bytes = connect_seconds, read_seconds, cap_bytes
        self._pool: PoolManager | None = None

    def send(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None = None) -> bytes:
        """The body of the answer; raises Unusable."""
        seconds = self._connect_seconds + self._read_seconds
        deadline = time.monotonic() + seconds
        return within(seconds, lambda: self._send(method, target, headers, body, deadline))

    def _send(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None, deadline: float) -> bytes:
        import urllib3
        from urllib3.exceptions import HTTPError

        if self._pool is None:
            self._pool = urllib3.PoolManager(maxsize=4, retries=False)
        timeout = urllib3.Timeout(connect=self._connect_seconds, read=self._read_seconds)
        try:
            response = self._pool.request(
                method,
                target,
                body=body,
                headers=headers,
                timeout=timeout,
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
            return read_body(response, deadline, self._cap_bytes)
        except (HTTPError, OSError, ValueError) as problem:
            raise Unusable(reason_of(problem)) from None


def parse_url(url: str, name: str) -> tuple[str, dict[str, str]]:
    """The URL without its userinfo, and the header that carries the userinfo; raises Misused without quoting it."""
    hint = f"Give {name} a URL such as https://node.example:8545."
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Misused(f"the URL of {name} is not valid", hint) from None
    if not url.isascii() or any(character <= " " or character == "\x7f" for character in url):
        raise Misused(f"the URL of {name} holds a space or a character that no URL has", hint)
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise Misused(f"the URL of {name} is not http:// or https:// with a host", hint)
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="")
    return bare.geturl(), basic_credential(parts)


def basic_credential(parts: SplitResult) -> dict[str, str]:
    """The Authorization header for the userinfo of a URL, if it has one."""
    if parts.username is None:
        return {}
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def request_headers(given: Mapping[str, str], name: str) -> dict[str, str]:
    """The headers of every request; raises Misused (naming the header, not its value) where one is malformed."""
    for header, value in given.items():
        if not HEADER_NAME.fullmatch(header) or not value.isascii() or not value.isprintable():
            raise Misused(f"the header {plain(header, 40)!r} of {name} holds a character no header has")
    fixed = {
        "content-type": "application/json",
        "accept": "application/json",
        "accept-encoding": "identity",  # an encoded answer could unpack to more than the cap
        "user-agent": "incident",
    }
    return {**fixed, **{header.lower(): value for header, value in given.items()}}


def encode_requests(ids: Sequence[int], requests: Sequence[Request]) -> bytes:
    """The JSON of one request as an object, of several as an array."""
    objects = [
        {"jsonrpc": "2.0", "id": number, "method": one.method, "params": list(one.params)}
        for number, one in zip(ids, requests, strict=True)
    ]
    return json.dumps(objects if len(objects) > 1 else objects[0], separators=(",", ":"), allow_nan=False).encode()


def within(seconds: float, work: Callable[[], Found]) -> Found:
    """What `work` returns or raises, or Unusable once `seconds` have passed.

    A thread, because neither name resolution nor the reading of headers can be given a deadline of its own.
    """
    outcome: queue.SimpleQueue[Found | BaseException] = queue.SimpleQueue()

    def attempt() -> None:
        try:
            outcome.put(work())
        except BaseException as problem:  # handed to the caller, who waits in the other thread
            outcome.put(problem)

    threading.Thread(target=attempt, daemon=True).start()
    try:
        found = outcome.get(timeout=seconds)
    except queue.Empty:
        raise Unusable(f"did not answer within {seconds:.2g} s") from None
    if isinstance(found, BaseException):
        raise found
    return found


def read_body(response: BaseHTTPResponse, deadline: float, cap_bytes: int) -> bytes:
    """The whole body of a 200 answer, at most `cap_bytes`; raises Unusable."""
    try:
        refuse_status(response.status)
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise Unusable("sent an encoded answer, which was not asked for")
        pieces = bytearray()
        while piece := response.read1(PIECE_BYTES, decode_content=False):
            pieces += piece
            if len(pieces) > cap_bytes:
                raise Unusable(f"sent an answer larger than {cap_bytes} bytes", "Ask for less at once.")
            if time.monotonic() > deadline:
                raise Unusable("sent its answer too slowly")
    except BaseException:
        response.close()
        raise
    response.release_conn()
    return bytes(pieces)


def refuse_status(status: int) -> None:
    """Raises Unusable for every status but 200."""
    if status == 200:
        return
    if status in (401, 403):
        raise Unusable(f"refused the credential (HTTP {status})", "Check the node's URL and key.")
    if status == 429:
        raise Unusable("is throttling (HTTP 429)", "Wait, or name another node for this chain in the deployment.")
    if 300 <= status < 400:
        raise Unusable(f"redirects (HTTP {status}), which is not followed", "Use the URL it redirects to.")
    raise Unusable(f"answered HTTP {status}")


def reason_of(problem: Exception) -> str:
    """A failure in words of ours: the library's own repeat the URL."""
    from urllib3 import exceptions

    reasons: tuple[tuple[type[Exception], str], ...] = (
        (exceptions.NameResolutionError, "has a host name that does not resolve"),
        (exceptions.NewConnectionError, "refused the connection"),
        (exceptions.ConnectTimeoutError, "did not accept the connection in time"),
        (exceptions.ReadTimeoutError, "did not answer in time"),
        (exceptions.SSLError, "has a TLS certificate or protocol that was not accepted"),
        (exceptions.ProtocolError, "broke off the connection or its answer"),
    )
    return next((words for kind, words in reasons if isinstance(problem, kind)), "could not be reached")


def parse_body(body: bytes) -> Json:
    """Strict JSON (no NaN, no Infinity); raises Unusable."""
    try:
        return parse_json(body)
    except ValueError:
        raise Unusable("did not answer with JSON", "Check that the URL is a JSON-RPC node.") from None


def match_answers(ids: Sequence[int], body: Json) -> list[Json | RpcError]:
    """The answer to each id, in order; raises Unusable unless each id is answered exactly once and nothing else."""
    if isinstance(body, dict) and body.get("error") is not None and body.get("id") in (None, *ids):
        return [parse_error(body["error"])] * len(ids)
    answers = body if isinstance(body, list) and len(ids) > 1 else [body]
    expected = frozenset(ids)
    found: dict[int, Json | RpcError] = {}
    for answer in answers:
        if not isinstance(answer, dict):
            raise Unusable("did not answer as JSON-RPC", "Check that the URL is a JSON-RPC node.")
        number = answer.get("id")
        if type(number) is not int or number not in expected or number in found:
            raise Unusable("answered something that was not asked")
        found[number] = parse_answer(answer)
    if len(found) < len(ids):
        raise Unusable(f"answered {len(found)} of {len(ids)} requests")
    return [found[number] for number in ids]


def parse_answer(answer: Mapping[str, Json]) -> Json | RpcError:
    """The result of one answer, or its error; raises Unusable where it has neither."""
    if answer.get("error") is not None:
        return parse_error(answer["error"])
    if "result" not in answer:
        raise Unusable("answered with neither a result nor an error")
    return answer["result"]


def parse_error(error: Json) -> RpcError:
    """A JSON-RPC error object in one shape, whichever client wrote it."""
    if not isinstance(error, dict):
        return RpcError(0, plain(error, 300))
    code = error.get("code")
    return RpcError(
        code if type(code) is int else 0,
        plain(error.get("message") or "an error without a message", 300),
        revert_data(error.get("data")),
    )


def revert_data(data: Json) -> str:
    """The 0x hex of the revert: bare (geth, erigon), after the word "Reverted" (OpenEthereum), or in an object."""
    if isinstance(data, dict):
        return next((hexed for key in ("data", "result", "output") if (hexed := revert_data(data.get(key)))), "")
    if not isinstance(data, str):
        return ""
    if HEX.fullmatch(data):
        return data.lower()
    inside = HEX_INSIDE.search(data) if data.startswith("Reverted") else None
    return inside.group().lower() if inside else ""
