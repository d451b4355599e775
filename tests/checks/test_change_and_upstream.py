"""What must stay as it is, and what a protocol depends on: values, proxies, code, time-locks, lanes, next prices."""

from __future__ import annotations

import pytest

from incident_cli.checks.check import Found, Wiring
from incident_cli.checks.contract_state import PROXY_SLOTS
from incident_cli.evm import CallRead, CodeRead, LogsRead, Missing, PastRead, StorageRead, keccak
from incident_cli.protocols.slot import BoundSlot
from incident_cli.units import Span
from tests.checks.ledger import SLOTS, WIRING, Ledger, Value, address, history, make, scheduled

OLD, NEW = address(9), address(11)
OWNER = "{kind: change, value: book.owner(), expect: '{guardian}'}"
OWNER_AGO = "{kind: change, value: book.owner(), ago: 1h}"
IMPLEMENTATION = "{kind: change, slot: proxy, of: implementation, ago: 1h}"
TIMELOCK = "{kind: upstream, watch: [{what: timelock, slot: timelock, window: 2d}]}"
LANE = "{kind: upstream, watch: [{what: lane, cursed: \"book.cursed('0x01000000000000000000000000000001')\"}]}"
PROXY = "{kind: upstream, watch: [{what: proxy, slot: proxy, ago: 1h}]}"
NEXT = "{kind: upstream, watch: [{what: next_price, now: book.pool(), next: book.debts(), max: 3%}]}"


def word(of: str) -> bytes:
    return bytes(12) + bytes.fromhex(of[2:])


@pytest.mark.parametrize("name", PROXY_SLOTS)
def test_the_slots_of_a_proxy_are_those_of_eip_1967(name: str) -> None:
    assert PROXY_SLOTS[name] == int.from_bytes(keccak(f"eip1967.proxy.{name}".encode()), "big") - 1


def test_an_owner_is_compared_with_a_parameter() -> None:
    same, other = (Ledger({"owner": one}).judge(make(OWNER)) for one in (OLD, NEW))
    assert (same.holds, same.value, same.limit, same.found) == (False, 0, 0, ())
    assert (other.holds, other.value) == (True, 1)
    assert other.found == (Found("new_value", "address", NEW), Found("old_value", "address", OLD))
    assert other.reason == f"book.owner() is {NEW}; {OLD} was expected"


def test_an_owner_is_compared_with_its_past() -> None:
    reading = Ledger({"owner": history(NEW, OLD, every=3_600)}).judge(make(OWNER_AGO))
    assert (reading.holds, reading.reason) == (True, f"book.owner() is {NEW}; it was {OLD} 1h ago")
    assert Ledger({"owner": OLD}).judge(make(OWNER_AGO)).holds is False
    gone = Ledger({"owner": lambda ago, args: OLD if not ago else Missing("the state is gone")})
    assert gone.judge(make(OWNER_AGO)).holds is None


@pytest.mark.parametrize(
    ("value", "answer", "expect", "holds"),
    [
        ("book.number()", 5, "5", False),
        ("book.number()", 5, "-5", True),
        ("book.number()", 7, "{ceiling}", False),
        ("book.number()", 5, "0x05", None),
        ("book.is_open()", True, "true", False),
        ("book.is_open()", False, "true", True),
        ("book.pool()", 5_500_000, "5.5 USDC", False),
        ("book.pool()", 5_500_001, "5.50 USDC", True),
        ("book.pool()", 5_500_000, "5 DAI", None),
        ("book.root()", b"\xab" * 32, "0x" + "AB" * 32, False),
        ("book.root()", b"\xab" * 32, "0x" + "00" * 32, True),
        ("book.root()", b"\xab" * 32, "0xab", None),
        ("book.owner()", "0x" + "ab" * 20, "0x" + "AB" * 20, False),
        ("book.owner()", OLD, "{market}", None),
        ("book.owner()", OLD, "{nobody}", None),
        ("book.label()", "v1", "v1", False),
        ("book.label()", "v1", "V1", True),
        ("book.debts()", Missing("it reverted"), "5", None),
    ],
)
def test_values_of_every_kind_are_compared_in_their_own_form(
    value: str, answer: Value, expect: str, holds: bool | None
) -> None:
    name = {"book.is_open()": "isOpen"}.get(value, value.removeprefix("book.").removesuffix("()"))
    check = make(f"{{kind: change, value: {value}, expect: '{expect}'}}")
    assert Ledger({name: answer}).judge(check).holds is holds


