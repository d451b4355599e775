"""`incident preflight` and `incident pin` as they are run: exit codes, one object on stdout, a checklist on stderr."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from incident_cli.evm import Block
from incident_cli.flows import incidents
from incident_cli.flows.clock import SystemClock
from incident_cli.incident.events import Kind
from incident_cli.runbook.deployment import load_deployment
from incident_cli.runbook.shipped import find_runbook
from tests.cli.command import Ended, run
from tests.cli.deployments import deployment as closed_deployment
from tests.fakes.served_world import ServedWorld
from tests.fakes.terminal import Terminal

RUNBOOK = "oracle-divergence"


@pytest.fixture(scope="module")
def world() -> Iterator[ServedWorld]:
    """The drill's world behind one node."""
    with ServedWorld(RUNBOOK, 3) as served:
        yield served


def written(world: ServedWorld, folder: Path) -> Path:
    """Its deployment, with contacts and not pinned yet."""
    owners = [one.address for one in world.world.people.council_owners]
    contacts = "".join(f'  - {{name: owner-{one}, owner: "{one}", reach: pager}}\n' for one in owners)
    return world.deployment(folder, more=f"contacts:\n{contacts}")


def drilled(home: Path) -> None:
    """The journal of a drill of the runbook that has ended."""
    digest = hashlib.sha256(find_runbook(RUNBOOK).read_bytes()).hexdigest()
    recorder = incidents.create(home, RUNBOOK, "drill", "world", SystemClock())
    opened = {"runbook": RUNBOOK, "market": "ETH-USD", "runbook_sha256": digest}
    recorder.record(Kind.OPENED, block=Block("world", 1, "0x" + "00" * 32, 1), data=opened)
    recorder.record(Kind.CLOSED, data={"ending": "contained"})
    recorder.journal.close()


def preflight(path: Path, *more: str) -> Ended:
    """The command at ETH-USD."""
    words = ["preflight", RUNBOOK, "--deployment", str(path), "--market", "ETH-USD", *more]
    return run(words, path.parent / "home")


def test_what_is_not_ready_exits_one_with_a_line_and_what_to_do(world: ServedWorld, tmp_path: Path) -> None:
    ended = preflight(written(world, tmp_path), "--json")
    found = ended.object
    assert (ended.code, found["schema"], found["ready"]) == (1, "incident.preflight/v1", False)
    assert all(set(one) == {"id", "status", "detail", "fix"} for one in found["items"])
    wrong = {one["id"] for one in found["items"] if one["status"] == "not-ready"}
    assert "pin:exchange.exchange" in wrong and f"drill-age:{RUNBOOK}" in wrong
    lines = ended.err.splitlines()
    assert "NOT-READY  pin:exchange.exchange" in lines
    assert any(line.strip() == "do: Run `incident pin`." for line in lines)
    assert sum(line.startswith(("READY", "NOT-READY", "UNKNOWN")) for line in lines) == len(found["items"])
    assert lines[-1].startswith("together: not-ready")
    assert max(map(len, lines)) <= 80


def test_what_is_only_unknown_exits_three(world: ServedWorld, tmp_path: Path) -> None:
    path = written(world, tmp_path)
    assert run(["pin", str(path), "--yes"], tmp_path / "home").code == 0
    drilled(tmp_path / "home")
    ended = preflight(path, "--json")
    assert ended.code == 3, ended.err
    assert {one["id"] for one in ended.object["items"] if one["status"] != "ready"} == {f"undo:{RUNBOOK}/pause@ETH-USD"}


def test_a_deployment_must_be_given_and_a_market_once(world: ServedWorld, tmp_path: Path) -> None:
    ended = run(["preflight", RUNBOOK], tmp_path)
    assert ended.code == 2 and "--deployment" in ended.err
    assert preflight(written(world, tmp_path), "--all-markets").code == 2
    assert run(["preflight", "no-such", "--deployment", "x.yaml"], tmp_path).code == 2
    unknown = preflight(written(world, tmp_path), "--param", "maximum=3")
    assert unknown.code == 2 and "maximum" in unknown.err and "max" in unknown.err


