"""Whether each lever may be pulled: the role on chain and its end, the deployment's authority, the delay, and what a
Safe may do beyond what the runbooks need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from incident_cli.errors import IncidentError, Refused
from incident_cli.evm import CallRead, Snapshot
from incident_cli.expression import Expression, Value
from incident_cli.flows.moments import moment
from incident_cli.flows.pinning.places import slot_name
from incident_cli.flows.preflight.ground import Pulled, elsewhere
from incident_cli.flows.preflight.item import Item, judged, not_ready, ready, unknown
from incident_cli.flows.preflight.safe import SafeAt
from incident_cli.levers.authority import forbidden
from incident_cli.levers.lever import known
from incident_cli.levers.pull import Pull, Standing
from incident_cli.runbook.bind import Bound
from incident_cli.units import format_duration

SOON_SECONDS = 7 * 86_400  # a role that ends sooner is renewed before it is needed
RENEW = "Have governance renew or grant the role; without it the call reverts."
LATER = "it depends on a value that a check finds in the incident"


def lever_items(one: Pulled, snapshot: Snapshot) -> Iterator[Item]:
    """Everything about one lever of a step."""
    yield judged(one.id("authority"), lambda: authority_item(one))
    yield judged(one.id("role"), lambda: role_item(one, snapshot))
    role = one.pull.definition.role
    if role is not None and role.until is not None:
        yield judged(one.id("role-expiry"), lambda: expiry_item(one, snapshot))
    if one.pull.definition.is_delayed:
        yield judged(one.id("delay"), lambda: delay_item(one, snapshot))


def authority_item(one: Pulled) -> Item:
    """Whether the deployment lets this Safe pull it in an incident as severe as the runbook's."""
    grants, severity = one.bound.deployment.grants, one.bound.runbook.meta.severity
    problem = forbidden(grants, one.step.contain.by, one.lever, severity)
    if problem:
        return not_ready(one.id("authority"), problem, "Grant it under `authority` in the deployment, or correct `by`.")
    words = f"granted for a {severity}" if grants else "the deployment grants nothing: the chain's roles alone decide"
    return ready(one.id("authority"), words)


def role_item(one: Pulled, snapshot: Snapshot) -> Item:
    """Whether the chain says that the Safe holds the role."""
    name, role = one.id("role"), one.pull.definition.role
    if role is None:
        return ready(name, "its protocol file names no role: only the simulation tells")
    if depends(one.pull, role.when, one.unfound):
        return ready(name, f"{role.when.source}: {LATER}")
    if worth(one.pull, role.when, snapshot) is not True:
        return not_ready(name, f"{one.pull.by} does not hold it: {role.when.source} does not hold", RENEW)
    return ready(name, f"{one.pull.by} holds it: {role.when.source}")


def expiry_item(one: Pulled, snapshot: Snapshot) -> Item:
    """Whether the role lasts, by the time of the chain."""
    name, role = one.id("role-expiry"), one.pull.definition.role
    assert role is not None and role.until is not None, "only a role that ends has this item"
    if depends(one.pull, role.until, one.unfound):
        return ready(name, f"{role.until.source}: {LATER}")
    until, now = worth(one.pull, role.until, snapshot), snapshot.block.timestamp
    if isinstance(until, bool) or not isinstance(until, int):
        raise Refused(f"{role.until.source!r} is no time", "Correct the protocol file.")
    if until == 0:
        return ready(name, "it does not end")
    if until <= now:
        return not_ready(name, f"it has ended: {moment(until)}", RENEW)
    if until - now < SOON_SECONDS:
        return not_ready(name, f"it ends in {format_duration(until - now)}: {moment(until)}", RENEW)
    return ready(name, f"it lasts until {moment(until)}")


def ends_later(one: Pulled, snapshot: Snapshot) -> bool:
    """Whether its role is there at the block: without an end, or with one that lies ahead; unread is no."""
    role = one.pull.definition.role
    if role is None or role.until is None or depends(one.pull, role.until, one.unfound):
        return True
    try:
        until = worth(one.pull, role.until, snapshot)
    except IncidentError:
        return False
    return isinstance(until, int) and (until == 0 or until > snapshot.block.timestamp)


