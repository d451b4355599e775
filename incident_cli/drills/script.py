"""A scenario file: the script of a drill as YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, cast

from incident_cli.binding import BPS, DURATION, IDENTIFIER, INTEGER, SLUG, Binder, did_you_mean, one_of
from incident_cli.document import Document, Place, read_document
from incident_cli.drills.actors import MARKETS
from incident_cli.drills.fork_script import is_fork_script
from incident_cli.drills.scenario import AT_ONCE, EVERYWHERE, FAULT_KINDS, UNMEASURED, Fault, FaultKind, Scenario
from incident_cli.errors import Misused
from incident_cli.text import plain

SCHEMA = "incident-scenario/v1"
MARKET_NAMES = tuple(terms.name for terms in MARKETS)
Market = Annotated[str, one_of("market", *MARKET_NAMES)]
Slug = Annotated[str, SLUG]
Height = Annotated[int, INTEGER]
BPS_OF_ALL = 10_000
MOST_APPETITE = 1_000
MOST_LIVED = 7_200


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultEntry:
    """One fault: what goes wrong in which market, from which block, by how much, for how many blocks."""

    kind: Annotated[str, one_of("fault", *FAULT_KINDS)]
    market: Market | None = None
    at_block: Height
    move: Annotated[int, BPS] | None = None
    lasts: Height | None = None

    def __post_init__(self) -> None:
        self.meant("market", self.market, self.kind not in EVERYWHERE)
        self.meant("move", self.move, self.kind not in UNMEASURED)
        if self.kind in AT_ONCE and self.lasts is not None:
            raise ValueError(f"{self.kind} happens in one block: leave out lasts")
        if not 1 <= self.at_block <= 1_000 or (self.lasts is not None and self.lasts < 1):
            raise ValueError("at_block is from 1 to 1000, lasts at least 1")
        if self.move is not None and not -9_000 <= self.move <= 90_000:
            raise ValueError("move is from -90% to 900%")
        if self.kind in ("withdrawal-rush", "buffer-spent") and not 0 < (self.move or 0) <= BPS_OF_ALL:
            raise ValueError(f"the move of {self.kind} is a share: more than 0%, at most 100%")

    def meant(self, key: str, value: object, wanted: bool) -> None:
        """A key is given where it means something, and nowhere else."""
        if wanted and value is None:
            raise ValueError(f"{self.kind} needs {key}")
        if not wanted and value is not None:
            raise ValueError(f"{self.kind} has no {key}: leave it out")

    def fault(self) -> Fault:
        """As the world plays it."""
        return Fault(cast(FaultKind, self.kind), self.market, self.at_block, self.move or 0, self.lasts)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioFile:
    """A scenario as written."""

    schema: Annotated[str, one_of("schema", SCHEMA)]
    id: Slug
    title: str
    runbook: Slug
    market: Market
    intended: Annotated[str, one_of("ending", "contained", "stood-down")]
    faults: tuple[FaultEntry, ...]
    attacker: bool = False
    appetite: Annotated[int, INTEGER] = 1
    lived: Annotated[int, DURATION] = 0
    answers: Mapping[Annotated[str, IDENTIFIER], str] = field(default_factory=dict)
    place: Place

    def __post_init__(self) -> None:
        if not 1 <= self.appetite <= MOST_APPETITE:
            raise ValueError(f"appetite is from 1 to {MOST_APPETITE}")
        if not 0 <= self.lived <= MOST_LIVED:
            raise ValueError("lived is at most 2h")

    def scenario(self) -> Scenario:
        """As the world plays it."""
        return Scenario(
            self.id,
            self.title,
            self.runbook,
            self.market,
            cast(Literal["contained", "stood-down"], self.intended),
            tuple(one.fault() for one in self.faults),
            self.attacker,
            self.answers,
            appetite=self.appetite,
            lived=self.lived,
        )


@dataclass(frozen=True, slots=True)
class Script:
    """A scenario with the file it came from."""

    scenario: Scenario
    document: Document


def load_script(path: Path) -> Script:
    """Read a scenario; raises WrongFile with every problem."""
    document = read_document(path)
    file: ScenarioFile | None = Binder(document).root(ScenarioFile)
    if file is not None and file.id != path.stem:
        document.wrong(file.place, "wrong-name", f"this file is {path.name}, but its id is {file.id!r}")
    document.refuse_if_wrong()
    assert file is not None, "a document without problems binds"
    return Script(file.scenario(), document)


def find_script(folder: Path, runbook: str | None, name: str | None) -> Script:
    """The scenario of that name, else the one that rehearses the runbook; raises Misused naming those there are."""
    paths = {path.stem: path for path in sorted(folder.glob("*.yaml")) if not is_fork_script(path)}
    if name is not None:
        if is_fork_script(folder / f"{name}.yaml"):
            raise Misused(f"{plain(name, 80)} is a scenario of a fork drill", "add --deployment FILE --fork")
        if name not in paths:
            known = ", ".join(paths) or "none"
            raise Misused(f"there is no scenario {plain(name, 80)!r}{did_you_mean(name, paths)}", f"scenarios: {known}")
        return load_script(paths[name])
    if runbook in paths:
        return load_script(paths[runbook])
    scripts = [load_script(path) for path in paths.values()]
    found = next((one for one in scripts if one.scenario.runbook == runbook), None)
    if found is None:
        raise Misused(
            f"no scenario rehearses the runbook {plain(runbook, 80)!r}",
            f"write one into {folder}, or name one with --scenario: {', '.join(paths) or 'there is none'}",
        )
    return found