@pytest.mark.parametrize("command", ["preflight", "pin"])
def test_help_has_an_example_and_fits(command: str, tmp_path: Path) -> None:
    ended = run([command, "--help"], tmp_path, COLUMNS="80")
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert any(line.strip().startswith(f"Example: incident {command}") for line in lines), ended.out
    assert max(map(len, lines)) <= 80
    assert not any(line.endswith("...") and not line.startswith("Usage") for line in lines[1:])


def test_pins_are_written_once_and_only_with_a_yes(world: ServedWorld, tmp_path: Path) -> None:
    path, home = written(world, tmp_path), tmp_path / "home"
    before = path.read_text()
    refused = run(["pin", str(path)], home)
    assert refused.code == 4 and "--yes" in refused.err
    assert path.read_text() == before
    ended = run(["pin", str(path), "--yes", "--json"], home)
    found = ended.object
    assert (ended.code, found["schema"], found["written"]) == (0, "incident.pin/v1", True)
    assert {one["state"] for one in found["pins"]} == {"new"}
    assert path.read_text().startswith(before)
    assert [one.name for one in load_deployment(path)[0].pins] == [one["name"] for one in found["pins"]]
    again = run(["pin", str(path), "--json"], home)
    assert (again.code, again.object["written"]) == (0, False)


def test_a_changed_pin_is_never_written_by_yes_alone(world: ServedWorld, tmp_path: Path) -> None:
    path, home = written(world, tmp_path), tmp_path / "home"
    run(["pin", str(path), "--yes"], home)
    code = next(one.codehash for one in load_deployment(path)[0].pins if one.name == "exchange.exchange")
    path.write_text(path.read_text().replace(code, "0x" + "00" * 32))
    changed = path.read_text()
    refused = run(["pin", str(path), "--yes"], home)
    assert refused.code == 4 and "--accept-changes" in refused.err and "CHANGED" in refused.err
    assert code in refused.err and "0x" + "00" * 32 in refused.err, "both are shown whole"
    assert path.read_text() == changed
    ended = run(["pin", str(path), "--accept-changes", "--json"], home)
    (was,) = (one["was"]["codehash"] for one in ended.object["pins"] if one["state"] == "changed")
    assert (ended.code, was) == (0, "0x" + "00" * 32)
    assert path.read_text() == changed.replace("0x" + "00" * 32, code)


def test_at_a_terminal_enter_alone_writes_nothing_and_yes_does(world: ServedWorld, tmp_path: Path) -> None:
    path = written(world, tmp_path)
    before = path.read_text()
    with Terminal(["pin", str(path)], tmp_path / "home", cwd=tmp_path) as terminal:
        terminal.answer("", "yes or no")
        assert terminal.finish() == 5
    assert path.read_text() == before
    with Terminal(["pin", str(path)], tmp_path / "home", cwd=tmp_path) as terminal:
        terminal.answer("yes", "yes or no")
        assert terminal.finish() == 0
    hashes = [one.codehash for one in load_deployment(path)[0].pins]
    path.write_text(path.read_text().replace(hashes[0], "0x" + "00" * 32))
    with Terminal(["pin", str(path)], tmp_path / "home", cwd=tmp_path) as terminal:
        terminal.answer("yes", "type it")
        terminal.answer("drill", "type it")
        assert terminal.finish() == 0
    assert [one.codehash for one in load_deployment(path)[0].pins] == hashes


def test_a_chain_that_cannot_be_read_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "deployment.yaml"
    path.write_text(closed_deployment())
    ended = run(["pin", str(path), "--accept-changes", "--yes"], tmp_path / "home")
    assert ended.code == 3, ended.err
    assert path.read_text() == closed_deployment()
