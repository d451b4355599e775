"""The people and what they need: contacts for every owner, gas to send with, and a runbook that was rehearsed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from incident_cli.chain.answers import quantity
from incident_cli.errors import Unread
from incident_cli.evm import Address
from incident_cli.flows.preflight.item import Item, not_ready, ready
from incident_cli.flows.preflight.safe import SafeSeen
from incident_cli.flows.reading import Reader
from incident_cli.runbook.deployment import Deployment
from incident_cli.runbook.load import LoadedRunbook
from incident_cli.runbook.shipped import shipped_folder
from incident_cli.text import plain
from incident_cli.transport import Json, Request, RpcError
from incident_cli.units import format_duration

GAS = 500_000  # an execution of several calls in one batch, with room: where no simulation says
GAS_FACTOR = 2  # what is done in the incident is never quite what was simulated today
PRICE_FACTOR = 2  # an emergency is when everybody sends
ETHER = 10**18
ANSWER_DAYS = 90  # an answer that is older says little about tonight


@dataclass(frozen=True, slots=True)
class Answers:
    """When each owner last answered a signer drill of this machine, as of `now`."""

    last: Mapping[Address, datetime]
    now: datetime

    def words(self, owner: Address) -> str:
        """How long ago it was. That is told, not judged: who never answered here may have answered elsewhere."""
        if owner not in self.last:
            return "NEVER answered a signer drill here"
        days = max((self.now - self.last[owner]).days, 0)
        when = "today" if not days else f"{days} day{'' if days == 1 else 's'} ago"
        late = f": over {ANSWER_DAYS} days" if days > ANSWER_DAYS else ""
        return f"last answered a signer drill {when}{late}"


def contacts_item(
    name: str, seen: SafeSeen, deployment: Deployment, every_owner: frozenset[Address], answers: Answers
) -> Item:
    """Whether every owner has a contact, and every contact is an owner of a Safe that was looked at; and when each
    owner last answered a drill, which decides nothing."""
    known = {one.owner: one for one in deployment.contacts}
    without = [one for one in seen.owners if one not in known]
    strangers = [f"{one.name} ({one.owner})" for one in deployment.contacts if one.owner not in every_owner]
    problems = []
    if without:
        problems.append(f"nobody knows how to reach the owners {', '.join(without)}")
    if strangers:
        problems.append(f"these contacts are owners of no Safe here: {', '.join(strangers)}")
    if problems:
        return not_ready(name, "; ".join(problems), "Correct `contacts` in the deployment, or the Safe's owners.")
    reach = {one: f"{known[one].name} by {known[one].reach} ({known[one].zone})" for one in seen.owners}
    words = "; ".join(f"{said}, {answers.words(one)}" for one, said in reach.items())
    return ready(name, f"every owner can be reached: {words}")


def gas_item(reader: Reader, deployment: Deployment, owners: Sequence[Address], used: int | None = None) -> Item:
    """Whether a broadcaster or an owner can pay an execution at twice the present gas price; raises Unread.

    `used` is the most gas that a simulated step used; twice as much is reckoned with, a constant where it is None.
    """
    gas = GAS if used is None else used * GAS_FACTOR
    named = {one.address: one.name for one in deployment.broadcasters if one.chain == reader.chain}
    accounts = list(dict.fromkeys((*named, *owners)))
    requests = [Request("eth_gasPrice"), *(Request("eth_getBalance", (one, "latest")) for one in accounts)]
    price, *balances = [number(one) for one in reader.endpoint.exchange(requests)]
    needed = gas * price * PRICE_FACTOR
    able = [one for one, wei in zip(accounts, balances, strict=True) if wei >= needed]
    words = f"{in_ether(needed)} ETH are needed for {gas} gas at {PRICE_FACTOR} times {price} wei"
    words += "" if used is None else f", {GAS_FACTOR} times what the largest step uses in the simulation"
    name = f"gas:{reader.chain}"
    if not able:
        fix = f"Fund one of {', '.join(accounts)}." if accounts else "Add broadcasters to the deployment."
        return not_ready(name, f"nobody can pay for an execution: {words}", fix)
    return ready(name, f"{len(able)} of {len(accounts)} accounts can pay, first {named.get(able[0], able[0])}; {words}")


def number(answer: Json | RpcError) -> int:
    """A quantity; raises Unread where there is none."""
    if isinstance(answer, RpcError):
        raise Unread(f"gas price or a balance could not be read: {answer.message}")
    return quantity(answer)


def in_ether(wei: int) -> str:
    """Wei as a decimal number of ether, nothing rounded away."""
    whole, rest = divmod(wei, ETHER)
    return f"{whole}.{rest:018d}".rstrip("0").rstrip(".")


def rehearsal(loaded: LoadedRunbook) -> str:
    """The command that drills a runbook: a shipped one in the embedded world, another on a fork of its own chain."""
    if loaded.path.parent == shipped_folder():
        return f"incident drill {loaded.runbook.id}"
    return f"incident drill {plain(loaded.path, 200)} --deployment FILE --fork"


def drill_item(loaded: LoadedRunbook, drilled: Mapping[str, datetime], now: datetime) -> Item:
    """When exactly this text was last drilled on this machine, held against how often it should be."""
    runbook = loaded.runbook
    name, every = f"drill-age:{runbook.id}", runbook.meta.drill_every
    last = drilled.get(hashlib.sha256(loaded.document.raw).hexdigest())
    age = None if last is None else int((now - last).total_seconds())
    when = (
        "no drill of exactly this text is recorded here"
        if age is None
        else f"last drilled {format_duration(max(age, 0))} ago"
    )
    if every is None:
        return ready(name, f"{when}; the runbook does not say how often (meta.drill_every)")
    if age is None or age > every:
        return not_ready(name, f"{when}; a drill is due every {format_duration(every)}", rehearsal(loaded))
    return ready(name, f"{when}; a drill is due every {format_duration(every)}")
