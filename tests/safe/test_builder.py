"""The Transaction Builder's file: its checksum against a real export and against JavaScript, and what is refused."""

from __future__ import annotations

import copy
import json
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.abi import encode_call, parse_signature
from incident_cli.errors import Misused, Refused
from incident_cli.evm import Address, checksummed
from incident_cli.safe.builder import BuilderCall, batch_document, checksum, read_batch, serialised
from incident_cli.safe.builder_values import shown_value, value_of

SAFE = checksummed(b"\x5a" * 20)
# exported by Transaction Builder 1.18.2, as 5afe/safe-cli-nodejs shows it in TRANSACTION_BUILDER_FORMAT_ANALYSIS.md
REAL: dict[str, Any] = {
    "version": "1.0",
    "chainId": "1",
    "createdAt": 1761326849944,
    "meta": {
        "name": "Transactions Batch",
        "description": "",
        "txBuilderVersion": "1.18.2",
        "createdFromSafeAddress": "0xA77DE01e157f9f57C7c4A326eeE9C4874D0598b6",
        "createdFromOwnerAddress": "",
        "checksum": "0x8b5032f716845c8b08bab3d63dbd9ba92e056f3557793cd041e59b84e16aa989",
    },
    "transactions": [
        {
            "to": "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48",
            "value": "0",
            "data": None,
            "contractMethod": {
                "inputs": [
                    {"internalType": "address", "name": "spender", "type": "address"},
                    {"internalType": "uint256", "name": "value", "type": "uint256"},
                ],
                "name": "approve",
                "payable": False,
            },
            "contractInputsValues": {
                "spender": "0x474e5Ded6b5D078163BFB8F6dBa355C3aA5478C8",
                "value": "100000000000",
            },
        }
    ],
}
APPROVE = parse_signature("approve(address spender, uint256 value)")
FIXED = {"name": "f", "inputs": [{"name": "x", "type": "fixed"}]}
SPENDER = "0x474e5Ded6b5D078163BFB8F6dBa355C3aA5478C8"


def changed(**entry: Any) -> dict[str, Any]:
    """The real batch with its transaction changed, under a checksum that is right again."""
    document = copy.deepcopy(REAL)
    document["transactions"][0] |= entry
    document["meta"]["checksum"] = checksum(document)
    return document


def test_the_checksum_of_a_real_export_is_reproduced() -> None:
    assert checksum(REAL) == REAL["meta"]["checksum"]
    batch = read_batch(REAL)
    assert (batch.chain_id, batch.safe, batch.has_checksum) == (1, REAL["meta"]["createdFromSafeAddress"], True)
    (call,) = batch.calls
    assert call.data == encode_call(APPROVE, (SPENDER, 10**11)) and call.value == 0


def test_javascript_serialises_alike() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not on this machine: the serialisation is not held against JavaScript here")
    values = [REAL, *(made(random.Random(seed), 0) for seed in range(300))]
    text = "".join(json.dumps(one) + "\n" for one in values)
    script = Path(__file__).with_name("builder_serialise.cjs")
    done = subprocess.run([node, script], input=text, capture_output=True, text=True, check=True)
    theirs = [json.loads(line) for line in done.stdout.split("\n") if line]
    assert theirs == [serialised(one) for one in values]


def made(dice: random.Random, depth: int) -> Any:
    """A JSON value with what serialisers differ over: escapes, keys in odd order, characters beyond 16 bits."""
    letters = ["a", "Z", "é", "\u2028", '"', "\\", "\n", "\x7f", "\x1f", "/", "\U0001f600", "\uffee", "<", "0"]
    kind = dice.randrange(7 if depth < 3 else 5)
    word = "".join(dice.choice(letters) for _ in range(dice.randrange(5)))
    if kind == 5:
        return [made(dice, depth + 1) for _ in range(dice.randrange(4))]
    if kind == 6:
        return {word + str(one): made(dice, depth + 1) for one in range(dice.randrange(4))}
    return [None, True, False, dice.randrange(2**53), word][kind]


def test_every_change_but_of_the_name_changes_the_checksum() -> None:
    renamed = copy.deepcopy(REAL)
    renamed["meta"]["name"] = "another"
    assert checksum(renamed) == REAL["meta"]["checksum"]
    entries: list[dict[str, Any]] = [{"value": "1"}, {"to": SPENDER}, {"data": "0x"}, {"contractInputsValues": {}}]
    for entry in entries:
        document = copy.deepcopy(REAL)
        document["transactions"][0] |= entry
        with pytest.raises(Refused, match="checksum"):
            read_batch(document)


