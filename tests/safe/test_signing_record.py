"""What this machine was asked to sign: on the disk before the signer is asked, readable after any crash."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from incident_cli.abi import parse_signature
from incident_cli.drills.accounts import account
from incident_cli.errors import Misused
from incident_cli.evm import Call
from incident_cli.safe.batch import fold
from incident_cli.safe.signing_record import LATELY, Memory, Remembered, recall, record_path, remember
from incident_cli.safe.transaction import SafeTx
from tests.safe.test_signature_file import TX

ANN, BOB = account(1, "ann").address, account(1, "bob").address
AT = "2026-11-22T03:00:00.000Z"


def test_nothing_is_remembered_at_first(tmp_path: Path) -> None:
    assert recall(tmp_path / "none", TX) == Memory()


def test_requests_are_read_back_in_order_and_by_safe(tmp_path: Path) -> None:
    requests = [Remembered(AT, ANN, TX, ("it pauses",)), Remembered(AT, BOB, replace(TX, nonce=8))]
    for one in requests:
        remember(tmp_path, one)
    assert recall(tmp_path, TX) == Memory(tuple(requests))
    assert recall(tmp_path, replace(TX, chain_id=10)) == Memory()
    assert record_path(tmp_path, TX).stat().st_mode & 0o777 == 0o600


def test_only_the_same_signers_other_requests_are_related(tmp_path: Path) -> None:
    same_nonce, same_call = replace(TX, data=b"\x09"), replace(TX, nonce=9)
    unrelated = replace(TX, nonce=9, data=b"\x0a")
    for one in (TX, same_nonce, same_call, unrelated):
        remember(tmp_path, Remembered(AT, ANN, one))
    memory = recall(tmp_path, TX)
    assert [one.tx for one in memory.related(ANN, TX)] == [same_nonce, same_call]
    assert memory.related(BOB, TX) == () and memory.same(BOB, TX) is None
    assert memory.same(ANN, TX) == Remembered(AT, ANN, TX)


PAY, PAUSE, STOP = (
    Call(TX.to, parse_signature(text), args)
    for text, args in (
        ("transfer(address to, uint256 amount)", (TX.safe, 10**24)),
        ("pause(bytes32 market)", (b"\1" * 32,)),
        ("stop()", ()),
    )
)


def folded(calls: list[Call], nonce: int) -> SafeTx:
    return fold(calls, chain_id=1, safe=TX.safe, version="1.4.1", nonce=nonce)


@pytest.mark.parametrize(
    ("calls", "is_related"),
    [
        ([PAY], True),
        ([replace(PAY, args=(TX.safe, 10**24 + 1))], True),  # a wei more
        ([PAY, PAUSE], True),  # a call more
        ([PAUSE, PAY], True),
        ([PAUSE], False),
        ([PAUSE, STOP], False),
        ([replace(PAY, to=TX.safe)], False),
    ],
)
def test_the_same_function_at_another_nonce_is_asked_about_again(calls: list[Call], is_related: bool) -> None:
    for first, then in ((folded([PAY], 0), folded(calls, 3)), (folded(calls, 3), folded([PAY], 0))):
        memory = Memory((Remembered(AT, ANN, first),))
        assert bool(memory.related(ANN, then)) is is_related


def test_long_ago_is_another_time() -> None:
    others = tuple(Remembered(AT, ANN, folded([STOP], nonce)) for nonce in range(10, 10 + LATELY))
    first = Remembered(AT, ANN, folded([PAY], 0))
    assert Memory((first, *others[1:])).related(ANN, folded([PAY], 5)) == (first,)
    assert Memory((first, *others)).related(ANN, folded([PAY], 5)) == ()
    assert Memory((first, *others)).related(ANN, folded([PAUSE], 0)) == (first,)  # one nonce is never another time


@pytest.mark.parametrize("cut", [1, 20, 200])
def test_a_torn_line_costs_itself_alone(tmp_path: Path, cut: int) -> None:
    remember(tmp_path, Remembered(AT, ANN, TX))
    remember(tmp_path, Remembered(AT, BOB, TX))
    path = record_path(tmp_path, TX)
    path.write_bytes(path.read_bytes()[:-cut])
    remember(tmp_path, Remembered(AT, ANN, replace(TX, nonce=8)))
    memory = recall(tmp_path, TX)
    whole = 3 if cut == 1 else 2
    assert len(memory.requests) == whole and memory.damaged == 3 - whole
    assert memory.requests[-1].tx.nonce == 8


def test_rubbish_is_counted_not_believed(tmp_path: Path) -> None:
    path = record_path(tmp_path, TX)
    path.parent.mkdir()
    path.write_text('[]\n{"at": 1}\n{"at": "", "signer": "0x", "calls": [], "safe_tx": {}}\n\xff\n', encoding="latin-1")
    assert recall(tmp_path, TX) == Memory((), 4)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    path = record_path(tmp_path, TX)
    path.parent.mkdir()
    path.symlink_to(tmp_path / "elsewhere")
    for use in (lambda: recall(tmp_path, TX), lambda: remember(tmp_path, Remembered(AT, ANN, TX))):
        with pytest.raises(Misused):
            use()
    assert not (tmp_path / "elsewhere").exists()
