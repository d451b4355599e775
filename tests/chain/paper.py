"""A chain on paper: headers, one word for every call, logs; as an endpoint in process, with faults at any method."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from incident_cli.abi import decode, encode, parse_signature
from incident_cli.abi_events import EventSignature, parse_event
from incident_cli.chain.multicall import AGGREGATE3, BLOCK_READS, MULTICALL3
from incident_cli.evm import Address, Block, CallRead, CodeRead, StorageRead, checksummed
from incident_cli.transport import Json, Request, RpcError

CHAIN_ID = 1
GENESIS_TIME = 1_700_000_000
TOKEN = checksummed(b"\x70" * 20)
TOTAL = CallRead(TOKEN, parse_signature("total() returns (uint256)"))
CODE = CodeRead(TOKEN)
WORD = StorageRead(TOKEN, 7)
MOVED: EventSignature = parse_event("Moved(address indexed who, uint256 amount)")
WHO = checksummed(b"\x11" * 20)
Change = Callable[[Request, Json | RpcError], Json | RpcError]


class PaperChain:
    """Blocks with the given times; at block n every call answers 1000 + n, storage n, and one event is logged."""

    def __init__(self, times: Sequence[int], *, salt: int = 0, multicall: bool = True) -> None:
        self.times, self.salt, self.multicall = list(times), salt, multicall
        self.rollup = False
        self.head = len(self.times) - 1
        self.log_limit = 10_000

    def hash(self, number: int) -> str:
        return "0x" + (self.salt * 2**64 + number + 1).to_bytes(32, "big").hex()

    def block(self, number: int, chain: str = "ethereum") -> Block:
        return Block(chain, number, self.hash(number), self.times[number])

    def header(self, number: int) -> Json:
        if not 0 <= number <= self.head:
            return None
        return {
            "number": hex(number),
            "hash": self.hash(number),
            "parentHash": self.hash(number - 1) if number else "0x" + "00" * 32,
            "timestamp": hex(self.times[number]),
        }

    def at(self, tag: Any) -> int | None:
        if isinstance(tag, dict):
            return next((n for n in range(self.head, -1, -1) if self.hash(n) == tag["blockHash"]), None)
        number = self.head if tag == "latest" else int(tag, 16)
        return number if number <= self.head else None

    def answer(self, request: Request) -> Json | RpcError:
        match request.method:
            case "eth_chainId":
                return hex(CHAIN_ID)
            case "eth_getBlockByNumber":
                number = self.at(request.params[0])
                return None if number is None else self.header(number)
            case "eth_getBlockByHash":
                number = self.at({"blockHash": request.params[0]})
                return None if number is None else self.header(number)
            case "eth_getLogs":
                return self.logs(request.params[0])
        place = {"eth_call": 1, "eth_getCode": 1, "eth_getStorageAt": 2}[request.method]
        number = self.at(request.params[place])
        if number is None:
            return RpcError(-32000, "header not found")
        if request.method == "eth_getCode":
            return "0x6001"
        if request.method == "eth_getStorageAt":
            return "0x" + number.to_bytes(32, "big").hex()
        return self.call(request.params[0], number, len(request.params) > 2)

    def call(self, call: Any, number: int, overridden: bool) -> Json:
        data = bytes.fromhex(call["data"][2:])
        if call["to"] != MULTICALL3:
            return "0x" + self.word(number).hex()
        if not self.multicall and not overridden:
            return "0x"
        (targets,) = decode(AGGREGATE3.input_types, data[4:])
        assert isinstance(targets, tuple)
        results = [(True, self.seen(one[2], number) or self.word(number)) for one in targets]
        return "0x" + encode(["(bool,bytes)[]"], [results]).hex()

    def word(self, number: int) -> bytes:
        return (1_000 + number).to_bytes(32, "big")

    def seen(self, data: bytes, number: int) -> bytes | None:
        if data not in BLOCK_READS:
            return None
        parent = bytes.fromhex(self.hash(number - 1)[2:]) if number else bytes(32)
        below = (77, b"\x77" * 32) if self.rollup else (number, parent)
        words = (below[0].to_bytes(32, "big"), below[1], self.times[number].to_bytes(32, "big"))
        return words[BLOCK_READS.index(data)]

    def log(self, number: int, **changes: Json) -> dict[str, Json]:
        """The event of one block."""
        return {
            "address": TOKEN.lower(),
            "topics": [MOVED.topic, "0x" + bytes(12).hex() + WHO[2:].lower()],
            "data": "0x" + number.to_bytes(32, "big").hex(),
            "blockNumber": hex(number),
            "blockHash": self.hash(number),
            "logIndex": "0x0",
            "removed": False,
            **changes,
        }

    def logs(self, wanted: Any) -> Json | RpcError:
        if "blockHash" in wanted:
            first = last = self.at(wanted) or 0
        else:
            first, last = int(wanted["fromBlock"], 16), int(wanted["toBlock"], 16)
        if last - first + 1 > self.log_limit:
            return RpcError(-32005, f"query exceeds a range of {self.log_limit} blocks")
        return [self.log(number) for number in range(first, min(last, self.head) + 1)]


class PaperNode:
    """A node of a paper chain: it counts, may lag behind (`head`), and may change what it answers."""

    def __init__(self, chain: PaperChain, name: str = "node 1", change: Change | None = None) -> None:
        self.chain, self.name, self.change = chain, name, change
        self.sent: list[list[Request]] = []
        self.stuck: threading.Event | None = None

    def exchange(self, requests: Sequence[Request]) -> list[Json | RpcError]:
        self.sent.append(list(requests))
        if self.stuck is not None:
            self.stuck.wait(60)
        found = [self.chain.answer(request) for request in requests]
        return [self.change(*pair) if self.change else pair[1] for pair in zip(requests, found, strict=True)]

    @property
    def methods(self) -> list[list[str]]:
        return [[one.method for one in some] for some in self.sent]


def regular(blocks: int = 200, seconds: int = 12) -> PaperChain:
    """A chain with a block every so many seconds."""
    return PaperChain([GENESIS_TIME + seconds * number for number in range(blocks)])


def address(number: int) -> Address:
    """Some address."""
    return checksummed(number.to_bytes(20, "big"))
