"""Keystore files: read as eth_keyfile reads them, refused where absurd, and never a key where it does not belong."""

from __future__ import annotations

import copy
import json
import os
import pickle
import stat
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import pytest
from Crypto.Cipher import AES
from eth_account import Account as EthAccount
from eth_keyfile import keyfile
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.curve import ORDER
from incident_cli.errors import IncidentError, Misused, Refused
from incident_cli.evm import checksummed, keccak
from incident_cli.outgoing import Outgoing
from incident_cli.safe import keystore
from incident_cli.safe.keystore import KeystoreSigner, WrongPassphrase, decrypt, without_traces
from incident_cli.safe.signing import raw_by, signed_by, unlocked
from incident_cli.safe.typed_data import safe_tx_typed_data
from tests.safe.test_typed_data import TX

KEY = bytes.fromhex("4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318")
ADDRESS = checksummed("0x2c7536E3605D9C16a7a3D7b1898e529396a65c23")
PASSPHRASE = b"correct horse battery staple"
TYPED = safe_tx_typed_data(TX)
SENT = Outgoing(1, 3, TX.to, b"\x01\x02", 100_000, 30 * 10**9, 10**9, 5)
SMALL, FULL = 40, 3_000
Kdf = Literal["scrypt", "pbkdf2"]
Document = dict[str, Any]


def sealed(kdf: Kdf = "scrypt", key: bytes = KEY, passphrase: bytes = PASSPHRASE, rounds: int = 2) -> Document:
    """A keystore as eth_keyfile writes it, with a cheap derivation."""
    return dict(keyfile.create_keyfile_json(key, passphrase, kdf=kdf, iterations=rounds))


def written(folder: Path, content: object, mode: int = 0o600) -> Path:
    """A file with this JSON."""
    path = folder / "key.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    path.chmod(mode)
    return path


def answering(*passphrases: bytes) -> Callable[[int], bytes | None]:
    """These passphrases, one an attempt, then none."""
    return lambda attempt: passphrases[attempt] if attempt < len(passphrases) else None


def signer(folder: Path, *passphrases: bytes, **options: Any) -> KeystoreSigner:
    return KeystoreSigner(written(folder, sealed(**options)), answering(*(passphrases or (PASSPHRASE,))))


def changed(where: str, value: object) -> Document:
    """A keystore with one field (a dotted path in it) changed; None takes it away."""
    found = sealed()
    *parents, name = where.split(".")
    inner = found
    for parent in parents:
        inner = inner[parent]
    if value is None:
        del inner[name]
    else:
        inner[name] = value
    return found


@pytest.mark.parametrize("kdf", ["scrypt", "pbkdf2"])
def test_signs_as_eth_account_does(kdf: Kdf, tmp_path: Path) -> None:
    found = signer(tmp_path, kdf=kdf)
    assert found.address == ADDRESS
    theirs = EthAccount.from_key(KEY)
    by_them = theirs.sign_typed_data(full_message=TYPED.to_json())
    assert signed_by(found, TYPED) == bytes(by_them.signature)
    wanted = {"type": 2, "chainId": 1, "nonce": 3, "to": TX.to, "data": b"\x01\x02", "gas": 100_000, "value": 5}
    raw = theirs.sign_transaction({**wanted, "maxFeePerGas": 30 * 10**9, "maxPriorityFeePerGas": 10**9})
    assert raw_by(found, SENT) == bytes(raw.raw_transaction)


def test_a_keystore_of_full_strength(tmp_path: Path) -> None:
    content = EthAccount.encrypt(KEY, PASSPHRASE.decode())
    assert content["crypto"]["kdfparams"]["n"] >= 2**17
    assert signed_by(KeystoreSigner(written(tmp_path, content), answering(PASSPHRASE)), TYPED)


keys = st.integers(1, 2**255).map(lambda number: number.to_bytes(32, "big"))
kinds: st.SearchStrategy[Kdf] = st.sampled_from(["scrypt", "pbkdf2"])


