"""The ladder of simulation on a real node: contracts that really do the bad thing, and every rung by itself."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import pytest

from incident_cli.abi import encode_call, parse_signature
from incident_cli.chain.batch import head
from incident_cli.chain.multicall import MULTICALL3
from incident_cli.chain.simulate import SNAPSHOT, THROUGH_HANDLER, TRACE, V1, Simulation, Trial, simulate
from incident_cli.chain.undeclared import undeclared
from incident_cli.evm import Address, Block, Call, Missing, Read
from incident_cli.transport import Endpoint, Json, Request, RpcError
from tests.contracts.misbehaviour import BOMB, PROXY, UPGRADE, Council, compiled, found_council, known
from tests.contracts.packages import Packages
from tests.fakes.anvil import Anvil

RECEIVER = Address("0x000000000000000000000000000000000000bEEF")
PAUSE = "pause()"


@pytest.fixture(scope="module", params=["1.3.0", "1.4.1", "1.5.0"])
def founded(packages: Packages, request: pytest.FixtureRequest) -> Iterator[Council]:
    """One Safe of each version."""
    with Anvil(packages.anvil) as anvil:
        yield found_council(anvil, request.param)


@pytest.fixture
def council(founded: Council) -> Iterator[Council]:
    """The Safe as it was founded, for this test alone."""
    before = founded.anvil.snapshot()
    yield founded
    founded.anvil.revert(before)


class Without:
    """The node without these methods; it counts its exchanges."""

    name = "a lesser node"

    def __init__(self, council: Council, *missing: str) -> None:
        self.node, self.missing = council.anvil.endpoint(), missing
        self.exchanges: list[list[str]] = []

    def exchange(self, requests: Sequence[Request]) -> list[Json | RpcError]:
        self.exchanges.append([one.method for one in requests])
        found = self.node.exchange(requests)
        gone = RpcError(-32601, "the method does not exist")
        return [gone if one.method in self.missing else two for one, two in zip(requests, found, strict=True)]


def ran(
    council: Council,
    *calls: Call,
    endpoint: Endpoint | None = None,
    reads: Sequence[Read] | None = None,
    at: Block | None = None,
    trial: Trial | None = None,
) -> Simulation:
    """The calls simulated, on the whole node unless another is given."""
    node = endpoint or council.anvil.endpoint()
    asked = [council.paused] if reads is None else reads
    return simulate(node, "real", council.safe, calls, asked, at, trial or council.trial(*calls))


def problems(council: Council, found: Simulation, allowed: Collection[Address] = ()) -> tuple[str, ...]:
    """What a passed simulation changed beyond the target's storage."""
    assert (found.state, found.reason) == ("passed", "")
    written = allowed or (council.target,)
    return undeclared(known(found.diff), allowed=written, safe=council.safe, sender=council.owners[0])


def test_an_honest_pause_passes_in_one_exchange_and_changes_nothing_else(council: Council) -> None:
    node, before = Without(council), head(council.anvil.endpoint(), "real")
    found = ran(council, council.call(PAUSE), endpoint=node)
    assert len(node.exchanges) == 1
    assert (found.state, found.method, found.not_exercised) == ("passed", V1, ("signatures",))
    assert (found.before, found.after) == ({council.paused: (False,)}, {council.paused: (True,)})
    assert found.block == before == head(council.anvil.endpoint(), "real")
    first, second = council.owners[:2]
    assert found.overridden == (f"approval of {second} taken as given", f"signature of {first} pre-validated")
    assert problems(council, found) == ()
    assert set(known(found.diff).accounts) == {council.target, council.safe, first}


def test_what_is_found_is_what_an_execution_then_does(council: Council) -> None:
    trial = council.trial(council.call(PAUSE))
    found = ran(council, council.call(PAUSE), trial=trial)
    council.anvil.transact(
        council.owners[1], council.safe, "approveHash(bytes32 hash)", bytes.fromhex(trial.safe_tx_hash[2:])
    )
    council.anvil.send(council.owners[0], council.safe, trial.calldata)
    assert council.anvil.view(council.target, "paused() returns (bool)") == found.after[council.paused]


