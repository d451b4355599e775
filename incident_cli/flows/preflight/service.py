"""The Safe transaction service of a chain: whether it answers, what waits in a Safe's queue, and who may propose.

Facts: GET /api/v1/about/ names itself; /api/v2/safes/{safe}/multisig-transactions/ lists what is not executed from a
nonce on (losers of earlier nonces stay for ever); /api/v2/delegates/ lists who proposes for an owner. Measured against
safe-transaction-service 6.10.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from incident_cli.errors import IncidentError, Misused, Unread
from incident_cli.evm import checksummed
from incident_cli.flows.connecting import Environment
from incident_cli.flows.preflight.item import Item, judged, not_ready, ready, waiting
from incident_cli.flows.preflight.safe import SafeSeen
from incident_cli.runbook.deployment import ServiceEntry
from incident_cli.strict_json import parse_json
from incident_cli.text import plain
from incident_cli.transport import Json
from incident_cli.web import MEBIBYTE, Road, Unusable, is_loopback, parse_url, request_headers

SECONDS = 9.0
LISTED = 200  # the most that the service gives at once
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Service:
    """A service of one chain, read within a deadline and a cap; redirects, retries and proxies are off."""

    chain: str
    entry: ServiceEntry
    environment: Environment

    @property
    def name(self) -> str:
        """How messages call it; never its URL."""
        return f"the transaction service of {self.chain}"

    def get(self, path: str) -> Json:
        """The JSON of one GET below the service's URL; raises Misused, or Unread where it does not answer."""
        target, credential = parse_url(f"{self.entry.url.rstrip('/')}{path}", self.name)
        host = urlsplit(target).hostname or ""
        if urlsplit(target).scheme != "https" and not is_loopback(host):
            raise Misused(f"the URL of {self.name} is not https://", "Only one on this machine may be without TLS.")
        headers = request_headers({**credential, **self.key()}, self.name)
        try:
            return parse_json(Road(SECONDS / 3, SECONDS * 2 / 3, MEBIBYTE).send("GET", target, headers))
        except Unusable as problem:
            raise Unread(f"{self.name} {problem.reason}", "Look at its URL and its key in the deployment.") from None
        except ValueError:
            raise Unread(f"{self.name} did not answer with JSON", "Look at its URL in the deployment.") from None

    def key(self) -> dict[str, str]:
        """The header that carries the key; raises Misused where its variable is not set."""
        if self.entry.credential is None:
            return {}
        value = self.environment(self.entry.credential.env)
        if value is None:
            name = self.entry.credential.env
            raise Misused(f"{self.name} needs a key, and {name} is not set", f"export {name}=…")
        return {"authorization": f"Bearer {value}"}


def service_items(
    chain: str, chain_id: int, entry: ServiceEntry | None, safes: Mapping[str, SafeSeen], environment: Environment
) -> Iterator[Item]:
    """The service of a chain, then each Safe's queue and delegates (`safes` by their names)."""
    name = f"service:{chain}"
    if entry is None:
        yield ready(name, "none is declared: proposals go to files, and signatures are gathered by hand")
        yield from (judged(f"nonce-queue:{safe}", partial(unseen_queue, safe, seen)) for safe, seen in safes.items())
        return
    service = Service(chain, entry, environment)
    about = judged_down(name, service, chain_id)
    yield about
    for safe, seen in safes.items():
        for kind, look in (("nonce-queue", queue_item), ("delegates", delegates_item)):
            own = f"{kind}:{safe}"
            if about.status != "ready":
                yield waiting(own, [name])
            else:
                yield judged(own, partial(look, own, service, seen))


def unseen_queue(safe: str, seen: SafeSeen) -> Item:
    """Where no service is declared, none of the deployment's proposals wait in one; what owners do elsewhere is not
    seen."""
    words = "no service: a queue cannot be seen from here. Ask the owners whether they sign something else at nonce"
    return ready(f"nonce-queue:{safe}", f"{words} {seen.nonce}")


def judged_down(name: str, service: Service, chain_id: int) -> Item:
    """Whether it answers as what it should be: that it does not is what this line is about, and known."""
    try:
        found, served = service.get("/api/v1/about/"), chain_served(service)
    except IncidentError as problem:
        return not_ready(name, problem.message, problem.hint or "Without it proposals go to files.")
    if not isinstance(found, dict) or not isinstance(found.get("version"), str):
        return not_ready(name, "what answers is no transaction service", "Correct its URL in the deployment.")
    if served not in (None, chain_id):
        words = f"it serves the chain with id {served}, {service.chain} has id {chain_id}"
        return not_ready(name, words, "Correct its URL in the deployment.")
    known = f"chain {chain_id}" if served is not None else "it does not say for which chain"
    return ready(name, f"it answers: {plain(found.get('name', ''), 60)} {plain(found['version'], 20)}, {known}")


def chain_served(service: Service) -> int | None:
    """The id of the chain that the service's own node is on; None where it does not say, as not every one does."""
    try:
        found = service.get("/api/v1/about/ethereum-rpc/")
    except Unread:
        return None
    said = found.get("chain_id") if isinstance(found, dict) else None
    return said if type(said) is int else None


def queue_item(name: str, service: Service, seen: SafeSeen) -> Item:
    """Whether anything waits at the Safe's nonce or later."""
    nonce, safe = seen.nonce, seen.safe.address
    path = (
        f"/api/v2/safes/{safe}/multisig-transactions/?executed=false&nonce__gte={nonce}&ordering=nonce&limit={LISTED}"
    )
    waiting_ = [entry_words(one) for one in results(service, path)]
    if not waiting_:
        return ready(name, f"nothing waits at nonce {nonce} or later")
    more = f" and {len(waiting_) - SHOWN} more" if len(waiting_) > SHOWN else ""
    words = f"{len(waiting_)} transactions wait at nonce {nonce} or later: {', '.join(waiting_[:SHOWN])}{more}"
    fix = f"Have the owners execute or reject them; a proposal at nonce {nonce} displaces what stands there."
    return not_ready(name, words, fix)


def entry_words(one: Mapping[str, Json]) -> str:
    """`nonce 4: 0x…`."""
    return f"nonce {plain(one.get('nonce'), 30)}: {plain(one.get('safeTxHash'), 80)}"


def delegates_item(name: str, service: Service, seen: SafeSeen) -> Item:
    """Who may propose, and whether each does so for somebody who still is an owner."""
    owners, listed = set(seen.owners), results(service, f"/api/v2/delegates/?safe={seen.safe.address}&limit={LISTED}")
    words = [f"{plain(one.get('delegate'), 60)} for {plain(one.get('delegator'), 60)}" for one in listed]
    orphans = [
        shown for one, shown in zip(listed, words, strict=True) if checksummed(str(one.get("delegator"))) not in owners
    ]
    if orphans:
        return not_ready(name, f"delegates of accounts that are no owners: {', '.join(orphans)}", "Remove them.")
    return ready(
        name, f"{len(words)} delegates may propose: {', '.join(words)}" if words else "no delegate may propose"
    )


def results(service: Service, path: str) -> list[dict[str, Json]]:
    """The entries of a list; raises Unread where it is none."""
    found = service.get(path)
    listed = found.get("results") if isinstance(found, dict) else None
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise Unread(f"{service.name} answered something else than a list", "Look at its URL and version.")
    return [one for one in listed if isinstance(one, dict)]
