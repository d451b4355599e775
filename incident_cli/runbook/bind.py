"""A runbook bound to a deployment and a market: every slot has addresses, every parameter a typed value."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Annotated

from incident_cli.binding import Binder, Given, did_you_mean
from incident_cli.checks.check import Check, Wiring
from incident_cli.document import Document, Text
from incident_cli.errors import Misused, Refused
from incident_cli.evm import Address, BenchmarkRead, hex_bytes
from incident_cli.expression import Expression
from incident_cli.protocols.slot import BoundSlot, Market
from incident_cli.runbook.deployment import Deployment, SlotEntry
from incident_cli.runbook.kinds import FIXED_BYTES, VALUE_KINDS
from incident_cli.runbook.legs import legs_of
from incident_cli.runbook.load import LoadedRunbook, parse_parameter
from incident_cli.runbook.model import ContainStep, LeverCall, RestoreStep, Runbook, Step, VerifyStep
from incident_cli.runbook.steps import bind_check, bind_step, found_samples
from incident_cli.units import UNIT_WORDS, parse_amount


@dataclass(frozen=True, slots=True)
class Bound:
    """Everything a walk needs to know before it reads the chain."""

    loaded: LoadedRunbook
    deployment: Deployment
    document: Document
    market: Market
    scope: Mapping[str, Given]
    slots: Mapping[str, BoundSlot]
    checks: Mapping[str, Check]
    chain: str

    @property
    def runbook(self) -> Runbook:
        """The runbook."""
        return self.loaded.runbook

    @property
    def wiring(self) -> Wiring:
        """What the names of its checks and expressions stand for."""
        values = {name: self.typed(given.kind, given.value) for name, given in self.scope.items()}
        entries = {**self.deployment.benchmarks, **self.deployment.markets[self.market.name].benchmarks}
        benchmarks = {name: BenchmarkRead(name, one.url, one.pointer, one.time or "") for name, one in entries.items()}
        return Wiring(self.slots, values, benchmarks, self.deployment.token_units())

    @property
    def markets(self) -> dict[str, Market]:
        """Every market of the deployment."""
        return {name: Market(name, hex_bytes(entry.id)) for name, entry in self.deployment.markets.items()}

    def slot_at(self, name: str, market: Market) -> BoundSlot:
        """A slot as another market of the deployment binds it."""
        return bind_slot(self.loaded, self.deployment, market, name)

    def typed(self, kind: str, value: object) -> object:
        """A bound value as a lever or an expression takes it: markets and amounts are resolved."""
        if kind == "market" and isinstance(value, str):
            return choose_market(self.deployment, value)
        if kind == "amount" and isinstance(value, str):
            return amount(self.deployment, value)
        return hex_bytes(value) if kind in FIXED_BYTES and isinstance(value, str) else value

    def lever_args(self, call: LeverCall, found: Mapping[str, Given] = MappingProxyType({})) -> dict[str, object]:
        """The typed arguments of a lever call, defaults included; `found` are the values that checks came upon."""
        refuse_unfound(call, found)
        slot, _, name = call.lever.partition(".")
        document = Document(self.loaded.document.name, self.loaded.document.raw)
        binder, values = Binder(document, {**self.scope, **found}), {}
        for argument, definition in self.slots[slot].protocol.levers[name].args.items():
            node = call.args.entries[argument].value if argument in call.args.entries else None
            node = node or Text(definition.default or "", definition.place)
            value = binder.try_bind(Annotated[object, VALUE_KINDS[definition.type]], node)
            values[argument] = self.typed(definition.type, value)
        document.refuse_if_wrong()
        return values

    def words(self, template: str) -> str:
        """A whole-value `{name}` as the text people type; other text as it is."""
        if template.startswith("{") and template[1:-1] in self.scope:
            return str(self.scope[template[1:-1]].value)
        return template


def refuse_unfound(call: LeverCall, found: Mapping[str, Given]) -> None:
    """Raises Refused where an argument is a value that no check has found."""
    for name, entry in call.args.entries.items():
        said = entry.value.value if isinstance(entry.value, Text) else ""
        if said.startswith("{checks.") and said[1:-1] not in found:
            raise Refused(
                f"{call.lever} takes its {name} from {said}, but that check has found none",
                "judge the check again; nothing was prepared",
            )


def choose_market(deployment: Deployment, name: str) -> Market:
    """The market of that name; raises Misused naming those there are."""
    entry = deployment.markets.get(name)
    if entry is None:
        known = ", ".join(deployment.markets) or "none"
        raise Misused(
            f"the deployment {deployment.name} has no market {name!r}{did_you_mean(name, deployment.markets)}",
            f"choose one with --market: {known}",
        )
    return Market(name, hex_bytes(entry.id))


def amount(deployment: Deployment, text: str) -> object:
    """An amount in base units of a token of the deployment; raises Misused."""
    try:
        return parse_amount(text, deployment.token_units())
    except ValueError as problem:
        raise Misused(f"{text!r}: {problem}", "name the token in the deployment's tokens") from problem


def bind(
    loaded: LoadedRunbook, deployment: Deployment, document: Document, market: str, given: Mapping[str, str]
) -> Bound:
    """Bind a runbook; raises Misused where the market, a parameter or a slot is missing or wrong."""
    chosen = choose_market(deployment, market)
    scope = parameters(loaded.runbook, deployment, chosen, given)
    slots = {name: bind_slot(loaded, deployment, chosen, name) for name in loaded.runbook.slots}
    own = Document(loaded.document.name, loaded.document.raw)
    checks = {
        name: check
        for name, one in loaded.runbook.checks.items()
        if (check := bind_check(own, one.kind, one.parameters, scope)) is not None
    }
    binder = Binder(own, {**scope, **found_samples(checks)})
    steps = tuple(step for table in loaded.runbook.tables if (step := bind_step(binder, table)) is not None)
    own.refuse_if_wrong()
    for name, check in checks.items():
        refuse_unlisted(name, check, {**deployment.benchmarks, **deployment.markets[chosen.name].benchmarks})
    for formula in [*formulas_of_checks(checks.values()), *formulas_of_steps(steps)]:
        refuse_unknown_tokens(formula, deployment, slots)
    loaded = replace(loaded, runbook=replace(loaded.runbook, steps=steps))
    return Bound(loaded, deployment, document, chosen, scope, slots, checks, chain_of(steps, slots))


def refuse_unlisted(name: str, check: Check, listed: Mapping[str, object]) -> None:
    """Raises Misused where a check reads a benchmark that the deployment does not list."""
    for one in check.benchmarks():
        if one not in listed:
            raise Misused(
                f"the check {name} reads the benchmark {one!r}, which the deployment does not list"
                f"{did_you_mean(one, listed)}",
                "add it under `benchmarks:`, or under the market: naming it there is what allows its host",
            )


def formulas_of_checks(checks: Iterable[Check]) -> Iterator[Expression]:
    """Every expression that checks evaluate."""
    return (formula for check in checks for formula, _ in check.formulas())


def formulas_of_steps(steps: Iterable[Step]) -> Iterator[Expression]:
    """Every expression of steps."""
    for step in steps:
        if step.when is not None:
            yield step.when
        if isinstance(step, VerifyStep):
            yield from step.verify
        if isinstance(step, RestoreStep) and step.requires is not None:
            yield step.requires


def refuse_unknown_tokens(formula: Expression, deployment: Deployment, slots: Mapping[str, BoundSlot]) -> None:
    """Raises Misused where an expression counts in a token that the deployment does not have."""
    for text in formula.amounts:
        amount(deployment, text)
    for mention in formula.reads:
        slot, _, read = mention.name.partition(".")
        unit = slots[slot].protocol.reads[read].unit
        if unit is not None and unit not in UNIT_WORDS and unit not in deployment.tokens:
            raise Misused(
                f"{mention.name} is counted in {unit}, which is no token of the deployment {deployment.name}",
                f"add {unit} under `tokens:` with its address and decimals",
            )


def chain_of(steps: Sequence[Step], slots: Mapping[str, BoundSlot]) -> str:
    """The incident's own chain, by whose blocks it is timed: where its first Safe or authority stands, else its first
    slot. Raises Misused where a call stands on a chain on which its step has no Safe."""
    for step in steps:
        if isinstance(step, ContainStep):
            legs_of(step, slots)
    acting = (name for step in steps for name in acting_slots(step))
    first = next(acting, None)
    return slots[first].chain if first is not None else next(iter(slots.values())).chain


def acting_slots(step: Step) -> tuple[str, ...]:
    """The slots that a step acts through."""
    if isinstance(step, ContainStep):
        return step.authorities
    return (step.by,) if isinstance(step, RestoreStep) else ()


def parameters(runbook: Runbook, deployment: Deployment, market: Market, given: Mapping[str, str]) -> dict[str, Given]:
    """Every parameter's value: from the command, else from the market, else its default."""
    unknown = sorted(set(given) - set(runbook.params))
    if unknown:
        raise Misused(
            f"{unknown[0]!r} is no parameter of {runbook.id}{did_you_mean(unknown[0], runbook.params)}",
            f"parameters: {', '.join(runbook.params) or 'none'}",
        )
    own = {name: node.value for name, node in deployment.markets[market.name].params.items()}
    scope: dict[str, Given] = {}
    for name, parameter in runbook.params.items():
        text = given.get(name, own.get(name, parameter.default))
        if parameter.type == "market":
            same_market(name, given.get(name, market.name), market)
            scope[name] = Given("market", market)
        elif text is None:
            raise Misused(f"the parameter {name} has no value", f"give it with --param {name}=VALUE")
        else:
            scope[name] = Given(parameter.type, checked(name, runbook, deployment, text))
    return scope


