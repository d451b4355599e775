"""Codes that runbooks, deployments and answers files give: what they mention does not exist or does not fit."""

from __future__ import annotations

from incident_cli.runbook.codes import Code

CODES: tuple[Code, ...] = (
    Code(
        "bad-default",
        "the protocol's default for an argument is not of its type",
        "The lever would be pulled with a value that nobody can mean. Correct it in the protocol file, or give the "
        "argument in the runbook.",
    ),
    Code(
        "duplicate-id",
        "two markets have one id; one would be contained for the other",
        "A market's id is what the contracts call it. Take each from the protocol's own registry.",
        'id: "0x0000000000000000000000000000000000000000000000000000000000000001"',
        'id: "0x0000000000000000000000000000000000000000000000000000000000000002"',
    ),
    Code(
        "duplicate-name",
        "two markets' names differ only by case",
        "The name of the market is typed to confirm a containment: two must not be confused.",
        "ETH-usd:",
        "BTC-USD:",
    ),
    Code(
        "duplicate-step",
        "two steps have one id",
        "Steps are found by their id, by `goto` and in the journal. Give each its own.",
        "id: cause",
        "id: prove",
    ),
    Code(
        "fixed-target",
        "a market is written into a call; name a parameter, so that it is chosen",
        "A market written into the file is the wrong one in every other incident. What is contained is chosen when "
        "the runbook is used.",
        "market: ETH-USD",
        'market: "{market}"',
    ),
    Code(
        "missing-argument",
        "a call lacks an argument that its lever needs",
        "The lever has no default for it. `incident runbook show` and the protocol file list the arguments.",
        "calls: [{lever: exchange.pause_market}]",
        'calls: [{lever: exchange.pause_market, market: "{market}"}]',
    ),
    Code(
        "no-authority",
        "`by` names a slot that is no Safe (or, to restore, no time-lock)",
        "Containments are proposed to a Safe. Name a slot of protocol `safe`; to restore, `timelock` is possible too.",
        "by: feed",
        "by: council",
    ),
    Code(
        "no-calls",
        "a containment without a call",
        "It would be proposed, signed and executed, and nothing would be contained.",
        "calls: []",
        'calls: [{lever: exchange.pause_market, market: "{market}"}]',
    ),
    Code(
        "no-checks",
        "a check step without a check: it would always be quiet",
        "Nothing looked at is never quiet. Name at least one check.",
        "check: []",
        "check: [stale]",
    ),
    Code(
        "no-proof",
        "nothing is proved: a verify step without a read or one that cannot be false, an empty `expect`, or a "
        "`satisfied` without a read",
        "A sent transaction is not a contained market. Only a read of the chain proves it, and only where the chain "
        "could say otherwise: `exchange.pool() >= 0` cannot be false.",
        'verify: ["True"]',
        'verify: ["exchange.market_paused(market) == True"]',
    ),
    Code(
        "no-steps",
        "a runbook without a step",
        "It would end before it begins. `incident runbook new` writes one with every usual step.",
    ),
    Code(
        "one-verb",
        "a step has no verb, or several",
        "A step asks for one thing. The verbs are check, ask, manual, contain, verify and restore; make two steps of "
        "two things.",
        'ask: "Do you take the lead?", manual: "Take it."',
        'ask: "Do you take the lead?"',
    ),
    Code(
        "target-with-default",
        "a market parameter has a default; what is contained is chosen each time",
        "With a default, the wrong market is contained by whoever forgets to choose. Leave the default out.",
        "market: {type: market, default: ETH-USD}",
        "market: {type: market}",
    ),
    Code(
        "too-many-entries",
        "more than 200 parameters, slots or checks, or more than 500 steps",
        "Nobody can walk through it in an incident, and a file is bounded before it is read. Split it.",
    ),
    Code(
        "unknown-argument",
        "the lever, or the signature, has no such argument",
        "A misspelt argument would leave the real one at its default. The lever's protocol file lists its arguments.",
        '{lever: exchange.pause_market, markt: "{market}", market: "{market}"}',
        '{lever: exchange.pause_market, market: "{market}"}',
    ),
    Code(
        "unknown-chain",
        "a slot or token names a chain the deployment does not declare",
        "Every address stands on a chain. Declare the chain under `chains`, or correct its name.",
        "council: {chain: etherium,",
        "council: {chain: ethereum,",
    ),
    Code(
        "unknown-check",
        "a step names a check that is not there",
        "The names under `checks` are what steps may name.",
        "check: [stall]",
        "check: [stale]",
    ),
    Code(
        "unknown-event",
        "the protocol has no such event",
        "Events are declared in the protocol file of the slot, under `events`; a check needs those of its kind.",
    ),
    Code(
        "unknown-kind",
        "there is no such kind of check",
        "`incident explain` lists the kinds; `incident explain KIND` says what one does and which keys it has.",
        "kind: oracle_stale",
        "kind: oracle_staleness",
    ),
    Code(
        "unknown-lever",
        "the protocol has no such lever",
        "Levers are declared in the protocol file of the slot. If it lacks one, write your own protocol file.",
        "lever: exchange.pause",
        "lever: exchange.pause_market",
    ),
    Code(
        "unknown-protocol",
        "there is no protocol file of that name",
        "Protocol files are looked for in `protocols/` beside the runbook, then among the shipped ones.",
        "exchange: {protocol: drill-exchang}",
        "exchange: {protocol: drill-exchange}",
    ),
    Code(
        "unknown-read",
        "the protocol has no such read",
        "Reads are declared in the protocol file of the slot; a check needs those of its kind.",
        "read: exchange.paused",
        "read: exchange.market_paused",
    ),
    Code(
        "unknown-slot",
        "a slot is named that is not declared",
        "The names under `slots` are the contracts the file speaks of; a deployment gives each its address.",
        "slot: fed",
        "slot: feed",
    ),
    Code(
        "unknown-step",
        "a `goto`, a `restore` or an answer names a step that is not there",
        "A walk that leads nowhere would strand the operator. `restore` names a contain step.",
        "goto stand_up",
        "goto stand_down",
    ),
    Code(
        "weak-confirmation",
        "`confirm` is shorter than 12 characters for what cannot be undone",
        "What cannot be undone is confirmed by a sentence that says so, not by a habit of typing `yes`.",
        "confirm: {type: end it}",
        "confirm: {type: end trading for good}",
    ),
    Code(
        "wrong-arguments",
        "a read under `must_not_change` does not take these arguments",
        "A read of one market is asked with `for_each: markets`; any other takes no argument.",
        "{read: exchange.market_paused}",
        '{read: exchange.market_paused, for_each: markets, except: "{market}"}',
    ),
    Code(
        "wrong-runbook",
        "the answers are for another runbook",
        "Rehearsed answers fit the questions of one runbook. Name the right file.",
        "runbook: feed-stoped",
        "runbook: feed-stopped",
    ),
)
