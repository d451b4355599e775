"""`incident check` as a script sees it: the object, the exit code, and nodes that fail or lie."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from incident_cli.transport import Json, Request, RpcError
from tests.cli.command import Ended, run, run_in_shell
from tests.fakes.node import Answer, Fault
from tests.fakes.served_world import ServedWorld

MARKETS = ["ETH-USD", "BTC-USD", "SOL-USD"]
KEYS = ["schema", "runbook", "deployment", "blocks", "nodes", "requests", "checks", "verdict"]
BLOCK_KEYS = ["chain", "number", "hash", "timestamp", "age_seconds"]
CHECK_KEYS = ["id", "kind", "market", "verdict", "value", "limit", "unit", "since_block", "sources", "reason",
              "summary", "false_positives"]  # fmt: skip


@pytest.fixture(scope="module")
def world() -> Iterator[ServedWorld]:
    with ServedWorld("oracle-divergence", 12) as served:
        yield served


def checked(world: ServedWorld, folder: Path, *more: str, runbook: str = "oracle-divergence", quorum: int = 1) -> Ended:
    path = world.deployment(folder, quorum=quorum)
    return run(["check", runbook, "--deployment", str(path), "--json", *more], folder / "home")


def test_the_object_has_exactly_the_promised_keys(world: ServedWorld, tmp_path: Path) -> None:
    ended = checked(world, tmp_path, "--market", "ETH-USD")
    found = ended.object
    assert ended.code == 1
    assert (list(found), list(found["blocks"][0]), list(found["checks"][0])) == (KEYS, BLOCK_KEYS, CHECK_KEYS)
    assert (found["schema"], found["runbook"]) == ("incident.check/v1", "oracle-divergence")
    assert found["deployment"] == "drill"
    head = world.world.engine.head
    assert (found["blocks"][0]["number"], found["blocks"][0]["hash"]) == (head.number, head.hash)
    one = found["checks"][0]
    assert (one["id"], one["kind"], one["market"]) == ("divergence", "oracle_divergence", "ETH-USD")
    assert (one["verdict"], found["verdict"], one["value"], one["limit"], one["unit"]) == (
        "firing", "firing", "1200", "150", "bps")  # fmt: skip
    assert one["since_block"] == head.number - 3  # 36 s back: as far as it is looked up
    assert [source["name"] for source in one["sources"]] == ["feed", "reference"]


def test_every_market_is_judged_in_one_request_while_all_is_quiet(tmp_path: Path) -> None:
    with ServedWorld("oracle-divergence", 2) as world:
        ended = checked(world, tmp_path, "--all-markets")
        assert world.nodes[0].exchanges == 1
    found = ended.object
    assert (ended.code, found["verdict"], found["requests"]) == (0, "quiet", 1)
    assert [(one["market"], one["verdict"]) for one in found["checks"]] == [(name, "quiet") for name in MARKETS]


def test_a_market_that_fires_outweighs_those_that_are_quiet(world: ServedWorld, tmp_path: Path) -> None:
    ended = checked(world, tmp_path, "--all-markets", "--only", "divergence")
    assert [one["verdict"] for one in ended.object["checks"]] == ["firing", "quiet", "quiet"]
    assert ended.code == 1
    assert "FIRING   ETH-USD" in ended.err and "together: firing" in ended.err
    assert "cover only what is listed here" in ended.err


@pytest.mark.parametrize("by_hash", [False, True])
def test_a_past_block_is_judged_as_it_was(world: ServedWorld, tmp_path: Path, by_hash: bool) -> None:
    block = world.world.history[2].block
    ended = checked(world, tmp_path, "--market", "ETH-USD", "--block", block.hash if by_hash else str(block.number))
    assert (ended.code, ended.object["verdict"]) == (0, "quiet")
    assert ended.object["blocks"][0]["hash"] == block.hash


def test_a_wrong_question_says_what_there_is(world: ServedWorld, tmp_path: Path) -> None:
    asked = [
        (["--market", "DOGE-USD"], "DOGE-USD"),
        (["--all-markets", "--only", "divergense"], "did you mean 'divergence'"),
        ([], "no market was chosen"),
        (["--market", "ETH-USD", "--all-markets"], "exclude each other"),
        (["--market", "ETH-USD", "--block", "latest"], "is no block"),
        (["--market", "ETH-USD", "--param", "max=90%"], "above its maximum"),
    ]
    for more, words in asked:
        ended = checked(world, tmp_path, *more)
        assert (ended.code, words in ended.err) == (2, True), ended.err


LATE: tuple[Fault, ...] = ("silent", "drip", "drip headers")  # each makes one wait for as long as a round may take
FAULTS: tuple[Fault, ...] = (
    "status 429", "status 401", "html 500", "html 200", "truncated",
    "truncated chunk", "wrong id", "missing", "duplicate", "null", "no result", "redirect", "reset", "infinity",
    "nested",
)  # fmt: skip


@pytest.fixture(scope="module")
def failing() -> Iterator[ServedWorld]:
    """A quiet world whose node is made to fail."""
    with ServedWorld("oracle-divergence", 2) as served:
        yield served


@pytest.mark.parametrize("fault", FAULTS)
def test_a_node_that_fails_makes_every_check_unknown(failing: ServedWorld, tmp_path: Path, fault: Fault) -> None:
    failing.nodes[0].fault = fault
    ended = checked(failing, tmp_path, "--all-markets")
    assert unknown_everywhere(ended), ended.err
    assert "Traceback" not in ended.err


def test_a_node_that_lets_one_wait_makes_every_check_unknown(tmp_path: Path) -> None:
    with ExitStack() as open_, ThreadPoolExecutor(len(LATE)) as side_by_side:
        worlds = [open_.enter_context(ServedWorld("oracle-divergence", 2)) for _ in LATE]
        for fault, world in zip(LATE, worlds, strict=True):
            world.nodes[0].fault = fault
            (tmp_path / fault).mkdir()
        folders = [tmp_path / fault for fault in LATE]
        every = list(side_by_side.map(checked, worlds, folders, ["--all-markets"] * len(LATE)))
    for ended in every:
        assert unknown_everywhere(ended), ended.err
        assert "Traceback" not in ended.err


def unknown_everywhere(ended: Ended) -> bool:
    """Exit 3, and every check unknown with a reason."""
    checks = ended.object["checks"]
    verdicts = {one["verdict"] for one in checks}
    return (ended.code, verdicts, ended.object["verdict"]) == (3, {"unknown"}, "unknown") and all(
        one["reason"] for one in checks
    )


def test_nobody_listening_makes_every_check_unknown(tmp_path: Path) -> None:
    world = ServedWorld("oracle-divergence", 2)
    path = world.deployment(tmp_path)
    text = path.read_text().replace(world.nodes[0].url, "http://127.0.0.1:1/")
    path.write_text(text)
    ended = run(["check", "oracle-divergence", "--deployment", str(path), "--all-markets", "--json"], tmp_path / "home")
    assert unknown_everywhere(ended) and ended.object["blocks"] == []


def replaced(method: str, answer: Any) -> Any:
    """A node that answers one method with something else."""

    def twist(honest: Answer) -> Answer:
        def answered(request: Request) -> Json | RpcError:
            return answer(honest, request) if request.method == method else honest(request)

        return answered

    return twist


OTHER_CHAIN = replaced("eth_chainId", lambda honest, request: "0x1")
REVERTING = replaced("eth_call", lambda honest, request: RpcError(3, "execution reverted", "0x"))
ABSURD = replaced("eth_call", lambda honest, request: "0x" + "ff" * 2_000)
EMPTY = replaced("eth_call", lambda honest, request: "0x")
OVERSIZED = replaced("eth_call", lambda honest, request: "0x" + "00" * 9 * 2**20)  # beyond the cap of 16 MiB
STALE = replaced("eth_getBlockByNumber", lambda honest, request: older(honest, request))


def older(honest: Answer, request: Request) -> Json | RpcError:
    """The first block for the latest, with its time an hour earlier."""
    block: Any = honest(Request(request.method, ("0x1", False)))
    return {**block, "timestamp": hex(int(block["timestamp"], 16) - 3_600)}


@pytest.mark.parametrize("twist", [OTHER_CHAIN, REVERTING, ABSURD, EMPTY, OVERSIZED, STALE])
def test_a_node_that_answers_wrongly_is_never_quiet(tmp_path: Path, twist: Any) -> None:
    with ServedWorld("oracle-divergence", 2, [twist]) as world:
        ended = checked(world, tmp_path, "--all-markets")
    assert unknown_everywhere(ended), json.dumps(ended.object)


def lying(honest: Answer) -> Answer:
    """The feed's price as it was before the attack: an honest block, with another state."""

    def answered(request: Request) -> Json | RpcError:
        found = honest(request)
        if request.method != "eth_call" or not isinstance(found, str):
            return found
        past = honest(Request("eth_call", (request.params[0], "0x2")))
        return past if isinstance(past, str) and len(past) == len(found) else found

    return answered


