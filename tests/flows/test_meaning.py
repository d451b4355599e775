"""A file may say what it likes: nothing but a lever of the deployment, held against the chain, comes out clean."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from incident_cli.abi import encode_call, parse_signature
from incident_cli.evm import ZERO, Address, Call, checksummed, keccak
from incident_cli.flows.multisig.inspecting import Inspection, judge
from incident_cli.flows.multisig.loading import loaded as load
from incident_cli.flows.multisig.wording import SHOWN_WHOLE
from incident_cli.safe.alone import Standing
from incident_cli.safe.batch import InnerCall, encode_batch
from incident_cli.safe.finding import MOST
from incident_cli.safe.known_functions import CARRIER, SELF_MULTICALL
from incident_cli.safe.transaction import SafeTx
from tests.flows.inspected import (
    CODE,
    EXCHANGE,
    MULTISEND,
    NONCE,
    OWNER,
    PAUSE,
    SAFE,
    STRANGER,
    TIMELOCK,
    USDC,
    aids,
    codes,
    loaded,
    look,
    made,
    proposal,
    view,
)

UPGRADE = encode_call(parse_signature("upgradeToAndCall(address,bytes)"), (STRANGER, b""))
HARMLESS = bytes.fromhex("12345678") + bytes(32)


def call(to: Address, text: str, *args: object) -> SafeTx:
    return made([Call(to, parse_signature(text), args)])


def stated(*calls: Call) -> Inspection:
    """The inspection of a proposal file that states these calls and is what it says."""
    own = load(proposal(calls), "p.json")
    return judge(own, aids(), view(own.tx))


def abi(tmp_path: Path, *texts: str) -> Path:
    entries = [
        {
            "type": "function",
            "name": one.name,
            "inputs": [{"type": two.type, "name": two.name or f"a{place}"} for place, two in enumerate(one.inputs)],
        }
        for one in map(parse_signature, texts)
    ]
    path = tmp_path / "given.json"
    path.write_text(json.dumps(entries))
    return path


# --- what files say


@pytest.mark.parametrize(
    ("text", "args"),
    [
        ("pause_market(address keeper)", (STRANGER,)),
        ("setAssetSources(address[] assets, address[] sources)", ((USDC,), (STRANGER,))),
        ("assignRoles(address who, uint16[] roles, bool[] given)", (STRANGER, (1,), (True,))),
        ("createProxyWithNonce(address singleton, bytes initializer, uint256 salt)", (STRANGER, b"\1", 1)),
        ("pause(bytes32 market)", (bytes(32),)),
        ("setOracle(address oracle)", (STRANGER,)),
        ("approve(address token, address spender, uint160 amount, uint48 expiration)", (USDC, STRANGER, 2**160 - 1, 1)),
    ],
)
def test_a_function_that_a_file_names_is_never_clean(text: str, args: tuple[object, ...], tmp_path: Path) -> None:
    one = Call(EXCHANGE, parse_signature(text), args)
    by_proposal, by_abi = stated(one), look(made([one]), abis=[abi(tmp_path, text)])
    for found, source in ((by_proposal, "proposal"), (by_abi, "ABI given.json")):
        assert found.verdict == "warned"
        assert any(source in two.message for two in found.findings if two.code == "meaning-by-file")


def test_an_erc7730_file_that_poses_as_a_lever_is_a_file(tmp_path: Path) -> None:
    text = "note(address target, bytes32 data)"
    document = {
        "context": {"contract": {"deployments": [{"chainId": 1, "address": EXCHANGE}]}},
        "metadata": {"owner": "exchange.pause_market"},
        "display": {"formats": {text: {"intent": "Stops trading in one market", "fields": []}}},
    }
    path = tmp_path / "e.json"
    path.write_text(json.dumps(document))
    found = look(call(EXCHANGE, text, OWNER, bytes(32)), descriptors=[path])
    assert codes(found) == {"meaning-by-file"}


def test_a_protocol_file_that_is_given_says_nothing_of_an_address(tmp_path: Path) -> None:
    shipped = Path(__file__).parents[2] / "incident_cli" / "protocols" / "openzeppelin-pausable.yaml"
    (tmp_path / "openzeppelin-pausable.yaml").write_text(shipped.read_text())
    assert "meaning-by-file" in codes(look(call(USDC, "pause()"), protocols=tmp_path))


def test_a_text_that_looks_like_an_address_is_none() -> None:
    found = stated(Call(EXCHANGE, parse_signature("note(string text)"), ("0x" + "z" * 40,)))
    assert codes(found) == {"meaning-by-file"}
    assert found.calls[0].addresses == ()


def test_a_name_with_the_selector_of_a_transfer_hides_no_money() -> None:
    name = parse_signature("workMyDirefulOwner(uint256 market, uint256 paused)")
    for who in (int(STRANGER, 16), 2**255 + int(STRANGER, 16)):
        found = stated(Call(USDC, name, (who, 10**12)))
        assert "ambiguous-function" in codes(found)
        assert "transfer(address,uint256)" in next(
            one.message for one in found.findings if one.code == "ambiguous-function"
        )
    plain_one = stated(Call(USDC, name, (int(STRANGER, 16), 10**12)))
    assert "moves-money" in codes(plain_one)
    assert plain_one.calls[0].function == "transfer(address,uint256)"


# --- what is built in


@pytest.mark.parametrize(
    ("tx", "code"),
    [
        (call(EXCHANGE, "unpause()"), "not-restricting"),
        (call(EXCHANGE, "pause()"), "no-known-meaning"),
        (call(USDC, "burn(uint256)", 10**30), "no-known-meaning"),
        (call(USDC, "withdraw(uint256)", 10**30), "no-known-meaning"),
        (call(USDC, "decreaseAllowance(address,uint256)", OWNER, 1), "no-known-meaning"),
        (call(EXCHANGE, "approve(address,uint256)", OWNER, 0), "no-known-meaning"),
    ],
)
def test_a_name_that_is_built_in_is_no_meaning(tx: SafeTx, code: str) -> None:
    assert codes(look(tx)) == {code}


def test_an_allowance_of_a_token_that_is_taken_back_is_clean() -> None:
    assert look(call(USDC, "approve(address,uint256)", OWNER, 0)).verdict == "clean"


# --- what is handed on


def zero(kind: str, data: bytes) -> object:
    """A value that fits, with the payload wherever there are bytes."""
    if kind.endswith("[]"):
        return (zero(kind.removesuffix("[]"), data),)
    return {"address": EXCHANGE, "bytes": data, "string": "", "bool": False, "bytes32": bytes(32)}.get(kind, 0)


@pytest.mark.parametrize("text", [*CARRIER, *SELF_MULTICALL])
def test_what_a_carrier_is_handed_is_unfolded(text: str) -> None:
    one = parse_signature(text)
    taking, pausing, unknown = (
        look(made([Call(TIMELOCK, one, tuple(zero(kind, data) for kind in one.input_types))]))
        for data in (UPGRADE, PAUSE.data, HARMLESS)
    )
    assert "control-change" in codes(taking, "refused")
    assert "carries-call" in codes(pausing, "warned")
    assert pausing.calls[1].made.call.data == PAUSE.data
    assert {"carries-call", "undecoded"} <= codes(unknown)


def test_what_is_no_time_lock_to_the_deployment_schedules_nothing() -> None:
    schedule = parse_signature("schedule(address,uint256,bytes,bytes32,bytes32,uint256)")
    args = (EXCHANGE, 0, PAUSE.data, bytes(32), bytes(32), 60)
    assert codes(look(made([Call(TIMELOCK, schedule, args)]))) == {"scheduled"}
    for to in (EXCHANGE, USDC, OWNER):
        assert "carries-call" in codes(look(made([Call(to, schedule, args)])), "warned")


def test_a_function_that_is_handed_as_text_is_seen() -> None:
    text = "executeTransaction(address,uint256,string,bytes,uint256)"
    tx = call(TIMELOCK, text, EXCHANGE, 0, "upgradeTo(address)", UPGRADE[4:36], 1)
    assert "control-change" in codes(look(tx), "refused")


@pytest.mark.parametrize("text", ["f(bytes a)", "f(bytes[] a)", "f((address,bytes)[] a)", "f(uint256,(bytes,bytes) a)"])
def test_control_in_bytes_is_refused_whatever_the_function(text: str, tmp_path: Path) -> None:
    one = parse_signature(text)
    for data in (UPGRADE, encode_call(parse_signature("g(uint256,bytes)"), (5, UPGRADE))):
        values: dict[str, object] = {"bytes": data, "bytes[]": (data,), "uint256": 5}
        values |= {"(address,bytes)[]": ((EXCHANGE, data),), "(bytes,bytes)": (b"", data)}
        tx = made([Call(EXCHANGE, one, tuple(values[kind] for kind in one.input_types))])
        for found in (look(tx), look(tx, abis=[abi(tmp_path, one.canonical)]) if "(b" not in text else look(tx)):
            assert "control-change" in codes(found, "refused")


def test_bytes_that_may_be_a_call_are_said(tmp_path: Path) -> None:
    found = look(call(EXCHANGE, "f(bytes)", HARMLESS), abis=[abi(tmp_path, "f(bytes a)")])
    assert {"carries-call", "meaning-by-file"} == codes(found)


# --- addresses


def test_a_stranger_among_the_arguments_is_named() -> None:
    found = look(call(USDC, "approve(address,uint256)", STRANGER, 0))
    assert codes(found) == {"unknown-address"}
    assert STRANGER in found.findings[0].message
    known = look(call(USDC, "approve(address,uint256)", TIMELOCK, 0))
    assert "unknown-address" not in codes(known)


def test_an_argument_that_is_cut_is_not_clean_and_every_address_is_listed(tmp_path: Path) -> None:
    from incident_cli.cli import safe_inspect
    from incident_cli.cli.safe_rows import LONGEST
    from incident_cli.cli.terminal import Printer
    from tests.cli.test_safe_inspect import printed

    assert LONGEST == SHOWN_WHOLE
    text = "setKeepers(address[] keepers)"
    found = look(call(EXCHANGE, text, (SAFE,) * 80 + (STRANGER,)), abis=[abi(tmp_path, text)])
    assert {"too-long-to-show", "unknown-address"} <= codes(found)
    calls = dataclasses.replace(found, findings=())
    with printed() as shown:
        safe_inspect.show(Printer(), calls)
    assert STRANGER in shown.getvalue()


@pytest.mark.parametrize(("first", "last"), [(8, 3), (20, 0), (0, 20), (4, 4), (3, 8)])
def test_addresses_that_share_a_long_end_are_lookalikes(first: int, last: int) -> None:
    known = EXCHANGE[2:].lower()
    middle = "7" * (40 - first - last)
    false = checksummed(bytes.fromhex(known[:first] + middle + (known[-last:] if last else "")))
    found = look(call(USDC, "approve(address,uint256)", false, 0))
    assert "lookalike-address" in codes(found, "refused")


# --- other Safes


EXECUTE = "execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)"


def through_safe(to: Address, data: bytes, operation: int, *gas: object) -> SafeTx:
    return call(TIMELOCK, EXECUTE, to, 0, data, operation, *gas, b"")


@pytest.mark.parametrize(
    ("gas", "code"),
    [
        ((0, 10**6, 0, ZERO, ZERO), "refund"),
        ((0, 0, 10**15, ZERO, ZERO), "refund"),
        ((0, 0, 0, USDC, ZERO), "refund"),
        ((0, 0, 0, ZERO, STRANGER), "refund"),
        ((1, 0, 0, ZERO, ZERO), "safe-tx-gas"),
    ],
)
def test_another_safe_pays_nobody_either(gas: tuple[object, ...], code: str) -> None:
    assert code in codes(look(through_safe(EXCHANGE, PAUSE.data, 0, *gas)), "refused")


def test_the_code_of_multisend_is_held_for_another_safe_too() -> None:
    batch = encode_batch([InnerCall(0, PAUSE.to, 0, PAUSE.data)])
    tx = through_safe(MULTISEND, batch, 1, 0, 0, 0, ZERO, ZERO)
    assert "multisend-code" not in codes(look(tx))
    assert "multisend-unread" in codes(look(tx, chain=False), "warned")
    seen = view(tx)
    for code in (None, CODE):
        standing = Standing(NONCE, "1.4.1", {**seen.standing.code, MULTISEND: code})
        found = judge(loaded(tx), aids(), dataclasses.replace(seen, standing=standing))
        assert "multisend-code" in codes(found, "refused")


# --- no input takes long, and no findings without end


def alike(number: int) -> Address:
    return checksummed(b"\x11\x11" + number.to_bytes(16, "big") + b"\x11\x11")


def batch_of(targets: list[Address], data: bytes) -> SafeTx:
    calls = [InnerCall(0, one, 0, data) for one in targets]
    return dataclasses.replace(made([PAUSE, PAUSE]), data=encode_batch(calls))


def heavy() -> list[tuple[SafeTx, str]]:
    """The largest inputs, each with an ABI text for it."""
    many = (tuple(map(alike, range(3_500))),)
    unlike = [checksummed(keccak(one.to_bytes(4, "big"))[:20]) for one in range(1_200)]
    return [
        (batch_of([alike(one) for one in range(1_000)], b"\x11" * 20), "f()"),
        (batch_of(unlike, b"\x11" * 20), "f()"),
        (call(EXCHANGE, "f(address[] a)", *many), "f(address[] a)"),
        (made([dataclasses.replace(PAUSE, args=(bytes([one % 256]) * 32, True)) for one in range(700)]), "f()"),
        (dataclasses.replace(made([PAUSE]), to=alike(1), data=b"\x12\x34\x56\x78" + b"\x11" * 120_000), "f()"),
    ]


@pytest.mark.parametrize("place", range(5))
def test_findings_are_capped(place: int, tmp_path: Path) -> None:
    tx, text = heavy()[place]
    given: dict[str, Any] = {"abis": [abi(tmp_path, text)]}
    look(made([PAUSE]), **given)  # what is loaded once is not counted
    found = look(tx, **given)
    assert found.verdict != "clean"
    assert len(found.findings) <= MOST
    if len(found.findings) == MOST:
        assert found.findings[-1].code == "more-findings"


def test_of_many_findings_each_code_is_shown() -> None:
    calls = [InnerCall(0, alike(one), 0, b"\x11" * 20) for one in range(500)]
    tx = dataclasses.replace(made([PAUSE, PAUSE]), data=encode_batch([*calls, InnerCall(1, EXCHANGE, 0, PAUSE.data)]))
    found = look(tx)
    assert {"inner-operation", "lookalike-address", "undecoded", "unknown-target"} <= codes(found)
    assert found.verdict == "refused"