def same_market(name: str, said: str, market: Market) -> None:
    """A market is chosen once; raises Misused where the parameter says another one."""
    if said != market.name:
        raise Misused(
            f"the parameter {name} says {said!r}, but the chosen market is {market.name}",
            "choose the market with --market alone: it binds the feeds and limits too",
        )


def checked(name: str, runbook: Runbook, deployment: Deployment, text: str) -> object:
    """A parameter's typed value; raises Misused."""
    try:
        value = parse_parameter(name, runbook.params[name], text)
    except ValueError as problem:
        raise Misused(str(problem), f"correct --param {name}=… or the market's params") from problem
    return amount(deployment, text) if runbook.params[name].type == "amount" else value


def bind_slot(loaded: LoadedRunbook, deployment: Deployment, market: Market, name: str) -> BoundSlot:
    """A slot with its addresses: the market's own before the deployment's; raises Misused where one is missing."""
    declared = loaded.runbook.slots[name]
    protocol = loaded.catalog.find(declared.protocol)
    assert protocol is not None, "a sound runbook's protocols were found"
    entry: SlotEntry | None = deployment.markets[market.name].slots.get(name) or deployment.slots.get(name)
    if entry is None:
        raise Misused(
            f"the deployment {deployment.name} does not bind the slot {name!r} of {loaded.runbook.id}",
            f"add it under `slots:`, or under the market {market.name} where it differs by market:"
            f" {name}: {{chain: {next(iter(deployment.chains), 'NAME')},"
            f" addresses: {{{', '.join(f'{one}: 0x…' for one in protocol.given_slots)}}}}}",
        )
    missing = sorted(set(protocol.given_slots) - set(entry.addresses))
    extra = sorted(set(entry.addresses) - set(protocol.slots))
    if missing or extra:
        words = f"needs {', '.join(missing)}" if missing else f"has no {', '.join(extra)}"
        raise Misused(
            f"the deployment {deployment.name}, slot {name!r}: {protocol.protocol} {words}",
            f"give exactly these addresses: {', '.join(protocol.given_slots)}",
        )
    return BoundSlot(name, protocol, entry.chain, {key: Address(value) for key, value in entry.addresses.items()})


def runbook_hash(bound: Bound) -> str:
    """SHA-256 (hex) over the raw runbook, its protocol files, the deployment, the market and the parameters."""
    catalog = bound.loaded.catalog
    used = {slot.protocol.protocol for slot in bound.slots.values()}
    parts = {
        "runbook": hashlib.sha256(bound.loaded.document.raw).hexdigest(),
        "protocols": {name: hashlib.sha256(catalog.documents[name].raw).hexdigest() for name in sorted(used)},
        "deployment": hashlib.sha256(bound.document.raw).hexdigest(),
        "market": bound.market.name,
        "params": {name: str(given.value) for name, given in sorted(bound.scope.items())},
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