@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_lying_node_of_three_changes_no_verdict_of_a_quorum(tmp_path: Path, place: int) -> None:
    nodes: list[Any] = [None, None, None]
    nodes[place] = lying
    with ServedWorld("oracle-divergence", 12, nodes) as world:
        ended = checked(world, tmp_path, "--all-markets", quorum=2)
    assert [one["verdict"] for one in ended.object["checks"]] == ["firing", "quiet", "quiet"]
    problems = [one["problem"] for one in ended.object["nodes"]]
    assert problems[place] and not any(problem for at, problem in enumerate(problems) if at != place)


def test_two_nodes_that_disagree_are_unknown_and_named(tmp_path: Path) -> None:
    with ServedWorld("oracle-divergence", 12, [None, lying]) as world:
        ended = checked(world, tmp_path, "--market", "ETH-USD", quorum=2)
    assert unknown_everywhere(ended)
    assert "drill node" in ended.object["checks"][0]["reason"]


def test_a_quorum_outlives_one_dead_node(tmp_path: Path) -> None:
    with ServedWorld("oracle-divergence", 12, [None, None, None]) as world:
        world.nodes[0].fault = "reset"
        ended = checked(world, tmp_path, "--market", "ETH-USD", quorum=2)
        assert (ended.code, ended.object["verdict"]) == (1, "firing")
        world.nodes[1].fault = "reset"
        ended = checked(world, tmp_path, "--market", "ETH-USD", quorum=2)
    assert unknown_everywhere(ended)


@pytest.mark.parametrize(("rounds", "code"), [(2, 0), (12, 1)])
@pytest.mark.parametrize("line", ["2> /dev/full", "--json > /dev/null 2> /dev/full", "--json 2> /dev/null | true"])
def test_only_a_check_that_fires_exits_with_1(line: str, rounds: int, code: int, tmp_path: Path) -> None:
    words, _, reader = line.partition("|")
    with ServedWorld("oracle-divergence", rounds) as world:
        path = world.deployment(tmp_path)
        command = f'"$0" "$@" check oracle-divergence --deployment {path} --market ETH-USD {words}'
        script = f"{{ {command}; echo $? > {tmp_path}/code; }} {'|' + reader if reader else ''}"
        run_in_shell(script, tmp_path / "home")
    assert (tmp_path / "code").read_text() == f"{code}\n"