@st.composite
def altered(draw: st.DrawFn) -> Document:
    """A keystore of eth_keyfile's, whole or with one hex digit of one field changed."""
    found = sealed(draw(kinds), draw(keys), PASSPHRASE, draw(st.sampled_from([2, 4, 8])))
    crypto: Document = found["crypto"]
    places = [(crypto, "ciphertext"), (crypto, "mac"), (crypto["kdfparams"], "salt")]
    holder, name = draw(st.sampled_from([*places, ({"none": "00"}, "none")]))
    text = holder[name]
    place = draw(st.integers(0, len(text) - 1))
    holder[name] = text[:place] + draw(st.sampled_from("0123456789abcdef")) + text[place + 1 :]
    return found


def reads_as_eth_keyfile(found: Document, passphrase: bytes) -> None:
    """The same key, or both refuse."""
    try:
        theirs: bytes | None = keyfile.decode_keyfile_json(found, passphrase)
    except ValueError:
        theirs = None
    try:
        ours: bytes | None = bytes(decrypt(found, passphrase))
    except WrongPassphrase:
        ours = None
    assert ours == theirs


passphrases = st.one_of(st.just(PASSPHRASE), st.binary(max_size=40))


@settings(max_examples=SMALL, deadline=None)
@given(altered(), passphrases)
def test_the_same_keys_as_eth_keyfile(found: Document, passphrase: bytes) -> None:
    reads_as_eth_keyfile(found, passphrase)


@pytest.mark.campaign
@settings(max_examples=FULL, deadline=None)
@given(altered(), passphrases)
def test_the_same_keys_as_eth_keyfile_at_length(found: Document, passphrase: bytes) -> None:
    reads_as_eth_keyfile(found, passphrase)


WRONG: list[tuple[object, str]] = [
    ("0x" + KEY.hex(), "not JSON"),
    ("[1]", "version 3"),
    ({"version": 4}, "version 3"),
    (changed("version", "3"), "version 3"),
    (changed("crypto", None), "has no"),
    (changed("crypto.cipher", "aes-256-cbc"), "aes-128-ctr"),
    (changed("crypto.cipherparams", []), "cipherparams"),
    (changed("crypto.cipherparams.iv", "zz"), "iv"),
    (changed("crypto.cipherparams.iv", ""), "32 bytes"),
    (changed("crypto.ciphertext", "00" * 31), "32 bytes"),
    (changed("crypto.ciphertext", "00" * 33), "ciphertext"),
    (changed("crypto.mac", 7), "mac"),
    (changed("crypto.kdf", "argon2"), "neither"),
    (changed("crypto.kdf", "pbkdf2"), "neither"),
    (changed("crypto.kdfparams.dklen", 64), "dklen"),
    (changed("crypto.kdfparams.dklen", 16), "another length"),
    (changed("crypto.kdfparams.salt", "0" * 2_051), "salt"),
    (changed("crypto.kdfparams.n", 3), "power of two"),
    (changed("crypto.kdfparams.n", 1), "power of two"),
    (changed("crypto.kdfparams.n", True), "n is no whole number"),
    (changed("crypto.kdfparams.n", 2**40), "n is no whole number"),
    (changed("crypto.kdfparams.n", 2**24), "more memory or time"),
    (changed("crypto.kdfparams.r", 2**24), "more memory or time"),
    (changed("crypto.kdfparams.p", 2**24), "more memory or time"),
    (changed("crypto.kdfparams.p", 0), "p is no whole number"),
    (changed("address", "0x12"), "address"),
    (changed("address", 7), "address"),
]


@pytest.mark.parametrize(("content", "words"), WRONG, ids=[words for _, words in WRONG])
def test_a_wrong_file_is_refused_before_anything_is_derived(content: object, words: str, tmp_path: Path) -> None:
    with pytest.raises(Misused, match=words) as caught:
        KeystoreSigner(written(tmp_path, content), answering(PASSPHRASE)).sign_typed_data(TYPED)
    assert KEY.hex() not in f"{caught.value.message} {caught.value.hint}"


