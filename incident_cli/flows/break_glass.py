"""`incident contain`: one lever pulled because somebody says so, with the same safety, record and proof."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from incident_cli.binding import did_you_mean
from incident_cli.errors import Misused
from incident_cli.flows import incidents
from incident_cli.flows.respond import Order, Surroundings, grounded, opened
from incident_cli.flows.session import Session
from incident_cli.levers.authority import SEVERITIES, granted
from incident_cli.protocols.catalog import SHIPPED, Catalog
from incident_cli.protocols.protocol import Protocol
from incident_cli.runbook.break_glass import BECAUSE_LIMIT, RUNBOOK_ID, BrokenGlass, break_glass_text
from incident_cli.runbook.deployment import Deployment, SlotEntry, load_deployment
from incident_cli.runbook.kinds import VALUE_KINDS
from incident_cli.text import plain

FILE = f"{RUNBOOK_ID}.yaml"
SAFE = "safe"
UNDOERS = ("timelock", SAFE)


@dataclass(frozen=True, slots=True)
class GlassOrder:
    """What was asked for: the lever as slot.lever, where, with which arguments, and why."""

    lever: str
    deployment: Path
    market: str
    args: Mapping[str, str]
    because: str
    by: str | None = None
    severity: str = SEVERITIES[0]
    out: Path | None = None


def glass_of(order: GlassOrder) -> tuple[BrokenGlass, Catalog]:
    """What is pulled, through whom, and who may undo it; raises Misused naming what is missing."""
    deployment, _ = load_deployment(order.deployment)
    slot, _, lever = order.lever.partition(".")
    catalog = catalog_of(order.deployment)
    protocol = protocol_of(deployment, slot, catalog, order.market)
    if lever not in protocol.levers:
        near = did_you_mean(lever, protocol.levers)
        known = ", ".join(protocol.levers) or "none"
        raise Misused(f"{protocol.protocol} has no lever {plain(lever, 60)!r}{near}", f"its levers: {known}")
    because = plain(order.because, BECAUSE_LIMIT).strip()
    if not because:
        raise Misused("--because needs words", "say in one sentence why this is pulled without a firing check")
    if order.severity not in SEVERITIES:
        raise Misused(f"{plain(order.severity, 20)!r} is no severity", f"one of {', '.join(SEVERITIES)}")
    refuse_unknown_arguments(protocol, lever, order.args)
    by = named_safe(deployment, order.by) if order.by is not None else holder(deployment, order.lever)
    restored = undoer(deployment, protocol, lever, by)
    return BrokenGlass(slot, lever, protocol, by, order.args, because, order.severity, restored), catalog


def catalog_of(deployment: Path) -> Catalog:
    """In-house protocol files beside the deployment or one folder up, then the shipped ones."""
    folder = deployment.resolve().parent
    return Catalog((folder / "protocols", folder.parent / "protocols", SHIPPED))


def protocol_of(deployment: Deployment, slot: str, catalog: Catalog, market: str) -> Protocol:
    """The protocol that the deployment says stands in a slot; raises Misused."""
    entry = slots_of(deployment, market).get(slot)
    if entry is None:
        known = slots_of(deployment, market)
        raise Misused(
            f"the deployment {deployment.name} has no slot {plain(slot, 60)!r}{did_you_mean(slot, known)}",
            f"slots: {', '.join(known) or 'none'}; a lever is written SLOT.LEVER",
        )
    if entry.protocol is None:
        raise Misused(
            f"the deployment does not say which protocol stands in the slot {slot!r}",
            f"add `protocol: NAME` to that slot; protocols: {', '.join(catalog.names()[:60])}",
        )
    found = catalog.find(entry.protocol)
    if found is None:
        wrong = catalog.documents.get(entry.protocol)
        reason = "\n".join(wrong.report()) if wrong is not None and wrong.problems else "there is no such file"
        raise Misused(f"the protocol file {entry.protocol}.yaml cannot be used: {reason}", "correct it")
    return found


def slots_of(deployment: Deployment, market: str) -> dict[str, SlotEntry]:
    """The slots of a market: its own before the deployment's."""
    own = deployment.markets[market].slots if market in deployment.markets else {}
    return {**deployment.slots, **own}


