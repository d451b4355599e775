"""Writing pins into a deployment: the pins are there, every other byte is as it was, and nothing is half done."""

from __future__ import annotations

import resource
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from incident_cli.document import WrongFile
from incident_cli.errors import Misused, Refused, Unread
from incident_cli.evm import Address
from incident_cli.flows.pinning.file import with_pins, written
from incident_cli.flows.pinning.look import NO_CODE, Looked, look
from incident_cli.runbook.deployment import load_deployment
from tests.cli.deployments import deployment
from tests.fakes.served_world import ServedWorld

PIN = {
    "name": 'feed "a"@ETH-USD',
    "chain": "drill",
    "address": "0x" + "0" * 39 + "1",
    "codehash": "0x" + "ab" * 32,
    "implementation": "0x" + "0" * 39 + "2",
    "implementation_codehash": "0x" + "cd" * 32,
}
BARE = {**PIN, "name": "b", "implementation": None, "implementation_codehash": None}
OLD = '{name: a, chain: drill, address: "0x' + "0" * 39 + '1", codehash: "0x' + "00" * 32 + '"}'
TEXT = deployment()
HEAD, MARKETS, TAIL = TEXT.partition("markets:")
BLOCKS = {
    "list": f"pins:\n  - {OLD}\n",
    "list at the margin": f"pins:\n- {OLD}\n- {OLD}\n",
    "flow": f"pins: [{OLD}]\n",
    "flow over lines": f"pins: [\n  {OLD},\n  {OLD}\n]\n",
    "quoted key": f'"pins":\n  - {OLD}\n',
    "comments inside": f"pins:  # written long ago\n  # the exchange\n  - {OLD}\n\n  # the end\n  - {OLD}\n",
    "empty": "pins: []\n",
}


@pytest.fixture(scope="module")
def world() -> Iterator[ServedWorld]:
    """The drill's world behind one node."""
    with ServedWorld("oracle-divergence", 2) as served:
        yield served


def after(text: str) -> str:
    """The text with two pins."""
    return with_pins(text.encode(), [PIN, BARE], "deployment.yaml").decode()


def block(text: str) -> str:
    """The pins that were written into a text, as text."""
    start = text.index("pins:")
    return text[start : text.index("}", text.rindex("codehash")) + 1]


@pytest.mark.parametrize("old", BLOCKS.values(), ids=BLOCKS)
def test_only_the_block_of_pins_changes_wherever_it_stands(old: str) -> None:
    comment = "\n# what each market is\n\n"
    for before, rest in ((HEAD, comment + MARKETS + TAIL), (TEXT, ""), (TEXT, "# the end\n"), (TEXT, "\n\n")):
        found = after(before + old + rest)
        assert found == before + block(found) + "\n" + rest


def test_without_pins_they_come_last() -> None:
    for text in (TEXT, TEXT.rstrip("\n"), TEXT + "# the end\n"):
        found = after(text)
        assert found.startswith(text)
        assert found[len(text) :].lstrip("\n") == block(found) + "\n"


def test_line_ends_and_a_byte_order_mark_stay() -> None:
    text = "\ufeff" + (TEXT + BLOCKS["list"]).replace("\n", "\r\n")
    found = with_pins(text.encode(), [PIN], "deployment.yaml").decode()
    assert found.startswith("\ufeff" + TEXT.replace("\n", "\r\n"))
    assert found.count("\n") == found.count("\r\n")


@pytest.mark.parametrize("end", ["\u2028", "\x85", "\r"])
def test_lines_end_where_yaml_says(end: str) -> None:
    text = TEXT.replace("name: test", "name: test\npins: []").replace("\n", end)
    before, _, rest = text.partition("pins: []" + end)
    found = with_pins(text.encode(), [PIN], "deployment.yaml").decode()
    assert found == before + block(found) + "\n" + rest
    commented = f"# märkte{end}" + text
    assert with_pins(commented.encode(), [PIN], "deployment.yaml").decode() == f"# märkte{end}" + found


def test_what_is_written_is_what_loads(tmp_path: Path) -> None:
    path = tmp_path / "deployment.yaml"
    path.write_text(after(TEXT))
    first, second = load_deployment(path)[0].pins
    fields = ("name", "chain", "address", "codehash", "implementation", "implementation_codehash")
    assert {name: getattr(first, name) for name in fields} == PIN
    assert {name: getattr(second, name) for name in fields} == BARE
    assert after(path.read_text()) == path.read_text(), "the same pins a second time change nothing"


