"""incident drill"""

from __future__ import annotations

from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from incident_cli.cli import settings
from incident_cli.cli.at_hand import Wait
from incident_cli.cli.drill_fork import ForkAsked, ForkRehearsal
from incident_cli.cli.drill_signers import (
    Everybody,
    Safe,
    Signers,
    SignersAsked,
    refuse_without_signers,
    rehearse_signers,
)
from incident_cli.cli.keys import Account, External, Keystore, LedgerPath, PassphraseFd
from incident_cli.cli.terminal import Aloud, Desk, Printer, print_json, require_terminal
from incident_cli.errors import IncidentError, Misused, Waiting
from incident_cli.text import plain

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from incident_cli.flows.desk import Answerer
    from incident_cli.flows.drill import Drill, DrillPlan, People

EXAMPLE = "Example: incident drill oracle-divergence --auto --seed 7"
LATEST = "latest"
DEFAULT_SEED = 7
HEAD_START = 200  # seconds by which a served chain begins in the past: its first blocks are mined at once
Seed = Annotated[
    int | None,
    typer.Option(min=0, max=2**32, help=f"The world's seed: the same seed, the same world. By default {DEFAULT_SEED}."),
]
Port = Annotated[int | None, typer.Option(min=0, max=65535, help="Also serve the drill's chain on 127.0.0.1:PORT.")]
Resume = Annotated[str | None, typer.Option(metavar="[ID]", help="Go on with a drill; without ID, the latest.")]
Answers = Annotated[Path | None, typer.Option(help="Rehearsed answers: YAML, step id to answer.")]
Forked = Annotated[bool, typer.Option("--fork", help="On an anvil fork of the deployment's chain.")]
Deployed = Annotated[Path | None, typer.Option(help="With --fork or --signers: the deployment file.")]
Market = Annotated[str | None, typer.Option(help="With --fork: which market, where there are several.")]
Params = Annotated[
    list[str] | None, typer.Option("--param", metavar="NAME=VALUE", help="With --fork: a parameter; repeatable.")
]


def drill(
    runbook: Annotated[str | None, typer.Argument(help="A shipped runbook's id, or a file.")] = None,
    scenario: Annotated[str | None, typer.Option(help="What goes wrong; by default the runbook's own.")] = None,
    auto: Annotated[bool, typer.Option("--auto", help="Answer with the scenario's rehearsed answers.")] = False,
    answers: Answers = None,
    seed: Seed = None,
    serve: Port = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
    resume: Resume = None,
    fork: Forked = False,
    deployment: Deployed = None,
    market: Market = None,
    param: Params = None,
    signers: Signers = False,
    safe: Safe = None,
    everybody: Everybody = False,
    wait: Wait = True,
    keystore: Keystore = None,
    external: External = None,
    account: Account = None,
    ledger: LedgerPath = None,
    passphrase_fd: PassphraseFd = None,
) -> None:
    """Rehearse an incident on an embedded chain: no network, a real Safe, in seconds. Or on a fork of your own; or,
    with --signers, rehearse the owners of a real Safe."""
    keys = (keystore, external, account, ledger, passphrase_fd)
    if signers:
        others: dict[str, object] = {"RUNBOOK": runbook, "--scenario": scenario, "--auto": auto, "--answers": answers}
        others |= {"--seed": seed, "--serve": serve, "--fork": fork, "--market": market, "--param": param}
        people = SignersAsked(deployment, safe, everybody, resume, wait, others)
        raise typer.Exit(rehearse_signers(people, keys, as_json))
    refuse_without_signers(safe, everybody, wait, keys)
    if fork or deployment or market or param:
        elsewhere = {"--seed": seed, "--serve": serve, "--resume": resume}
        asked = ForkAsked(runbook, deployment, market, scenario, param or [], elsewhere)
        raise typer.Exit(rehearse_on_fork(asked, fork, auto, answers, as_json))
    session = Rehearsal(Desk(), auto, answers, serve)
    session.check(runbook, scenario, seed, resume)
    require_somebody(auto, answers)
    session.open(runbook, scenario, seed, resume)
    raise typer.Exit(session.run(as_json))


