"""A node that passes everything on to another, and remembers which requests came together: one list a round trip."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Self

from incident_cli.transport import Endpoint, Json, Request, RpcError
from tests.fakes.node import Node


class Relay(Node):
    """Use it as a context manager. `trips` holds the methods of every HTTP request so far, `spans` when each began and
    ended (s); it takes `latency` seconds for each.

    `refuses` names methods that it does not know; what it then says is what geth says.
    """

    def __init__(self, endpoint: Endpoint, refuses: frozenset[str] = frozenset(), latency: float = 0.0) -> None:
        self.trips: list[tuple[str, ...]] = []
        self.spans: list[tuple[float, float]] = []
        self.refuses, self.latency = refuses, latency
        super().__init__(lambda request: self.passed_on(endpoint, request))

    def __enter__(self) -> Self:
        super().__enter__()
        return self

    def passed_on(self, endpoint: Endpoint, request: Request) -> Json | RpcError:
        """The other node's answer."""
        if request.method in self.refuses:
            return RpcError(-32601, f"the method {request.method} does not exist/is not available")
        return endpoint.exchange([request])[0]

    def heard(self, body: Any, headers: dict[str, str], path: str) -> list[dict[str, Any]]:
        objects = body if isinstance(body, list) else [body]
        self.trips.append(tuple(str(one["method"]) for one in objects))
        begun = time.monotonic()
        time.sleep(self.latency)
        answers = super().heard(body, headers, path)
        self.spans.append((begun, time.monotonic()))
        return answers


def in_a_row(relays: Sequence[Relay]) -> int:
    """The most round trips of which each began when the one before had ended: those under way at once count once."""
    count, free = 0, 0.0
    for begun, ended in sorted((span for one in relays for span in one.spans), key=lambda span: span[1]):
        if begun >= free:
            count, free = count + 1, ended
    return count
