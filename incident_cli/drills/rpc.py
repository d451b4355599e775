"""The JSON-RPC face of a drill's chain, in process and as bytes for HTTP.

Every block is final as soon as it is mined, so `latest`, `pending`, `safe` and `finalized` are all the head. Writing
belongs to whoever plays the world: without a Writer the chain is read-only.
"""

from __future__ import annotations

import inspect
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from incident_cli.drills.engine import Engine
from incident_cli.drills.engine_values import Reverted, UnknownBlock
from incident_cli.drills.rpc_render import (
    base_fee_after,
    block_json,
    log_json,
    receipt_json,
    rewards,
    transaction_json,
)
from incident_cli.drills.rpc_values import (
    BAD_PARAMS,
    FAILED,
    INTERNAL,
    INVALID_REQUEST,
    NO_METHOD,
    PARSE_ERROR,
    REVERTED,
    SLOT,
    TOO_MUCH,
    Fault,
    address_of,
    call_of,
    count_of,
    data_of,
    hash_of,
    listed,
    quantity,
    text_of,
)
from incident_cli.errors import IncidentError
from incident_cli.evm import hex_bytes, to_hex
from incident_cli.strict_json import Json, parse_json
from incident_cli.text import plain
from incident_cli.transport import Request, RpcError

BODY_LIMIT, BATCH_LIMIT, DEPTH_LIMIT = 2**20, 200, 16
LOGS_RANGE, HISTORY_LIMIT = 10_000, 1_024
LONGEST_ADVANCE = 366 * 86_400
PRIORITY_FEE = 10**9


class Writer(Protocol):
    """Whoever owns the chain and mines its blocks."""

    def submit(self, raw: bytes) -> str:
        """Mine a signed transaction and return its hash (0x); raises engine_values.InvalidTransaction."""

    def advance(self, seconds: int) -> None:
        """Let this many seconds pass on the chain, in at least one block."""