def test_a_read_of_several_values_changes_when_any_of_them_does() -> None:
    check = make("{kind: change, value: book.pair(), ago: 1h}")
    assert Ledger({"pair": lambda ago, args: (5, NEW if ago else OLD)}).judge(check).holds is True
    assert Ledger({"pair": (5, OLD)}).judge(check).holds is False
    assert Ledger({"pair": Missing("it reverted")}).judge(check).holds is None


def test_an_implementation_is_read_from_its_storage_slot() -> None:
    check = make(IMPLEMENTATION)
    now = StorageRead(address(6), PROXY_SLOTS["implementation"], "ethereum")
    assert check.reads(WIRING) == (now, PastRead(now, Span(seconds=3_600)))
    moved = Ledger(storage=lambda ago: word(OLD) if ago else word(NEW)).judge(check)
    assert (moved.holds, moved.found[0]) == (True, Found("new_value", "address", NEW))
    assert Ledger(storage=lambda ago: word(OLD)).judge(check).holds is False
    assert check.finds() == {"new_value": "address", "old_value": "address"}


@pytest.mark.parametrize(
    ("before", "after", "holds"),
    [
        (bytes(32), bytes(32), None),  # no proxy at all: nothing could ever change
        (word(OLD), bytes(32), True),
        (bytes(32), word(NEW), True),
        (word(OLD), b"\x01" * 32, None),  # no address
        (word(OLD), b"\x01", None),
        (word(OLD), 7, None),
    ],
)
def test_an_empty_slot_is_no_comfort(before: object, after: object, holds: bool | None) -> None:
    assert Ledger(storage=lambda ago: before if ago else after).judge(make(IMPLEMENTATION)).holds is holds


def test_code_is_compared_by_its_hash() -> None:
    check = make("{kind: change, slot: book, on: other, of: code, expect: '0x" + keccak(b"\x60").hex() + "'}")
    assert check.reads(WIRING) == (CodeRead(address(2), "ethereum"),)
    assert Ledger().judge(check).holds is False
    assert Ledger(code=lambda ago: b"\x61").judge(check).holds is True
    assert Ledger(code=lambda ago: b"").judge(check).holds is True
    empty = make("{kind: change, slot: proxy, of: code, ago: 1h}")
    assert Ledger(code=lambda ago: b"").judge(empty).holds is None


def test_any_storage_word_can_be_watched() -> None:
    check = make("{kind: change, slot: proxy, of: storage, position: '0x" + "0" * 63 + "5', ago: 10 blocks}")
    read = check.reads(WIRING)[0]
    assert isinstance(read, StorageRead) and read.position == 5
    assert Ledger(storage=lambda ago: bytes(32)).judge(check).holds is False  # a zero is a value here
    assert Ledger(storage=lambda ago: bytes(31) + bytes([not ago])).judge(check).holds is True


@pytest.mark.parametrize("on", ["", ", on: third"])
def test_a_part_of_no_address_is_unknown(on: str) -> None:
    reading = Ledger().judge(make(f"{{kind: change, slot: book{on}, of: code, ago: 1h}}"))
    assert reading.holds is None and "names no address: `on` is one of ledger, other" in reading.reason


def test_a_pending_operation_is_found_with_its_id_and_target() -> None:
    ledger = Ledger({"getOperationState": 1}, (scheduled(3_600, 1), scheduled(60, 2, 5, delay=7_200)))
    reading = ledger.judge(make(TIMELOCK))
    assert (reading.holds, reading.value) == (True, 2)
    assert reading.found[:2] == (
        Found("operation_id", "bytes32", "0x" + "02" * 32),
        Found("operation_target", "address", address(5)),
    )
    assert reading.found[2] == Found("operation_id", "bytes32", "0x" + "01" * 32)
    calls = f"operation 0x{'02' * 32} calls {address(5)} (0x12345678)"
    assert reading.reason == f"{calls} and may be executed in 1h 59m; 1 more wait: 0x{'01' * 32}"
    assert make(TIMELOCK).finds() == {"operation_id": "bytes32", "operation_target": "address"}


