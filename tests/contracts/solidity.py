"""Contracts ready to deploy: a package's own artefact, or Solidity compiled by solc from npm, once."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.contracts.packages import Packages

COMPILE = Path(__file__).with_name("compile.cjs")
OUTPUT = {"*": {"*": ["abi", "evm.bytecode.object"]}}


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract's creation code, and the types of what its constructor takes."""

    name: str
    creation: bytes
    constructor: tuple[str, ...]


def artifact(packages: Packages, path: str) -> Contract:
    """A compiled contract that a package ships (Hardhat's or Truffle's JSON), by its path below node_modules.

    Raises ValueError where it has no creation code, or libraries still to be linked.
    """
    found = json.loads(packages.path(path).read_text("utf-8"))
    return contract(found["contractName"], found["abi"], found["bytecode"])


def compile_solidity(packages: Packages, source: Path, name: str, *, solc: str = "solc", runs: int = 200) -> Contract:
    """One contract of a source file, with the optimiser; raises ValueError with the compiler's errors.

    A source inside a package keeps its package name, so that its relative imports are found. `solc` is the package
    that compiles (an alias where another version is needed). Compiled once for each source and settings.
    """
    request = standard_json(packages, source, runs)
    digest = hashlib.sha256(f"{solc}\n{request}".encode()).hexdigest()
    cached = packages.folder / "compiled" / f"{digest}.json"
    if not cached.is_file():
        keep(cached, run_solc(packages, solc, request))
    found = json.loads(cached.read_text("utf-8"))["contracts"][source_name(packages, source)][name]
    return contract(name, found["abi"], found["evm"]["bytecode"]["object"])


def source_name(packages: Packages, source: Path) -> str:
    """How the compiler calls a file: by its path below node_modules, or by its name."""
    modules = packages.path("")
    return source.relative_to(modules).as_posix() if source.is_relative_to(modules) else source.name


def standard_json(packages: Packages, source: Path, runs: int) -> str:
    """The compiler's input, with the whole text of the source in it."""
    request = {
        "language": "Solidity",
        "sources": {source_name(packages, source): {"content": source.read_text("utf-8")}},
        "settings": {"optimizer": {"enabled": True, "runs": runs}, "outputSelection": OUTPUT},
    }
    return json.dumps(request, sort_keys=True)


def run_solc(packages: Packages, solc: str, request: str) -> str:
    """The compiler's output; raises ValueError where it holds an error."""
    done = subprocess.run(
        [*packages.node.node, str(COMPILE), solc],
        cwd=packages.folder,
        input=request,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if done.returncode != 0:
        raise ValueError(f"{solc} ended with {done.returncode}: {done.stderr[-2_000:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    errors = [one["formattedMessage"] for one in found.get("errors", ()) if one["severity"] == "error"]
    if errors:
        raise ValueError("\n".join(errors))
    return done.stdout


def keep(path: Path, text: str) -> None:
    """Writes a file whole or not at all, whoever else is writing it."""
    path.parent.mkdir(exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}")
    partial.write_text(text, "utf-8")
    partial.replace(path)


def contract(name: str, abi: list[dict[str, Any]], code: str) -> Contract:
    """A contract from its ABI and the hex of its creation code."""
    creation = bytes.fromhex(code.removeprefix("0x"))
    if not creation:
        raise ValueError(f"{name} has no creation code: it is abstract or an interface")
    inputs: list[dict[str, Any]] = next((one["inputs"] for one in abi if one["type"] == "constructor"), [])
    return Contract(name, creation, tuple(type_of(one) for one in inputs))


def type_of(parameter: dict[str, Any]) -> str:
    """The canonical type of an ABI parameter: tuples are written out."""
    if not parameter["type"].startswith("tuple"):
        return str(parameter["type"])
    inner = ",".join(type_of(one) for one in parameter["components"])
    return f"({inner}){parameter['type'].removeprefix('tuple')}"