def rehearse_on_fork(asked: ForkAsked, fork: bool, auto: bool, answers: Path | None, as_json: bool) -> int:
    """A drill on a fork: what was asked for is there, and somebody answers, before anything is begun."""
    from incident_cli.flows.fork.drill import plan_fork

    refuse_both(auto, answers)
    rehearsal = ForkRehearsal(Desk(), plan_fork(asked.order(fork)), auto, answers)
    require_somebody(auto, answers)
    return rehearsal.run(as_json)


def refuse_both(auto: bool, answers: Path | None) -> None:
    """The questions are answered once."""
    if auto and answers is not None:
        raise Misused("--auto and --answers both answer the questions", "leave out one of them")


def require_somebody(auto: bool, answers: Path | None) -> None:
    """A drill asks; without a terminal somebody must have answered before."""
    if not auto and answers is None:
        done = "Nothing was begun."
        require_terminal("a drill asks whether to declare the incident and more", "add --auto, or --answers FILE", done)


def require_port(port: int | None) -> None:
    """A port that is taken is said before anything is begun."""
    if port is None:
        return
    from incident_cli.drills.serve import serve

    with serve(Nobody(), port):
        pass


class Nobody:
    """Answers nothing."""

    def handle(self, body: bytes) -> bytes:
        """No reply."""
        return b""


