"""Evidence of an execution: a transaction sent, its receipt, and what the Safe itself says of it.

A status is not an outcome. Only ExecutionSuccess, emitted by the Safe for exactly this safe_tx_hash, in a receipt
whose block is the chain's own, is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from incident_cli.chain.answers import LATEST_BLOCK, hash_text, parse_header, quantity
from incident_cli.errors import Refused, Unread
from incident_cli.evm import ADDRESS, Address, Block, checksummed, hex_bytes, keccak, to_hex
from incident_cli.text import plain
from incident_cli.transport import Endpoint, Json, Request, RpcError

SUCCESS_TOPIC = to_hex(keccak(b"ExecutionSuccess(bytes32,uint256)"))
FAILURE_TOPIC = to_hex(keccak(b"ExecutionFailure(bytes32,uint256)"))
OUTCOMES: Mapping[str, Literal["success", "failure"]] = {SUCCESS_TOPIC: "success", FAILURE_TOPIC: "failure"}
KNOWN_ALREADY = ("already known", "alreadyknown", "known transaction", "already imported", "already exists")
NONCE_SPENT = ("nonce too low", "nonce is too low", "oldnonce", "nonce has already been used")
LOG_RANGE_BLOCKS = 5_000
RANGES_PER_EXCHANGE = 10


@dataclass(frozen=True, slots=True)
class Log:
    """One event: who emitted it, its topics and its data (0x hex, lower case)."""

    address: Address
    topics: tuple[str, ...]
    data: str
    transaction_hash: str
    block_hash: str
    removed: bool


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the node says became of a transaction; nothing in it is believed until it is held against the chain."""

    transaction_hash: str
    status: int | None
    block_number: int
    block_hash: str
    logs: tuple[Log, ...]


@dataclass(frozen=True, slots=True)
class Execution:
    """What is proven about an execution. `problem` says why the evidence does not hold, where it does not."""

    mined: bool
    status: int | None
    safe_outcome: Literal["success", "failure", "absent"]
    block: Block | None
    problem: str = ""

    @property
    def succeeded(self) -> bool:
        """Mined on the chain, with the Safe's own success, and nothing wrong with the evidence."""
        return self.mined and self.status == 1 and self.safe_outcome == "success" and not self.problem


def send_raw(endpoint: Endpoint, raw: bytes) -> str:
    """Send a signed transaction and return its hash. Sending the same one again is no failure.

    Raises Refused where the node rejects it, Unread where the node could not be asked (it may be sent all the same).
    """
    expected = to_hex(keccak(raw))
    answer = endpoint.exchange([Request("eth_sendRawTransaction", (to_hex(raw),))])[0]
    if isinstance(answer, RpcError):
        if not sent_before(endpoint, answer, expected):
            hint = "Nothing was sent: check the broadcaster's balance, nonce and fee."
            raise Refused(f"{endpoint.name} did not take the transaction: {plain(answer.message, 300)}", hint)
    elif not isinstance(answer, str) or answer.lower() != expected:
        shown = plain(answer, 80)
        raise Unread(
            f"{endpoint.name} answered with {shown}, but the transaction is {expected}",
            "Look for its receipt on another node before sending again.",
        )
    return expected


def sent_before(endpoint: Endpoint, refusal: RpcError, transaction_hash: str) -> bool:
    """Whether a refusal means that this very transaction is known or mined."""
    message = refusal.message.lower()
    if any(words in message for words in KNOWN_ALREADY):
        return True
    if not any(words in message for words in NONCE_SPENT):
        return False
    found = receipt(endpoint, "", transaction_hash)
    return found is not None and found.transaction_hash == transaction_hash


