"""Values of ABI types as a test writes them: numbers, true, hex, an address by its slot, a market by its name."""

from __future__ import annotations

import re
from decimal import Decimal

from incident_cli.binding import did_you_mean, parse_boolean
from incident_cli.document import Items, Node, Place, Text
from incident_cli.evm import ADDRESS, hex_bytes, parse_address
from incident_cli.protocols.review import INTEGER_TYPE
from incident_cli.runbook.bind import Bound
from incident_cli.runbook.series import Number, Series, parse_numbers, parse_words, whole

ARRAY = re.compile(r"(?P<base>.+)\[(?P<size>[0-9]*)\]")
LISTED = re.compile(r"\[(?P<items>[^\[\]]*)\]")
FIXED_BYTES = re.compile(r"bytes([0-9]{1,2})")
NOTED = "noted"


class NoValue(Exception):
    """What stands here gives no value: a problem for the document, or one that has been noted already."""

    def __init__(self, place: Place, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.place, self.code, self.hint = place, code, hint

    @classmethod
    def noted(cls) -> NoValue:
        """The problem is in the document."""
        return cls(Place(0, 0), NOTED, "")


def number_kind(kind: str) -> bool:
    """Whether an ABI type is a whole number."""
    return bool(INTEGER_TYPE.fullmatch(kind))


def series_of(kind: str, text: str, bound: Bound) -> Series:
    """A series of values of an ABI type; raises SeriesError."""
    if number_kind(kind):
        return parse_numbers(text, within(kind))
    if kind == "string":
        return Series((text,), constant=True)
    return parse_words(text, lambda word: parse_value(kind, word, bound))


def within(kind: str) -> Number:
    """A whole number that fits the type; the function raises ValueError."""
    bits = int(kind.lstrip("uint"))
    low, high = (0, 2**bits - 1) if kind.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)

    def finish(value: Decimal) -> int:
        found = whole(value)
        if not low <= found <= high:
            raise ValueError(f"{found} is no {kind}")
        return found

    return finish


def parse_value(kind: str, word: str, bound: Bound) -> object:
    """One value; raises ValueError. An array of values is written `[1,2]`, without spaces."""
    if number_kind(kind):
        return one_number(kind, word)
    if kind == "bool":
        return parse_boolean(word)
    if kind == "address":
        return address_of(word, bound)
    if kind == "bytes32" and word in bound.markets:
        return bound.markets[word].id
    if kind == "string":
        return word
    array, items = ARRAY.fullmatch(kind), LISTED.fullmatch(word)
    if array is not None and items is not None:
        return tuple(parse_value(array["base"], one, bound) for one in items["items"].split(",") if items["items"])
    size = FIXED_BYTES.fullmatch(kind)
    if size is None and kind != "bytes":
        raise ValueError(f"{kind} is given as a list, or as a series of [1,2]x3 [5]")
    found = hex_bytes(word)
    if size is not None and len(found) != int(size.group(1)):
        raise ValueError(f"{kind} has {size.group(1)} bytes, this has {len(found)}")
    return found


def one_number(kind: str, word: str) -> object:
    """A single number of an ABI type; raises ValueError."""
    found = parse_numbers(word, within(kind))
    if not found.constant:
        raise ValueError(f"one number is needed here, {word} is a series")
    return found.values[0]


def address_of(word: str, bound: Bound) -> str:
    """An address: written out, or a slot's (`council`, `governance.proposer`); raises ValueError."""
    if ADDRESS.fullmatch(word):
        return parse_address(word)
    slot, dot, name = word.partition(".")
    if slot not in bound.slots:
        raise ValueError(f"{word!r} is neither an address nor a slot{did_you_mean(slot, bound.slots)}")
    addresses = bound.slots[slot].addresses
    if dot and name not in addresses:
        raise ValueError(f"the slot {slot} has no address {name!r}: {', '.join(addresses)}")
    return addresses[name] if dot else next(iter(addresses.values()))


def constant_of(kind: str, node: Node, bound: Bound) -> object:
    """A value that never changes: an array or a tuple as a list, anything else as a scalar; raises NoValue."""
    array = ARRAY.fullmatch(kind)
    if isinstance(node, Items) and array is not None:
        return tuple(constant_of(array["base"], one, bound) for one in node.items)
    if isinstance(node, Items) and kind.startswith("("):
        kinds = parts_of(kind)
        if len(kinds) == len(node.items):
            return tuple(constant_of(one, item, bound) for one, item in zip(kinds, node.items, strict=True))
    if not isinstance(node, Text):
        raise NoValue(node.place, "wrong-type", f"{kind} is needed here")
    try:
        return parse_value(kind, node.value, bound)
    except ValueError as problem:
        raise NoValue(node.place, "bad-value", f"{node.value!r} is no {kind}: {problem}") from problem


def parts_of(kind: str) -> list[str]:
    """The types of a tuple: `(uint256,(bool,address))` has two."""
    parts, depth = [""], 0
    for character in kind[1:-1]:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts
