"""incident safe delegate list | add | remove"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from incident_cli.cli.keys import Account, External, Keystore, LedgerPath, PassphraseFd, signer_of
from incident_cli.cli.safe_desk import INDENT, Deployment, Json, Safe, address_given, counter_at, signer_at_hand
from incident_cli.cli.terminal import Desk, Printer, print_json
from incident_cli.errors import Misused, Waiting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from incident_cli.evm import Address
    from incident_cli.flows.multisig.delegating import Delegate
    from incident_cli.flows.multisig.place import Place
    from incident_cli.safe.signing import Signer

EXAMPLE = "Example: incident safe delegate list --deployment production.yaml --safe council"
ADD_EXAMPLE = (
    "Example: incident safe delegate add 0x… --label on-call --deployment production.yaml --safe council"
    " --keystore owner.json"
)
REMOVE_EXAMPLE = (
    "Example: incident safe delegate remove 0x… --deployment production.yaml --safe council --keystore owner.json"
)
ASKED = "it is asked for before it is signed"
app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Who may propose for an owner: list, add, remove.",
    epilog=EXAMPLE,
)
Who = Annotated[str, typer.Argument(metavar="0x…", help="The delegate's whole address.")]
Label = Annotated[str, typer.Option("--label", metavar="TEXT", help="What the service lists it as.")]
Owner = Annotated[
    str | None, typer.Option("--owner", metavar="0x…", help="For whom, where the delegate itself signs this.")
]


@app.command("list", epilog=EXAMPLE, short_help="List the delegates of a Safe's owners.")
def list_(*, deployment: Deployment, safe: Safe, as_json: Json = False) -> None:
    """List the delegates, and whether the owner they propose for is still one."""
    from incident_cli.flows.multisig.delegating import delegates_of

    printer, counter = Printer(), counter_at(deployment)
    place = counter.place(safe)
    found = delegates_of(place, counter.service_of(place))
    printer.line(
        f"Safe {place.safe} on {place.chain}: {len(found) or 'no'} delegate{'' if len(found) == 1 else 's'}",
        "bold",
        hanging=INDENT,
    )
    for one in found:
        show(printer, one)
    if as_json:
        print_list(place, found)


@app.command("add", epilog=ADD_EXAMPLE, short_help="Let somebody propose for an owner.")
def add(
    delegate: Who,
    *,
    deployment: Deployment,
    safe: Safe,
    label: Label = "incident",
    keystore: Keystore = None,
    external: External = None,
    account: Account = None,
    ledger: LedgerPath = None,
    passphrase_fd: PassphraseFd = None,
    as_json: Json = False,
) -> None:
    """Let an account propose in an owner's name. It can never confirm. The owner signs this; no gas is paid."""
    from incident_cli.flows.clock import SystemClock
    from incident_cli.flows.multisig import delegating

    desk, counter, who = Desk(in_walk=False), counter_at(deployment), delegate_given(delegate)
    printer, place = desk.printer, counter.place(safe)
    service = counter.service_of(place)
    signer = require_signer(signer_at_hand(printer, keystore, external, account, ledger, passphrase_fd, ASKED))
    ask_to_add(desk, place, signer, who, label)
    done = delegating.add(place, service, signer, who, label, clock=SystemClock())
    finish(printer, place, done, "added", as_json)


@app.command("remove", epilog=REMOVE_EXAMPLE, short_help="Take that right away again.")
def remove(
    delegate: Who,
    *,
    deployment: Deployment,
    safe: Safe,
    owner: Owner = None,
    keystore: Keystore = None,
    external: External = None,
    account: Account = None,
    ledger: LedgerPath = None,
    passphrase_fd: PassphraseFd = None,
    as_json: Json = False,
) -> None:
    """Take the right to propose away again. The owner who gave it signs this, or the delegate itself."""
    from incident_cli.flows.clock import SystemClock
    from incident_cli.flows.multisig import delegating

    printer, counter, who = Printer(), counter_at(deployment), delegate_given(delegate)
    place = counter.place(safe)
    service, giver = counter.service_of(place), address_given("--owner", owner)
    signer = require_signer(signer_of(printer, keystore, external, account, ledger, passphrase_fd))
    done = delegating.remove(place, service, signer, who, owner=giver, clock=SystemClock())
    finish(printer, place, done, "removed", as_json)


def delegate_given(text: str) -> Address:
    """The delegate; raises Misused."""
    found = address_given("the delegate", text)
    assert found is not None, "it was given"
    return found


def require_signer(signer: Signer | None) -> Signer:
    """The signer; raises Misused where none is named."""
    if signer is None:
        raise Misused("nobody signs: no signer is named", "name one: --keystore FILE, --signer URL or --ledger")
    return signer


def ask_to_add(desk: Desk, place: Place, signer: Signer, who: Address, label: str) -> None:
    """What is about to be signed, and a yes to it; raises Waiting for anything else."""
    from incident_cli.flows.desk import Answer, Prompt
    from incident_cli.flows.multisig.delegating import require_addable

    printer = desk.printer
    require_addable(place, signer, who)
    printer.line("NEW DELEGATE", "bold")
    printer.line(f"{' ' * INDENT}{who}  {label}", hanging=INDENT)
    printer.line(f"{' ' * INDENT}may propose for {signer.address}", hanging=INDENT)
    printer.line(f"Safe {place.safe} on {place.chain}, chain {place.chain_id}", hanging=INDENT)
    printer.line("It can confirm nothing. What it proposes stands in the queue as if the owner trusted it.", "yellow")
    help_ = "Whoever holds that account can then fill the owners' queue. `incident safe delegate remove` takes it back."
    question = f"Sign this with the {signer.kind} of {signer.address}?"
    if desk.asker.ask(Prompt("delegate", "yes-no", question, help=help_)) != Answer("yes"):
        raise Waiting("nothing was signed", "operator", "run it again to add the delegate")


def show(printer: Printer, one: Delegate) -> None:
    """A delegate, whole."""
    printer.line(f"{' ' * INDENT}{one.address}  {one.label}", hanging=INDENT)
    until = f", until {one.expires}" if one.expires else ""
    style, word = ("", "owner") if one.counts else ("bold red", "NO LONGER an owner")
    printer.line(f"{' ' * 2 * INDENT}proposes for {one.owner}, {word}{until}", style, hanging=2 * INDENT)


def finish(printer: Printer, place: Place, done: Delegate, how: str, as_json: bool) -> None:
    """What was done, as the service shows it."""
    printer.line(f"{how}, and read back: {done.address} for {done.owner}", "green", hanging=INDENT)
    if as_json:
        print_json(
            {
                "schema": "incident.safe-delegate/v1",
                "safe": place.safe,
                "how": how,
                "delegate": done.address,
                "owner": done.owner,
            }
        )


def print_list(place: Place, found: Sequence[Delegate]) -> None:
    """As `--json` prints it."""
    delegates = [one.to_json() for one in found]
    print_json({"schema": "incident.safe-delegate/v1", "safe": place.safe, "how": "listed", "delegates": delegates})
