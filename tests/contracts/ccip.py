"""Chainlink CCIP: token pools of three generations behind one router, with their rate limits and the network's curse.

The council is rate-limit administrator of all pools and may curse; everything else is the owner's. The ramps are
accounts of the node, for it is the router's word that makes a ramp.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import cast

from incident_cli.evm import ZERO, Address, hex_bytes
from tests.contracts.packages import Packages
from tests.contracts.real_market import deploy_coin
from tests.contracts.solidity import Contract, contract
from tests.fakes.anvil import Anvil

PACKAGE = "@chainlink/contracts-ccip"
LANE, OTHER_LANE = 5_009_297_550_715_157_269, 4_949_039_107_694_359_620  # Ethereum's selector, and Arbitrum's
GLOBAL = hex_bytes("0x01000000000000000000000000000001")  # the subject that curses every chain
DECIMALS = 18
WAD = 10**DECIMALS
POOL = "lock_release_token_pool"
TRANSFER = "transfer(address to, uint256 amount)"
LIQUIDITY = 1_000_000 * WAD
REMOTE_POOL, REMOTE_TOKEN = b"\x01" * 32, b"\x02" * 32
CONFIG = "(bool isEnabled, uint128 capacity, uint128 rate)"
BUCKET = "(uint128 tokens, uint32 lastUpdated, bool isEnabled, uint128 capacity, uint128 rate)"
UPDATE = (
    "applyChainUpdates(uint64[] remoteChainSelectorsToRemove, (uint64 remoteChainSelector, bytes[] remotePoolAddresses,"
    f" bytes remoteTokenAddress, {CONFIG} outboundRateLimiterConfig, {CONFIG} inboundRateLimiterConfig)[] chainsToAdd)"
)
RAMPS = (
    "applyRampUpdates((uint64 destChainSelector, address onRamp)[] onRampUpdates, (uint64 sourceChainSelector,"
    " address offRamp)[] offRampRemoves, (uint64 sourceChainSelector, address offRamp)[] offRampAdds)"
)
LOCK = (
    "lockOrBurn((bytes receiver, uint64 remoteChainSelector, address originalSender, uint256 amount,"
    " address localToken) lockOrBurnIn)"
)
RELEASE = (
    "releaseOrMint((bytes originalSender, uint64 remoteChainSelector, address receiver, uint256"
    " sourceDenominatedAmount, address localToken, bytes sourcePoolAddress, bytes sourcePoolData,"
    " bytes offchainTokenData) releaseOrMintIn)"
)
SET_ONE = f"setChainRateLimiterConfig(uint64 remoteChainSelector, {CONFIG} outboundConfig, {CONFIG} inboundConfig)"
SET_MANY = (
    f"setRateLimitConfig((uint64 remoteChainSelector, bool fastFinality, {CONFIG} outboundRateLimiterConfig,"
    f" {CONFIG} inboundRateLimiterConfig)[] rateLimitConfigArgs)"
)
OUTBOUND = f"getCurrentOutboundRateLimiterState(uint64 remoteChainSelector) returns ({BUCKET} state)"
INBOUND = f"getCurrentInboundRateLimiterState(uint64 remoteChainSelector) returns ({BUCKET} state)"
BOTH = (
    "getCurrentRateLimiterState(uint64 remoteChainSelector, bool fastFinality) returns"
    f" ({BUCKET} outboundRateLimiterState, {BUCKET} inboundRateLimiterState)"
)


@dataclass(frozen=True, slots=True)
class Limit:
    """A token bucket's rules: at most `capacity` base units at once, `rate` more a second."""

    enabled: bool
    capacity: int
    rate: int

    @property
    def words(self) -> tuple[bool, int, int]:
        """As the contracts take it."""
        return (self.enabled, self.capacity, self.rate)


OPEN = Limit(True, 1_000 * WAD, WAD)
TIGHTEST = Limit(True, 2, 1)  # where 0 < rate < capacity is demanded, as by 1.5.1
STOPPED = Limit(True, 0, 0)  # from 1.6.1 on
UNLIMITED = Limit(False, 0, 0)


@dataclass(frozen=True, slots=True)
class Bucket:
    """A token bucket as it stands at the block of the read."""

    tokens: int
    updated: int
    limit: Limit


