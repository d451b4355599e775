"""The Safes of these tests are what is deployed everywhere, and what they refuse is what a Safe refuses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from incident_cli.abi import parse_signature
from incident_cli.evm import Address, Call, hex_bytes, keccak, to_hex
from incident_cli.safe.contracts import GET_OWNERS, GET_THRESHOLD, MULTISEND_CODE_HASHES, NONCE, RELEASES, VERSION
from tests.contracts.packages import Packages
from tests.contracts.real_market import deploy_coin
from tests.contracts.safes import VERSIONS, Safe2of3, build_safe
from tests.fakes.anvil import Anvil, Refused

TRANSFER = parse_signature("transfer(address to, uint256 amount)")
BALANCE = "balanceOf(address account) view returns (uint256)"
SUCCESS = to_hex(keccak(b"ExecutionSuccess(bytes32,uint256)"))
NOBODY = Address("0x00000000000000000000000000000000DeaDBeef")
HELD = 1_000


@pytest.fixture(scope="module")
def anvil(packages: Packages) -> Iterator[Anvil]:
    with Anvil(packages.anvil) as running:
        yield running


@pytest.fixture(scope="module", params=VERSIONS)
def safe(anvil: Anvil, request: pytest.FixtureRequest) -> Safe2of3:
    return build_safe(anvil, request.param)


@pytest.fixture
def coin(anvil: Anvil, packages: Packages, safe: Safe2of3) -> Iterator[Address]:
    """A token of which the Safe holds 1,000 base units; everything is as before after the test."""
    before = anvil.snapshot()
    made = deploy_coin(anvil, packages, ("Coin", "COIN", 0, HELD))
    anvil.transact(anvil.accounts[0], made, "transfer(address to, uint256 amount)", safe.address, HELD)
    yield made
    anvil.revert(before)


def transfer(coin: Address, amount: int) -> Call:
    return Call(coin, TRANSFER, (NOBODY, amount))


def test_it_is_a_2_of_3_of_its_version(safe: Safe2of3) -> None:
    assert safe.anvil.view(safe.address, VERSION) == (safe.version,)
    assert safe.anvil.view(safe.address, GET_THRESHOLD) == (2,)
    assert safe.anvil.view(safe.address, GET_OWNERS) == (tuple(one.address for one in safe.owners),)


def test_its_batches_go_through_the_code_that_is_known_by_its_hash(safe: Safe2of3) -> None:
    code = hex_bytes(safe.anvil.rpc("eth_getCode", safe.multisend, "latest"))
    assert to_hex(keccak(code)) == MULTISEND_CODE_HASHES[safe.multisend]
    assert safe.version == "1.3.0" or safe.multisend in RELEASES[safe.version].multisend_call_only


def test_two_owners_execute_a_call_and_a_batch(safe: Safe2of3, coin: Address) -> None:
    single = safe.execute(transfer(coin, 1))
    batch = safe.execute([transfer(coin, 2), transfer(coin, 3)])
    for receipt in (single, batch):
        assert (safe.address.lower(), SUCCESS) in [(one["address"], one["topics"][0]) for one in receipt["logs"]]
    assert safe.anvil.view(coin, BALANCE, NOBODY) == (6,)
    assert safe.anvil.view(safe.address, NONCE) == (2,)


def test_any_two_owners_will_do_and_one_will_not(safe: Safe2of3, coin: Address) -> None:
    one, two, three = safe.owners
    safe.execute(transfer(coin, 1), signers=(three, one))
    safe.execute(transfer(coin, 1), signers=(two, three))
    with pytest.raises(Refused, match="GS020"):
        safe.execute(transfer(coin, 1), signers=(two,))


def test_what_the_target_refuses_reverts_with_the_targets_reason(safe: Safe2of3, coin: Address) -> None:
    with pytest.raises(Refused, match="transfer amount exceeds balance"):
        safe.execute(transfer(coin, HELD + 1))
    with pytest.raises(Refused, match="transfer amount exceeds balance"):
        safe.execute([transfer(coin, 1), transfer(coin, HELD + 1)])
    assert safe.anvil.view(coin, BALANCE, safe.address) == (HELD,)
    assert safe.anvil.view(safe.address, NONCE) == (0,), "nothing was used up"


def test_its_own_word_for_that_is_gs013_until_1_5_0_which_hands_the_reason_on(safe: Safe2of3, coin: Address) -> None:
    data = safe.execution(safe.transaction([transfer(coin, HELD + 1)]), safe.owners[:2])
    with pytest.raises(Refused, match="exceeds balance" if safe.version == "1.5.0" else "GS013"):
        safe.anvil.send(safe.executor, safe.address, data)


def test_another_number_is_another_safe_of_the_same_owners(anvil: Anvil, safe: Safe2of3) -> None:
    before = anvil.snapshot()
    other = build_safe(anvil, safe.version, number=1)
    assert other.address != safe.address
    assert other.owners == safe.owners
    anvil.revert(before)
