"""Calldata read as an encoder writes them, and no other way: what is shown is then all that there is.

A lenient decoder follows every offset, so the same arguments have many encodings, some with bytes in between that
nobody sees, and a few kilobytes may unfold into gigabytes. Here each dynamic value must begin where the one before
ended, with zero padding: one encoding for each value, read in one pass from left to right.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

from incident_cli.abi import Signature, one_word

WORD = 32
ALIASES = {"function": "bytes24"}


class NotCanonical(ValueError):
    """The bytes are not what an encoder writes for these types; the message says where."""


def decode_arguments(signature: Signature, data: bytes) -> tuple[tuple[object, ...], int]:
    """The arguments in calldata of a function, and how many bytes follow them; raises NotCanonical."""
    if data[:4] != signature.selector:
        raise NotCanonical(f"the calldata are no call of {signature.canonical}")
    values, end = decode_sequence(signature.input_types, data[4:], 0)
    return values, len(data) - 4 - end


def decode_exactly(signature: Signature, data: bytes) -> tuple[object, ...]:
    """The arguments in calldata of a function, after which nothing follows; raises NotCanonical."""
    values, extra = decode_arguments(signature, data)
    if extra:
        raise NotCanonical(f"{extra} bytes follow the arguments of {signature.name}")
    return values


def decode_sequence(types: Sequence[str], data: bytes, base: int) -> tuple[tuple[object, ...], int]:
    """The values of a tuple that begins at `base`, and where it ends."""
    sizes = [WORD if is_dynamic(one) else static_size(one) for one in types]
    tail = base + sum(sizes)
    if tail > len(data):
        raise NotCanonical(f"the data end after {len(data)} bytes, {tail} are needed")
    values: list[object] = []
    at = base
    for kind, size in zip(types, sizes, strict=True):
        if is_dynamic(kind):
            if read_number(data, at) != tail - base:
                raise NotCanonical(f"the offset at byte {at} does not lead to where the value must begin")
            value, tail = decode_dynamic(kind, data, tail)
        else:
            value = decode_static(kind, data, at)
        values.append(value)
        at += size
    return tuple(values), tail


def decode_dynamic(kind: str, data: bytes, at: int) -> tuple[object, int]:
    """A value of a dynamic type at `at`, and where it ends."""
    if kind in ("bytes", "string"):
        return decode_bytes(kind, data, at)
    if not kind.endswith("]"):
        return decode_sequence(parts_of(kind), data, at)
    element, size = element_of(kind)
    if size is not None:
        return decode_sequence(repeated(element, size, len(data) - at), data, at)
    count = read_number(data, at)
    return decode_sequence(repeated(element, count, len(data) - at - WORD), data, at + WORD)


def repeated(element: str, count: int, room: int) -> list[str]:
    """The types of `count` elements, which must have room: a count is never believed before."""
    size = WORD if is_dynamic(element) else static_size(element)
    if size == 0 or count * size > room:
        raise NotCanonical(f"an array says it has {count} elements, more than there are bytes")
    return [element] * count


def decode_bytes(kind: str, data: bytes, at: int) -> tuple[object, int]:
    """`bytes` or `string`: a length, the bytes, zeros up to a whole word."""
    length, start = read_number(data, at), at + WORD
    end = start + length + -length % WORD
    if end > len(data):
        raise NotCanonical(f"a value at byte {at} says it has {length} bytes, more than there are")
    content = data[start : start + length]
    if any(data[start + length : end]):
        raise NotCanonical(f"the padding after byte {start + length} is not zero")
    if kind == "bytes":
        return content, end
    try:
        return content.decode(), end
    except UnicodeDecodeError as problem:
        raise NotCanonical(f"the text at byte {start} is not UTF-8") from problem


def decode_static(kind: str, data: bytes, at: int) -> object:
    """A value of a static type; the room for it was checked."""
    if kind.endswith("]"):
        element, size = element_of(kind)
        step = static_size(element)
        return tuple(decode_static(element, data, at + step * place) for place in range(size or 0))
    if kind.startswith("("):
        values: list[object] = []
        for part in parts_of(kind):
            values.append(decode_static(part, data, at))
            at += static_size(part)
        return tuple(values)
    codec = one_word(ALIASES.get(kind, kind))
    value = None if codec is None else codec[1](data[at : at + WORD])
    if value is None:
        raise NotCanonical(f"the word at byte {at} is no {kind}")
    return value


def read_number(data: bytes, at: int) -> int:
    """The word at `at` as a whole number."""
    if at + WORD > len(data):
        raise NotCanonical(f"the data end after {len(data)} bytes, within a word")
    return int.from_bytes(data[at : at + WORD], "big")


@functools.cache
def is_dynamic(kind: str) -> bool:
    """Whether a type's size depends on its value."""
    if kind.endswith("]"):
        element, size = element_of(kind)
        return size is None or is_dynamic(element)
    return kind in ("bytes", "string") or any(is_dynamic(part) for part in parts_of(kind))


@functools.cache
def static_size(kind: str) -> int:
    """The bytes of a static type."""
    if kind.endswith("]"):
        element, size = element_of(kind)
        return static_size(element) * (size or 0)
    return sum(static_size(part) for part in parts_of(kind)) if kind.startswith("(") else WORD


def element_of(kind: str) -> tuple[str, int | None]:
    """The type of an array's elements, and how many it has (None: it says so itself)."""
    element, _, size = kind[:-1].rpartition("[")
    return element, int(size) if size else None


@functools.cache
def parts_of(kind: str) -> tuple[str, ...]:
    """The types within a tuple; none for any other type."""
    if not kind.startswith("(") or kind == "()":
        return ()
    parts, depth, start = [], 0, 1
    for place, character in enumerate(kind):
        depth += (character == "(") - (character == ")")
        if (character == "," and depth == 1) or (character == ")" and depth == 0):
            parts.append(kind[start:place])
            start = place + 1
    return tuple(parts)
