"""Judging: the journal first, then the chain's own past; unknown beyond. Depth, age, second rounds, other chains."""

from __future__ import annotations

from dataclasses import replace

from incident_cli.chain.nodes import ChainNodes
from incident_cli.checks.check import Samples, Verdict
from incident_cli.drills.live_world import LiveWorld
from incident_cli.drills.setting import deployment_text
from incident_cli.drills.world import CHAIN_ID
from incident_cli.flows.judging import Bench, Judged, points_of
from incident_cli.flows.reading import Reader
from incident_cli.incident.events import Event
from incident_cli.units import Span
from tests.flows.bench import Watched, bench, bound, recorded, world


def test_what_has_held_for_long_fires_at_once() -> None:
    live = world("oracle-divergence", 12)
    node = Watched(live)
    found = bench(node, bound(live, "oracle-divergence")).judge(["divergence"], ()).findings[0]
    head = live.world.engine.head
    assert (found.verdict, found.since, found.since_block) == (Verdict.FIRING, head.timestamp - 36, head.number - 3)


def test_what_began_just_now_is_pending_with_its_beginning() -> None:
    live = world("oracle-divergence", 5)
    judged = bench(Watched(live), bound(live, "oracle-divergence")).judge(["divergence"], ())
    found, fault = judged.findings[0], live.world.first_block.number + 4
    assert (found.verdict, found.since_block, judged.unproven) == (Verdict.PENDING, fault, {})


def test_quiet_costs_one_exchange() -> None:
    live = world("oracle-divergence", 2)
    node = Watched(live)
    judged = bench(node, bound(live, "oracle-divergence")).judge(["divergence"], ())
    assert (judged.findings[0].verdict, node.exchanges) == (Verdict.QUIET, 1)


def test_the_past_is_not_asked_for_where_the_journal_covers_it() -> None:
    live = world("oracle-divergence", 2)
    node = Watched(live)
    events: list[Event] = []
    judge = bench(node, bound(live, "oracle-divergence"))
    verdicts = []
    for seq in range(6):
        judged = judge.judge(["divergence"], events)
        verdicts.append(judged.findings[0].verdict.value)
        events.append(recorded(judged, seq))
        live.advance(12)
    assert verdicts == ["quiet", "quiet", "pending", "pending", "pending", "firing"]
    assert [one.method for one in node.asked].count("eth_call") == 6  # the run's headers are held against the chain


def test_a_past_that_cannot_be_read_is_pending_and_said_to_be_unproven() -> None:
    live = world("oracle-divergence", 12)
    judged = bench(Watched(live, forgetful=True), bound(live, "oracle-divergence")).judge(["divergence"], ())
    assert judged.findings[0].verdict is Verdict.PENDING
    assert "archive" in judged.unproven["divergence"]


def test_a_window_is_taken_from_the_journal_where_the_node_has_forgotten() -> None:
    live = world("liquidity-drain", 1)
    node = Watched(live)
    events: list[Event] = []
    params = {"drain_window": "2m"}
    judge = bench(node, bound(live, "liquidity-drain", params))
    for seq in range(14):
        events.append(recorded(judge.judge(["drain"], events), seq))
        live.advance(12)
    node.forgetful = True
    alone = bench(node, bound(live, "liquidity-drain", params)).judge(["drain"], ()).findings[0]
    with_journal = judge.judge(["drain"], events).findings[0]
    assert alone.verdict in (Verdict.UNKNOWN, Verdict.FIRING, Verdict.PENDING)
    assert alone.reading.value is None or alone.reading.value <= (with_journal.reading.value or 0)
    assert with_journal.verdict is Verdict.FIRING
    node.forgetful = False
    honest = bench(node, bound(live, "liquidity-drain", params)).judge(["drain"], ()).findings[0]
    assert with_journal.reading.value == honest.reading.value


def test_depth_judges_below_the_head() -> None:
    live = world("oracle-divergence", 5)
    to = bound(live, "oracle-divergence")
    judge = bench(Watched(live), to)
    deep = replace(judge.checks["divergence"], check=replace(judge.checks["divergence"].check, depth=3))
    judge = replace(judge, checks={"divergence": deep})
    judged = judge.judge(["divergence"], ())
    assert judged.findings[0].verdict is Verdict.QUIET
    assert judged.findings[0].block.number == live.world.engine.head.number - 3


def test_an_old_head_is_unknown_whatever_it_shows() -> None:
    live = world("oracle-divergence", 12)
    judged = bench(Watched(live), bound(live, "oracle-divergence"), age=301).judge(["divergence"], ())
    assert judged.findings[0].verdict is Verdict.UNKNOWN
    assert "old" in judged.findings[0].reading.reason


def test_a_second_round_is_read_at_the_block_of_the_first() -> None:
    live = world("compromised-key", 6)
    node = Watched(live)
    judged = bench(node, bound(live, "compromised-key")).judge(["hostile"], ())
    found = judged.findings[0]
    assert (found.verdict, found.reading.found[0].name) == (Verdict.FIRING, "operation_id")
    assert found.block == live.world.engine.head


