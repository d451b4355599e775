"""incident drill --fork"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from incident_cli.cli import settings
from incident_cli.cli.terminal import Aloud, Desk, parse_pairs, print_json
from incident_cli.errors import IncidentError, Misused, Waiting
from incident_cli.text import plain

if TYPE_CHECKING:
    from incident_cli.flows.desk import Answerer
    from incident_cli.flows.fork.drill import ForkDrill, ForkOrder, ForkPlan

EXAMPLE = "incident drill vault-emergency.yaml --deployment deployments/ethereum.yaml --fork --auto"
IMPERSONATED = "every signature is impersonated: nothing here proves that the real owners would sign"


@dataclass(frozen=True, slots=True)
class ForkAsked:
    """What the command line asked for; `elsewhere` are options that only a drill on the embedded chain has."""

    runbook: str | None
    deployment: Path | None
    market: str | None
    scenario: str | None
    params: Sequence[str]
    elsewhere: Mapping[str, object]

    def order(self, fork: bool) -> ForkOrder:
        """The order; raises Misused."""
        from incident_cli.flows.fork.drill import ForkOrder

        if not fork:
            raise Misused("--deployment, --market and --param belong to a drill on a fork", "add --fork")
        given = [name for name, value in self.elsewhere.items() if value is not None]
        if given:
            raise Misused(f"a fork drill has no {given[0]}", f"leave out {' and '.join(given)}")
        if self.runbook is None or self.deployment is None:
            raise Misused("a fork drill needs a RUNBOOK and its --deployment FILE", EXAMPLE)
        return ForkOrder(self.runbook, self.deployment, self.market, self.scenario, parse_pairs(self.params))


class ForkRehearsal:
    """One `incident drill --fork`: who answers, and what is shown."""

    def __init__(self, desk: Desk, plan: ForkPlan, auto: bool, answers: Path | None) -> None:
        self.desk, self.plan, self.auto, self.answers = desk, plan, auto, answers
        self.printer = desk.printer

    def run(self, as_json: bool) -> int:
        """Fork, walk, whatever stops it; then the scorecard, the object, and the exit code. The fork ends with it."""
        from incident_cli.cli.screen import WalkScreen
        from incident_cli.flows.clock import SystemClock
        from incident_cli.flows.drill import People
        from incident_cli.flows.fork import drill as flow

        screen, environment = WalkScreen(self.printer, "fork"), settings.variable
        people = People(screen, self.answerer())
        with flow.forked(self.plan, settings.anvil(), environment) as fork:
            home = settings.incident_home()
            with screen.working("reading the fork"):
                drill = flow.begin(self.plan, fork, environment, home, SystemClock(), people)
            self.introduce(drill)
            if not self.is_rehearsed:
                drill.let_time_pass()
            return self.walk(drill, as_json)

    @property
    def is_rehearsed(self) -> bool:
        """Whether nobody is asked."""
        return self.auto or self.answers is not None

    def answerer(self) -> Answerer:
        """The scenario's answers, a file's, or the person at the terminal."""
        from incident_cli.flows.answers import load_answers
        from incident_cli.flows.desk import Rehearsed

        if self.answers is not None:
            given = load_answers(self.answers, self.plan.bound.runbook)
            return Aloud(self.printer, Rehearsed(given, complete=False))
        if self.auto:
            return Aloud(self.printer, Rehearsed(self.plan.answers, complete=True))
        return self.desk.asker

    def introduce(self, drill: ForkDrill) -> None:
        """What is rehearsed where; a person who answers is not told beforehand what is wrong."""
        line, script, block = self.printer.line, self.plan.script, drill.began
        line(f"FORK DRILL {drill.recorder.incident}: nothing here reaches the real chain", "green", hanging=6)
        line(f"fork        {block.chain} at block {block.number}, hash {block.hash}", hanging=12)
        title = f": {script.scenario.title}" if script and self.is_rehearsed else ""
        nothing = "none: nothing is injected, the chain stays as it is"
        line(f"scenario    {script.scenario.id + title if script else nothing}", hanging=12)
        safe = drill.safe
        if safe is not None:
            line(f"Safe        {safe.address} ({safe.threshold} of {len(safe.owners)})", hanging=12)
        line(f"signatures  {IMPERSONATED}", "yellow", hanging=12)
        for pin in drill.unpinned:
            dropped = f"{plain(pin.name, 80)} at {pin.address}: dropped, the scenario replaces its code"
            line(f"pin         {dropped}", "yellow", hanging=12)

    def walk(self, drill: ForkDrill, as_json: bool) -> int:
        """To the end, or to what stops it."""
        from incident_cli.flows.fork.drill import run
        from incident_cli.flows.fork.report import exit_code

        try:
            run(drill)
        except KeyboardInterrupt:
            self.printer.line()
            self.gone(drill, "interrupted")
            raise
        except IncidentError as problem:
            self.printer.error(problem)
            self.gone(drill, "stopped")
            return self.stopped(drill, problem, as_json)
        self.conclude(drill, as_json)
        return exit_code(drill)

    def conclude(self, drill: ForkDrill, as_json: bool) -> None:
        """The scorecard for people, the object for scripts."""
        from incident_cli.cli.scorecard import show_scorecard
        from incident_cli.flows.fork.report import fork_moments, report

        found = report(drill)
        show_scorecard(self.printer, found, fork_moments(drill), None)
        self.printer.line(IMPERSONATED, "yellow")
        if as_json:
            print_json(found)

    def stopped(self, drill: ForkDrill, problem: IncidentError, as_json: bool) -> int:
        """The object and the exit code of a walk that stopped before its end."""
        from incident_cli.flows.fork.report import report

        if as_json:
            waiting = problem.waiting_for if isinstance(problem, Waiting) else None
            print_json({**report(drill), "waiting_for": waiting, "stopped_by": problem.message})
        return problem.exit_code

    def gone(self, drill: ForkDrill, how: str) -> None:
        """What is recorded stays, but nothing goes on."""
        from incident_cli.flows.incidents import FORK_IS_GONE

        words = f"{how}; everything up to here is recorded in {drill.recorder.directory}, but it cannot be resumed"
        self.printer.line(f"{words}: {FORK_IS_GONE}", "yellow")