def test_a_batch_of_calls_builds_on_each_other(council: Council) -> None:
    elsewhere = Call(council.other, parse_signature(PAUSE))
    found = ran(council, council.call(PAUSE), elsewhere)
    assert (found.method, found.after) == (V1, {council.paused: (True,)})
    assert problems(council, found, (council.target, council.other)) == ()
    assert len(problems(council, found)) == 1


def test_at_a_past_block_it_shows_that_block(council: Council) -> None:
    past = head(council.anvil.endpoint(), "real")
    council.anvil.transact(council.owners[0], council.target, PAUSE)
    node = Without(council)
    trial = council.trial(council.call(PAUSE))
    found = ran(council, council.call(PAUSE), at=past, endpoint=node, trial=trial)
    assert (found.before, found.block, len(node.exchanges)) == ({council.paused: (False,)}, past, 1)
    assert ran(council, council.call(PAUSE)).before == {council.paused: (True,)}


@pytest.mark.parametrize(("afterwards", "says"), [(False, "not through this guard"), (True, "not past this guard")])
def test_a_guard_that_blocks_is_seen_where_multicall_would_pass(council: Council, afterwards: bool, says: str) -> None:
    council.guarded(afterwards=afterwards)
    for node, method in ((Without(council), V1), (Without(council, "eth_simulateV1"), TRACE)):
        found = ran(council, council.call(PAUSE), endpoint=node)
        assert (found.state, found.method) == ("failed", method)
        assert says in found.reason and "without its guard, they succeed" in found.reason
        assert isinstance(found.diff, Missing) and isinstance(found.after[council.paused], Missing)
    found = ran(council, council.call(PAUSE), endpoint=Without(council, "eth_simulateV1", "debug_traceCall"))
    assert (found.state, found.method) == ("passed", THROUGH_HANDLER)
    assert found.not_exercised == ("guards", "signatures", "state changes")


@pytest.mark.parametrize("missing", [(), ("eth_simulateV1",)])
def test_a_call_that_reverts_fails_with_its_own_reason_and_is_named(council: Council, missing: tuple[str, ...]) -> None:
    found = ran(
        council,
        council.call(PAUSE),
        council.call("refuse(string reason)", "no \x1b[31mway GS026"),
        endpoint=Without(council, *missing),
    )
    assert found.state == "failed"
    assert "call 2 of 2 (refuse on" in found.reason and "no <U+001B>[31mway GS026" in found.reason
    assert "is not an owner's" not in found.reason, "a target's own words are not the Safe's"
    assert ("GS013 (the Safe's call fails)" in found.reason) is (council.version != "1.5.0")
    assert isinstance(found.after[council.paused], Missing)


def test_a_write_to_another_contract_is_undeclared(council: Council) -> None:
    found = ran(council, council.call("pause_elsewhere(address other)", council.other))
    (said,) = problems(council, found)
    assert said.startswith(f"the storage of {council.other}, which the calls do not declare to write, changes at 0x")
    assert problems(council, found, (council.target, council.other)) == ()


def test_money_that_moves_is_undeclared(council: Council) -> None:
    found = ran(council, council.call("pause_and_pay(address receiver, uint256 amount)", RECEIVER, 7))
    assert sorted(problems(council, found)) == [
        f"the balance of {RECEIVER} grows by 7 wei that the calls do not declare",
        f"the balance of {council.target} falls by 7 wei that the calls do not declare",
    ]
    found = ran(council, council.call("pause_and_pay(address receiver, uint256 amount)", council.owners[0], 7))
    assert any(council.owners[0] in one and "grows by 7" in one for one in problems(council, found))


def test_value_that_is_declared_is_no_problem_and_another_amount_is(council: Council) -> None:
    found = ran(council, council.call("pause_for_a_fee()", value=5))
    arguments = {"allowed": [council.target], "safe": council.safe, "sender": council.owners[0]}
    assert (found.state, found.method) == ("passed", V1)
    diff = known(found.diff)
    assert undeclared(diff, **arguments, values={council.target: 5}) == ()  # type: ignore[arg-type]
    assert len(undeclared(diff, **arguments, values={council.target: 6})) == 2  # type: ignore[arg-type]
    assert len(undeclared(diff, **arguments)) == 2  # type: ignore[arg-type]