class Rehearsal:
    """One `incident drill`: the drill, who answers, and whether others may read its chain."""

    def __init__(self, desk: Desk, auto: bool, answers: Path | None, port: int | None) -> None:
        self.desk, self.auto, self.answers, self.port = desk, auto, answers, port
        self.printer: Printer = desk.printer
        self.found: Drill | None = None

    @property
    def drill(self) -> Drill:
        """The drill, once it is open."""
        assert self.found is not None, "the drill was opened before"
        return self.found

    def check(self, runbook: str | None, scenario: str | None, seed: int | None, resume: str | None) -> None:
        """What was asked for is there; said before whether anybody can answer, and before anything is begun."""
        from incident_cli.flows.drill import plan_drill
        from incident_cli.flows.incidents import locate

        refuse_both(self.auto, self.answers)
        if resume is None:
            plan_drill(runbook, scenario, DEFAULT_SEED)
            return
        if runbook or scenario or seed is not None:
            hint = "leave out the runbook, --scenario and --seed"
            raise Misused("--resume goes on with a drill as it was begun", hint)
        locate(settings.incident_home(), "" if resume == LATEST else resume, "drill")

    def open(self, runbook: str | None, scenario: str | None, seed: int | None, resume: str | None) -> None:
        """Begin a drill, or take one up."""
        from incident_cli.flows import drill as flow
        from incident_cli.flows.clock import SystemClock

        require_port(self.port)
        home, clock = settings.incident_home(), SystemClock()
        if resume is not None:
            with self.printer_status("rebuilding the world from the journal"):
                self.found = flow.take_up(home, "" if resume == LATEST else resume, clock, self.people)
            return
        now = int(clock.now().timestamp()) - HEAD_START if self.port is not None else None
        plan = flow.plan_drill(runbook, scenario, DEFAULT_SEED if seed is None else seed, now)
        people = self.people(plan)
        with self.printer_status("building the world"):
            self.found = flow.begin(plan, home, clock, people)

    def people(self, plan: DrillPlan) -> People:
        """Who sees, and who answers."""
        from incident_cli.cli.screen import WalkScreen
        from incident_cli.flows.drill import People

        return People(WalkScreen(self.printer, "drill"), self.answerer(plan))

    def answerer(self, plan: DrillPlan) -> Answerer:
        """The scenario's answers, a file's, or the person at the terminal."""
        from incident_cli.flows.answers import load_answers
        from incident_cli.flows.desk import Rehearsed

        if self.answers is not None:
            return Aloud(self.printer, Rehearsed(load_answers(self.answers, plan.loaded.runbook), complete=False))
        if self.auto:
            return Aloud(self.printer, Rehearsed(plan.script.scenario.answers, complete=True))
        return self.desk.asker

    def run(self, as_json: bool) -> int:
        """Walk, whatever stops it; then the scorecard, the object, and the exit code."""
        from incident_cli.flows import drill as flow
        from incident_cli.flows.drill_report import exit_code

        self.introduce()
        with ExitStack() as served:
            if self.port is not None:
                self.serve(served, self.port)
            elif not self.auto and self.answers is None:
                self.drill.let_time_pass()
            try:
                flow.run(self.drill)
            except KeyboardInterrupt:
                self.interrupted()
                raise
            except IncidentError as problem:
                return self.stopped(problem, as_json)
            self.conclude(as_json)
            if self.port is not None:
                self.keep_serving()
        return exit_code(self.drill)

    def introduce(self) -> None:
        """What is rehearsed; a person who answers is not told beforehand what is wrong."""
        plan, addresses = self.drill.plan, self.drill.live.world.addresses
        words = f"DRILL {self.drill.recorder.incident}, seed {plan.seed}: nothing here is real money"
        self.printer.line(words, "green", hanging=6)
        title = f": {plan.script.scenario.title}" if self.auto or self.answers else ""
        self.printer.line(f"scenario    {plan.script.scenario.id}{title}", hanging=12)
        self.printer.line(f"council     Safe {addresses.council} (2 of 3), may only restrict", hanging=12)
        through = f"through time-lock {addresses.timelock}"
        self.printer.line(f"governance  Safe {addresses.governance} (2 of 3), {through}", hanging=12)

    def conclude(self, as_json: bool) -> None:
        """The scorecard for people, the object for scripts."""
        from incident_cli.cli.scorecard import show_scorecard
        from incident_cli.flows.drill_report import drill_losses, drill_moments, report

        found = report(self.drill)
        show_scorecard(self.printer, found, drill_moments(self.drill), drill_losses(self.drill))
        if as_json:
            print_json(found)

    def stopped(self, problem: IncidentError, as_json: bool) -> int:
        """The walk stopped before its end; it is resumable."""
        from incident_cli.flows.drill_report import report

        self.printer.error(problem)
        self.how_to_resume()
        if as_json:
            waiting = problem.waiting_for if isinstance(problem, Waiting) else None
            print_json({**report(self.drill), "waiting_for": waiting, "stopped_by": problem.message})
        return problem.exit_code

    def interrupted(self) -> None:
        """Ctrl-C: what is recorded stays."""
        self.printer.line()
        self.printer.line("interrupted; everything up to here is recorded", "yellow")
        self.how_to_resume()

    def how_to_resume(self) -> None:
        """The command that goes on."""
        served = "" if self.port is None else f" --serve {self.port}"
        self.printer.command("resume", f"drill --resume {self.drill.recorder.incident}{served}", "yellow")

    def serve(self, served: ExitStack, port: int) -> None:
        """Serve the drill's chain, tick, and say how others connect."""
        from incident_cli.flows.serving import serve_drill

        offered = serve_drill(self.drill, port, served)
        self.printer.line(f"serving chain {offered.chain_id} at {offered.url}", "green")
        self.port = offered.port
        self.printer.line("deployment file:", "green")
        self.printer.write([plain(offered.deployment)])  # one line, however long: it is copied
        self.printer.line("from another terminal:")
        self.printer.write([f"{settings.command()} {plain(offered.command)}"])

    def keep_serving(self) -> None:
        """Until Ctrl-C, which is how a served drill that has ended is left."""
        from incident_cli.flows.serving import wait_for_interrupt

        self.printer.line("still serving; Ctrl-C ends it", "yellow")
        with suppress(KeyboardInterrupt):
            wait_for_interrupt()

    def printer_status(self, words: str) -> AbstractContextManager[object]:
        """Progress while the world is built."""
        from incident_cli.cli.screen import WalkScreen

        return WalkScreen(self.printer, "drill").working(words)
