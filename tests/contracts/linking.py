"""Hardhat artefacts whose code still lacks the addresses of its libraries: deployed with them, each library once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from incident_cli.evm import Address
from tests.contracts.packages import Packages
from tests.contracts.solidity import contract
from tests.fakes.anvil import Anvil


@dataclass(frozen=True, slots=True)
class Linker:
    """Deploys contracts of one package's folder of artefacts (a path below node_modules)."""

    anvil: Anvil
    packages: Packages
    artifacts: str
    libraries: dict[str, Address] = field(default_factory=dict)

    def deploy(self, source: str, args: Sequence[object] = (), *, name: str = "") -> Address:
        """A contract by its source (`contracts/a/B.sol`), its name where the file holds another, and its arguments."""
        name = name or source.rpartition("/")[2].removesuffix(".sol")
        found = json.loads(self.packages.path(f"{self.artifacts}/{source}/{name}.json").read_text("utf-8"))
        made = contract(name, found["abi"], self.linked(found))
        return self.anvil.deploy(made.creation, made.constructor, args)

    def linked(self, found: dict[str, Any]) -> str:
        """The creation code in hex, with every library's address in its places."""
        code: str = found["bytecode"].removeprefix("0x")
        for source, libraries in found["linkReferences"].items():
            for name, places in libraries.items():
                digits = self.library(source, name)[2:].lower()
                for place in places:
                    start, end = place["start"] * 2, (place["start"] + place["length"]) * 2
                    code = code[:start] + digits + code[end:]
        return code

    def library(self, source: str, name: str) -> Address:
        """A library, deployed when it is first needed."""
        key = f"{source}:{name}"
        if key not in self.libraries:
            self.libraries[key] = self.deploy(source, name=name)
        return self.libraries[key]
