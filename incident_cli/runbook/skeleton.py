"""A first runbook for somebody to fill in: sound as it is written, with the order of steps that a response needs."""

from __future__ import annotations

from incident_cli.binding import IDENTIFIER_FORM, SLUG_FORM, did_you_mean
from incident_cli.errors import Misused
from incident_cli.expression import Expression
from incident_cli.protocols.catalog import Catalog
from incident_cli.protocols.definitions import LeverDefinition
from incident_cli.protocols.protocol import Protocol
from incident_cli.runbook.model import PARAMETER_TYPES
from incident_cli.text import plain

DEFAULT_PROTOCOL = "drill-exchange"
MODELINE = "# yaml-language-server: $schema=schema.json\n"
PLAIN_ANSWERS = ("True", "False")
LINE = 100  # a longer call stands on several lines
PREFERENCE = ("market", "function", "protocol")
TEMPLATE = """{modeline}# {id}: what to do at 03:00. It is sound as it stands; replace what says TODO, look at each
# value, and bind each slot below in your deployment file. The words: incident explain KIND|VERB|CODE.
# Whole guide: runbooks/README.md of the package.
schema: incident/v1
id: {id}
title: "TODO: what goes wrong, in one line"
meta:
  owner: "TODO: the team that answers for this runbook"
  severity: SEV2          # SEV1 (worst) to SEV5
  status: draft           # stable, once it has been drilled
  # drill_every: 30d      # from then on `lint` says when a drill is due

# What is given when it is used. What is contained never has a default.
params:
{params}
# The contracts it speaks of; a deployment file gives each its chain and addresses.
slots:
  {slot}: {{protocol: {protocol}}}
  feed: {{protocol: chainlink-feed}}
  council: {{protocol: safe}}          # proposes the containment
  governance: {{protocol: timelock}}   # reopens

# What it looks at. `incident explain` lists the kinds of check.
checks:
  stale:
    kind: oracle_staleness
    slot: feed
    heartbeat: 1h         # TODO: what this feed promises
    for: 36s              # it must hold that long before it fires
    summary: "{{feed}}"
    false_positives:
      - "TODO: what else looks like this, and how to tell."

# What a person walks, in order. `incident explain VERB` says what each can hold.
steps:
  - {{id: detect, check: [stale], marks: detected}}
  - {{id: confirm, check: [stale], retry: {{max: 4, every: 12s}}, on_quiet: goto stand_down, on_unknown: ask}}
  - id: declare
    ask: "TODO: Is it real, and do you take the lead?"
    role: incident_leader
    on_no: goto stand_down
    marks: acknowledged
    deadline: 10m
  - id: act               # {does}
    when: firing(stale)
    contain:
      by: council
      calls:
        - {call}
{confirm}    deadline: 15m
  - {{id: prove, verify: ["{proof}"], timeout: 5m, marks: contained}}
  - {{id: cause, manual: "TODO: find the cause, and see that it is mended. Write down what you saw.", evidence: text}}
{restore}  - {{id: stand_down, only_by_goto: true, manual: "Record why this was a false alarm.", evidence: text}}
"""


def skeleton(name: str, protocol_name: str | None, catalog: Catalog, *, with_schema: bool = False) -> str:
    """The text of a new runbook; raises Misused where the id or the protocol does not serve."""
    if not SLUG_FORM.fullmatch(name):
        raise Misused(f"{plain(name, 80)!r} is no id of a runbook", "an id is kebab-case, such as feed-stopped")
    protocol = find_protocol(protocol_name or DEFAULT_PROTOCOL, catalog)
    slot = slot_name(protocol.protocol)
    lever_name, lever = chosen_lever(protocol)
    by = "council" if lever.undo is not None and lever.undo.by == "same" else "governance"
    restore = f"""  - {{id: reopen, restore: act, by: {by}, requires: "quiet_for(stale, '30m')", marks: recovered}}\n"""
    return TEMPLATE.format(
        modeline=MODELINE if with_schema else "",
        id=name,
        params=params(lever),
        slot=slot,
        protocol=protocol.protocol,
        does=plain(lever.does, 72),
        call=call(slot, lever_name, lever),
        confirm='    confirm: {type: "this cannot be undone"}\n' if lever.irreversible else "",
        proof=proof(slot, protocol, lever),
        restore="" if lever.irreversible else restore,
    )


def find_protocol(name: str, catalog: Catalog) -> Protocol:
    """The protocol of that name; raises Misused naming those there are."""
    names = catalog.names()
    found = catalog.find(name) if name in names else None
    if found is None:
        looked = " and ".join(plain(one, 300) for one in catalog.folders)
        hint = f"looked in {looked}; protocols there: {', '.join(names)}"
        raise Misused(f"there is no sound protocol file {plain(name, 80)}.yaml{did_you_mean(name, names)}", hint)
    return found


def slot_name(protocol: str) -> str:
    """A name for the slot: `drill-exchange` is `exchange`, `compound-v3` is `compound_v3`."""
    name = protocol.removeprefix("drill-").replace("-", "_")[:40]
    taken = ("feed", "council", "governance")
    return name if IDENTIFIER_FORM.fullmatch(name) and name not in taken else "target"


def chosen_lever(protocol: Protocol) -> tuple[str, LeverDefinition]:
    """The narrowest lever that a runbook can prove, those that can be undone first; raises Misused."""
    usable = [(name, one) for name, one in protocol.levers.items() if proof("slot", protocol, one)]
    usable = [pair for pair in usable if all(one.type in PARAMETER_TYPES for one in pair[1].args.values())]
    if not usable:
        hint = "name a protocol with levers, or write the runbook by hand: runbooks/README.md"
        raise Misused(f"{protocol.protocol} has no lever that a first runbook could pull and prove", hint)
    return min(usable, key=lambda pair: (pair[1].irreversible, PREFERENCE.index(pair[1].scope)))


def parameter_of(lever: LeverDefinition, argument: str) -> str:
    """The runbook's parameter that an argument takes its value from: the market is always called that."""
    return "market" if lever.args[argument].type == "market" else argument


def params(lever: LeverDefinition) -> str:
    """The market, and every argument of the lever that needs a value."""
    needed = {parameter_of(lever, name): one.type for name, one in lever.args.items() if one.default is None}
    return "".join(f"  {name}: {{type: {type_}}}\n" for name, type_ in {"market": "market", **needed}.items())


def call(slot: str, name: str, lever: LeverDefinition) -> str:
    """The lever with its arguments."""
    needed = [one for one, definition in lever.args.items() if definition.default is None]
    given = [f'{one}: "{{{parameter_of(lever, one)}}}"' for one in needed]
    line = f"{{{', '.join((f'lever: {slot}.{name}', *given))}}}"
    return line if len(line) <= LINE else "\n          ".join((f"lever: {slot}.{name}", *given))


def proof(slot: str, protocol: Protocol, lever: LeverDefinition) -> str:
    """An expression that shows on chain that the lever worked; empty where only its own values could say."""
    for name, formula in lever.expect.items():
        read = protocol.reads[name]
        arguments = [one.name for one in read.parameters]
        given = [one for one, definition in lever.args.items() if definition.default is None]
        if (
            isinstance(formula, Expression)
            and formula.source in PLAIN_ANSWERS
            and protocol.stands_alone(read)
            and set(arguments) <= set(given)
        ):
            return f"{slot}.{name}({', '.join(parameter_of(lever, one) for one in arguments)}) == {formula.source}"
    return ""
