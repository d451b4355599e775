"""Values of ABI types as the Transaction Builder writes them: texts; arrays and tuples as JSON in a text."""

from __future__ import annotations

import json
import re
from typing import Any

from incident_cli.abi import parse_signature
from incident_cli.evm import hex_bytes, parse_address, to_hex
from incident_cli.strict_json import parse_json
from incident_cli.text import plain

ARRAY = re.compile(r"(.+)\[([0-9]{0,4})\]", re.ASCII)
INTEGER = re.compile(r"u?int[0-9]{0,3}", re.ASCII)
BYTES = re.compile(r"bytes([0-9]{0,2})", re.ASCII)
WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,77})|0x[0-9a-fA-F]{1,64}", re.ASCII)
MOST_CHARACTERS = 256 * 1024
NUMBER = re.compile(r'"(?:[^"\\]|\\.)*"|-?[0-9]+(?![0-9.eExX])', re.ASCII)  # a whole number outside of a text


def shown_value(kind: str, value: object) -> str:
    """A decoded value as text; raises ValueError for a type that is not known."""
    nested = jsonable(kind, value)
    return nested if isinstance(nested, str) else json.dumps(nested, ensure_ascii=False, separators=(",", ":"))


def jsonable(kind: str, value: Any) -> Any:
    """A text, or lists of texts."""
    array = ARRAY.fullmatch(kind)
    if array:
        return [jsonable(array[1], one) for one in value]
    if kind.startswith("("):
        return [jsonable(part, one) for part, one in zip(parts_of(kind), value, strict=True)]
    if isinstance(value, bytes):
        return to_hex(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def value_of(kind: str, text: object) -> object:
    """A value of a type from what the file holds; raises ValueError saying what is wrong."""
    if isinstance(text, str) and len(text) > MOST_CHARACTERS:
        raise ValueError("a value is too long")
    array = ARRAY.fullmatch(kind)
    if array or kind.startswith("("):
        items = listed(kind, text)
        kinds = [array[1]] * len(items) if array else parts_of(kind)
        wanted = len(kinds) if not array or not array[2] else int(array[2])
        if len(items) != wanted:
            raise ValueError(f"{kind} has {wanted} values, not {len(items)}")
        return tuple(value_of(part, one) for part, one in zip(kinds, items, strict=True))
    return single(kind, text)


def listed(kind: str, text: object) -> list[Any]:
    """The items of an array or a tuple, given as a list or as JSON in a text; its numbers may stand without quotes."""
    found = text
    if isinstance(text, str):
        try:
            found = parse_json(NUMBER.sub(quoted, text).encode("utf-8", "replace"))
        except ValueError:
            found = None
    if not isinstance(found, list):
        raise ValueError(f"a value of {kind} is a JSON list, not {plain(text, 60)!r}")
    return found


def quoted(match: re.Match[str]) -> str:
    """A number as a text: JSON's numbers lose digits elsewhere, so none is read as one."""
    return match[0] if match[0].startswith('"') else f'"{match[0]}"'


def single(kind: str, value: object) -> object:
    """A value of a type that has no parts; raises ValueError."""
    text = str(value).lower() if isinstance(value, bool) else str(value) if isinstance(value, int) else value
    if not isinstance(text, str):
        raise ValueError(f"a value of {plain(kind, 60)} is a text, not {plain(value, 60)!r}")
    if kind == "address":
        return parse_address(text)
    if kind == "bool":
        return boolean(text)
    if kind == "string":
        return text
    if INTEGER.fullmatch(kind):
        return whole(text)
    sized = BYTES.fullmatch(kind)
    if sized is None:
        raise ValueError(f"the type {plain(kind, 60)} is not known")
    found = hex_bytes(text)
    if sized[1] and len(found) != int(sized[1]):
        raise ValueError(f"{kind} has {sized[1]} bytes, not {len(found)}")
    return found


def boolean(text: str) -> bool:
    """`true` or `false`, and nothing that merely looks like it."""
    found = {"true": True, "false": False}.get(text.strip().lower())
    if found is None:
        raise ValueError(f"a bool is true or false, not {plain(text, 40)!r}")
    return found


def whole(text: str) -> int:
    """A whole number, decimal or 0x hex."""
    if not WHOLE.fullmatch(text):
        raise ValueError(f"{plain(text, 90)!r} is no whole number")
    return int(text, 16) if text.startswith("0x") else int(text)


def canonical_type(kind: str) -> str:
    """The canonical form of one ABI type: `uint` and `int` are 256 bits wide, in tuples and arrays too.

    Raises ValueError where it is no type of the ABI (`byte`, `uint07`), or of `fixed` and `function`.
    """
    try:
        (found,) = parse_signature(f"f({kind})").inputs
    except ValueError:  # also where there are two, or none
        raise ValueError(f"the type {plain(kind, 60)!r} is not known") from None
    if found.name or " " in kind or "function" in found.type:
        raise ValueError(f"the type {plain(kind, 60)!r} is not known")
    return found.type


def parts_of(kind: str) -> list[str]:
    """The types of a tuple's parts: `(uint256,(bool,bool)[])` gives two; raises ValueError."""
    return parse_signature(f"f{kind}").input_types
