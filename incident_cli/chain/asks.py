"""What is asked of a node for reads of state: many calls in one aggregate3, or each read by itself.

An ask that fails says what to ask instead. For calls: Multicall3 at its canonical address, its code by state override,
halves of the round, each call by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from incident_cli.abi import encode_call
from incident_cli.chain.answers import Answer, answer_bytes, decode_result, decode_state, parts, state_gone
from incident_cli.chain.multicall import MULTICALL3, Seen, Target, decode_round, encode_round, runtime_code
from incident_cli.evm import CallRead, CodeRead, Missing, Read, StateRead, StorageRead, to_hex
from incident_cli.text import plain
from incident_cli.transport import Json, Request, RpcError

RequestAt = Callable[[Json], Request]
CALLS_PER_ROUND = 500
REQUESTS_PER_EXCHANGE = 100
SINGLES_PER_EXCHANGE = REQUESTS_PER_EXCHANGE - 1  # the block rides with them


@dataclass(frozen=True, slots=True)
class Opened:
    """What an ask was answered, and the block it saw from inside (None where it does not say)."""

    answers: dict[Read, Answer]
    seen: Seen | None = None


@dataclass(frozen=True, slots=True)
class CallsAsk:
    """Up to 500 view calls in one aggregate3; `overridden` where Multicall3's code is lent to a chain without it."""

    of: tuple[CallRead, ...]
    targets: tuple[Target, ...]
    overridden: bool = False

    @property
    def reads(self) -> tuple[StateRead, ...]:
        """What it answers."""
        return self.of

    def request(self, at: Json) -> Request:
        """The eth_call at a block."""
        request = call_request(Target(MULTICALL3, encode_round(self.targets)), at)
        if not self.overridden:
            return request
        return Request(request.method, (*request.params, {MULTICALL3: {"code": to_hex(runtime_code())}}))

    def open(self, answer: Json | RpcError) -> Opened | None:
        """The answers, or None where Multicall3 did not answer."""
        try:
            seen, results = decode_round(answer_bytes(answer), len(self.targets))
        except ValueError:
            return None
        return Opened(dict(zip(self.of, map(decode_result, self.of, results), strict=True)), seen)

    def instead(self, answer: Json | RpcError) -> list[Ask]:
        """What to ask after this answer: nothing where the node has no state to ask."""
        if state_gone(answer):
            return []
        if len(self.of) <= SINGLES_PER_EXCHANGE or self.overridden:
            return [SingleAsk(read, target) for read, target in zip(self.of, self.targets, strict=True)]
        if answer == "0x":
            return [replace(self, overridden=True)]
        half = len(self.of) // 2
        return [CallsAsk(self.of[:half], self.targets[:half]), CallsAsk(self.of[half:], self.targets[half:])]


@dataclass(frozen=True, slots=True)
class SingleAsk:
    """One read by itself; `target` is the call of a CallRead."""

    read: StateRead
    target: Target | None = None

    @property
    def reads(self) -> tuple[StateRead, ...]:
        """What it answers."""
        return (self.read,)

    def request(self, at: Json) -> Request:
        """The request at a block."""
        if self.target is not None:
            return call_request(self.target, at)
        if isinstance(self.read, StorageRead):
            return Request("eth_getStorageAt", (self.read.to, hex(self.read.position), at))
        return Request("eth_getCode", (self.read.to, at))

    def open(self, answer: Json | RpcError) -> Opened | None:
        """The answer; there is nothing to ask instead."""
        return Opened({self.read: decode_state(self.read, answer)})

    def instead(self, answer: Json | RpcError) -> list[Ask]:
        """Nothing."""
        return []


Ask = CallsAsk | SingleAsk


def plan(reads: Iterable[StateRead]) -> tuple[list[Ask], dict[Read, Answer]]:
    """What to ask, each read once; and the answers of those that cannot be asked.

    There is always one round, because only it can say which block it saw.
    """
    singles: list[Ask] = []
    targets: dict[CallRead, Target] = {}
    unasked: dict[Read, Answer] = {}
    for read in dict.fromkeys(reads):
        try:
            if isinstance(read, CallRead):
                targets[read] = Target(read.to, encode_call(read.signature, read.args))
            else:
                singles.append(SingleAsk(checked(read)))
        except ValueError as problem:
            unasked[read] = Missing(plain(problem, 300))
    calls: list[Ask] = [CallsAsk(part, tuple(targets[one] for one in part)) for part in parts(targets, CALLS_PER_ROUND)]
    return [*(calls or [CallsAsk((), ())]), *singles], unasked


def checked(read: CodeRead | StorageRead) -> CodeRead | StorageRead:
    """The read; raises ValueError where its position is no word."""
    if isinstance(read, StorageRead) and not 0 <= read.position < 2**256:
        raise ValueError("a position in storage is a word of 256 bits")
    return read


def call_request(target: Target, at: Json) -> Request:
    """An eth_call at a block."""
    return Request("eth_call", ({"to": target.to, "data": "0x" + target.data.hex()}, at))
