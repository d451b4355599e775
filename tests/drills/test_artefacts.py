"""The committed artefacts are what the pinned compiler makes of the committed sources."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest

from incident_cli.drills import safe_setup
from incident_cli.drills.artefacts import COMPILER, CONTRACTS, artefact, canonical_type, compiled, folder
from incident_cli.drills.engine import Engine
from incident_cli.evm import Address, keccak


def test_the_compiler_is_the_pinned_one() -> None:
    assert version("vyper") == COMPILER


@pytest.mark.parametrize("contract", CONTRACTS)
def test_recompiling_gives_the_committed_artefact(contract: str) -> None:
    assert compiled(contract) == (folder() / f"{contract}.json").read_text(encoding="utf-8")


def test_every_source_has_an_artefact() -> None:
    sources = {entry.name.removesuffix(".vy") for entry in folder().iterdir() if entry.name.endswith(".vy")}
    assert sources == set(CONTRACTS)


def test_loading_needs_neither_compiler_nor_web3() -> None:
    script = (
        "import sys; from incident_cli.drills.artefacts import artefact; artefact('options_exchange').creation;"
        "from incident_cli.drills import safe_setup; safe_setup.genesis_codes(); safe_setup.canonical_deployments();"
        "print([m for m in ('vyper', 'web3', 'safe_eth.eth', 'eth_account', 'eth') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_tuple_array_is_spelled_out() -> None:
    assert "(bytes32,address,address,uint256,uint256)[]" in [
        canonical_type(one) for part in artefact("options_exchange").abi for one in part.get("inputs", ())
    ]


def test_creation_refuses_arguments_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        artefact("attacker").creation(["no address"])


@pytest.mark.parametrize("name", list(safe_setup.CANONICAL))
def test_safe_contracts_land_at_their_canonical_addresses(name: str) -> None:
    code = safe_setup.safe_bytecode(name)
    assert safe_setup.create2_address(safe_setup.DEPLOYER, bytes(32), code) == safe_setup.CANONICAL[name]


def test_the_sliced_multicall_is_what_its_creation_code_returns() -> None:
    scratch, code = Address("0x" + "11" * 20), safe_setup.multicall3_code()
    creation = safe_setup.MULTICALL3_PREAMBLE + code
    engine = Engine(seed=1, chain_id=1, genesis_time=1, balances={}, codes={scratch: creation})
    assert engine.call(scratch, b"") == code


def test_the_multicall_is_the_one_on_every_chain() -> None:
    # the code hash a node answers for 0xcA11bde0… on Ethereum and elsewhere
    assert keccak(safe_setup.multicall3_code()).hex() == (
        "d5c15df687b16f2ff992fc8d767b4216323184a2bbc6ee2f9c398c318e770891"
    )


def test_another_multicall_is_noticed() -> None:
    with pytest.raises(ValueError, match="no multicall_v9"):
        safe_setup.assigned_value("multicall_v3 = b''", "multicall_v9")
