"""The drill's compiled contracts: `python -m incident_cli.drills.artefacts` rebuilds them from their sources.

An artefact is `{contract, compiler, source_sha256, abi, bytecode}`; loading one needs neither vyper nor web3.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from incident_cli.abi import encode

COMPILER = "0.4.3"
CONTRACTS = (
    "attacker",
    "forked_feed",
    "margin_market",
    "option_marks",
    "options_exchange",
    "price_feed",
    "price_keeper",
    "rmn",
    "timelock",
    "usd_token",
)
JsonObject = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Artefact:
    """One compiled contract: its name, its ABI as the compiler wrote it, and its creation code."""

    contract: str
    compiler: str
    source_sha256: str
    abi: tuple[JsonObject, ...] = field(repr=False)
    bytecode: bytes = field(repr=False)

    def creation(self, args: Sequence[object] = ()) -> bytes:
        """The data of the transaction that deploys it; raises ValueError where an argument does not fit."""
        inputs = [one["inputs"] for one in self.abi if one["type"] == "constructor"]
        types = [canonical_type(one) for one in (inputs[0] if inputs else ())]
        return self.bytecode + encode(types, args)


def canonical_type(parameter: JsonObject) -> str:
    """The ABI type of a parameter, tuples spelled out: `(bytes32,address)[]`."""
    kind: str = parameter["type"]
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(canonical_type(one) for one in parameter['components'])})" + kind.removeprefix("tuple")


@functools.cache
def artefact(contract: str) -> Artefact:
    """The committed artefact of a contract of the drill."""
    found = json.loads((folder() / f"{contract}.json").read_text(encoding="utf-8"))
    code = bytes.fromhex(found["bytecode"].removeprefix("0x"))
    return Artefact(found["contract"], found["compiler"], found["source_sha256"], tuple(found["abi"]), code)


def compiled(contract: str) -> str:
    """The artefact's text, compiled afresh from its source (needs vyper)."""
    from vyper.compiler import compile_code

    source = (folder() / f"{contract}.vy").read_text(encoding="utf-8")
    made = compile_code(source, output_formats=["abi", "bytecode"])
    content = {
        "contract": contract,
        "compiler": COMPILER,
        "source_sha256": hashlib.sha256(source.encode()).hexdigest(),
        "abi": made["abi"],
        "bytecode": made["bytecode"],
    }
    return json.dumps(content, indent=1) + "\n"


def rebuild() -> None:
    """Write every artefact beside its source."""
    for contract in CONTRACTS:
        Path(str(folder() / f"{contract}.json")).write_text(compiled(contract), encoding="utf-8")


def folder() -> Traversable:
    """Where sources and artefacts lie, also in an installed wheel."""
    return resources.files("incident_cli.drills") / "contracts"


if __name__ == "__main__":
    rebuild()
