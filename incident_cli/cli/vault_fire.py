"""incident vault fire"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from incident_cli.cli import settings
from incident_cli.cli.keys import Account, External, Keystore, LedgerPath, signer_of
from incident_cli.cli.terminal import Desk, Printer, print_json, require_terminal
from incident_cli.cli.vault_ladder import show_target
from incident_cli.cli.vault_opening import KEY_FD, File, Json, KeyPassphraseFd, PassphraseFd, Voice, opened
from incident_cli.errors import IncidentError, Misused, Waiting
from incident_cli.text import plain

if TYPE_CHECKING:
    from incident_cli.flows.vault.following import Report
    from incident_cli.flows.vault.roads import Roads
    from incident_cli.safe.signing import Signer
    from incident_cli.safe.vault import Vault
    from incident_cli.transport import Endpoint

EXAMPLE = "Example: incident vault fire eth-usd.vault --rpc https://node.example --keystore broadcaster.json"
Urls = Annotated[
    list[str] | None, typer.Option("--rpc", metavar="URL", help="A node of the vault's chain; repeatable.")
]
Private = Annotated[str | None, typer.Option("--private-rpc", metavar="URL", help="Send here first, unseen by others.")]
Deployment = Annotated[Path | None, typer.Option("--deployment", help="Take the nodes of this deployment.")]
Market = Annotated[str | None, typer.Option("--market", help="Which market, where the vault holds several.")]
Overrule = Annotated[
    list[str] | None,
    typer.Option("--overrule", metavar="'NAME: REASON'", help="Fire although code changed: two people, each a reason."),
]
TakeOver = Annotated[
    bool, typer.Option("--take-over", help="Fire although another account's attempt may be on its way.")
]
Wait = Annotated[int, typer.Option("--wait", metavar="SECONDS", help="How long to wait for the block.")]


def fire(
    file: File,
    rpc: Urls = None,
    deployment: Deployment = None,
    market: Market = None,
    keystore: Keystore = None,
    signer: External = None,
    account: Account = None,
    ledger: LedgerPath = None,
    passphrase_fd: PassphraseFd = None,
    key_passphrase_fd: KeyPassphraseFd = None,
    private_rpc: Private = None,
    overrule: Overrule = None,
    take_over: TakeOver = False,
    wait: Wait = 600,
    as_json: Json = False,
) -> None:
    """Fire the live rung: any funded key broadcasts it. Exit: 0 contained, 1 refused, 3 unknown, 6 not contained."""
    require_terminal("the market is typed before it is fired", "run it in a terminal", "Nothing was sent.")
    desk, people = Desk(in_walk=False), people_of(overrule or [])
    holder = broadcaster(desk.printer, keystore, signer, account, ledger, key_passphrase_fd)
    vault = opened(desk.printer, file, passphrase_fd).vault
    chosen = chosen_market(vault, market)
    roads = roads_of(vault, rpc or [], deployment, private_rpc)
    confirm(desk, vault, chosen, holder)
    report = fired(desk, file, (vault, chosen, holder), roads, (people, take_over, wait))
    raise typer.Exit(tell(desk.printer, report, as_json, deployment))


def broadcaster(
    printer: Printer,
    keystore: Path | None,
    signer: str | None,
    account: str | None,
    ledger: str | None,
    passphrase_fd: str | None,
) -> Signer:
    """Who pays for the transaction; raises Misused where nobody is named."""
    found = signer_of(printer, keystore, signer, account, ledger, passphrase_fd, fd_flag=KEY_FD)
    if found is None:
        raise Misused("who broadcasts?", "any funded key will do: --keystore FILE, --signer URL or --ledger")
    return found


def people_of(given: list[str]) -> list[tuple[str, str]]:
    """`NAME: REASON` of each; raises Misused."""
    found = [one.partition(":") for one in given]
    if any(not name.strip() or not reason.strip() for name, _, reason in found):
        raise Misused("--overrule takes a name and a reason", '--overrule "Ada: the upgrade was ours, I read it"')
    return [(plain(name.strip(), 80), plain(reason.strip(), 500)) for name, _, reason in found]


def chosen_market(vault: Vault, market: str | None) -> str:
    """The market; raises Misused naming those there are, where several are and none was named."""
    if market is None and len(vault.markets) > 1:
        raise Misused("the vault holds several markets", f"name one with --market: {', '.join(vault.markets)}")
    return vault.target(vault.markets[0] if market is None else market).market


def roads_of(vault: Vault, urls: list[str], deployment: Path | None, private: str | None) -> Roads:
    """The nodes to go through; raises Misused where none is named."""
    from incident_cli.flows.vault.roads import Roads
    from incident_cli.transport import HttpEndpoint

    nodes: list[Endpoint] = [HttpEndpoint(one, name=f"--rpc {place}") for place, one in enumerate(urls, 1)]
    if deployment is not None:
        nodes += declared(vault, deployment)
    if not nodes:
        raise Misused("through which node?", "give --rpc URL (any node of the chain), or --deployment FILE")
    return Roads(tuple(nodes), None if private is None else HttpEndpoint(private, name="--private-rpc"))


def declared(vault: Vault, deployment: Path) -> list[Endpoint]:
    """The nodes of a deployment that serve the vault's chain; raises Misused or Refused."""
    from incident_cli.flows.connecting import endpoints_of
    from incident_cli.flows.vault.status import place_of_vault
    from incident_cli.runbook.deployment import load_deployment

    found, _ = load_deployment(deployment)
    place = place_of_vault(vault, found, settings.variable)
    return list(endpoints_of(found, place.chain, settings.variable))


