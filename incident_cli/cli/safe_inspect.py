"""incident safe inspect"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from incident_cli.cli.safe_hash import File, Json, show_hashes, stdin_bytes
from incident_cli.errors import Refused

if TYPE_CHECKING:
    from incident_cli.cli.terminal import Printer
    from incident_cli.flows.multisig.decoding import DecodedCall
    from incident_cli.flows.multisig.inspecting import Inspection

EXAMPLE = "Example: incident safe inspect proposal.json --deployment production.yaml"
Files = list[Path] | None
Deployment = Annotated[Path | None, typer.Option("--deployment", metavar="FILE", help="Names, levers, and its chain.")]
Abi = Annotated[Files, typer.Option("--abi", metavar="FILE", help="A contract's ABI; repeatable.")]
Erc7730 = Annotated[Files, typer.Option("--erc7730", metavar="FILE", help="An ERC-7730 file; repeatable.")]
Expect = Annotated[str | None, typer.Option("--expect", metavar="PROPOSAL", help="The proposal it must be.")]
Folder = Annotated[Path | None, typer.Option("--protocols", metavar="DIR", help="In-house protocol files.")]
STYLES = {"refused": "bold red", "warned": "yellow", "clean": "green"}
ROADS = {
    "": "",
    "batch": ", in a batch",
    "time-lock": ", made by the time-lock above",
    "other Safe": ", made by the other Safe above",
    "Multicall3": ", made through Multicall3 above",
    "multicall": ", made by the contract above to itself",
    "executor": ", handed to the contract above",
}
VERDICTS = {
    "refused": "REFUSED: sign nothing.",
    "warned": "WARNED: sign only when each warning is understood.",
    "clean": "CLEAN: every call is known to restrict, and nothing is unknown.",
}


def inspect(
    file: File,
    deployment: Deployment = None,
    abi: Abi = None,
    erc7730: Erc7730 = None,
    expect: Expect = None,
    protocols: Folder = None,
    as_json: Json = False,
) -> None:
    """Show every call of a Safe transaction in words, and whatever is dangerous or unknown about it."""
    from incident_cli.cli.settings import variable
    from incident_cli.cli.terminal import Printer, print_json
    from incident_cli.flows.multisig.aids import aids_of
    from incident_cli.flows.multisig.examining import inspected
    from incident_cli.flows.multisig.loading import load_transaction

    stdin = stdin_bytes()
    loaded, wanted = load_transaction(file, stdin), load_transaction(expect, stdin) if expect is not None else None
    aids = aids_of(deployment, abi or (), erc7730 or (), protocols, wanted)
    found = inspected(loaded, aids, variable)
    print_json(found.to_json()) if as_json else show(Printer(), found)
    if found.verdict == "refused":
        raise typer.Exit(Refused.exit_code)
    if found.unread is not None:  # not raised: --json would print a second object
        Printer().error(found.unread)
        raise typer.Exit(found.unread.exit_code)


def show(printer: Printer, found: Inspection) -> None:
    """The fields, the calls, what differs, the hashes; last what was found, nearest to the prompt."""
    from incident_cli.cli.safe_rows import field_rows, show_row

    printer.line("The transaction", "bold")
    for label, value in field_rows(found.tx, found.names):
        show_row(printer, label, value)
    show_chain(printer, found)
    for one in found.calls:
        printer.line()
        show_call(printer, one, found.outermost, found)
    if found.differences:
        printer.line()
        show_differences(printer, found)
    if found.hashes is not None:
        printer.line()
        *others, last = found.opinions
        use = "Its hashes, NOT to sign" if found.verdict == "refused" else "Compare every digit before you sign"
        show_hashes(printer, found.hashes, f"{use} ({', '.join(others)} and {last} agree)")
    printer.line()
    show_findings(printer, found)


def show_chain(printer: Printer, found: Inspection) -> None:
    """The Safe as the chain shows it, where it was read."""
    from incident_cli.cli.safe_rows import show_row

    view = found.view
    if view is None:
        return
    standing = view.standing
    signs = f"{view.threshold} of {len(view.owners)} owners must sign"
    state = f"the Safe is version {standing.version}, at nonce {standing.nonce}, and {signs}"
    show_row(printer, "chain says", f"at block {view.block}: {state}")
    for owner in view.owners:
        show_row(printer, "owner", found.names.beside(owner))


def show_call(printer: Printer, one: DecodedCall, count: int, found: Inspection) -> None:
    """One call: what it does, where it goes, its function and every argument."""
    from incident_cli.cli.safe_rows import operation_words, show_row
    from incident_cli.evm import to_hex

    call, road = one.made.call, ROADS[one.made.road]
    printer.line(f"Call {one.made.number} of {count}{road}", "bold")
    printer.line(f"  {one.plain}", hanging=2)
    show_row(printer, "to", found.names.beside(call.to))
    if call.value:
        show_row(printer, "value", f"{call.value} wei", "yellow")
    if call.operation:
        show_row(printer, "operation", f"{call.operation}, {operation_words(call.operation, call.to)}", "bold red")
    if one.function:
        show_row(printer, "function", f"{one.function} (known from: {one.source})")
    for name, text in one.args.items():
        aside = one.asides.get(name)
        if name == one.handed_on and text != "0x":
            text = "what stands below"
        show_row(printer, name, f"{text} ({aside})" if aside else found.names.beside(text))
    if any(two.code == "too-long-to-show" for two in one.findings):
        for address in dict.fromkeys(one.addresses):
            show_row(printer, "address", found.names.beside(address))
    if call.data and not one.is_plain:
        show_row(printer, "data", f"{len(call.data)} bytes: {to_hex(call.data)}")


def show_differences(printer: Printer, found: Inspection) -> None:
    """What was expected, and what is there instead."""
    from incident_cli.cli.safe_rows import show_row

    printer.line("Not what the proposal says", "bold red")
    in_calls = any(one.what.startswith("call ") for one in found.differences)
    for one in found.differences:
        if one.what == "data" and in_calls:
            continue  # the same once more, in hex
        printer.line(f"  {one.what}", "bold", hanging=4)
        show_row(printer, "  expected", one.expected or "nothing")
        show_row(printer, "  found", one.found or "nothing", "red")


def show_findings(printer: Printer, found: Inspection) -> None:
    """Every finding with its code, and the verdict as the last word."""
    for one in found.findings:
        printer.line(f"{one.severity} {one.code}: {one.message}", STYLES[one.severity], hanging=2)
    forbidding = sum(one.severity == "refused" for one in found.findings)
    reasons = f" {forbidding} of {len(found.findings)} findings forbid it." if forbidding else ""
    printer.line(f"{VERDICTS[found.verdict]}{reasons}", STYLES[found.verdict])
    if found.findings:
        printer.command("What a code means", f"explain {found.findings[0].code}")
