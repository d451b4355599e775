"""Random and mutated answers of nodes through a survey: what is not true is Unread or Missing, and nothing is a crash.

A few hundred by default; the campaign is 100,000, and prints what it saw.
"""

from __future__ import annotations

import json
import random
import resource
import time
from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from incident_cli.abi import parse_signature
from incident_cli.chain.nodes import ChainNodes
from incident_cli.chain.survey import survey
from incident_cli.errors import Refused, Unread
from incident_cli.evm import CallRead, LogsRead, Missing, PastRead, Read
from incident_cli.transport import (
    Endpoint,
    Json,
    Request,
    RpcError,
    encode_requests,
    match_answers,
    parse_body,
)
from incident_cli.units import Span
from incident_cli.web import Unusable
from tests.chain.paper import CHAIN_ID, CODE, MOVED, TOKEN, TOTAL, WORD, PaperNode, regular

COUNT, CAMPAIGN = 300, 100_000
SLOWEST_SECONDS, LARGEST_BYTES = 1.0, 200 * 2**20
NAMES = CallRead(TOKEN, parse_signature("names() returns (string[])"))
DEEP = CallRead(TOKEN, parse_signature("deep() returns (uint256[][][])"))
READS: tuple[Read, ...] = (
    TOTAL,
    CODE,
    WORD,
    NAMES,
    DEEP,
    PastRead(TOTAL, Span(seconds=120)),
    PastRead(CODE, Span(blocks=3)),
    LogsRead(TOKEN, MOVED, Span(blocks=5)),
)
Mutation = Callable[[random.Random, Json], Json]


STRANGE: list[Json] = [None, True, 0, -1, 10**400, 1.5, "", "0x", "0xzz", "\x1b[2J", [], {}, [[]], "0x" + "ff" * 5_000]


class Fuzzed:
    """A node whose answers are mutated on the way, as JSON text or as values, with a probability of their own."""

    name = "fuzzed"

    def __init__(self, node: PaperNode, dice: random.Random) -> None:
        self.node, self.dice = node, dice
        self.share = dice.choice([0.02, 0.1, 0.5, 1.0])
        self.texts = dice.random() < 0.3
        self.id = 0

    def exchange(self, requests: Sequence[Request]) -> list[Json | RpcError]:
        ids = range(self.id, self.id + len(requests))
        self.id += len(requests)
        encode_requests(list(ids), requests)
        pairs = zip(ids, self.node.exchange(requests), strict=True)
        objects: list[Json] = [self.object(number, answer) for number, answer in pairs]
        body = json.dumps(objects if len(objects) > 1 else objects[0]).encode()
        if self.texts and self.dice.random() < self.share:
            body = mutated_bytes(self.dice, body)
        try:
            return match_answers(list(ids), parse_body(body))
        except Unusable as problem:
            raise Unread(f"fuzzed {problem.reason}") from None

    def object(self, number: int, answer: Json | RpcError) -> Json:
        if isinstance(answer, RpcError):
            return {"id": number, "error": {"code": answer.code, "message": answer.message}}
        found: Json = {"id": number, "result": answer}
        return mutated(self.dice, found) if self.dice.random() < self.share else found


def mutated_bytes(dice: random.Random, body: bytes) -> bytes:
    """The text with a piece of it changed, doubled or cut."""
    start = dice.randrange(len(body))
    end = min(len(body), start + dice.choice([1, 2, 10, 1_000]))
    piece = dice.choice([b"", dice.randbytes(4), b"[" * 2_000, body[start:end] * 2, b'"', b"9" * 5_000, b"\\ud800"])
    return body[:start] + piece + body[end:]


