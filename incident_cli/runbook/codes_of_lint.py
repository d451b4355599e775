"""Codes of `incident runbook lint`: the file is sound, but somebody may be let down by it at 03:00."""

from __future__ import annotations

from incident_cli.runbook.codes import Code

CODES: tuple[Code, ...] = (
    Code(
        "acts-on-one-sample",
        "a containment hangs on a check that fires at its first sample (`for: 0s`)",
        "One odd block would be enough to stop a market. Give the check a `for` of a few blocks, or `samples: 2 of 3`.",
        "for: 0s",
        "for: 12s",
        "warning",
    ),
    Code(
        "contains-unasked",
        "a containment is reached without any `ask` step before it",
        "Somebody takes the lead and says that the finding is real before anything is proposed. Put an `ask` step "
        "before it; one with a `when` of its own may be left out, and does not count.",
        '{id: declare, manual: "Take the lead."}',
        '{id: declare, ask: "Do you take the lead?", on_no: goto stand_down}',
        "warning",
    ),
    Code(
        "drill-overdue",
        "no drill of this text of the runbook within `meta.drill_every`",
        "A runbook that was changed since it was rehearsed has not been rehearsed. Run `incident drill` with it; only "
        "drills recorded on this machine, of exactly these bytes, are counted.",
        "severity: SEV2, drill_every: 1d}",
        "severity: SEV2}",
        "warning",
    ),
    Code(
        "falls-through",
        "a step only reached by `goto` runs on into the step below it",
        "After a stand-down the walk would go on as if nothing had been decided. Put steps that are only reached by "
        "`goto` at the end.",
        '- {id: stand_down, only_by_goto: true, manual: "Write down why.", evidence: text}\n- {id: last, ask: "And?"}',
        '- {id: stand_down, only_by_goto: true, manual: "Write down why.", evidence: text}',
        "warning",
    ),
    Code(
        "no-false-positives",
        "a check without `false_positives`",
        "Whoever is paged needs to know what else looks like this, before stopping a market. Write what was learned.",
        "for: 12s}",
        'for: 12s, false_positives: ["The chain stood still."]}',
        "warning",
    ),
    Code(
        "no-owner",
        "`meta.owner` is a placeholder",
        "Somebody must answer for the runbook, and be told when it was wrong. Name a team or an on-call rota.",
        "owner: TODO",
        "owner: risk-oncall",
        "warning",
    ),
    Code(
        "unchecked-remainder",
        "a containment acts on a value that a check found, and no step after it judges that check",
        "There may be more than one: while the first operation is cancelled, a second one waits. Judge the check again "
        "after the containment, and go back while it fires: an `ask` with `when: firing(CHECK)` and `on_no: goto …`.",
        level="warning",
    ),
    Code(
        "unproven-containment",
        "a containment without a `verify` step after it",
        "Executed is not contained: only a read of the chain afterwards proves it. Add a `verify` step.",
        'manual: "See that it is paused."}',
        'verify: ["exchange.market_paused(market) == True"], marks: contained}',
        "warning",
    ),
    Code(
        "unreachable-step",
        "no way through the runbook leads to this step",
        "It is `only_by_goto` and no step that can be reached goes to it. Name it in an `on_quiet`, `on_unknown` or "
        "`on_no`, or take it out.",
        '- {id: lost, only_by_goto: true, manual: "Never."}\n- {id: stand_down,',
        "- {id: stand_down,",
        "warning",
    ),
    Code(
        "untested-threshold",
        "no file in `tests/` beside the runbook exercises this check",
        "A threshold that no test holds is changed without anybody noticing. Write a test in which it is quiet, one in "
        "which it fires, and one in which it is unknown.",
        level="warning",
    ),
    Code(
        "unused-check",
        "a check that no step and no expression names",
        "Nobody would ever hear of it. Name it in a `check` step, or take it out.",
        'idle: {kind: oracle_staleness, slot: feed, heartbeat: 1h, for: 12s, false_positives: ["None known."]}\nstale:',
        "stale:",
        "warning",
    ),
)
