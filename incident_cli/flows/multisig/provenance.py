"""Who put a transaction into the service and whence, in words: what the service says, and what this machine knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from incident_cli.evm import Address
from incident_cli.flows.multisig.proposing import WITHOUT_INCIDENT, parse_origin
from incident_cli.flows.multisig.queueing import AtNonce
from incident_cli.text import plain


def provenance(proposer: str, origin: str, names: Mapping[Address, str]) -> Iterator[str]:
    """A line for the proposer and one for the origin, where the service states them. `names` are contacts by owner."""
    name = next((name for owner, name in names.items() if owner == proposer), "")
    if proposer:
        yield f"proposed by {proposer}{f' ({plain(name, 80)})' if name else ''}, by the service's word"
    if origin:
        yield f"its origin: {origin_words(origin)}"


def origin_words(origin: str) -> str:
    """Where it says it comes from; anybody may write this into a proposal, so it proves nothing."""
    found = parse_origin(origin)
    if found is not None:
        return f"an incident of this program, runbook hash {found.runbook}…, journal head {found.head}…"
    if origin == WITHOUT_INCIDENT:
        return "this program, by hand and outside an incident"
    return f"as stated, {plain(origin, 200)}"


def prepared_here(at: AtNonce, safe_tx_hash: str) -> Iterator[str]:
    """The incidents of this machine that prepared it: their own journals say so, not the service."""
    for one in at.reserved:
        if one.safe_tx_hash == safe_tx_hash:
            yield f"prepared here: incident {one.incident}, step {one.step}"
