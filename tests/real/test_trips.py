"""How many round trips a proposal takes: counted in HTTP requests to a real node, not in time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from incident_cli.abi import parse_signature
from incident_cli.chain.nodes import ChainNodes
from incident_cli.chain.simulate import V1
from incident_cli.errors import Refused
from incident_cli.flows.aiming import pulls, wanted_of
from incident_cli.flows.desk import Prompt
from incident_cli.flows.preparing import Drafted, draft
from incident_cli.flows.reading import Reader
from incident_cli.flows.session import Session
from incident_cli.runbook.model import ContainStep
from incident_cli.safe.contracts import GET_TRANSACTION_HASH
from incident_cli.transport import Json, Request, RpcError
from tests.contracts.packages import Packages
from tests.fakes.desk import Scripted
from tests.fakes.relay import Relay, in_a_row
from tests.real.containing import Site, as_founded, founded, let_go, waits
from tests.real.test_contain_proxies import by_beacon, pinned

HASH = parse_signature(GET_TRANSACTION_HASH)
LOOK = {"eth_call", "eth_getBlockByNumber"}
PINS = {"eth_getCode", "eth_getStorageAt"}
TRIAL = {"eth_call", "eth_getCode", "eth_simulateV1", "debug_traceCall", "eth_getBlockByNumber"}
TOKENS = 'tokens: {{COIN: {{chain: local, address: "{at}", decimals: 6}}}}\n'


@pytest.fixture(scope="module")
def built(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The chain, built once."""
    with founded(packages, tmp_path_factory.mktemp("built")) as found:
        yield found


@pytest.fixture
def site(built: Site, tmp_path: Path) -> Iterator[Site]:
    """The chain as it was built, and an empty place, for this test alone."""
    with as_founded(built, tmp_path) as found:
        yield found


def proposed(site: Site, *refuses: str) -> tuple[list[set[str]], list[set[str]]]:
    """The methods of each round trip from the order to the question for the phrase, and from there to the file."""
    asked: list[int] = []

    def typed(prompt: Prompt) -> str:
        asked.append(len(relay.trips))
        return prompt.phrase

    session = site.begin(answerer=Scripted({"contain": [typed]}))
    with Relay(site.anvil.endpoint(), frozenset(refuses)) as relay:
        session.reader.endpoint = relay.endpoint(read_seconds=20)
        waits(session)
    trips = [set(one) - {"eth_chainId"} for one in relay.trips]
    return trips[: asked[0]], trips[asked[0] :]


def test_planned_and_simulated_in_two_and_looked_at_again_in_two(site: Site) -> None:
    before, after = proposed(site)
    assert before == [LOOK, TRIAL]
    assert after[:2] == [LOOK, TRIAL]
    assert len(after) == 3  # the delivery's own look at the Safe's nonce


def test_pins_and_tokens_cost_no_more(site: Site) -> None:
    site = pinned(replace(site, extra=TOKENS.format(at=site.other)))
    before, after = proposed(site)
    assert (before, after[:2]) == ([LOOK | PINS, TRIAL], [LOOK | PINS, TRIAL])


def test_what_a_beacon_runs_rides_with_the_simulation(site: Site, packages: Packages) -> None:
    before, after = proposed(by_beacon(site, packages).site)
    assert (len(before), len(after)) == (2, 3)


@pytest.mark.parametrize(
    ("refuses", "trips"),
    [
        (("eth_simulateV1",), 5),  # the look, the refusal, the head, the trace at it, the reads in the Safe's place
        (("eth_simulateV1", "debug_traceCall"), 3),  # the look, the refusal, the calls in the Safe's place
    ],
)
def test_a_node_that_cannot_simulate_takes_more(site: Site, refuses: tuple[str, ...], trips: int) -> None:
    before, _ = proposed(site, *refuses)
    assert len(before) == trips


def test_where_two_nodes_must_agree_they_are_asked_while_one_simulates(site: Site) -> None:
    """Three in a row: how far each has come, the look at one block, then the simulation beside the Safe's own hash."""
    session = let_go(site.begin())
    step, chain = contain_step(session), session.reader.chain
    with Relay(site.anvil.endpoint(), latency=0.2) as one, Relay(site.anvil.endpoint(), latency=0.2) as other:
        nodes = [relay.endpoint(name, read_seconds=20) for name, relay in {"one": one, "other": other}.items()]
        session.reader = Reader(ChainNodes(nodes, chain, site.anvil.chain_id, quorum=2), chain, site.anvil.chain_id)
        wanted = wanted_of(session, step, pulls(session, step), None)
        made = draft(session.reader, (), wanted)
    assert (made.proposal.simulation.method, made.objections) == (V1, ())
    assert in_a_row([one, other]) == 3
    assert ["eth_getCode" in trip for trip in other.trips] == [False, False, True]


