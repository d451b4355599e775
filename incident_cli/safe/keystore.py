"""A key in an encrypted file (Web3 Secret Storage, version 3), read without the libraries that take half a second.

The passphrase is asked for when something is to be signed, never before. Neither it nor the key is in a repr, a copy,
a pickle or the frames of an exception: whatever goes wrong while they are in memory is raised anew without its trace.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import stat
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn, TypeVar

from incident_cli.curve import address_of, is_below_order, sign
from incident_cli.errors import IncidentError, Misused, Refused
from incident_cli.evm import Address, checksummed, keccak
from incident_cli.outgoing import Outgoing
from incident_cli.safe.files import guarded, read_json
from incident_cli.safe.typed_data import TypedData
from incident_cli.strict_json import Json
from incident_cli.text import plain

Found = TypeVar("Found")
Passphrases = Callable[[int], bytes | None]
"""The passphrase of an attempt (0, 1, …), or None where there will be none."""
CAP_BYTES = 65_536
MOST_MEMORY = 2**30  # bytes that scrypt may take: four times what geth and eth_account write
MOST_WORK = 2**25  # n · r · p: sixteen times what they write, some 20 s
MOST_ROUNDS = 10_000_000  # of pbkdf2
LEAST_WORK = 4_096 * 8 * 6  # n · r · p of geth's light form: what takes less is warned of
LEAST_ROUNDS = 100_000  # of pbkdf2: under half of what geth writes
ATTEMPTS = 3
HINT = "A keystore is the encrypted JSON file (version 3) that geth, eth_account or a wallet's export writes."


class WrongPassphrase(Refused):
    """The passphrase does not open the keystore."""


class KeystoreSigner:
    """Signs with the key of a file. `passphrases` is asked each time, unless the signer is `unlocked`.

    The file is read at once (Misused where it is no keystore), decrypted only when something is signed or, where the
    file does not name its address, when that is wanted.
    """

    __slots__ = ("_address", "_key", "_lock", "_passphrases", "_sealed", "_users", "path", "warning")
    kind = "keystore"

    def __init__(self, path: Path, passphrases: Passphrases) -> None:
        self.path = path
        self._sealed = read_keystore(path)
        self.warning = "; ".join(filter(None, (warning_about(path), weakness_of(self._sealed))))
        self._passphrases = passphrases
        self._address = named_address(path, self._sealed)
        self._key = bytearray()
        self._lock, self._users = threading.Lock(), 0

    def __repr__(self) -> str:
        return f"KeystoreSigner({plain(self.path)!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signer is not copied")

    @property
    def address(self) -> Address:
        """As the file names it; where it does not, the passphrase is asked for."""
        if self._address is None:
            with self.unlocked():
                pass
        assert self._address is not None, "unlocking finds it"
        return self._address

    @contextmanager
    def unlocked(self) -> Iterator[None]:
        """Several signatures by one passphrase, by several threads too: the key is wiped when the last one leaves."""
        with self._lock:
            if not self._users:
                without_traces(self._open)
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if not self._users:
                    wipe(self._key)

    def sign_typed_data(self, data: TypedData) -> bytes:
        """65 bytes, low s, v 27 or 28; raises Refused where no passphrase opens the file."""
        return self._signed(data.digest)

    def sign_transaction(self, outgoing: Outgoing) -> bytes:
        """The raw transaction; raises as `sign_typed_data`."""
        return outgoing.signed(self._signed(outgoing.digest()))

    def _signed(self, digest: bytes) -> bytes:
        with self.unlocked():
            return without_traces(lambda: sign(bytes(self._key), digest))

    def _open(self) -> None:
        """Ask until a passphrase opens the file, three times at most."""
        for attempt in range(ATTEMPTS):
            passphrase = self._passphrases(attempt)
            if passphrase is None:
                break
            try:
                self._keep(decrypt(self._sealed, passphrase))
            except WrongPassphrase:
                continue
            return
        raise WrongPassphrase(
            f"the passphrase does not open {plain(self.path)}",
            "Nothing was signed. Check which keystore it is, then run the command again.",
        )

    def _keep(self, key: bytearray) -> None:
        """Hold the key, once it is the key of the address that the file names."""
        if not is_below_order(bytes(key)):
            wipe(key)
            raise Misused(f"{plain(self.path)} holds no key: its number is not one of the curve", HINT)
        found = address_of(bytes(key))
        if self._address not in (None, found):
            wipe(key)
            raise Refused(
                f"{plain(self.path)} names {self._address}, but its key is that of {found}",
                "The file was altered: use another copy of it.",
            )
        self._address, self._key = found, key


def without_traces(work: Callable[[], Found]) -> Found:
    """What `work` returns; what it raises is raised anew, without the frames and causes, which hold the secret."""
    raised: BaseException
    try:
        return work()
    except IncidentError as problem:
        raised = problem.with_traceback(None)
    except Exception as problem:
        raised = RuntimeError(f"the key could not be used ({type(problem).__name__})")
    except BaseException as problem:
        raised = type(problem)()
    raised.__context__ = raised.__cause__ = None
    raise raised


def wipe(key: bytearray) -> None:
    """Overwrite and empty it: as much as Python allows."""
    key[:] = bytes(len(key))
    key.clear()


def read_keystore(path: Path) -> Mapping[str, Json]:
    """The file's JSON object of version 3; raises Misused, quoting nothing of what is in it."""
    found = read_json(path, CAP_BYTES)
    version = found.get("version") if isinstance(found, dict) else None
    if not isinstance(found, dict) or type(version) is not int or version != 3:
        raise Misused(f"{plain(path)} is no keystore of version 3", HINT)
    return found


