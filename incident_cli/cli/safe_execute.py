"""incident safe execute | approve"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from incident_cli.cli import settings
from incident_cli.cli.keys import Account, External, Keystore, LedgerPath, PassphraseFd
from incident_cli.cli.safe_desk import (
    INDENT,
    Deployment,
    Json,
    Target,
    command_path,
    counter_at,
    matter_at,
    signer_at_hand,
)
from incident_cli.cli.safe_sign import Weaken, desk_of
from incident_cli.cli.terminal import Desk, Printer, print_json
from incident_cli.errors import Misused, NotProven, Waiting

if TYPE_CHECKING:
    from collections.abc import Callable

    from incident_cli.flows.multisig.approving import Approved
    from incident_cli.flows.multisig.carrying import Carried, Hands
    from incident_cli.flows.multisig.executing import Road
    from incident_cli.flows.multisig.following import Followed, Watch
    from incident_cli.flows.multisig.readiness import Readiness
    from incident_cli.flows.multisig.taking_up import Counter, Matter
    from incident_cli.safe.signing import Signer

EXAMPLE = "Example: incident safe execute proposal.json --deployment production.yaml --keystore hot.json"
APPROVE_EXAMPLE = "Example: incident safe approve proposal.json --deployment production.yaml --keystore me.json"
Files = list[Path] | None
Signatures = Annotated[Files, typer.Option("--signatures", metavar="FILE", help="A file of signatures; repeatable.")]
Depth = Annotated[int, typer.Option("--depth", metavar="BLOCKS", min=0, max=1000, help="Read it again at this depth.")]
Private = Annotated[
    str | None, typer.Option("--private", metavar="VARIABLE", help="Send first to the node whose URL this holds.")
]
Cap = Annotated[int | None, typer.Option("--fee-cap", metavar="GWEI", min=1, help="The most per gas; else 1000.")]
TYPED = 8
GWEI = 10**9


def execute(
    target: Target,
    *,
    deployment: Deployment,
    signatures: Signatures = None,
    depth: Depth = 0,
    private: Private = None,
    fee_cap: Cap = None,
    weaken: Weaken = False,
    keystore: Keystore = None,
    external: External = None,
    account: Account = None,
    ledger: LedgerPath = None,
    passphrase_fd: PassphraseFd = None,
    as_json: Json = False,
) -> None:
    """Execute with the confirmations of service, files and chain, once their simulation passes; wait, and read what the
    chain shows. Exit: 0 proven, 6 executed but not shown, 5 waiting, 1 it would fail."""
    from incident_cli.flows.multisig.following import follow

    desk, counter = Desk(in_walk=False), counter_at(deployment)
    watch = follow(counter, matter_at(counter, target), signatures or [])
    sender = require_signer(signer_at_hand(desk.printer, keystore, external, account, ledger, passphrase_fd))
    done = carried(desk, counter, watch, sender, road_of(depth, private, fee_cap), weaken)
    show(desk.printer, done)
    print_json({"schema": "incident.safe-execute/v1", **done.to_json()}) if as_json else None
    raise typer.Exit(0 if done.is_proven else NotProven.exit_code)


def approve(
    target: Target,
    *,
    deployment: Deployment,
    fee_cap: Cap = None,
    keystore: Keystore = None,
    external: External = None,
    account: Account = None,
    ledger: LedgerPath = None,
    passphrase_fd: PassphraseFd = None,
    as_json: Json = False,
) -> None:
    """Approve a transaction's hash on chain, sent by an owner's own key, and read the approval back. It needs no
    service and no file; it costs gas, and everybody sees it."""
    from incident_cli.flows.multisig.submitting import Submission, consent_to_approve

    desk, counter = Desk(in_walk=False), counter_at(deployment)
    matter = matter_at(counter, target)
    signer = require_signer(signer_at_hand(desk.printer, keystore, external, account, ledger, passphrase_fd))
    consent_to_approve(Submission(counter, matter, signer), signer, desk_of(desk.printer))
    done = approved(desk, matter, signer, road_of(0, None, fee_cap))
    where = f"{command_path(target)} --deployment {command_path(deployment)}"
    desk.printer.command("follow it", f"safe status {where}")
    print_json({"schema": "incident.safe-approve/v1", **done.to_json()}) if as_json else None


def require_signer(signer: Signer | None) -> Signer:
    """The signer; raises Misused where none is named."""
    if signer is None:
        raise Misused("nobody sends: no signer is named", "name one: --keystore FILE, --signer URL or --ledger")
    return signer


def road_of(depth: int, private: str | None, cap: int | None) -> Road:
    """How it is sent; raises Misused where the variable holds no URL."""
    from incident_cli.flows.multisig.executing import Road

    url = None if private is None else settings.variable(private)
    if private is not None and url is None:
        raise Misused(f"--private names {private}, which is not set", f"export {private}=https://…")
    own = Road(private_url=url, depth=depth)
    return own if cap is None else Road(private_url=url, depth=depth, cap=cap * GWEI)


def teller(printer: Printer) -> Callable[[str], None]:
    """Progress, a line each."""

    def say(words: str) -> None:
        printer.settle()
        printer.line(words, hanging=INDENT)

    return say


def approved(desk: Desk, matter: Matter, signer: Signer, road: Road) -> Approved:
    """Sent, included, and read back."""
    from incident_cli.flows.clock import SystemClock
    from incident_cli.flows.multisig.approving import approve as approve_on_chain

    say = teller(desk.printer)
    done = approve_on_chain(matter.place, matter.tx, signer, clock=SystemClock(), say=say, road=road)
    how = "stood already" if done.transaction_hash is None else f"stands on chain by {done.transaction_hash}"
    desk.printer.line(f"the approval of {done.owner} {how}", "green", hanging=INDENT)
    return done


def examine_first(printer: Printer, matter: Matter, counter: Counter, weaken: bool) -> None:
    """What is dangerous is not sent, whoever signed it; raises Refused. Warnings are shown."""
    from incident_cli.flows.multisig.examining import examine

    for one in examine(matter.loaded, counter.aids, counter.environment, weaken=weaken)[1].findings:
        printer.line(f"look twice: {one.message} ({one.code})", "yellow", hanging=INDENT)


def carried(desk: Desk, counter: Counter, watch: Watch, sender: Signer, road: Road, weaken: bool = False) -> Carried:
    """Shown, typed and sent; or found where it was executed already."""
    from incident_cli.chain.fees import ether
    from incident_cli.cli.safe_follow import show as show_status
    from incident_cli.flows.clock import SystemClock
    from incident_cli.flows.multisig.broadcasting import broadcaster_warning
    from incident_cli.flows.multisig.carrying import Hands, carried_before, carry, price, weigh

    printer, clock = desk.printer, SystemClock()
    hands = Hands(sender, settings.incident_home(), clock, teller(printer), road)
    with printer.working("reading the chain and the service"):
        found = watch.look()
    show_status(printer, found, clock.now(), "")
    if found.state in ("executed", "failed"):
        return carried_before(watch.matter, found.standing, road.depth)
    examine_first(printer, watch.matter, counter, weaken)
    weighed = weigh(watch, found.standing, hands)
    warning = broadcaster_warning(watch.matter.place, sender.address)
    if warning:
        printer.line(f"warning: {warning}", "yellow", hanging=INDENT)
    ask_to_send(desk, found, weighed, hands, ether(price(watch.matter, weighed, hands).most_cost))
    return carry(watch.matter, weighed, hands)


def ask_to_send(desk: Desk, found: Followed, weighed: Readiness, hands: Hands, cost: str) -> None:
    """Whose signatures go, by whom it is paid and how much at most; the end of the hash is typed."""
    from incident_cli.flows.desk import Answer, Prompt

    assert weighed.collected is not None, "what is ready has its signatures"
    hash_, printer, sender = found.standing.safe_tx_hash, desk.printer, hands.broadcaster
    printer.line()
    printer.line("it is executed with the confirmations of", "bold")
    for owner in weighed.collected.signers:
        mine = " (by sending it)" if weighed.collected.by_sender and owner == sender.address else ""
        printer.line(f"{' ' * INDENT}{owner}  {found.names.get(owner, '')}{mine}", hanging=INDENT)
    printer.line(f"sent by {sender.address} ({sender.kind}), which pays at most {cost}", hanging=INDENT)
    if hands.intents_of(hash_).earlier:
        printer.line(
            "It was about to be sent before: the very same transaction is looked for and sent again.", "yellow"
        )
    prompt = Prompt(
        "execute",
        "type",
        f"Execute it? Type the last {TYPED} characters of the hash.",
        hash_[-TYPED:],
        help="What it does stands above. Once it is included, it cannot be taken back.",
        typed=True,
    )
    if desk.asker.ask(prompt) != Answer(prompt.phrase):
        raise Waiting("nothing was sent", "operator", "run it again to execute it")


def show(printer: Printer, done: Carried) -> None:
    """The evidence, and what the chain shows of what the proposal expects."""
    printer.line()
    block = done.evidence.block
    if not done.evidence.succeeded or block is None:
        words = done.evidence.problem or f"status {done.evidence.status}, ExecutionSuccess {done.evidence.safe_outcome}"
        printer.line(f"NOT EXECUTED: {done.transaction_hash or done.safe_tx_hash}: {words}", "bold red", hanging=INDENT)
        return
    printer.line(f"EXECUTED in block {block.number} by {done.transaction_hash}", "bold green", hanging=INDENT)
    deep = f"read again {done.depth} blocks deep" if done.depth else "at the head: a reorganisation could take it back"
    printer.line(f"receipt, ExecutionSuccess and the Safe's nonce agree; {deep}", hanging=INDENT)
    for one in done.shown:
        word = {True: "shows", False: "does NOT show", None: "could not be read for"}[one.holds]
        found = "" if one.holds else f" (it is: {one.found})"
        style = "green" if one.holds else "bold red"
        printer.line(f"the chain {word} {one.label} = {one.wanted}{found}", style, hanging=INDENT)
    if not done.shown:
        printer.line("what it should bring about is not known: no proposal file was given", "yellow", hanging=INDENT)