def confirm(desk: Desk, vault: Vault, market: str, signer: Signer) -> None:
    """What is about to happen, and the market typed; raises Waiting where it is not."""
    from incident_cli.flows.desk import Answer, Prompt

    printer = desk.printer
    printer.line("FIRE", "bold red")
    printer.line(f"Safe {vault.safe} on {vault.chain}, chain {vault.chain_id}")
    show_target(printer, vault, market)
    printer.line(f"broadcast and paid for by {signer.address} ({signer.kind})")
    help_ = "It is broadcast at once, and cannot be taken back once it is included."
    prompt = Prompt("fire", "type", f"Fire now? Type the market: {market}", phrase=market, help=help_)
    if desk.asker.ask(prompt) != Answer(market):
        raise Waiting("nothing was sent", "operator", "run it again when you are sure")


def fired(
    desk: Desk,
    file: Path,
    what: tuple[Vault, str, Signer],
    roads: Roads,
    options: tuple[list[tuple[str, str]], bool, int],
) -> Report:
    """Fired and followed, with one passphrase for every signature that it takes."""
    from incident_cli.flows.clock import SystemClock
    from incident_cli.flows.vault.firing import Fire
    from incident_cli.flows.vault.firing import fire as fire_vault
    from incident_cli.flows.vault.intents import Intents, path_beside
    from incident_cli.safe.signing import unlocked

    vault, market, signer = what
    people, take_over, wait = options
    intents = Intents(path_beside(file))
    with unlocked(signer):
        around = (signer, roads, intents, SystemClock(), Voice(desk.printer))
        return fire_vault(Fire(vault, market, *around, tuple(people), take_over, float(wait)))


def tell(printer: Printer, report: Report, as_json: bool, deployment: Path | None) -> int:
    """How it ended; the exit code."""
    styles = {0: "bold green", 6: "bold red"}
    block = f" (block {report.block.number}; a reorganisation can still undo it)" if report.block else ""
    printer.line(f"{report.outcome.replace('-', ' ').upper()}: {report.market}{block}", styles[report.exit_code])
    if report.problem:
        printer.line(report.problem, "yellow", hanging=2)
    if report.transaction_hash:
        printer.line(f"transaction {report.transaction_hash}")
    if report.rung is not None:
        tell_record(printer, report.vault, report.market, report.rung.safe_tx_hash, deployment)
    if as_json:
        print_json(report.to_json())
    return report.exit_code


def tell_record(printer: Printer, vault: Vault, market: str, safe_tx_hash: str, deployment: Path | None) -> None:
    """How it comes into an incident's record: an open one of this market takes it, else one is begun first."""
    incident = open_incident(vault.runbook, market)
    if incident:
        label = "once it stands at its contain step, bring it into the incident's record"
        printer.command(label, f"adopt {safe_tx_hash} --incident {incident}")
        return
    where = "FILE" if deployment is None else shlex.quote(str(deployment))
    runbook = vault.runbook if is_shipped(vault.runbook) else "FILE.yaml"
    printer.line(f"No incident for {market} is open on this machine.", "yellow")
    words = f"respond {runbook} --deployment {where} --market {shlex.quote(market)}"
    printer.command(f"first begin one, and stop at its step {vault.step}", words)
    printer.command("then bring this into its record", f"adopt {safe_tx_hash}")


def open_incident(runbook: str, market: str) -> str:
    """The latest open incident for a market on this machine, of this runbook before any other; empty where there is
    none. What it takes in is held against its own step."""
    from incident_cli.flows.incidents import standings

    every = [one for one in standings(settings.incident_home()) if one.is_open and not one.problem]
    found = [one for one in reversed(every) if (one.mode, one.market) == ("live", market)]
    return max(found, key=lambda one: one.runbook == runbook).incident if found else ""


def is_shipped(runbook: str) -> bool:
    """Whether a runbook is found by its id alone."""
    from incident_cli.runbook.shipped import find_runbook

    try:
        return find_runbook(runbook).is_file()
    except IncidentError:
        return False
