"""One exchange with a JSON-RPC node: a batch of requests out, a batch of answers back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


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
