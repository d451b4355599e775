"""A Ledger by its APDUs: the same bytes as the Ethereum app takes, its refusals in words, its signatures proven."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType

import pytest

from incident_cli.errors import IncidentError, Misused, Refused, Unread
from incident_cli.evm import checksummed, to_hex
from incident_cli.outgoing import Outgoing
from incident_cli.safe.hashes import calldata_digest
from incident_cli.safe.ledger import DEFAULT_PATH, LedgerSigner, ledger_signer, path_bytes
from incident_cli.safe.signing import raw_by, signed_by
from incident_cli.safe.typed_data import safe_tx_typed_data
from tests.fakes.signers import Device
from tests.safe.test_typed_data import TX

Asked = Callable[[], object]
TYPED = safe_tx_typed_data(TX)
ENCODED = bytes.fromhex("058000002c8000003c800000000000000000000000")


def sent(size: int) -> Outgoing:
    """A transaction with so many bytes of data."""
    return Outgoing(1, 3, TX.to, b"\x01" * size, 100_000, 30 * 10**9, 10**9, 5)


def opened(device: Device, said: list[str] | None = None) -> LedgerSigner:
    return ledger_signer(DEFAULT_PATH, list[str]().append if said is None else said.append, device.exchange)


@pytest.mark.parametrize("parity", [False, True])
def test_typed_data(parity: bool) -> None:
    device, said = Device(parity=parity), list[str]()
    signer = opened(device, said)
    assert (signer.address, signer.kind) == (device.account(ENCODED).address, "Ledger")
    assert signed_by(signer, TYPED) == device.account(ENCODED).sign_hash(TYPED.digest)
    assert device.screens == [f"domain {TYPED.domain_hash.hex()}", f"message {TYPED.message_hash.hex()}"]
    assert [to_hex(one) in " ".join(said) for one in (TYPED.domain_hash, TYPED.message_hash)] == [True, True]


def test_the_hashes_are_shown_before_the_device_asks() -> None:
    order: list[str] = []
    device = Device()

    def exchange(command: bytes) -> bytes:
        order.append(f"device {command[1]:02x}")
        return device.exchange(command)

    signed_by(ledger_signer(DEFAULT_PATH, lambda line: order.append("shown"), exchange), TYPED)
    assert order == ["device 02", "shown", "shown", "shown", "device 0c"]


@pytest.mark.parametrize("size", [0, 1, 180, 190, 200, 255, 256, 1_000, 20_000])
def test_a_transaction_in_pieces(size: int) -> None:
    device, said = Device(), list[str]()
    outgoing = sent(size)
    assert raw_by(opened(device, said), outgoing) == outgoing.signed(
        device.account(ENCODED).sign_hash(outgoing.digest())
    )
    assert f"  to {outgoing.to}" in said
    assert to_hex(calldata_digest(outgoing.data)) in " ".join(said)


def test_every_length_of_a_transaction_around_a_piece() -> None:
    device = Device()
    signer = opened(device)
    lengths = {size: len(ENCODED) + len(sent(size).unsigned()) for size in range(600)}
    edges = [size for size, length in lengths.items() if length % 255 in (0, 1, 254)]
    assert len(edges) >= 6
    assert all(raw_by(signer, sent(size)) for size in edges)


STATUSES: list[tuple[int, type[IncidentError], str]] = [
    (0x5515, Unread, "is locked"),
    (0x6B0C, Unread, "is locked"),
    (0x6E00, Unread, "app is not open"),
    (0x6D00, Unread, "app is not open"),
    (0x6D02, Unread, "app is not open"),
    (0x6511, Unread, "app is not open"),
    (0x6985, Refused, "declined"),
    (0x6982, Refused, "declined"),
    (0x6A80, Refused, "blind signing"),
    (0x6F00, Unread, "0x6f00"),
]


@pytest.mark.parametrize(("status", "kind", "words"), STATUSES, ids=[hex(one) for one, _, _ in STATUSES])
def test_its_refusals_in_words(status: int, kind: type[IncidentError], words: str) -> None:
    device = Device()
    signer = opened(device)
    device.status = status
    asks: list[Asked] = [lambda: signed_by(signer, TYPED), lambda: raw_by(signer, sent(300)), lambda: opened(device)]
    for ask in asks:
        with pytest.raises(kind, match=words) as caught:
            ask()
        assert caught.value.hint


def test_blind_signing_is_off() -> None:
    device = Device(blind=False)
    signer = opened(device)
    asks: list[Asked] = [lambda: signed_by(signer, TYPED), lambda: raw_by(signer, sent(300))]
    for ask in asks:
        with pytest.raises(Refused, match="blind signing"):
            ask()


def test_a_device_that_was_exchanged_is_noticed() -> None:
    device = Device()
    signer = opened(device)
    device.seed = 2
    with pytest.raises(Refused, match="gave a signature of"):
        signed_by(signer, TYPED)
    with pytest.raises(Refused, match="gave a transaction signed by"):
        raw_by(signer, sent(10))


@pytest.mark.parametrize("answer", [b"", b"\x41", bytes([2, 0, 0, 40]) + b"zz" * 20, bytes([0, 3]) + b"abc"])
def test_no_address(answer: bytes) -> None:
    with pytest.raises(Unread, match="no address"):
        ledger_signer(DEFAULT_PATH, print, lambda command: answer + b"\x90\x00")


@pytest.mark.parametrize("answer", [b"", b"\x1b" + bytes(10), b"\x1d" + bytes(64)])
def test_no_signature(answer: bytes) -> None:
    signer = LedgerSigner(DEFAULT_PATH, checksummed(b"\x01" * 20), lambda command: answer + b"\x90\x00", print)
    with pytest.raises(Refused, match="the Ledger gave"):
        signed_by(signer, TYPED)


def test_paths() -> None:
    assert path_bytes(DEFAULT_PATH) == ENCODED
    assert path_bytes("m/0/2147483647'") == bytes.fromhex("0200000000ffffffff")
    wrong = ("", "m", "m/", "44'/60'", "m/a", "m/1''", "m/-1", "m/2147483648", "m//1", "m/" + "/".join("1" * 11), "m/١")
    for path in wrong:
        with pytest.raises(Misused, match="path is malformed"):
            path_bytes(path)


def test_without_ledgerblue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ledgerblue", None)
    with pytest.raises(Misused, match="needs ledgerblue") as caught:
        ledger_signer(DEFAULT_PATH, print)
    assert "pip install 'incident-runbook[ledger]'" in caught.value.hint


class CommException(Exception):
    """As ledgerblue's: the status of an answer that was no success."""

    def __init__(self, message: str, sw: int = 0x6F00) -> None:
        super().__init__(message)
        self.sw = sw


