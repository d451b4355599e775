"""From an empty folder to a first drill: reads a Safe and its contracts, and writes files that pass as they are.

Nothing is ever overwritten: a file that is there stays, and is named.
"""

from __future__ import annotations

import re
import shlex
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from incident_cli.errors import Misused
from incident_cli.evm import Address
from incident_cli.flows.init_reading import Ground, read_ground
from incident_cli.runbook.abi_file import ABI_LIMIT, ContractAbi, parse_abi
from incident_cli.runbook.abi_names import RESERVED
from incident_cli.runbook.abi_stub import Origin, Stub, stub
from incident_cli.runbook.first_check import first_check
from incident_cli.runbook.first_deployment import (
    Placed,
    SafeSeen,
    Where,
    deployment_text,
    is_contract_name,
    market_name,
)
from incident_cli.runbook.first_runbook import First, cases_text, runbook_text
from incident_cli.runbook.first_scenario import scenario_id, scenario_text
from incident_cli.text import plain

MARK = re.compile(r"\s*# REVIEW: (?P<why>.*)")
LARGEST_KEPT = 1 << 20  # bytes of a file that is looked into
HINT = "incident init --chain 1 --rpc https://… --safe 0x… --contract vault=0x… --abi Vault.json"


@dataclass(frozen=True, slots=True)
class InitOrder:
    """What was asked for: the contracts by name, and the ABI file of each that has one."""

    where: Where
    safe: Address
    contracts: Mapping[str, Address]
    abis: Mapping[str, Path]
    folder: Path


@dataclass(frozen=True, slots=True)
class Marked:
    """A line that somebody has to look at."""

    file: str
    line: int
    why: str


@dataclass(frozen=True, slots=True)
class Initialised:
    """What was done: files written, files that stood there already (`differing`: with other content), and what to look
    at and to do next."""

    written: tuple[str, ...]
    kept: tuple[str, ...]
    differing: tuple[str, ...]
    review: tuple[Marked, ...]
    next: tuple[str, ...]
    safe: SafeSeen

    def to_json(self) -> dict[str, object]:
        """For scripts."""
        marks = [{"file": one.file, "line": one.line, "why": one.why} for one in self.review]
        lists = {"written": list(self.written), "kept": list(self.kept), "differing": list(self.differing)}
        return {"schema": "incident.init/v1", **lists, "review": marks, "next": list(self.next)}


def initialise(order: InitOrder) -> Initialised:
    """Read, then write what is not there yet.

    Raises Misused for what cannot be read as an ABI or written, Refused for another chain or what is no Safe, Unread.
    """
    refuse_names(order.contracts)
    abis = {name: read_abi(path) for name, path in order.abis.items()}
    ground = read_ground(order.where, order.safe, order.contracts, abis)
    files = {order.folder / name: text for name, text in texts(order, ground).items()}
    written = [path for path, text in files.items() if write(path, text)]
    kept = [path for path in files if path not in written]
    differing = [path for path in kept if content(path) != files[path]]
    marks = tuple(mark for path in files for mark in marked(path))
    commands = tuple(following(order))
    return Initialised(names(written), names(kept), names(differing), marks, commands, ground.safe)


def names(paths: Sequence[Path]) -> tuple[str, ...]:
    """Paths as text."""
    return tuple(map(str, paths))


def refuse_names(contracts: Mapping[str, Address]) -> None:
    """Raises Misused where a name cannot be a slot's, or is a shipped protocol's."""
    import keyword

    from incident_cli.protocols.catalog import Catalog

    if not contracts:
        raise Misused("--contract NAME=0x… must be given: what is there to protect?", HINT)
    for name in contracts:
        if not is_contract_name(name):
            raise Misused(
                f"{plain(name, 80)!r} cannot name a contract",
                "small letters, digits and single hyphens, at most 30, such as vault or lending-pool",
            )
        if name in Catalog().names():
            raise Misused(f"there is a shipped protocol {name}", f"call it my-{name}, or use the shipped protocol")
        if name.replace("-", "_") in RESERVED or keyword.iskeyword(name):
            raise Misused(f"{name!r} has a meaning of its own in expressions", f"call it my-{name}")


