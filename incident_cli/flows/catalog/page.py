"""Everything a protocol file says of one lever, for people and for scripts. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from incident_cli.abi import Signature
from incident_cli.expression import Expression
from incident_cli.flows.catalog.find import NamedLever
from incident_cli.flows.catalog.needs import encode_words, needs_of, snippet
from incident_cli.protocols.definitions import LeverDefinition
from incident_cli.protocols.protocol import Protocol
from incident_cli.protocols.worth import Worth


def page(lever: NamedLever) -> dict[str, Any]:
    """The whole page of a lever, with its example commands."""
    definition, protocol, needs = lever.definition, lever.protocol, needs_of(lever)
    return {
        **lever.to_json(),
        "args": {name: {"type": one.type, "default": one.default} for name, one in definition.args.items()},
        "slots": slots(protocol),
        "first": [{"when": one.when.source, **called(one.on, one.call, one.with_)} for one in definition.first],
        **called(definition.on, definition.call, definition.with_),
        "before": {name: view(protocol, name) for name in needs.reads},
        "expect": {name: written(one) for name, one in definition.expect.items()},
        "writes": list(definition.writes),
        "satisfied": definition.satisfied.source if definition.satisfied else None,
        "undo": undo(definition),
        **conditions(definition),
        "consequence": definition.consequence,
        "cancels": definition.cancels,
        "blast_radius": [
            {"who": one.who, "loses": one.loses, "measure": one.measure} for one in definition.blast_radius
        ],
        "traps": list(definition.traps),
        "source": protocol.source,
        "encode": f"incident {encode_words(lever)}",
        "runbook": "\n".join(snippet(lever)),
    }


def slots(protocol: Protocol) -> dict[str, str]:
    """Each contract slot: given by a deployment, or read from which view."""
    return {
        name: "given by the deployment" if one.read is None else f"read: {one.read.on}.{one.read.call.source}"
        for name, one in protocol.slots.items()
    }


def called(on: str, call: Signature, given: Mapping[str, Worth]) -> dict[str, Any]:
    """A call: where, what, and the formulas of its parameters."""
    return {"on": on, "call": call.source, "with": {name: written(one) for name, one in given.items()}}


def view(protocol: Protocol, name: str) -> str:
    """A read as `slot.view() returns (…)`."""
    read = protocol.reads[name]
    return f"{read.on}.{read.call.source}" + (f", its {read.take}" if read.take else "")


def undo(definition: LeverDefinition) -> dict[str, Any] | None:
    """The way back, and by whom; None where there is none."""
    if definition.undo is None:
        return None
    call = definition.undo.call or definition.call
    return {"by": definition.undo.by, **called(definition.undo.on or definition.on, call, definition.undo.with_)}


def conditions(definition: LeverDefinition) -> dict[str, Any]:
    """Who may pull it, how long it must wait, and when it ends by itself."""
    role, delay = definition.role, definition.delay
    return {
        "role": None
        if role is None
        else {"when": role.when.source, "until": role.until.source if role.until else None},
        "delay": None
        if delay is None or delay.seconds is None
        else {"road": delay.road, "on": delay.on, "seconds": delay.seconds.source},
        "lapses": definition.lapses,
    }


def written(worth: Worth) -> str:
    """A formula as it is written, or a list of them."""
    return worth.source if isinstance(worth, Expression) else f"[{', '.join(written(one) for one in worth)}]"
