"""Owners' signatures of a Safe transaction: recognised, recovered, packed and checked as the contract does.

A signature is 65 bytes, `r ‖ s ‖ v`. v 27 and 28: ECDSA over the safeTxHash; 31 and 32: over the personal message
of it (eth_sign); 1: no signature at all, but an approval that must stand on chain; 0: a contract's (EIP-1271), whose
r is the owner, s the offset of a length word and that many bytes, behind the signatures. By itself such a signature is
kept as if it were packed alone: its data follow at offset 65. Only the chain can verify it, by a simulation.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal

from incident_cli import curve
from incident_cli.errors import Misused, Refused
from incident_cli.evm import BYTES32, Address, checksummed, keccak
from incident_cli.text import plain

LENGTH = 65
WORD = 32
CONTRACT = 0
CONTRACT_DATA_LIMIT = 64 * 1024
PRE_VALIDATED = 1
ECDSA = (27, 28)
ETH_SIGN = (31, 32)
PERSONAL_MESSAGE = b"\x19Ethereum Signed Message:\n32"
Kind = Literal["ecdsa", "eth-sign", "contract", "approved-hash"]


def recover(safe_tx_hash: str, signature: bytes) -> Address:
    """Who signed. For v = 1 the owner it claims to stand for: the approval itself must be read from the chain."""
    digest = hash_bytes(safe_tx_hash)
    if len(signature) != LENGTH:
        raise Refused(f"a signature has {LENGTH} bytes, this has {len(signature)}", "Ask the owner to sign again.")
    v = signature[64]
    if v == PRE_VALIDATED:
        return claimed_owner(signature)
    if v in ECDSA:
        return recover_ecdsa(digest, signature, v)
    if v in ETH_SIGN:
        return recover_ecdsa(keccak(PERSONAL_MESSAGE + digest), signature, v - 4)
    if v == 0:
        raise Refused(
            "a contract's signature (EIP-1271) cannot be verified here",
            "Simulate execTransaction with it, or let that owner approve the hash on chain.",
        )
    raise Refused(f"a signature with v = {v} is of no known kind", "Known are 27, 28, 31, 32 and 1.")


def hash_bytes(safe_tx_hash: str) -> bytes:
    """The 32 bytes of a 0x-hex hash, or Misused."""
    if not BYTES32.fullmatch(safe_tx_hash):
        raise Misused(f"{plain(safe_tx_hash, 80)} is no safeTxHash", "It is 0x and 64 hex digits.")
    return bytes.fromhex(safe_tx_hash[2:])


def claimed_owner(signature: bytes) -> Address:
    """The owner that a pre-validated or a contract's signature names."""
    if any(signature[:12]):
        raise Refused("the signature names no address", "Ask the owner to approve or sign again.")
    return checksummed(signature[12:32])


def recover_ecdsa(digest: bytes, signature: bytes, v: int) -> Address:
    """The signer of a digest; v is 27 or 28."""
    if not any(signature[:32]) or not any(signature[32:64]):
        raise Refused("the signature is empty", "Ask the owner to sign again.")
    try:
        return curve.recover(digest, signature[:64], v - 27)
    except ValueError as problem:
        raise Refused(f"the signature is not valid: {problem}", "Ask the owner to sign again.") from problem


def pre_validated(owner: Address) -> bytes:
    """The stand-in for an owner who approved the hash on chain, or who sends execTransaction."""
    return bytes.fromhex(owner[2:]).rjust(32, b"\0") + bytes(32) + bytes([PRE_VALIDATED])


def kind_of(signature: bytes) -> Kind:
    """What a signature is, by its v; raises Refused for what no Safe takes."""
    v = signature[64] if len(signature) >= LENGTH else None
    if v == CONTRACT:
        return "contract"
    kinds: dict[int, Kind] = {PRE_VALIDATED: "approved-hash"}
    kinds |= dict.fromkeys(ECDSA, "ecdsa")
    kinds |= dict.fromkeys(ETH_SIGN, "eth-sign")
    if v not in kinds or len(signature) != LENGTH:
        raise Refused(
            f"a signature of {len(signature)} bytes with v = {v} is of no known kind",
            "Known are 65 bytes with v 27, 28, 31, 32 and 1, and a contract's with v 0 and its data.",
        )
    return kinds[v]


def owner_of(safe_tx_hash: str, signature: bytes) -> Address:
    """Whose signature it is: recovered, or (v = 1 and v = 0) whose it claims to be, for the chain to confirm."""
    if kind_of(signature) == "contract":
        contract_data(signature)
        return claimed_owner(signature)
    return recover(safe_tx_hash, signature)


def contract_signature(owner: Address, data: bytes) -> bytes:
    """A contract owner's signature (EIP-1271), as it is kept by itself; `data` is what that contract verifies."""
    return contract_head(owner, LENGTH) + tail_of(data)


def contract_head(owner: Address, offset: int) -> bytes:
    """The 65 bytes of a contract's signature whose data stand at an offset."""
    return bytes.fromhex(owner[2:]).rjust(WORD, b"\0") + offset.to_bytes(WORD, "big") + bytes([CONTRACT])


def tail_of(data: bytes) -> bytes:
    """A length word and the data, as they stand behind all signatures."""
    return len(data).to_bytes(WORD, "big") + data


