"""incident runbook test"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from incident_cli.text import plain

if TYPE_CHECKING:
    from incident_cli.cli.terminal import Printer
    from incident_cli.flows.mutants import Survey
    from incident_cli.flows.unit_testing import FileResult
    from incident_cli.runbook.cases import LoadedCases

EXAMPLE = "Example: incident runbook test oracle-divergence --mutate"
Result = tuple["FileResult", "Survey | None"]


def test(
    runbooks: Annotated[list[str] | None, typer.Argument(help="Shipped ids, runbooks or test files.")] = None,
    mutate: Annotated[bool, typer.Option("--mutate", help="Also change each threshold: a test must notice.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Fail where a state or a step is left out.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Test runbooks offline against the series in their test files; without a name, every shipped one."""
    from incident_cli.cli.terminal import Printer, print_json

    printer = Printer()
    with printer.working("testing the runbooks"):
        results = [run(one, mutate) for one in load(runbooks or [])]
    passed = all(is_passed(one, strict) for one in results)
    if as_json:
        print_json({"schema": "incident.runbook-test/v1", "passed": passed, "files": list(map(to_json, results))})
    else:
        for one in results:
            show(printer, one)
    if not passed:
        raise typer.Exit(1)


def load(names: Sequence[str]) -> list[LoadedCases]:
    """Every test file; raises WrongFile with the problems of all of them, or Misused."""
    from incident_cli.document import WrongFile
    from incident_cli.runbook.cases import find_cases, load_cases
    from incident_cli.runbook.shipped import shipped_folder

    paths = [find_cases(name) for name in names] or sorted((shipped_folder() / "tests").glob("*.yaml"))
    found, wrong = [], []
    for path in dict.fromkeys(map(Path, paths)):
        try:
            found.append(load_cases(path))
        except WrongFile as problem:
            wrong += problem.documents
    if wrong:
        raise WrongFile(list({one.name: one for one in wrong}.values()))
    return found


def run(loaded: LoadedCases, mutate: bool) -> Result:
    """One file's cases, and its mutants where they are wanted: only of a file that passes."""
    from incident_cli.flows.mutants import survey
    from incident_cli.flows.unit_testing import run_file

    result = run_file(loaded)
    return result, survey(loaded) if mutate and result.passed else None


def is_passed(one: Result, strict: bool) -> bool:
    """Nothing failed, no mutant survived, and with `strict` nothing is left out."""
    result, mutants = one
    return result.passed and not (mutants and mutants.survived) and (result.coverage.complete or not strict)


def to_json(one: Result) -> dict[str, object]:
    """One file for scripts."""
    from incident_cli.flows.unit_testing import report_of

    result, mutants = one
    return {**report_of(result), "mutants": None if mutants is None else mutants.to_json()}


def show(printer: Printer, one: Result) -> None:
    """One file for people: what failed with its place, what is left out, which mutants survived."""
    result, mutants = one
    name = result.loaded.document.name
    good = sum(case.passed for case in result.cases)
    tone = "green" if result.passed else "bold red"
    printer.line(f"{result.loaded.bound.runbook.id}: {good} of {len(result.cases)} cases pass", tone)
    for case in result.cases:
        if not case.passed:
            printer.line(f"  {case.name}", "bold", hanging=2)
        for failure in case.failures:
            place = f"{name}:{failure.place.line}:{failure.place.column}"
            printer.write([plain(f"{place}: {failure.line}")], "red")
    show_coverage(printer, result)
    if mutants is not None:
        show_mutants(printer, mutants)


def show_coverage(printer: Printer, result: FileResult) -> None:
    """What no case exercises."""
    coverage = result.coverage
    states = ", ".join(f"{check} {verdict}" for check, verdict in coverage.never_exercised)
    if states:
        printer.line(f"  never exercised: {states}", "yellow", hanging=4)
    if coverage.steps_never_walked:
        printer.line(f"  steps never walked: {', '.join(coverage.steps_never_walked)}", "yellow", hanging=4)


def show_mutants(printer: Printer, mutants: Survey) -> None:
    """How many were noticed, and each that was not."""
    survived = len(mutants.survived)
    printer.line(f"  {mutants.tried} mutants, {mutants.tried - survived} noticed", "red" if survived else "green")
    if mutants.left_out:
        printer.line(f"  {mutants.left_out} more mutants were not tried", "yellow")
    for one in mutants.survived:
        printer.write([plain(f"{one.file}:{one.place.line}:{one.place.column}: {one.line}")], "red")