def test_every_pending_operation_is_found_and_so_many_are_named_as_people_read() -> None:
    ledger = Ledger({"getOperationState": 1}, tuple(scheduled(60 * number, number) for number in range(1, 13)))
    reading = ledger.judge(make(TIMELOCK))
    ids = [one.text for one in reading.found if one.name == "operation_id"]
    assert sorted(ids) == [f"0x{number:02x}" * 1 + f"{number:02x}" * 31 for number in range(1, 13)]
    assert reading.reason.startswith(f"operation {ids[0]} ")
    assert f"; 11 more wait: {', '.join(ids[1:9])} and 3 others" in reading.reason


@pytest.mark.parametrize(
    ("state", "holds"),
    [(0, False), (1, True), (2, True), (3, False), (4, None), (True, True), (False, False), ("2", None)],
)
def test_only_waiting_and_ready_operations_matter(state: object, holds: bool | None) -> None:
    reading = Ledger({"getOperationState": state}, (scheduled(60, 1, delay=60),)).judge(make(TIMELOCK))
    assert reading.holds is holds
    if holds:
        assert reading.reason.endswith("may be executed now")


def test_the_states_are_read_in_a_second_round_and_only_of_strangers() -> None:
    allowed = "0x" + "01" * 32
    check = make(TIMELOCK.replace("2d", f"2d, allowed: ['{allowed}'], allow_targets: ['{address(7)}']"))
    events = (scheduled(90, 1, 8), scheduled(80, 2, 7), scheduled(70, 3, 7), scheduled(70, 3, 8, index=1))
    reads, _ = Ledger({"getOperationState": 0}, events).asked(check)
    assert isinstance(reads[0], LogsRead) and reads[0].window == Span(seconds=172_800)
    assert [one.args for one in reads[1:] if isinstance(one, CallRead)] == [(b"\x03" * 32,)]
    mixed = Ledger({"getOperationState": 1}, events).judge(check)
    assert f"{address(7)} (0x12345678), {address(8)} (0x12345678)" in mixed.reason


def test_an_operation_scheduled_again_counts_as_it_is_now() -> None:
    events = (scheduled(90_000, 1, delay=100), scheduled(60, 1, delay=660))
    assert Ledger({"getOperationState": 1}, events).judge(make(TIMELOCK)).reason.endswith("in 10m")


def test_a_state_that_cannot_be_read_is_unknown_unless_another_is_pending() -> None:
    events = (scheduled(90, 1), scheduled(60, 2))

    def one_lost(ago: int, args: tuple[object, ...]) -> object:
        return Missing("it timed out") if args[0] == b"\x01" * 32 else 0

    lost = Ledger({"getOperationState": one_lost}, events).judge(make(TIMELOCK))
    assert (lost.holds, lost.reason) == (None, f"operation 0x{'01' * 32}: it timed out")
    both = Ledger({"getOperationState": lambda ago, args: 1 if one_lost(ago, args) == 0 else Missing("x")}, events)
    assert both.judge(make(TIMELOCK)).reason.endswith("; 1 could not be read")


def test_too_many_operations_are_not_quiet() -> None:
    many = tuple(
        (name, type(log)(log.block, log.timestamp, (at.to_bytes(32, "big"), *log.values[1:])))
        for at in range(300)
        for name, log in [scheduled(60, 1)]
    )
    reads, _ = Ledger({"getOperationState": 3}, many).asked(make(TIMELOCK))
    assert len(reads) == 1 + 257
    reading = Ledger({"getOperationState": 3}, many).judge(make(TIMELOCK))
    assert (reading.holds, reading.reason) == (None, "more than 256 operations were scheduled in 2d")


def test_a_slot_that_is_no_timelock_is_unknown() -> None:
    reading = Ledger().judge(make(TIMELOCK.replace("slot: timelock", "slot: book")))
    assert (reading.holds, reading.reason) == (None, "there is no event book.scheduled")


def test_a_cursed_lane_fires() -> None:
    cursed, fine, lost = (Ledger({"cursed": one}).judge(make(LANE)) for one in (True, False, Missing("it reverted")))
    assert (cursed.holds, cursed.value, fine.holds, lost.holds) == (True, 1, False, None)


def test_a_proxy_upstream_fires_with_its_new_implementation() -> None:
    reading = Ledger(storage=lambda ago: word(OLD) if ago else word(NEW)).judge(make(PROXY))
    assert (reading.holds, reading.found[0]) == (True, Found("new_value", "address", NEW))


