from __future__ import annotations

from collections.abc import Mapping

import eth  # noqa: F401 - it raises the recursion limit, and hypothesis wants to see that first
import pytest
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.drills.engine import CALL_GAS, Engine
from incident_cli.drills.engine_rules import check_nonce
from incident_cli.drills.engine_values import InvalidTransaction, Reverted, UnknownBlock
from incident_cli.evm import Address, checksummed, keccak

CHAIN = 31_337
START = 4_102_444_800
KEY = b"\x01" * 32
SENDER = Address(Account.from_key(KEY).address)
# Adds one to slot 0 and logs the new count under topic 0xaa.
COUNTER = checksummed(b"\xaa" * 20)
COUNTER_CODE = bytes.fromhex("6000546001018060005560005260aa60206000a100")
# Reverts with the calldata it was sent.
REVERTER = checksummed(b"\xbb" * 20)
REVERTER_CODE = bytes.fromhex("3660006000373660 00fd".replace(" ", ""))
# Answers NUMBER, TIMESTAMP, BASEFEE, PREVRANDAO, CALLER and the hash of the block before.
WITNESS = checksummed(b"\xcc" * 20)
WITNESS_CODE = bytes.fromhex("436000524260205248604052446060523360805260014303 4060a05260c06000f3".replace(" ", ""))
# Calls itself with all the gas there is, as deep as it goes.
DEEP = checksummed(b"\xdd" * 20)
DEEP_CODE = bytes.fromhex("600060006000600060003 05af100".replace(" ", ""))
INVALID = checksummed(b"\xee" * 20)
# Forwards 63/64 of its gas to the counter and reverts where that failed: the gas used is not the gas needed.
FORWARDER = checksummed(b"\xf0" * 20)
FORWARDER_CODE = bytes.fromhex("60006000600060006000 73".replace(" ", "") + "aa" * 20 + "5af1602857600080fd5b00")
CODES: Mapping[Address, bytes] = {
    COUNTER: COUNTER_CODE,
    REVERTER: REVERTER_CODE,
    WITNESS: WITNESS_CODE,
    DEEP: DEEP_CODE,
    INVALID: b"\xfe",
    FORWARDER: FORWARDER_CODE,
}


def chain(seed: int = 1) -> Engine:
    return Engine(seed=seed, chain_id=CHAIN, genesis_time=START, balances={SENDER: 10**24}, codes=CODES)


def sent(nonce: int = 0, to: Address | None = COUNTER, *, legacy: bool = False, **changes: object) -> bytes:
    fees: dict[str, object] = (
        {"gasPrice": 10**10} if legacy else {"maxFeePerGas": 10**10, "maxPriorityFeePerGas": 10**9}
    )
    body = {
        "chainId": CHAIN,
        "nonce": nonce,
        "to": to or "",
        "value": 0,
        "gas": 200_000,
        "data": b"",
        **fees,
        **changes,
    }
    return bytes(Account.sign_transaction(body, KEY).raw_transaction)


def number(data: bytes, word: int = 0) -> int:
    return int.from_bytes(data[32 * word : 32 * word + 32], "big")


GOLDEN = "0xde79b20a4f49db9aa5351ede36f50815251a75c33d04603e6090d72735920b7c"
RAWS = [sent(nonce) for nonce in range(4)]


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(), split=st.integers(0, 4), seconds=st.integers(1, 10**6))
def test_same_inputs_give_the_same_hashes_and_another_seed_gives_others(seed: int, split: int, seconds: int) -> None:
    def played(of: int) -> list[str]:
        engine = chain(of)
        engine.mine(RAWS[:split])
        engine.mine(RAWS[split:], START + 12 + seconds)
        engine.mine([])
        return [engine.block(height).hash for height in range(4)]

    assert played(seed) == played(seed)
    assert not set(played(seed)) & set(played(seed + 1))


def test_a_golden_hash_holds_on_every_machine() -> None:
    engine = chain()
    engine.mine(RAWS)
    assert engine.head.hash == GOLDEN


