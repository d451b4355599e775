"""Several calls as one Safe transaction: through MultiSendCallOnly, encoded plainly and decoded strictly.

An entry of `multiSend(bytes)` is packed: operation (1 byte), to (20), value (32), data length (32), data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from incident_cli.errors import Misused, Refused
from incident_cli.evm import Address, Call, checksummed
from incident_cli.safe.contracts import RELEASES
from incident_cli.safe.hashes import number_word
from incident_cli.safe.transaction import CALL, DELEGATECALL, SafeTx
from incident_cli.text import plain

MULTI_SEND_SELECTOR = bytes.fromhex("8d80ff0a")  # multiSend(bytes)
HEAD = 1 + 20 + 32 + 32
DEPTH_LIMIT = 4


class BatchError(ValueError):
    """The data are no well-formed `multiSend(bytes)`; the message says where."""


@dataclass(frozen=True, slots=True)
class InnerCall:
    """One entry of a batch, as it stands in the bytes; `inner` holds its own entries where it is a batch itself."""

    operation: int
    to: Address
    value: int
    data: bytes
    inner: tuple[InnerCall, ...] = ()


Within = Callable[[bytes], tuple[InnerCall, ...]]


def fold(
    calls: Sequence[Call | InnerCall],
    *,
    chain_id: int,
    safe: Address,
    version: str,
    nonce: int,
    multisend: Address | None = None,
) -> SafeTx:
    """One call as itself; several in one transaction through MultiSendCallOnly. Only to, value and data are taken.

    `multisend` overrides the version's canonical address, for a chain that has only the EIP-155 one.
    """
    if not calls:
        raise Misused("there is no call to propose", "Every call may already have taken effect: read the chain.")
    if len(calls) == 1:
        to, value, data, operation = calls[0].to, calls[0].value, calls[0].data, CALL
    else:
        to, value, operation = multisend or canonical_multisend(version), 0, DELEGATECALL
        data = encode_batch([InnerCall(CALL, one.to, one.value, one.data) for one in calls])
    return SafeTx(
        chain_id=chain_id,
        safe=safe,
        version=version,
        to=to,
        value=value,
        data=data,
        operation=operation,
        nonce=nonce,
    )


def rejection(*, chain_id: int, safe: Address, version: str, nonce: int) -> SafeTx:
    """The empty call to the Safe itself that uses up a nonce: how a proposal at that nonce is revoked."""
    return SafeTx(
        chain_id=chain_id, safe=safe, version=version, to=safe, value=0, data=b"", operation=CALL, nonce=nonce
    )


def canonical_multisend(version: str) -> Address:
    """MultiSendCallOnly of a Safe version; raises Refused where there is none."""
    release = RELEASES.get(version.removesuffix("+L2"))
    if release is None:
        raise Refused(
            f"no canonical MultiSendCallOnly is known for a Safe {plain(version, 40)}",
            f"Known are {', '.join(RELEASES)}. Propose one call at a time, or upgrade the Safe.",
        )
    return release.multisend_call_only[0]


def encode_batch(entries: Sequence[InnerCall]) -> bytes:
    """Calldata of `multiSend(bytes)`."""
    packed = b"".join(encode_entry(one) for one in entries)
    padding = bytes(-len(packed) % 32)
    return MULTI_SEND_SELECTOR + number_word(32) + number_word(len(packed)) + packed + padding


def encode_entry(entry: InnerCall) -> bytes:
    """One packed entry."""
    head = entry.operation.to_bytes(1, "big") + bytes.fromhex(entry.to[2:]) + number_word(entry.value)
    return head + number_word(len(entry.data)) + entry.data


def is_batch(data: bytes) -> bool:
    """Whether calldata name `multiSend(bytes)`."""
    return data[:4] == MULTI_SEND_SELECTOR


def entries_of(data: bytes) -> tuple[InnerCall, ...]:
    """The entries of `multiSend(bytes)`, those within them left as they are; raises BatchError as decode_batch does."""
    return entries(data, lambda _: ())


def decode_batch(data: bytes, depth: int = 0) -> tuple[InnerCall, ...]:
    """The entries of `multiSend(bytes)`; raises BatchError for anything but the one canonical encoding."""
    if depth >= DEPTH_LIMIT:
        raise BatchError(f"batches nested {DEPTH_LIMIT} deep or more")
    return entries(data, lambda inner: decode_batch(inner, depth + 1) if is_batch(inner) else ())


def entries(data: bytes, within: Within) -> tuple[InnerCall, ...]:
    """The entries of `multiSend(bytes)`, each with what `within` reads in its data."""
    packed = unwrap(data)
    found: list[InnerCall] = []
    at = 0
    while at < len(packed):
        entry, at = decode_entry(packed, at, within)
        found.append(entry)
    if not found:
        raise BatchError("a batch without a call")
    return tuple(found)


def unwrap(data: bytes) -> bytes:
    """The bytes argument; its offset, its padding and its end must be as an encoder writes them."""
    if not is_batch(data):
        raise BatchError("the function is not multiSend(bytes)")
    if data[4:36] != number_word(32):
        raise BatchError("the offset of the argument is not 32")
    if len(data) < 68:
        raise BatchError("the calldata end before the length of the argument")
    length = int.from_bytes(data[36:68], "big")
    if len(data) != 68 + length + (-length % 32):
        raise BatchError(f"the argument says {length} bytes, and the calldata have {len(data)} in all")
    if any(data[68 + length :]):
        raise BatchError("the padding after the argument is not zero")
    return data[68 : 68 + length]


def decode_entry(packed: bytes, at: int, within: Within) -> tuple[InnerCall, int]:
    """The entry at an offset, and where the next one begins."""
    head = packed[at : at + HEAD]
    if len(head) < HEAD:
        raise BatchError(f"{len(head)} bytes at offset {at} are too few for a call")
    value, length = int.from_bytes(head[21:53], "big"), int.from_bytes(head[53:85], "big")
    end = at + HEAD + length
    if end > len(packed):
        raise BatchError(f"the call at offset {at} says {length} bytes of data, more than there are")
    data = packed[at + HEAD : end]
    return InnerCall(head[0], checksummed(head[1:21]), value, data, within(data)), end
