"""Events as people write them: their topic, their values, and texts that are none."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_cli.abi import SignatureError, encode
from incident_cli.abi_events import EventSignature, parse_event
from incident_cli.evm import checksummed, keccak

TRANSFER = "Transfer(address indexed from, address indexed to, uint256 value)"
TRANSFER_TOPIC = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
ONE, TWO = checksummed(b"\x01" * 20), checksummed(b"\x02" * 20)


def words(*values: bytes) -> list[bytes]:
    return [value.rjust(32, b"\0") for value in values]


def test_a_known_event() -> None:
    event = parse_event(TRANSFER)
    assert (event.name, event.canonical, event.topic) == (
        "Transfer",
        "Transfer(address,address,uint256)",
        TRANSFER_TOPIC,
    )
    assert [one.indexed for one in event.inputs] == [True, True, False]
    assert parse_event("event " + TRANSFER) == event
    assert parse_event(TRANSFER.replace("(address", "( address").replace(", ", " ,  ")) == event


def test_its_values_come_in_the_order_of_the_signature() -> None:
    event = parse_event("Moved(uint256 before, address indexed who, bool flag, int64 indexed step)")
    topics = [*words(bytes.fromhex(event.topic[2:]), bytes.fromhex(ONE[2:])), (-5).to_bytes(32, "big", signed=True)]
    assert event.decode(topics, encode(["uint256", "bool"], [7, True])) == (7, ONE, True, -5)
    assert event.topic_of("who", ONE) == "0x" + topics[1].hex()
    assert event.topic_of("step", -5) == "0x" + topics[2].hex()
    assert [event.position(name) for name in ("before", "who", "flag", "step")] == [0, 1, 2, 3]


@pytest.mark.parametrize("kind", ["string", "bytes", "uint256[]", "uint256[2]", "(uint256,bool)", "(string)[]"])
def test_an_indexed_value_of_no_fixed_size_is_its_hash(kind: str) -> None:
    event = parse_event(f"Said({kind} indexed what, uint256 when)")
    digest = keccak(b"hello")
    assert event.decode([bytes.fromhex(event.topic[2:]), digest], encode(["uint256"], [1])) == (digest, 1)
    with pytest.raises(ValueError, match="static type"):
        event.topic_of("what", "hello")


def test_a_tuple_keeps_its_commas_together() -> None:
    event = parse_event("Filled((address maker, (uint256 a, bool b)[2] legs) order, bytes32 indexed id, string note)")
    assert event.canonical == "Filled((address,(uint256,bool)[2]),bytes32,string)"
    assert [(one.name, one.indexed) for one in event.inputs] == [("order", False), ("id", True), ("note", False)]
    order = (ONE, ((1, True), (2, False)))
    data = encode([event.inputs[0].type, "string"], [order, "n"])
    assert event.decode([bytes.fromhex(event.topic[2:]), b"\x07" * 32], data) == (order, b"\x07" * 32, "n")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Transfer",
        "Transfer(",
        "Transfer)",
        ")(",
        "Transfer(address)",
        "Transfer(address indexed)",
        "Transfer(nothing x)",
        "Transfer(address indexed a, address indexed b, address indexed c, address indexed d)",
        "Transfer(uint256 a) returns (uint256)",
        "Transfer(uint256 a) anonymous",
        "Transfer(uint256 a,)",
        "Transfer(,uint256 a)",
        "Transfer(uint256 a))",
        "Transfer((uint256 indexed a) b)",
        "Transfer(uint256 a, uint256 a)",
        "Transfer(uint256 indexed indexed a)",
        "Transfer(indexed uint256 a)",
        "event event Transfer(uint256 a)",
        "Tr\u0430nsfer\u202e(uint256 a)",
        "T(" + "(" * 500 + ")" * 500 + ")",
        "T(" + "uint256 a," * 500 + "uint256 b)",
    ],
)
def test_what_is_no_event_says_so(text: str) -> None:
    with pytest.raises(SignatureError):
        parse_event(text)


@settings(max_examples=300)
@given(st.text(alphabet="Tab(),[]0123456789 indexeduintbytes32\u202e\n", max_size=60) | st.text(max_size=40))
def test_any_text_is_an_event_or_a_signature_error(text: str) -> None:
    try:
        event = parse_event(text)
    except SignatureError:
        return
    assert parse_event(source(event)) == event


def source(event: EventSignature) -> str:
    """The event as text."""
    inputs = (f"{one.type} {'indexed ' if one.indexed else ''}{one.name}" for one in event.inputs)
    return f"{event.name}({', '.join(inputs)})"


simple = st.sampled_from(
    [
        ("uint256", st.integers(0, 2**256 - 1)),
        ("int128", st.integers(-(2**127), 2**127 - 1)),
        ("bool", st.booleans()),
        ("address", st.binary(min_size=20, max_size=20).map(checksummed)),
        ("bytes4", st.binary(min_size=4, max_size=4)),
        ("bytes32", st.binary(min_size=32, max_size=32)),
    ]
)


@settings(max_examples=100)
@given(st.lists(st.tuples(simple, st.booleans()), max_size=6), st.data())
def test_what_is_logged_is_what_is_decoded(
    kinds: list[tuple[tuple[str, st.SearchStrategy[object]], bool]], data: st.DataObject
) -> None:
    flags = [flag and sum(one for _, one in kinds[: place + 1]) <= 3 for place, (_, flag) in enumerate(kinds)]
    values = [data.draw(strategy) for (_, strategy), _ in kinds]
    inputs = [
        f"{kind} {'indexed ' if flag else ''}v{place}"
        for place, (((kind, _), _), flag) in enumerate(zip(kinds, flags, strict=True))
    ]
    event = parse_event(f"Logged({', '.join(inputs)})")
    topics = [bytes.fromhex(event.topic[2:])]
    topics += [
        encode([kind], [value]) for ((kind, _), _), value, flag in zip(kinds, values, flags, strict=True) if flag
    ]
    rest = [(kind, value) for ((kind, _), _), value, flag in zip(kinds, values, flags, strict=True) if not flag]
    body = encode([kind for kind, _ in rest], [value for _, value in rest])
    assert event.decode(topics, body) == tuple(values)
    with pytest.raises(ValueError, match="no Logged"):
        event.decode([*topics, bytes(32)], body)
    with pytest.raises(ValueError, match="no Logged"):
        event.decode([bytes(32), *topics[1:]], body)


@settings(max_examples=200)
@given(st.lists(st.binary(max_size=40), max_size=5), st.binary(max_size=200))
def test_any_log_decodes_or_is_a_value_error(topics: list[bytes], data: bytes) -> None:
    event = parse_event("E(address indexed a, bool indexed b, string c, uint8[] d)")
    for some in (topics, [bytes.fromhex(event.topic[2:]), *topics]):
        try:
            found = event.decode(some, data)
        except ValueError:
            continue
        assert len(found) == 4


def test_a_dirty_topic_is_no_address() -> None:
    event = parse_event(TRANSFER)
    topics = [bytes.fromhex(TRANSFER_TOPIC[2:]), b"\xff" * 32, words(b"\x02" * 20)[0]]
    with pytest.raises(ValueError, match="address"):
        event.decode(topics, bytes(32))