def test_mining_gives_receipts_logs_and_state() -> None:
    engine = chain()
    mined = engine.mine(RAWS[:2])
    assert mined.block == engine.head and mined.block.timestamp == START + 12 and mined.block.chain == "drill"
    first, second = mined.receipts
    assert (first.status, first.index, first.sender, first.to, first.type) == (1, 0, SENDER, COUNTER, 2)
    assert second.cumulative_gas == first.gas_used + second.gas_used
    assert second.first_log == 1 and number(second.logs[0].data) == 2
    assert second.logs[0].topics == ((0xAA).to_bytes(32, "big"),) and second.logs[0].address == COUNTER
    assert engine.receipt(second.transaction_hash) == second
    assert second.transaction_hash == "0x" + keccak(RAWS[1]).hex()
    assert number(engine.storage(COUNTER, 0)) == 2 and engine.nonce(SENDER) == 2
    paid = sum(one.gas_used * one.effective_gas_price for one in mined.receipts)
    assert engine.balance(SENDER) == 10**24 - paid


def test_past_blocks_are_read_as_they_were() -> None:
    engine = chain()
    for raw in RAWS:
        engine.mine([raw])
    assert [number(engine.storage(COUNTER, 0, height)) for height in range(5)] == [0, 1, 2, 3, 4]
    seen = engine.call(WITNESS, b"", block=2)
    assert (number(seen), number(seen, 1)) == (2, engine.block(2).timestamp)
    assert number(seen, 2) == 0 and number(seen, 3) and number(seen, 4) == 0
    assert seen[160:].hex() == engine.block(1).hash[2:]
    assert engine.code(COUNTER, 0) == COUNTER_CODE and engine.code(SENDER) == b""
    with pytest.raises(UnknownBlock):
        engine.call(COUNTER, b"", block=9)


def test_a_call_leaves_no_trace_and_says_why_it_failed() -> None:
    engine = chain()
    before = engine.head
    assert engine.call(COUNTER, b"") == engine.call(COUNTER, b"") == b""
    assert number(engine.storage(COUNTER, 0)) == 0 and engine.head == before
    with pytest.raises(Reverted) as reverted:
        engine.call(REVERTER, b"why", sender=SENDER)
    assert (reverted.value.data, reverted.value.reason) == (b"why", "")
    with pytest.raises(Reverted) as halted:
        engine.call(INVALID, b"")
    assert halted.value.data == b"" and halted.value.reason
    with pytest.raises(InvalidTransaction):
        engine.call(COUNTER, b"", value=1)
    assert engine.call(None, bytes.fromhex("60fe60005360016000f3")) == b"\xfe"


def test_the_deepest_call_ends() -> None:
    assert chain().call(DEEP, b"") == b""


def test_creation_and_failure_have_receipts() -> None:
    engine = chain()
    created, failed = engine.mine([sent(0, None, data="0x60fe60005360016000f3"), sent(1, REVERTER)]).receipts
    assert created.contract_address and engine.code(created.contract_address) == b"\xfe" and created.to is None
    assert failed.status == 0 and failed.logs == () and failed.contract_address is None


@pytest.mark.parametrize(
    "raw",
    [
        sent(1),
        sent(0, gas=20_999),
        sent(0, gas=60_000_001),
        sent(0, value=10**25),
        sent(0, chainId=1),
        sent(0, legacy=True, chainId=1),
        sent(0, maxFeePerGas=1, maxPriorityFeePerGas=1),
        sent(0)[:-1],
        sent(0)[:-1] + bytes([sent(0)[-1] ^ 1]),
        b"",
        b"\x02",
        b"\x03\xc0",
        b"\x04\xc0",
        b"\x7f\xc0",
        b"\xff" * 40,
        b"\xc0",
    ],
)
def test_an_invalid_transaction_mines_nothing(raw: bytes) -> None:
    engine = chain()
    before = engine.head
    with pytest.raises(InvalidTransaction) as refused:
        engine.mine([raw])
    assert refused.value.message and refused.value.message.isprintable()
    assert engine.head == before and engine.nonce(SENDER) == 0 and number(engine.storage(COUNTER, 0)) == 0
    assert engine.mine([RAWS[0]]).receipts[0].status == 1


