"""A rotation is exactly what was decided: its calls, what forbids it, and what dies with it."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_cli.errors import Misused, Refused
from incident_cli.evm import ZERO, Address, checksummed
from incident_cli.safe.batch import InnerCall, encode_batch, fold
from incident_cli.safe.contracts import CONTROL_FUNCTIONS, MULTISEND_CODE_HASHES, RELEASES, SENTINEL
from incident_cli.safe.finding import InspectionFinding, is_refused
from incident_cli.safe.inspect import inspect
from incident_cli.safe.leaving import leaving
from incident_cli.safe.rotation import (
    ADD,
    CHANGE,
    REMOVE,
    SWAP,
    Rotation,
    decide,
    excluded_of,
    refuse_excluded,
    require_quorum,
    without_excluded,
)
from incident_cli.safe.rotation_inspection import EXPLANATIONS, Ground, inspect_rotation, is_lookalike
from incident_cli.safe.survival import PreSigned, statement, survival_of, survivals
from incident_cli.safe.transaction import DELEGATECALL, SafeTx

SAFE = checksummed(b"\x5a" * 20)
A, B, C, D, E = (checksummed(bytes([one]) * 20) for one in (0xA1, 0xB2, 0xC3, 0xD4, 0xE5))
OWNERS = (B, A, C)
MULTISEND = RELEASES["1.4.1"].multisend_call_only[0]


def rotation(*, out: tuple[Address, ...] = (A,), new: tuple[Address, ...] = (D,), then: int | None = None) -> Rotation:
    return decide(SAFE, OWNERS, 2, outgoing=out, incoming=new, new_threshold=then)


def folded(decided: Rotation, nonce: int = 7) -> SafeTx:
    return fold(decided.calls, chain_id=5, safe=decided.safe, version="1.4.1", nonce=nonce)


def ground(decided: Rotation) -> Ground:
    return Ground(5, "1.4.1", 7, decided.owners, decided.threshold, MULTISEND_CODE_HASHES[MULTISEND])


def findings(
    decided: Rotation, tx: SafeTx | None = None, on: Ground | None = None, weaken: bool = False
) -> tuple[InspectionFinding, ...]:
    found = inspect_rotation(tx or folded(decided), decided, on or ground(decided), weaken=weaken)
    assert all(one.code in EXPLANATIONS for one in found if one.code.startswith("rotation-"))
    return found


def codes(*args: object, **more: object) -> set[str]:
    return {f"{one.code} {one.severity}" for one in findings(*args, **more)}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("out", "new", "then", "calls", "after"),
    [
        ((A,), (D,), None, [(SWAP, (B, A, D))], (B, D, C)),
        ((B,), (D,), None, [(SWAP, (SENTINEL, B, D))], (D, A, C)),
        ((A,), (D,), 3, [(SWAP, (B, A, D)), (CHANGE, (3,))], (B, D, C)),
        ((B, A), (D, E), 2, [(SWAP, (SENTINEL, B, D)), (SWAP, (D, A, E))], (D, E, C)),
        ((A,), (), 2, [(REMOVE, (B, A, 2))], (B, C)),
        ((B, A), (), 1, [(REMOVE, (SENTINEL, B, 1)), (REMOVE, (SENTINEL, A, 1))], (C,)),
        ((B, A), (D,), 2, [(SWAP, (SENTINEL, B, D)), (REMOVE, (D, A, 2))], (D, C)),
        ((), (D,), 3, [(ADD, (D, 3))], (D, B, A, C)),
        ((), (D, E), 4, [(ADD, (D, 2)), (ADD, (E, 4))], (E, D, B, A, C)),
        ((C,), (D, E), 3, [(SWAP, (A, C, D)), (ADD, (E, 3))], (E, B, A, D)),
    ],
)
def test_the_calls_and_the_owners_after(
    out: tuple[Address, ...],
    new: tuple[Address, ...],
    then: int | None,
    calls: list[tuple[object, object]],
    after: tuple[Address, ...],
) -> None:
    decided = rotation(out=out, new=new, then=then)
    assert [(one.signature, one.args) for one in decided.calls] == calls
    assert {one.to for one in decided.calls} == {SAFE} and decided.owners_after == after
    assert decided.remaining == tuple(one for one in OWNERS if one not in out)
    assert Rotation.from_json(json.loads(json.dumps(decided.to_json()))) == decided


@pytest.mark.parametrize(
    ("out", "new", "then", "words"),
    [
        ((D,), (E,), None, "is no owner of the Safe"),
        ((A, A), (D, E), None, "named twice"),
        ((A,), (B,), None, "is an owner of the Safe already"),
        ((A,), (A,), None, "is an owner of the Safe already"),
        ((A, B), (D, D), None, "named twice"),
        ((A,), (ZERO,), None, "the zero address"),
        ((A,), (SENTINEL,), None, "the Safe's own list"),
        ((A,), (SAFE,), None, "the Safe itself"),
        ((A, B), (), None, "give --threshold"),
        ((A,), (D,), 0, "a threshold of 0"),
        ((A,), (D,), 4, "a threshold of 4"),
    ],
)
def test_what_no_safe_could_carry_out(
    out: tuple[Address, ...], new: tuple[Address, ...], then: int | None, words: str
) -> None:
    with pytest.raises(Refused, match=words):
        rotation(out=out, new=new, then=then)


def test_a_rotation_names_somebody() -> None:
    with pytest.raises(Misused, match="names an owner"):
        rotation(out=(), new=(), then=3)


@pytest.mark.parametrize("name", ["safe", "owners", "threshold", "outgoing", "incoming", "new_threshold"])
def test_a_record_that_is_wrong_is_misused(name: str) -> None:
    record = rotation().to_json()
    wrongs: tuple[object, ...] = (None, True, "0x12", ["0x12"], {})
    for wrong in wrongs:
        with pytest.raises(Misused):
            Rotation.from_json({**record, name: wrong})
    with pytest.raises(Misused):
        Rotation.from_json([record])


def test_those_who_stay_must_be_enough() -> None:
    require_quorum(rotation(), ())
    few = decide(SAFE, OWNERS, 3, outgoing=(A,), incoming=(D,))
    with pytest.raises(Refused, match="only 2 owners remain, and 3 must sign") as refusal:
        require_quorum(few, ())
    assert "no module is enabled" in refusal.value.hint and "that key" in refusal.value.hint
    with pytest.raises(Refused) as refusal:
        require_quorum(few, (E,))
    assert E in refusal.value.hint


def test_the_phrase_is_the_end_of_each_new_address() -> None:
    assert rotation().phrase == D[-8:]
    assert rotation(out=(A, B), new=(D, E)).phrase == f"{D[-8:]} {E[-8:]}"
    assert rotation(new=(), then=2).phrase == A[-8:]


def test_what_was_decided_is_clean_and_no_containment() -> None:
    for decided in (rotation(), rotation(then=3), rotation(out=(B, A), new=(D, E)), rotation(out=(), new=(D,), then=3)):
        tx = folded(decided)
        assert findings(decided) == ()
        fixed = {"chain_id": 5, "safe": SAFE, "version": "1.4.1", "nonce_on_chain": 7}
        code = MULTISEND_CODE_HASHES[MULTISEND]
        found = inspect(tx, expected=decided.calls, multisend_code_hash=code, **fixed)  # type: ignore[arg-type]
        assert {"safe-itself", "control-change"} <= {one.code for one in found if one.severity == "refused"}


def riding(tx: SafeTx, extra: InnerCall) -> SafeTx:
    """The transaction with one more call behind it."""
    calls = (InnerCall(0, tx.to, tx.value, tx.data), extra)
    return dataclasses.replace(tx, to=MULTISEND, operation=DELEGATECALL, data=encode_batch(calls))


@pytest.mark.parametrize("selector", list(CONTROL_FUNCTIONS))
def test_nothing_rides_along(selector: bytes) -> None:
    decided = rotation()
    found = codes(decided, riding(folded(decided), InnerCall(0, SAFE, 0, selector + bytes(96))))
    assert "call-count refused" in found and "call-differs refused" in found
    own = selector in {one.selector for one in (SWAP, REMOVE, ADD, CHANGE)}
    assert ("rotation-foreign refused" in found) is not own


CHANGES: dict[str, Callable[[SafeTx], SafeTx]] = {
    "wrong-chain": lambda tx: dataclasses.replace(tx, chain_id=6),
    "wrong-safe": lambda tx: dataclasses.replace(tx, safe=E),
    "wrong-version": lambda tx: dataclasses.replace(tx, version="1.5.0"),
    "nonce-stale": lambda tx: dataclasses.replace(tx, nonce=6),
    "refund": lambda tx: dataclasses.replace(tx, gas_price=1),
    "safe-tx-gas": lambda tx: dataclasses.replace(tx, safe_tx_gas=1),
    "delegatecall": lambda tx: dataclasses.replace(tx, operation=1),
    "rotation-foreign": lambda tx: dataclasses.replace(tx, to=E),
    "padded-calldata": lambda tx: dataclasses.replace(tx, data=tx.data + b"\0"),
    "call-differs": lambda tx: dataclasses.replace(tx, data=tx.data[:-20] + bytes.fromhex(E[2:])),
    "inner-operation": lambda tx: riding(tx, InnerCall(1, SAFE, 0, b"")),
    "nested-batch": lambda tx: riding(tx, InnerCall(0, SAFE, 0, encode_batch([InnerCall(0, SAFE, 0, b"")]))),
    "unexpected-value": lambda tx: dataclasses.replace(tx, value=1),
    "bad-batch": lambda tx: dataclasses.replace(tx, to=MULTISEND, operation=1, data=b"\x8d\x80\xff\x0a\x00"),
}


@pytest.mark.parametrize("code", list(CHANGES))
def test_any_other_transaction_is_refused(code: str) -> None:
    decided = rotation()
    assert f"{code} refused" in codes(decided, CHANGES[code](folded(decided)))


def test_a_thousand_changed_bytes_are_refused() -> None:
    chance = random.Random(1)
    for decided in (rotation(), rotation(then=3)):
        tx = folded(decided)
        for _ in range(500):
            data = bytearray(tx.data)
            data[chance.randrange(len(data))] ^= chance.randrange(1, 256)
            assert is_refused(findings(decided, dataclasses.replace(tx, data=bytes(data))))


def test_a_safe_that_changed_since_is_refused() -> None:
    decided = rotation()
    assert codes(decided, on=dataclasses.replace(ground(decided), owners=(A, B, C))) == {"rotation-stale refused"}
    assert codes(decided, on=dataclasses.replace(ground(decided), threshold=1)) == {"rotation-stale refused"}


@pytest.mark.parametrize(
    ("owners", "threshold", "out", "new", "then", "found"),
    [
        (3, 2, 1, 1, 1, "refused"),
        (3, 2, 1, 0, 1, "refused"),
        (3, 2, 0, 1, 2, "refused"),  # 2 of 3 becomes 2 of 4
        (5, 3, 1, 1, 2, "refused"),
        (7, 3, 1, 1, 2, "refused"),  # it was no majority, and becomes less
        (7, 3, 1, 1, 3, "warned"),  # it was none, and stays
        (3, 1, 1, 1, 1, "warned"),
        (5, 3, 1, 1, 3, ""),
        (3, 2, 1, 0, 2, ""),
    ],
)
def test_a_rotation_does_not_weaken_the_safe(
    owners: int, threshold: int, out: int, new: int, then: int, found: str
) -> None:
    every = tuple(checksummed(bytes([one + 1, *range(19)])[::-1]) for one in range(owners))
    fresh = (D, E)[:new]
    decided = decide(SAFE, every, threshold, outgoing=every[:out], incoming=fresh, new_threshold=then)
    code = {"refused": "rotation-weakens refused", "warned": "rotation-weak warned"}
    assert codes(decided) == ({code[found]} if found else set())
    assert not any("refused" in one for one in codes(decided, weaken=True))


def test_how_it_was_before_is_read_from_the_chain() -> None:
    every = tuple(checksummed(bytes([one + 1, *range(19)])[::-1]) for one in range(3))
    claimed = decide(SAFE, every, 1, outgoing=every[:1], incoming=(D,), new_threshold=1)
    on = dataclasses.replace(ground(claimed), threshold=2)
    assert "rotation-weakens refused" in codes(claimed, on=on)


@pytest.mark.parametrize(
    ("decided", "gone"),
    [
        (rotation(), (A,)),
        (rotation(out=(B, A), new=(D, E)), (B, A)),
        (rotation(new=(), then=2), (A,)),
        (rotation(out=(), new=(D,), then=3), ()),
    ],
)
def test_who_goes_is_read_from_the_calls(decided: Rotation, gone: tuple[Address, ...]) -> None:
    tx = folded(decided)
    assert leaving(tx) == gone == decided.outgoing
    assert leaving(dataclasses.replace(tx, safe=E)) == ()  # another Safe's owners


@given(st.binary(max_size=300))
def test_whatever_the_calldata_are_somebody_goes_or_nobody(data: bytes) -> None:
    for selector in (SWAP.selector, REMOVE.selector, b""):
        tx = dataclasses.replace(folded(rotation()), data=selector + data)
        assert len(leaving(tx)) <= 1


def test_a_lookalike_is_refused() -> None:
    ends = checksummed(bytes.fromhex(B[2:6]) + b"\x11" * 16 + bytes.fromhex(B[-4:]))
    head, tail = checksummed(bytes.fromhex(C[2:10]) + b"\x11" * 16), checksummed(b"\x11" * 16 + bytes.fromhex(A[-8:]))
    for new in (ends, head, tail):
        assert codes(rotation(new=(new,))) == {"rotation-lookalike refused"}
    decided = rotation()
    assert codes(decided, on=dataclasses.replace(ground(decided), known=(D,))) == set()
    poser = checksummed(bytes.fromhex(D[2:6]) + b"\x11" * 16 + bytes.fromhex(D[-4:]))
    assert codes(decided, on=dataclasses.replace(ground(decided), known=(poser,))) == {"rotation-lookalike refused"}
    assert "rotation-lookalike refused" in codes(rotation(out=(A, B), new=(D, poser)))
    assert not is_lookalike(A, A) and not is_lookalike(A, B)


def test_what_to_look_at_twice() -> None:
    decided = rotation()
    more = dataclasses.replace(ground(decided), modules=(E,), guards=(B,), with_code=(D,), contacts=(A, B))
    expected = {f"rotation-{one} warned" for one in ("module", "guard", "contract", "stranger")}
    assert codes(decided, on=more) == expected
    assert codes(decided, on=dataclasses.replace(ground(decided), contacts=(D,))) == set()


def test_the_excluded_sign_nothing() -> None:
    signatures = {A: b"a", B: b"b", C: b"c"}
    assert without_excluded(signatures, (A,)) == {B: b"b", C: b"c"} and without_excluded(signatures, ()) == signatures
    refuse_excluded((B, C), (A,))
    with pytest.raises(Refused, match=f"{A} is being rotated out"):
        refuse_excluded((B, A), (A,))
    assert excluded_of({"excluded": [A]}) == (A,) and excluded_of({}) == ()
    for wrong in (A, [A.lower()], [1], None):
        with pytest.raises(Misused):
            excluded_of({"excluded": wrong})


@pytest.mark.parametrize(
    ("nonce", "signers", "then", "fate"),
    [
        (6, (B, C), 2, "stale"),
        (7, (B, C), 2, "eaten"),
        (8, (A, B), 2, "dead"),
        (8, (B, C), 2, "alive"),
        (8, (A, B, C), 2, "repack"),  # A's is the lowest address: the contract reads it first
        (8, (A, B, C), 3, "dead"),
        (8, (B, C), 3, "dead"),
        (8, (), 2, "dead"),
    ],
)
def test_what_was_signed_before(nonce: int, signers: tuple[Address, ...], then: int, fate: str) -> None:
    found = survival_of(PreSigned("rung", nonce, signers), rotation(then=then), 7)
    assert (found.survives, found.to_json()["fate"]) == (fate, fate) and found.reason


def test_a_signature_behind_the_threshold_is_not_read() -> None:
    decided = decide(SAFE, (A, B, C), 2, outgoing=(C,), incoming=(D,))
    assert survival_of(PreSigned("rung", 8, (C, B, A)), decided, 7).survives == "alive"


def test_the_statement_names_what_dies() -> None:
    first, second, third = statement(rotation(then=3), 7)
    assert "nonce 7" in first and A in second and "fewer than 3" in third
    assert len(statement(rotation(out=(), new=(D,), then=2), 7)) == 1
    made = survivals([PreSigned("b", 9, ()), PreSigned("a", 8, ())], rotation(), 7)
    assert [one.signed.nonce for one in made] == [8, 9]