@pytest.mark.parametrize("stated", ["", "0x", "0x" + "00" * 32, 1, REAL["meta"]["checksum"].upper()])
def test_a_checksum_that_is_there_must_be_right(stated: object) -> None:
    with pytest.raises(Refused, match="checksum"):
        read_batch({**REAL, "meta": {**REAL["meta"], "checksum": stated}})


def test_a_batch_without_a_checksum_says_so() -> None:
    meta = {key: value for key, value in REAL["meta"].items() if key != "checksum"}
    assert not read_batch({**REAL, "meta": meta}).has_checksum


def test_what_is_written_is_read_back_by_name() -> None:
    pause = parse_signature("pause((address venue, bool[2] flags)[] legs, bytes32 id, string why, int64 delta)")
    args = ([(SPENDER, (True, False))], b"\x01" * 32, 'say "hi", 5', -7)
    calls = [
        BuilderCall(Address(SPENDER), 3, encode_call(pause, args), pause),
        BuilderCall(Address(SPENDER), 0, b"\xde\xad\xbe\xef\x01"),
        BuilderCall(Address(SPENDER), 0, encode_call(APPROVE, (SPENDER, 5)) + b"\0", APPROVE),
    ]
    document = batch_document(calls, chain_id=10, safe=SAFE, name="pause", created_ms=1)
    first, raw, padded = document["transactions"]
    assert first["data"] is None and first["contractMethod"]["payable"] is True
    assert first["contractMethod"]["inputs"][0]["type"] == "tuple[]"
    assert [one["name"] for one in first["contractMethod"]["inputs"][0]["components"]] == ["venue", "flags"]
    assert first["contractInputsValues"]["delta"] == "-7"
    assert json.loads(first["contractInputsValues"]["legs"]) == [[SPENDER, ["true", "false"]]]
    assert raw["data"] == "0xdeadbeef01" and raw["contractMethod"] is None
    assert padded["data"] is not None, "named values would lose the byte that rides along"
    batch = read_batch(json.loads(json.dumps(document)))
    assert [(one.to, one.value, one.data) for one in batch.calls] == [(one.to, one.value, one.data) for one in calls]
    assert (batch.chain_id, batch.safe, batch.has_checksum) == (10, SAFE, True)


@pytest.mark.parametrize("text", ["f(uint256)", "f(uint256 a, uint256 a)", "f((bool,bool) pair)"])
def test_parameters_without_names_of_their_own_are_written_as_data(text: str) -> None:
    signature = parse_signature(text)
    args = [(True, True)] if "bool" in text else [1] * len(signature.inputs)
    call = BuilderCall(Address(SPENDER), 0, encode_call(signature, args), signature)
    (entry,) = batch_document([call], chain_id=1, safe=SAFE, name="", created_ms=0)["transactions"]
    assert entry["data"] == "0x" + call.data.hex() and entry["contractMethod"] is None


def test_data_that_are_not_what_the_method_says_are_refused() -> None:
    data = encode_call(APPROVE, (SPENDER, 10**11))
    assert read_batch(changed(data="0x" + data.hex())).calls[0].data == data
    with pytest.raises(Refused, match="hides something"):
        read_batch(changed(data="0x" + data.hex()[:-2] + "ff"))


def test_the_placeholder_method_of_others_is_none() -> None:
    fallback = {"inputs": [], "name": "fallback", "payable": True}
    batch = read_batch(changed(data="0x1234", contractMethod=fallback, contractInputsValues=None))
    assert batch.calls[0].data == b"\x12\x34"
    assert read_batch(changed(data=None, contractMethod=None, contractInputsValues=None)).calls[0].data == b""


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ({"to": SPENDER.lower()}, "checksum"),
        ({"to": "0x12"}, "transaction 1: to"),
        ({"value": 5}, "value"),
        ({"value": "0x5"}, "value"),
        ({"value": "-1"}, "value"),
        ({"data": "12"}, "data"),
        ({"data": 12}, "data"),
        ({"contractInputsValues": {"spender": SPENDER}}, "uint256"),
        ({"contractInputsValues": {"spender": SPENDER, "value": "1e18"}}, "whole number"),
        ({"contractInputsValues": {"spender": SPENDER, "value": str(2**256)}}, "fit"),
        ({"contractInputsValues": {"spender": SPENDER.lower(), "value": "1"}}, "checksum"),
        ({"contractMethod": {"name": "a b", "inputs": []}}, "no name"),
        ({"contractMethod": {"name": "f"}}, "inputs"),
        ({"contractMethod": FIXED, "contractInputsValues": {"x": "1"}}, "not known"),
        ({"contractMethod": []}, "inputs"),
    ],
)
def test_what_is_wrong_is_named(entry: dict[str, Any], why: str) -> None:
    with pytest.raises(Misused, match=why):
        read_batch(changed(**entry))