def test_absurd_rounds_of_pbkdf2_are_refused() -> None:
    found = sealed("pbkdf2")
    found["crypto"]["kdfparams"]["c"] = 10**9
    with pytest.raises(Misused, match="c is no whole number"):
        decrypt(found, PASSPHRASE)


def test_no_symbolic_link_no_pipe_no_large_file(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(written(tmp_path, sealed()))
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_text(" " * (keystore.CAP_BYTES + 1))
    for name in ("link", "pipe", "large", "absent"):
        with pytest.raises(Misused):
            KeystoreSigner(tmp_path / name, answering())


@pytest.mark.parametrize(("mode", "warns"), [(0o600, False), (0o400, False), (0o644, True), (0o620, True)])
def test_a_file_that_others_read_is_named(mode: int, warns: bool, tmp_path: Path) -> None:
    found = KeystoreSigner(written(tmp_path, sealed(), mode), answering())
    assert stat.S_IMODE(found.path.stat().st_mode) == mode
    assert ("chmod 600" in found.warning) == warns


def test_the_address_is_known_without_the_passphrase(tmp_path: Path) -> None:
    assert signer(tmp_path, b"never asked").address == ADDRESS


def test_a_file_without_an_address_tells_it_once_it_is_open(tmp_path: Path) -> None:
    asked: list[int] = []

    def ask(attempt: int) -> bytes:
        asked.append(attempt)
        return PASSPHRASE

    found = KeystoreSigner(written(tmp_path, changed("address", None)), ask)
    assert (found.address, found.address, asked) == (ADDRESS, ADDRESS, [0])
    assert signed_by(found, TYPED)


def test_a_file_that_names_another_address_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, changed("address", "11" * 20))
    with pytest.raises(Refused, match="its key is that of"):
        KeystoreSigner(path, answering(PASSPHRASE)).sign_typed_data(TYPED)


def test_three_attempts_then_no_more(tmp_path: Path) -> None:
    asked: list[int] = []

    def ask(attempt: int) -> bytes:
        asked.append(attempt)
        return b"wrong"

    with pytest.raises(WrongPassphrase, match="does not open"):
        KeystoreSigner(written(tmp_path, sealed()), ask).sign_typed_data(TYPED)
    assert asked == [0, 1, 2]
    assert signed_by(signer(tmp_path, b"wrong", b"wrong", PASSPHRASE), TYPED)


def test_several_signatures_by_one_passphrase(tmp_path: Path) -> None:
    asked: list[int] = []

    def ask(attempt: int) -> bytes:
        asked.append(attempt)
        return PASSPHRASE

    found = KeystoreSigner(written(tmp_path, sealed()), ask)
    with unlocked(found), unlocked(found):
        signed_by(found, TYPED)
        raw_by(found, SENT)
    assert asked == [0]
    signed_by(found, TYPED)
    assert asked == [0, 0]


def test_several_threads_at_once(tmp_path: Path) -> None:
    found = signer(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        signatures = set(pool.map(lambda _: signed_by(found, TYPED), range(40)))
    assert (len(signatures), held(found)) == (1, b"")


def held(found: KeystoreSigner) -> bytes:
    """What the signer holds of its key."""
    return bytes(found._key)


def test_the_key_is_wiped(tmp_path: Path) -> None:
    found = signer(tmp_path)
    with found.unlocked():
        kept = found._key
        assert bytes(kept) == KEY
    assert (held(found), bytes(kept)) == (b"", b"")
    with pytest.raises(KeyboardInterrupt), found.unlocked():
        raise KeyboardInterrupt
    assert held(found) == b""


def test_a_signer_is_neither_printed_copied_nor_pickled(tmp_path: Path) -> None:
    found = signer(tmp_path)
    with found.unlocked():
        assert KEY.hex() not in repr(found) + str(found)
        for copied in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError):
                copied(found)


