"""Dangerous transactions never come out clean, and a plain containment does."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from incident_cli.abi import parse_signature
from incident_cli.evm import Address, Call, checksummed
from incident_cli.safe.batch import InnerCall, encode_batch, fold, rejection
from incident_cli.safe.contracts import CONTROL_FUNCTIONS, MULTISEND_CODE_HASHES, OPAQUE_FUNCTIONS, RELEASES
from incident_cli.safe.explanations import EXPLANATIONS
from incident_cli.safe.finding import InspectionFinding, is_refused
from incident_cli.safe.inspect import inspect
from incident_cli.safe.transaction import SafeTx

SMALL, FULL = 300, 10_000
SAFE = checksummed(b"\x11" * 20)
TARGET = checksummed(b"\x22" * 20)
STRANGER = checksummed(b"\x44" * 20)
PAUSE = Call(TARGET, parse_signature("pause_market(bytes32 market)"), (b"\x05" * 32,))
LIMIT = Call(TARGET, parse_signature("limit(uint256 most,uint256 per)"), (9, 3600))
CODE_HASH = RELEASES["1.4.1"].multisend_code_hash


def made(calls: Sequence[Call], version: str = "1.4.1", nonce: int = 7) -> SafeTx:
    return fold(calls, chain_id=1, safe=SAFE, version=version, nonce=nonce)


def look(
    tx: SafeTx, expected: Sequence[Call], code_hash: str | None = CODE_HASH, version: str = "1.4.1"
) -> tuple[InspectionFinding, ...]:
    found = inspect(
        tx,
        expected=expected,
        chain_id=1,
        safe=SAFE,
        version=version,
        nonce_on_chain=7,
        multisend_code_hash=code_hash,
    )
    assert all(one.code in EXPLANATIONS for one in found)
    return found


def codes(found: Sequence[InspectionFinding], severity: str = "refused") -> set[str]:
    return {one.code for one in found if one.severity == severity}


def test_what_was_decided_on_is_clean() -> None:
    assert look(made([PAUSE]), [PAUSE], code_hash=None) == ()
    assert look(made([PAUSE, LIMIT]), [PAUSE, LIMIT]) == ()
    assert look(rejection(chain_id=1, safe=SAFE, version="1.4.1", nonce=7), [], code_hash=None) == ()
    for version in RELEASES:
        code_hash = RELEASES[version].multisend_code_hash
        assert look(made([PAUSE, LIMIT], version), [PAUSE, LIMIT], code_hash, version + "+L2") == ()


BATCH = made([PAUSE, LIMIT])
ONE = made([PAUSE])


def inner(*calls: InnerCall) -> SafeTx:
    return dataclasses.replace(BATCH, data=encode_batch(calls))


GOOD = InnerCall(0, PAUSE.to, 0, PAUSE.data)
CASES: list[tuple[str, SafeTx, Sequence[Call]]] = [
    ("wrong-chain", dataclasses.replace(ONE, chain_id=10), [PAUSE]),
    ("wrong-safe", dataclasses.replace(ONE, safe=STRANGER), [PAUSE]),
    ("wrong-version", dataclasses.replace(ONE, version="1.3.0"), [PAUSE]),
    ("old-version", dataclasses.replace(ONE, version="1.1.1"), [PAUSE]),
    ("unknown-version", dataclasses.replace(ONE, version="1.6.0"), [PAUSE]),
    ("delegatecall", dataclasses.replace(ONE, operation=1), [PAUSE]),
    ("delegatecall", dataclasses.replace(BATCH, to=STRANGER), [PAUSE, LIMIT]),
    ("bad-batch", dataclasses.replace(BATCH, data=BATCH.data + bytes(32)), [PAUSE, LIMIT]),
    ("bad-batch", dataclasses.replace(BATCH, data=b""), [PAUSE, LIMIT]),
    ("unexpected-value", dataclasses.replace(BATCH, value=1), [PAUSE, LIMIT]),
    ("nested-batch", inner(InnerCall(0, BATCH.to, 0, BATCH.data)), [PAUSE]),
    ("nested-batch", dataclasses.replace(BATCH, operation=0), [PAUSE, LIMIT]),
    ("inner-operation", inner(dataclasses.replace(GOOD, operation=1)), [PAUSE]),
    ("inner-operation", inner(dataclasses.replace(GOOD, operation=7)), [PAUSE]),
    ("refund", dataclasses.replace(ONE, gas_price=1), [PAUSE]),
    ("refund", dataclasses.replace(ONE, base_gas=1), [PAUSE]),
    ("refund", dataclasses.replace(ONE, gas_token=STRANGER), [PAUSE]),
    ("refund", dataclasses.replace(ONE, refund_receiver=STRANGER), [PAUSE]),
    ("safe-tx-gas", dataclasses.replace(ONE, safe_tx_gas=1), [PAUSE]),
    ("safe-itself", dataclasses.replace(ONE, to=SAFE), [PAUSE]),
    ("safe-itself", inner(GOOD, InnerCall(0, SAFE, 0, b"")), [PAUSE]),
    ("call-differs", rejection(chain_id=1, safe=SAFE, version="1.4.1", nonce=7), [PAUSE]),
    ("call-count", inner(GOOD, GOOD), [PAUSE]),
    ("call-count", ONE, []),
    ("call-differs", ONE, [LIMIT]),
    ("call-differs", dataclasses.replace(ONE, data=PAUSE.data[:-1]), [PAUSE]),
    ("call-differs", dataclasses.replace(ONE, data=b""), [PAUSE]),
    ("call-differs", dataclasses.replace(ONE, to=STRANGER), [PAUSE]),
    ("padded-calldata", dataclasses.replace(ONE, data=PAUSE.data + b"\0"), [PAUSE]),
    ("unexpected-value", dataclasses.replace(ONE, value=1), [PAUSE]),
    ("nonce-stale", dataclasses.replace(ONE, nonce=6), [PAUSE]),
    ("nonce-far", dataclasses.replace(ONE, nonce=1000), [PAUSE]),
]


@pytest.mark.parametrize(("code", "tx", "expected"), CASES)
def test_each_rule_refuses(code: str, tx: SafeTx, expected: Sequence[Call]) -> None:
    assert code in codes(look(tx, expected))


def test_the_code_of_multisend_must_have_been_read_on_this_chain() -> None:
    assert codes(look(BATCH, [PAUSE, LIMIT], code_hash=None)) == {"multisend-unread"}
    assert codes(look(BATCH, [PAUSE, LIMIT], code_hash="0x" + "00" * 32)) == {"multisend-code"}
    assert codes(look(BATCH, [PAUSE, LIMIT], code_hash=RELEASES["1.5.0"].multisend_code_hash)) == {"multisend-code"}


def test_what_is_odd_but_allowed_is_a_warning() -> None:
    paying = dataclasses.replace(PAUSE, value=5)
    assert codes(look(made([paying]), [paying]), "warned") == {"sends-value"}
    assert codes(look(made([PAUSE], nonce=8), [PAUSE]), "warned") == {"nonce-ahead"}
    assert not is_refused(look(made([paying], nonce=57), [paying]))


@pytest.mark.parametrize("text", [*CONTROL_FUNCTIONS.values(), *OPAQUE_FUNCTIONS.values()])
def test_control_of_a_safe_is_refused_even_where_the_runbook_asks_for_it(text: str) -> None:
    signature = parse_signature(text)
    args = tuple(zero(kind) for kind in signature.input_types)
    for to in (SAFE, STRANGER):
        asked = Call(to, signature, args)
        assert codes(look(made([asked]), [asked])) & {"control-change", "opaque-call"}
        assert codes(look(made([PAUSE, asked]), [PAUSE, asked])) & {"control-change", "opaque-call"}


SCHEDULE = "schedule(address,uint256,bytes,bytes32,bytes32,uint256)"
HEAD = (bytes(32), bytes(32))


def through_timelock(inner: Call) -> list[Call]:
    """The four ways a time-lock is handed a call."""
    one, many = (inner.to, 0, inner.data), ([PAUSE.to, inner.to], [0, 0], [PAUSE.data, inner.data])
    return [
        Call(TARGET, parse_signature(SCHEDULE), (*one, *HEAD, 3600)),
        Call(TARGET, parse_signature("execute(address,uint256,bytes,bytes32,bytes32)"), (*one, *HEAD)),
        Call(
            TARGET,
            parse_signature("scheduleBatch(address[],uint256[],bytes[],bytes32,bytes32,uint256)"),
            (*many, *HEAD, 3600),
        ),
        Call(TARGET, parse_signature("executeBatch(address[],uint256[],bytes[],bytes32,bytes32)"), (*many, *HEAD)),
    ]


@pytest.mark.parametrize("text", [*CONTROL_FUNCTIONS.values(), *OPAQUE_FUNCTIONS.values()])
def test_control_is_refused_behind_a_timelock_too(text: str) -> None:
    signature = parse_signature(text)
    asked = Call(STRANGER, signature, tuple(zero(kind) for kind in signature.input_types))
    for call in [*through_timelock(asked), *through_timelock(through_timelock(asked)[0])]:
        assert codes(look(made([call]), [call])) & {"control-change", "opaque-call"}
        assert codes(look(made([PAUSE, call]), [PAUSE, call])) & {"control-change", "opaque-call"}


def test_a_containment_is_clean_behind_a_timelock_and_the_safe_itself_is_not() -> None:
    own = dataclasses.replace(PAUSE, to=SAFE)
    for good, bad in zip(through_timelock(LIMIT), through_timelock(own), strict=True):
        assert look(made([good]), [good]) == ()
        assert codes(look(made([bad]), [bad])) == {"safe-itself"}


def test_what_a_timelock_is_handed_must_be_readable() -> None:
    call = through_timelock(LIMIT)[0]
    short = Call(TARGET, parse_signature("schedule(address,uint256,bytes,bytes32,bytes32,uint256)"), call.args)
    for data in (short.data[:-1], short.data + bytes(32), short.data[:4]):
        tx = dataclasses.replace(made([call]), data=data)
        assert "bad-batch" in codes(look(tx, [call]))
    deep = LIMIT
    for _ in range(8):
        deep = through_timelock(deep)[0]
    assert "bad-batch" in codes(look(made([deep]), [deep]))
    uneven = Call(TARGET, through_timelock(LIMIT)[2].signature, ([PAUSE.to], [0, 0], [b"", b""], *HEAD, 1))
    assert "bad-batch" in codes(look(made([uneven]), [uneven]))


def zero(kind: str) -> object:
    if kind.endswith("[]"):
        return []
    return {"address": "0x" + "00" * 20, "bytes": b"", "bytes32": bytes(32)}.get(kind, 0)


def test_differences_are_shown_field_by_field() -> None:
    other = dataclasses.replace(LIMIT, args=(9, 7200))
    (found,) = look(made([other]), [LIMIT])
    assert found.message == (
        "call 1: argument word 2 of limit(uint256,uint256) is 0x" + f"{7200:064x}, decided on was 0x{3600:064x}"
    )
    (found,) = look(made([PAUSE]), [dataclasses.replace(LIMIT, to=TARGET)])
    assert "pause_market" not in found.message
    assert "limit(uint256,uint256)" in found.message


def test_every_code_of_an_expected_transaction_is_explained() -> None:
    used = {code for code, _, _ in CASES} | {"multisend-unread", "multisend-code", "sends-value", "nonce-ahead"}
    assert used | {"control-change", "opaque-call"} <= set(EXPLANATIONS)


addresses = st.binary(min_size=20, max_size=20).map(checksummed)
positive = st.one_of(st.integers(1, 9), st.integers(1, 2**256 - 1))
control = st.sampled_from(sorted({**CONTROL_FUNCTIONS, **OPAQUE_FUNCTIONS}))


@st.composite
def dangerous(draw: st.DrawFn) -> tuple[str, SafeTx, tuple[Call, ...]]:
    """A proposal of one to three calls, and one to three dangers put into it (the calls decided on stay)."""
    calls = tuple(draw(st.lists(st.sampled_from([PAUSE, LIMIT]), min_size=1, max_size=3)))
    tx = made(calls)
    names = draw(st.lists(st.sampled_from(sorted(DANGERS)), min_size=1, max_size=3, unique=True))
    for name in names:
        tx = DANGERS[name](draw, tx)
    assume(tx != made(calls))
    return "+".join(names), tx, calls


def with_field(name: str, values: st.SearchStrategy[Any]) -> Callable[[st.DrawFn, SafeTx], SafeTx]:
    def put(draw: st.DrawFn, tx: SafeTx) -> SafeTx:
        changed: dict[str, Any] = {name: draw(values)}
        return dataclasses.replace(tx, **changed)

    return put


def flip_byte(draw: st.DrawFn, tx: SafeTx) -> SafeTx:
    data = bytearray(tx.data or b"\0")
    data[draw(st.integers(0, len(data) - 1))] ^= draw(st.integers(1, 255))
    return dataclasses.replace(tx, data=bytes(data))


def append(draw: st.DrawFn, tx: SafeTx) -> SafeTx:
    return dataclasses.replace(tx, data=tx.data + draw(st.binary(min_size=1, max_size=64)))


def rider(draw: st.DrawFn, tx: SafeTx) -> SafeTx:
    """A batch with one call more: anywhere, of any operation, to anyone, often one that takes control."""
    call = InnerCall(
        draw(st.integers(0, 255)),
        draw(st.one_of(addresses, st.just(SAFE))),
        draw(st.one_of(st.just(0), positive)),
        draw(st.one_of(st.binary(max_size=40), control)),
    )
    entries = [InnerCall(0, tx.to, tx.value, tx.data), call] if tx.operation == 0 else [call]
    return dataclasses.replace(tx, to=BATCH.to, operation=1, value=0, data=encode_batch(entries))


def take_control(draw: st.DrawFn, tx: SafeTx) -> SafeTx:
    data = draw(control) + draw(st.binary(max_size=64))
    return dataclasses.replace(tx, to=draw(st.sampled_from([SAFE, STRANGER])), operation=0, data=data)


DANGERS: dict[str, Callable[[st.DrawFn, SafeTx], SafeTx]] = {
    "chain": with_field("chain_id", st.integers(2, 2**64)),
    "safe": with_field("safe", addresses),
    "version": with_field("version", st.sampled_from(["0.1.0", "1.0.0", "1.1.1", "1.2.0", "1.3.0", "1.5.0", "1.9.9"])),
    "delegatecall": lambda draw, tx: dataclasses.replace(tx, operation=1, to=draw(addresses)),
    "to": with_field("to", st.one_of(addresses, st.just(SAFE), st.sampled_from(sorted(MULTISEND_CODE_HASHES)))),
    "value": with_field("value", positive),
    "safe_tx_gas": with_field("safe_tx_gas", positive),
    "base_gas": with_field("base_gas", positive),
    "gas_price": with_field("gas_price", positive),
    "gas_token": with_field("gas_token", addresses),
    "refund_receiver": with_field("refund_receiver", addresses),
    "stale": with_field("nonce", st.integers(0, 6)),
    "far": with_field("nonce", st.integers(58, 2**256 - 1)),
    "flip": flip_byte,
    "append": append,
    "rider": rider,
    "control": take_control,
}


def hunt(examples: int) -> Counter[str]:
    seen: Counter[str] = Counter()

    @settings(max_examples=examples, deadline=None, database=None)
    @given(dangerous())
    def never_clean(case: tuple[str, SafeTx, tuple[Call, ...]]) -> None:
        _, tx, calls = case
        found = look(tx, calls)
        assert is_refused(found), case
        seen.update({one.code for one in found} | {"transactions"})

    never_clean()
    return seen


def test_dangerous_transactions_never_come_out_clean() -> None:
    seen = hunt(SMALL)
    print(f"\n{seen['transactions']} dangerous transactions, none clean; findings: {dict(seen)}")
    assert seen["transactions"] >= SMALL // 2


@pytest.mark.campaign
def test_dangerous_transactions_never_come_out_clean_at_length(request: pytest.FixtureRequest) -> None:
    if "campaign" not in str(request.config.getoption("markexpr")):
        pytest.skip("a long campaign: run with -m campaign")
    seen = hunt(FULL)
    print(f"\n{seen['transactions']} dangerous transactions, none clean; findings: {dict(seen)}")


def test_the_message_is_plain_text() -> None:
    found = inspect(
        ONE,
        expected=[PAUSE],
        chain_id=1,
        safe=Address("\x1b[2J"),
        version="1.4.1\u202e",
        nonce_on_chain=7,
        multisend_code_hash=None,
    )
    assert all(one.message.isprintable() for one in found)
    assert codes(found) == {"wrong-safe", "wrong-version"}
