"""incident drill --signers"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from incident_cli.cli import settings
from incident_cli.cli.keys import signer_of
from incident_cli.cli.terminal import Printer, print_json, require_terminal
from incident_cli.errors import IncidentError, Misused, Waiting
from incident_cli.text import plain

if TYPE_CHECKING:
    from incident_cli.flows.signers.drill import Room, SignerDrill, SignerOrder
    from incident_cli.safe.signing import Signer

EXAMPLE = "incident drill --signers --deployment production.yaml --safe council --keystore me.json"
LATEST = "latest"
LABEL = 10
KEY_FLAGS = ("--keystore", "--signer", "--account", "--ledger", "--passphrase-fd")
KeyOptions = tuple[Path | None, str | None, str | None, str | None, str | None]
Signers = Annotated[bool, typer.Option("--signers", help="Rehearse the owners: a harmless real transaction.")]
Safe = Annotated[str | None, typer.Option("--safe", metavar="SLOT", help="With --signers: the Safe.")]
Everybody = Annotated[bool, typer.Option("--all", help="With --signers: until every owner answered.")]


@dataclass(frozen=True, slots=True)
class SignersAsked:
    """What the command line asked for; `elsewhere` are options that only other drills have."""

    deployment: Path | None
    slot: str | None
    everybody: bool
    resume: str | None
    wait: bool
    elsewhere: Mapping[str, object]

    @property
    def incident(self) -> str:
        """The drill that is resumed; empty for the latest."""
        return "" if self.resume in (None, LATEST) else str(self.resume)

    def order(self) -> SignerOrder | None:
        """The order, None where a drill is resumed; raises Misused."""
        from incident_cli.flows.incidents import locate
        from incident_cli.flows.recorder import SIGNERS
        from incident_cli.flows.signers.drill import SignerOrder

        given = [name for name, value in self.elsewhere.items() if value is not None and value is not False]
        if given:
            raise Misused(f"a signer drill has no {given[0]}", f"leave out {' and '.join(given)}")
        if self.resume is not None:
            if self.deployment or self.slot:
                raise Misused("--resume goes on with a drill as it was begun", "leave out --deployment and --safe")
            locate(settings.incident_home(), self.incident, SIGNERS)
            return None
        if self.deployment is None or self.slot is None:
            raise Misused("a signer drill needs --deployment FILE and --safe SLOT", f"Example: {EXAMPLE}")
        return SignerOrder(self.deployment, self.slot, self.everybody)


def refuse_without_signers(safe: str | None, everybody: bool, wait: bool, keys: KeyOptions) -> None:
    """Raises Misused where what only a signer drill has is given to another drill, which signs nothing."""
    theirs: dict[str, object] = {"--safe": safe, "--all": everybody or None, "--no-wait": None if wait else True}
    theirs |= dict(zip(KEY_FLAGS, keys, strict=True))
    given = [name for name, value in theirs.items() if value is not None]
    if given:
        raise Misused(f"{given[0]} belongs to a rehearsal of the owners", "add --signers")


def rehearse_signers(asked: SignersAsked, keys: KeyOptions, as_json: bool) -> int:
    """Begin or take up, ask, whatever stops it; then the table, the object, and the exit code."""
    from incident_cli.flows.signers.drill import begin, take_up

    order, printer = asked.order(), Printer()
    signer = signer_of(printer, *keys)
    if signer is not None:
        done = "Nothing was begun." if order else "Nothing was done; the drill stays as it is."
        require_terminal("the end of the hash is typed before it is signed", "run it in a terminal", done)
    room = room_of(printer, signer, asked.wait)
    with printer.working("reading the Safe and its queue"):
        drill = begin(order, room) if order else take_up(asked.incident, room, asked.everybody)
    with closing(drill.recorder.journal):
        introduce(printer, drill)
        return asked_for(printer, drill, room, as_json)


def room_of(printer: Printer, signer: Signer | None, wait: bool) -> Room:
    """The terminal, the clock and the home of this command."""
    from incident_cli.cli.safe_sign import desk_of
    from incident_cli.flows.signers.drill import Room

    return Room(desk_of(printer), signer, wait, printer.working)


def asked_for(printer: Printer, drill: SignerDrill, room: Room, as_json: bool) -> int:
    """Ask until it has ended or is stopped; what is recorded stays, and is shown."""
    from incident_cli.flows.signers.asking import follow, let_out
    from incident_cli.flows.signers.drill import how_it_ended, report

    try:
        let_out(drill, room)
        take_part(printer, drill)
        follow(drill, room)
        how_it_ended(drill)
    except KeyboardInterrupt:
        printer.line()
        conclude(printer, drill, room)
        how_to_resume(printer, drill)
        print_json(report(drill, "signatures", room)) if as_json else None
        raise
    except IncidentError as problem:
        conclude(printer, drill, room)
        printer.error(problem)
        how_to_resume(printer, drill)
        waiting = problem.waiting_for if isinstance(problem, Waiting) else None
        print_json({**report(drill, waiting, room), "stopped_by": problem.message}) if as_json else None
        return problem.exit_code
    conclude(printer, drill, room)
    print_json(report(drill, None, room)) if as_json else None
    return 0


def introduce(printer: Printer, drill: SignerDrill) -> None:
    """What is asked of whom, what it does, and what it leaves behind."""
    tx, harmless = drill.tx, drill.harmless
    count = f"{drill.threshold} of {len(drill.owners)}"
    printer.line(f"SIGNER DRILL {drill.recorder.incident}: a real transaction, and a harmless one", "green", hanging=13)
    row(printer, "Safe", f"{tx.safe} on {drill.place.chain}, chain {tx.chain_id}, {count}")
    row(printer, "asks for", f"the empty call of the Safe to itself, at nonce {tx.nonce}")
    row(printer, "", f"executing it does nothing but use up nonce {tx.nonce}")
    row(printer, "", harmless.nonce_words, "yellow" if harmless.unknown else "")
    row(printer, "hash", drill.safe_tx_hash)
    row(printer, "leaves", f"once enough have signed, anybody can execute it while nonce {tx.nonce} is free")
    row(printer, "", f"until then what is put at nonce {tx.nonce} is its rival, and what is queued behind waits for it")
    row(printer, "", f"when the drill is over, execute it, or let the next real transaction take nonce {tx.nonce}")


def row(printer: Printer, label: str, words: str, style: str = "") -> None:
    """A label and what stands beside it."""
    printer.line(f"{label:<{LABEL}}  {words}", style, hanging=LABEL + 2)


def take_part(printer: Printer, drill: SignerDrill) -> None:
    """How an owner answers; by files too, unless it stands in the service."""
    if drill.is_closed:
        return
    file, rest = plain(drill.file), f"--deployment {plain(drill.deployment)} --keystore FILE"
    printer.line()
    if drill.place.service is not None and not drill.is_posted:
        printer.line("It is not in the service: nobody has signed it yet, or the service failed.", "yellow")
        printer.command("the first owner", f"safe propose {file} {rest}")
    if drill.place.service is not None:
        printer.command("each other owner", f"safe confirm {drill.safe_tx_hash} {rest}")
    if not drill.is_posted:
        printer.command("by files", f"safe sign {file} --out {plain(drill.folder)} {rest}")
        printer.command("a file that was signed elsewhere", f"safe merge FILE --out {plain(drill.folder)}")


def conclude(printer: Printer, drill: SignerDrill, room: Room) -> None:
    """Who answered when and by which road, who did not, and what is left to do."""
    from incident_cli.flows.signers.answers import ROADS, answers_of, asked_at, span_words
    from incident_cli.flows.signers.drill import missing
    from incident_cli.units import format_duration

    contacts = {one.owner: one for one in drill.place.deployment.contacts}
    found, now = answers_of(drill.recorder.events), room.desk.clock.now()
    printer.line()
    printer.line(f"asked at {asked_at(drill.recorder.events) or 'no time yet: it is not out'}", "bold")
    for one in found:
        contact = contacts.get(one.owner)
        words = span_words(one.not_before, one.seconds)
        person(printer, "answered", contact.name if contact else "", one.owner, f"{words}, {ROADS[one.road]}", "green")
    for waiter in missing(drill):
        reach = f"reach by {waiter.reach}" if waiter.reach else "no contact in the deployment"
        where = "; ".join(filter(None, (reach, waiter.local_time(now))))
        person(printer, "missing", waiter.name, waiter.owner, where, "yellow")
    if drill.unseen and not drill.is_closed:
        printer.line(f"whether others answered is UNKNOWN: {drill.unseen}", "bold magenta", hanging=4)
    if drill.reached is not None:
        words = f"the threshold of {drill.threshold} answered after {format_duration(drill.reached)}"
        printer.line(words, "bold green")
    left_over(printer, drill)


def person(printer: Printer, label: str, name: str, owner: str, words: str, style: str) -> None:
    """An owner: name and whole address, the rest below."""
    printer.line(f"  {label:<8}  {' '.join(filter(None, (plain(name), owner)))}", style, hanging=12)
    printer.line(f"{'':12}{words}", hanging=12)


def left_over(printer: Printer, drill: SignerDrill) -> None:
    """What still stands once it has ended."""
    if drill.ending is None:
        return
    if drill.ending != "answered":
        printer.line(f"its nonce {drill.tx.nonce} is used: nothing is left of it", "green")
        return
    nonce = drill.tx.nonce
    words = f"It can be executed until nonce {nonce} is used: execute it, or let the next real transaction take that"
    printer.line(f"{words} nonce. Until then the queue lists it as reserved.", "yellow")
    target = drill.safe_tx_hash if drill.is_posted else plain(drill.file)
    files = drill.signatures
    given = f" --signatures {plain(files)}" if files.exists() and not drill.is_posted else ""
    printer.command("next", f"safe execute {target}{given} --deployment {plain(drill.deployment)} --keystore FILE")


def how_to_resume(printer: Printer, drill: SignerDrill) -> None:
    """The command that goes on, where something can."""
    if not drill.is_closed:
        printer.line("what was seen is recorded; owners can answer meanwhile", "yellow")
        printer.command("resume", f"drill --signers --resume {drill.recorder.incident}", "yellow")
