"""A look: what a preparation reads, in one round; and when it is over."""

from __future__ import annotations

from pathlib import Path

import pytest

from incident_cli.abi import parse_signature
from incident_cli.errors import Unread, Waiting
from incident_cli.evm import CallRead, Missing
from incident_cli.flows import looking
from incident_cli.flows.desk import Prompt, Stop
from incident_cli.flows.reading import Reader
from incident_cli.incident.events import Kind
from tests.chain.paper import CODE, TOKEN, TOTAL, PaperChain, PaperNode
from tests.fakes.desk import Scripted
from tests.flows.rehearsal import begun

OTHER = CallRead(TOKEN, parse_signature("other() returns (uint256)"))


class Ground:
    """A chain on paper and a reader of it."""

    def __init__(self) -> None:
        self.chain = PaperChain([1_700_000_000 + 12 * number for number in range(9)])
        self.chain.head = 4
        self.node = PaperNode(self.chain)
        self.reader = Reader(self.node, "ethereum", 1)

    @property
    def trips(self) -> int:
        """How many exchanges there were."""
        return len(self.node.sent)


@pytest.fixture
def ground() -> Ground:
    return Ground()


def test_everything_is_answered_from_one_round(ground: Ground) -> None:
    look = ground.reader.look([TOTAL, CODE])
    assert look.read([TOTAL]).value(TOTAL) == 1_004
    assert look.read([CODE, TOTAL]).block == ground.chain.block(4)
    assert look.read_at([TOTAL], ground.chain.block(4)).value(TOTAL) == 1_004
    assert ground.trips == 1


def test_what_it_was_not_asked_is_read_at_its_block_once(ground: Ground) -> None:
    look = ground.reader.look([TOTAL])
    ground.chain.head = 6
    assert look.read([OTHER]).value(OTHER) == 1_004  # what was answered at block 4
    assert look.read([OTHER, TOTAL]).block.number == 4
    assert ground.trips == 2


def test_another_block_is_asked_for_itself(ground: Ground) -> None:
    look = ground.reader.look([TOTAL])
    assert look.read_at([TOTAL], ground.chain.block(3)).value(TOTAL) == 1_003


def test_where_its_block_is_gone_everything_is_read_anew(ground: Ground) -> None:
    look = ground.reader.look([TOTAL])
    ground.chain.salt, ground.chain.head = 1, 5
    snapshot = look.read([OTHER])
    assert (snapshot.value(OTHER), snapshot.value(TOTAL), snapshot.block) == (1_005, 1_005, ground.chain.block(5))


def test_one_missing_read_takes_no_other_with_it(ground: Ground) -> None:
    broken = CallRead(TOKEN, parse_signature("broken() returns (string)"))
    look = ground.reader.look([broken, TOTAL])
    assert isinstance(look.read([broken]).value(broken), Missing)
    assert look.read([TOTAL]).value(TOTAL) == 1_004


def test_what_was_read_by_other_means_at_another_block_is_not_mixed_in(ground: Ground) -> None:
    look = ground.reader.look([TOTAL])
    ground.chain.head = 5
    look.learn(ground.reader.read_at([OTHER, TOTAL], ground.chain.block(5)))
    assert (look.read([TOTAL]).value(TOTAL), look.read([OTHER]).value(OTHER)) == (1_004, 1_004)


def test_a_look_of_a_moment_ago_is_gone_on_with(ground: Ground) -> None:
    ground.reader.look([TOTAL])
    ground.chain.head = 5
    assert ground.reader.look([TOTAL, OTHER]).read([OTHER]).block.number == 4
    assert ground.reader.recent.read([TOTAL]).block.number == 4


def test_whatever_is_read_at_the_head_ends_it(ground: Ground) -> None:
    ground.reader.look([TOTAL])
    ground.chain.head = 5
    ground.reader.read([OTHER])
    assert ground.reader.recent is ground.reader
    assert ground.reader.look([TOTAL]).read([TOTAL]).block.number == 5


def test_an_old_look_is_over(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "LOOK_SECONDS", 0)
    ground.reader.look([TOTAL])
    ground.chain.head = 5
    assert ground.reader.look([TOTAL]).read([TOTAL]).block.number == 5


def test_a_chain_that_cannot_be_read_is_no_look(ground: Ground) -> None:
    ground.node.change = lambda request, answer: None
    with pytest.raises(Unread):
        ground.reader.look([TOTAL])
    assert ground.reader.recent is ground.reader


def test_a_question_ends_it_before_it_is_answered(tmp_path: Path) -> None:
    """People take their time; what they do meanwhile must be seen."""
    seen: list[bool] = []

    def answer(prompt: Prompt) -> str:
        reader = drill.session.reader
        seen.append(reader.recent is reader)
        return "yes"

    drill = begun(tmp_path, answerer=Scripted({"declare": [answer]}))
    session = drill.session
    step = next(one for one in session.bound.runbook.steps if one.id == "declare")
    session.reader.look([])
    session.ask(step, Prompt("declare", "yes-no", "Declare?"))
    assert seen == [True]


def test_a_record_ends_it(tmp_path: Path) -> None:
    session = begun(tmp_path).session
    session.reader.look([])
    session.record(Kind.NOTED, session.bound.runbook.steps[0], text="seen")
    assert session.reader.recent is session.reader


def test_a_question_that_stops_it_ends_it_too(tmp_path: Path) -> None:
    session = begun(tmp_path, answerer=Scripted({"detect": [Stop()]})).session
    session.reader.look([])
    step = session.bound.runbook.steps[0]
    with pytest.raises(Waiting):
        session.ask(step, Prompt("detect", "text", "And?"))
    assert session.reader.recent is session.reader
