"""HTTP to one place: time-outs, an absolute deadline, a cap, and nothing followed, retried or taken from outside.

Redirects, retries, netrc and the environment's proxies are off; a proxy is used where one is given by name. No URL
(it may hold a credential) ever stands in a message.
"""

from __future__ import annotations

import base64
import ipaddress
import queue
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

from incident_cli.errors import Misused, Unread
from incident_cli.text import plain

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

Found = TypeVar("Found")
MEBIBYTE = 1_048_576
PIECE_BYTES = 65_536
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


class Unusable(Exception):
    """Why an exchange failed as a whole, in words that hold nothing of the URL.

    `arrived` is False where the request cannot have reached anybody.
    """

    def __init__(self, reason: str, hint: str = "", *, arrived: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.arrived = arrived
        self.hint = hint or "Try again, or name another node for this chain in the deployment."


class TooLarge(Unusable):
    """The answer was larger than the cap."""


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


@dataclass(frozen=True, slots=True)
class Answer:
    """Whatever came back: any status, the headers by their names in lower case, and the whole body."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class Road:
    """HTTP to one place: a kept-alive connection, time-outs and an absolute deadline, a cap, and nothing followed.

    `proxy` is the URL of a proxy, with its userinfo where it asks for one; the environment's are never used.
    """

    def __init__(self, connect_seconds: float, read_seconds: float, cap_bytes: int, proxy: str = "") -> None:
        self._connect_seconds, self._read_seconds, self._cap_bytes = connect_seconds, read_seconds, cap_bytes
        self._proxy, self._proxy_headers = parse_proxy(proxy) if proxy else ("", {})
        self._pool: PoolManager | None = None

    def send(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None = None) -> bytes:
        """The body of a 200 answer; raises Unusable."""
        return self._within(lambda deadline: self._send(method, target, headers, body, deadline, refuse_status).body)

    def ask(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        """The answer, whatever its status; raises Unusable where none came whole."""
        return self._within(lambda deadline: self._send(method, target, headers, body, deadline))

    def _within(self, work: Callable[[float], Found]) -> Found:
        seconds = self._connect_seconds + self._read_seconds
        deadline = time.monotonic() + seconds
        return within(seconds, lambda: work(deadline))

    def _send(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes | None,
        deadline: float,
        judge: Callable[[int], None] = lambda status: None,
    ) -> Answer:
        import urllib3
        from urllib3.exceptions import HTTPError

        timeout = urllib3.Timeout(connect=self._connect_seconds, read=self._read_seconds)
        try:
            response = self._connected().request(
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
            whole = read_body(response, deadline, self._cap_bytes, judge)
            return Answer(response.status, {name.lower(): text for name, text in response.headers.items()}, whole)
        except (HTTPError, OSError, ValueError) as problem:
            raise Unusable(reason_of(problem), arrived=not never_left(problem)) from None

    def _connected(self) -> PoolManager:
        """The connections to this place, made when the first is needed."""
        import urllib3

        if self._pool is None and self._proxy:
            self._pool = urllib3.ProxyManager(self._proxy, proxy_headers=self._proxy_headers, maxsize=4, retries=False)
        elif self._pool is None:
            self._pool = urllib3.PoolManager(maxsize=4, retries=False)
        return self._pool


def parse_proxy(url: str) -> tuple[str, dict[str, str]]:
    """The proxy's URL without its userinfo, and the header that carries it; raises Misused without quoting it."""
    bare, credential = parse_url(url, "the proxy")
    return bare, {f"proxy-{name}": value for name, value in credential.items()}


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


def read_body(
    response: BaseHTTPResponse, deadline: float, cap_bytes: int, judge: Callable[[int], None] = lambda status: None
) -> bytes:
    """The whole body of an answer whose status `judge` lets pass, at most `cap_bytes`; raises Unusable."""
    try:
        judge(response.status)
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise Unusable("sent an encoded answer, which was not asked for")
        pieces = bytearray()
        while piece := response.read1(PIECE_BYTES, decode_content=False):
            pieces += piece
            if len(pieces) > cap_bytes:
                raise TooLarge(f"sent an answer larger than {cap_bytes} bytes", "Ask for less at once.")
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
        (exceptions.ProxyError, "could not be reached through the proxy"),
        (exceptions.NameResolutionError, "has a host name that does not resolve"),
        (exceptions.NewConnectionError, "refused the connection"),
        (exceptions.ConnectTimeoutError, "did not accept the connection in time"),
        (exceptions.ReadTimeoutError, "did not answer in time"),
        (exceptions.SSLError, "has a TLS certificate or protocol that was not accepted"),
        (exceptions.ProtocolError, "broke off the connection or its answer"),
    )
    return next((words for kind, words in reasons if isinstance(problem, kind)), "could not be reached")


def never_left(problem: Exception) -> bool:
    """Whether no connection stood that could have carried the request."""
    from urllib3 import exceptions

    return isinstance(problem, exceptions.NewConnectionError | exceptions.ConnectTimeoutError)
