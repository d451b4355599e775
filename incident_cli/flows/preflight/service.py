"""The Safe transaction service of a chain: whether it answers, what waits in a Safe's queue, and who may propose.

Facts: GET /api/v1/about/ names itself; /api/v2/safes/{safe}/multisig-transactions/ lists what is not executed from a
nonce on (losers of earlier nonces stay for ever); /api/v2/delegates/ lists who proposes for an owner. Measured against
safe-transaction-service 6.10.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from incident_cli.errors import IncidentError, Misused
from incident_cli.flows.connecting import Environment, connected
from incident_cli.flows.preflight.item import Item, judged, not_ready, ready, waiting
from incident_cli.flows.preflight.safe import SafeSeen
from incident_cli.runbook.deployment import ServiceEntry
from incident_cli.safe.service import TransactionService
from incident_cli.safe.service_records import ServiceTransaction

SHOWN = 5


def service_items(
    chain: str, chain_id: int, entry: ServiceEntry | None, safes: Mapping[str, SafeSeen], environment: Environment
) -> Iterator[Item]:
    """The service of a chain, then each Safe's queue and delegates (`safes` by their names)."""
    name = f"service:{chain}"
    if entry is None:
        yield ready(name, "none is declared: proposals go to files, and signatures are gathered by hand")
        yield from (judged(f"nonce-queue:{safe}", partial(unseen_queue, safe, seen)) for safe, seen in safes.items())
        return
    try:
        service = connected(entry, chain, chain_id, environment)
        about = judged_down(name, service)
    except Misused as problem:
        about = not_ready(name, problem.message, problem.hint)
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


def judged_down(name: str, service: TransactionService) -> Item:
    """Whether it answers as what it should be: that it does not is what this line is about, and known."""
    try:
        about = service.about()
    except IncidentError as problem:
        return not_ready(name, problem.message, problem.hint or "Without it proposals go to files.")
    if about.chain_id not in (None, service.chain_id):
        words = f"it serves the chain with id {about.chain_id}, {service.chain} has id {service.chain_id}"
        return not_ready(name, words, "Correct its URL in the deployment.")
    known = f"chain {service.chain_id}" if about.chain_id is not None else "it does not say for which chain"
    return ready(name, f"it answers: {about.name} {about.version}, {known}")


def queue_item(name: str, service: TransactionService, seen: SafeSeen) -> Item:
    """Whether anything waits at the Safe's nonce or later."""
    nonce = seen.nonce
    waiting_ = [entry_words(one, service.chain_id, seen.version) for one in service.pending(seen.safe.address, nonce)]
    if not waiting_:
        return ready(name, f"nothing waits at nonce {nonce} or later")
    more = f" and {len(waiting_) - SHOWN} more" if len(waiting_) > SHOWN else ""
    words = f"{len(waiting_)} transactions wait at nonce {nonce} or later: {', '.join(waiting_[:SHOWN])}{more}"
    fix = f"Have the owners execute or reject them; a proposal at nonce {nonce} displaces what stands there."
    return not_ready(name, words, fix)


def entry_words(one: ServiceTransaction, chain_id: int, version: str) -> str:
    """`nonce 4: 0x…`, and whether the record is what it claims."""
    try:
        one.safe_tx(chain_id, version)
    except IncidentError:
        return f"nonce {one.nonce}: a record that is not the {one.safe_tx_hash} it claims to be"
    return f"nonce {one.nonce}: {one.safe_tx_hash}"


def delegates_item(name: str, service: TransactionService, seen: SafeSeen) -> Item:
    """Who may propose, and whether each does so for somebody who still is an owner."""
    owners, listed = set(seen.owners), service.delegates(seen.safe.address)
    orphans = [f"{one.delegate} for {one.delegator}" for one in listed if one.delegator not in owners]
    if orphans:
        return not_ready(name, f"delegates of accounts that are no owners: {', '.join(orphans)}", "Remove them.")
    words = [f"{one.delegate} for {one.delegator}" for one in listed]
    return ready(
        name, f"{len(words)} delegates may propose: {', '.join(words)}" if words else "no delegate may propose"
    )