def test_a_changed_implementation_is_undeclared_even_at_an_allowed_address(council: Council) -> None:
    found = ran(council, Call(PROXY, UPGRADE, (council.other,)))
    (said,) = problems(council, found, (PROXY,))
    assert said == f"the proxy's implementation of {PROXY} changes from 0 to {council.other}"


def test_a_created_and_a_destroyed_contract_are_undeclared(council: Council) -> None:
    found = ran(council, council.call("pause_and_create()"))
    assert any(one.startswith("the code of ") for one in problems(council, found))
    found = ran(council, Call(BOMB, parse_signature(PAUSE)))
    assert any(BOMB in one for one in problems(council, found, (BOMB,)))


@pytest.mark.parametrize(
    ("command", "what"),
    [
        ("changeThreshold(uint256 threshold)", "the threshold"),
        ("addOwnerWithThreshold(address owner, uint256 threshold)", "the list of owners"),
        ("enableModule(address module)", "the list of modules"),
        ("setFallbackHandler(address handler)", "the fallback handler"),
        ("setGuard(address guard)", "the guard"),
    ],
)
@pytest.mark.parametrize("missing", [(), ("eth_simulateV1",)])
def test_a_module_that_changes_the_safe_is_undeclared(
    council: Council, command: str, what: str, missing: tuple[str, ...]
) -> None:
    council.as_safe("enableModule(address module)", council.target)
    guard = council.anvil.deploy(compiled("blocking_guard"), ["bool"], [False])
    address = guard if what == "the guard" else RECEIVER
    signature = parse_signature(command)
    values = [1 if one.type == "uint256" else address for one in signature.inputs]
    data = encode_call(signature, values)
    call = council.call("pause_and_command(address safe, bytes data)", council.safe, data)
    found = ran(council, call, endpoint=Without(council, *missing))
    said = problems(council, found)
    assert any(one.startswith(f"{what} of the Safe {council.safe} changes from") for one in said), said
    assert len(said) >= (3 if what == "the list of owners" else 1)


def test_a_call_to_no_code_is_no_success(council: Council) -> None:
    found = ran(council, Call(RECEIVER, parse_signature(PAUSE)))
    assert (found.state, found.method, "without code" in found.reason) == ("failed", V1, True)


def test_with_the_threshold_overridden_its_reads_are_not_answered(council: Council) -> None:
    call = council.call(PAUSE)
    for missing in ((), ("eth_simulateV1",)):
        node = Without(council, *missing)
        reads = [council.threshold, council.paused]
        found = ran(council, call, trial=council.lone_trial(call), reads=reads, endpoint=node)
        assert (found.state, found.not_exercised) == ("passed", ("signatures", "threshold"))
        assert found.overridden[0] == "threshold set to 1"
        assert isinstance(found.after[council.threshold], Missing)
        assert found.after[council.paused] == (True,)
        assert problems(council, found) == ()
    found = ran(council, call, reads=[council.threshold])
    assert found.after == {council.threshold: (2,)}


def test_a_node_without_a_tracer_says_that_state_changes_are_unknown(council: Council) -> None:
    node = Without(council, "debug_traceCall")
    found = ran(council, council.call(PAUSE), endpoint=node)
    assert (found.state, found.method, len(node.exchanges)) == ("passed", V1, 1)
    assert found.not_exercised == ("signatures", "state changes")
    assert isinstance(found.diff, Missing)


def test_a_node_that_only_traces_shows_the_same(council: Council) -> None:
    best, found = (
        ran(council, council.call(PAUSE), endpoint=Without(council, *missing)) for missing in ((), ("eth_simulateV1",))
    )
    assert (found.state, found.method, found.not_exercised) == ("passed", TRACE, ("signatures",))
    assert (found.before, found.after, found.block) == (best.before, best.after, best.block)
    assert (found.diff, found.overridden) == (best.diff, best.overridden)


