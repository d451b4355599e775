"""incident safe propose | confirm | reject"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from incident_cli.cli import settings
from incident_cli.cli.keys import Account, External, Keystore, LedgerPath, PassphraseFd
from incident_cli.cli.safe_desk import (
    INDENT,
    Deployment,
    File,
    Json,
    Target,
    address_given,
    command_path,
    counter_at,
    matter_at,
    signer_at_hand,
)
from incident_cli.cli.safe_sign import desk_of
from incident_cli.cli.terminal import Desk, Printer, print_json
from incident_cli.errors import Misused

if TYPE_CHECKING:
    from incident_cli.evm import Address
    from incident_cli.flows.multisig.rejecting import Rejection
    from incident_cli.flows.multisig.submitting import Submission, Submitted
    from incident_cli.flows.multisig.taking_up import Counter, Matter
    from incident_cli.safe.signing import Signer

EXAMPLE = "Example: incident safe propose proposal.json --deployment production.yaml --keystore me.json"
CONFIRM_EXAMPLE = "Example: incident safe confirm 0x… --deployment production.yaml --keystore me.json"
REJECT_EXAMPLE = "Example: incident safe reject 0x… --deployment production.yaml --keystore me.json"
Unsigned = Annotated[bool, typer.Option("--unsigned", help="Post it without a signature, in an owner's name.")]
Behalf = Annotated[str | None, typer.Option("--on-behalf-of", metavar="0x…", help="The owner it is proposed for.")]
Again = Annotated[bool, typer.Option("--again", help="Post it although the same calls are queued already.")]
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the rejection's file is written.")]
Slot = Annotated[str | None, typer.Option("--safe", metavar="SLOT", help="With --nonce: the Safe.")]
Nonce = Annotated[int | None, typer.Option("--nonce", metavar="N", min=0, help="Reject whatever stands there.")]
MaybeTarget = Annotated[str | None, typer.Argument(metavar="[HASH|FILE]", help="What is to be rejected.")]
HOW = {
    "posted": "proposed, and read back from the service",
    "joined": "confirmed, and read back from the service",
    "there": "nothing was posted: it is there already",
}


def propose(
    file: File,
    *,
    deployment: Deployment,
    keystore: Keystore = None,
    external: External = None,
    account: Account = None,
    ledger: LedgerPath = None,
    passphrase_fd: PassphraseFd = None,
    unsigned: Unsigned = False,
    on_behalf_of: Behalf = None,
    again: Again = False,
    as_json: Json = False,
) -> None:
    """Hand a transaction to the service: inspected, shown with what it displaces, signed, posted, read back. Where the
    same calls are queued already, that transaction is confirmed instead."""
    from incident_cli.flows.multisig import submitting

    desk, owner = Desk(in_walk=False), address_given("--on-behalf-of", on_behalf_of)
    counter = counter_at(deployment)
    matter = matter_at(counter, file)
    signer = signer_at_hand(desk.printer, keystore, external, account, ledger, passphrase_fd)
    order = submission(counter, matter, require_choice(signer, unsigned), owner, again)
    done = submitting.propose(order, desk_of(desk.printer))
    finish(desk.printer, done, deployment)
    print_json({"schema": "incident.safe-propose/v1", **done.to_json()}) if as_json else None


def confirm(
    target: Target,
    *,
    deployment: Deployment,
    keystore: Keystore = None,
    external: External = None,
    account: Account = None,
    ledger: LedgerPath = None,
    passphrase_fd: PassphraseFd = None,
    as_json: Json = False,
) -> None:
    """Confirm a transaction of the service: rebuilt from its fields, hashed here, inspected, shown, signed, read back.
    Nothing that is signed is taken from the service."""
    from incident_cli.flows.multisig import submitting

    desk, counter = Desk(in_walk=False), counter_at(deployment)
    matter = matter_at(counter, target)
    signer = signer_at_hand(desk.printer, keystore, external, account, ledger, passphrase_fd)
    order = submission(counter, matter, require_choice(signer, False))
    done = submitting.confirm(order, desk_of(desk.printer))
    finish(desk.printer, done, deployment)
    print_json({"schema": "incident.safe-confirm/v1", **done.to_json()}) if as_json else None


def reject(
    target: MaybeTarget = None,
    *,
    deployment: Deployment,
    nonce: Nonce = None,
    safe: Slot = None,
    out: Out = Path(),
    keystore: Keystore = None,
    external: External = None,
    account: Account = None,
    ledger: LedgerPath = None,
    passphrase_fd: PassphraseFd = None,
    as_json: Json = False,
) -> None:
    """Prepare the empty call of the Safe to itself that uses up a nonce, and say what can then never execute. With a
    signer it is also proposed, or joined where it is there."""
    desk, counter = Desk(in_walk=False), counter_at(deployment)
    made, matter = rejection_of(counter, target, nonce, safe)
    signer = signer_at_hand(desk.printer, keystore, external, account, ledger, passphrase_fd)
    path = write_rejection(desk.printer, made, out)
    done = None if signer is None else put_in(desk, counter, matter, signer)
    finish_rejection(desk.printer, path, done, deployment)
    print_json(rejection_object(made, path, done)) if as_json else None


def require_choice(signer: Signer | None, unsigned: bool) -> Signer | None:
    """The signer, or None where it is to be unsigned; raises Misused where that was not said, or said beside one."""
    if signer is None and not unsigned:
        raise Misused("nobody signs: no signer is named", "name one: --keystore FILE, --signer URL or --ledger")
    if signer is not None and unsigned:
        raise Misused("--unsigned is given beside a signer", "leave one of them out")
    return signer


def submission(
    counter: Counter, matter: Matter, signer: Signer | None, owner: Address | None = None, again: bool = False
) -> Submission:
    """What is handed in; raises Misused where there is no service."""
    from incident_cli.flows.multisig.submitting import Submission

    counter.service_of(matter.place)
    return Submission(counter, matter, signer, owner, again)


def finish(printer: Printer, done: Submitted, deployment: Path) -> None:
    """What became of it, and what comes next."""
    printer.settle()
    hash_, count = done.posted.safe_tx_hash, len(done.posted.confirmed_by)
    printer.line()
    printer.line(f"{HOW[done.posted.how]}:", "green")
    printer.line(f"{' ' * INDENT}{hash_}", hanging=INDENT)
    printer.line(f"{count} of {done.examined.view.threshold} confirmations by the service's count")
    where = f"{hash_} --deployment {command_path(deployment)}"
    if done.missing:
        printer.command("follow it", f"safe status {where}")
    else:
        printer.command("next", f"safe execute {where} --keystore FILE")


def rejection_of(counter: Counter, target: str | None, nonce: int | None, safe: str | None) -> tuple[Rejection, Matter]:
    """The rejection of a transaction, or of whatever stands at a nonce; raises Misused where neither is named."""
    from incident_cli.flows.multisig.loading import Loaded
    from incident_cli.flows.multisig.plainly import describer
    from incident_cli.flows.multisig.rejecting import reject as rejected
    from incident_cli.flows.multisig.reservations import reserved_here
    from incident_cli.flows.multisig.taking_up import Matter

    if (target is None) is (nonce is None) or (nonce is not None and safe is None):
        raise Misused("name what is rejected: HASH or FILE, or --nonce N with --safe SLOT", REJECT_EXAMPLE)
    found = matter_at(counter, target) if target is not None else None
    place = found.place if found is not None else counter.place(str(safe))
    service, at = counter.services(place.chain), found.tx.nonce if found is not None else int(nonce or 0)
    reserved = reserved_here(settings.incident_home(), place.chain_id, place.safe, at)
    aimed = found.safe_tx_hash if found is not None else ""
    made = rejected(place, service, at, reserved, aimed, describer(place, counter.aids.catalog))
    return made, Matter(place, Loaded(made.tx, None, "the rejection", made.tx.to_json()), service)


def write_rejection(printer: Printer, made: Rejection, out: Path) -> Path:
    """What it displaces, on the screen; the transaction, as a file."""
    from incident_cli.safe.files import write_proposal

    printer.line(f"REJECTION of nonce {made.tx.nonce}", "bold")
    printer.line(f"Safe {made.tx.safe}, chain {made.tx.chain_id}, at nonce {made.queue.nonce}", hanging=INDENT)
    if not made.queue.is_whole:
        why = made.queue.service_problem or "the deployment names no transaction service"
        printer.line(f"what else is queued there is UNKNOWN: {why}", "yellow", hanging=INDENT)
    printer.line("once it executes, these can never execute:" if made.displaced else "nothing is known to stand there")
    for hash_, words in made.displaced:
        printer.line(f"{' ' * INDENT}{words}", "bold", hanging=2 * INDENT)
        printer.line(f"{' ' * INDENT}{hash_}", hanging=INDENT)
        printer.line(f"{' ' * INDENT}{count_words(made, hash_)}", hanging=INDENT)
    if made.tx.nonce > made.queue.nonce:
        printer.line(f"it can execute only after nonces {made.queue.nonce} to {made.tx.nonce - 1}", "yellow")
    printer.line(risk_words(made), "yellow", hanging=INDENT)
    return write_proposal(out, f"{made.hashes.safe_tx_hash}.json", made.tx.to_json())


def count_words(made: Rejection, safe_tx_hash: str) -> str:
    """How many have signed what it displaces, as far as that is known."""
    count, threshold = made.confirmations(safe_tx_hash), made.queue.threshold
    if count is None:
        return f"how many of the {threshold} signatures it has is not known: the service does not list it"
    return f"{count} of {threshold} signatures by the service's count; those in files are not seen"


def risk_words(made: Rejection) -> str:
    """Until when what it displaces can be executed, and by whom."""
    if made.may_execute_now:
        return "UNTIL it has executed, what it displaces can still be executed by anybody who has its signatures."
    return "UNTIL it has executed, what it displaces can be executed as soon as enough owners have signed it."


def put_in(desk: Desk, counter: Counter, matter: Matter, signer: Signer) -> Submitted:
    """Sign and post it; raises as `propose` does."""
    from incident_cli.flows.multisig import submitting

    return submitting.propose(submission(counter, matter, require_choice(signer, False)), desk_of(desk.printer))


def finish_rejection(printer: Printer, path: Path, done: Submitted | None, deployment: Path) -> None:
    """Where it is, and who does what with it."""
    printer.line(f"written: {path}", "green")
    if done is None:
        where = f"{command_path(path)} --deployment {command_path(deployment)}"
        printer.command("each owner", f"safe sign {where} --keystore FILE")
    else:
        finish(printer, done, deployment)


def rejection_object(made: Rejection, path: Path, done: Submitted | None) -> dict[str, object]:
    """As `--json` prints it; `queue_known` is False where no service was read: then more may stand at the nonce."""
    return {
        "schema": "incident.safe-reject/v1",
        "safe_tx": made.tx.to_json(),
        "safe_tx_hash": made.hashes.safe_tx_hash,
        "nonce": made.tx.nonce,
        "displaces": [{"safe_tx_hash": hash_, "does": words} for hash_, words in made.displaced],
        "queue_known": made.queue.is_whole,
        "file": str(path),
        "submitted": None if done is None else done.to_json(),
    }
