"""Every constant is derived again from its source."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest

from incident_cli.abi import parse_signature
from incident_cli.evm import keccak, parse_address, to_hex
from incident_cli.safe import contracts
from incident_cli.safe.contracts import CONTROL_FUNCTIONS, OPAQUE_FUNCTIONS, RELEASES, TIMELOCK_FUNCTIONS

NAMES = {
    "singletons": ("GnosisSafe", "Safe"),
    "singletons_l2": ("GnosisSafeL2", "SafeL2"),
    "proxy_factories": ("GnosisSafeProxyFactory", "SafeProxyFactory"),
    "fallback_handlers": ("CompatibilityFallbackHandler", "ExtensibleFallbackHandler"),
    "multisend_call_only": ("MultiSendCallOnly",),
}

USED = (
    "GET_TRANSACTION_HASH",
    "EXEC_TRANSACTION",
    "APPROVE_HASH",
    "NONCE",
    "GET_THRESHOLD",
    "GET_OWNERS",
    "IS_OWNER",
    "VERSION",
    "GET_STORAGE_AT",
    "GET_MODULES_PAGINATED",
    "APPROVED_HASHES",
)


@pytest.mark.parametrize("version", sorted(RELEASES))
def test_addresses_are_those_of_the_deployments_on_mainnet(version: str) -> None:
    from safe_eth.safe.safe_deployments import safe_deployments

    for field, names in NAMES.items():
        ours = getattr(RELEASES[version], field)
        theirs = {one for name in names for one in safe_deployments[version].get(name, {}).get("1", [])}
        assert set(ours) == theirs
        assert all(parse_address(one) for one in ours)


def test_the_canonical_multisend_comes_first() -> None:
    from safe_eth.safe.multi_send import MultiSend

    listed = [one for release in reversed(list(RELEASES.values())) for one in release.multisend_call_only]
    assert tuple(listed) == MultiSend.MULTISEND_CALL_ONLY_ADDRESSES


@pytest.mark.parametrize("version", ["1.4.1", "1.5.0"])
def test_code_hashes_are_those_of_the_shipped_bytecode(version: str) -> None:
    name = f"MultiSendCallOnly_V{version.replace('.', '_')}.json"
    artefact = json.loads((files("safe_eth.eth.contracts") / "abis" / name).read_text())
    code = bytes.fromhex(artefact["deployedBytecode"].removeprefix("0x"))
    assert to_hex(keccak(code)) == RELEASES[version].multisend_code_hash


def test_slots_and_selectors() -> None:
    assert to_hex(keccak(b"guard_manager.guard.address")) == contracts.GUARD_SLOT
    assert to_hex(keccak(b"fallback_manager.handler.address")) == contracts.FALLBACK_HANDLER_SLOT
    assert to_hex(keccak(b"module_manager.module_guard.address")) == contracts.MODULE_GUARD_SLOT
    for selector, text in {**CONTROL_FUNCTIONS, **OPAQUE_FUNCTIONS, **TIMELOCK_FUNCTIONS}.items():
        assert parse_signature(text).selector == selector


def test_signatures_are_those_of_the_contract() -> None:
    artefact = json.loads((files("safe_eth.eth.contracts") / "abis" / "Safe_V1_5_0.json").read_text())
    known = {
        f"{one['name']}({','.join(part['type'] for part in one['inputs'])})": [part["type"] for part in one["outputs"]]
        for one in artefact["abi"]
        if one["type"] == "function"
    }
    for name in [
        "GET_TRANSACTION_HASH",
        "EXEC_TRANSACTION",
        "APPROVE_HASH",
        "NONCE",
        "GET_THRESHOLD",
        "GET_OWNERS",
        "IS_OWNER",
        "VERSION",
        "GET_STORAGE_AT",
        "GET_MODULES_PAGINATED",
        "APPROVED_HASHES",
    ]:
        signature = parse_signature(getattr(contracts, name))
        assert known[signature.canonical] == signature.output_types