def test_a_bad_transaction_takes_the_good_ones_before_it_along() -> None:
    engine = chain()
    with pytest.raises(InvalidTransaction):
        engine.mine([RAWS[0], RAWS[0]])
    assert engine.head.number == 0 and engine.receipt("0x" + keccak(RAWS[0]).hex()) is None


def test_a_known_sender_changes_nothing_but_the_work() -> None:
    raw = sent()
    plain = chain().mine([raw])
    known = chain().mine([raw], senders={raw: plain.receipts[0].sender})
    assert known == plain


def test_legacy_transactions_are_the_senders_own() -> None:
    engine = chain()
    assert engine.mine([sent(0, legacy=True)]).receipts[0].sender == SENDER
    unprotected = sent(1, legacy=True)
    broken = unprotected[:-40] + bytes(40)
    with pytest.raises(InvalidTransaction):
        engine.mine([broken])


def test_time_only_moves_forward() -> None:
    engine = chain()
    assert engine.mine([], START + 3_600).block.timestamp == START + 3_600
    with pytest.raises(InvalidTransaction):
        engine.mine([], START + 3_600)


@pytest.mark.parametrize("to", [COUNTER, WITNESS, FORWARDER, SENDER, None])
def test_an_estimate_is_enough_and_hardly_more(to: Address | None) -> None:
    engine = chain()
    data = b"" if to else bytes.fromhex("60fe60005360016000f3")
    gas = engine.estimate_gas(to, data, sender=SENDER)
    assert gas < CALL_GAS
    mark = engine.snapshot()
    assert engine.mine([sent(0, to, gas=gas, data=data)]).receipts[0].status == 1
    engine.revert(mark)
    less = gas * 63 // 64 - 1
    try:
        assert engine.mine([sent(0, to, gas=less, data=data)]).receipts[0].status == 0
    except InvalidTransaction:
        assert less < 60_000


def test_an_estimate_of_a_failing_call_says_so() -> None:
    with pytest.raises(Reverted):
        chain().estimate_gas(REVERTER, b"no")


def test_reverting_forgets_and_replays_the_same() -> None:
    engine = chain()
    engine.mine(RAWS[:1])
    mark = engine.snapshot()
    first = engine.mine(RAWS[1:3])
    later = engine.snapshot()
    engine.revert(mark)
    assert engine.head == mark and engine.receipt(first.receipts[0].transaction_hash) is None
    assert number(engine.storage(COUNTER, 0)) == 1
    with pytest.raises(UnknownBlock):
        engine.block_number(first.block.hash)
    assert engine.mine(RAWS[1:3]) == first
    engine.revert(later)
    engine.revert(mark)
    engine.mine([])
    with pytest.raises(UnknownBlock):
        engine.revert(later)


def test_logs_are_found_by_place_address_and_topic() -> None:
    engine = chain()
    for raw in RAWS:
        engine.mine([raw])
    topic = (0xAA).to_bytes(32, "big")
    assert len(engine.logs(0, 99)) == 4
    assert [one.receipt.block_number for one in engine.logs(2, 3, [Address(COUNTER.lower())], [[topic]])] == [2, 3]
    assert engine.logs(0, 9, [REVERTER]) == () and engine.logs(0, 9, (), [None, None]) == ()
    assert engine.logs(0, 9, (), [[bytes(32)]]) == () and len(engine.logs(0, 9, (), [None])) == 4


def test_importing_the_engine_loads_no_virtual_machine() -> None:
    import subprocess
    import sys

    script = (
        "import sys, incident_cli.drills.rpc; print(sorted({'eth', 'web3', 'rlp', 'eth_account'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("found", "wanted", "word"), [(0, 1, "low"), (2, 1, "high")])
def test_a_wrong_nonce_is_refused_in_words_that_clients_know(found: int, wanted: int, word: str) -> None:
    with pytest.raises(InvalidTransaction, match=f"nonce too {word}: next nonce {wanted}, tx nonce {found}"):
        check_nonce(found, wanted)
