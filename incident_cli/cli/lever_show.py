"""What `incident lever` shows: the list, one lever on a page, and what was encoded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from incident_cli.text import plain

if TYPE_CHECKING:
    from incident_cli.cli.terminal import Printer
    from incident_cli.document import Document
    from incident_cli.flows.catalog.encode import Encoded
    from incident_cli.flows.catalog.find import NamedLever
    from incident_cli.flows.proposal import PlannedCall

LABEL = 14
PROOF = {
    "real": "pulled in tests on the protocol's own compiled contracts",
    "interface": "pulled in tests on a stand-in with the same interface",
    "drill": "exists in drills alone",
    "not stated": "the file does not say how it was proven",
}


def show_levers(printer: Printer, levers: Sequence[NamedLever]) -> None:
    """Every lever by protocol."""
    if not levers:
        printer.line("No lever: this protocol is only read.")
    protocol = ""
    for one in levers:
        if one.protocol.protocol != protocol:
            protocol = one.protocol.protocol
            printer.line(f"{protocol}  ({heading(one)})", "bold", hanging=2)
        printer.line(f"  {one.full_name}  [{', '.join(marks(one))}]", hanging=4)
        printer.line(f"    {one.definition.does}", hanging=4)
    if levers:
        printer.command("See one", f"lever show {levers[0].full_name}")


def heading(lever: NamedLever) -> str:
    """How and when a protocol file was proven."""
    parts = [lever.proof if lever.proof != "not stated" else "proof not stated"]
    parts += [f"reviewed {lever.protocol.reviewed}"] if lever.protocol.reviewed else []
    return ", ".join([*parts, *([] if lever.shipped else ["in-house"])])


def marks(lever: NamedLever) -> Iterator[str]:
    """How far it reaches, and what must be known before anything else."""
    yield lever.definition.scope
    if lever.definition.irreversible:
        yield "IRREVERSIBLE"
    if lever.definition.is_delayed:
        yield "behind a delay"


def wrong_object(documents: Sequence[Document]) -> list[dict[str, Any]]:
    """Every problem of wrong protocol files, for scripts."""
    return [
        {"file": plain(one.name), "line": each.place.line, "column": each.place.column, "code": each.code,
         "message": each.message, "hint": each.hint}
        for one in documents
        for each in sorted(set(one.problems))
    ]  # fmt: skip


def show_lever(printer: Printer, lever: NamedLever) -> None:
    """One lever on a page, then how it is encoded and how a runbook pulls it."""
    from incident_cli.flows.catalog.needs import encode_words, snippet
    from incident_cli.flows.catalog.page import page

    printer.line(f"{lever.full_name}  [{', '.join(marks(lever))}]", "bold")
    printer.line(lever.definition.does)
    printer.line()
    for label, text in rows(page(lever)):
        printer.line(f"{label:<{LABEL}}{text}", "yellow" if label == "trap" else "", hanging=LABEL)
    printer.line()
    printer.command("Its calldata, without a chain (what is in capitals is to be replaced)", encode_words(lever))
    printer.line()
    printer.line("In a runbook:", "bold")
    printer.write([f"  {plain(one)}" for one in snippet(lever)])


def rows(page: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Label and text of everything there is to say."""
    for name, one in page["args"].items():
        yield (
            "argument",
            f"{name}: {one['type']}, " + ("required" if one["default"] is None else f"default {one['default']}"),
        )
    for name, text in page["slots"].items():
        yield "slot", f"{name}: {text}"
    for one in page["first"]:
        yield "first", f"where {one['when']}: {call_text(one)}"
    yield "call", call_text(page)
    for name, text in page["before"].items():
        yield "reads before", f"{name}: {text}"
    for name, text in page["expect"].items():
        yield "must show", f"{name} == {text}"
    yield "writes", ", ".join(page["writes"])
    if page["satisfied"]:
        yield "already so", page["satisfied"]
    yield from way_back(page)
    yield from who_and_when(page)
    for one in page["blast_radius"]:
        measure = f" (how much: {one['measure']})" if one["measure"] else ""
        yield "who loses", f"{one['who']}: {one['loses']}{measure}"
    for text in page["traps"]:
        yield "trap", text
    yield "source", page["source"]
    yield "reviewed", page["reviewed"] or "not stated"
    yield "proof", f"{page['proof']}: {PROOF[page['proof']]}"


def call_text(call: dict[str, Any]) -> str:
    """`exchange.pause(bytes32 market) with paused = True`."""
    given = ", ".join(f"{name} = {text}" for name, text in call["with"].items())
    return f"{call['on']}.{call['call']}" + (f" with {given}" if given else "")


def way_back(page: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The undo and by whom, or that there is none."""
    undo = page["undo"]
    if undo is None:
        yield "undo", "NONE: it cannot be undone by anybody"
        yield "consequence", f"{page['consequence']} (typed before it is pulled)"
    else:
        by = "whoever pulled it" if undo["by"] == "same" else undo["by"]
        yield "undo", f"by {by}: {call_text(undo)}"


def who_and_when(page: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Role, delay and end."""
    role, delay = page["role"], page["delay"]
    if role is None:
        yield "role", "not stated: whether an account may pull it shows only in the simulation"
    else:
        yield "role", role["when"] + (f", until {role['until']}" if role["until"] else "")
    yield "delay", "none" if delay is None else f"{delay['seconds']} seconds through {delay['on']} ({delay['road']})"
    yield "lapses", page["lapses"] or "never by itself"
    if page["cancels"]:
        yield "cancels", "it only takes away something hostile: no cooldown holds it up"


def show_encoded(printer: Printer, found: Encoded) -> None:
    """The calls, what must be seen after them, the way back, and what nobody has checked."""
    for one in found.calls:
        show_call(printer, one)
    for must in found.plan.expect:
        printer.line(f"{'must show':<{LABEL}}{must.label} == {shown(must.value)}", hanging=LABEL)
    if found.satisfied:
        printer.line("By the values given it stands already: nothing would need to be done.", "yellow")
    printer.line()
    undo = found.undo
    if undo is None:
        printer.line("It cannot be undone by anybody.", "bold red")
    else:
        printer.line(f"Undo, by {found.undo_by}, only while the chain still shows what must be seen above:", "bold")
        show_call(printer, undo)
    printer.line()
    for text in found.lever.definition.traps:
        printer.line(f"{'trap':<{LABEL}}{text}", "yellow", hanging=LABEL)
    for text in found.not_checked:
        printer.line(f"{'not checked':<{LABEL}}{text}", "yellow", hanging=LABEL)


def show_call(printer: Printer, planned: PlannedCall) -> None:
    """A call with its meaning; calldata stand whole on one line, to be copied."""
    from incident_cli.evm import to_hex

    line = planned.line()
    printer.line(f"{line.label}: {line.plain}", "bold")
    printer.line(f"{'to':<{LABEL}}{line.to}", hanging=LABEL)
    printer.line(f"{'function':<{LABEL}}{line.function}", hanging=LABEL)
    for name, value in line.args.items():
        printer.line(f"{'':<{LABEL}}{name} = {value}", hanging=LABEL)
    printer.line("data")
    printer.write([to_hex(planned.call.data)])


def shown(value: object) -> str:
    """An ABI value as text."""
    from incident_cli.flows.proposal import show

    return show(value)
