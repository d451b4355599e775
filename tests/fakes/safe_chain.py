"""A small real chain: py-evm, Multicall3 and one real Safe of a chosen version, 2 of 3."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources

from incident_cli.abi import encode, encode_call, parse_signature
from incident_cli.chain.multicall import MULTICALL3
from incident_cli.drills.accounts import Account, Order, account, created_address
from incident_cli.drills.engine import Engine
from incident_cli.drills.engine_values import Mined
from incident_cli.drills.rpc import Rpc
from incident_cli.drills.safe_setup import SETUP, multicall3_code
from incident_cli.evm import ZERO, Address, Call, CallRead, keccak, to_hex
from incident_cli.transport import Json, Request, RpcError

CHAIN_ID = 31_337
SEED = 7
SINGLETON = Address("0x" + "51" * 20)
HANDLER = Address("0x" + "FA" * 20)
FILES = {
    "1.3.0": ("GnosisSafe_V1_3_0", "CompatibilityFallbackHandler_V1_3_0", "Proxy_V1_3_0"),
    "1.4.1": ("Safe_V1_4_1", "CompatibilityFallbackHandler_V1_4_1", "Proxy_V1_4_1"),
    "1.5.0": ("Safe_V1_5_0", "CompatibilityFallbackHandler_V1_5_0", "Proxy_V1_5_0"),
}
GET_THRESHOLD = parse_signature("getThreshold() returns (uint256)")
GET_OWNERS = parse_signature("getOwners() returns (address[])")
NONCE = parse_signature("nonce() returns (uint256)")
CHANGE_THRESHOLD = parse_signature("changeThreshold(uint256 threshold)")
EXEC = parse_signature(
    "execTransaction(address to, uint256 value, bytes data, uint8 operation, uint256 safeTxGas, uint256 baseGas,"
    " uint256 gasPrice, address gasToken, address refundReceiver, bytes signatures)"
)
GET_HASH = parse_signature(
    "getTransactionHash(address to, uint256 value, bytes data, uint8 operation, uint256 safeTxGas, uint256 baseGas,"
    " uint256 gasPrice, address gasToken, address refundReceiver, uint256 nonce) returns (bytes32)"
)


class Chain:
    """The chain, in process: an Endpoint that counts, mines what it is sent, and can be told to spoil answers."""

    name = "real-chain"

    def __init__(self, *, multicall: bool = True, version: str = "1.4.1") -> None:
        singleton, handler, self._proxy = FILES[version]
        codes = {SINGLETON: shipped(singleton, "deployedBytecode"), HANDLER: shipped(handler, "deployedBytecode")}
        codes |= {MULTICALL3: multicall3_code()} if multicall else {}
        self.sender = account(SEED, "anyone")
        self.engine = Engine(
            seed=SEED,
            chain_id=CHAIN_ID,
            genesis_time=4_102_444_800,
            balances={self.sender.address: 10**21},
            codes=codes,
            chain="real",
        )
        self.rpc = Rpc(self.engine, self)
        self.exchanges: list[list[Request]] = []

    def exchange(self, requests: Sequence[Request]) -> list[Json | RpcError]:
        self.exchanges.append(list(requests))
        return self.rpc.exchange(requests)

    def submit(self, raw: bytes) -> str:
        return self.engine.mine([raw]).receipts[0].transaction_hash

    def advance(self, seconds: int) -> None:
        self.engine.mine([], self.engine.head.timestamp + seconds)

    def signed(self, to: Address | None, data: bytes, gas: int = 3_000_000) -> bytes:
        """A transaction of the sender, ready to be sent."""
        nonce = self.engine.nonce(self.sender.address)
        return self.sender.transaction(Order(CHAIN_ID, nonce, to, data, gas))

    def send(self, to: Address | None, data: bytes, gas: int = 3_000_000) -> Mined:
        return self.engine.mine([self.signed(to, data, gas)])

    def deploy_safe(self, handler: Address = HANDLER) -> Safe:
        """A Safe 2 of 3."""
        owners = tuple(sorted((account(SEED, f"owner {n}") for n in range(3)), key=lambda one: one.address.lower()))
        address = created_address(self.sender.address, self.engine.nonce(self.sender.address))
        self.send(None, shipped(self._proxy, "bytecode") + encode(["address"], [SINGLETON]))
        addresses = [one.address for one in owners]
        self.send(address, encode_call(SETUP, (addresses, 2, ZERO, b"", handler, ZERO, 0, ZERO)))
        return Safe(self, address, owners)


@dataclass(frozen=True, slots=True)
class Safe:
    """A deployed Safe and its owners in the order of their addresses."""

    chain: Chain = field(repr=False)
    address: Address
    owners: tuple[Account, ...]

    @property
    def threshold(self) -> CallRead:
        return CallRead(self.address, GET_THRESHOLD)

    @property
    def owner_list(self) -> CallRead:
        return CallRead(self.address, GET_OWNERS)

    def change_threshold(self, threshold: int) -> Call:
        """A call that only the Safe itself may make."""
        return Call(self.address, CHANGE_THRESHOLD, (threshold,))

    def executed(self, call: Call, *, safe_tx_gas: int = 0, signers: int = 2) -> tuple[str, bytes]:
        """The safe_tx_hash and the execTransaction calldata with the owners' signatures."""
        nonce = int.from_bytes(self.chain.engine.call(self.address, NONCE.selector))
        fields = (call.to, call.value, call.data, 0, safe_tx_gas, 0, 0, ZERO, ZERO)
        digest = self.chain.engine.call(self.address, encode_call(GET_HASH, (*fields, nonce)))
        signatures = b"".join(owner.sign_hash(digest) for owner in self.owners[:signers])
        return to_hex(digest), encode_call(EXEC, (*fields, signatures))


def shipped(name: str, key: str) -> bytes:
    """Code from safe-eth-py's data files."""
    text = (resources.files("safe_eth") / "eth" / "contracts" / "abis" / f"{name}.json").read_text(encoding="utf-8")
    return bytes.fromhex(json.loads(text)[key].removeprefix("0x"))


def hash_of(raw: bytes) -> str:
    """The hash of a signed transaction."""
    return to_hex(keccak(raw))
