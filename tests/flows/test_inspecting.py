"""Every danger has its code, whatever hides it; and what is harmless, known and read comes out clean."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from incident_cli.abi import Signature, encode_call, parse_signature
from incident_cli.errors import Unread
from incident_cli.evm import ZERO, Address, checksummed
from incident_cli.flows.multisig.aids import Aids
from incident_cli.flows.multisig.inspecting import judge
from incident_cli.safe.alone import Standing
from incident_cli.safe.batch import InnerCall, encode_batch, rejection
from incident_cli.safe.contracts import CONTROL_FUNCTIONS, MULTICALL3, RELEASES
from incident_cli.safe.explanations import EXPLANATIONS
from incident_cli.safe.known_functions import CONTROL, EVERY, NAMED_CONTROL, control_selectors
from incident_cli.safe.transaction import SafeTx
from tests.flows.inspected import (
    APPROVE,
    CODE,
    EXCHANGE,
    LIMIT,
    MULTISEND,
    NONCE,
    OWNER,
    PAUSE,
    SAFE,
    STRANGER,
    TIMELOCK,
    TRANSFER,
    USDC,
    aids,
    codes,
    loaded,
    look,
    made,
    view,
)

WORDS = (bytes(32), bytes(32))


def signature(text: str) -> Signature:
    return parse_signature(text)


def zeros(one: Signature) -> tuple[object, ...]:
    """Arguments of any function."""
    return tuple(zero(kind) for kind in one.input_types)


def zero(kind: str) -> object:
    if kind.endswith("[]"):
        return ()
    if kind.startswith("bytes") and kind != "bytes":
        return bytes(int(kind.removeprefix("bytes")))
    return {"address": STRANGER, "bytes": b"", "string": "", "bool": False}.get(kind, 0)


def raw(to: Address, data: bytes, value: int = 0, operation: int = 0) -> SafeTx:
    """A transaction that makes one call of any data."""
    return dataclasses.replace(made([PAUSE]), to=to, data=data, value=value, operation=operation)


def batch(*calls: InnerCall) -> SafeTx:
    return dataclasses.replace(made([PAUSE, LIMIT]), data=encode_batch(calls))


GOOD = InnerCall(0, PAUSE.to, 0, PAUSE.data)


def through_timelock(to: Address, data: bytes, value: int = 0) -> bytes:
    schedule = signature("schedule(address,uint256,bytes,bytes32,bytes32,uint256)")
    return encode_call(schedule, (to, value, data, *WORDS, 3_600))


def through_safe(to: Address, data: bytes, operation: int = 0) -> bytes:
    execute = signature("execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)")
    return encode_call(execute, (to, 0, data, operation, 0, 0, 0, ZERO, ZERO, b""))


def through_multicall(to: Address, data: bytes) -> bytes:
    return encode_call(signature("aggregate3((address,bool,bytes)[])"), (((to, False, data),),))


# --- what is clean, and what nothing that is not known can be


def test_a_containment_that_is_known_and_read_is_clean() -> None:
    for calls in ([PAUSE], [PAUSE, LIMIT]):
        found = look(made(calls))
        assert (found.verdict, found.findings) == ("clean", ())
        assert found.opinions == ("incident", "safe-eth-py", "the Safe itself")
    empty = rejection(chain_id=1, safe=SAFE, version="1.4.1", nonce=NONCE)
    assert codes(look(empty)) == {"displaces-unknown"}
    assert "uses up" not in look(empty).calls[0].plain
    assert f"use up nonce {NONCE}" in look(empty).calls[0].plain


def test_without_the_chain_the_best_is_a_warning() -> None:
    for calls, extra in (([PAUSE], set()), ([PAUSE, LIMIT], {"multisend-unread", "direction-unknown"})):
        found = look(made(calls), chain=False)
        assert (found.verdict, codes(found)) == ("warned", {"chain-not-read", *extra})
    bare = judge(loaded(made([PAUSE])), Aids(), None)
    assert (bare.verdict, codes(bare)) == ("warned", {"chain-not-read", "undecoded"})


def test_a_chain_that_was_asked_for_and_did_not_answer_says_why() -> None:
    found = judge(loaded(made([PAUSE])), aids(), Unread("ethereum node 1 did not answer\x1b[2J"))
    assert codes(found) == {"chain-not-read"}
    assert found.unread is not None
    (reason,) = found.findings
    assert "ethereum node 1 did not answer<U+001B>" in reason.message


# --- each rule

LOOKALIKE = checksummed(bytes.fromhex(EXCHANGE[2:6]) + b"\x77" * 16 + bytes.fromhex(EXCHANGE[-4:]))
LOOKS_LIKE_OWNER = checksummed(bytes.fromhex(OWNER[2:6]) + b"\x77" * 16 + bytes.fromhex(OWNER[-4:]))
CONTROL_CALL = encode_call(signature("transferOwnership(address)"), (STRANGER,))
SWAP = encode_call(signature("swapOwner(address,address,address)"), (SAFE, OWNER, STRANGER))
UNKNOWN = bytes.fromhex("12345678") + bytes(32)
PAUSE_TX = made([PAUSE])

REFUSED: list[tuple[str, SafeTx]] = [
    ("wrong-version", dataclasses.replace(PAUSE_TX, version="1.3.0")),
    ("old-version", dataclasses.replace(PAUSE_TX, version="1.1.1")),
    ("unknown-version", dataclasses.replace(PAUSE_TX, version="1.6.0")),
    ("unknown-version", dataclasses.replace(PAUSE_TX, version="0.0.1")),
    ("nonce-stale", dataclasses.replace(PAUSE_TX, nonce=NONCE - 1)),
    ("nonce-far", dataclasses.replace(PAUSE_TX, nonce=NONCE + 51)),
    ("refund", dataclasses.replace(PAUSE_TX, gas_price=1)),
    ("refund", dataclasses.replace(PAUSE_TX, base_gas=1)),
    ("refund", dataclasses.replace(PAUSE_TX, gas_token=USDC)),
    ("refund", dataclasses.replace(PAUSE_TX, refund_receiver=OWNER)),
    ("safe-tx-gas", dataclasses.replace(PAUSE_TX, safe_tx_gas=1)),
    ("delegatecall", dataclasses.replace(PAUSE_TX, operation=1)),
    ("delegatecall", raw(MULTICALL3, through_multicall(EXCHANGE, PAUSE.data), operation=1)),
    ("multisend-code", dataclasses.replace(made([PAUSE, LIMIT]), to=RELEASES["1.5.0"].multisend_call_only[0])),
    ("bad-batch", dataclasses.replace(made([PAUSE, LIMIT]), data=made([PAUSE, LIMIT]).data + bytes(32))),
    ("bad-batch", raw(TIMELOCK, through_timelock(EXCHANGE, PAUSE.data) + b"\0")),
    ("nested-batch", batch(InnerCall(0, MULTISEND, 0, encode_batch([GOOD])))),
    ("nested-batch", dataclasses.replace(made([PAUSE, LIMIT]), operation=0)),
    ("inner-operation", batch(dataclasses.replace(GOOD, operation=1))),
    ("inner-operation", batch(GOOD, dataclasses.replace(GOOD, operation=7))),
    ("inner-operation", raw(STRANGER, through_safe(EXCHANGE, PAUSE.data, 1))),
    ("safe-itself", raw(SAFE, SWAP)),
    ("safe-itself", raw(SAFE, b"", value=1)),
    ("safe-itself", raw(TIMELOCK, through_timelock(SAFE, SWAP))),
    ("control-change", raw(EXCHANGE, CONTROL_CALL)),
    ("control-change", raw(TIMELOCK, through_timelock(EXCHANGE, CONTROL_CALL))),
    ("control-change", raw(STRANGER, through_safe(EXCHANGE, CONTROL_CALL))),
    ("control-change", raw(MULTICALL3, through_multicall(EXCHANGE, CONTROL_CALL))),
    ("control-change", raw(EXCHANGE, encode_call(signature("multicall(bytes[])"), ((CONTROL_CALL,),)))),
    ("control-change", raw(TIMELOCK, through_timelock(STRANGER, through_safe(EXCHANGE, CONTROL_CALL)))),
    ("opaque-call", raw(STRANGER, encode_call(signature("approveHash(bytes32)"), (b"\x01" * 32,)))),
    ("padded-calldata", raw(EXCHANGE, PAUSE.data + b"\0")),
    ("padded-calldata", raw(EXCHANGE, PAUSE.data[:-1])),
    ("padded-calldata", raw(EXCHANGE, PAUSE.data[:-1] + b"\x02")),
    ("padded-calldata", raw(TIMELOCK, through_timelock(EXCHANGE, PAUSE.data + bytes(32)))),
    ("lookalike-address", raw(LOOKALIKE, PAUSE.data)),
    ("lookalike-address", raw(USDC, encode_call(TRANSFER, (LOOKS_LIKE_OWNER, 1)))),
    ("lookalike-address", raw(EXCHANGE, UNKNOWN + b"\xff" + bytes.fromhex(LOOKS_LIKE_OWNER[2:]))),
    ("lookalike-address", dataclasses.replace(PAUSE_TX, refund_receiver=LOOKALIKE)),
    ("zero-target", raw(ZERO, b"")),
]
WARNED: list[tuple[str, SafeTx]] = [
    ("nonce-ahead", dataclasses.replace(PAUSE_TX, nonce=NONCE + 1)),
    ("other-safe", raw(STRANGER, through_safe(EXCHANGE, PAUSE.data))),
    ("other-sender", raw(MULTICALL3, through_multicall(EXCHANGE, PAUSE.data))),
    ("undecoded", raw(EXCHANGE, UNKNOWN)),
    ("undecoded", raw(EXCHANGE, b"\x12")),
    ("undecoded", raw(EXCHANGE, b"")),
    ("not-restricting", made([dataclasses.replace(PAUSE, args=(b"\x05" * 32, False))])),
    ("unknown-target", raw(STRANGER, PAUSE.data)),
    ("unknown-target", raw(TIMELOCK, through_timelock(STRANGER, PAUSE.data))),
    ("no-code", raw(STRANGER, PAUSE.data)),
    ("moves-money", raw(USDC, encode_call(TRANSFER, (OWNER, 5)))),
    ("moves-money", raw(USDC, encode_call(APPROVE, (STRANGER, 5)))),
    ("unlimited-approval", raw(USDC, encode_call(APPROVE, (STRANGER, 2**256 - 1)))),
    ("unlimited-approval", raw(USDC, encode_call(APPROVE, (STRANGER, 2**96 - 1)))),
    ("unlimited-approval", raw(USDC, encode_call(signature("setApprovalForAll(address,bool)"), (STRANGER, True)))),
    ("sends-value", raw(EXCHANGE, PAUSE.data, value=1)),
    ("sends-value", raw(OWNER, b"", value=1)),
]


@pytest.mark.parametrize(("code", "tx"), REFUSED, ids=[f"{code}-{place}" for place, (code, _) in enumerate(REFUSED)])
def test_what_is_refused(code: str, tx: SafeTx) -> None:
    found = look(tx)
    assert code in codes(found, "refused"), codes(found)
    assert found.verdict == "refused"


@pytest.mark.parametrize(("code", "tx"), WARNED, ids=[f"{code}-{place}" for place, (code, _) in enumerate(WARNED)])
def test_what_is_warned_of(code: str, tx: SafeTx) -> None:
    found = look(tx)
    assert code in codes(found, "warned"), codes(found)
    assert found.verdict != "clean"


def test_every_code_is_explained_and_shown_somewhere() -> None:
    shown = {code for code, _ in [*REFUSED, *WARNED]} | {"multisend-unread", "chain-not-read"}
    elsewhere = {"wrong-chain", "wrong-safe", "hash-disputed", "ambiguous-function"}  # below, and in test_decoding
    elsewhere |= {"direction-unknown", "lever-refused"}  # in test_direction
    elsewhere |= {"carries-call", "meaning-by-file", "more-findings", "no-known-meaning"}  # in test_meaning
    elsewhere |= {"too-long-to-show", "unknown-address", "displaces-unknown"}
    elsewhere |= {"calls-interfere", "irreversible", "cancels", "scheduled", "unknown-market"}  # in test_doubts
    elsewhere |= {"unexpected-value", "call-count", "call-differs", "field-differs"}  # in test_expectation
    assert shown | elsewhere == set(EXPLANATIONS)


def test_another_chain_and_another_safe_are_refused_without_asking_a_node() -> None:
    from incident_cli.flows.multisig.inspecting import inspect_transaction

    for change, code in (({"chain_id": 10}, "wrong-chain"), ({"safe": STRANGER}, "wrong-safe")):
        changed: dict[str, Any] = change
        found = inspect_transaction(loaded(dataclasses.replace(PAUSE_TX, **changed)), aids(), lambda _: None)
        assert code in codes(found, "refused")
        assert (found.view, found.unread) == (None, None)


def test_a_node_that_cannot_be_reached_leaves_the_offline_part() -> None:
    from incident_cli.flows.multisig.inspecting import inspect_transaction

    found = inspect_transaction(loaded(PAUSE_TX), aids(), lambda _: None)
    assert isinstance(found.unread, Unread)
    assert found.hashes is not None
    assert found.calls[0].plain.startswith("exchange.pause_market:")


def test_a_disputed_hash_is_refused() -> None:
    lie = dataclasses.replace(view(PAUSE_TX), contract_hash="0x" + "ab" * 32)
    found = judge(loaded(PAUSE_TX), aids(), lie)
    assert "hash-disputed" in codes(found, "refused")
    assert found.hashes is None


def test_there_must_be_code_and_the_right_one() -> None:
    tx = made([PAUSE, LIMIT])
    for code, wanted in ((None, "multisend-code"), (CODE, "multisend-code")):
        seen = view(tx)
        standing = Standing(NONCE, "1.4.1", {**seen.standing.code, MULTISEND: code})
        found = judge(loaded(tx), aids(), dataclasses.replace(seen, standing=standing))
        assert wanted in codes(found, "refused")


def test_no_more_is_unfolded_than_can_be_shown() -> None:
    many = batch(*[InnerCall(0, EXCHANGE, 0, b"")] * 1_500)
    assert len(look(many, chain=False).calls) == 1_500
    payload = through_multicall(EXCHANGE, b"")
    for _ in range(7):
        payload = through_multicall(MULTICALL3, payload)
    assert "bad-batch" in codes(look(raw(MULTICALL3, payload)), "refused")


@pytest.mark.parametrize("text", [*NAMED_CONTROL[:-1], *CONTROL])
def test_who_controls_what_is_never_changed_on_the_side(text: str) -> None:
    one = signature(text)
    data = encode_call(one, zeros(one))
    for tx in (raw(EXCHANGE, data), batch(GOOD, InnerCall(0, EXCHANGE, 0, data))):
        assert "control-change" in codes(look(tx), "refused")


def test_the_known_functions_are_those_of_the_tables() -> None:
    selectors = {signature(text).selector for text in EVERY}
    assert len(selectors) == len(EVERY)
    assert set(CONTROL_FUNCTIONS) <= selectors
    named = {signature(text).selector: signature(text).canonical for text in NAMED_CONTROL}
    assert all(named[selector] == text for selector, text in CONTROL_FUNCTIONS.items())
    assert not set(control_selectors()) & set(CONTROL_FUNCTIONS)


def test_no_lever_of_the_catalogue_changes_who_is_in_control() -> None:
    from tests.flows.inspected import catalog

    for name in catalog().names():
        protocol = catalog().find(name)
        assert protocol is not None
        for lever in protocol.levers.values():
            assert lever.call.selector not in control_selectors(), (name, lever.call.canonical)
