"""The functions of a compiled contract, from its ABI as a tool wrote it: text from outside, so only sound names pass.

Read are Hardhat's, Foundry's and Truffle's artefacts (an object with `abi`) and a bare ABI array. What takes or returns
tuples, arrays or anything else than elementary types is left out: nothing is recognised in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from incident_cli.abi import Signature, SignatureError, parse_signature
from incident_cli.strict_json import Json, parse_json

ABI_LIMIT = 4 * 1024 * 1024  # bytes of a file
ABI_DEPTH = 256  # an artefact may hold a whole syntax tree
FUNCTION_LIMIT = 2_000
NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]{0,79}")
ELEMENTARY = re.compile(r"[a-z]{3,8}[0-9]{0,3}")
READS_ONLY = ("view", "pure")


@dataclass(frozen=True, slots=True)
class Function:
    """One function of an ABI; its parameters have no names (see `parameters`), for those are not to be trusted."""

    signature: Signature
    is_view: bool
    parameters: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its name, as the contract has it."""
        return self.signature.name

    @property
    def inputs(self) -> tuple[str, ...]:
        """The canonical types of what it takes."""
        return tuple(self.signature.input_types)

    @property
    def answers(self) -> str | None:
        """The type of the one value that it returns, or None where it returns none or several."""
        outputs = self.signature.output_types
        return outputs[0] if len(outputs) == 1 else None


@dataclass(frozen=True, slots=True)
class ContractAbi:
    """The functions that could be read, each once, in the order of the file; how many entries could not."""

    functions: tuple[Function, ...]
    left_out: int = 0

    def find(self, name: str, *inputs: str) -> Function | None:
        """The function of that name with those types."""
        return next((one for one in self.functions if one.name == name and one.inputs == inputs), None)

    def view(self, name: str, *inputs: str, answers: str) -> Function | None:
        """The view of that name with those types that returns one value of this type."""
        found = self.find(name, *inputs)
        return found if found is not None and found.is_view and found.answers == answers else None


def parse_abi(content: bytes) -> ContractAbi:
    """The ABI in a file; raises ValueError where there is none."""
    if len(content) > ABI_LIMIT:
        raise ValueError(f"it is larger than {ABI_LIMIT >> 20} MB")
    return abi_of(parse_json(content, ABI_DEPTH))


def abi_of(found: Json) -> ContractAbi:
    """The ABI in a JSON value; raises ValueError where there is none."""
    entries = found.get("abi") if isinstance(found, dict) else found
    if not isinstance(entries, list):
        raise ValueError("it holds no ABI: a list of functions, or an object with such a list as `abi`")
    wanted = [one for one in entries if isinstance(one, dict) and one.get("type") == "function"]
    read = [one for one in map(function_of, wanted[:FUNCTION_LIMIT]) if one is not None]
    unique = {one.signature.canonical: one for one in reversed(read)}
    return ContractAbi(tuple(reversed(unique.values())), len(wanted) - len(read))


def function_of(entry: dict[str, Json]) -> Function | None:
    """One entry, or None where its name or a type of it is not plainly one."""
    name, inputs, outputs = entry.get("name"), types_of(entry.get("inputs")), types_of(entry.get("outputs"))
    if not isinstance(name, str) or not NAME.fullmatch(name) or inputs is None or outputs is None:
        return None
    returns = f" returns ({', '.join(outputs)})" if outputs else ""
    try:
        signature = parse_signature(f"{name}({', '.join(inputs)}){returns}")
    except SignatureError:
        return None
    is_view = entry.get("stateMutability") in READS_ONLY or entry.get("constant") is True
    return Function(signature, is_view, tuple(names_of(entry.get("inputs"))))


def types_of(parameters: Json) -> Sequence[str] | None:
    """The elementary types of parameters, or None where one is another."""
    if parameters is None:
        return ()
    if not isinstance(parameters, list):
        return None
    types = [one.get("type") if isinstance(one, dict) else None for one in parameters]
    sound = [one for one in types if isinstance(one, str) and ELEMENTARY.fullmatch(one)]
    return sound if len(sound) == len(types) else None


def names_of(parameters: Json) -> Iterator[str]:
    """The parameters' own names, where they are names; else empty."""
    for one in parameters if isinstance(parameters, list) else ():
        name = one.get("name") if isinstance(one, dict) else None
        yield name if isinstance(name, str) and NAME.fullmatch(name) else ""