def delay_item(one: Pulled, snapshot: Snapshot) -> Item:
    """How long the call must wait, held against the step's deadline."""
    name, delay, deadline = one.id("delay"), one.pull.definition.delay, one.step.deadline
    assert delay is not None and delay.seconds is not None, "only a lever that may wait has this item"
    if depends(one.pull, delay.seconds, one.unfound):
        return ready(name, f"{delay.seconds.source}: {LATER}")
    seconds = worth(one.pull, delay.seconds, snapshot)
    if isinstance(seconds, bool) or not isinstance(seconds, int):
        raise Refused(f"{delay.seconds.source!r} is no delay in seconds", "Correct the protocol file.")
    if seconds == 0:
        return ready(name, "it is made at once")
    words = f"it must be scheduled and then waits {format_duration(seconds)}"
    if deadline is not None and seconds > deadline:
        fix = "Have governance shorten the delay for this Safe, or give the step a deadline that can be met."
        return not_ready(name, f"{words}, but the step must be done within {format_duration(deadline)}", fix)
    return ready(name, words)


def formula_reads(pull: Pull, formula: Expression) -> dict[str, CallRead]:
    """The reads that a formula names."""
    names = {one.removeprefix("before.") for one in formula.names} & set(pull.slot.protocol.reads)
    return {name: pull.read(name) for name in names}


def role_reads(pull: Pull) -> list[CallRead]:
    """The reads of its role, none where it has none or they take arguments that are not known here."""
    role = pull.definition.role
    formulas = [] if role is None else [role.when, *([role.until] if role.until else [])]
    try:
        return [read for one in formulas for read in formula_reads(pull, one).values()]
    except (LookupError, IncidentError):
        return []


def worth(pull: Pull, formula: Expression, snapshot: Snapshot) -> Value:
    """A formula's value now; raises Unread where a read is missing, Refused where it does not fit."""
    reads = formula_reads(pull, formula)
    values = {name: known(pull, name, snapshot.value(read)) for name, read in reads.items()}
    return Standing(pull, values).formula(formula)


def depends(pull: Pull, formula: Expression, names: frozenset[str]) -> bool:
    """Whether a formula, or a read that it names, takes one of these arguments."""
    mentioned = {one.removeprefix("before.") for one in formula.names}
    kinds = pull.slot.protocol.reads
    for name in mentioned & set(kinds):
        mentioned |= kinds[name].fixed_names | {one.name for one in kinds[name].parameters}
    return bool(mentioned & names)


def spare_pulls(bounds: Sequence[Bound], needed: frozenset[str], safe: SafeAt) -> dict[str, Pull]:
    """Every lever with a role on the Safe's chain that no given runbook has it pull, by `slot.lever`."""
    found: dict[str, Pull] = {}
    for bound in bounds:
        for slot in bound.slots.values():
            name = slot_name(bound.deployment, bound.market.name, slot.name)
            for lever, definition in slot.protocol.levers.items():
                key = f"{name}.{lever}"
                if slot.chain == safe.chain and definition.role is not None and key not in needed:
                    found.setdefault(key, elsewhere(bound, slot.name, lever, safe))
    return found


def power_item(safe: SafeAt, bounds: Sequence[Bound], spare: Mapping[str, Pull], snapshot: Snapshot) -> Item:
    """What the Safe may do on chain that no runbook given needs and no authority grants."""
    name, grants = f"over-privilege:{safe.name}", bounds[0].deployment.grants
    slot = safe.name.partition("@")[0]
    granted = {lever for one in grants if one.by == slot for lever in one.levers}
    held, unseen = holdings(spare, snapshot)
    beyond = [one for one in held if f"{spare[one].slot.name}.{spare[one].name}" not in granted]
    if beyond and grants:
        fix = "Give it a runbook that needs this, grant it under `authority`, or have governance take the role away."
        return not_ready(name, f"it may also pull {', '.join(beyond)}, which no runbook given needs", fix)
    if unseen:
        return unknown(name, f"it could not be seen whether it may pull {', '.join(unseen)}")
    if held:
        allowed = "the deployment grants" if grants else "nothing in the deployment limits"
        return ready(name, f"beyond what the runbooks given need, it may pull {', '.join(held)}: {allowed} it")
    return ready(name, "it may pull nothing that the runbooks given do not need")


def holdings(spare: Mapping[str, Pull], snapshot: Snapshot) -> tuple[list[str], list[str]]:
    """The levers whose role is held, and those of which it could not be seen; one that depends on arguments is
    neither."""
    held: list[str] = []
    unseen: list[str] = []
    for name, pull in spare.items():
        role = pull.definition.role
        absent = frozenset(pull.definition.args) - frozenset(pull.args)
        if role is None or depends(pull, role.when, absent):
            continue
        try:
            if worth(pull, role.when, snapshot) is True:
                held.append(name)
        except IncidentError:
            unseen.append(name)
    return held, unseen