@pytest.mark.parametrize(("coming", "holds"), [(103, False), (104, True), (97, False), (96, True), (0, None)])
def test_the_next_price_of_a_delayed_oracle(coming: int, holds: bool | None) -> None:
    assert Ledger({"pool": 100, "debts": coming}).judge(make(NEXT)).holds is holds


def test_one_that_fires_outweighs_one_that_is_unknown() -> None:
    both = make(LANE.replace("]}", ", {what: proxy, slot: proxy, ago: 1h}]}"))
    lost = Missing("it timed out")
    assert Ledger({"cursed": True}, storage=lambda ago: 0).judge(both).holds is True
    assert Ledger({"cursed": lost}, storage=lambda ago: word(OLD)).judge(both).holds is None
    fine = Ledger({"cursed": False}, storage=lambda ago: word(OLD)).judge(both)
    assert (fine.holds, fine.value) == (False, 0) and "; the implementation of proxy is " in fine.reason


def test_what_a_review_needs_is_named() -> None:
    check = make(TIMELOCK.replace("]}", ", {what: proxy, slot: proxy, ago: 1h}]}"))
    assert check.required() == {"timelock": (), "proxy": ()}
    assert check.events() == {"timelock": ("scheduled",)}
    assert make("{kind: change, value: 'book.pool() + book.debts()', ago: 1h}").required() == {
        "book": ("pool", "debts")
    }
    assert [source.source for source, wanted in make(LANE).formulas() if wanted == "truth"] == [
        "book.cursed('0x01000000000000000000000000000001')"
    ]


REFUSED = [
    ("{kind: change, ago: 1h}", "change looks at a `value`, or at `of` a `slot`"),
    ("{kind: change, slot: proxy, ago: 1h}", "change looks at a `value`, or at `of` a `slot`"),
    (IMPLEMENTATION.replace("of:", "value: book.owner(), of:"), "change looks at a `value`"),
    (OWNER.replace("expect", "on: other, expect"), "belong to a `slot`"),
    (OWNER.replace("}'", "}', ago: 1h"), "compares with `expect`, or with what it was `ago`"),
    ("{kind: change, value: book.owner()}", "compares with `expect`, or with what it was `ago`"),
    (IMPLEMENTATION.replace("1h", "0s"), "more than 0s"),
    (IMPLEMENTATION.replace("implementation", "storage"), "`position` is given with `of: storage`"),
    (IMPLEMENTATION.replace("implementation", "code, position: '0x" + "0" * 64 + "'"), "`position` is given with"),
    (IMPLEMENTATION.replace("implementation", "implementaton"), "did you mean 'implementation'"),
    ("{kind: upstream, watch: []}", "watches 1 to 16 things"),
    (TIMELOCK.replace("2d", "0s"), "more than 0s"),
    (TIMELOCK.replace("timelock,", "timelok,", 1), "did you mean 'timelock'"),
    (TIMELOCK.replace("2d", "2d, allowed: ['0x12']"), "32 bytes are 0x and 64 hex digits"),
    (PROXY.replace("ago: 1h", ""), "compares with `expect`, or with what it was `ago`"),
    (NEXT.replace("3%", "0"), "max must be more than 0 bps"),
]


@pytest.mark.parametrize(("text", "problem"), REFUSED, ids=[f"{at}-{one[1][:30]}" for at, one in enumerate(REFUSED)])
def test_parameters_that_make_no_sense_are_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError) as refused:
        make(text)
    assert problem in str(refused.value)


def test_an_unnamed_watch_is_of_a_timelock() -> None:
    check = make("{kind: upstream, watch: [{slot: timelock, window: 2d}]}")
    assert check.events() == {"timelock": ("scheduled",)}


def test_a_slot_with_neither_read_of_a_state_is_unknown() -> None:
    bare = type(SLOTS["timelock"].protocol)(
        protocol="bare",
        source="made up",
        slots=SLOTS["timelock"].protocol.slots,
        events=SLOTS["timelock"].protocol.events,
        place=SLOTS["timelock"].protocol.place,
    )
    wiring = Wiring({"timelock": BoundSlot("timelock", bare, "ethereum", {"timelock": address(3)})})
    reading = Ledger({}, (scheduled(60, 1),)).judge(make(TIMELOCK), wiring)
    assert (reading.holds, reading.reason) == (None, "timelock has no read operation_state, and no operation_pending")
