"""What a vault is armed under: who controls the Safe, and the code that its transaction runs, as raw answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from incident_cli.abi import encode_call
from incident_cli.errors import Unread
from incident_cli.evm import Address, Block, Missing, Snapshot, checksummed, keccak
from incident_cli.flows.guarding import CONTROL, PLACES
from incident_cli.flows.pinning.proxies import BEACON_RUNS, BEACON_SLOT, followed, pointers, runs, state_reads
from incident_cli.flows.proposal import SafeState
from incident_cli.flows.reading import Reader
from incident_cli.flows.vault.asking import Answers, Key, ask, fact_request
from incident_cli.safe.hashes import number_word
from incident_cli.safe.vault import Ask, Fact
from incident_cli.transport import Request

TRIES = 3  # at a head that stands still
EMPTY = b""


def observed(reader: Reader, safe: SafeState, addresses: Sequence[Address]) -> tuple[Block, tuple[Fact, ...]]:
    """The block, and every fact as it stands there; raises Unread where one cannot be read."""
    snapshot = reader.read([read for one in addresses for read in state_reads(one)])
    snapshot = followed(reader, snapshot, addresses)
    questions = [*control(safe.address), *(one for address in addresses for one in code(snapshot, address))]
    inner = answered(reader, questions)
    places = {one.name: inner.raw(("fact", one.name)) for one in questions if one.name in PLACES}
    pointed = [checksummed(raw[-20:]) for raw in places.values() if isinstance(raw, bytes) and any(raw[-20:])]
    questions += [question(f"code of {to}", "code", to) for to in pointed]
    unique = list({one.name: one for one in questions}.values())
    answers = answered(reader, unique)
    return answers.block, tuple(fact(one, answers) for one in unique)


def answered(reader: Reader, questions: Sequence[Fact]) -> Answers:
    """The raw answers, all at one block where the head stands still long enough."""
    asks: dict[Key, Request] = {("fact", one.name): fact_request(one) for one in questions}
    for _ in range(TRIES):
        answers = ask(reader.endpoint, reader.chain, reader.chain_id, asks)
        if answers.is_steady:
            return answers
    return answers


def question(name: str, how: Ask, to: Address, key: bytes = EMPTY) -> Fact:
    """A fact whose answer is not known yet."""
    return Fact(name, how, to, key, EMPTY)


def control(safe: Address) -> Iterator[Fact]:
    """Who controls the Safe: its views, and the places in its storage."""
    for name, (view, args) in CONTROL.items():
        if name in PLACES:
            yield question(name, "storage", safe, bytes.fromhex(PLACES[name].removeprefix("0x")))
        else:
            yield question(name, "call", safe, encode_call(view, args))


def code(snapshot: Snapshot, address: Address) -> Iterator[Fact]:
    """The code at an address, and where it is a proxy what it points at and the code there; raises Unread."""
    yield question(f"code of {address}", "code", address)
    held, behind = pointers(snapshot, address), runs(snapshot, address)
    if isinstance(held, Missing) or isinstance(behind, Missing):
        reason = next(one.reason for one in (held, behind) if isinstance(one, Missing))
        raise Unread(f"what {address} runs could not be read: {reason}", "try again, or use another node")
    for position, to in held.items():
        yield question(f"what {address} runs (slot {position:#066x})", "storage", address, number_word(position))
        if position == BEACON_SLOT:
            yield question(f"what the beacon {to} says", "call", to, BEACON_RUNS.selector)
            yield question(f"code of {to}", "code", to)
    yield from (question(f"code of {to}", "code", to) for to in behind)


def fact(asked: Fact, answers: Answers) -> Fact:
    """The fact with its answer; raises Unread where it was not answered."""
    raw = answers.raw(("fact", asked.name))
    if isinstance(raw, Missing):
        raise Unread(f"{asked.name} could not be read: {raw.reason}", "try again, or use another node")
    return Fact(asked.name, asked.ask, asked.to, asked.key, keccak(raw) if asked.ask == "code" else raw)