def bucket_of(words: object) -> Bucket:
    """A bucket from the words of a view."""
    tokens, updated, enabled, capacity, rate = cast("tuple[int, int, bool, int, int]", words)
    return Bucket(tokens, updated, Limit(enabled, capacity, rate))


@dataclass(frozen=True, slots=True)
class Ccip:
    """One generation's pool on its node. `rmn` is what the pool asks through `proxy`."""

    anvil: Anvil
    pool: Address
    modern: bool
    token: Address
    rmn: Address
    proxy: Address
    owner: Address
    council: Address
    on_ramp: Address
    off_ramp: Address

    def lock(self, amount: int, *, lane: int = LANE) -> None:
        """Sends tokens to another chain, as the on-ramp; raises Refused."""
        self.anvil.transact(self.on_ramp, self.pool, LOCK, (b"\x03" * 32, lane, self.owner, amount, self.token))

    def release(self, amount: int, *, lane: int = LANE, receiver: Address | None = None) -> None:
        """Receives tokens from another chain, as the off-ramp; raises Refused."""
        message = (b"\x03" * 32, lane, receiver or self.owner, amount, self.token, REMOTE_POOL, b"", b"")
        self.anvil.transact(self.off_ramp, self.pool, RELEASE, message)

    def limit(self, sender: Address, outbound: Limit, inbound: Limit, *, lane: int = LANE, fast: bool = False) -> None:
        """Sets both limits of a lane; `fast` (of the modern pool) those of its fast transfers. Raises Refused."""
        if self.modern:
            self.anvil.transact(sender, self.pool, SET_MANY, [(lane, fast, outbound.words, inbound.words)])
        else:
            self.anvil.transact(sender, self.pool, SET_ONE, lane, outbound.words, inbound.words)

    def buckets(self, *, lane: int = LANE, fast: bool = False) -> tuple[Bucket, Bucket]:
        """The outbound and the inbound bucket of a lane."""
        if self.modern:
            outbound, inbound = self.anvil.view(self.pool, BOTH, lane, fast)
        else:
            (outbound,), (inbound,) = (self.anvil.view(self.pool, one, lane) for one in (OUTBOUND, INBOUND))
        return bucket_of(outbound), bucket_of(inbound)

    def curse(self, sender: Address, subject: bytes) -> None:
        """Stops a subject (16 bytes: a chain's or `GLOBAL`); raises Refused."""
        self.anvil.transact(sender, self.rmn, "curse(bytes16 subject)", subject)

    def uncurse(self, sender: Address, subject: bytes) -> None:
        """Lets a subject go; raises Refused."""
        self.anvil.transact(sender, self.rmn, "uncurse(bytes16 subject)", subject)

    def is_cursed(self, subject: bytes | None = None) -> bool:
        """Whether a subject is cursed, by itself or with all; without one, whether all are."""
        signature = "isCursed(bytes16 subject) returns (bool)" if subject else "isCursed() returns (bool)"
        (found,) = self.anvil.view(self.proxy, signature, *([subject] if subject else []))
        return bool(found)

    def balance(self, account: Address) -> int:
        """The tokens of an account."""
        (found,) = self.anvil.view(self.token, "balanceOf(address account) returns (uint256)", account)
        assert isinstance(found, int)
        return found


def subject_of(lane: int) -> bytes:
    """The subject that curses one chain: its selector in 16 bytes."""
    return lane.to_bytes(16, "big")


def compiled(packages: Packages, version: str, name: str) -> Contract:
    """A contract of the package, by the generation it was released in."""
    abi = json.loads(packages.path(f"{PACKAGE}/abi/{version}/{name}.json").read_text("utf-8"))
    return contract(name, abi, packages.path(f"{PACKAGE}/bytecode/{version}/{name}.bin").read_text("utf-8").strip())


