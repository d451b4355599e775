"""What is asked of the chain about a vault, as one batch, and the answers as they came. No codec is loaded for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from incident_cli.abi import encode_call
from incident_cli.chain.answers import LATEST_BLOCK, QUANTITY, parse_header
from incident_cli.errors import Refused, Unread
from incident_cli.evm import Address, Block, Missing, hex_bytes, to_hex
from incident_cli.safe.execution_data import execution_data
from incident_cli.safe.hashes import number_word
from incident_cli.safe.vault import Effect, Fact, Rung, Vault, packed
from incident_cli.text import plain
from incident_cli.transport import Endpoint, Json, Request, RpcError

NONCE = bytes.fromhex("affed0e0")  # nonce()
NONCE_SLOT = 5  # of every Safe since 1.0.0: after the singleton, modules, owners, their number and the threshold
PROBE_NONCE = 0xA5A5A5  # what nonce() answers only where a node honours an override of storage
MOST_AT_ONCE = 90
Key = tuple[str, ...]
Reply = Json | RpcError
CHAIN, NONCE_KEY, PROBE = ("chain",), ("nonce",), ("probe",)


@dataclass(frozen=True, slots=True)
class Answers:
    """What a node answered to one batch, by key. `block` is the head; `is_steady` that it did not move meanwhile, so
    that everything is of that block; `header` is the head's as the node gave it."""

    block: Block
    is_steady: bool
    header: Reply
    replies: Mapping[Key, Reply]

    def raw(self, key: Key) -> bytes | Missing:
        """The bytes of an answer."""
        answer = self.replies.get(key)
        if isinstance(answer, RpcError):
            return Missing(plain(answer.message, 200))
        try:
            return hex_bytes(answer) if isinstance(answer, str) else Missing("it was not answered")
        except ValueError as problem:
            return Missing(plain(problem, 200))

    def number(self, key: Key) -> int | Missing:
        """A quantity, or the one word of a view."""
        answer = self.replies.get(key)
        if isinstance(answer, str) and QUANTITY.fullmatch(answer):
            return int(answer, 16)
        return Missing(plain(answer.message, 200) if isinstance(answer, RpcError) else "it was not answered")


def ask(endpoint: Endpoint, chain: str, chain_id: int, asks: Mapping[Key, Request]) -> Answers:
    """All answers of one node, with the chain's id and head among them; raises Unread, Refused for another chain.

    One exchange for up to 90 questions. The head is asked first and last: what lies between two heads is of no block.
    """
    keys, whole = list(asks), {CHAIN: Request("eth_chainId"), **asks}
    pending, replies, heads = [CHAIN, *keys], dict[Key, Reply](), list[Reply]()
    while pending:
        some, pending = pending[:MOST_AT_ONCE], pending[MOST_AT_ONCE:]
        answers = endpoint.exchange([LATEST_BLOCK, *(whole[key] for key in some), LATEST_BLOCK])
        heads += [answers[0], answers[-1]]
        replies |= dict(zip(some, answers[1:-1], strict=True))
        require_chain(endpoint.name, replies[CHAIN], chain_id)
    blocks = [parse_header(chain, one).block for one in heads]
    return Answers(blocks[-1], len(set(blocks)) == 1, heads[-1], replies)


def require_chain(name: str, answer: Reply, chain_id: int) -> None:
    """Raises Refused for another chain, Unread where the node does not say which it serves."""
    if not isinstance(answer, str) or not QUANTITY.fullmatch(answer):
        raise Unread(f"{name} does not say which chain it serves", "Try another node.")
    if int(answer, 16) != chain_id:
        raise Refused(
            f"{name} serves the chain {int(answer, 16)}, and the vault is for {chain_id}",
            "nothing was sent; give --rpc a node of that chain",
        )


def call(to: Address, data: bytes, sender: Address | None = None) -> dict[str, Json]:
    """The object of an eth_call."""
    return {**({"from": sender} if sender else {}), "to": to, "data": to_hex(data)}


def fact_request(fact: Fact) -> Request:
    """What a fact asks."""
    if fact.ask == "call":
        return Request("eth_call", (call(fact.to, fact.key), "latest"))
    if fact.ask == "storage":
        return Request("eth_getStorageAt", (fact.to, to_hex(fact.key), "latest"))
    return Request("eth_getCode", (fact.to, "latest"))


def standing_asks(vault: Vault, markets: Iterable[str]) -> Iterator[tuple[Key, Request]]:
    """The Safe's nonce, every fact, and whether these markets are contained."""
    yield NONCE_KEY, Request("eth_call", (call(vault.safe, NONCE), "latest"))
    yield from ((("fact", one.name), fact_request(one)) for one in vault.facts)
    for market in markets:
        yield from effect_asks(market, vault.target(market).effects)


def effect_asks(market: str, effects: Iterable[Effect], at: str = "latest") -> Iterator[tuple[Key, Request]]:
    """The reads that prove a market contained, at a block (hex number, or `latest`)."""
    for place, effect in enumerate(effects):
        read = effect.expectation.read
        data = encode_call(read.signature, read.args)
        yield ("effect", market, str(place)), Request("eth_call", (call(read.to, data), at))


def execution_of(vault: Vault, rung: Rung) -> bytes:
    """Calldata that execute a rung with the signatures of the owners at arming; the contract says who still counts."""
    return execution_data(rung.tx, packed(rung, vault.owners, vault.threshold))


def trial_asks(vault: Vault, rungs: Iterable[Rung], sender: Address) -> Iterator[tuple[Key, Request]]:
    """Each rung executed as it would be now, and its gas: it succeeds only where it is its nonce's turn."""
    for one in rungs:
        made = call(vault.safe, execution_of(vault, one), sender)
        yield ("run", one.safe_tx_hash), Request("eth_call", (made, "latest"))
        yield ("gas", one.safe_tx_hash), Request("eth_estimateGas", (made, "latest"))


def later_asks(vault: Vault, rungs: Iterable[Rung], sender: Address) -> Iterator[tuple[Key, Request]]:
    """Each rung executed as if its nonce's turn had come, and the probe whether the node can do that."""
    yield PROBE, Request("eth_call", (call(vault.safe, NONCE), "latest", at_nonce(vault.safe, PROBE_NONCE)))
    for one in rungs:
        made = call(vault.safe, execution_of(vault, one), sender)
        yield ("later", one.safe_tx_hash), Request("eth_call", (made, "latest", at_nonce(vault.safe, one.tx.nonce)))


def at_nonce(safe: Address, nonce: int) -> Json:
    """A state override: the Safe at another nonce."""
    words: dict[str, Json] = {to_hex(number_word(NONCE_SLOT)): to_hex(number_word(nonce))}
    return {safe: {"stateDiff": words}}
