"""Nodes that lie: in the views within a round, in a simulation, in receipts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from incident_cli.abi import decode, encode, parse_signature
from incident_cli.chain.execution import FAILURE_TOPIC, SUCCESS_TOPIC
from incident_cli.transport import Request
from tests.flows.rehearsal import Answered, Lie

ROUND = parse_signature("aggregate3((address,bool,bytes)[] calls)")
SIMULATE = parse_signature("simulate(address,bytes)")
SIMULATE_AND_REVERT = parse_signature("simulateAndRevert(address,bytes)")
RESULTS = ["(bool,bytes)[]"]
Told = Callable[[bytes], tuple[bool, bytes] | None]
Receipt = dict[str, Any]


def calldata(request: Request) -> bytes:
    """The data of an eth_call, nothing for another request."""
    call = request.params[0] if request.params else None
    if request.method != "eth_call" or not isinstance(call, dict):
        return b""
    return bytes.fromhex(str(call["data"])[2:])


def selector(function: str) -> bytes:
    """The first four bytes of its calldata."""
    return parse_signature(function).selector


def in_views(told: Told) -> Lie:
    """A node that answers some views, by their calldata, as it likes; simulations are honest."""

    def about(request: Request, answer: Answered) -> Answered:
        data = calldata(request)
        if data[:4] != ROUND.selector or not isinstance(answer, str):
            return answer
        lied = [told(one) or honest for one, honest in zip(calls_in(data), results_in(answer), strict=True)]
        return "0x" + encode(RESULTS, [lied]).hex()

    return about


def calls_in(data: bytes) -> list[bytes]:
    """The calldata of each call in a round."""
    (calls,) = decode(ROUND.input_types, data[4:])
    assert isinstance(calls, tuple)
    return [bytes(one[2]) for one in calls]


def results_in(answer: str) -> list[tuple[bool, bytes]]:
    """The results of a round."""
    (results,) = decode(RESULTS, bytes.fromhex(answer[2:]))
    assert isinstance(results, tuple)
    return [(bool(success), bytes(data)) for success, data in results]


def answering(function: str, value: object, *args: object) -> Lie:
    """A node on which a view always answers this."""
    signature = parse_signature(function)
    wanted = signature.selector + encode(signature.input_types, args)
    told = (True, encode(signature.output_types, [value]))
    return in_views(lambda data: told if data == wanted else None)


def reverting(function: str) -> Lie:
    """A node on which a view reverts."""
    return in_views(lambda data: (False, b"") if data[:4] == selector(function) else None)


def in_simulation(function: str, value: object, *args: object) -> Lie:
    """A node in whose simulations, and only there, a view answers this after the calls."""
    signature = parse_signature(function)
    wanted = signature.selector + encode(signature.input_types, args)

    def about(request: Request, answer: Answered) -> Answered:
        data = calldata(request)
        if data[:4] != SIMULATE.selector or not isinstance(answer, str):
            return answer
        _, inner = decode(SIMULATE.input_types, data[4:])
        (response,) = decode(["bytes"], bytes.fromhex(answer[2:]))
        assert isinstance(inner, bytes) and isinstance(response, bytes)
        results = results_in("0x" + response.hex())
        last = max(place for place, one in enumerate(calls_in(inner)) if one == wanted)
        results[last] = (True, encode(signature.output_types, [value]))
        return "0x" + encode(["bytes"], [encode(RESULTS, [results])]).hex()

    return about


def in_receipts(change: Callable[[Receipt], object]) -> Lie:
    """A lie in every receipt."""

    def about(request: Request, answer: Answered) -> Answered:
        if request.method != "eth_getTransactionReceipt" or not isinstance(answer, dict):
            return answer
        told: Receipt = dict(answer)
        told["logs"] = [dict(one) for one in told["logs"]]
        change(told)
        return told

    return about


def every_log(**changed: object) -> Callable[[Receipt], object]:
    """These fields in every event of a receipt."""

    def change(receipt: Receipt) -> None:
        for one in receipt["logs"]:
            one.update(changed)

    return change


def other_hash(receipt: Receipt) -> None:
    """Events about another safe_tx_hash."""
    for one in receipt["logs"]:
        one["topics"] = [one["topics"][0], *("0x" + "22" * 32 for _ in one["topics"][1:])]


def other_block(receipt: Receipt) -> None:
    """A block that is not on the chain."""
    receipt["blockHash"] = "0x" + "33" * 32
    every_log(blockHash=receipt["blockHash"])(receipt)


def earlier_block(receipt: Receipt) -> None:
    """The height before."""
    receipt["blockNumber"] = hex(int(receipt["blockNumber"], 16) - 1)


def failure_event(receipt: Receipt) -> None:
    """ExecutionFailure where there was success."""
    for one in receipt["logs"]:
        one["topics"] = [FAILURE_TOPIC if topic == SUCCESS_TOPIC else topic for topic in one["topics"]]


LYING_RECEIPTS: dict[str, Callable[[Receipt], object]] = {
    "status 1 without events": lambda receipt: receipt.update(logs=[]),
    "events of another address": every_log(address="0x" + "11" * 20),
    "an event for another hash": other_hash,
    "an event that was removed": every_log(removed=True),
    "a block that is not the chain's": other_block,
    "another height": earlier_block,
    "no status": lambda receipt: receipt.pop("status"),
    "failure with events": lambda receipt: receipt.update(status="0x0"),
    "another transaction": lambda receipt: receipt.update(transactionHash="0x" + "44" * 32),
}
