"""ERC-7730 files: how the maker of a contract wants its calls to be shown.

Such a file adds words and units to what was decoded strictly; it never hides an argument, and it is used only for the
chain and address that it names itself. Understood are the formats raw, amount, tokenAmount, addressName, date,
duration, unit and enum; any other is shown raw.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from incident_cli.abi import Signature, SignatureError, parse_signature
from incident_cli.evm import Address, parse_address
from incident_cli.strict_json import Json
from incident_cli.text import plain

CAP = 1024 * 1024
MOST_FORMATS, MOST_FIELDS, MOST_DEPLOYMENTS = 1_000, 100, 2_000
WORDS = 120
STEP = re.compile(r"([A-Za-z_$][A-Za-z0-9_$]*)|\[(-?[0-9]{1,4})\]|\[\]")
KNOWN = frozenset({"raw", "amount", "tokenAmount", "addressName", "date", "duration", "unit", "enum"})


@dataclass(frozen=True, slots=True)
class FieldFormat:
    """How one value is shown: where it is, its label, its format and that format's parameters."""

    path: str
    label: str
    format: str
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FunctionFormat:
    """How one function is shown."""

    signature: Signature
    intent: str
    fields: tuple[FieldFormat, ...]
    owner: str


@dataclass(frozen=True, slots=True)
class Descriptor:
    """One file: the contracts it is for, and its functions by selector."""

    deployments: frozenset[tuple[int, str]]
    formats: Mapping[bytes, FunctionFormat]

    def is_for(self, chain_id: int, address: Address) -> bool:
        """Whether the file binds itself to this contract."""
        return (chain_id, address) in self.deployments

    def functions(self, selector: bytes) -> Iterator[FunctionFormat]:
        """The function of a selector, where the file has it."""
        if selector in self.formats:
            yield self.formats[selector]


def descriptor_of(document: Json) -> Descriptor:
    """The descriptor in a JSON value; raises ValueError saying what is wrong."""
    root = mapping(document, "the file")
    contract = mapping(mapping(root.get("context"), "context").get("contract"), "context.contract")
    deployments = listed(contract.get("deployments"), "context.contract.deployments", MOST_DEPLOYMENTS)
    if not deployments:
        raise ValueError("it names no contract it is for (context.contract.deployments)")
    metadata = mapping(root.get("metadata") or {}, "metadata")
    display = mapping(root.get("display"), "display")
    formats = mapping(display.get("formats"), "display.formats")
    if len(formats) > MOST_FORMATS:
        raise ValueError(f"it has more than {MOST_FORMATS} functions")
    owner = plain(metadata.get("owner") or "unnamed", WORDS)
    found: dict[bytes, FunctionFormat] = {}
    for key, value in formats.items():
        one = function_format(key, mapping(value, f"the format of {plain(key, 80)}"), root, owner)
        if one is not None and found.setdefault(one.signature.selector, one) is not one:
            raise ValueError(f"two formats have the selector of {plain(key, 80)}")
    return Descriptor(frozenset(map(binding, deployments)), found)


def binding(found: Json) -> tuple[int, str]:
    """A chain id and an address."""
    one = mapping(found, "a deployment")
    chain_id, address = one.get("chainId"), one.get("address")
    if type(chain_id) is not int or not isinstance(address, str):
        raise ValueError("a deployment is a chainId and an address")
    return chain_id, parse_address(address)


def function_format(key: str, value: Mapping[str, Json], root: Mapping[str, Json], owner: str) -> FunctionFormat | None:
    """How one function is shown; None where its key is no signature (a message's type, a bare selector)."""
    try:
        signature = parse_signature(key)
    except SignatureError:
        return None
    intent = value.get("intent") or ""
    if isinstance(intent, dict):
        intent = ", ".join(f"{plain(name, WORDS)}: {plain(words, WORDS)}" for name, words in intent.items())
    fields = tuple(fields_of(value.get("fields") or [], root, ""))
    return FunctionFormat(signature, plain(intent, 2 * WORDS), fields[:MOST_FIELDS], owner)


def fields_of(found: Json, root: Mapping[str, Json], above: str, depth: int = 0) -> Iterator[FieldFormat]:
    """The fields, with those of groups under their group's path."""
    if depth > 4:
        raise ValueError("groups of fields are nested without end")
    for one in listed(found, "fields", MOST_FIELDS):
        field = mapping(one, "a field")
        path = f"{above}{plain(field.get('path') or '', WORDS)}"
        if "fields" in field:
            yield from fields_of(field["fields"], root, f"{path}." if path else "", depth + 1)
            continue
        shared = looked_up(root, field.get("$ref")) if "$ref" in field else {}
        merged = {**(shared if isinstance(shared, dict) else {}), **field}
        params = merged.get("params") if isinstance(merged.get("params"), dict) else {}
        assert isinstance(params, dict)
        resolved = {name: looked_up(root, value) for name, value in params.items()}
        yield FieldFormat(
            path, plain(merged.get("label") or path, WORDS), plain(merged.get("format") or "raw", 40), resolved
        )


def looked_up(root: Mapping[str, Json], reference: Json) -> Json:
    """The value that `$.a.b` names in the file; anything else is itself."""
    if not isinstance(reference, str) or not reference.startswith("$."):
        return reference
    found: Json = dict(root)
    for name in reference[2:].split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def value_at(path: str, signature: Signature, args: Sequence[object]) -> object:
    """The argument that a path leads to: `order.amount`, `to[0]`, `#.value`; raises LookupError."""
    names: Sequence[Any] = signature.inputs
    value: object = tuple(args)
    text = path.removeprefix("#.")
    if not text or text[0] in "@$":
        raise LookupError(path)
    at, components = 0, names
    while at < len(text):
        if text[at] == ".":
            at += 1
        match = STEP.match(text, at)
        if match is None or not isinstance(value, tuple):
            raise LookupError(path)
        at = match.end()
        if match[1]:
            place = place_of(match[1], components)
            value, components = value[place], components[place].components
        elif match[2]:
            value = value[int(match[2])]
    return value


def place_of(name: str, components: Sequence[Any]) -> int:
    """The place of a named part; raises LookupError."""
    for place, one in enumerate(components):
        if one.name == name:
            return place
    raise LookupError(name)


def mapping(found: Json, what: str) -> dict[str, Json]:
    """An object, or ValueError."""
    if not isinstance(found, dict):
        raise ValueError(f"{what} is no object")
    return found


def listed(found: Json, what: str, most: int) -> list[Json]:
    """A list of at most so many entries, or ValueError."""
    if not isinstance(found, list) or len(found) > most:
        raise ValueError(f"{what} is no list of at most {most} entries")
    return found
