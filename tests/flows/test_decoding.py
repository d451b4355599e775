"""Calldata to words, by every source: the catalogue, a proposal, ABI files, ERC-7730 files, and what is built in."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from incident_cli.abi import parse_signature
from incident_cli.document import parse_document
from incident_cli.errors import Misused
from incident_cli.evm import Address, Call, to_hex
from incident_cli.flows.multisig.aids import Aids, aids_of
from incident_cli.flows.multisig.decoding import DecodedCall, decode_call
from incident_cli.flows.multisig.functions import Candidate, Functions, abi_functions, levers_of, put
from incident_cli.flows.multisig.inspecting import judge
from incident_cli.flows.multisig.naming import Names, names_of
from incident_cli.runbook.deployment import sound
from incident_cli.safe.transaction import SafeTx
from incident_cli.safe.unfolding import unfold
from tests.flows.inspected import (
    APPROVE,
    DEPLOYMENT,
    EXCHANGE,
    LIMIT,
    OWNER,
    PAUSE,
    SAFE,
    STRANGER,
    TIMELOCK,
    TRANSFER,
    USDC,
    catalog,
    codes,
    loaded,
    look,
    made,
)

OWN = "setCeiling((address asset,uint256 most)[] limits, bytes32 reason)"
CEILING = Call(EXCHANGE, parse_signature(OWN), (((USDC, 5), (STRANGER, 2**200)), b"\x07" * 32))
ABI = [
    {"type": "constructor", "inputs": []},
    {"type": "event", "name": "Set", "inputs": []},
    {
        "type": "function",
        "name": "setCeiling",
        "inputs": [
            {
                "name": "limits",
                "type": "tuple[]",
                "components": [{"name": "asset", "type": "address"}, {"name": "most", "type": "uint256"}],
            },
            {"name": "reason", "type": "bytes32"},
        ],
        "outputs": [],
        "stateMutability": "nonpayable",
    },
]


def call(to: Address, text: str, *args: object, value: int = 0) -> SafeTx:
    return made([Call(to, parse_signature(text), args, value)])


def only(tx: SafeTx, **more: Any) -> DecodedCall:
    (found,) = look(tx, chain=False, **more).calls
    return found


def written(tmp_path: Path, name: str, document: object) -> Path:
    path = tmp_path / name
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


# --- the catalogue and names


def test_a_lever_of_the_deployment_says_what_it_does() -> None:
    found = only(made([PAUSE]))
    assert (found.name, found.function, found.source) == ("exchange", "setMarketPaused(bytes32,bool)", "catalogue")
    assert found.args == {"market": "0x" + "05" * 32, "paused": "true"}
    assert found.plain.startswith("exchange.pause_market: ")
    assert found.to_json() == {
        "to": EXCHANGE,
        "name": "exchange",
        "value": "0",
        "operation": 0,
        "function": "setMarketPaused(bytes32,bool)",
        "args": {"market": "0x" + "05" * 32, "paused": "true"},
        "plain": found.plain,
        "number": "1",
        "via": None,
        "decoded_by": "catalogue",
        "data": to_hex(PAUSE.data),
    }


def test_a_lever_is_known_at_its_own_address_only() -> None:
    elsewhere = only(made([dataclasses.replace(PAUSE, to=STRANGER)]))
    assert (elsewhere.name, elsewhere.function) == ("", "")
    assert "what it does cannot be said" in elsewhere.plain


def test_the_function_of_a_lever_that_is_called_the_other_way_is_not_called_the_lever() -> None:
    reopening = dataclasses.replace(PAUSE, args=(b"\x05" * 32, False))
    found = only(made([reopening]))
    assert "exchange.pause_market with other values than that lever" in found.plain
    assert "Stops" not in found.plain
    assert found.args["paused"] == "false"


COMET = "pause(bool,bool,bool,bool,bool)"


def levers(protocol: str) -> Functions:
    """The levers of one shipped protocol, as if each of its contracts were the exchange."""
    functions, found = Functions(), catalog().find(protocol)
    assert found is not None
    for _, one in levers_of(found, protocol):
        put(functions.at.setdefault(EXCHANGE, {}), one)
    return functions


@pytest.mark.parametrize(
    ("protocol", "text", "args", "restricts"),
    [
        ("compound-v3", COMET, (True, False, True, False, False), True),
        ("compound-v3", COMET, (False, False, False, False, False), False),
        ("aave-v3", "setReserveBorrowing(address,bool)", (STRANGER, False), True),
        ("aave-v3", "setReserveBorrowing(address,bool)", (STRANGER, True), False),
        ("aave-v3", "setReservePause(address,bool)", (STRANGER, True), True),
        ("aave-v3", "setReservePause(address,bool)", (STRANGER, False), False),
        ("openzeppelin-pausable", "pause()", (), True),
        ("openzeppelin-pausable", "unpause()", (), False),
        ("ccip-rmn", "curse(bytes16)", (b"\x01" + bytes(14) + b"\x01",), True),
        ("drill-exchange", "setWithdrawalLimit(uint256,uint256)", (5, 3_600), True),
    ],
)
def test_restricting_and_loosening_are_told_apart(
    protocol: str, text: str, args: tuple[object, ...], restricts: bool
) -> None:
    tx = call(EXCHANGE, text, *args)
    found = decode_call(unfold(tx).calls[0], tx, levers(protocol), Names())
    assert ({one.code for one in found.findings} == set()) is restricts, found
    assert found.source == "catalogue"


def test_arguments_stand_in_the_units_that_the_catalogue_gives_them() -> None:
    found = only(made([LIMIT]))
    assert found.args == {"capacity": "250000000000", "period": "3600"}
    assert found.asides == {"capacity": "250,000.00 USDC", "period": "1h"}


def test_a_change_of_control_is_called_that() -> None:
    assert only(call(SAFE, "setGuard(address)", STRANGER)).plain.startswith(f"Changes who controls {SAFE} (this Safe")
    assert only(call(EXCHANGE, "rely(address)", STRANGER)).plain.startswith("Changes who controls")


def test_a_market_is_named_beside_its_id() -> None:
    own = sound(parse_document(DEPLOYMENT.encode(), "test.yaml"))
    assert names_of(own, "ethereum", SAFE).beside("0x" + "05" * 32) == f"0x{'05' * 32} (market ETH-USD)"


def test_protocol_files_that_are_given_are_known_anywhere(tmp_path: Path) -> None:
    folder = tmp_path / "protocols"
    folder.mkdir()
    shipped = Path(__file__).parents[2] / "incident_cli" / "protocols" / "drill-exchange.yaml"
    (folder / "drill-exchange.yaml").write_text(shipped.read_text())
    found = judge(loaded(made([PAUSE])), Aids(protocols=folder), None)
    assert found.calls[0].plain.startswith("drill-exchange.pause_market: ")
    (folder / "wrong.yaml").write_text("protocol: wrong\n")
    with pytest.raises(Misused, match=r"wrong\.yaml"):
        judge(loaded(made([PAUSE])), Aids(protocols=folder), None)
    with pytest.raises(Misused, match="no folder"):
        judge(loaded(made([PAUSE])), Aids(protocols=tmp_path / "missing"), None)


def test_the_deployment_of_a_command_line(tmp_path: Path) -> None:
    found = aids_of(written(tmp_path, "test.yaml", DEPLOYMENT), (), (), None, None)
    assert judge(loaded(made([LIMIT])), found, None).calls[0].plain.startswith("exchange.limit_withdrawals: ")


# --- what is built in: money, time-locks, other Safes


@pytest.mark.parametrize(
    ("tx", "words"),
    [
        (made([Call(USDC, TRANSFER, (OWNER, 1_500_000))]), [f"Sends 1.50 USDC (1500000 base units of {USDC})", OWNER]),
        (made([Call(USDC, TRANSFER, (OWNER, 0))]), ["Sends 0.00 USDC"]),
        (made([Call(STRANGER, TRANSFER, (OWNER, 7))]), ["Sends 7 (base units, or the id of one)", "(council-1)"]),
        (made([Call(USDC, APPROVE, (STRANGER, 2_000_000))]), [f"Lets {STRANGER} take 2.00 USDC"]),
        (made([Call(USDC, APPROVE, (STRANGER, 2**256 - 1))]), ["take WITHOUT LIMIT"]),
        (made([Call(USDC, APPROVE, (STRANGER, 0))]), [f"Takes from {STRANGER} the right"]),
        (call(USDC, "transferFrom(address,address,uint256)", OWNER, STRANGER, 5), ["Moves 0.000005 USDC"]),
        (call(USDC, "setApprovalForAll(address,bool)", STRANGER, True), ["EVERY token of the collection"]),
        (call(USDC, "setApprovalForAll(address,bool)", STRANGER, False), ["Takes from"]),
        (call(USDC, "increaseAllowance(address,uint256)", STRANGER, 5), ["0.000005 USDC", "more."]),
        (
            call(
                USDC, "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)", SAFE, STRANGER, 5, 1, 27,
                bytes(32), bytes(32),
            ),
            [f"Lets {STRANGER} take 0.000005 USDC", "of " + SAFE],
        ),
        (call(USDC, "mint(address,uint256)", STRANGER, 5), ["anew for"]),
        (
            call(USDC, "safeTransferFrom(address,address,uint256,uint256,bytes)", SAFE, STRANGER, 5, 6, b""),
            ["Moves 6 of the id 5"],
        ),
    ],
)  # fmt: skip
def test_money_is_said_in_units_with_who_gets_it(tx: SafeTx, words: list[str]) -> None:
    found = only(tx)
    assert all(one in found.plain for one in words), found.plain


def test_a_native_amount_is_exact_and_the_call_beside_it_is_said() -> None:
    wei = 2**256 - 1
    assert f"({wei} wei)" in only(dataclasses.replace(made([PAUSE]), value=wei, data=b"")).plain
    assert only(dataclasses.replace(made([PAUSE]), value=1)).plain.endswith(
        "It sends 0.000000000000000001 of the chain's native currency (1 wei)."
    )


def test_what_a_timelock_is_handed_is_shown_below_it() -> None:
    schedule = "schedule(address,uint256,bytes,bytes32,bytes32,uint256)"
    tx = call(TIMELOCK, schedule, EXCHANGE, 0, PAUSE.data, bytes(32), bytes(32), 172_800)
    outer, inner = look(tx, chain=False).calls
    assert "after 2d (172800 seconds)" in outer.plain
    assert (inner.made.number, inner.made.road) == ("1.1", "time-lock")
    assert inner.plain.startswith("exchange.pause_market: ")


def test_an_address_is_named_wherever_it_stands() -> None:
    assert "(council-1)" in only(made([Call(USDC, TRANSFER, (OWNER, 1))])).plain
    assert only(made([Call(USDC, TRANSFER, (OWNER, 1))])).name == "USDC"
    assert only(call(SAFE, "setGuard(address)", STRANGER)).name == "this Safe, council"


# --- ABI files


@pytest.mark.parametrize("document", [ABI, {"abi": ABI, "bytecode": "0x"}])
def test_an_abi_names_the_function_and_its_arguments(document: object, tmp_path: Path) -> None:
    found = only(made([CEILING]), abis=[written(tmp_path, "a.json", document)])
    assert (found.function, found.source) == ("setCeiling((address,uint256)[],bytes32)", "ABI a.json")
    assert found.args == {"limits": f"[[{USDC}, 5], [{STRANGER}, {2**200}]]", "reason": "0x" + "07" * 32}
    assert "what that does is not stated" in found.plain


def test_an_address_in_a_tuple_is_held_against_known_ones(tmp_path: Path) -> None:
    false = Address(OWNER[:6] + "7" * 32 + OWNER[-4:])
    from incident_cli.evm import checksummed

    tx = made([dataclasses.replace(CEILING, args=(((checksummed(false), 5),), bytes(32)))])
    assert "lookalike-address" in codes(look(tx, abis=[written(tmp_path, "a.json", ABI)]))


@pytest.mark.parametrize(
    "document",
    [
        "{", "{}", "[1", {"abi": 5}, [{"type": "function"}], [{"type": "function", "name": "f", "inputs": 5}],
        [{"type": "function", "name": "f", "inputs": [{"type": "uint7"}]}],
        [{"type": "function", "name": "f\x1b[2J", "inputs": []}],
        [{"type": "function", "name": "f", "inputs": [{"type": "tuple", "components": 5}]}],
        [{}] * 5_001,
    ],
)  # fmt: skip
def test_what_is_no_abi_is_said(document: object, tmp_path: Path) -> None:
    with pytest.raises(Misused) as caught:
        look(made([PAUSE]), abis=[written(tmp_path, "a.json", document)])
    assert "is no ABI" in caught.value.message
    assert "\x1b" not in caught.value.message


def test_tuples_are_not_nested_without_end() -> None:
    inner: dict[str, Any] = {"type": "uint256"}
    for _ in range(20):
        inner = {"type": "tuple", "components": [inner]}
    with pytest.raises(ValueError, match="nested"):
        list(abi_functions([{"type": "function", "name": "f", "inputs": [inner]}]))


# `burn(uint256)` has the selector of a function that was looked for by an attacker; zeros fit both.


def test_several_functions_that_fit_are_all_named(tmp_path: Path) -> None:
    one, two = (parse_signature(text) for text in ("burn(uint256 amount)", "collate_propagate_storage(bytes16 word)"))
    assert one.selector == two.selector
    abi = [{"type": "function", "name": two.name, "inputs": [{"name": "word", "type": "bytes16"}]}]
    tx = made([dataclasses.replace(PAUSE, signature=one, args=(0,))])
    found = look(tx, abis=[written(tmp_path, "a.json", abi)])
    assert "ambiguous-function" in codes(found, "warned")
    (said,) = [one.message for one in found.findings if one.code == "ambiguous-function"]
    assert "burn(uint256)" in said
    assert "collate_propagate_storage(bytes16)" in said
    large = made([dataclasses.replace(PAUSE, signature=one, args=(5,))])
    assert "ambiguous-function" not in codes(look(large, abis=[written(tmp_path, "a.json", abi)]))


# --- ERC-7730 files


def erc7730(formats: Mapping[str, object], **more: object) -> dict[str, object]:
    return {
        "context": {"contract": {"deployments": [{"chainId": 1, "address": EXCHANGE}]}},
        "metadata": {"owner": "Example", "enums": {"modes": {"1": "stable", "2": "variable"}}},
        "display": {"formats": formats, "definitions": {"who": {"label": "Who", "format": "addressName"}}},
        **more,
    }


KEY = "act(address who,uint256 much,uint256 when,uint256 long,uint256 mode,(address token,uint256 part) order,bytes b)"
FIELDS = [
    {"path": "who", "$ref": "$.display.definitions.who"},
    {"path": "#.much", "label": "Amount", "format": "tokenAmount", "params": {"tokenPath": "order.token"}},
    {"path": "when", "label": "From", "format": "date", "params": {"encoding": "timestamp"}},
    {"path": "long", "label": "For", "format": "duration"},
    {"path": "mode", "label": "Mode", "format": "enum", "params": {"$ref": "$.metadata.enums.modes"}},
    {"path": "order.part", "label": "Share", "format": "unit", "params": {"base": "%", "decimals": 2}},
    {"path": "@.value", "label": "Pays", "format": "amount"},
    {"path": "b", "label": "Rest", "format": "calldata"},
    {"path": "nowhere", "label": "Ghost", "format": "raw"},
]
ACT = Call(EXCHANGE, parse_signature(KEY), (OWNER, 1_500_000, 1_700_000_000, 7_200, 2, (USDC, 1_250), b"\xab"))


def test_an_erc7730_file_adds_words_and_units(tmp_path: Path) -> None:
    document = erc7730({KEY: {"intent": "Act now", "fields": FIELDS}})
    found = only(made([ACT]), descriptors=[written(tmp_path, "e.json", document)])
    assert found.source == "ERC-7730"
    assert found.plain == (
        f"Example says: Act now. Who: {OWNER} (council-1); Amount: 1.50 USDC (1500000 base units of {USDC});"
        " From: 2023-11-14 22:13:20 UTC (1700000000); For: 2h (7200 seconds); Mode: variable (2);"
        " Share: 12.50% (1250); Pays: 0.00 of the chain's native currency (0 wei); Rest: 0xab; Ghost: not in this call"
    )
    assert list(found.args) == ["who", "much", "when", "long", "mode", "order", "b"]


def test_an_erc7730_file_hides_nothing_and_speaks_for_its_own_contract_only(tmp_path: Path) -> None:
    hiding = erc7730({KEY: {"intent": "Nothing \x1b[2J", "fields": [], "excluded": ["who"]}})
    path = written(tmp_path, "e.json", hiding)
    found = only(made([ACT]), descriptors=[path])
    assert len(found.args) == 7
    assert "<U+001B>" in found.plain
    elsewhere = only(made([dataclasses.replace(ACT, to=STRANGER)]), descriptors=[path])
    assert elsewhere.function == ""
    other_chain = dataclasses.replace(made([ACT]), chain_id=10)
    assert judge(loaded(other_chain), Aids(descriptors=[path]), None).calls[0].function == ""


def test_an_erc7730_file_does_not_overrule_the_catalogue(tmp_path: Path) -> None:
    lying = erc7730({"setMarketPaused(bytes32 market,bool unpaused)": {"intent": "Reopen", "fields": []}})
    found = only(made([PAUSE]), descriptors=[written(tmp_path, "e.json", lying)])
    assert found.plain.startswith("exchange.pause_market: ")
    assert "Example says: Reopen" in found.plain
    assert [one.code for one in found.findings] == ["meaning-by-file"]
    assert "paused" in found.args


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "is no object"),
        ({"context": {"eip712": {}}}, "context.contract"),
        (erc7730({}, context={"contract": {"deployments": []}}), "names no contract"),
        (erc7730({}, context={"contract": {"deployments": [{"chainId": "1", "address": EXCHANGE}]}}), "chainId"),
        (erc7730({}, context={"contract": {"deployments": [{"chainId": 1, "address": EXCHANGE.lower()}]}}), "checksum"),
        (erc7730({}, display=[]), "display"),
        (erc7730({"f(uint256 a)": {"fields": 5}}), "fields"),
        (erc7730({"f(uint256 a)": {"fields": [5]}}), "a field"),
        (erc7730({"f(uint256 a)": {}, "f(uint256 b)": {}}), "two formats"),
    ],
)
def test_what_is_no_erc7730_file_is_said(document: object, words: str, tmp_path: Path) -> None:
    with pytest.raises(Misused) as caught:
        look(made([PAUSE]), descriptors=[written(tmp_path, "e.json", document)])
    assert words in caught.value.message


# --- what is hostile


def test_words_from_outside_are_sanitised() -> None:
    text = parse_signature("note(string words)")
    hostile = "\x1b]52;c;aGk=\x07\u202e" + "A" * 5_000
    tx = made([Call(EXCHANGE, text, (hostile,))])
    abi = [{"type": "function", "name": "note", "inputs": [{"name": "words", "type": "string"}]}]
    found = only(tx)
    assert found.function == ""
    functions = Functions()
    put(functions.anywhere, Candidate(next(abi_functions(abi)), "ABI"))  # type: ignore[arg-type]
    decoded = decode_call(unfold(tx).calls[0], tx, functions, Names())
    assert decoded.args["words"].isprintable()
    assert decoded.args["words"].endswith("A" * 5_000)
