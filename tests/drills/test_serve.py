from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from eth_account import Account
from web3 import HTTPProvider, Web3
from web3.exceptions import ContractLogicError

from incident_cli.drills.engine import Engine
from incident_cli.drills.rpc import Rpc
from incident_cli.drills.serve import Served, serve
from incident_cli.errors import Misused
from incident_cli.evm import Address, checksummed

KEY = b"\x01" * 32
SENDER = Address(Account.from_key(KEY).address)
COUNTER = checksummed(b"\xaa" * 20)
REVERTER = checksummed(b"\xbb" * 20)
DEEP = checksummed(b"\xdd" * 20)
CODES = {
    COUNTER: bytes.fromhex("6000546001018060005560005260aa60206000a100"),
    REVERTER: bytes.fromhex("366000600037366000fd"),
    DEEP: bytes.fromhex("60006000600060006000305af100"),
}


class Miner:
    """Mines each transaction into a block of its own."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def submit(self, raw: bytes) -> str:
        return self.engine.mine([raw]).receipts[0].transaction_hash

    def advance(self, seconds: int) -> None:
        self.engine.mine([], self.engine.head.timestamp + seconds)


@pytest.fixture
def served() -> Iterator[Served]:
    engine = Engine(seed=1, chain_id=31_337, genesis_time=1_700_000_000, balances={SENDER: 10**24}, codes=CODES)
    with serve(Rpc(engine, Miner(engine))) as chain:
        yield chain


def asked(served: Served, method: str, body: str = "", **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(served.url.removeprefix("http://"), timeout=5)
    connection.request(method, "/", body, headers)
    return connection.getresponse()


def test_web3_reads_and_writes_the_chain(served: Served) -> None:
    chain: Any = Web3(HTTPProvider(served.url))
    assert chain.is_connected() and chain.eth.chain_id == 31_337
    body: dict[str, Any] = {"to": COUNTER, "nonce": 0, "value": 5, "chainId": 31_337, "data": b"\x01"}
    body |= {"maxFeePerGas": chain.eth.gas_price * 2, "maxPriorityFeePerGas": chain.eth.max_priority_fee}
    body["gas"] = chain.eth.estimate_gas({"from": SENDER, "to": COUNTER, "value": 5, "data": b"\x01"})
    sent = chain.eth.send_raw_transaction(Account.sign_transaction(body, KEY).raw_transaction)
    receipt = chain.eth.wait_for_transaction_receipt(sent)
    assert receipt["status"] == 1 and receipt["logs"][0]["address"] == COUNTER
    assert chain.eth.get_transaction(sent)["from"] == SENDER
    block = chain.eth.get_block("latest", full_transactions=True)
    assert block["number"] == 1 and block["hash"] == receipt["blockHash"]
    assert chain.eth.get_balance(COUNTER) == 5 and chain.eth.get_transaction_count(SENDER) == 1
    assert chain.eth.get_storage_at(COUNTER, 0)[-1] == 1
    assert chain.eth.call({"to": COUNTER}) == b"" and bytes(chain.eth.get_code(COUNTER)) == CODES[COUNTER]
    logs = chain.eth.get_logs({"fromBlock": 0, "address": COUNTER, "topics": [b"\x00" * 31 + b"\xaa"]})
    assert [log["transactionHash"] for log in logs] == [sent]
    assert chain.eth.fee_history(2, "latest", [50])["oldestBlock"] == 0
    with pytest.raises(ContractLogicError):
        chain.eth.call({"to": REVERTER, "data": "0x1234"})


def test_web3_batches(served: Served) -> None:
    chain: Any = Web3(HTTPProvider(served.url))
    with chain.batch_requests() as batch:
        batch.add(chain.eth.get_block("latest"))
        batch.add(chain.eth.get_balance(SENDER))
        block, balance = batch.execute()
    assert block["number"] == 0 and balance == 10**24


def test_one_connection_carries_many_requests(served: Served) -> None:
    connection = http.client.HTTPConnection(served.url.removeprefix("http://"), timeout=5)
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber"})
    for _ in range(3):
        connection.request("POST", "/", body, {"Content-Type": "application/json; charset=utf-8"})
        first = connection.sock
        assert json.loads(connection.getresponse().read())["result"] == "0x0"
        assert connection.sock is first is not None


def test_the_deepest_call_ends_in_a_thread_too(served: Served) -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": [{"to": DEEP}]})
    reply = asked(served, "POST", body, **{"Content-Type": "application/json"})
    assert json.loads(reply.read()) == {"jsonrpc": "2.0", "id": 1, "result": "0x"}


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
def test_only_post_is_answered(served: Served, method: str) -> None:
    reply = asked(served, method)
    assert (reply.status, reply.headers["Allow"]) == (405, "POST")
    assert not reply.headers["Access-Control-Allow-Origin"]
    assert method == "HEAD" or b"JSON-RPC" in reply.read()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "attacker.example"}, 403),
        ({"Host": "localhost.attacker.example:80"}, 403),
        ({"Host": ""}, 403),
        ({"Host": "localhost:1"}, 200),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": ""}, 415),
        ({"Content-Length": "x"}, 411),
        ({"Content-Length": "-1"}, 411),
        ({"Content-Length": str(2**20 + 1)}, 413),
        ({"Transfer-Encoding": "chunked"}, 411),
    ],
)
def test_only_this_machine_and_only_json(served: Served, headers: dict[str, str], status: int) -> None:
    body = '{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}'
    assert asked(served, "POST", body, **{"Content-Type": "application/json", **headers}).status == status


def test_a_notification_has_no_reply(served: Served) -> None:
    reply = asked(served, "POST", '{"method":"evm_mine"}', **{"Content-Type": "application/json"})
    assert (reply.status, reply.read()) == (204, b"")


def test_it_listens_on_loopback_only_and_says_nothing(served: Served, capfd: pytest.CaptureFixture[str]) -> None:
    assert served.url.startswith("http://127.0.0.1:")
    with socket.create_connection(("127.0.0.1", int(served.url.rpartition(":")[2]))) as broken:
        broken.sendall(b"\x00\xff nonsense\r\n\r\n")
        broken.recv(1_000)
    asked(served, "GET")
    assert capfd.readouterr() == ("", "")


def test_a_taken_port_is_named_and_a_free_one_can_be_had_again(served: Served) -> None:
    port = int(served.url.rpartition(":")[2])
    engine = Engine(seed=1, chain_id=1, genesis_time=1, balances={})
    with pytest.raises(Misused, match=f"port {port} .* in use") as taken:
        serve(Rpc(engine), port)
    assert "0 for any free one" in taken.value.hint
    with pytest.raises(Misused):
        serve(Rpc(engine), 70_000)
    served.close()
    with serve(Rpc(engine), port) as again:
        assert again.url == f"http://127.0.0.1:{port}"


def test_closing_ends_the_thread_and_the_connections_kept_open() -> None:
    chain = serve(Rpc(Engine(seed=1, chain_id=1, genesis_time=1, balances={})))
    connection = http.client.HTTPConnection(chain.url.removeprefix("http://"), timeout=5)
    body, kind = '{"id":1,"method":"eth_chainId"}', {"Content-Type": "application/json"}
    connection.request("POST", "/", body, kind)
    assert connection.getresponse().read()
    chain.close()
    with pytest.raises((http.client.HTTPException, OSError)):
        connection.request("POST", "/", body, kind)
        connection.getresponse()
    chain.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "drill-rpc"]