def frames_of(problem: BaseException) -> list[FrameType]:
    """The frames of an exception and of everything behind it."""
    found: list[FrameType] = []
    seen: BaseException | None = problem
    while seen is not None:
        found += [frame for frame, _ in traceback.walk_tb(seen.__traceback__)]
        seen = seen.__cause__ or seen.__context__
    return found


FAILURES: list[type[BaseException]] = [ValueError, Refused, KeyboardInterrupt, SystemExit, MemoryError]


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("place", ["sign", "address_of", "derive"])
def test_no_frame_of_a_failure_holds_a_secret(
    place: str, failure: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*secrets: object) -> object:
        raise failure(*(["it failed"] if failure is Refused else [repr(secrets)]))

    monkeypatch.setattr(keystore, place, fails)
    with pytest.raises(BaseException) as caught:
        signer(tmp_path).sign_typed_data(TYPED)
    problem = caught.value
    expected = failure if issubclass(failure, IncidentError) or not issubclass(failure, Exception) else RuntimeError
    assert type(problem) is expected
    own = [frame for frame in frames_of(problem) if "incident_cli" in frame.f_code.co_filename]
    shown = "".join(traceback.format_exception(problem)) + "".join(repr(frame.f_locals) for frame in own)
    for secret in (KEY, PASSPHRASE):
        assert secret.hex() not in shown
        assert repr(secret)[2:-1] not in shown


def test_what_succeeds_is_returned() -> None:
    assert without_traces(lambda: 7) == 7


@pytest.mark.parametrize("number", [0, ORDER, 2**256 - 1])
def test_a_number_that_is_no_key_is_said_to_be_none(number: int, tmp_path: Path) -> None:
    content = {**sealed(), "crypto": {**sealed()["crypto"]}}
    content["crypto"] |= resealed(content["crypto"], number.to_bytes(32, "big"))
    with pytest.raises(Misused, match="holds no key"):
        KeystoreSigner(written(tmp_path, content), answering(PASSPHRASE)).sign_typed_data(TYPED)


def resealed(crypto: Document, key: bytes) -> Document:
    """The ciphertext and the mac of another key under the same derivation."""
    given = crypto["kdfparams"]
    derived = keystore.derive("scrypt", given, PASSPHRASE)
    iv = int.from_bytes(bytes.fromhex(crypto["cipherparams"]["iv"]), "big")
    ciphertext = AES.new(derived[:16], AES.MODE_CTR, nonce=b"", initial_value=iv).encrypt(key)
    return {"ciphertext": ciphertext.hex(), "mac": keccak(derived[16:32] + ciphertext).hex()}


@pytest.mark.parametrize(
    ("n", "r", "p"), [(65_536, 1, 1), (2, 1, 2**25 - 1), (2, 2**23, 1), (2**23, 1, 1), (2, 1, 2**24)]
)
def test_a_derivation_that_cannot_be_made_is_misused(n: int, r: int, p: int) -> None:
    with pytest.raises(Misused):
        keystore.derive("scrypt", {"salt": "00", "dklen": 32, "n": n, "r": r, "p": p}, PASSPHRASE)


@pytest.mark.parametrize(
    ("kdf", "parameters", "weak"),
    [
        ("scrypt", {"n": 2, "r": 8, "p": 1}, True),
        ("scrypt", {"n": 4_096, "r": 8, "p": 6}, False),  # geth's light form
        ("scrypt", {"n": 262_144, "r": 8, "p": 1}, False),
        ("pbkdf2", {"c": 1}, True),
        ("pbkdf2", {"c": 262_144}, False),
    ],
)
def test_a_passphrase_that_is_cheap_to_guess_is_warned_of(
    kdf: str, parameters: Document, weak: bool, tmp_path: Path
) -> None:
    content = sealed()
    content["crypto"] |= {"kdf": kdf, "kdfparams": {**content["crypto"]["kdfparams"], **parameters}}
    assert ("cheap to guess" in KeystoreSigner(written(tmp_path, content), answering()).warning) is weak