def refuse_unknown_arguments(protocol: Protocol, lever: str, args: Mapping[str, str]) -> None:
    """Raises Misused for an argument the lever does not have, a market, one of another type, or one that is missing."""
    known = {name: one for name, one in protocol.levers[lever].args.items() if one.type != "market"}
    for name in args:
        if name not in known:
            near = did_you_mean(name, known)
            raise Misused(
                f"{lever} has no argument {plain(name, 60)!r}{near}", f"arguments: {', '.join(known) or 'none'}"
            )
    for name, text in args.items():
        try:
            VALUE_KINDS[known[name].type].parse(text)
        except ValueError as problem:
            raise Misused(f"{name}={plain(text, 60)}: {problem}", f"{name} is of type {known[name].type}") from problem
    missing = [name for name, one in known.items() if one.default is None and name not in args]
    if missing:
        needed = " ".join(f"{name}={known[name].type.upper()}" for name in missing)
        raise Misused(f"{lever} needs {', '.join(missing)}", f"add {needed} after the lever")


def named_safe(deployment: Deployment, by: str) -> str:
    """The slot that was named as the Safe; raises Misused where it is none."""
    safes = {name: one for name, one in deployment.slots.items() if one.protocol in (None, SAFE)}
    if by not in safes:
        near = did_you_mean(by, safes)
        raise Misused(f"--by {plain(by, 60)!r} is no slot of a Safe{near}", f"Safes: {', '.join(safes) or 'none'}")
    return by


def holder(deployment: Deployment, lever: str) -> str:
    """The Safe that is granted the lever, else the only Safe there is; raises Misused."""
    grants = [one for one in deployment.grants if granted([one], one.by, lever)]
    safes = [name for name, entry in deployment.slots.items() if entry.protocol == SAFE]
    found = list(dict.fromkeys(one.by for one in grants)) or safes
    if len(found) != 1:
        known = ", ".join(found) or "none is named: add `protocol: safe` to the slot of your Safe"
        raise Misused(f"it is not clear which Safe pulls {lever}", f"name its slot with --by; Safes: {known}")
    return found[0]


def undoer(deployment: Deployment, protocol: Protocol, lever: str, by: str) -> tuple[str, str] | None:
    """The slot and protocol of whoever may undo it, where the deployment shows that beyond doubt."""
    undo = protocol.levers[lever].undo
    if undo is None:
        return None
    if undo.by == "same":
        return by, SAFE
    named = deployment.slots.get(undo.by)
    kind = named.protocol if named is not None else None
    return (undo.by, kind) if kind in UNDOERS else None


def begin(order: GlassOrder, around: Surroundings) -> Session:
    """Open the incident; its runbook is written beside its journal, with the in-house protocol file it uses."""
    glass, catalog = glass_of(order)
    with tempfile.TemporaryDirectory() as scratch:
        rehearsal = write(Path(scratch), glass, catalog)
        base = Order(rehearsal, order.deployment, order.market, {}, order.out)
        _, reader = grounded(base, around)
    recorder = incidents.create(around.home, RUNBOOK_ID, "live", reader.chain, around.clock)
    with incidents.closing_on_failure(recorder.journal):
        real = replace(base, runbook=write(recorder.directory, glass, catalog))
        bound, reader = grounded(real, around)
        return opened(real, bound, reader, recorder, around, {"because": glass.because, "lever": order.lever})


def write(folder: Path, glass: BrokenGlass, catalog: Catalog) -> Path:
    """The runbook's file in a folder, with the protocol file beside it where that is no shipped one."""
    name = glass.protocol.protocol
    document = catalog.documents[name]
    if not (SHIPPED / f"{name}.yaml").is_file() or document.raw != (SHIPPED / f"{name}.yaml").read_bytes():
        (folder / "protocols").mkdir(exist_ok=True)
        (folder / "protocols" / f"{name}.yaml").write_bytes(document.raw)
    path = folder / FILE
    path.write_text(break_glass_text(glass), "utf-8")
    return path