@pytest.mark.parametrize(
    "text",
    [
        "{"
        + ", ".join(["schema: incident-deployment/v1", "name: test", "pins: []", "chains: {}", "slots: {}"])
        + "}\n",
        TEXT + "...\n",
    ],
    ids=["a mapping in one line", "the document has ended"],
)
def test_a_file_of_which_more_would_change_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="without changing more"):
        after(text)


def test_a_pin_that_the_file_could_not_be_loaded_with_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "deployment.yaml"
    path.write_text(TEXT)
    with pytest.raises(WrongFile):
        written(path, TEXT.encode(), [{**PIN, "chain": "elsewhere"}])
    assert path.read_text() == TEXT


def test_a_file_that_was_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "deployment.yaml"
    path.write_text(TEXT + "# changed\n")
    with pytest.raises(Refused, match="changed while"):
        written(path, TEXT.encode(), [PIN])
    assert path.read_text() == TEXT + "# changed\n"


def test_mode_and_link_stay_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    path, link = tmp_path / "real" / "deployment.yaml", tmp_path / "deployment.yaml"
    path.write_text(TEXT)
    path.chmod(0o640)
    link.symlink_to(path)
    written(link, TEXT.encode(), [PIN])
    assert link.is_symlink() and stat.S_IMODE(path.stat().st_mode) == 0o640
    assert len(load_deployment(path)[0].pins) == 1
    assert [one.name for one in path.parent.iterdir()] == ["deployment.yaml"]


def test_a_disk_that_takes_nothing_more_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "deployment.yaml"
    path.write_text(TEXT)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(TEXT), before[1]))
    try:
        with pytest.raises(Misused, match="could not be written"):
            written(path, TEXT.encode(), [PIN])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_text() == TEXT
    assert [one.name for one in tmp_path.iterdir()] == ["deployment.yaml"]


def looked(path: Path) -> Looked:
    """What stands there now."""
    return look(path, lambda name: None)


def test_every_address_and_what_each_safe_acts_with_is_pinned_once(world: ServedWorld, tmp_path: Path) -> None:
    path = world.deployment(tmp_path)
    found = looked(path)
    assert {one.state for one in found.pins} == {"new"}
    names = [one.pin.name for one in found.pins]
    assert len(names) == len(set(names))
    parts = {f"{safe}.{part}" for safe in ("council", "governance") for part in ("singleton", "fallback-handler")}
    feeds = {f"{slot}.feed@{market}" for slot in ("feed", "reference") for market in world.world.markets}
    assert set(names) >= {"exchange.exchange", "council.safe", "governance.proposer", *parts, *feeds}
    found.write()
    again = looked(path)
    assert [(one.pin.name, one.state) for one in again.pins] == [(name, "same") for name in names]


def test_names_of_the_file_stay_and_hand_written_pins_too(world: ServedWorld, tmp_path: Path) -> None:
    path = world.deployment(tmp_path)
    at = world.world.addresses
    code = NO_CODE
    pins = {"our exchange": at.exchange, "the keeper": at.keeper}
    lines = [f'  - {{name: {name}, chain: drill, address: "{one}", codehash: "{code}"}}' for name, one in pins.items()]
    path.write_text(path.read_text() + "pins:\n" + "\n".join(lines) + "\n")
    found = {one.pin.name: one for one in looked(path).pins}
    assert "exchange.exchange" not in found
    assert {found[name].state for name in pins} == {"changed"}
    assert found["the keeper"].before is not None and found["the keeper"].before.codehash == code


def test_an_account_without_code_is_pinned_as_one(world: ServedWorld, tmp_path: Path) -> None:
    path = world.deployment(tmp_path)
    nobody = Address("0x" + "0" * 38 + "11")
    path.write_text(path.read_text().replace(world.world.addresses.governance, nobody))
    pin = next(one.pin for one in looked(path).pins if one.pin.name == "governance.proposer")
    assert pin.codehash == NO_CODE


def test_a_slot_that_moved_is_a_change_of_its_pin(world: ServedWorld, tmp_path: Path) -> None:
    path = world.deployment(tmp_path)
    looked(path).write()
    at = world.world.addresses
    text = path.read_text()
    slots, pins, rest = text.partition("pins:")
    path.write_text(slots.replace(f'rmn: "{at.rmn}"', f'rmn: "{at.keeper}"') + pins + rest)
    changed = [one for one in looked(path).pins if one.state != "same"]
    assert [(one.pin.name, one.state, one.pin.address) for one in changed] == [("rmn.rmn", "changed", at.keeper)]


def test_where_anything_cannot_be_read_nothing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "deployment.yaml"
    path.write_text(TEXT)
    with pytest.raises(Unread):
        looked(path)
    assert path.read_text() == TEXT