def receipt(endpoint: Endpoint, chain: str, transaction_hash: str) -> Receipt | None:
    """The receipt as the node states it, or None where there is none yet; raises Unread where it is malformed."""
    answer = endpoint.exchange([Request("eth_getTransactionReceipt", (transaction_hash,))])[0]
    if answer is None:
        return None
    try:
        return parse_receipt(answer)
    except ValueError as problem:
        raise Unread(
            f"{endpoint.name} gave no readable receipt of {transaction_hash} on {chain}: {problem}", "Try another node."
        ) from None


def parse_receipt(answer: Json | RpcError) -> Receipt:
    """A receipt from JSON; raises ValueError. A status other than a number is None."""
    found = mapping(answer)
    logs = found.get("logs")
    if not isinstance(logs, list):
        raise ValueError("its logs are missing")
    status = found.get("status")
    return Receipt(
        hash_text(found.get("transactionHash")),
        None if status is None else quantity(status),
        quantity(found.get("blockNumber")),
        hash_text(found.get("blockHash")),
        tuple(parse_log(one) for one in logs),
    )


def parse_log(answer: Json | RpcError) -> Log:
    """A log from JSON; raises ValueError."""
    found = mapping(answer)
    address, topics, data = found.get("address"), found.get("topics"), found.get("data")
    if not isinstance(address, str) or not ADDRESS.fullmatch(address):
        raise ValueError("the address of a log is malformed")
    if not isinstance(topics, list) or not isinstance(data, str):
        raise ValueError("a log is malformed")
    return Log(
        checksummed(address),
        tuple(hash_text(topic) for topic in topics),
        to_hex(hex_bytes(data)),
        hash_text(found.get("transactionHash")),
        hash_text(found.get("blockHash")),
        found.get("removed") is True,
    )


def mapping(answer: Json | RpcError) -> Mapping[str, Json]:
    """A JSON object; raises ValueError."""
    if isinstance(answer, RpcError):
        raise ValueError(plain(answer.message, 300))
    if not isinstance(answer, dict):
        raise ValueError("it is no object")
    return answer


def execution_of(endpoint: Endpoint, chain: str, safe: Address, safe_tx_hash: str, transaction_hash: str) -> Execution:
    """What the chain proves about this execution; raises Unread where it could not be asked."""
    found = receipt(endpoint, chain, transaction_hash)
    if found is None:
        return Execution(False, None, "absent", None)
    problem = receipt_problem(found, transaction_hash.lower())
    if problem:
        return Execution(False, found.status, "absent", None, problem)
    answer = endpoint.exchange([Request("eth_getBlockByNumber", (hex(found.block_number), False))])[0]
    block, problem = canonical_block(chain, answer, found)
    if problem:
        return Execution(False, found.status, "absent", None, problem)
    outcome, problem = safe_outcome(found, safe, safe_tx_hash.lower())
    return Execution(True, found.status, outcome, block, problem)


def receipt_problem(found: Receipt, transaction_hash: str) -> str:
    """What is wrong with a receipt by itself, or nothing."""
    if found.transaction_hash != transaction_hash:
        return f"the receipt is of another transaction, {found.transaction_hash}"
    if found.status not in (0, 1):
        return "the receipt states neither success nor failure"
    if found.status == 0 and found.logs:
        return "the receipt states failure and yet holds events"
    place = (found.transaction_hash, found.block_hash)
    if any((log.transaction_hash, log.block_hash) != place or log.removed for log in found.logs):
        return "the receipt holds an event of another transaction or block"
    return ""


def canonical_block(chain: str, answer: Json | RpcError, found: Receipt) -> tuple[Block | None, str]:
    """The chain's own block at the receipt's height, or what is wrong with it."""
    if answer is None:
        return None, f"the chain has no block {found.block_number}, which the receipt names"
    block = parse_header(chain, answer).block
    if (block.number, block.hash) != (found.block_number, found.block_hash):
        return None, f"the receipt's block {found.block_hash} is not on the chain: it was reorganised, or is made up"
    listed = mapping(answer).get("transactions")
    if not isinstance(listed, list) or found.transaction_hash not in [str(one).lower() for one in listed]:
        return None, f"block {block.number} does not hold the transaction"
    return block, ""