class Rpc:
    """A transport.Endpoint over an engine. One lock serialises everything, so a batch sees one state of the chain."""

    def __init__(self, engine: Engine, write: Writer | None = None, lock: Any = None) -> None:
        self.engine, self._write, self._lock = engine, write, lock or threading.RLock()

    @property
    def name(self) -> str:
        """How messages call this chain."""
        return "drill (in process)"

    def exchange(self, requests: Sequence[Request]) -> list[Json | RpcError]:
        """Answer requests in order, in process."""
        with self._lock:
            return [self._answer(request.method, request.params) for request in requests]

    def handle(self, body: bytes) -> bytes:
        """Answer a JSON-RPC body, single or batch; empty where there were only notifications."""
        try:
            if len(body) > BODY_LIMIT:
                raise Fault(INVALID_REQUEST, f"the body is larger than {BODY_LIMIT} bytes")
            asked = parse(body)
            with self._lock:
                replies = self._replies(asked) if isinstance(asked, list) else self._reply(asked)
        except Fault as fault:
            replies = error_reply(None, fault.error)
        return json.dumps(replies, separators=(",", ":")).encode() if replies else b""

    def _replies(self, asked: Sequence[Json]) -> Json:
        return [reply for one in asked if (reply := self._reply(one)) is not None]

    def _reply(self, asked: Json) -> Json:
        identity = asked.get("id") if isinstance(asked, dict) else None
        identity = identity if type(identity) in (str, int) else None
        try:
            answer = self._answer(*request_of(asked))
        except Fault as fault:
            return error_reply(identity, fault.error)
        except Exception as bug:  # a served chain outlives a bug in one answer; in process it is raised
            answer = RpcError(INTERNAL, f"internal error: {type(bug).__name__}")
        if isinstance(asked, dict) and "id" not in asked:
            return None
        if isinstance(answer, RpcError):
            return error_reply(identity, answer)
        return {"jsonrpc": "2.0", "id": identity, "result": answer}

    def _answer(self, name: str, params: Sequence[Json]) -> Json | RpcError:
        method = METHODS.get(name)
        try:
            if method is None:
                raise Fault(NO_METHOD, f"the method {plain(name, 60)} does not exist on the drill's chain")
            return method(self, *fitting(method, params))
        except Fault as fault:
            return fault.error
        except Reverted as failed:
            halted = RpcError(FAILED, failed.reason)
            return halted if failed.reason else RpcError(REVERTED, "execution reverted", to_hex(failed.data))
        except (UnknownBlock, IncidentError) as problem:
            return RpcError(FAILED, plain(problem))

    def place(self, wanted: Json) -> int:
        """The number of the block that a number, tag or hash names; raises Fault or engine_values.UnknownBlock."""
        if isinstance(wanted, dict) and "blockHash" in wanted:
            return self.engine.block_number(hash_of(wanted["blockHash"]))
        wanted = wanted.get("blockNumber") if isinstance(wanted, dict) else wanted
        return self.engine.block(self._number(wanted)).number

    def _number(self, wanted: Json) -> int:
        if wanted in (None, "latest", "pending", "safe", "finalized"):
            return self.engine.head.number
        return 0 if wanted == "earliest" else quantity(wanted, "a block number or tag")

    def block(self, wanted: Json, full: Json = False) -> Json:
        """A block, or null where there is none."""
        try:
            return block_json(self.engine, self.place(wanted), bool(full))
        except UnknownBlock:
            return None

    def fee_history(self, count: Json, newest: Json, percentiles: Json = None) -> Json:
        """Base fees, use and priority fees of past blocks; the last base fee is the next block's."""
        last = self.place(newest)
        first = max(0, last + 1 - min(count_of(count, "a number of blocks"), HISTORY_LIMIT))
        headers = [self.engine.header(number) for number in range(first, last + 1)]
        fees = [hex(one.base_fee_per_gas) for one in headers]
        ratios: list[Json] = [one.gas_used / one.gas_limit for one in headers]
        history: dict[str, Json] = {"oldestBlock": hex(first), "gasUsedRatio": ratios}
        history["baseFeePerGas"] = [*fees, hex(base_fee_after(self.engine, last))]
        if shares := [one for one in listed(percentiles) if isinstance(one, (int, float))]:
            history["reward"] = [rewards(self.engine, number, shares) for number in range(first, last + 1)]
        return history

    def logs(self, wanted: Json) -> Json:
        """The logs that match a filter."""
        if not isinstance(wanted, dict):
            raise Fault(BAD_PARAMS, "a filter is an object")
        if "blockHash" in wanted:
            first = last = self.place(wanted)
        else:
            first, last = self._number(wanted.get("fromBlock")), self._number(wanted.get("toBlock"))
        if first > last and "toBlock" in wanted:
            raise Fault(BAD_PARAMS, f"the range ends at {last}, before it begins at {first}")
        if last - first >= LOGS_RANGE:
            raise Fault(TOO_MUCH, f"a range of {last - first + 1} blocks, at most {LOGS_RANGE}")
        addresses = [address_of(one) for one in listed(wanted.get("address"))]
        topics = [[hex_bytes(hash_of(one)) for one in listed(place)] or None for place in listed(wanted.get("topics"))]
        found = self.engine.logs(first, last, addresses, topics)
        numbers = {one.receipt.block_number for one in found}
        times = {number: self.engine.mined(number).block.timestamp for number in numbers}
        return [{**log_json(one), "blockTimestamp": hex(times[one.receipt.block_number])} for one in found]

    def advance(self, seconds: int) -> Json:
        """Let time pass; the answer is the seconds that passed."""
        if not 0 < seconds <= LONGEST_ADVANCE:
            raise Fault(BAD_PARAMS, f"a number of seconds from 1 to {LONGEST_ADVANCE} is needed")
        self.writer().advance(seconds)
        return hex(seconds)

    def writer(self) -> Writer:
        """Who writes; raises Fault where the chain is read-only."""
        if self._write is None:
            raise Fault(NO_METHOD, "this chain is read-only")
        return self._write


