"""One raw transaction of a broadcaster: sent to every node of its chain, or first to one private node alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

from incident_cli.chain.execution import send_raw
from incident_cli.chain.fees import Unpayable, amount, answered
from incident_cli.chain.parallel import gather
from incident_cli.errors import IncidentError, Misused, Refused, Unread
from incident_cli.evm import Address, keccak, to_hex
from incident_cli.outgoing import Outgoing, outgoing_of, signature_in
from incident_cli.safe.signatures import recover
from incident_cli.transport import HttpEndpoint, Request

if TYPE_CHECKING:
    from incident_cli.flows.multisig.place import Place

SEND_SECONDS = 8.0
PRIVATE_NAME = "the private broadcast node"
NO_MONEY = ("insufficient funds", "insufficient balance", "insufficientfunds")
Whereabouts = Literal["known", "free", "spent"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """A signed transaction: its raw bytes, what they say, and who signed them."""

    raw: bytes
    outgoing: Outgoing
    sender: Address

    @property
    def hash(self) -> str:
        """The transaction's hash, 0x hex."""
        return to_hex(keccak(self.raw))


def attempt_of(raw: bytes) -> Attempt:
    """The attempt of raw bytes that were intended before; raises Misused where they are no EIP-1559 transaction."""
    try:
        outgoing = outgoing_of(raw)
        return Attempt(raw, outgoing, recover(to_hex(outgoing.digest()), signature_in(raw)))
    except (ValueError, Refused):
        problem = "the record of what was to be sent holds no EIP-1559 transaction"
        raise Misused(problem, "Look at it before sending.") from None


def whereabouts(place: Place, attempt: Attempt) -> Whereabouts:
    """`known` to a node, waiting or mined; not known there, and its sender's nonce is still `free` (it can be sent), or
    `spent` (it never can). Raises Unread."""
    endpoint = place.reader.endpoint
    seen, mined = answered(
        endpoint,
        [
            Request("eth_getTransactionByHash", (attempt.hash,)),
            Request("eth_getTransactionCount", (attempt.sender, "latest")),
        ],
    )
    spent = attempt.outgoing.nonce < amount(endpoint.name, mined, "the sender's nonce")
    return "known" if isinstance(seen, dict) else "spent" if spent else "free"


def send_everywhere(place: Place, attempt: Attempt, private_url: str | None = None) -> str:
    """The hash, once a node took it; with `private_url` that node alone is asked.

    Raises Refused where every node rejects it (Unpayable where its sender lacks the money), Unread where it is not
    known to have reached one (it may be on its way all the same).
    """
    try:
        return sent_to_all(place, attempt, private_url)
    except Refused as problem:
        if any(words in problem.message.lower() for words in NO_MONEY):
            raise Unpayable(problem.message, problem.hint) from None
        raise


def sent_to_all(place: Place, attempt: Attempt, private_url: str | None) -> str:
    """The same, without looking at why it is rejected."""
    if private_url is not None:
        return send_raw(HttpEndpoint(private_url, name=PRIVATE_NAME), attempt.raw)
    works: dict[str, Callable[[], str]] = {
        node.name: partial(send_raw, node, attempt.raw) for node in place.reader.nodes.members
    }
    answers = gather(works, SEND_SECONDS, enough=bool)
    problems = [one for one in answers.values() if isinstance(one, IncidentError)]
    if len(problems) < len(answers):
        return attempt.hash
    raise next((one for one in problems if isinstance(one, Unread)), problems[0])


def broadcaster_warning(place: Place, sender: Address) -> str:
    """What to say where the deployment names broadcasters of this chain and the sender is none of them."""
    named = {one.address: one.name for one in place.deployment.broadcasters if one.chain == place.chain}
    if not named or sender in named:
        return ""
    words = ", ".join(f"{name} ({address})" for address, name in named.items())
    return f"{sender} is no broadcaster of {place.chain} in the deployment; those are {words}"
