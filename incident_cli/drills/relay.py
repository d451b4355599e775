"""Between a fork and the node it copies: the URL with its credential stays in this process, and nothing is ever sent.

What anvil is started with can be seen by everybody on the machine, so it is given a loopback address. Only what reads
is passed on.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping, Sequence

from incident_cli.drills.rpc_values import BAD_PARAMS, INVALID_REQUEST, NO_METHOD, PARSE_ERROR, TOO_MUCH
from incident_cli.errors import IncidentError
from incident_cli.strict_json import Json, parse_json
from incident_cli.transport import Endpoint, Request, RpcError

AT_ONCE = 4  # as many connections as an endpoint keeps
READING = re.compile(
    r"(eth_get|net_|web3_|debug_trace|trace_)[A-Za-z_]+|eth_(call|chainId|blockNumber|gasPrice|feeHistory|estimateGas)"
    r"|eth_(maxPriorityFeePerGas|blobBaseFee|createAccessList|simulateV1|syncing)"
)


class Relay:
    """Answers JSON-RPC with what a node answers, where the request only reads."""

    def __init__(self, node: Endpoint) -> None:
        self.node = node
        self._turns = threading.BoundedSemaphore(AT_ONCE)

    def handle(self, body: bytes) -> bytes:
        """The reply to one request or to several."""
        try:
            asked = parse_json(body)
        except ValueError:
            return encoded(reply(None, RpcError(PARSE_ERROR, "this is no JSON")))
        many = asked if isinstance(asked, list) else [asked]
        answers = [reply(one.get("id") if isinstance(one, dict) else None, self.answer(one)) for one in many]
        return encoded(answers if isinstance(asked, list) else answers[0])

    def answer(self, asked: Json) -> Json | RpcError:
        """The node's answer to one request, or why there is none."""
        if not isinstance(asked, dict):
            return RpcError(INVALID_REQUEST, "a request is an object")
        method, params = asked.get("method"), asked.get("params", [])
        if not isinstance(method, str) or not READING.fullmatch(method):
            return RpcError(NO_METHOD, "a fork's node is only read")
        if not isinstance(params, Sequence) or isinstance(params, str):
            return RpcError(BAD_PARAMS, "parameters are a list")
        try:
            with self._turns:
                return self.node.exchange([Request(method, tuple(params))])[0]
        except IncidentError as problem:
            return RpcError(TOO_MUCH, problem.message)  # the code at which a fork tries again


def reply(identity: Json, answer: Json | RpcError) -> Mapping[str, Json]:
    """An answer as JSON-RPC writes it."""
    if not isinstance(answer, RpcError):
        return {"jsonrpc": "2.0", "id": identity, "result": answer}
    error: dict[str, Json] = {"code": answer.code, "message": answer.message}
    return {"jsonrpc": "2.0", "id": identity, "error": error | ({"data": answer.data} if answer.data else {})}


def encoded(replies: object) -> bytes:
    """As it goes over the wire."""
    return json.dumps(replies, separators=(",", ":")).encode()