def test_a_source_on_another_chain_is_read_at_that_chains_block() -> None:
    live, other = world("oracle-divergence", 2), world("oracle-divergence", 9)
    far = other.world.addresses.references["ETH-USD"]
    text = deployment_text(live.world).replace(
        "chains: {drill:", f'chains: {{far: {{id: {CHAIN_ID}, rpc: [{{url: "http://127.0.0.1/"}}]}}, drill:'
    )
    own = live.world.addresses.references["ETH-USD"]
    text = text.replace(
        f'reference: {{chain: drill, protocol: chainlink-feed, addresses: {{feed: "{own}"}}}}',
        f'reference: {{chain: far, addresses: {{feed: "{far}"}}}}',
        1,
    )
    to = bound(live, "oracle-divergence", text=text)
    assert to.chain == "drill"
    others = {"far": ChainNodes([Watched(other)], "far", CHAIN_ID)}
    judged = bench(Watched(live), to, others=others).judge(["divergence"], ())
    block = judged.snapshot.others["far"]
    assert (block.number, judged.findings[0].verdict) == (other.world.engine.head.number, Verdict.QUIET)
    stale = replace(
        bench(Watched(live), to, others=others), age=lambda block: 301 if block and block.chain == "far" else 0
    )
    old = stale.judge(["divergence"], ()).findings[0]
    assert (old.verdict, "newest block of far" in old.reading.reason) == (Verdict.UNKNOWN, True)
    silent = bench(Watched(live), to).judge(["divergence"], ()).findings[0]
    assert silent.verdict is Verdict.UNKNOWN


def test_the_points_of_the_past() -> None:
    live = world("oracle-divergence", 1)
    check = bound(live, "oracle-divergence").checks["divergence"]
    assert points_of(check, ()) == [Span(seconds=12), Span(seconds=24), Span(seconds=36)]
    drain = bound(live, "liquidity-drain")
    before = [Span(blocks=1)]
    assert points_of(drain.checks["drain"], before) == before
    long = replace(check, for_=Span(blocks=480))
    assert points_of(long, ())[0] == Span(blocks=30) and points_of(long, ())[-1] == Span(blocks=480)


def test_a_block_ahead_of_the_clock_is_no_present() -> None:
    live = world("oracle-divergence", 12)
    judge = bench(Watched(live), bound(live, "oracle-divergence"), age=-3_600)
    assert judge.judge(["divergence"], ()).findings[0].verdict is Verdict.FIRING  # a development chain has its own time
    judge.reader.nodes.chain_id = 1
    found = judge.judge(["divergence"], ()).findings[0]
    assert (found.verdict, "ahead of the clock" in found.reading.reason) == (Verdict.UNKNOWN, True)


def test_m_of_n_is_looked_up_although_the_newest_block_is_quiet() -> None:
    live = world("oracle-divergence", 8)
    to = bound(live, "oracle-divergence")
    live.end_fault()
    live.advance(12)
    judge = bench(Watched(live), to)
    often = replace(judge.checks["divergence"].check, for_=Span(), samples=Samples(3, 5))
    judge = replace(judge, checks={"divergence": replace(judge.checks["divergence"], check=often)})
    assert judge.judge(["divergence"], ()).findings[0].verdict is Verdict.FIRING
    blind = replace(judge, reader=Reader(Watched(live, forgetful=True), to.chain, CHAIN_ID))
    assert blind.judge(["divergence"], ()).findings[0].verdict is Verdict.UNKNOWN


def test_what_has_held_for_many_blocks_fires_at_once() -> None:
    live = world("oracle-divergence", 5)
    live.advance(6_000)
    for _ in range(60):
        live.advance(12)
    judge = bench(Watched(live), bound(live, "oracle-divergence"))
    long = replace(judge.checks["divergence"].check, for_=Span(blocks=56))
    judge = replace(judge, checks={"divergence": replace(judge.checks["divergence"], check=long)})
    assert judge.judge(["divergence"], ()).findings[0].verdict is Verdict.FIRING


def test_a_window_remembered_from_a_chain_that_is_gone_is_read_again() -> None:
    live = world("liquidity-drain", 14)
    judge = bench(Watched(live), bound(live, "liquidity-drain", {"drain_window": "2m"}))
    honest = judge.judge(["drain"], ()).findings[0].reading.value
    events = [recorded(at_block(live, judge, height), height) for height in range(2, 14)]
    assert judge.judge(["drain"], events).findings[0].reading.value == honest
    forked = [replace(one, block=replace(one.block, hash="0x" + "f0" * 32)) for one in events if one.block]
    drained = [without_pool(one) for one in forked]
    assert judge.judge(["drain"], drained).findings[0].reading.value == honest


def at_block(live: LiveWorld, judge: Bench, height: int) -> Judged:
    """The drain as it was judged at that height."""
    block = live.world.history[height].block
    judged = judge.judge(["drain"], (), block)
    return replace(judged, snapshot=replace(judged.snapshot, block=block))


def without_pool(event: Event) -> Event:
    """The same round, with a pool that holds nothing."""
    reads = [{**one, "answer": "0x" + "00" * 32} for one in event.data["reads"]]
    return replace(event, data={**event.data, "reads": reads})


def test_a_run_that_rests_on_blocks_that_are_gone_is_looked_up_on_the_chain() -> None:
    live = world("oracle-divergence", 5)
    judge = bench(Watched(live), bound(live, "oracle-divergence"))
    head = live.world.engine.head
    judged = judge.judge(["divergence"], ())
    gone = [
        replace(
            judged,
            snapshot=replace(judged.snapshot, block=replace(head, number=head.number - back, hash=f"0x{back:064x}",
                                                            timestamp=head.timestamp - 12 * back)),
        )
        for back in (5, 4, 3, 2, 1)
    ]  # fmt: skip
    events = [recorded(one, place) for place, one in enumerate(gone)]
    found = judge.judge(["divergence"], events).findings[0]
    assert (found.verdict, found.since_block) == (Verdict.PENDING, live.world.first_block.number + 4)
