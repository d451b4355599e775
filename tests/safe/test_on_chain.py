"""The third opinion: getTransactionHash of the real contracts, 0.0.2 to 1.5.0, on an in-process chain."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest

from incident_cli.abi import decode, encode_call, parse_signature
from incident_cli.evm import ZERO, Address, checksummed, to_hex
from incident_cli.safe.contracts import GET_TRANSACTION_HASH, VERSION
from incident_cli.safe.second_opinion import agree
from incident_cli.safe.transaction import SafeTx

OWNER = checksummed(b"\x77" * 20)
FOUR = "setup(address[],uint256,address,bytes)"
SEVEN = "setup(address[],uint256,address,bytes,address,uint256,address)"
EIGHT = "setup(address[],uint256,address,bytes,address,address,uint256,address)"
SETUPS: dict[str, tuple[object, ...]] = {
    FOUR: ([OWNER], 1, ZERO, b""),
    SEVEN: ([OWNER], 1, ZERO, b"", ZERO, 0, ZERO),
    EIGHT: ([OWNER], 1, ZERO, b"", ZERO, ZERO, 0, ZERO),
}
ARTEFACTS = (
    ("GnosisSafe_V0_0_1", FOUR, "0.0.2"),
    ("GnosisSafe_V1_0_0", SEVEN, "1.0.0"),
    ("GnosisSafe_V1_1_1", EIGHT, "1.1.1"),
    ("GnosisSafe_V1_3_0", EIGHT, "1.3.0"),
    ("Safe_V1_4_1", EIGHT, "1.4.1"),
    ("Safe_V1_5_0", EIGHT, "1.5.0"),
)
PROXY = "3d602d80600a3d3981f3363d3d373d3d3d363d73{}5af43d82803e903d91602b57fd5bf3"  # ERC-1167


@pytest.fixture(scope="module")
def chain() -> Any:
    from eth_tester import EthereumTester, PyEVMBackend

    return EthereumTester(PyEVMBackend())


def deploy(chain: Any, code: str) -> Address:
    sender = chain.get_accounts()[0]
    made = chain.send_transaction({"from": sender, "data": code, "gas": 10_000_000})
    return checksummed(str(chain.get_transaction_receipt(made)["contract_address"]))


def ask(chain: Any, to: Address, data: bytes) -> bytes:
    sender = chain.get_accounts()[0]
    answer = chain.call({"from": sender, "to": to, "data": to_hex(data), "gas": 10_000_000})
    return bytes.fromhex(str(answer).removeprefix("0x"))


def make_safe(chain: Any, artefact: str, setup: str) -> tuple[Address, str]:
    """A Safe behind a proxy, and the version it states."""
    code = json.loads((files("safe_eth.eth.contracts") / "abis" / f"{artefact}.json").read_text())["bytecode"]
    singleton = deploy(chain, "0x" + code.removeprefix("0x"))
    safe = deploy(chain, "0x" + PROXY.format(singleton[2:].lower()))
    call = to_hex(encode_call(parse_signature(setup), SETUPS[setup]))
    chain.send_transaction({"from": chain.get_accounts()[0], "to": safe, "data": call, "gas": 5_000_000})
    (version,) = decode(["string"], ask(chain, safe, parse_signature(VERSION).selector))
    return safe, str(version)


@pytest.mark.parametrize(("artefact", "setup", "version"), ARTEFACTS)
def test_the_contract_agrees(chain: Any, artefact: str, setup: str, version: str) -> None:
    safe, stated = make_safe(chain, artefact, setup)
    assert stated == version
    chain_id = int.from_bytes(ask(chain, deploy(chain, "0x6009600c60003960096000f34660005260206000f3"), b""), "big")
    tx = SafeTx(
        chain_id=chain_id,
        safe=safe,
        version=version,
        to=checksummed(b"\x01" * 20),
        value=2**255,
        data=b"\x02" * 37,
        operation=1,
        safe_tx_gas=3,
        base_gas=4,
        gas_price=5,
        gas_token=checksummed(b"\x06" * 20),
        refund_receiver=checksummed(b"\x07" * 20),
        nonce=8,
    )
    args = (tx.to, tx.value, tx.data, 1, 3, 4, 5, tx.gas_token, tx.refund_receiver, 8)
    answer = ask(chain, safe, encode_call(parse_signature(GET_TRANSACTION_HASH), args))
    agree(tx, contract_hash=to_hex(answer))
