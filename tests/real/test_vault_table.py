"""Every row of the table of pre-signed transactions, on the Safe's own bytecode: why the vault has its rules.

1.1.1 stands for every Safe below 1.3.0, which `vault arm` refuses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pytest

from incident_cli.abi import encode, encode_call, parse_signature
from incident_cli.drills.accounts import Account, account
from incident_cli.drills.safe_setup import SETUP, safe_bytecode
from incident_cli.evm import ZERO, Address, Call, checksummed, hex_bytes, to_hex
from incident_cli.safe.batch import rejection
from incident_cli.safe.contracts import NONCE
from incident_cli.safe.execution_data import execution_data
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.transaction import SafeTx
from tests.contracts.misbehaviour import compiled
from tests.contracts.packages import Packages
from tests.contracts.safes import Safe2of3, build_safe, multisend_of, place_release
from tests.fakes.anvil import Anvil, Refused

OLD, NEW = "1.1.1", ("1.3.0", "1.4.1", "1.5.0")
EVERY = (OLD, *NEW)
STRANGER = checksummed(b"\x5e" * 20)
SEED = 1
OPERATION = b"\x0a" * 32
SET_PAUSED = parse_signature("set_paused(bytes32 market, bool paused)")
CANCEL = parse_signature("cancel(bytes32 operation)")
SWAP = "swapOwner(address previous, address out, address new)"
STEP_GAS, LEAST_GAS, MOST_GAS = 1_500, 100_000, 420_000
HEAVY = 8  # calls of a batch: what is left of its gas (1/64) is then enough to end the Safe's own transaction


@dataclass(frozen=True, slots=True)
class Post:
    """A Safe of one version that guards a market."""

    council: Safe2of3
    market: Address

    @property
    def anvil(self) -> Anvil:
        return self.council.anvil

    @property
    def nonce(self) -> int:
        (found,) = self.anvil.view(self.council.address, NONCE)
        assert isinstance(found, int)
        return found

    @property
    def is_old(self) -> bool:
        return self.council.version == OLD

    def paused(self, market: bytes = OPERATION) -> bool:
        return self.anvil.view(self.market, "paused(bytes32) returns (bool)", market) == (True,)

    def pause(self, market: bytes = OPERATION) -> Call:
        return Call(self.market, SET_PAUSED, (market, True))

    def rung(self, call: Call, nonce: int = 0, safe_tx_gas: int = 0) -> SafeTx:
        made = self.council.transaction((call,))
        return replace(made, nonce=self.nonce + nonce, safe_tx_gas=safe_tx_gas)

    def signed(self, tx: SafeTx, signers: Sequence[Account] = ()) -> bytes:
        return self.council.execution(tx, signers or self.council.owners[:2])

    def broadcast(self, data: bytes, gas: int = 0) -> dict[str, object]:
        """A stranger sends it; the receipt, reverted or not."""
        self.anvil.rpc("anvil_setBalance", STRANGER, hex(10**18))
        wanted = {"from": STRANGER, "to": self.council.address, "data": to_hex(data), "gas": hex(gas or 1_000_000)}
        found = self.anvil.receipt(str(self.anvil.rpc("eth_sendTransaction", wanted)))
        return {**found, "succeeded": found["status"] == "0x1"}


def build_old_safe(anvil: Anvil) -> Safe2of3:
    """A 2-of-3 Safe 1.1.1: its singleton, and a proxy that was set up by hand."""
    place_release(anvil, "1.4.1")
    owners = tuple(account(SEED, f"council {one}") for one in (1, 2, 3))
    singleton = anvil.deploy(safe_bytecode("GnosisSafe_V1_1_1"))
    address = anvil.deploy(safe_bytecode("Proxy_V1_1_1") + encode(["address"], [singleton]))
    addresses = [one.address for one in owners]
    anvil.send(anvil.accounts[0], address, encode_call(SETUP, (addresses, 2, ZERO, b"", ZERO, ZERO, 0, ZERO)))
    return Safe2of3(anvil, address, OLD, owners, anvil.accounts[-1], multisend_of("1.4.1"))


def build_post(anvil: Anvil, version: str) -> Post:
    council = build_old_safe(anvil) if version == OLD else build_safe(anvil, version, SEED)
    market = anvil.deploy(compiled("guarded_market"))
    anvil.transact(anvil.accounts[0], market, "appoint(address guardian)", council.address)
    return Post(council, market)


@pytest.fixture(scope="module")
def posts(packages: Packages) -> Iterator[dict[str, Post]]:
    """One node with a Safe of each version."""
    with Anvil(packages.anvil) as anvil:
        yield {version: build_post(anvil, version) for version in EVERY}


@pytest.fixture(params=EVERY)
def post(posts: dict[str, Post], request: pytest.FixtureRequest) -> Iterator[Post]:
    """A Safe as it was built, for this test alone."""
    found = posts[request.param]
    before = found.anvil.snapshot()
    yield found
    found.anvil.revert(before)


def test_anybody_broadcasts(post: Post) -> None:
    data = post.signed(post.rung(post.pause()))
    assert post.broadcast(data)["succeeded"] and post.paused()


def test_a_call_that_fails_burns_the_rung_of_an_old_safe_only(post: Post) -> None:
    """Nothing is pending, so `cancel` reverts, as a pause does that demands an open market."""
    data = post.signed(post.rung(Call(post.market, CANCEL, (OPERATION,))))
    assert post.broadcast(data)["succeeded"] is post.is_old
    assert post.nonce == (1 if post.is_old else 0)
    post.anvil.transact(post.anvil.accounts[0], post.market, "submit(bytes32 operation)", OPERATION)
    assert post.broadcast(data)["succeeded"] is not post.is_old  # the rung survived, and works when it is needed


def test_with_safe_tx_gas_a_call_that_fails_burns_every_rung(post: Post) -> None:
    data = post.signed(post.rung(Call(post.market, CANCEL, (OPERATION,)), safe_tx_gas=100_000))
    assert post.broadcast(data)["succeeded"]
    assert post.nonce == 1 and not post.paused()


def test_a_broadcaster_who_starves_the_call_burns_the_rung_of_an_old_safe_only(post: Post) -> None:
    calls = [post.pause(bytes([number]) * 32) for number in range(1, HEAVY + 1)]
    data = post.signed(post.council.transaction(calls))
    starving = [gas for gas in range(LEAST_GAS, MOST_GAS, STEP_GAS) if answer_with(post, data, gas) == 0]
    assert bool(starving) is post.is_old
    if starving:
        assert post.broadcast(data, starving[-1])["succeeded"]
        assert post.nonce == 1 and not post.paused(bytes([1]) * 32)


def answer_with(post: Post, data: bytes, gas: int) -> int | None:
    """What execTransaction answers when it is sent with this gas: 1, 0 (the nonce is spent, the call failed), or None
    where all of it reverts."""
    made = {"from": STRANGER, "to": post.council.address, "data": to_hex(data), "gas": hex(gas)}
    try:
        return int(post.anvil.rpc("eth_call", made, "latest"), 16)
    except Refused:
        return None


def test_revoking_a_rung_makes_the_next_one_live(post: Post) -> None:
    first, second = (post.signed(post.rung(post.pause(), nonce)) for nonce in (0, 1))
    assert not post.broadcast(second)["succeeded"]
    empty = rejection(
        chain_id=post.anvil.chain_id, safe=post.council.address, version=post.council.version, nonce=post.nonce
    )
    assert post.broadcast(post.signed(empty))["succeeded"]
    assert not post.broadcast(first)["succeeded"] and not post.paused()
    assert post.broadcast(second)["succeeded"] and post.paused()


def test_a_signer_rotated_out_kills_a_rung(post: Post) -> None:
    rung = post.rung(post.pause(), 1)
    data = post.signed(rung)
    one = post.council.owners[0].address
    swap = Call(post.council.address, parse_signature(SWAP), (before_in_list(post, one), one, STRANGER))
    assert post.broadcast(post.signed(post.rung(swap)))["succeeded"] and one not in owners_of(post)
    assert not post.broadcast(data)["succeeded"] and not post.paused()
    others = post.signed(rung, post.council.owners[1:])
    assert post.broadcast(others)["succeeded"] and post.paused()  # who is still an owner signed the very same rung


def owners_of(post: Post) -> tuple[Address, ...]:
    (found,) = post.anvil.view(post.council.address, "getOwners() returns (address[])")
    assert isinstance(found, tuple)
    return found


def before_in_list(post: Post, owner: Address) -> Address:
    """Who points at an owner in the Safe's list."""
    listed = owners_of(post)
    place = listed.index(owner)
    return listed[place - 1] if place else Address("0x" + "0" * 39 + "1")


def test_signatures_that_are_not_sorted_revert(post: Post) -> None:
    tx = post.rung(post.pause())
    digest = hex_bytes(hash_transaction(tx).safe_tx_hash)
    falling = sorted(post.council.owners[:2], key=lambda one: int(one.address, 16), reverse=True)
    data = execution_data(tx, b"".join(one.sign_hash(digest) for one in falling))
    assert not post.broadcast(data)["succeeded"] and post.nonce == 0
    rising = execution_data(tx, b"".join(one.sign_hash(digest) for one in reversed(falling)))
    assert rising == post.signed(tx)  # the vault's own packing is the codec's
    assert post.broadcast(rising)["succeeded"] and post.paused()
