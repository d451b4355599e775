"""A file in the age format by hand (age-encryption.org/v1, one scrypt recipient), with as cheap a derivation as a test
wants: the second implementation beside pyrage's."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os

from Crypto.Cipher import ChaCha20_Poly1305

CHUNK, TAG = 65_536, 16
LABEL = b"age-encryption.org/v1/scrypt"


def seal(content: bytes, passphrase: str, log_n: int = 1) -> bytes:
    """The encrypted file; its derivation takes 2^log_n steps."""
    file_key, salt, nonce = os.urandom(16), os.urandom(16), os.urandom(16)
    wrapped = chacha(wrapping_key(passphrase, salt, log_n), bytes(12), file_key)
    header = b"age-encryption.org/v1\n-> scrypt " + b64(salt) + b" %d\n" % log_n + b64(wrapped) + b"\n---"
    mac = hmac.digest(hkdf(file_key, b"", b"header"), header, "sha256")
    return header + b" " + b64(mac) + b"\n" + nonce + payload(hkdf(file_key, nonce, b"payload"), content)


def unseal(sealed: bytes, passphrase: str) -> bytes:
    """What is in an encrypted file; raises ValueError where it does not verify."""
    header, _, rest = sealed.partition(b"\n--- ")
    mac, _, body = rest.partition(b"\n")
    _, stanza, wrapped = header.split(b"\n")
    _, _, salt, log_n = stanza.split(b" ")
    file_key = opened(wrapping_key(passphrase, unb64(salt), int(log_n)), bytes(12), unb64(wrapped))
    if hmac.digest(hkdf(file_key, b"", b"header"), header + b"\n---", "sha256") != unb64(mac):
        raise ValueError("the header does not verify")
    key, chunks = hkdf(file_key, body[:16], b"payload"), body[16:]
    pieces = [chunks[at : at + CHUNK + TAG] for at in range(0, len(chunks), CHUNK + TAG)]
    return b"".join(opened(key, chunk_nonce(one, len(pieces)), piece) for one, piece in enumerate(pieces))


def payload(key: bytes, content: bytes) -> bytes:
    """The content in chunks, each sealed by itself, the last one marked."""
    pieces = [content[at : at + CHUNK] for at in range(0, len(content), CHUNK)] or [b""]
    return b"".join(chacha(key, chunk_nonce(one, len(pieces)), piece) for one, piece in enumerate(pieces))


def chunk_nonce(number: int, count: int) -> bytes:
    """The nonce of a chunk."""
    return number.to_bytes(11, "big") + bytes([number == count - 1])


def wrapping_key(passphrase: str, salt: bytes, log_n: int) -> bytes:
    """What the passphrase is stretched to."""
    return hashlib.scrypt(passphrase.encode(), salt=LABEL + salt, n=2**log_n, r=8, p=1, dklen=32, maxmem=2**30)


def hkdf(secret: bytes, salt: bytes, info: bytes) -> bytes:
    """HKDF-SHA256 to 32 bytes."""
    return hmac.digest(hmac.digest(salt or bytes(32), secret, "sha256"), info + b"\x01", "sha256")


def chacha(key: bytes, nonce: bytes, content: bytes) -> bytes:
    """Sealed, with its tag."""
    sealed, tag = ChaCha20_Poly1305.new(key=key, nonce=nonce).encrypt_and_digest(content)
    return bytes(sealed + tag)


def opened(key: bytes, nonce: bytes, content: bytes) -> bytes:
    """Opened; raises ValueError."""
    return bytes(ChaCha20_Poly1305.new(key=key, nonce=nonce).decrypt_and_verify(content[:-TAG], content[-TAG:]))


def b64(content: bytes) -> bytes:
    """Base64 without padding."""
    return base64.b64encode(content).rstrip(b"=")


def unb64(text: bytes) -> bytes:
    """The bytes of it."""
    return base64.b64decode(text + b"=" * (-len(text) % 4))
