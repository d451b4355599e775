"""Signatures on secp256k1: by libsecp256k1 (coincurve) where it is installed, by pure Python (eth_keys) elsewhere.

Both roads give the same bytes: nonces by RFC 6979 with SHA-256, low s. coincurve is asked directly, for eth_keys brings
pydantic and half of a start. What is given is examined here, so that no library ever complains with a key in its hand.
"""

from __future__ import annotations

from functools import cache
from typing import Protocol

from incident_cli.evm import Address, checksummed, keccak

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
WORD = 32


class Road(Protocol):
    """One implementation. What it is given has been examined: numbers below the order, a digest reduced by it."""

    def public(self, private: bytes) -> bytes:
        """64 bytes x ‖ y of the public key."""

    def sign(self, private: bytes, digest: bytes) -> bytes:
        """65 bytes r ‖ s ‖ parity."""

    def recover(self, digest: bytes, signature: bytes) -> bytes:
        """64 bytes x ‖ y of the public key that signed, from r ‖ s ‖ parity; raises where there is none."""


class Native:
    """libsecp256k1."""

    def public(self, private: bytes) -> bytes:
        from coincurve import PrivateKey

        return bytes(PrivateKey(private).public_key.format(compressed=False)[1:])

    def sign(self, private: bytes, digest: bytes) -> bytes:
        from coincurve import PrivateKey

        return bytes(PrivateKey(private).sign_recoverable(digest, hasher=None))

    def recover(self, digest: bytes, signature: bytes) -> bytes:
        from coincurve import PublicKey

        found = PublicKey.from_signature_and_message(signature, digest, hasher=None)
        return bytes(found.format(compressed=False)[1:])


class Portable:
    """eth_keys in pure Python; the backend is named, since eth_keys reads the environment for it otherwise."""

    def public(self, private: bytes) -> bytes:
        from eth_keys import keys
        from eth_keys.backends.native import NativeECCBackend

        return bytes(keys.PrivateKey(private, backend=NativeECCBackend()).public_key.to_bytes())

    def sign(self, private: bytes, digest: bytes) -> bytes:
        from eth_keys import keys
        from eth_keys.backends.native import NativeECCBackend

        return bytes(keys.PrivateKey(private, backend=NativeECCBackend()).sign_msg_hash(digest).to_bytes())

    def recover(self, digest: bytes, signature: bytes) -> bytes:
        from eth_keys import keys
        from eth_keys.backends.native import NativeECCBackend

        signed = keys.Signature(signature, backend=NativeECCBackend())
        return bytes(signed.recover_public_key_from_msg_hash(digest).to_bytes())


@cache
def installed() -> Road:
    """The quicker road that this Python has."""
    try:
        import coincurve  # noqa: F401
    except ImportError:
        return Portable()
    return Native()


def address_of(private: bytes) -> Address:
    """Whose key these 32 bytes are; raises ValueError where they are no key."""
    check_key(private)
    return address_at(installed().public(private))


def sign(private: bytes, digest: bytes) -> bytes:
    """65 bytes r ‖ s ‖ v over a 32-byte digest: deterministic (RFC 6979), low s, v 27 or 28; raises ValueError."""
    check_key(private)
    signed = installed().sign(private, reduced(digest))
    return signed[:64] + bytes([27 + signed[64]])


def recover(digest: bytes, signature: bytes, parity: int) -> Address:
    """Who signed a 32-byte digest, from 64 bytes r ‖ s and the parity (0 or 1); raises ValueError where nobody can."""
    halves = (signature[:WORD], signature[WORD:])
    if len(signature) != 2 * WORD or parity not in (0, 1) or not all(is_below_order(one) for one in halves):
        raise ValueError("r, s or the parity is out of range")
    words = (reduced(digest), signature + bytes([parity]))
    try:
        public = installed().recover(*words)
    except Exception:  # each library has an error of its own, and coincurve's is Exception itself
        raise ValueError("no key can have given this signature") from None
    return address_at(public)


def address_at(public: bytes) -> Address:
    """The address of a public key, x ‖ y."""
    return checksummed(keccak(public)[12:])


def check_key(private: bytes) -> None:
    """Raises ValueError, which does not hold it, where it is no private key."""
    if len(private) != WORD or not is_below_order(private):
        raise ValueError("a private key is a number of 32 bytes below the order of the curve, and not zero")


def is_below_order(number: bytes) -> bool:
    """Whether a big-endian number lies between zero and the order, both excluded."""
    return 0 < int.from_bytes(number, "big") < ORDER


def reduced(digest: bytes) -> bytes:
    """The digest modulo the order, as RFC 6979 wants it: libsecp256k1 does not reduce it before it makes the nonce."""
    if len(digest) != WORD:
        raise ValueError(f"a digest has {WORD} bytes, this has {len(digest)}")
    return (int.from_bytes(digest, "big") % ORDER).to_bytes(WORD, "big")