def warning_about(path: Path) -> str:
    """Who else may read the file, or nothing."""
    with guarded(path):
        mode = path.stat(follow_symlinks=False).st_mode
    if not mode & (stat.S_IRWXG | stat.S_IRWXO):
        return ""
    return f"others on this machine may read or write {plain(path)}: take it from them with chmod 600"


def weakness_of(sealed: Mapping[str, Json]) -> str:
    """That a stolen file's passphrase is guessed too quickly, or nothing; what is malformed is said when it is used."""
    crypto = sealed.get("crypto", sealed.get("Crypto"))
    parameters = crypto.get("kdfparams") if isinstance(crypto, dict) else None
    if not isinstance(crypto, dict) or not isinstance(parameters, dict):
        return ""
    names, least = (("n", "r", "p"), LEAST_WORK) if crypto.get("kdf") == "scrypt" else (("c",), LEAST_ROUNDS)
    numbers = [value for name in names if type(value := parameters.get(name)) is int and value > 0]
    if len(numbers) < len(names) or math.prod(numbers) >= least:
        return ""
    shown = ", ".join(f"{name} = {number}" for name, number in zip(names, numbers, strict=True))
    return f"the keystore's passphrase is cheap to guess ({shown}): encrypt the key again with scrypt, n = 262144"


def named_address(path: Path, sealed: Mapping[str, Json]) -> Address | None:
    """The address the file names; None where it names none."""
    named = sealed.get("address")
    if named in (None, ""):
        return None
    try:
        if not isinstance(named, str):
            raise ValueError
        return checksummed(named.removeprefix("0x"))
    except ValueError:
        raise Misused(f"the address in {plain(path)} is malformed", HINT) from None


def decrypt(sealed: Mapping[str, Json], passphrase: bytes) -> bytearray:
    """The 32 bytes of the key; raises WrongPassphrase, or Misused where the file is malformed or absurd."""
    from Crypto.Cipher import AES

    crypto = part(sealed, "crypto" if "crypto" in sealed else "Crypto")
    if crypto.get("cipher") != "aes-128-ctr":
        raise Misused("the keystore's cipher is not aes-128-ctr", HINT)
    ciphertext, iv = hex_field(crypto, "ciphertext", 32), hex_field(part(crypto, "cipherparams"), "iv", 16)
    if len(ciphertext) != 32 or not iv:
        raise Misused("the keystore holds no key of 32 bytes", HINT)
    derived = derive(str(crypto.get("kdf")), part(crypto, "kdfparams"), passphrase)
    if not hmac.compare_digest(keccak(derived[16:32] + ciphertext), hex_field(crypto, "mac", 32)):
        raise WrongPassphrase("the passphrase does not open the keystore")
    cipher = AES.new(derived[:16], AES.MODE_CTR, nonce=b"", initial_value=int.from_bytes(iv, "big"))
    return bytearray(cipher.decrypt(ciphertext))


def derive(kdf: str, parameters: Mapping[str, Json], passphrase: bytes) -> bytes:
    """32 bytes from the passphrase; raises Misused for an unknown function or absurd parameters."""
    salt = hex_field(parameters, "salt", 1_024)
    if number(parameters, "dklen", 32) != 32:
        raise Misused("the keystore derives a key of another length than 32 bytes", HINT)
    if kdf == "scrypt":
        n, r, p = (number(parameters, name, MOST_WORK) for name in ("n", "r", "p"))
        refuse_absurd(n, r, p)
        memory = 128 * r * (n + p + 2) + 65_536
        try:
            return hashlib.scrypt(passphrase, salt=salt, n=n, r=r, p=p, maxmem=memory, dklen=32)
        except (ValueError, OverflowError, MemoryError):
            raise Misused(f"scrypt cannot be made with the keystore's n = {n}, r = {r}, p = {p}", HINT) from None
    if kdf == "pbkdf2" and parameters.get("prf") == "hmac-sha256":
        return hashlib.pbkdf2_hmac("sha256", passphrase, salt, number(parameters, "c", MOST_ROUNDS), 32)
    raise Misused("the keystore's key derivation is neither scrypt nor pbkdf2 with hmac-sha256", HINT)


def refuse_absurd(n: int, r: int, p: int) -> None:
    """Misused where scrypt would take more memory or time than a keystore's ever does."""
    if n < 2 or n & (n - 1):
        raise Misused(f"the keystore's scrypt n is {n}, which is no power of two", HINT)
    if 128 * n * r > MOST_MEMORY or n * r * p > MOST_WORK:
        raise Misused(
            f"the keystore asks scrypt for n = {n}, r = {r}, p = {p}: more memory or time than is given",
            "It was not tried: it may be made to bring this machine down. Encrypt the key again with n = 262144.",
        )


def part(found: Mapping[str, Json], name: str) -> Mapping[str, Json]:
    """An object inside; raises Misused."""
    inner = found.get(name)
    if not isinstance(inner, dict):
        raise Misused(f"the keystore has no {name}", HINT)
    return inner


def hex_field(found: Mapping[str, Json], name: str, most: int) -> bytes:
    """Bytes written as hex, with or without 0x; raises Misused."""
    text = found.get(name)
    try:
        digits = text.removeprefix("0x") if isinstance(text, str) else "none"
        if len(digits) > 2 * most:
            raise ValueError
        return bytes.fromhex(digits)
    except ValueError:
        raise Misused(f"the keystore's {name} is no hex text of at most {most} bytes", HINT) from None


def number(found: Mapping[str, Json], name: str, most: int) -> int:
    """A whole number from 1 to `most`; raises Misused."""
    value = found.get(name)
    if type(value) is not int or not 1 <= value <= most:
        raise Misused(f"the keystore's {name} is no whole number from 1 to {most}", HINT)
    return value
