"""One exchange with a JSON-RPC node: a batch of requests out, a batch of answers back."""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from incident_cli.errors import Unread
from incident_cli.strict_json import Json as Json
from incident_cli.strict_json import parse_json
from incident_cli.text import plain
from incident_cli.web import MEBIBYTE, Road, Unusable, parse_url, request_headers

HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
HEX_INSIDE = re.compile(r"0x(?:[0-9a-fA-F]{2})+")


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


def encode_requests(ids: Sequence[int], requests: Sequence[Request]) -> bytes:
    """The JSON of one request as an object, of several as an array."""
    objects = [
        {"jsonrpc": "2.0", "id": number, "method": one.method, "params": list(one.params)}
        for number, one in zip(ids, requests, strict=True)
    ]
    return json.dumps(objects if len(objects) > 1 else objects[0], separators=(",", ":"), allow_nan=False).encode()


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
