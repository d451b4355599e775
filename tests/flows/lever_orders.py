"""A value of every type that `lever encode` takes, and with them an order that gives a lever all it needs."""

from __future__ import annotations

import json
from typing import Any

from incident_cli.abi import Parameter
from incident_cli.evm import Address, checksummed
from incident_cli.flows.catalog.find import NamedLever
from incident_cli.flows.catalog.given import EncodeOrder
from incident_cli.flows.catalog.needs import needs_of

BY = checksummed(b"\xb2" * 20)
MARKET, MARKET_ID = "ETH-USD", "0x" + "11" * 32
ARGUMENTS = {
    "bool": "true",
    "int": "1",
    "bps": "150 bps",
    "duration": "1h",
    "amount": "250000 USDC",
    "address": str(checksummed(b"\xd4" * 20)),
    "bytes32": "0x" + "22" * 32,
    "bytes16": "0x" + "33" * 16,
    "bytes4": "0x44444444",
}


def at(place: int) -> Address:
    """An address for the slot at a place of the protocol file."""
    return checksummed(bytes([0xA1 + place]) * 20)


def answer(one: Parameter) -> Any:
    """An answer of an ABI type as JSON has it."""
    if one.type.endswith("]"):
        return []
    if one.components:
        return [answer(part) for part in one.components]
    if one.type == "bool":
        return False
    if one.type == "address":
        return str(checksummed(b"\xe5" * 20))
    if one.type.startswith("bytes"):
        return "0x" + "55" * int(one.type.removeprefix("bytes") or 3)
    return "text" if one.type == "string" else 1


def written(value: Any) -> str:
    """An answer as it is typed."""
    return value if isinstance(value, str) else json.dumps(value)


def order_for(lever: NamedLever) -> EncodeOrder:
    """Exactly what the lever needs."""
    kinds, reads, needs = lever.definition.args, lever.protocol.reads, needs_of(lever)
    return EncodeOrder(
        at={name: at(place) for place, name in enumerate(lever.protocol.slots) if name in needs.slots},
        args={one: ARGUMENTS[kinds[one].type] for one in needs.args if kinds[one].type != "market"},
        before={one: written(answer(reads[one].value_type)) for one in needs.reads},
        by=BY if needs.by else None,
        markets={MARKET: MARKET_ID} if any(one.type == "market" for one in kinds.values()) else {},
        tokens={"USDC": "6"},
    )
