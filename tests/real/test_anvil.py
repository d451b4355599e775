"""The node of the tests: what is asked of it, it is; and it goes when it should."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from incident_cli.drills.safe_setup import MULTICALL3, multicall3_code
from incident_cli.errors import Unread
from incident_cli.evm import Address, to_hex
from incident_cli.transport import HttpEndpoint, Request
from tests.contracts.packages import Packages
from tests.contracts.real_market import RealMarket
from tests.fakes.anvil import Anvil, Refused

ROOT = Path(__file__).parents[2]
START_AND_WAIT = """
import pathlib, sys
from tests.fakes.anvil import Anvil
with Anvil(pathlib.Path(sys.argv[1])) as anvil:
    print(anvil.url, flush=True)
    sys.stdin.read()
"""
STRANGER = Address("0x00000000000000000000000000000000DeaDBeef")


def history(packages: Packages) -> str:
    """The hash of a head with a transaction behind it, on a node of its own."""
    with Anvil(packages.anvil, chain_id=10, timestamp=1_600_000_000) as anvil:
        assert int(anvil.rpc("eth_chainId"), 16) == 10
        assert anvil.now() == 1_600_000_000
        anvil.send(anvil.accounts[0], anvil.accounts[1], b"", value=7)
        assert anvil.now() == 1_600_000_012
        assert anvil.rpc("eth_getCode", MULTICALL3, "latest") == to_hex(multicall3_code())
        return str(anvil.rpc("eth_getBlockByNumber", "latest", False)["hash"])


def test_the_same_deeds_make_the_same_chain(packages: Packages) -> None:
    assert history(packages) == history(packages)


def test_mined_by_hand_a_transaction_waits_for_its_block(packages: Packages) -> None:
    with Anvil(packages.anvil, automine=False) as anvil:
        sent = [anvil.submit(anvil.accounts[0], STRANGER, b"", value=one) for one in (1, 2)]
        assert anvil.rpc("eth_getTransactionReceipt", sent[0]) is None
        anvil.mine(1, seconds=100)
        assert {anvil.receipt(one)["blockNumber"] for one in sent} == {"0x1"}
        assert anvil.send(anvil.accounts[0], STRANGER, b"", value=3)["blockNumber"] == "0x2"
        assert int(anvil.rpc("eth_getBalance", STRANGER, "latest"), 16) == 6


def test_blocks_come_as_far_apart_as_asked(market: RealMarket) -> None:
    before = market.anvil.now()
    market.anvil.mine(3, seconds=60)
    assert market.anvil.now() == before + 180
    market.anvil.mine(2)
    assert market.anvil.now() == before + 204


def test_a_snapshot_brings_everything_back_once(market: RealMarket) -> None:
    head, before = market.anvil.rpc("eth_blockNumber"), market.anvil.snapshot()
    market.answer(1)
    market.anvil.revert(before)
    assert market.anvil.rpc("eth_blockNumber") == head
    assert market.anvil.view(market.feed, "latestAnswer() returns (int256)") != (1,)
    with pytest.raises(Refused):
        market.anvil.revert(before)


def test_a_revert_is_told_with_its_reason(market: RealMarket) -> None:
    with pytest.raises(Refused, match="transfer amount exceeds balance") as refused:
        market.anvil.transact(STRANGER, market.usdc, "transfer(address to, uint256 amount)", market.owner, 1)
    assert refused.value.data.startswith("0x08c379a0")


def test_the_process_ends_with_its_block_whatever_happens(packages: Packages) -> None:
    anvil = Anvil(packages.anvil)
    with pytest.raises(ZeroDivisionError), anvil:
        _ = 1 // 0
    assert anvil.returncode is not None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process end with its parent")
def test_the_process_ends_with_tests_that_are_killed(packages: Packages) -> None:
    command = [sys.executable, "-c", START_AND_WAIT, str(packages.anvil)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as tests:
        assert tests.stdout is not None
        endpoint = HttpEndpoint(tests.stdout.readline().strip(), name="anvil")
        assert endpoint.exchange([Request("eth_chainId")]) == [hex(31_337)]
        tests.kill()
    with pytest.raises(Unread):
        while endpoint.exchange([Request("eth_chainId")]):
            pass


def test_a_node_that_does_not_start_says_why(tmp_path: Path) -> None:
    broken = tmp_path / "anvil"
    broken.write_text(f"#!{sys.executable}\nprint('no such option')\n")
    broken.chmod(0o755)
    with pytest.raises(Refused, match="no such option"), Anvil(broken):
        pytest.fail("it did not start")