def test_nodes_that_say_another_hash_than_the_one_that_simulates_are_believed_and_the_proposal_is_refused(
    site: Site,
) -> None:
    session = let_go(site.begin())
    step, chain = contain_step(session), session.reader.chain

    with Relay(site.anvil.endpoint()) as one, Relay(site.anvil.endpoint()) as other:
        for relay in (one, other):
            forging(relay)
        nodes = [relay.endpoint(name, read_seconds=20) for name, relay in {"one": one, "other": other}.items()]
        session.reader = Reader(ChainNodes(nodes, chain, site.anvil.chain_id, quorum=2), chain, site.anvil.chain_id)
        wanted = wanted_of(session, step, pulls(session, step), None)
        with pytest.raises(Refused, match="the safeTxHash is disputed"):
            draft(session.reader, (), wanted)


def test_a_safe_that_says_another_hash_in_the_same_exchange_is_refused(site: Site) -> None:
    session = let_go(site.begin())
    step = contain_step(session)
    with Relay(site.anvil.endpoint()) as relay:
        forging(relay)
        session.reader.endpoint = relay.endpoint(read_seconds=20)
        wanted = wanted_of(session, step, pulls(session, step), None)
        with pytest.raises(Refused, match="the safeTxHash is disputed"):
            draft(session.reader, (), wanted)
    assert len(relay.trips) == 2


def forging(relay: Relay) -> None:
    """From here on the Safe says another hash."""
    honest = relay.answer
    relay.answer = lambda request: forged(honest(request)) if asks_for_hash(request) else honest(request)


def asks_for_hash(request: Request) -> bool:
    """Whether a round asks the Safe for its hash of a transaction."""
    call = request.params[0] if request.params else None
    return request.method == "eth_call" and isinstance(call, dict) and HASH.selector.hex() in str(call["data"])


def forged(answer: Json | RpcError) -> Json | RpcError:
    """The answer with its last bits the other way round: they belong to the hash, which is asked last."""
    assert isinstance(answer, str), "a round was answered"
    return answer[:-1] + ("0" if answer[-1] != "0" else "1")


# the nonce that was chosen


def contain_step(session: Session) -> ContainStep:
    """The one step that contains."""
    return next(one for one in session.bound.runbook.steps if isinstance(one, ContainStep))


def drafted(site: Site, nonce: int, *refuses: str) -> Drafted:
    """The proposal of the step at a nonce."""
    session = let_go(site.begin())
    step = contain_step(session)
    with Relay(site.anvil.endpoint(), frozenset(refuses)) as relay:
        session.reader.endpoint = relay.endpoint(read_seconds=20)
        wanted = replace(wanted_of(session, step, pulls(session, step), None), nonce=nonce)
        return draft(session.reader, session.bound.deployment.pins, wanted)


@pytest.mark.parametrize("refuses", [(), ("eth_simulateV1",)])
def test_a_later_nonce_is_simulated_as_if_those_before_it_were_spent(site: Site, refuses: tuple[str, ...]) -> None:
    made = drafted(site, 3, *refuses)
    assert (made.proposal.tx.nonce, made.proposal.safe.nonce, made.objections) == (3, 0, ())
    simulation = made.proposal.simulation
    assert simulation.state == "passed"
    assert "the Safe's nonce taken as 3, what comes before not executed" in simulation.overridden
    assert "nonce" not in simulation.not_exercised


def test_where_nothing_can_be_overridden_the_nonce_is_said_not_to_be_exercised(site: Site) -> None:
    simulation = drafted(site, 3, "eth_simulateV1", "debug_traceCall").proposal.simulation
    assert simulation.state == "passed"
    assert "nonce" in simulation.not_exercised and not simulation.overridden


def test_the_nonce_on_chain_is_taken_as_it_is(site: Site) -> None:
    simulation = drafted(site, 0).proposal.simulation
    assert not any("nonce" in one for one in simulation.overridden)


@pytest.mark.parametrize(("nonce", "words"), [(52, "nonce-far"), (0, "nonce-stale")])
def test_a_nonce_that_can_never_execute_or_is_no_plan_is_refused(site: Site, nonce: int, words: str) -> None:
    site.council.execute(site.call("set_limit(uint256 limit)", 9))
    with pytest.raises(Refused, match=words):
        drafted(site, nonce)
