"""A first deployment: one chain, a Safe and its contracts as they were read, pinned. Pure text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from incident_cli.evm import Address, keccak, to_hex
from incident_cli.runbook.abi_names import comment, quoted, review

CHAINS = {
    1: "ethereum",
    10: "optimism",
    56: "bnb",
    100: "gnosis",
    137: "polygon",
    8453: "base",
    42161: "arbitrum",
    43114: "avalanche",
    11155111: "sepolia",
}
SECRET_LENGTH = 12  # characters of a part of a path that may be a key
SECRET_LABEL = 24  # of a host's name
COUNCIL = "council"


@dataclass(frozen=True, slots=True)
class Seen:
    """A contract as it was read: the hash of its code, and what a proxy runs (EIP-1967)."""

    address: Address
    codehash: str
    implementation: Address | None = None
    implementation_codehash: str | None = None


@dataclass(frozen=True, slots=True)
class SafeSeen:
    """The Safe as it was read; `version` is text from outside."""

    seen: Seen
    version: str
    owners: tuple[Address, ...]
    threshold: int


@dataclass(frozen=True, slots=True)
class Placed:
    """A contract in the deployment: its protocol, its slot, the levers that the Safe is granted, and the values of the
    parameters that its runbook takes."""

    protocol: str
    slot: str
    seen: Seen
    levers: tuple[str, ...] = ()
    params: Mapping[str, str] = field(default_factory=dict)
    takes_market: bool = False


@dataclass(frozen=True, slots=True)
class Where:
    """The chain, and how its node is reached."""

    chain_id: int
    rpc: str

    @property
    def slug(self) -> str:
        """The deployment's name."""
        return CHAINS.get(self.chain_id, f"chain-{self.chain_id}")

    @property
    def name(self) -> str:
        """The chain's name in the file."""
        return self.slug.replace("-", "_")

    @property
    def variable(self) -> str | None:
        """The variable that holds the node's URL, or None where the URL itself can stand in a file."""
        return f"INCIDENT_RPC_{self.chain_id}" if holds_secret(self.rpc) else None


def holds_secret(url: str) -> bool:
    """Whether a URL seems to hold a credential: a password, a query, or something long in its path or host."""
    parts = urlsplit(url)
    if "@" in parts.netloc or parts.query or parts.fragment:
        return True
    labels = (parts.hostname or "").split(".")
    return any(len(one) >= SECRET_LENGTH for one in parts.path.split("/")) or any(
        len(one) >= SECRET_LABEL for one in labels
    )


def market_name(names: Sequence[str]) -> str:
    """The one market: called like the contract, or MAIN where there are several."""
    return names[0].upper() if len(names) == 1 else "MAIN"


def deployment_text(where: Where, safe: SafeSeen, contracts: Sequence[Placed], market: str) -> str:
    """The deployment."""
    sections = (head(where), slots(where, safe, contracts), markets(contracts, market), pins(where, safe, contracts))
    lines = [line for section in (*sections, authority(contracts), contacts(safe)) for line in section]
    return "\n".join(lines) + "\n"


def head(where: Where) -> Iterator[str]:
    """The chain and its node."""
    yield comment("Written by `incident init`: what stood on the chain then. It pins that, so that a change is seen.")
    yield "schema: incident-deployment/v1"
    yield f"name: {where.slug}"
    yield "chains:"
    if where.variable is not None:
        yield comment(f"The node's URL seems to hold a key: export {where.variable}=… before each command.", 2)
    source = f"env: {where.variable}" if where.variable else f"url: {json.dumps(where.rpc)}"
    yield review("one node can lie or fail: name two more of other providers, and quorum: 2", 2)
    yield f"  {where.name}: {{id: {where.chain_id}, rpc: [{{{source}}}]}}"


def slots(where: Where, safe: SafeSeen, contracts: Sequence[Placed]) -> Iterator[str]:
    """Where everything stands."""
    yield "slots:"
    for one in contracts:
        yield slot(where, one.slot, one.protocol, one.slot, one.seen.address)
    yield comment(f"{safe.threshold} of {len(safe.owners)} owners sign; Safe {safe.version}", 2)
    yield slot(where, COUNCIL, "safe", "safe", safe.seen.address)


def slot(where: Where, name: str, protocol: str, own: str, address: Address) -> str:
    """One slot."""
    return f'  {name}: {{chain: {where.name}, protocol: {protocol}, addresses: {{{own}: "{address}"}}}}'


def markets(contracts: Sequence[Placed], market: str) -> Iterator[str]:
    """The one market, with the values that the runbooks compare with."""
    yield "markets:"
    if any(one.takes_market for one in contracts):
        yield review("the id is made up: what do the contracts call the market? A lever acts on this very id", 2)
    yield f"  {market}:"
    yield f'    id: "{to_hex(keccak(market.encode()))}"'
    params = {name: value for one in contracts for name, value in one.params.items()}
    if params:
        yield "    params:"
        yield from (f"      {name}: {quoted(value)}" for name, value in params.items())


def pins(where: Where, safe: SafeSeen, contracts: Sequence[Placed]) -> Iterator[str]:
    """The code of each contract, and what a proxy runs."""
    yield "pins:"
    for name, seen in (*((one.slot, one.seen) for one in contracts), (COUNCIL, safe.seen)):
        yield f'  - {{name: {name}, chain: {where.name}, address: "{seen.address}",'
        yield f'     codehash: "{seen.codehash}"{"," if seen.implementation else "}"}'
        if seen.implementation is not None:
            yield f'     implementation: "{seen.implementation}",'
            yield f'     implementation_codehash: "{seen.implementation_codehash}"}}'


def authority(contracts: Sequence[Placed]) -> Iterator[str]:
    """What the Safe may pull."""
    levers = [f"{one.slot}.{lever}" for one in contracts for lever in one.levers]
    if levers:
        yield "authority:"
        yield review("may the Safe pull all of these, in an incident of SEV2 or worse, ten minutes apart?", 2)
        yield f"  - {{by: {COUNCIL}, severity: SEV2, cooldown: 10m,"
        yield f"     levers: [{', '.join(levers)}]}}"


def contacts(safe: SafeSeen) -> Iterator[str]:
    """Who signs: an example for each real owner."""
    yield review("who are the owners, how are they reached at 03:00, and where do they sleep? Take away the # signs")
    yield comment("contacts:")
    for number, owner in enumerate(safe.owners, 1):
        yield comment(f'  - {{name: owner-{number}, owner: "{owner}", reach: pager, zone: Europe/Berlin}}')


def is_contract_name(text: str) -> bool:
    """Whether a name can be a protocol's id and, with underscores, a slot's name."""
    return re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", text) is not None and len(text) <= 30
