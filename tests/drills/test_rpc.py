from __future__ import annotations

import json
from typing import Any, cast

import pytest
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.drills.engine import Engine
from incident_cli.drills.engine_values import InvalidTransaction
from incident_cli.drills.rpc import BODY_LIMIT, METHODS, Rpc
from incident_cli.evm import Address, checksummed
from incident_cli.transport import Json, Request, RpcError

CHAIN = 31_337
START = 4_102_444_800
KEY = b"\x01" * 32
SENDER = Address(Account.from_key(KEY).address)
COUNTER = checksummed(b"\xaa" * 20)
REVERTER = checksummed(b"\xbb" * 20)
INVALID = checksummed(b"\xcc" * 20)
CODES = {
    COUNTER: bytes.fromhex("6000546001018060005560005260aa60206000a100"),
    REVERTER: bytes.fromhex("366000600037366000fd"),
    INVALID: b"\xfe",
}
TOPIC = "0x" + "00" * 31 + "aa"


class Miner:
    """Mines each transaction into a block of its own."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def submit(self, raw: bytes) -> str:
        return self.engine.mine([raw]).receipts[0].transaction_hash

    def advance(self, seconds: int) -> None:
        self.engine.mine([], self.engine.head.timestamp + seconds)


def chain() -> Engine:
    return Engine(seed=1, chain_id=CHAIN, genesis_time=START, balances={SENDER: 10**24}, codes=CODES)


def writable() -> Rpc:
    engine = chain()
    return Rpc(engine, Miner(engine))


def raw_transaction(nonce: int, *, legacy: bool = False, to: Address = COUNTER) -> str:
    fees = {"gasPrice": 10**10} if legacy else {"maxFeePerGas": 10**10, "maxPriorityFeePerGas": 10**9}
    listed: dict[str, object] = (
        {} if legacy else {"accessList": [{"address": COUNTER, "storageKeys": ["0x" + "00" * 32]}]}
    )
    body = {"chainId": CHAIN, "nonce": nonce, "to": to, "value": 0, "gas": 200_000, "data": b"\x01", **fees, **listed}
    return "0x" + bytes(Account.sign_transaction(body, KEY).raw_transaction).hex()


def ask(rpc: Rpc, method: str, *params: Json) -> Any:
    (answer,) = rpc.exchange([Request(method, params)])
    return answer


def post(rpc: Rpc, body: object) -> Any:
    return json.loads(rpc.handle(body if isinstance(body, bytes) else json.dumps(body).encode()))


def test_a_chain_with_transactions_reads_back_as_json_rpc() -> None:
    rpc = writable()
    raws = [raw_transaction(0), raw_transaction(1, legacy=True)]
    hashes = [ask(rpc, "eth_sendRawTransaction", raw) for raw in raws]
    assert ask(rpc, "eth_blockNumber") == "0x2" and ask(rpc, "eth_chainId") == "0x7a69"
    assert ask(rpc, "net_version") == "31337" and ask(rpc, "eth_accounts") == [] and ask(rpc, "eth_syncing") is False
    block = ask(rpc, "eth_getBlockByNumber", "latest", True)
    assert block["hash"] == rpc.engine.head.hash and block["timestamp"] == hex(START + 24)
    assert block["parentHash"] == ask(rpc, "eth_getBlockByNumber", "0x1", False)["hash"]
    assert block == ask(rpc, "eth_getBlockByHash", block["hash"], True)
    assert block["transactions"] == [ask(rpc, "eth_getTransactionByHash", hashes[1])]
    assert block["transactions"][0]["type"] == "0x0" and "maxFeePerGas" not in block["transactions"][0]
    typed = ask(rpc, "eth_getTransactionByHash", hashes[0])
    assert typed["accessList"] == [{"address": COUNTER.lower(), "storageKeys": ["0x" + "00" * 32]}]
    assert (typed["from"], typed["to"], typed["input"]) == (SENDER.lower(), COUNTER.lower(), "0x01")
    receipt = ask(rpc, "eth_getTransactionReceipt", hashes[0])
    assert receipt["status"] == "0x1" and receipt["gasUsed"] == receipt["cumulativeGasUsed"]
    timed = [{**one, "blockTimestamp": hex(START + 12)} for one in receipt["logs"]]  # as newer nodes say it
    assert timed == ask(rpc, "eth_getLogs", {"fromBlock": "0x1", "toBlock": "0x1"})
    assert len(block["logsBloom"]) == 514 and int(receipt["logsBloom"], 16)
    assert ask(rpc, "eth_getStorageAt", COUNTER, "0x0") == f"0x{2:064x}"
    assert ask(rpc, "eth_getStorageAt", COUNTER, f"0x{0:064x}", "0x1") == f"0x{1:064x}"
    assert ask(rpc, "eth_getTransactionCount", SENDER, "pending") == "0x2"
    assert ask(rpc, "eth_getBalance", SENDER, "earliest") == hex(10**24)
    assert ask(rpc, "eth_getCode", COUNTER, {"blockHash": block["hash"]}) == "0x" + CODES[COUNTER].hex()


@pytest.mark.parametrize("tag", ["latest", "pending", "safe", "finalized", None])
def test_every_block_is_final(tag: str | None) -> None:
    rpc = writable()
    ask(rpc, "evm_mine")
    assert ask(rpc, "eth_getBlockByNumber", tag, False)["number"] == "0x1"


def test_what_is_not_there_is_null_or_an_error() -> None:
    rpc = writable()
    nothing = "0x" + "11" * 32
    assert (
        ask(rpc, "eth_getBlockByNumber", "0x9", False) is None
        and ask(rpc, "eth_getBlockByHash", nothing, False) is None
    )
    assert (
        ask(rpc, "eth_getTransactionByHash", nothing) is None and ask(rpc, "eth_getTransactionReceipt", nothing) is None
    )
    assert ask(rpc, "eth_call", {"to": COUNTER}, "0x9").code == -32000
    assert ask(rpc, "eth_call", {"to": COUNTER}, {"blockHash": nothing}).code == -32000


def test_calls_answer_or_say_how_they_failed() -> None:
    rpc = writable()
    assert ask(rpc, "eth_call", {"to": COUNTER, "data": "0x"}) == "0x"
    assert (
        ask(rpc, "eth_call", {"to": COUNTER, "input": "0x01", "data": "0x01", "from": SENDER, "value": "0x1"}) == "0x"
    )
    assert ask(rpc, "eth_call", {"to": REVERTER, "data": "0xabcd"}) == RpcError(3, "execution reverted", "0xabcd")
    assert ask(rpc, "eth_estimateGas", {"to": REVERTER, "data": "0xabcd"}).code == 3
    halted = ask(rpc, "eth_call", {"to": INVALID})
    assert halted.code == -32000 and not halted.data
    assert ask(rpc, "eth_call", {"to": COUNTER, "value": "0x1"}).code == -32000
    assert int(ask(rpc, "eth_estimateGas", {"to": COUNTER, "from": SENDER}), 16) > 21_000


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("eth_call", []),
        ("eth_call", [{"to": COUNTER}, "latest", {COUNTER: {"code": "0xfe"}}]),
        ("eth_call", ["0x"]),
        ("eth_call", [{"to": "0x12"}]),
        ("eth_call", [{"to": COUNTER, "data": "0x1"}]),
        ("eth_call", [{"to": COUNTER, "data": "0x01", "input": "0x02"}]),
        ("eth_call", [{"to": COUNTER, "value": 1}]),
        ("eth_call", [{"to": COUNTER}, "0x01"]),
        ("eth_call", [{"to": COUNTER}, "newest"]),
        ("eth_call", [{"to": COUNTER}, ["latest"]]),
        ("eth_call", [{"to": COUNTER}, {"blockNumber": {}}]),
        ("eth_call", [{"to": COUNTER}, 1]),
        ("eth_getBalance", ["\x1b]52;c;x\x07"]),
        ("eth_getStorageAt", [COUNTER, "0x"]),
        ("eth_getTransactionByHash", ["0x12"]),
        ("eth_getLogs", [[]]),
        ("eth_getLogs", [{"fromBlock": "0x2", "toBlock": "0x1"}]),
        ("eth_getLogs", [{"topics": ["0xaa"]}]),
        ("eth_blockNumber", [1]),
        ("evm_increaseTime", [0]),
        ("evm_increaseTime", [-1]),
        ("evm_increaseTime", [10**9]),
        ("evm_increaseTime", [True]),
        ("eth_sendRawTransaction", ["0xzz"]),
    ],
)
def test_bad_parameters_are_named(method: str, params: list[Json]) -> None:
    answer = ask(writable(), method, *params)
    assert isinstance(answer, RpcError) and answer.code == -32602
    assert answer.message.isprintable()


def test_logs_are_filtered_and_their_range_is_capped() -> None:
    rpc = writable()
    for nonce in range(3):
        ask(rpc, "eth_sendRawTransaction", raw_transaction(nonce))
    every: dict[str, Json] = {"fromBlock": "earliest", "toBlock": "latest"}
    logs = ask(rpc, "eth_getLogs", every)
    assert [log["blockNumber"] for log in logs] == ["0x1", "0x2", "0x3"] and logs[0]["topics"] == [TOPIC]
    assert (
        ask(rpc, "eth_getLogs", every | {"address": [COUNTER, REVERTER], "topics": [[TOPIC, "0x" + "00" * 32]]}) == logs
    )
    assert ask(rpc, "eth_getLogs", every | {"address": REVERTER}) == []
    assert ask(rpc, "eth_getLogs", every | {"topics": [None, None]}) == []
    assert ask(rpc, "eth_getLogs", every | {"topics": [[]]}) == logs
    assert ask(rpc, "eth_getLogs", {"blockHash": logs[1]["blockHash"]}) == logs[1:2]
    assert ask(rpc, "eth_getLogs", {"fromBlock": "0x9"}) == [] and ask(rpc, "eth_getLogs", {}) == logs[2:]
    assert ask(rpc, "eth_getLogs", {"fromBlock": "0x0", "toBlock": "0x2710"}).code == -32005


def test_fees_follow_the_chain() -> None:
    rpc = writable()
    ask(rpc, "eth_sendRawTransaction", raw_transaction(0))
    history = ask(rpc, "eth_feeHistory", "0x2", "latest", [10, 50.5])
    assert history["oldestBlock"] == "0x0" and len(history["baseFeePerGas"]) == 3 and len(history["gasUsedRatio"]) == 2
    assert history["reward"] == [["0x0", "0x0"], [hex(10**9)] * 2]
    assert ask(rpc, "eth_gasPrice") == hex(int(history["baseFeePerGas"][2], 16) + 10**9)
    ask(rpc, "evm_mine")
    assert ask(rpc, "eth_getBlockByNumber", "latest")["baseFeePerGas"] == history["baseFeePerGas"][2]


def test_time_passes_only_through_the_writer() -> None:
    rpc = writable()
    assert ask(rpc, "evm_increaseTime", 3_600) == hex(3_600) and rpc.engine.head.timestamp == START + 3_600
    ask(rpc, "evm_mine")
    assert rpc.engine.head.timestamp == START + 3_612


@pytest.mark.parametrize(
    ("method", "params"), [("eth_sendRawTransaction", ["0x00"]), ("evm_mine", []), ("evm_increaseTime", [1])]
)
def test_without_a_writer_the_chain_is_read_only(method: str, params: list[Json]) -> None:
    assert ask(Rpc(chain()), method, *params) == RpcError(-32601, "this chain is read-only")


def test_a_transaction_that_cannot_enter_is_an_error_and_changes_nothing() -> None:
    rpc = writable()
    answer = ask(rpc, "eth_sendRawTransaction", raw_transaction(7))
    assert answer.code == -32000 and "nonce" in answer.message and rpc.engine.head.number == 0
    with pytest.raises(InvalidTransaction):
        rpc.writer().submit(b"")


def test_envelopes_echo_ids_and_name_faults() -> None:
    rpc = writable()
    good = {"jsonrpc": "2.0", "id": "a", "method": "eth_blockNumber"}
    assert post(rpc, good) == {"jsonrpc": "2.0", "id": "a", "result": "0x0"}
    assert [one["id"] for one in post(rpc, [{**good, "id": 7}, {**good, "id": None}, 5])] == [7, None, None]
    codes = {
        b"{": -32700,
        b"\xff\xfe": -32700,
        b"[" * 100_000: -32700,
        b'["]]]]]", ' * 50_000: -32700,
        b'"' + b'\\"' * 500_000: -32700,
        b"[]": -32600,
        b"5": -32600,
        b'{"id":1}': -32600,
        json.dumps({**good, "id": {}}).encode(): -32600,
        json.dumps([good] * 201).encode(): -32600,
        b" " * (BODY_LIMIT + 1): -32600,
        json.dumps({**good, "params": {}}).encode(): -32602,
        json.dumps({**good, "params": {"a": 1}}).encode(): -32602,
        json.dumps({**good, "method": "debug_\x1b"}).encode(): -32601,
    }
    assert {body: post(rpc, body)["error"]["code"] for body in codes} == codes
    assert post(rpc, {**good, "id": {}})["id"] is None and post(rpc, {**good, "id": 1.5})["id"] is None
    assert rpc.handle(b'{"jsonrpc":"2.0","method":"evm_mine"}') == b"" and rpc.engine.head.number == 1
    assert post(rpc, {**good, "method": "eth_call", "params": [{"to": REVERTER, "data": "0x99"}]})["error"] == {
        "code": 3,
        "message": "execution reverted",
        "data": "0x99",
    }


WORDS = [COUNTER, "latest", "0x0", TOPIC]
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from([COUNTER, "latest", "0x0", TOPIC]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["to", "data", "blockHash", "topics", "fromBlock"]), inner, max_size=3)
    ),
    max_leaves=5,
)
READERS = sorted(set(METHODS) - {"evm_mine", "evm_increaseTime"})


@settings(max_examples=150, deadline=None)
@given(method=st.sampled_from(READERS), params=st.lists(json_values, max_size=3), identity=st.none() | st.integers())
def test_whatever_is_asked_there_is_an_answer(method: str, params: list[Json], identity: int | None) -> None:
    reply = post(SHARED, {"jsonrpc": "2.0", "id": identity, "method": method, "params": params})
    assert reply["id"] == identity and ("result" in reply) != ("error" in reply)
    assert reply.get("error", {}).get("code") != -32603, reply


SHARED = Rpc(chain())


def test_a_bug_in_one_answer_does_not_end_a_served_chain() -> None:
    class Broken(Miner):
        def advance(self, seconds: int) -> None:
            raise ZeroDivisionError

    rpc = Rpc(chain(), Broken(chain()))
    reply = post(rpc, {"id": 1, "method": "evm_mine"})
    assert reply["error"] == {"code": -32603, "message": "internal error: ZeroDivisionError"}
    with pytest.raises(ZeroDivisionError):
        ask(rpc, "evm_mine")


def test_a_batch_sees_one_state_and_quantities_have_no_leading_zeros() -> None:
    rpc = writable()
    answers = rpc.exchange([Request("eth_sendRawTransaction", (raw_transaction(0),)), Request("eth_blockNumber")])
    block = cast(dict[str, str], ask(rpc, "eth_getBlockByNumber", "latest", False))
    assert answers[1] == "0x1"
    for key in ("number", "timestamp", "gasLimit", "gasUsed", "difficulty", "size", "baseFeePerGas", "blobGasUsed"):
        assert block[key] == hex(int(block[key], 16))
    assert block["nonce"] == "0x" + "00" * 8
