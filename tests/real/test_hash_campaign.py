"""Random transactions against the Safes' own bytecode, 0.0.2 to 1.5.0 on anvil: every hash is the same by all three.

A few hundred by default; the campaign is 102,000, and prints what it compared.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from incident_cli.abi import encode_call, parse_signature
from incident_cli.chain.multicall import MULTICALL3, Target, decode_round, encode_round
from incident_cli.errors import Refused
from incident_cli.evm import ZERO, Address, checksummed, hex_bytes, to_hex
from incident_cli.safe.contracts import GET_TRANSACTION_HASH, VERSION
from incident_cli.safe.second_opinion import agree
from incident_cli.safe.transaction import SafeTx
from incident_cli.transport import Request
from tests.contracts.packages import Packages
from tests.contracts.safes import runtime
from tests.fakes.anvil import Anvil
from tests.safe.test_on_chain import ARTEFACTS, PROXY, SETUPS

ASK = parse_signature(GET_TRANSACTION_HASH)
PROXY_HEAD = 10  # bytes of creation code before what it leaves behind
BATCH, EXCHANGE = 200, 2  # transactions in one eth_call, and eth_calls in one request: anvil takes 2 MB
COUNT, CAMPAIGN = 600, 102_000
CHAINS = (1, 10, 31_337, 42_161, 2**53 - 1)
WORDS = (0, 1, 2**128, 2**255, 2**256 - 1)
LENGTHS = (0, 1, 3, 4, 31, 32, 33, 36, 68, 135, 136, 137, 1_000, 4_096, 24_576)  # keccak's own block has 136 bytes


@dataclass(frozen=True, slots=True)
class Standing:
    """A Safe of a version at an address of its own."""

    address: Address
    version: str


def stand_up(anvil: Anvil, chance: random.Random) -> tuple[Standing, ...]:
    """Every version behind two proxies each, at random addresses, set up and stating its version."""
    found: list[Standing] = []
    for artefact, setup, version in ARTEFACTS:
        singleton = any_address(chance)
        anvil.set_code(singleton, runtime(artefact))
        for _ in range(2):
            proxy = any_address(chance)
            anvil.set_code(proxy, bytes.fromhex(PROXY.format(singleton[2:].lower()))[PROXY_HEAD:])
            anvil.send(anvil.accounts[0], proxy, encode_call(parse_signature(setup), SETUPS[setup]))
            assert anvil.view(proxy, VERSION) == (version,)
            found.append(Standing(proxy, version))
    return tuple(found)


def any_address(chance: random.Random) -> Address:
    """Twenty random bytes."""
    return checksummed(chance.randbytes(20))


def field_address(chance: random.Random, safe: Address) -> Address:
    """Any address, and often one that is special."""
    special = (ZERO, safe, MULTICALL3, checksummed(b"\xff" * 20), checksummed(bytes(19) + b"\x01"))
    return chance.choice(special) if chance.random() < 0.3 else any_address(chance)


def field_word(chance: random.Random) -> int:
    """Any uint256, and often one at an edge."""
    return chance.choice(WORDS) if chance.random() < 0.4 else chance.getrandbits(chance.choice((8, 64, 160, 256)))


def field_data(chance: random.Random) -> bytes:
    """Calldata of any length, mostly short; some are as long as a contract."""
    length = chance.choice(LENGTHS) if chance.random() < 0.2 else chance.randrange(300)
    return bytes(length) if chance.random() < 0.05 else chance.randbytes(length)


def any_transaction(chance: random.Random, chain_id: int, safe: Standing) -> SafeTx:
    """Any well-formed transaction of this Safe."""
    return SafeTx(
        chain_id=chain_id,
        safe=safe.address,
        version=safe.version,
        to=field_address(chance, safe.address),
        value=field_word(chance),
        data=field_data(chance),
        operation=chance.randrange(2),
        safe_tx_gas=field_word(chance),
        base_gas=field_word(chance),
        gas_price=field_word(chance),
        gas_token=field_address(chance, safe.address),
        refund_receiver=field_address(chance, safe.address),
        nonce=field_word(chance),
    )


def asked(anvil: Anvil, batches: list[list[SafeTx]]) -> Iterator[tuple[SafeTx, str]]:
    """Each transaction with the hash that its Safe gives it; one request for all batches."""
    targets = [[Target(tx.safe, encode_call(ASK, (*tx.arguments, tx.nonce))) for tx in batch] for batch in batches]
    calls = [encode_round(one) for one in targets]
    requests = [Request("eth_call", ({"to": MULTICALL3, "data": to_hex(one)}, "latest")) for one in calls]
    for batch, answer in zip(batches, anvil.endpoint().exchange(requests), strict=True):
        assert isinstance(answer, str), answer
        _, results = decode_round(hex_bytes(answer), len(batch))
        for tx, result in zip(batch, results, strict=True):
            assert result.success and len(result.data) == 32, tx
            yield tx, to_hex(result.data)


def compare(packages: Packages, chain_id: int, count: int, seed: int) -> Counter[str]:
    """How many transactions of each version were hashed alike by incident, safe-eth-py and the Safe; all must be."""
    chance, seen = random.Random(seed), Counter[str]()
    with Anvil(packages.anvil, chain_id=chain_id) as anvil:
        safes = stand_up(anvil, chance)
        for start in range(0, count, BATCH * EXCHANGE):
            size = min(BATCH * EXCHANGE, count - start)
            made = [any_transaction(chance, chain_id, safes[(start + at) % len(safes)]) for at in range(size)]
            for tx, by_contract in asked(anvil, [made[at : at + BATCH] for at in range(0, size, BATCH)]):
                agree(tx, contract_hash=by_contract)
                seen[tx.version] += 1
    return seen


def agrees(tx: SafeTx, by_contract: str) -> bool:
    """Whether all three say the same."""
    try:
        return bool(agree(tx, contract_hash=by_contract))
    except Refused:
        return False


def test_every_version_hashes_alike(packages: Packages) -> None:
    seen = compare(packages, 31_337, COUNT, seed=1)
    assert len(seen) == len(ARTEFACTS) and seen.total() == COUNT


@pytest.mark.campaign
def test_a_hundred_thousand_transactions(packages: Packages, capsys: pytest.CaptureFixture[str]) -> None:
    begun, seen = time.monotonic(), Counter[str]()
    for seed, chain_id in enumerate(CHAINS):
        seen += compare(packages, chain_id, CAMPAIGN // len(CHAINS), seed)
    with capsys.disabled():
        count, seconds = seen.total(), time.monotonic() - begun
        print(f"\n{count:,} transactions hashed alike by all three in {seconds:.0f} s: {dict(seen)}")
    assert seen.total() == CAMPAIGN >= 100_000 and set(seen.values()) == {CAMPAIGN // len(ARTEFACTS)}


def test_a_wrong_hash_would_be_seen(packages: Packages) -> None:
    chance = random.Random(2)
    with Anvil(packages.anvil, chain_id=5) as anvil:
        safes = stand_up(anvil, chance)
        made = [any_transaction(chance, 6, safe) for safe in safes]
        wrong = {tx.version for tx, by_contract in asked(anvil, [made]) if not agrees(tx, by_contract)}
    assert wrong == {"1.3.0", "1.4.1", "1.5.0"}  # the versions that sign the chain id