def test_a_node_that_neither_simulates_nor_traces_costs_two_exchanges(council: Council) -> None:
    node = Without(council, "eth_simulateV1", "debug_traceCall")
    found = ran(council, council.call(PAUSE), endpoint=node)
    assert (found.state, found.method, len(node.exchanges)) == ("passed", THROUGH_HANDLER, 2)
    assert not [one for batch in node.exchanges for one in batch if one.startswith(("evm_", "hardhat_"))]


def test_multicall3_is_lent_where_there_is_none(council: Council) -> None:
    council.anvil.set_code(MULTICALL3, b"")
    found = ran(council, council.call(PAUSE))
    assert (found.state, found.method, found.after) == ("passed", V1, {council.paused: (True,)})
    assert "Multicall3's code lent" in found.overridden
    assert problems(council, found) == ()


def state(council: Council) -> tuple[object, ...]:
    """What a snapshot must bring back."""
    anvil = council.anvil
    balance = anvil.rpc("eth_getBalance", council.owners[0], "latest")
    views = [anvil.view(council.safe, f"{name}() returns (uint256)") for name in ("nonce", "getThreshold")]
    return (head(anvil.endpoint(), "real"), balance, views, anvil.view(council.target, "paused() returns (bool)"))


def last_resort(council: Council, *more: str) -> Without:
    return Without(council, "eth_simulateV1", "debug_traceCall", *more)


def test_a_development_chain_executes_and_returns(council: Council) -> None:
    call, before = council.call("pause_for_a_fee()", value=5), state(council)
    found = ran(council, call, endpoint=last_resort(council), reads=[council.paused, council.threshold])
    assert (found.state, found.method, found.not_exercised) == ("passed", SNAPSHOT, ("signatures",))
    assert found.before == {council.paused: (False,), council.threshold: (2,)}
    assert found.after == {council.paused: (True,), council.threshold: (2,)}
    values = {council.target: 5}
    said = undeclared(
        known(found.diff), allowed=[council.target], safe=council.safe, sender=council.owners[0], values=values
    )
    assert said == ()
    assert state(council) == before


def test_a_development_chain_returns_after_a_failure_too(council: Council) -> None:
    before = state(council)
    council.guarded()
    guarded = state(council)
    found = ran(council, council.call("pause_for_a_fee()", value=5), endpoint=last_resort(council))
    assert (found.state, found.method, "not through this guard" in found.reason) == ("failed", SNAPSHOT, True)
    assert state(council) == guarded != before
    for broken in ("eth_sendTransaction", "hardhat_impersonateAccount", "eth_getTransactionReceipt"):
        found = ran(council, council.call("pause_for_a_fee()", value=5), endpoint=last_resort(council, broken))
        assert found.state != "passed"
        assert state(council) == guarded


def test_a_development_chain_that_mines_later_is_never_written_to(council: Council) -> None:
    council.anvil.rpc("evm_setAutomine", False)
    try:
        node, before = last_resort(council), state(council)
        found = ran(council, council.call("pause_for_a_fee()", value=5), endpoint=node)
    finally:
        council.anvil.rpc("evm_setAutomine", True)
    assert (found.state, "does not mine at once" in found.reason) == ("not-simulated", True)
    council.anvil.mine()
    assert state(council)[1:] == before[1:], "nothing was left waiting"


def test_a_node_that_is_no_development_chain_is_never_written_to(council: Council) -> None:
    node = last_resort(council, "hardhat_metadata", "anvil_nodeInfo")
    found = ran(council, council.call("pause_for_a_fee()", value=5), endpoint=node)
    assert (found.state, "no development chain" in found.reason) == ("not-simulated", True)
    writing = ("evm_", "hardhat_set", "hardhat_imp", "eth_send")
    assert not [one for batch in node.exchanges for one in batch if one.startswith(writing)]


def test_a_development_chain_that_does_not_return_is_said_so(council: Council) -> None:
    node = last_resort(council, "evm_revert")  # the node reverts, but its answer is lost
    found = ran(council, council.call("pause_for_a_fee()", value=5), endpoint=node)
    assert (found.state, "NOT as before" in found.reason) == ("not-simulated", True)
