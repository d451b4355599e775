"""`incident check` as it is run, against Chainlink's own mock aggregator and Uniswap's own pool."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import run
from tests.contracts.real_market import START, RealMarket, WriteDeployment

RUNBOOK = Path(__file__).with_name("real-market.yaml")
WAD = 10**18 // 10**8  # from the feed's eight decimals to the eighteen of a reading
QUIET, FIRING = 0, 1


def check(deployment: Path, *options: str) -> tuple[int, dict[str, Any]]:
    """How `incident check --json` ended, and what it printed."""
    ended = run(
        ["check", str(RUNBOOK), "--deployment", str(deployment), "--json", *options], deployment.parent / "home"
    )
    return ended.code, ended.object


def verdicts(found: dict[str, Any]) -> dict[str, str]:
    """The verdict of each check."""
    return {one["id"]: one["verdict"] for one in found["checks"]}


def prices(found: dict[str, Any]) -> dict[str, int | None]:
    """What each source of the divergence serves, in units of 10^-18."""
    (divergence,) = (one for one in found["checks"] if one["id"] == "divergence")
    return {one["name"]: None if one["value"] is None else int(one["value"]) for one in divergence["sources"]}


@pytest.mark.parametrize("price", [START, START * 7 // 5], ids=["2000", "2800"])
def test_feed_and_pool_that_agree_are_quiet_in_one_request(
    real_market: WriteDeployment, tmp_path: Path, price: int
) -> None:
    code, found = check(real_market(tmp_path, answer=price, traded=price))
    assert (code, verdicts(found)) == (QUIET, {"divergence": "quiet", "staleness": "quiet"})
    assert found["requests"] == 1
    feed, pool = prices(found)["feed"], prices(found)["pool"]
    assert feed == price * WAD
    assert pool is not None
    assert abs(pool - price * WAD) * 10_000 <= price * WAD, "a tick is one basis point"


def test_a_feed_two_percent_from_the_pool_fires(real_market: WriteDeployment, tmp_path: Path) -> None:
    code, found = check(real_market(tmp_path, answer=START * 102 // 100))
    assert (code, verdicts(found)) == (FIRING, {"divergence": "firing", "staleness": "quiet"})
    assert int(found["checks"][0]["value"]) in (199, 200)


def test_a_pool_that_moved_two_percent_fires(real_market: WriteDeployment, tmp_path: Path) -> None:
    code, found = check(real_market(tmp_path, traded=START * 98 // 100))
    assert (code, verdicts(found)["divergence"]) == (FIRING, "firing")


def test_one_swap_in_the_last_block_moves_nothing(market: RealMarket, tmp_path: Path) -> None:
    market.catch_up(int(time.time()) - 12)
    market.trade_to(START * 3)
    assert check(market.write_deployment(tmp_path))[0] == QUIET


def test_an_answer_that_is_no_price_is_unknown_and_never_quiet(real_market: WriteDeployment, tmp_path: Path) -> None:
    code, found = check(real_market(tmp_path, answer=-1))
    assert (code, verdicts(found)) == (FIRING, {"divergence": "unknown", "staleness": "firing"})
    assert prices(found)["feed"] is None


def test_a_feed_that_stopped_fires(market: RealMarket, tmp_path: Path) -> None:
    now = int(time.time())
    market.catch_up(now - 1_500)
    market.anvil.mine_at(now)
    code, found = check(market.write_deployment(tmp_path))
    assert (code, verdicts(found)) == (FIRING, {"divergence": "quiet", "staleness": "firing"})


def test_a_past_block_is_judged_as_it_was(market: RealMarket, tmp_path: Path) -> None:
    market.catch_up(int(time.time()) - 12)
    deployment, before = market.write_deployment(tmp_path), market.anvil.rpc("eth_getBlockByNumber", "latest", False)
    market.answer(START * 2)
    assert check(deployment)[0] == FIRING
    for block in (str(int(before["number"], 16)), before["hash"]):
        code, found = check(deployment, "--block", block)
        assert (code, found["blocks"][0]["hash"]) == (QUIET, before["hash"])
