"""Reading a runbook: every error of the runbook and of the protocol files it names, in one pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from incident_cli.binding import Binder, Given
from incident_cli.document import Document, Place, Table, WrongFile, deepest, read_document
from incident_cli.protocols.catalog import Catalog, catalog_beside
from incident_cli.protocols.slot import Market
from incident_cli.runbook.kinds import VALUE_KINDS
from incident_cli.runbook.model import Parameter, Runbook, RunbookFile
from incident_cli.runbook.review import Review
from incident_cli.runbook.salvage import node_of, salvage, written
from incident_cli.runbook.steps import bind_step, declare_checks, found_samples, step_ids

MOST = {"params": 200, "slots": 200, "checks": 200, "steps": 500}
BOUNDED = ("bps", "duration", "int")
SAMPLES: dict[str, object] = {
    "market": Market("MARKET", bytes(32)),
    "bps": 1,
    "duration": 1,
    "int": 1,
    "amount": "1 TOKEN",
    "bool": False,
    "address": "0x0000000000000000000000000000000000000000",
    "bytes32": "0x" + "00" * 32,
    "bytes16": "0x" + "00" * 16,
}


@dataclass(frozen=True, slots=True)
class LoadedRunbook:
    """A sound runbook with the documents it came from; their raw bytes make the runbook hash."""

    path: Path
    runbook: Runbook
    document: Document
    catalog: Catalog


def load_runbook(path: Path) -> LoadedRunbook:
    """Read a runbook and the protocol files of its slots; raises WrongFile with every problem found."""
    document = read_document(path)
    refuse_too_many(document)
    catalog = catalog_beside(path)
    file: RunbookFile | None = Binder(document).root(RunbookFile)
    runbook = None if file is None else assemble(file, document, catalog)
    if runbook is None:
        review_the_rest(document, catalog)
    wrong = [one for one in (document, *catalog.documents.values()) if one.problems]
    if wrong or runbook is None:
        raise WrongFile([document, *catalog.documents.values()])
    return LoadedRunbook(path, runbook, document, catalog)


def refuse_too_many(document: Document) -> None:
    """Raises WrongFile where a section is longer than anybody could walk through."""
    for section, most in MOST.items():
        node = node_of(document.root, section) if isinstance(document.root, Table) else None
        count = written(node)
        if node is not None and count > most:
            message = f"{section} has {count} entries; a runbook has at most {most}"
            document.wrong(node.place, "too-many-entries", message)
    if any(one.code == "too-many-entries" for one in document.problems):
        raise WrongFile([document])


def review_the_rest(document: Document, catalog: Catalog) -> None:
    """Where the top of the file is wrong, note what else is wrong and is not merely a consequence."""
    rest = salvage(document)
    if rest is not None:
        scratch = Document(document.name, document.raw, document.root, unread=document.unread)
        assemble(rest.file, scratch, catalog)
        document.problems += [one for one in scratch.problems if one.code not in rest.doubtful]


def assemble(file: RunbookFile, document: Document, catalog: Catalog) -> Runbook:
    """The runbook's checks, steps and names, reviewed together."""
    scope = dict(sample_scope(file.params, document))
    checks = {one.name: one for one in declare_checks(document, file.checks, scope)}
    scope |= found_samples({name: one.sample for name, one in checks.items()})
    binder = Binder(document, scope)
    steps = tuple(step for table in file.steps if (step := bind_step(binder, table)) is not None)
    runbook = Runbook(
        id=file.id,
        title=file.title,
        meta=file.meta,
        params=file.params,
        slots=file.slots,
        checks=checks,
        steps=steps,
        tables=file.steps,
    )
    Review(runbook, document, catalog, scope, frozenset(file.checks), step_ids(file.steps)).run(file)
    return runbook


def sample_scope(params: Mapping[str, Parameter], document: Document) -> Iterator[tuple[str, Given]]:
    """A placeholder of the right type for each parameter (its default where it has one); bounds are held."""
    for name, parameter in params.items():
        value = SAMPLES[parameter.type]
        if bounds_hold(name, parameter, document) and parameter.default is not None:
            value = default_of(name, parameter, parameter.default, document)
        yield name, Given(parameter.type, value)


def bounds_hold(name: str, parameter: Parameter, document: Document) -> bool:
    """Whether the bounds are sound; what is wrong with them is noted."""
    try:
        check_bounds(parameter)
    except ValueError as problem:
        place = parameter_place(document, name, parameter, "min" if parameter.max is None else "max")
        document.wrong(place, "bad-value", f"parameter {name}: {problem}")
        return False
    return True


def default_of(name: str, parameter: Parameter, text: str, document: Document) -> object:
    """The default's value, else a placeholder with the problem noted."""
    place = parameter_place(document, name, parameter, "default")
    if parameter.type == "market":
        document.wrong(place, "target-with-default", "what is contained never has a default")
        return SAMPLES[parameter.type]
    try:
        return parse_parameter(name, parameter, text)
    except ValueError as problem:
        document.wrong(place, "bad-value", f"parameter {name}: {problem}")
        return SAMPLES[parameter.type]


def parameter_place(document: Document, name: str, parameter: Parameter, key: str) -> Place:
    """Where a key's value of a parameter stands."""
    return parameter.place if document.root is None else deepest(document.root, "params", name, key).place


def check_bounds(parameter: Parameter) -> None:
    """Bounds fit the type and each other; raises ValueError. A bound that would not be held is refused."""
    given = [one for one in (parameter.min, parameter.max) if one is not None]
    if given and parameter.type not in BOUNDED:
        raise ValueError(f"min and max are for {', '.join(BOUNDED)}, not for {parameter.type}")
    values = [VALUE_KINDS[parameter.type].parse(one) for one in given]
    if len(values) == 2 and cast(int, values[0]) > cast(int, values[1]):
        raise ValueError(f"its minimum {parameter.min} is above its maximum {parameter.max}")


def parse_parameter(name: str, parameter: Parameter, text: str) -> object:
    """A parameter's value from text, within its bounds; raises ValueError naming it."""
    kind = VALUE_KINDS[parameter.type]
    try:
        value = kind.parse(text)
    except ValueError as problem:
        raise ValueError(f"{name}: {text!r} is no {kind.name}: {problem}") from problem
    low = None if parameter.min is None else kind.parse(parameter.min)
    high = None if parameter.max is None else kind.parse(parameter.max)
    if isinstance(value, int) and isinstance(low, int) and value < low:
        raise ValueError(f"{name}: {text} is below its minimum {parameter.min}")
    if isinstance(value, int) and isinstance(high, int) and value > high:
        raise ValueError(f"{name}: {text} is above its maximum {parameter.max}")
    return value