def read_abi(path: Path) -> ContractAbi:
    """The ABI in a file; raises Misused."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ValueError("it is no file")
        with path.open("rb") as file:
            return parse_abi(file.read(ABI_LIMIT + 1))
    except OSError as problem:
        reason = problem.strerror or type(problem).__name__
        raise Misused(f"{plain(path, 200)} cannot be read: {reason}", "give the path of an ABI file") from problem
    except ValueError as problem:
        hint = "give Hardhat's, Foundry's or Truffle's JSON of the contract, or its bare ABI array"
        raise Misused(f"{plain(path, 200)} is no ABI file: {plain(problem, 300)}", hint) from problem


def texts(order: InitOrder, ground: Ground) -> dict[str, str]:
    """Every file by its place below the folder; raises WrongFile if one did not load."""
    from incident_cli.document import parse_document
    from incident_cli.protocols.protocol import protocol_of
    from incident_cli.runbook.deployment import sound

    found: dict[str, str] = {}
    placed: list[Placed] = []
    market = market_name(list(order.contracts))
    runbooks: dict[str, str] = {}
    for name in order.contracts:
        written = stub(ground.abis[name], origin(order, ground, name))
        first = first_of(name, written, ground, market)
        found[f"protocols/{name}.yaml"] = written.text
        runbooks |= {f"{first.id}.yaml": runbook_text(first), f"tests/{first.id}.yaml": cases_text(first)}
        runbooks[f"drills/{scenario_id(first)}.yaml"] = scenario_text(first)
        placed.append(place(name, written, ground, first))
    deployment = f"deployments/{order.where.slug}.yaml"
    found[deployment] = deployment_text(order.where, ground.safe, placed, market)
    for path in found:
        document = parse_document(found[path].encode(), path)
        if path != deployment:
            protocol_of(document)
            document.refuse_if_wrong()
        else:
            sound(document)
    return {**found, **runbooks}


def origin(order: InitOrder, ground: Ground, name: str) -> Origin:
    """Where a protocol file comes from."""
    path = order.abis.get(name)
    source = f"ABI: {path.name}" if path is not None else "no ABI, only what it answered"
    words = f"{name} at {order.contracts[name]} on chain {order.where.chain_id}; {source}"
    return Origin(name, words, ground.values[name], ground.held[name], order.safe, path is None)


def first_of(name: str, written: Stub, ground: Ground, market: str) -> First:
    """The first runbook of a contract."""
    check = first_check(written, ground.watched[name], ground.values[name])
    return First(name, written, check, market)


def place(name: str, written: Stub, ground: Ground, first: First) -> Placed:
    """A contract in the deployment."""
    params = {first.check.parameter: first.check.value} if first.check.parameter else {}
    takes_market = any("market" in lever.args for lever in written.levers)
    levers = tuple(lever.name for lever in written.levers)
    return Placed(name, written.slot, ground.contracts[name], levers, params, takes_market)


def write(path: Path, text: str) -> bool:
    """Write a file that is not there yet, whole; False where it is. Raises Misused where it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError as problem:
        if path.exists() or path.is_symlink():
            return False
        raise Misused(f"{plain(path.parent)} is no folder", "choose another --dir") from problem
    except OSError as problem:
        reason = problem.strerror or type(problem).__name__
        raise Misused(f"{plain(path)} cannot be written: {reason}", "choose another --dir") from problem
    return True


def content(path: Path) -> str:
    """The text of a file that is there; empty where it cannot be looked into."""
    try:
        if not path.is_file() or path.stat().st_size > LARGEST_KEPT:
            return ""
        return path.read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""


def marked(path: Path) -> Iterator[Marked]:
    """The lines of a file that are marked for review, as they stand now."""
    for number, line in enumerate(content(path).split("\n"), 1):
        match = MARK.fullmatch(line.rstrip("\r"))
        if match is not None:
            yield Marked(str(path), number, plain(match["why"], 500))


def following(order: InitOrder) -> Iterator[str]:
    """What to do next, in order, as commands."""
    folder = order.folder
    runbooks = [quoted(folder / f"{name}-emergency.yaml") for name in order.contracts]
    deployment = quoted(folder / "deployments" / f"{order.where.slug}.yaml")
    if order.where.variable is not None:
        yield f"export {order.where.variable}=…"
    every = " ".join(runbooks)
    yield f"incident runbook validate {every}"
    yield f"incident runbook test {every}"
    yield f"incident preflight {every} --deployment {deployment}"
    for one in runbooks:
        yield f"incident drill {one} --deployment {deployment} --fork"


def quoted(path: Path) -> str:
    """A path as a shell takes it."""
    return shlex.quote(str(path))


def parse_contracts(pairs: Sequence[str]) -> dict[str, Address]:
    """`NAME=0x…` each; raises Misused."""
    from incident_cli.evm import parse_address

    found: dict[str, Address] = {}
    for pair in pairs:
        name, _, address = pair.partition("=")
        name = name.lower().replace("_", "-")
        if name in found:
            raise Misused(f"two contracts are called {plain(name, 80)}", "give each its own name")
        try:
            found[name] = parse_address(address)
        except ValueError as problem:
            raise Misused(f"--contract {plain(pair, 120)!r}: {plain(problem)}", HINT) from problem
    return found


def parse_abis(given: Sequence[str], contracts: Mapping[str, Address]) -> dict[str, Path]:
    """`FILE` where there is one contract, or `NAME=FILE`; raises Misused."""
    found: dict[str, Path] = {}
    for text in given:
        name, equals, path = text.partition("=")
        name = name.lower().replace("_", "-")
        if not (equals and name in contracts):
            if len(contracts) != 1:
                raise Misused(f"whose ABI is {plain(text, 120)!r}?", f"--abi NAME=FILE, of {', '.join(contracts)}")
            name, path = next(iter(contracts)), text
        if name in found:
            raise Misused(f"{name} has two ABI files", "give each contract one")
        found[name] = Path(path)
    return found
