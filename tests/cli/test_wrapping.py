from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.cli.scorecard import timeline
from incident_cli.cli.wrapping import flowed, wrapped
from incident_cli.evm import Block
from incident_cli.incident.timeline import Moment

HASH = "0x" + "ab" * 32
ADDRESS = "0x" + "Cd" * 20
WORDS = st.lists(
    st.one_of(
        st.text("abcxyz.,:'", min_size=1, max_size=14),
        st.sampled_from([HASH, ADDRESS, f"state({HASH})", f"{ADDRESS},", f"({HASH})"]),
    ),
    max_size=12,
)


@settings(max_examples=200, deadline=None)
@given(WORDS, st.integers(76, 120), st.integers(0, 24))
def test_nothing_is_lost_nothing_is_cut_and_everything_fits(words: list[str], width: int, hanging: int) -> None:
    lines = wrapped(" ".join(words), width, hanging, first=hanging)
    assert "".join("".join(lines).split()) == "".join(words)
    assert max(len(line) for line in lines) <= width
    for word in (HASH, ADDRESS):
        assert sum(line.count(word) for line in lines) == "".join(words).count(word)


def test_a_hash_in_brackets_stands_whole_with_what_follows() -> None:
    assert wrapped(f"block 26 shows governance.operation_state({HASH}) = 1", 80, 5, first=5) == [
        "     block 26 shows governance.operation_state(",
        f"  {HASH}) = 1",
    ]


def test_calldata_stands_in_rows() -> None:
    lines = wrapped(f"data = 0x{'12' * 68}", 76, 14, first=14)
    assert "".join(line.strip() for line in lines) == f"data =0x{'12' * 68}"
    assert [len(line.strip()) for line in lines] == [6, 60, 60, 18]
    assert {len(line) - len(line.lstrip()) for line in lines} == {14}


def test_a_path_is_never_broken() -> None:
    path = "/" + "folder/" * 20 + "journal.jsonl"
    assert path in wrapped(f"journal {path}", 80, 4, first=0)[-1]


def test_parts_flow_unbroken() -> None:
    assert flowed(["detect pending", "confirm firing", "pause done"], 32, " · ") == [
        "detect pending · confirm firing",
        "pause done",
    ]
    assert flowed([], 32, " · ") == []


def moment(name: str, number: int) -> Moment:
    return Moment(name, Block("drill", number, "0x" + "11" * 32, 1_000 + 12 * number))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=8), st.integers(80, 160))
def test_the_timeline_fits_and_is_in_order(numbers: list[int], width: int) -> None:
    moments = [moment(f"moment {number}", number) for number in numbers]
    lines = timeline([*moments, moment("recovered", max(numbers) + 5)], width)
    assert max(len(line) for line in lines) <= width
    bars = [line.rstrip().count("─") for line in lines[1:]]
    assert bars == sorted(bars)
    assert lines[-1].endswith("→")


def test_nothing_happened() -> None:
    assert timeline([], 80) == []
    assert len(timeline([moment("recovered", 3)], 80)) == 2
