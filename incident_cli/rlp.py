"""Ethereum's serialisation (RLP) of one list of byte strings, numbers and empty lists: all that a transaction needs.

Source: the Yellow Paper, appendix B. Reading is strict: there is one way to write a list, and every other is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

Item = int | bytes | tuple[()]
"""A number ≥ 0 (big-endian, no leading zeros), a byte string, or an empty list."""
STRING, LIST, LONG = 0x80, 0xC0, 56


def encode(items: Sequence[Item]) -> bytes:
    """The bytes of a list; a negative number raises OverflowError."""
    return headed(LIST, b"".join(encoded(one) for one in items))


def encoded(item: Item) -> bytes:
    """The bytes of one item."""
    if isinstance(item, tuple):
        return bytes([LIST])
    text = item.to_bytes((item.bit_length() + 7) // 8, "big") if isinstance(item, int) else item
    return text if len(text) == 1 and text[0] < STRING else headed(STRING, text)


def headed(kind: int, payload: bytes) -> bytes:
    """A payload behind its head: its length in the head itself, or how long the length is and the length."""
    if len(payload) < LONG:
        return bytes([kind + len(payload)]) + payload
    length = len(payload).to_bytes((len(payload).bit_length() + 7) // 8, "big")
    return bytes([kind + LONG - 1 + len(length)]) + length + payload


def decode(raw: bytes) -> list[bytes | tuple[()]]:
    """The items of a list, numbers as bytes; raises ValueError unless `encode` would write the same bytes."""
    kind, start, end = head_at(raw, 0)
    if kind != LIST or end != len(raw):
        raise ValueError("it is no list, or something follows it")
    return list(items_in(raw, start))


def items_in(raw: bytes, at: int) -> Iterator[bytes | tuple[()]]:
    """Each item of a list's payload, which begins at an offset and reaches to the end."""
    while at < len(raw):
        kind, start, end = head_at(raw, at)
        if kind == LIST and start != end:
            raise ValueError("there is a list in the list")
        yield () if kind == LIST else raw[start:end]
        at = end


def head_at(raw: bytes, at: int) -> tuple[int, int, int]:
    """The kind of the item at an offset, and where its payload begins and ends; raises ValueError."""
    first = raw[at] if at < len(raw) else LIST + LONG  # nothing there: a head whose length is missing
    if first < STRING:
        return STRING, at, at + 1
    kind = LIST if first >= LIST else STRING
    size, start = first - kind, at + 1
    if size >= LONG:
        start, length = at + 1 + size - LONG + 1, raw[at + 1 : at + 1 + size - LONG + 1]
        size = int.from_bytes(length, "big")
        if size < LONG or not length[0]:
            raise ValueError("a length is written in more bytes than it needs, or is cut off")
    end = start + size
    if end > len(raw):
        raise ValueError("it is cut off")
    if kind == STRING and size == 1 and raw[start] < STRING:
        raise ValueError("a small byte is written in more bytes than it needs")
    return kind, start, end