class Dongle:
    """As ledgerblue's: an exchange of bytearrays that raises where the status is no success."""

    def __init__(self, device: Device) -> None:
        self.device = device

    def exchange(self, command: bytearray) -> bytearray:
        answer = self.device.exchange(bytes(command))
        if answer[-2:] != b"\x90\x00":
            raise CommException("Invalid status", int.from_bytes(answer[-2:], "big"))
        return bytearray(answer[:-2])


def installed(monkeypatch: pytest.MonkeyPatch, found: object) -> None:
    """A library with ledgerblue's names, whose device is the fake one."""

    def get_dongle(debug: bool) -> object:
        if isinstance(found, Exception):
            raise found
        return found

    comm, problems = ModuleType("ledgerblue.comm"), ModuleType("ledgerblue.commException")
    comm.getDongle = get_dongle  # type: ignore[attr-defined]
    problems.CommException = CommException  # type: ignore[attr-defined]
    for module in (ModuleType("ledgerblue"), comm, problems):
        monkeypatch.setitem(sys.modules, module.__name__, module)


def test_through_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    device = Device()
    installed(monkeypatch, Dongle(device))
    signer = ledger_signer(DEFAULT_PATH, list[str]().append)
    assert signed_by(signer, TYPED)
    device.status = 0x6985
    with pytest.raises(Refused, match="declined"):
        signed_by(signer, TYPED)


@pytest.mark.parametrize("found", [None, CommException("No dongle found"), OSError("open failed")])
def test_no_device(found: object, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, found)
    with pytest.raises(Unread, match="no Ledger was found"):
        ledger_signer(DEFAULT_PATH, print)