def contract_data(signature: bytes) -> bytes:
    """The data of a contract's signature that is kept by itself; raises Refused where it is not well formed.

    Zeros that fill the last word are no part of it: an ABI encoder leaves them there.
    """
    if int.from_bytes(signature[WORD : 2 * WORD], "big") != LENGTH:
        raise bad_contract_signature("its data do not begin right behind it")
    found, end = data_at(signature, LENGTH)
    if len(signature) - end >= WORD or any(signature[end:]):
        raise bad_contract_signature("something follows its data")
    return found


def data_at(packed: bytes, offset: int) -> tuple[bytes, int]:
    """The data at an offset, and where they end; raises Refused where they lie outside."""
    start = offset + WORD
    length = int.from_bytes(packed[offset:start], "big")
    if start > len(packed) or start + length > len(packed):
        raise bad_contract_signature("its data lie outside of it")
    if length > CONTRACT_DATA_LIMIT:
        raise bad_contract_signature(f"its data are longer than {CONTRACT_DATA_LIMIT} bytes")
    return packed[start : start + length], start + length


def bad_contract_signature(why: str) -> Refused:
    """The failure of a contract's signature."""
    return Refused(f"a contract's signature (EIP-1271) is not well formed: {why}", "Ask for that signature again.")


def pack(signatures: Mapping[Address, bytes]) -> bytes:
    """The signatures one after the other, by owner ascending, then the data of contracts' signatures.

    The contract reverts on any other order. Raises Refused for a signature that is not well formed, and for a
    contract's that names another owner than it is given for.
    """
    owners = sorted(signatures, key=number_of)
    heads, tails = b"", b""
    for owner in owners:
        signature = signatures[owner]
        if kind_of(signature) != "contract":
            heads += signature
            continue
        data = contract_data(signature)
        if claimed_owner(signature) != owner:
            raise bad_contract_signature(f"it is {claimed_owner(signature)}'s, not {owner}'s")
        heads += contract_head(owner, len(owners) * LENGTH + len(tails))
        tails += tail_of(data)
    return heads + tails


def unpack(packed: bytes) -> tuple[bytes, ...]:
    """The signatures in what `pack` (or anybody) packed, each as it is kept by itself; raises Refused.

    How many there are is nowhere written: the first data of a contract's signature begin where the heads end.
    """
    found: list[bytes] = []
    at, end = 0, len(packed)
    while at < end:
        head = packed[at : at + LENGTH]
        if at + LENGTH > end:
            raise Refused(f"{len(packed)} bytes are no whole number of signatures", "Pack them again.")
        if kind_of(head) == "contract":
            offset = int.from_bytes(head[WORD : 2 * WORD], "big")
            if offset < at + LENGTH:
                raise bad_contract_signature("it points into the signatures")
            data, _ = data_at(packed, offset)
            found.append(contract_signature(claimed_owner(head), data))
            end = min(end, offset)
        else:
            found.append(head)
        at += LENGTH
    return tuple(found)


def number_of(owner: Address) -> int:
    """An address as the contract compares it."""
    return int(owner, 16)


def check(
    safe_tx_hash: str,
    packed: bytes,
    owners: Collection[Address],
    threshold: int,
    approved: Collection[Address] = (),
) -> tuple[Address, ...]:
    """The signers, once the contract would accept them; else Refused with the reason.

    `approved` are the owners whose approval of this hash was read from the chain (or who will send execTransaction):
    a pre-validated signature counts for them only, since anybody can write one.
    """
    if threshold < 1:
        raise Refused(f"a threshold of {threshold} guards nothing", "Read the Safe's threshold again.")
    if len(packed) % LENGTH:
        raise Refused(f"{len(packed)} bytes are no whole number of signatures", "Pack them again.")
    pieces = [packed[at : at + LENGTH] for at in range(0, len(packed), LENGTH)]
    signers = tuple(recover(safe_tx_hash, piece) for piece in pieces)
    for signer, piece in zip(signers, pieces, strict=True):
        check_signer(signer, piece, owners, approved)
    check_order(signers)
    if len(signers) < threshold:
        raise Refused(f"{len(signers)} of {threshold} signatures", "Collect the others before executing.")
    return signers


def check_signer(signer: Address, signature: bytes, owners: Collection[Address], approved: Collection[Address]) -> None:
    """An owner, and one whose approval really stands."""
    if signer not in owners:
        raise Refused(
            f"{signer} signed, and is no owner of the Safe",
            "The signature may be for another transaction: compare the safeTxHash that was signed.",
        )
    if signature[64] == PRE_VALIDATED and signer not in approved:
        raise Refused(
            f"no approval by {signer} was read from the chain",
            "Anybody can write a pre-validated signature: read approvedHashes, or send the transaction as that owner.",
        )


def check_order(signers: tuple[Address, ...]) -> None:
    """Strictly ascending, which also excludes signing twice."""
    numbers = [number_of(one) for one in signers]
    if len(set(numbers)) != len(numbers):
        raise Refused("an owner's signature is there twice", "One owner counts once.")
    if numbers != sorted(numbers):
        raise Refused("the signatures are not sorted by owner", "The Safe reverts on any other order: pack them again.")
