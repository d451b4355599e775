"""Safe 1.4.1 as on every chain: the canonical contracts at their canonical addresses, then one proxy per council.

Bytecode is read from safe-eth-py's data files; the package itself is not imported, which would cost seconds.
Its 1.4.1 singleton is SafeL2 (the variant that also emits an event for every transaction).
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from incident_cli.abi import encode, encode_call, parse_signature
from incident_cli.chain.multicall import CREATION_PREAMBLE, runtime_code
from incident_cli.chain.multicall import assigned_value as assigned_value
from incident_cli.evm import ZERO, Address, checksummed, keccak

DEPLOYER = Address("0x914d7Fec6aaC8cd542e72Bca78B30650d45643d7")
DEPLOYER_CODE = bytes.fromhex(
    "7f" + "ff" * 31 + "e03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf3"
)
SINGLETON = Address("0x29fcB43b46531BcA003ddC8FCB67FFE91900C762")
PROXY_FACTORY = Address("0x4e1DCf7AD4e460CfD30791CCC4F9c8a4f820ec67")
FALLBACK_HANDLER = Address("0xfd0732Dc9E303f09fCEf3a7388Ad10A83459Ec99")
MULTI_SEND_CALL_ONLY = Address("0x9641d764fc13c8B624c04430C7356C1C7C8102e2")
MULTICALL3 = Address("0xcA11bde05977b3631167028862bE2a173976CA11")
CANONICAL = {
    "Safe_V1_4_1": SINGLETON,
    "ProxyFactory_V1_4_1": PROXY_FACTORY,
    "CompatibilityFallbackHandler_V1_4_1": FALLBACK_HANDLER,
    "MultiSendCallOnly_V1_4_1": MULTI_SEND_CALL_ONLY,
}
MULTICALL3_PREAMBLE = CREATION_PREAMBLE
multicall3_code = functools.cache(runtime_code)
SETUP = parse_signature(
    "setup(address[] owners, uint256 threshold, address to, bytes data, address fallbackHandler,"
    " address paymentToken, uint256 payment, address paymentReceiver)"
)
CREATE_PROXY = parse_signature("createProxyWithNonce(address singleton, bytes initializer, uint256 saltNonce)")


@dataclass(frozen=True, slots=True)
class Council:
    """A Safe that is to be deployed: the call to the proxy factory, and the address it leads to."""

    address: Address
    creation: bytes


def genesis_codes() -> dict[Address, bytes]:
    """What the chain holds before its first transaction: the CREATE2 deployer and Multicall3."""
    return {DEPLOYER: DEPLOYER_CODE, MULTICALL3: multicall3_code()}


def canonical_deployments() -> list[bytes]:
    """Calldata for `DEPLOYER`, one per canonical contract, salt 0."""
    return [bytes(32) + safe_bytecode(name) for name in CANONICAL]


def council(owners: Sequence[Address], threshold: int, salt_nonce: int) -> Council:
    """A Safe of these owners with the compatibility fall-back handler; owners keep the order given."""
    setup = encode_call(SETUP, (owners, threshold, ZERO, b"", FALLBACK_HANDLER, ZERO, 0, ZERO))
    salt = keccak(keccak(setup) + salt_nonce.to_bytes(32, "big"))
    proxy = safe_bytecode("Proxy_V1_4_1") + encode(["address"], [SINGLETON])
    creation = encode_call(CREATE_PROXY, (SINGLETON, setup, salt_nonce))
    return Council(create2_address(PROXY_FACTORY, salt, proxy), creation)


def create2_address(deployer: Address, salt: bytes, creation_code: bytes) -> Address:
    """EIP-1014: keccak256(0xff ‖ deployer ‖ salt ‖ keccak256(creation code)), the last 20 bytes."""
    return checksummed(keccak(b"\xff" + bytes.fromhex(deployer[2:]) + salt + keccak(creation_code))[12:])


@functools.cache
def safe_bytecode(name: str) -> bytes:
    """Creation code of a contract that safe-eth-py ships."""
    text = (resources.files("safe_eth") / "eth" / "contracts" / "abis" / f"{name}.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return bytes.fromhex(found["bytecode"].removeprefix("0x"))