METHODS: Mapping[str, Callable[..., Json]] = {
    "web3_clientVersion": lambda rpc: "incident-drill/py-evm",
    "net_version": lambda rpc: str(rpc.engine.chain_id),
    "eth_chainId": lambda rpc: hex(rpc.engine.chain_id),
    "eth_blockNumber": lambda rpc: hex(rpc.engine.head.number),
    "eth_getBlockByNumber": lambda rpc, wanted, full=False: rpc.block(wanted, full),
    "eth_getBlockByHash": lambda rpc, wanted, full=False: rpc.block({"blockHash": wanted}, full),
    "eth_call": lambda rpc, call, at=None: to_hex(rpc.engine.call(**call_of(call), block=rpc.place(at))),
    "eth_estimateGas": lambda rpc, call, at=None: hex(rpc.engine.estimate_gas(**call_of(call), block=rpc.place(at))),
    "eth_gasPrice": lambda rpc: hex(base_fee_after(rpc.engine, rpc.engine.head.number) + PRIORITY_FEE),
    "eth_maxPriorityFeePerGas": lambda rpc: hex(PRIORITY_FEE),
    "eth_feeHistory": Rpc.fee_history,
    "eth_getBalance": lambda rpc, at, block=None: hex(rpc.engine.balance(address_of(at), rpc.place(block))),
    "eth_getTransactionCount": lambda rpc, at, block=None: hex(rpc.engine.nonce(address_of(at), rpc.place(block))),
    "eth_getCode": lambda rpc, at, block=None: to_hex(rpc.engine.code(address_of(at), rpc.place(block))),
    "eth_getStorageAt": lambda rpc, at, slot, block=None: to_hex(
        rpc.engine.storage(address_of(at), int(text_of(slot, SLOT, "a slot"), 16), rpc.place(block))
    ),
    "eth_getTransactionByHash": lambda rpc, wanted: transaction_json(rpc.engine, rpc.engine.receipt(hash_of(wanted))),
    "eth_getTransactionReceipt": lambda rpc, wanted: receipt_json(rpc.engine.receipt(hash_of(wanted))),
    "eth_getLogs": Rpc.logs,
    "eth_sendRawTransaction": lambda rpc, raw: rpc.writer().submit(data_of(raw)),
    "eth_accounts": lambda rpc: [],
    "eth_syncing": lambda rpc: False,
    "evm_mine": lambda rpc: rpc.advance(rpc.engine.block_time),
    "evm_increaseTime": lambda rpc, seconds: rpc.advance(count_of(seconds, "a number of seconds")),
}


def parse(body: bytes) -> Json:
    """The JSON of a body; raises Fault where it is none, or a batch that is empty or too long."""
    try:
        asked = parse_json(body, DEPTH_LIMIT)
    except ValueError as problem:
        raise Fault(PARSE_ERROR, f"the body is not JSON, or nests deeper than {DEPTH_LIMIT}") from problem
    if isinstance(asked, list) and not 0 < len(asked) <= BATCH_LIMIT:
        raise Fault(INVALID_REQUEST, f"a batch of {len(asked)} requests, it takes 1 to {BATCH_LIMIT}")
    return asked


def request_of(asked: Json) -> tuple[str, Sequence[Json]]:
    """Method and parameters of a request; raises Fault where it is none."""
    if not isinstance(asked, dict) or not isinstance(asked.get("method"), str):
        raise Fault(INVALID_REQUEST, "a request is an object with a method")
    if isinstance(asked.get("id"), (dict, list, bool, float)):
        raise Fault(INVALID_REQUEST, "an id is a string, an integer or null")
    params = [] if asked.get("params") is None else asked["params"]
    if not isinstance(params, list):
        raise Fault(BAD_PARAMS, "the parameters are a list")
    return str(asked["method"]), params


def fitting(method: Callable[..., Json], params: Sequence[Json]) -> Sequence[Json]:
    """The parameters, if the method takes as many; raises Fault."""
    takes = list(inspect.signature(method).parameters.values())[1:]
    least = sum(one.default is one.empty for one in takes)
    if not least <= len(params) <= len(takes):
        raise Fault(BAD_PARAMS, f"{len(params)} parameters, it takes {least} to {len(takes)}")
    return params


def error_reply(identity: Json, error: RpcError) -> Json:
    """The reply of a request that failed."""
    body: dict[str, Json] = {"code": error.code, "message": error.message}
    return {"jsonrpc": "2.0", "id": identity, "error": body | ({"data": error.data} if error.data else {})}
