"""A real 2-of-3 Safe on anvil: canonical contracts at canonical addresses, and owners whose keys are known.

The bytecode is what safe-eth-py ships (each singleton is the L2 variant). It ships no MultiSendCallOnly for 1.3.0, so a
Safe of that version batches through the one of 1.4.1.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from incident_cli.abi import encode, encode_call, parse_signature
from incident_cli.drills.accounts import Account, account
from incident_cli.drills.safe_setup import CREATE_PROXY, SETUP, create2_address, safe_bytecode
from incident_cli.evm import ZERO, Address, Call, hex_bytes, keccak, to_hex
from incident_cli.safe.batch import fold
from incident_cli.safe.contracts import EXEC_TRANSACTION, GET_TRANSACTION_HASH, NONCE, RELEASES
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.second_opinion import agree_with_contract
from incident_cli.safe.signatures import pack
from incident_cli.safe.transaction import SafeTx
from tests.fakes.anvil import Anvil, Refused

VERSIONS = ("1.3.0", "1.4.1", "1.5.0")
THRESHOLD = 2
SINGLETON_THRESHOLD = (4, 1)  # the slot and the value that a singleton's constructor leaves, so that nobody owns it
INNER_FAILURE = "GS013"
EXEC = parse_signature(EXEC_TRANSACTION)


@dataclass(frozen=True, slots=True)
class Safe2of3:
    """A Safe on its node; its owners sign with their own keys, `executor` pays the gas."""

    anvil: Anvil
    address: Address
    version: str
    owners: tuple[Account, ...]
    executor: Address
    multisend: Address = field(repr=False)

    def execute(self, calls: Call | Sequence[Call], signers: Sequence[Account] = ()) -> dict[str, Any]:
        """Signs with the first two owners (else `signers`) and executes: one call, or a batch; the receipt.

        Raises Refused where it reverts. Where the Safe says only GS013, the refusal is that of the first call which
        fails when it is tried from the Safe by itself.
        """
        every = (calls,) if isinstance(calls, Call) else tuple(calls)
        tx = self.transaction(every)
        data = self.execution(tx, signers or self.owners[:THRESHOLD])
        try:
            return self.anvil.send(self.executor, self.address, data)
        except Refused as refused:
            if INNER_FAILURE not in str(refused):
                raise
            raise self.reason(every) or refused from refused

    def transaction(self, calls: Sequence[Call]) -> SafeTx:
        """The calls as one Safe transaction at the Safe's next nonce."""
        (nonce,) = self.anvil.view(self.address, NONCE)
        assert isinstance(nonce, int)
        return fold(
            calls,
            chain_id=self.anvil.chain_id,
            safe=self.address,
            version=self.version,
            nonce=nonce,
            multisend=self.multisend,
        )

    def execution(self, tx: SafeTx, signers: Sequence[Account]) -> bytes:
        """Calldata of execTransaction, once this project's hash and the Safe's own agree."""
        (by_contract,) = self.anvil.view(self.address, GET_TRANSACTION_HASH, *tx.arguments, tx.nonce)
        assert isinstance(by_contract, bytes)
        agree_with_contract(tx, to_hex(by_contract))
        digest = hex_bytes(hash_transaction(tx).safe_tx_hash)
        packed = pack({one.address: one.sign_hash(digest) for one in signers})
        return encode_call(EXEC, (*tx.arguments, packed))

    def reason(self, calls: Sequence[Call]) -> Refused | None:
        """Why the first call that fails does: each is tried from the Safe, as the chain stands now."""
        for call in calls:
            try:
                self.anvil.rpc("eth_call", {"from": self.address, "to": call.to, "data": to_hex(call.data)}, "latest")
            except Refused as refused:
                return refused
        return None


def build_safe(anvil: Anvil, version: str = "1.4.1", seed: int = 1, number: int = 0) -> Safe2of3:
    """A 2-of-3 Safe with the compatibility fall-back handler; another `number` is another Safe of the same owners."""
    place_release(anvil, version)
    owners = tuple(account(seed, f"council {one}") for one in (1, 2, 3))
    release = RELEASES[version]
    singleton, factory = release.singletons_l2[0], release.proxy_factories[0]
    addresses = [one.address for one in owners]
    setup = encode_call(SETUP, (addresses, THRESHOLD, ZERO, b"", release.fallback_handlers[0], ZERO, 0, ZERO))
    anvil.send(anvil.accounts[0], factory, encode_call(CREATE_PROXY, (singleton, setup, number)))
    proxy = safe_bytecode(f"Proxy_V{underscored(version)}") + encode(["address"], [singleton])
    address = create2_address(factory, keccak(keccak(setup) + number.to_bytes(32, "big")), proxy)
    assert anvil.rpc("eth_getCode", address, "latest") != "0x", "the factory created it elsewhere"
    return Safe2of3(anvil, address, version, owners, anvil.accounts[-1], multisend_of(version))


def place_release(anvil: Anvil, version: str) -> None:
    """The canonical contracts of a version, at their addresses."""
    release, suffix = RELEASES[version], underscored(version)
    name = "GnosisSafe" if version == "1.3.0" else "Safe"
    anvil.set_code(release.singletons_l2[0], runtime(f"{name}_V{suffix}"))
    slot, value = SINGLETON_THRESHOLD
    anvil.rpc("anvil_setStorageAt", release.singletons_l2[0], hex(slot), to_hex(value.to_bytes(32, "big")))
    anvil.set_code(release.proxy_factories[0], runtime(f"ProxyFactory_V{suffix}"))
    anvil.set_code(release.fallback_handlers[0], runtime(f"CompatibilityFallbackHandler_V{suffix}"))
    anvil.set_code(multisend_of(version), runtime(f"MultiSendCallOnly_V{underscored(multisend_version(version))}"))


def multisend_version(version: str) -> str:
    """The version whose MultiSendCallOnly a Safe of this version batches through."""
    return "1.4.1" if version == "1.3.0" else version


def multisend_of(version: str) -> Address:
    """MultiSendCallOnly for a Safe of this version."""
    return RELEASES[multisend_version(version)].multisend_call_only[0]


def underscored(version: str) -> str:
    """`1.4.1` as safe-eth-py's file names have it."""
    return version.replace(".", "_")


@functools.cache
def runtime(name: str) -> bytes:
    """Runtime code of a contract that safe-eth-py ships."""
    text = (resources.files("safe_eth") / "eth" / "contracts" / "abis" / f"{name}.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return bytes.fromhex(found["deployedBytecode"].removeprefix("0x"))