@dataclass(frozen=True, slots=True)
class Network:
    """What the pools of one chain share."""

    anvil: Anvil
    packages: Packages
    owner: Address
    council: Address
    token: Address
    rmn: Address
    proxy: Address
    router: Address

    def deploy(self, version: str, name: str, *args: object) -> Address:
        """Deploys a contract of the package as the owner."""
        found = compiled(self.packages, version, name)
        return self.anvil.deploy(found.creation, found.constructor, args, sender=self.owner)

    def act(self, to: Address, signature: str, *args: object) -> None:
        """A transaction of the owner."""
        self.anvil.transact(self.owner, to, signature, *args)

    def pool(self, address: Address, *, modern: bool = False) -> Ccip:
        """A pool with its two lanes open, and enough tokens to lock."""
        lanes = [(lane, [REMOTE_POOL], REMOTE_TOKEN, OPEN.words, OPEN.words) for lane in (LANE, OTHER_LANE)]
        self.act(address, UPDATE, [], lanes)
        self.act(self.token, TRANSFER, address, LIQUIDITY)
        ramps = self.anvil.accounts[3:5]
        shared = (self.token, self.rmn, self.proxy, self.owner, self.council, *ramps)
        return Ccip(self.anvil, address, modern, *shared)


def build_ccip(anvil: Anvil, packages: Packages, council: Address) -> dict[str, Ccip]:
    """Deploys lock-and-release pools by their version, on one network (router 1.2.0, RMN 2.0.0 behind its proxy).

    `accounts[0]` owns everything; `council` is the pools' rate-limit administrator and may curse.
    """
    network = build_network(anvil, packages, council)
    proxy, router = network.proxy, network.router
    old = network.deploy("v1_5_1", POOL, network.token, DECIMALS, [], proxy, False, router)
    newer = network.deploy("v1_6_1", POOL, network.token, DECIMALS, [], proxy, router)
    for pool in (old, newer):
        network.act(pool, "setRateLimitAdmin(address rateLimitAdmin)", council)
    modern = build_modern_pool(network)
    return {"1.5.1": network.pool(old), "1.6.1": network.pool(newer), "2.0.0": network.pool(modern, modern=True)}


def build_network(anvil: Anvil, packages: Packages, council: Address) -> Network:
    """Token, router and RMN; the router knows `accounts[3]` as on-ramp and `accounts[4]` as off-ramp of both lanes."""
    owner = anvil.accounts[0]
    token = deploy_coin(anvil, packages, ("Bridged", "BRG", DECIMALS, 10 * LIQUIDITY))
    bare = Network(anvil, packages, owner, council, token, ZERO, ZERO, ZERO)
    rmn = bare.deploy("v2_0_0", "rmn", [council])
    proxy = bare.deploy("v1_0_0", "rmn_proxy_contract", rmn)
    router = bare.deploy("v1_2_0", "router", token, proxy)
    on_ramp, off_ramp = anvil.accounts[3:5]
    lanes = (LANE, OTHER_LANE)
    bare.act(router, RAMPS, [(lane, on_ramp) for lane in lanes], [], [(lane, off_ramp) for lane in lanes])
    return replace(bare, rmn=rmn, proxy=proxy, router=router)


def build_modern_pool(network: Network) -> Address:
    """The pool 2.0.0, which keeps what it has locked in a lock box."""
    box = network.deploy("v2_0_0", "erc20_lock_box", network.token)
    pool = network.deploy("v2_0_0", POOL, network.token, DECIMALS, ZERO, network.proxy, network.router, box)
    callers = "applyAuthorizedCallerUpdates((address[] addedCallers, address[] removedCallers) authorizedCallerArgs)"
    network.act(box, callers, ([pool], []))
    network.act(network.token, TRANSFER, box, LIQUIDITY)
    dynamic = "setDynamicConfig(address router, address rateLimitAdmin, address feeAdmin)"
    network.act(pool, dynamic, network.router, network.council, ZERO)
    return pool


def with_rmn_remote(ccip: Ccip, packages: Packages) -> Ccip:
    """The same pool after the proxy was turned to an RMNRemote 1.6.0, which obeys its owner alone."""
    found = compiled(packages, "v1_6_0", "rmn_remote")
    remote = ccip.anvil.deploy(found.creation, found.constructor, (OTHER_LANE, ZERO), sender=ccip.owner)
    ccip.anvil.transact(ccip.owner, ccip.proxy, "setARM(address arm)", remote)
    return replace(ccip, rmn=remote)
