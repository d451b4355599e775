"""A deployment: the chains and addresses of a runbook's slots, its tokens, benchmarks and markets.

The same runbook serves live, fork and drill; only this file differs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from incident_cli.binding import ADDRESS, BYTES32_KIND, IDENTIFIER, INTEGER, SLUG, Binder, Kind, matching, one_of
from incident_cli.document import Document, Place, Text, read_document
from incident_cli.evm import Address
from incident_cli.levers.authority import Grant
from incident_cli.runbook.kinds import MARKET
from incident_cli.runbook.model import Dotted, Duration, Severity, Slug, Words
from incident_cli.units import Token, parse_span

SCHEMA = "incident-deployment/v1"
MOST_DEPTH = 1_000  # blocks; more is hours on most chains
ENVIRONMENT_NAME = matching("variable", re.compile(r"[A-Z][A-Z0-9_]{0,79}"), "a variable is named like INCIDENT_RPC_1A")
TOKEN_SYMBOL = matching("token", re.compile(r"[A-Za-z][A-Za-z0-9.+-]{0,15}"), "a token is named like USDC")
Name = Annotated[str, IDENTIFIER]
Integer = Annotated[int, INTEGER]
AnAddress = Annotated[Address, ADDRESS]


def parse_url(text: str) -> str:
    """An http or https URL."""
    if not re.fullmatch(r"https?://[!-~]{1,2000}", text):
        raise ValueError("a URL begins with http:// or https://")
    return text


def parse_benchmark_url(text: str) -> str:
    """An https URL without a credential in it; plain http only to this machine."""
    if not re.fullmatch(r"(https://|http://(127\.0\.0\.1|localhost)(:[0-9]{1,5})?/)[!-~]{1,2000}", text):
        raise ValueError("a benchmark is read over https:// (http:// only from 127.0.0.1)")
    if "@" in text.split("/")[2]:
        raise ValueError("a benchmark's URL holds no user name or password")
    return text


def parse_pointer(text: str) -> str:
    """A JSON pointer (RFC 6901) such as /data/price."""
    if not re.fullmatch(r"(/[!-.0-~]{0,80}){1,8}", text):
        raise ValueError("a JSON pointer is needed, such as /data/price")
    return text


def parse_zone(text: str) -> str:
    """The name of a time zone, such as Europe/Berlin."""
    if not re.fullmatch(r"[A-Za-z0-9_+-]{1,32}(/[A-Za-z0-9_+-]{1,32}){0,2}", text):
        raise ValueError("a time zone is named like Europe/Berlin, or UTC")
    return text


def parse_depth(text: str) -> int:
    """A number of blocks, such as `12 blocks`."""
    span = parse_span(text)
    if span.seconds or span.blocks > MOST_DEPTH:
        raise ValueError(f"finality is a number of blocks up to {MOST_DEPTH}, such as 12 blocks")
    return span.blocks


URL = Kind("url", parse_url)
DEPTH = Kind("depth", parse_depth)
ZONE = Kind("time zone", parse_zone)
BENCHMARK_URL = Kind("url", parse_benchmark_url)
POINTER = Kind("pointer", parse_pointer)


@dataclass(frozen=True, slots=True, kw_only=True)
class RpcSource:
    """Where a node's URL comes from: a variable of the environment (it may hold a credential), or the file."""

    env: Annotated[str, ENVIRONMENT_NAME] | None = None
    url: Annotated[str, URL] | None = None

    def __post_init__(self) -> None:
        if (self.env is None) is (self.url is None):
            raise ValueError("a node is either {env: NAME} or {url: …}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A chain: its id, its nodes in order of preference, how many must agree, and how many blocks must lie on an
    execution before it counts."""

    id: Integer
    rpc: tuple[RpcSource, ...]
    quorum: Integer = 1
    finality: Annotated[int, DEPTH] = 0

    def __post_init__(self) -> None:
        if not self.rpc:
            raise ValueError("a chain needs at least one node")
        if not 1 <= self.quorum <= len(self.rpc):
            raise ValueError(f"quorum is from 1 to the number of nodes, here {len(self.rpc)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenEntry:
    """A token on its chain."""

    chain: Name
    address: AnAddress
    decimals: Integer
    place: Place

    def __post_init__(self) -> None:
        if not 0 <= self.decimals <= 36:
            raise ValueError("decimals are from 0 to 36")


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotEntry:
    """A slot's chain, and the addresses of its protocol's own slots."""

    chain: Name
    addresses: Mapping[Name, AnAddress]
    protocol: Slug | None = None
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkEntry:
    """A number from an HTTPS JSON service; naming it here is what allows its host. `time` points at its own time."""

    url: Annotated[str, BENCHMARK_URL]
    pointer: Annotated[str, POINTER]
    time: Annotated[str, POINTER] | None = None
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketEntry:
    """What choosing a market binds together: its id, its slots, its benchmarks and its own parameters."""

    id: Annotated[str, BYTES32_KIND]
    slots: Mapping[Name, SlotEntry] = field(default_factory=dict)
    benchmarks: Mapping[Name, BenchmarkEntry] = field(default_factory=dict)
    params: Mapping[Name, Text] = field(default_factory=dict)
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class PinEntry:
    """A contract as it was when somebody looked: the hash of its code, and what it runs where it is a proxy of any kind
    that is known. `incident pin` writes these; behind a beacon, `implementation_codehash` covers the beacon's address
    and the code."""

    name: Words
    chain: Name
    address: AnAddress
    codehash: Annotated[str, BYTES32_KIND]
    implementation: AnAddress | None = None
    implementation_codehash: Annotated[str, BYTES32_KIND] | None = None
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """Where a service's key comes from: a variable of the environment. Signing keys never do."""

    env: Annotated[str, ENVIRONMENT_NAME]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceEntry:
    """The Safe transaction service of a chain."""

    url: Annotated[str, URL]
    credential: Credential | None = None
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantEntry:
    """What one Safe may do; see `levers/authority.py`."""

    by: Name
    levers: tuple[Dotted, ...]
    severity: Severity = "SEV5"
    cooldown: Duration = 0
    longest: Duration | None = None
    place: Place

    def grant(self) -> Grant:
        """As the rules take it."""
        return Grant(self.by, self.levers, self.severity, self.cooldown, self.longest)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactEntry:
    """A person who signs: which owner they are, how they are reached, and where they sleep (an IANA time zone)."""

    name: Words
    owner: AnAddress
    reach: Words
    zone: Annotated[str, ZONE] = "UTC"
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class BroadcasterEntry:
    """An account that can send a signed transaction and pay its gas."""

    name: Words
    chain: Name
    address: AnAddress
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One deployment file."""

    schema: Annotated[str, one_of("schema", SCHEMA)]
    name: Annotated[str, SLUG]
    chains: Mapping[Name, Chain]
    tokens: Mapping[Annotated[str, TOKEN_SYMBOL], TokenEntry] = field(default_factory=dict)
    slots: Mapping[Name, SlotEntry]
    benchmarks: Mapping[Name, BenchmarkEntry] = field(default_factory=dict)
    markets: Mapping[Annotated[str, MARKET], MarketEntry] = field(default_factory=dict)
    pins: tuple[PinEntry, ...] = ()
    services: Mapping[Name, ServiceEntry] = field(default_factory=dict)
    authority: tuple[GrantEntry, ...] = ()
    contacts: tuple[ContactEntry, ...] = ()
    broadcasters: tuple[BroadcasterEntry, ...] = ()
    place: Place

    @property
    def grants(self) -> tuple[Grant, ...]:
        """Who may do what; none: only the chain's own roles say so."""
        return tuple(one.grant() for one in self.authority)

    def token_units(self) -> dict[str, Token]:
        """Symbol → token, for amounts."""
        return {symbol: Token(symbol, entry.decimals) for symbol, entry in self.tokens.items()}


def load_deployment(path: Path) -> tuple[Deployment, Document]:
    """Read a deployment; raises WrongFile with every problem."""
    document = read_document(path)
    return sound(document), document


def sound(document: Document) -> Deployment:
    """The deployment of a document; raises WrongFile with every problem."""
    deployment: Deployment | None = Binder(document).root(Deployment)
    if deployment is not None:
        chains_exist(deployment, document)
        markets_differ(deployment, document)
        safes_differ(deployment, document)
        authority_exists(deployment, document)
    document.refuse_if_wrong()
    assert deployment is not None, "a document without problems binds"
    return deployment


def chains_exist(deployment: Deployment, document: Document) -> None:
    """Every chain that is named is declared."""
    entries: list[TokenEntry | SlotEntry | PinEntry | BroadcasterEntry] = [*deployment.tokens.values()]
    entries += [*deployment.slots.values(), *deployment.pins, *deployment.broadcasters]
    entries += [slot for market in deployment.markets.values() for slot in market.slots.values()]
    named = [(entry.chain, entry.place) for entry in entries]
    named += [(chain, service.place) for chain, service in deployment.services.items()]
    for chain, place in named:
        if chain not in deployment.chains:
            document.wrong(place, "unknown-chain", f"{chain!r} is no chain of this deployment")


def safes_differ(deployment: Deployment, document: Document) -> None:
    """No chain on which a Safe stands has two names: one Safe would be taken for two."""
    slots = [
        *deployment.slots.values(),
        *(one for market in deployment.markets.values() for one in market.slots.values()),
    ]
    ids: dict[int, str] = {}
    for slot in slots:
        chain = deployment.chains.get(slot.chain)
        if chain is not None and "safe" in slot.addresses and ids.setdefault(chain.id, slot.chain) != slot.chain:
            words = f"{slot.chain} has the id {chain.id} of {ids[chain.id]}: one Safe would be taken for two"
            document.wrong(slot.place, "duplicate-id", words)


def authority_exists(deployment: Deployment, document: Document) -> None:
    """Whoever is granted something is a slot of this deployment, and so is what its levers act on."""
    slots = {*deployment.slots, *(name for market in deployment.markets.values() for name in market.slots)}
    for entry in deployment.authority:
        for name in (entry.by, *(one.partition(".")[0] for one in entry.levers)):
            if name not in slots:
                document.wrong(entry.place, "unknown-slot", f"{name!r} is no slot of this deployment")
    granted_once(deployment, document)


def granted_once(deployment: Deployment, document: Document) -> None:
    """One grant for each lever of a Safe, whatever its slots are called: with two, nobody could say which one holds."""
    seen: dict[tuple[object, str], GrantEntry] = {}
    for entry in deployment.authority:
        named = deployment.slots.get(entry.by)
        safe: object = entry.by if named is None else (named.chain, tuple(sorted(named.addresses.items())))
        for lever in entry.levers:
            first = seen.setdefault((safe, lever), entry)
            if first is not entry or entry.levers.count(lever) > 1:
                message = f"{lever} is granted to this Safe twice ({first.by} and {entry.by})"
                document.wrong(entry.place, "duplicate-grant", message, "one grant for each lever of a Safe")


def markets_differ(deployment: Deployment, document: Document) -> None:
    """No two markets share an id, or a name but for its case: one would be contained for the other."""
    ids: dict[str, str] = {}
    names: dict[str, str] = {}
    for name, market in deployment.markets.items():
        same_id, same_name = ids.setdefault(market.id.lower(), name), names.setdefault(name.casefold(), name)
        if same_id != name:
            document.wrong(market.place, "duplicate-id", f"{name} has the id of {same_id}")
        if same_name != name:
            document.wrong(market.place, "duplicate-name", f"{name} and {same_name} differ only by case")
