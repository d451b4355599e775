"""incident vault status | watch | revoke"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from incident_cli.cli import settings
from incident_cli.cli.terminal import Printer, print_json, print_text
from incident_cli.cli.vault_opening import DeploymentFile, File, Json, PassphraseFd, opened

if TYPE_CHECKING:
    from incident_cli.flows.multisig.place import Place
    from incident_cli.flows.vault.revoking import Revocation
    from incident_cli.flows.vault.status import Examined
    from incident_cli.flows.vault.watching import Sighting
    from incident_cli.safe.vault import Vault

STATUS_EXAMPLE = "Example: incident vault status eth-usd.vault --deployment production.yaml"
WATCH_EXAMPLE = "Example: incident vault watch eth-usd.vault --deployment production.yaml --json"
REVOKE_EXAMPLE = "Example: incident vault revoke eth-usd.vault --deployment production.yaml --all"
STYLES = {"dead": "bold red", "changed": "bold red", "unsigned": "yellow", "unknown": "bold magenta", "ready": "green"}
MEANS = {
    "ready": "it can be fired now",
    "behind": "sound; its turn comes once the nonces before it are used",
}
VERDICTS = {0: ("READY", "bold green"), 1: ("NOT READY", "bold red"), 3: ("UNKNOWN", "bold magenta")}
SHORTEST_SECONDS = 1.0
Interval = Annotated[str, typer.Option("--interval", metavar="DURATION", help="How often to look.")]


def status(
    file: File, *, deployment: DeploymentFile, passphrase_fd: PassphraseFd = None, as_json: Json = False
) -> None:
    """Validate every rung against the chain of now. Exit: 0 ready, 1 not ready, 3 unknown."""
    from incident_cli.flows.vault.status import examine

    printer = Printer()
    vault, place = at(printer, file, deployment, passphrase_fd)
    with printer.working("looking at every rung"):
        found = examine(vault, place)
    show_status(printer, found)
    if as_json:
        print_json(found.to_json())
    raise typer.Exit(found.exit_code)


def at(printer: Printer, file: Path, deployment: Path, passphrase_fd: str | None) -> tuple[Vault, Place]:
    """The vault and where its Safe stands; the deployment is read before the passphrase is asked for."""
    from incident_cli.flows.vault.status import place_of_vault
    from incident_cli.runbook.deployment import load_deployment

    found, _ = load_deployment(deployment)
    vault = opened(printer, file, passphrase_fd).vault
    return vault, place_of_vault(vault, found, settings.variable)


def show_status(printer: Printer, found: Examined) -> None:
    """Each rung, what changed, what it costs, who can pay, and the verdict."""
    from incident_cli.chain.fees import ether

    printer.line(f"vault of {found.vault.safe} on {found.vault.chain}, block {found.block.number}", "bold")
    for one in found.standing.conditions:
        reason = one.reason or MEANS.get(one.state, "")
        words = f"nonce {one.rung.tx.nonce}  {one.rung.market}  {one.state}{': ' if reason else ''}{reason}"
        printer.line(f"  {words}", STYLES.get(one.state, ""), hanging=4)
    cost = "not known" if found.cost is None else f"at most {ether(found.cost)} ({found.gas} gas)"
    printer.line(f"firing now costs: {cost}")
    for purse in found.purses:
        held = "not known" if purse.balance is None else ether(purse.balance)
        printer.line(f"  {purse.name} {purse.address} holds {held}", "bold red" if purse.enough is False else "")
    for words in found.alarms:
        printer.line(f"alarm: {words}", "bold red", hanging=7)
    for words in found.unknowns:
        printer.line(f"unknown: {words}", "bold magenta", hanging=9)
    word, style = VERDICTS[found.exit_code]
    printer.line(word, style)


def watch(
    file: File,
    *,
    deployment: DeploymentFile,
    interval: Interval = "12s",
    once: Annotated[bool, typer.Option("--once", help="Look once: exit 1 where something is alarming.")] = False,
    passphrase_fd: PassphraseFd = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON line for every look at a new head.")] = False,
) -> None:
    """Look at every new head and say what changes: rungs left, owners, guards, modules, code. Ctrl-C ends it."""
    from incident_cli.flows.clock import SystemClock
    from incident_cli.flows.vault.watching import watch as watch_vault
    from incident_cli.units import parse_duration

    seconds = max(float(parse_duration(interval)), SHORTEST_SECONDS)
    printer = Printer()
    vault, place = at(printer, file, deployment, passphrase_fd)
    last = watch_vault(vault, place, SystemClock(), seconds, lambda one: seen(printer, one, as_json), once=once)
    raise typer.Exit(last.exit_code)


def seen(printer: Printer, found: Sighting, as_json: bool) -> None:
    """One look: a line of JSON, and for people what is new."""
    if as_json:
        print_text(json.dumps(found.to_json(), ensure_ascii=True))
    if not found.is_news:
        return
    for words in found.alarms:
        printer.line(f"{found.at}  alarm: {words}", "bold red", hanging=4)
    for words in found.unknowns:
        printer.line(f"{found.at}  unknown: {words}", "bold magenta", hanging=4)
    if not found.alarms and not found.unknowns:
        printer.line(f"{found.at}  ready", "green")


def revoke(
    file: File,
    *,
    deployment: DeploymentFile,
    whole: Annotated[bool, typer.Option("--all", help="Reject every nonce that is left.")] = False,
    out: Annotated[Path, typer.Option(help="Where the files for the owners are written.")] = Path(),
    passphrase_fd: PassphraseFd = None,
    as_json: Json = False,
) -> None:
    """Prepare the rejection of the live nonce, and show which rung that makes live. Needs no key."""
    from incident_cli.flows.vault.revoking import revoke as revoke_vault

    printer = Printer()
    vault, place = at(printer, file, deployment, passphrase_fd)
    found = revoke_vault(vault, place, whole=whole)
    files = found.write(out, place)
    show_revocation(printer, found, files, deployment)
    if as_json:
        print_json(found.to_json(files))


def show_revocation(printer: Printer, found: Revocation, files: tuple[Path, ...], deployment: Path) -> None:
    """What to sign, and what is live once it is executed."""
    for tx, path in zip(found.rejections, files, strict=True):
        printer.line(f"rejection of nonce {tx.nonce}: {path}", "green", hanging=2)
        where = f"{shlex.quote(str(path))} --deployment {shlex.quote(str(deployment))}"
        printer.command("each owner", f"safe sign {where} --keystore FILE")
    if found.untried:
        printer.line(f"not simulated: {found.untried}", "yellow", hanging=2)
    for one in found.next_live:
        words = f"nonce {one.tx.nonce}, {one.market}: {one.safe_tx_hash}"
        printer.line(f"LIVE AFTERWARDS: {words}", "bold red", hanging=4)
    if found.remaining:
        words = f"{found.remaining} more rejections kill the whole ladder (--all), or another set of owners does"
        printer.line(words, "yellow", hanging=2)
        printer.command("to change the owners", "safe rotate --help")
    else:
        printer.line("executed in this order, nothing of the ladder is left", "green")
