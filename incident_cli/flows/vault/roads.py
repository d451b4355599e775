"""The nodes that a fire goes through: all are asked at once, and the first sound answer counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from incident_cli.chain.execution import send_raw
from incident_cli.chain.parallel import gather
from incident_cli.errors import IncidentError, Refused, Unread
from incident_cli.flows.vault.asking import Answers, Key, ask
from incident_cli.transport import Endpoint, Request

SECONDS = 8.0
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Roads:
    """Nodes of the vault's chain, and a private one (or none) that is sent to before them."""

    public: tuple[Endpoint, ...]
    private: Endpoint | None = None

    def ask(self, chain: str, chain_id: int, asks: Mapping[Key, Request]) -> Answers:
        """The first sound answers; raises Refused where nodes only serve another chain, Unread where none answers."""
        return self.first(lambda endpoint: ask(endpoint, chain, chain_id, asks))

    def first(self, work: Callable[[Endpoint], Found]) -> Found:
        """What the first node gives for which the work succeeds; raises what the others say where none does."""
        works = {place: lambda one=one: work(one) for place, one in enumerate(self.public)}
        outcomes = gather(works, SECONDS, lambda found: bool(found), tuple(works))
        problems: list[IncidentError] = []
        for one in outcomes.values():
            if not isinstance(one, IncidentError):
                return one
            problems.append(one)
        refusal = next((one for one in problems if isinstance(one, Refused)), None)
        if refusal is not None:
            raise refusal
        words = "; ".join(dict.fromkeys(one.message for one in problems))
        raise Unread(f"no node answered: {words}", "give another node with --rpc; run the same command again")

    def send(self, raw: bytes, *, privately: bool) -> str:
        """Send a signed transaction to every node at once, or only to the private one; its hash.

        Raises Refused where every node refuses it, Unread where it may be on its way all the same.
        """
        nodes = (self.private,) if privately and self.private is not None else self.public
        works = {place: lambda one=one: send_raw(one, raw) for place, one in enumerate(nodes)}
        outcomes = gather(works, SECONDS, lambda found: bool(found), tuple(works))
        sent = next((one for one in outcomes.values() if isinstance(one, str)), None)
        if sent is not None:
            return sent
        problems = [one for one in outcomes.values() if isinstance(one, IncidentError)]
        words = "; ".join(dict.fromkeys(one.message for one in problems))
        if all(isinstance(one, Refused) for one in problems):
            raise Refused(words, problems[0].hint)
        raise Unread(f"it may have been sent: {words}", "run the same command again: it looks for it first")