def mutated(dice: random.Random, value: Json, depth: int = 0) -> Json:
    """The value with something in it changed."""
    if isinstance(value, dict) and value and dice.random() < 0.9:
        key = "result" if "result" in value and dice.random() < 0.9 else dice.choice(list(value))
        if dice.random() < 0.1:
            return {name: one for name, one in value.items() if name != key}
        return {**value, key: mutated(dice, value[key], depth + 1)}
    if isinstance(value, list) and value and dice.random() < 0.8:
        place = dice.randrange(len(value))
        return [*value[:place], mutated(dice, value[place], depth + 1), *value[place + 1 :]]
    if isinstance(value, str) and value.startswith("0x") and dice.random() < 0.8:
        return mutated_hex(dice, value)
    return dice.choice(STRANGE)


def mutated_hex(dice: random.Random, text: str) -> str:
    """Hex with a word, a digit or its length changed; or words that point at themselves."""
    words = [text[start : start + 64] for start in range(2, len(text), 64)] or [""]
    place = dice.randrange(len(words))
    kind = dice.randrange(6)
    if kind == 0:
        words[place] = f"{dice.choice([0, 1, 32, 64, 96, 2**255, 2**256 - 1, 2**32, dice.randrange(4_000)]):064x}"
    elif kind == 1:
        words = words[:place]
    elif kind == 2:
        words = [*words, *words]
    elif kind == 3:
        words[place] = words[place][:-1]
    elif kind == 4:
        words = [f"{dice.choice([0, 32, 64, 200]):064x}" for _ in range(dice.choice([10, 300, 3_000]))]
    else:
        words[place] = f"{dice.getrandbits(256):064x}"
    return "0x" + "".join(words)


def one_round(seed: int) -> str:
    """What became of one round: the name of its ending. A crash is the test's failure."""
    dice = random.Random(seed)
    quorum = dice.random() < 0.2
    spoiled = Fuzzed(PaperNode(regular(60), "spoiled"), dice)
    members: list[Endpoint] = (
        [spoiled, PaperNode(regular(60), "two"), PaperNode(regular(60), "three")] if quorum else [spoiled]
    )
    nodes = ChainNodes(members, "ethereum", CHAIN_ID, 2 if quorum else 1)
    try:
        found = survey({"ethereum": nodes}, "ethereum", READS, seconds=5)
    except (Unread, Refused) as problem:
        assert problem.message.isprintable()
        return type(problem).__name__
    for read in READS:
        answer = found.answers[read]
        assert isinstance(answer, tuple) or (isinstance(answer, Missing) and answer.reason.isprintable()), read
        if quorum and isinstance(answer, tuple) and read not in (NAMES, DEEP):
            assert answer == truth(read), "one spoiled node of three made an untruth"
    missing = sum(isinstance(one, Missing) for one in found.answers.values())
    return f"{'quorum, ' if quorum else ''}{'some missing' if missing > 2 else 'all that can be answered'}"


TRUTH: dict[Read, object] = {}


def truth(read: Read) -> object:
    """What a sound chain answers."""
    if not TRUTH:
        nodes = ChainNodes([PaperNode(regular(60))], "ethereum", CHAIN_ID)
        TRUTH.update(survey({"ethereum": nodes}, "ethereum", READS).answers)
    return TRUTH[read]


def campaign(count: int) -> tuple[Counter[str], float]:
    """The endings of so many rounds, and the seconds of the slowest."""
    endings: Counter[str] = Counter()
    slowest = 0.0
    for seed in range(count):
        begun = time.process_time()
        endings[one_round(seed)] += 1
        slowest = max(slowest, time.process_time() - begun)
    return endings, slowest


def test_a_few_hundred_fuzzed_rounds() -> None:
    endings, _ = campaign(COUNT)
    assert {"Unread", "all that can be answered"} <= set(endings)


@pytest.mark.campaign
def test_a_hundred_thousand_fuzzed_rounds(capsys: pytest.CaptureFixture[str]) -> None:
    truth(TOTAL)
    endings, slowest = campaign(CAMPAIGN)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1_024
    with capsys.disabled():
        print(f"\n{CAMPAIGN:,} rounds: {dict(endings)}; slowest {slowest:.3f} s; {memory / 2**20:.0f} MB")
    assert slowest <= SLOWEST_SECONDS
    assert memory <= LARGEST_BYTES