@pytest.mark.parametrize("operation", [1, 2, -1, 0.0, False, True, "0", [], {}])
def test_anything_but_a_call_is_refused(operation: object) -> None:
    with pytest.raises(Refused, match="operation"):
        read_batch(changed(operation=operation))
    assert read_batch(changed(operation=0)).calls == read_batch(changed()).calls


@pytest.mark.parametrize(
    ("written", "canonical", "value"),
    [
        ("uint", "uint256", "5"),
        ("int", "int256", "-5"),
        ("uint[2]", "uint256[2]", "[1,2]"),
        ("tuple[]", "(uint256,int256)[]", "[[1,-2]]"),
    ],
)
def test_a_selector_is_taken_from_the_canonical_type(written: str, canonical: str, value: str) -> None:
    parts = [{"name": "a", "type": "uint"}, {"name": "b", "type": "int"}]
    method = {"name": "set_limit", "inputs": [{"name": "x", "type": written, "components": parts}]}
    (call,) = read_batch(changed(contractMethod=method, contractInputsValues={"x": value})).calls
    assert call.data[:4] == parse_signature(f"set_limit({canonical})").selector


@pytest.mark.parametrize(
    "kind",
    ["uint07", "uint264", "bytes0", "bytes33", "byte", "fixed", "ufixed128x18", "function", "function[]", "tuple(", "(",
     "address payable", "uint256,bool", "", "uint256 x", "uint256[0]", "uint[99999]", "tuple[0]", "tuple)(uint256",
     "x" * 3_000],
)  # fmt: skip
def test_a_type_that_is_not_known_is_refused(kind: str) -> None:
    method = {"name": "f", "inputs": [{"name": "x", "type": kind, "components": []}]}
    with pytest.raises(Misused):
        read_batch(changed(contractMethod=method, contractInputsValues={"x": "1"}))


@pytest.mark.parametrize("components", [1, "x", {"a": 1}, [1], [{"type": "uint256", "name": 5}], True])
def test_components_that_are_none_are_refused(components: object) -> None:
    method = {"name": "f", "inputs": [{"name": "x", "type": "tuple", "components": components}]}
    with pytest.raises(Misused):
        read_batch(changed(contractMethod=method, contractInputsValues={"x": "[]"}))


@pytest.mark.parametrize(
    "document", [{}, {"transactions": [], "meta": {}}, {"transactions": 1, "meta": {}}, {**REAL, "chainId": 1}]
)
def test_what_is_no_batch_is_misused(document: dict[str, Any]) -> None:
    if "chainId" in document:
        document = {**document, "meta": {"name": ""}}
    with pytest.raises(Misused):
        read_batch(document)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2**256 - 1), st.booleans()), max_size=4), st.binary(max_size=40), st.text())
def test_values_survive_being_written(pairs: list[tuple[int, bool]], data: bytes, text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    for kind, value in (("(uint256,bool)[]", tuple(pairs)), ("bytes", data), ("string", text)):
        assert value_of(kind, shown_value(kind, value)) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("bool", "1"),
        ("bool[2]", "[true]"),
        ("bytes4", "0x12"),
        ("uint8[]", "5"),
        ("uint8[]", None),
        ("(bool)", "[[1]]"),
    ],
)
def test_values_that_do_not_fit_are_refused(kind: str, text: object) -> None:
    with pytest.raises(ValueError):
        value_of(kind, text)


def test_numbers_without_quotes_lose_no_digit() -> None:
    assert value_of("uint256[]", f"[{2**255}, 1]") == (2**255, 1)
    assert value_of("(uint256,string)", f'[{2**200},"keep 5 and 6"]') == (2**200, "keep 5 and 6")
