"""The drill's contracts: who may pull which lever, what it does to users, and what can never happen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incident_cli.abi import decode, encode, encode_call, parse_signature
from incident_cli.drills.accounts import Account, Order, account, created_address
from incident_cli.drills.artefacts import artefact
from incident_cli.drills.engine import Engine
from incident_cli.evm import ZERO, Address, keccak
from tests.drills.bench import Chain

ETH, BTC = b"E" * 32, b"B" * 32
UNIT, CALL, PRICE = 10**6, 10**6, 10**8
CAPACITY, PERIOD = 1_000 * UNIT, 3_600
SHUT, PAUSED = "the exchange is shut down", "the market is paused"


@dataclass
class Bench(Chain):
    """The contracts alone on a chain, every role an ordinary account."""

    guardian: Account
    governance: Account
    reporter: Account
    alice: Account
    bob: Account
    token: Address
    exchange: Address
    timelock: Address
    feeds: dict[bytes, Address]
    references: dict[bytes, Address]

    def is_conserved(self) -> bool:
        held = self.number(self.token, "balanceOf(address)", self.exchange)
        return held == self.number(self.exchange, "pool()") + self.number(self.exchange, "totalBalances()")


def build() -> Bench:
    names = ("deployer", "guardian", "governance", "reporter", "alice", "bob")
    deployer, guardian, governance, reporter, alice, bob = people = [account(1, name) for name in names]
    engine = Engine(seed=1, chain_id=1, genesis_time=10**9, balances={one.address: 10**24 for one in people})
    raws: list[bytes] = []

    def send(to: Address | None, data: bytes) -> Address:
        raws.append(deployer.transaction(Order(1, len(raws), to, data, 5_000_000)))
        return created_address(deployer.address, len(raws) - 1)

    def call(to: Address, function: str, *args: object) -> None:
        send(to, encode_call(parse_signature(function), args))

    token = send(None, artefact("usd_token").creation())
    timelock = send(None, artefact("timelock").creation([[governance.address, bob.address], [guardian.address], 3_600]))
    feeds = {one: send(None, artefact("price_feed").creation([reporter.address, "feed"])) for one in (ETH, BTC)}
    references = {one: send(None, artefact("price_feed").creation([reporter.address, "ref"])) for one in (ETH, BTC)}
    markets = [(one, feeds[one], references[one], 100 * PRICE, 2 * PRICE) for one in (ETH, BTC)]
    args = [token, guardian.address, governance.address, markets, CAPACITY, PERIOD]
    exchange = send(None, artefact("options_exchange").creation(args))
    call(token, "mint(address,uint256)", deployer.address, 200_000 * UNIT)
    call(token, "approve(address,uint256)", exchange, 200_000 * UNIT)
    call(exchange, "deposit(uint256)", 100_000 * UNIT)
    call(exchange, "provide(uint256)", 100_000 * UNIT)
    for one in (alice, bob):
        call(exchange, "depositFor(address,uint256)", one.address, 10_000 * UNIT)
    push = encode_call(parse_signature("push(int256)"), [110 * PRICE])
    pushes = [
        reporter.transaction(Order(1, nonce, feed, push, 500_000))
        for nonce, feed in enumerate([*feeds.values(), *references.values()])
    ]
    assert all(receipt.status for receipt in engine.mine([*raws, *pushes]).receipts)
    return Bench(engine, guardian, governance, reporter, alice, bob, token, exchange, timelock, feeds, references)


BUY, EXERCISE = "buy(bytes32,uint256,uint256)", "exercise(bytes32,uint256)"
PAUSE, LIMIT = "setMarketPaused(bytes32,bool)", "setWithdrawalLimit(uint256,uint256)"


@pytest.fixture(scope="module")
def built() -> Bench:
    return build()


@pytest.fixture
def bench(built: Bench) -> Iterator[Bench]:
    mark = built.engine.snapshot()
    yield built
    built.engine.revert(mark)


def test_a_feed_serves_whatever_was_pushed(bench: Bench) -> None:
    feed = bench.feeds[ETH]
    assert "reporter" in bench.refused(bench.alice, feed, "push(int256)", 1)
    bench.done(bench.reporter, feed, "push(int256)", -1)
    bench.wait(10**6)
    latest = parse_signature("latestRoundData() returns (uint80,int256,uint256,uint256,uint80)")
    number, answer, _, updated, _ = decode(latest.output_types, bench.engine.call(feed, latest.selector))
    assert (number, answer, updated) == (2, -1, bench.engine.head.timestamp - 10**6)
    past = encode_call(parse_signature("getRoundData(uint80)"), [1])
    assert decode(latest.output_types, bench.engine.call(feed, past))[1] == 110 * PRICE
    assert bench.refused(bench.alice, feed, "getRoundData(uint80)", 3) == "No data present"
    assert "not positive" in bench.refused(bench.alice, bench.exchange, BUY, ETH, CALL, 100 * UNIT)


def test_an_honest_exercise_loses_the_time_value_and_a_low_feed_pays(bench: Bench) -> None:
    at, alice = bench.exchange, bench.alice
    bench.done(alice, at, BUY, ETH, CALL, 12 * UNIT)
    bench.done(alice, at, EXERCISE, ETH, CALL)
    assert bench.number(at, "balanceOf(address)", alice.address) == 9_998 * UNIT
    bench.done(bench.reporter, bench.feeds[ETH], "push(int256)", 90 * PRICE)
    assert "above the maximum" in bench.refused(alice, at, BUY, ETH, CALL, 2 * UNIT - 1)
    bench.done(alice, at, BUY, ETH, CALL, 2 * UNIT)
    bench.done(alice, at, EXERCISE, ETH, CALL)
    assert bench.number(at, "balanceOf(address)", alice.address) == 10_006 * UNIT
    assert bench.number(at, "pool()") == 99_994 * UNIT
    assert bench.is_conserved()


def test_the_guardian_pauses_one_market_and_only_governance_opens_it(bench: Bench) -> None:
    at, guardian, governance, alice = bench.exchange, bench.guardian, bench.governance, bench.alice
    bench.done(alice, at, BUY, ETH, CALL, 12 * UNIT)
    assert "may only pause" in bench.refused(alice, at, PAUSE, ETH, True)
    assert "not listed" in bench.refused(guardian, at, PAUSE, b"X" * 32, True)
    assert "already" in bench.refused(governance, at, PAUSE, ETH, False)
    bench.done(guardian, at, PAUSE, ETH, True)
    assert bench.view(at, "marketPaused(bytes32) returns (bool)", ETH) is True
    assert bench.refused(alice, at, BUY, ETH, CALL, 12 * UNIT) == PAUSED
    assert bench.refused(alice, at, EXERCISE, ETH, CALL) == PAUSED
    bench.done(alice, at, BUY, BTC, CALL, 12 * UNIT)
    bench.done(alice, at, "withdraw(uint256)", UNIT)
    assert "already" in bench.refused(guardian, at, PAUSE, ETH, True)
    assert "may only pause" in bench.refused(guardian, at, PAUSE, ETH, False)
    bench.done(governance, at, PAUSE, ETH, False)
    bench.done(alice, at, EXERCISE, ETH, CALL)


@pytest.mark.parametrize(
    ("capacity", "period", "words"),
    [
        (CAPACITY, PERIOD, "already this"),
        (CAPACITY + 1, PERIOD, "may only tighten"),
        (CAPACITY, PERIOD - 1, "may only tighten"),
        (CAPACITY - 1, PERIOD // 2, "may only tighten"),
        (CAPACITY // 2, PERIOD // 2, ""),
        (CAPACITY, PERIOD + 1, ""),
        (CAPACITY - 1, PERIOD, ""),
        (0, PERIOD, ""),
        (1, 0, "period is zero"),
        (2**200, PERIOD, "out of range"),
    ],
)
def test_the_guardian_only_tightens_the_limit(bench: Bench, capacity: int, period: int, words: str) -> None:
    if words:
        assert words in bench.refused(bench.guardian, bench.exchange, LIMIT, capacity, period)
    else:
        bench.done(bench.guardian, bench.exchange, LIMIT, capacity, period)
        assert bench.number(bench.exchange, "withdrawalCapacity()") == capacity
        assert bench.number(bench.exchange, "withdrawalPeriod()") == period
        assert bench.number(bench.exchange, "withdrawalAvailable()") <= capacity


def test_only_governance_loosens_and_loosening_gives_nothing_at_once(bench: Bench) -> None:
    at = bench.exchange
    assert "neither" in bench.refused(bench.alice, at, LIMIT, 1, PERIOD)
    bench.done(bench.guardian, at, LIMIT, 0, PERIOD)
    assert "limit is reached" in bench.refused(bench.alice, at, "withdraw(uint256)", 1)
    bench.done(bench.governance, at, LIMIT, CAPACITY, PERIOD)
    assert bench.number(at, "withdrawalAvailable()") == 0
    bench.wait(PERIOD // 2)
    assert bench.number(at, "withdrawalAvailable()") == CAPACITY // 2
    bench.wait(PERIOD)
    assert bench.number(at, "withdrawalAvailable()") == CAPACITY


moves = st.lists(
    st.one_of(
        st.tuples(st.just("withdraw"), st.integers(0, 600 * UNIT), st.integers(1, 4_000)),
        st.tuples(st.just("limit"), st.integers(0, 1_500 * UNIT), st.integers(1, 8_000)),
    ),
    max_size=6,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=moves)
def test_the_bucket_is_a_token_bucket(bench: Bench, moves: list[tuple[str, int, int]]) -> None:
    mark, at = bench.engine.snapshot(), bench.exchange
    level, capacity, period, last = CAPACITY, CAPACITY, PERIOD, bench.engine.head.timestamp
    for kind, amount, number in moves:
        seconds = number if kind == "withdraw" else 12
        function, args = ("withdraw(uint256)", (amount,)) if kind == "withdraw" else (LIMIT, (amount, number))
        receipt = bench.do(
            bench.alice if kind == "withdraw" else bench.governance, at, function, *args, seconds=seconds
        )
        now = bench.engine.head.timestamp
        refilled = min(capacity, level + capacity * (now - last) // period)
        if kind == "withdraw":
            assert receipt.status == (amount <= refilled and amount <= 10_000 * UNIT)
        if receipt.status:
            level, last = (refilled - amount, now) if kind == "withdraw" else (min(refilled, amount), now)
            capacity, period = (capacity, period) if kind == "withdraw" else (amount, number)
        expected = min(capacity, level + capacity * (now - last) // period)
        assert bench.number(at, "withdrawalAvailable()") == expected <= capacity
    assert bench.is_conserved()
    bench.engine.revert(mark)


def test_a_shutdown_settles_everybody_at_the_frozen_references(bench: Bench) -> None:
    at, alice, bob = bench.exchange, bench.alice, bench.bob
    bench.done(alice, at, BUY, ETH, 3 * CALL + 1, 100 * UNIT)
    bench.done(bob, at, BUY, ETH, CALL + 1, 100 * UNIT)
    assert "neither" in bench.refused(alice, at, "shutdown()")
    assert "not shut down" in bench.refused(alice, at, "settle(bytes32)", ETH)
    bench.done(bench.guardian, at, "shutdown()")
    bench.done(bench.reporter, bench.references[ETH], "push(int256)", 500 * PRICE)
    assert bench.number(at, "settlementPrice(bytes32)", ETH) == 110 * PRICE
    assert bench.refused(alice, at, BUY, BTC, CALL, 100 * UNIT) == SHUT
    assert bench.refused(alice, at, EXERCISE, ETH, CALL) == SHUT
    assert "already" in bench.refused(bench.governance, at, "shutdown()")
    before = bench.number(at, "balanceOf(address)", alice.address)
    bench.done(alice, at, "settle(bytes32)", ETH)
    bench.done(bob, at, "settle(bytes32)", ETH)
    assert bench.number(at, "balanceOf(address)", alice.address) == before + (3 * CALL + 1) * 10
    assert "no position" in bench.refused(alice, at, "settle(bytes32)", ETH)
    assert bench.number(at, "settlementOwed()") == 0
    bench.done(alice, at, "withdraw(uint256)", UNIT)
    assert "limit is reached" in bench.refused(alice, at, "withdraw(uint256)", CAPACITY + 1)
    assert bench.is_conserved()


def test_liquidity_may_not_leave_before_the_settlements(bench: Bench) -> None:
    provider = account(1, "deployer")
    shares = bench.number(bench.exchange, "sharesOf(address)", provider.address)
    bench.done(bench.alice, bench.exchange, BUY, ETH, CALL, 100 * UNIT)
    bench.done(bench.guardian, bench.exchange, "shutdown()")
    assert "owes settlements" in bench.refused(provider, bench.exchange, "redeem(uint256)", shares)
    bench.done(bench.alice, bench.exchange, "settle(bytes32)", ETH)
    bench.done(provider, bench.exchange, "redeem(uint256)", shares)
    assert bench.number(bench.exchange, "pool()") == 0
    assert bench.is_conserved()


def test_a_dead_reference_does_not_stop_a_shutdown(bench: Bench) -> None:
    bench.done(bench.reporter, bench.references[ETH], "push(int256)", 0)
    bench.done(bench.reporter, bench.references[BTC], "push(int256)", -5)
    bench.done(bench.reporter, bench.feeds[BTC], "push(int256)", -5)
    bench.done(bench.guardian, bench.exchange, "shutdown()")
    assert bench.number(bench.exchange, "settlementPrice(bytes32)", ETH) == 110 * PRICE
    assert bench.number(bench.exchange, "settlementPrice(bytes32)", BTC) == 0


def test_a_pool_that_cannot_pay_refuses(bench: Bench) -> None:
    bench.done(bench.alice, bench.exchange, BUY, ETH, 100 * CALL, 10_000 * UNIT)
    bench.done(bench.reporter, bench.references[ETH], "push(int256)", 10_000 * PRICE)
    assert "pool cannot pay" in bench.refused(bench.alice, bench.exchange, EXERCISE, ETH, 100 * CALL)


def test_only_governance_names_the_guardian(bench: Bench) -> None:
    at, alice = bench.exchange, bench.alice
    assert "only governance" in bench.refused(bench.guardian, at, "setGuardian(address)", alice.address)
    bench.done(bench.governance, at, "setGuardian(address)", alice.address)
    assert "may only pause" in bench.refused(bench.guardian, at, PAUSE, ETH, True)
    bench.done(alice, at, PAUSE, ETH, True)


def test_the_timelock_hashes_waits_executes_and_cancels(bench: Bench) -> None:
    lock, proposer, salt = bench.timelock, bench.governance, b"s" * 32
    data = encode_call(parse_signature("transfer(address,uint256)"), [bench.alice.address, 0])
    operation = (bench.token, 0, data, bytes(32), salt)
    kinds = ["address", "uint256", "bytes", "bytes32", "bytes32"]
    hashed, state = keccak(encode(kinds, operation)), "getOperationState(bytes32)"
    assert bench.view(lock, f"hashOperation({','.join(kinds)}) returns (bytes32)", *operation) == hashed
    schedule, execute = f"schedule({','.join(kinds)},uint256)", f"execute({','.join(kinds)})"
    assert "only a proposer" in bench.refused(bench.guardian, lock, schedule, *operation, 3_600)
    assert "too short" in bench.refused(proposer, lock, schedule, *operation, 3_599)
    bench.done(proposer, lock, schedule, *operation, 3_600)
    assert bench.number(lock, state, hashed) == 1
    assert "not ready" in bench.refused(bench.alice, lock, execute, *operation)
    bench.wait(3_599)
    assert bench.number(lock, state, hashed) == 1
    bench.wait(1)
    assert bench.number(lock, state, hashed) == 2
    bench.done(bench.alice, lock, execute, *operation)
    assert bench.number(lock, state, hashed) == 3
    assert bench.number(lock, "getTimestamp(bytes32)", hashed) == 1
    assert "already scheduled" in bench.refused(proposer, lock, schedule, *operation, 3_600)
    assert "not pending" in bench.refused(proposer, lock, "cancel(bytes32)", hashed)


def test_the_timelock_shows_its_roles_as_openzeppelin_does(bench: Bench) -> None:
    lock, has = bench.timelock, "hasRole(bytes32,address) returns (bool)"
    roles = {name: keccak(name.encode()) for name in ("PROPOSER_ROLE", "CANCELLER_ROLE", "EXECUTOR_ROLE")}
    for name, role in roles.items():
        assert bench.view(lock, f"{name}() returns (bytes32)") == role
    proposers, council = (bench.governance.address, bench.bob.address), bench.guardian.address
    assert all(bench.view(lock, has, roles["PROPOSER_ROLE"], one) for one in proposers)
    assert all(bench.view(lock, has, roles["CANCELLER_ROLE"], one) for one in (*proposers, council))
    assert not bench.view(lock, has, roles["PROPOSER_ROLE"], council)
    assert not bench.view(lock, has, roles["CANCELLER_ROLE"], bench.alice.address)
    assert bench.view(lock, has, roles["EXECUTOR_ROLE"], ZERO)


def test_a_cancelled_operation_is_unset_and_a_failing_one_stays_ready(bench: Bench) -> None:
    lock, proposer = bench.timelock, bench.governance
    kinds = ["address", "uint256", "bytes", "bytes32", "bytes32"]
    schedule, execute = f"schedule({','.join(kinds)},uint256)", f"execute({','.join(kinds)})"
    operation = (bench.exchange, 0, parse_signature("shutdown()").selector, bytes(32), bytes(32))
    hashed = keccak(encode(kinds, operation))
    bench.done(proposer, lock, schedule, *operation, 3_600)
    assert "only a canceller" in bench.refused(bench.alice, lock, "cancel(bytes32)", hashed)
    bench.done(bench.guardian, lock, "cancel(bytes32)", hashed)
    assert bench.number(lock, "getOperationState(bytes32)", hashed) == 0
    bench.done(proposer, lock, schedule, *operation, 3_600)
    bench.wait(3_600)
    assert "neither guardian" in bench.refused(bench.alice, lock, execute, *operation)
    assert bench.do(bench.alice, lock, execute, *operation).status == 0
    assert bench.number(lock, "getOperationState(bytes32)", hashed) == 2
    assert bench.view(lock, "proposer() returns (address)") == proposer.address != ZERO
