"""The block that eth_simulateV1 answers with, strictly: three calls, and proof of the block that it stands on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from incident_cli.chain.answers import Header, quantity
from incident_cli.chain.multicall import Result, Seen, decode_round, revert_reason
from incident_cli.chain.simulation import error_reason
from incident_cli.evm import hex_bytes
from incident_cli.text import plain
from incident_cli.transport import Json, RpcError


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one simulated call answered; `message` is the node's own word where it failed. `gas` is the most that it
    used, refunds not taken off where the node says so; None where it does not say."""

    result: Result
    message: str = ""
    gas: int | None = None


@dataclass(frozen=True, slots=True)
class Simulated:
    """A simulated block: its number and parent, as the node states them, and the outcome of each call."""

    number: int
    parent_hash: str
    outcomes: tuple[Outcome, ...]


def parse_simulated(answer: Json | RpcError) -> Simulated:
    """The one block with its three calls; raises ValueError."""
    if isinstance(answer, RpcError):
        raise ValueError(error_reason(answer))
    if not isinstance(answer, list) or len(answer) != 1 or not isinstance(answer[0], dict):
        raise ValueError("the node's simulation is malformed")
    calls, parent = answer[0].get("calls"), answer[0].get("parentHash")
    if not isinstance(calls, list) or len(calls) != 3 or not isinstance(parent, str):
        raise ValueError("the node's simulation is malformed")
    return Simulated(quantity(answer[0].get("number")), parent.lower(), tuple(map(parse_outcome, calls)))


def parse_outcome(call: Json) -> Outcome:
    """One simulated call; raises ValueError. Nodes put revert data into the error, the return data, or both."""
    if not isinstance(call, dict) or call.get("status") not in ("0x0", "0x1"):
        raise ValueError("a call in the node's simulation is malformed")
    success, data, error = call["status"] == "0x1", call.get("returnData", "0x"), call.get("error")
    if success and error is not None:
        raise ValueError("a call in the node's simulation both succeeds and fails")
    message = ""
    if isinstance(error, Mapping):
        inside = error.get("data")
        data, message = (inside if data == "0x" and inside else data), plain(error.get("message", ""), 200)
    if not isinstance(data, str):
        raise ValueError("a call in the node's simulation is malformed")
    return Outcome(Result(success, hex_bytes(data)), message, used_gas(call))


def used_gas(answer: Mapping[str, Json]) -> int | None:
    """The most gas that a node says was used, or None; raises ValueError where that is no quantity."""
    stated = [answer[key] for key in ("gasUsed", "maxUsedGas") if answer.get(key) is not None]
    return max((quantity(one) for one in stated), default=None)


def read_outcome(outcome: Outcome, count: int) -> tuple[Seen, list[Result]]:
    """A round of reads; raises ValueError."""
    if not outcome.result.success:
        raise ValueError(f"the reads fail: {outcome.message or revert_reason(outcome.result.data)}")
    return decode_round(outcome.result.data, count)


def on_top(block: Simulated, seen: Seen, header: Header) -> bool:
    """Whether the simulated block stands on this one. Some nodes number it as its child, anvil as the block itself."""
    if header.agrees(seen):
        return True
    child = header.block.number + 1
    stated = (block.number, block.parent_hash) == (child, header.block.hash)
    from_inside = (seen.number, seen.parent_hash) == (child, header.block.hash)
    return (stated or from_inside) and seen.timestamp >= header.block.timestamp