def safe_outcome(
    found: Receipt, safe: Address, safe_tx_hash: str
) -> tuple[Literal["success", "failure", "absent"], str]:
    """What the Safe itself emitted for this hash, and what is wrong with it where something is."""
    spoken = [log for log in found.logs if outcome_hash(log) == safe_tx_hash]
    own = [OUTCOMES[log.topics[0]] for log in spoken if log.address.lower() == safe.lower()]
    if len(own) > 1:
        return "absent", "the Safe states more than one outcome for this hash"
    if own:
        return own[0], ""
    if spoken:
        return "absent", f"the outcome was stated by {spoken[0].address}, not by the Safe"
    return "absent", "the transaction was mined, but the Safe states no outcome for this hash" if found.status else ""


def outcome_hash(log: Log) -> str | None:
    """The safe_tx_hash that an outcome is about: its second topic (1.4.0 and later) or its first word of data."""
    if not log.topics or log.topics[0] not in OUTCOMES:
        return None
    if len(log.topics) == 2 and len(log.data) == 2 + 64:
        return log.topics[1]
    if len(log.topics) == 1 and len(log.data) == 2 + 128:
        return log.data[:66]
    return None


def find_execution(endpoint: Endpoint, chain: str, safe: Address, safe_tx_hash: str, from_block: int) -> str | None:
    """The hash of the transaction that executed this hash, with either outcome; None where none did.

    Raises Unread where any range of blocks could not be searched: an unsearched range proves nothing.
    """
    outcomes = find_outcomes(endpoint, chain, safe, from_block)
    return next((log.transaction_hash for log in outcomes if outcome_hash(log) == safe_tx_hash.lower()), None)


def count_executions(endpoint: Endpoint, chain: str, safe: Address, from_block: int) -> int:
    """How many of the Safe's own transactions were executed since a block, whatever they were."""
    return sum(1 for _ in find_outcomes(endpoint, chain, safe, from_block))


def find_outcomes(endpoint: Endpoint, chain: str, safe: Address, from_block: int) -> Iterator[Log]:
    """Every outcome the Safe emitted since a block, oldest first."""
    last = parse_header(chain, endpoint.exchange([LATEST_BLOCK])[0]).block.number
    starts = range(max(from_block, 0), last + 1, LOG_RANGE_BLOCKS)
    for first in range(0, len(starts), RANGES_PER_EXCHANGE):
        some = starts[first : first + RANGES_PER_EXCHANGE]
        requests = [outcome_logs(safe, start, min(start + LOG_RANGE_BLOCKS - 1, last)) for start in some]
        for answer in endpoint.exchange(requests):
            yield from own_outcomes(endpoint, chain, answer, safe)


def outcome_logs(safe: Address, first: int, last: int) -> Request:
    """Every outcome the Safe emitted in these blocks, whichever version it has; the hash is compared here."""
    topics: list[Json] = [[SUCCESS_TOPIC, FAILURE_TOPIC]]
    return Request("eth_getLogs", ({"address": safe, "fromBlock": hex(first), "toBlock": hex(last), "topics": topics},))


def own_outcomes(endpoint: Endpoint, chain: str, answer: Json | RpcError, safe: Address) -> Iterator[Log]:
    """The Safe's own outcomes in one answer; raises Unread where it is no list of events."""
    if not isinstance(answer, list):
        said = plain(answer.message, 300) if isinstance(answer, RpcError) else "no list of events"
        raise Unread(f"{endpoint.name} could not search the events of {chain}: {said}", "Try another node.")
    try:
        logs = [parse_log(one) for one in answer]
    except ValueError as problem:
        raise Unread(f"{endpoint.name} gave an unreadable event of {chain}: {problem}", "Try another.") from None
    own = (log for log in logs if log.address.lower() == safe.lower() and not log.removed)
    return (log for log in own if outcome_hash(log) is not None)
