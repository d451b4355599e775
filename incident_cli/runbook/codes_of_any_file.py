"""Codes that any YAML file may give: its syntax, its size, its keys and its values."""

from __future__ import annotations

from incident_cli.runbook.codes import Code

CODES: tuple[Code, ...] = (
    Code(
        "alias",
        "`*name` is used; write the value out",
        "An alias hides at one place what holds at another. What you read at a place must be what holds there.",
        "default: *usual",
        "default: 1h",
    ),
    Code(
        "anchor",
        "`&name` is used; write the value out where it is needed",
        "An anchor is there to be repeated elsewhere, and aliases are refused: write the value out at each place.",
        "default: &usual 1h",
        "default: 1h",
    ),
    Code(
        "bad-expression",
        "an expression does not read, or names something that is not declared",
        "Expressions are a small language of their own, read in full when the file is: what it cannot decide at 03:00 "
        "is refused now. The caret is at the word. The guide lists every function, operator and read.",
        "requires: \"quiet_fro(stale, '10m')\"",
        "requires: \"quiet_for(stale, '10m')\"",
    ),
    Code(
        "bad-signature",
        "a contract signature does not read; the message has the column",
        "Calls are encoded from this text. Write it as in Solidity: a name, types with names, and returns (…).",
        'call: "paused(bytes32 market returns (bool)"',
        'call: "paused(bytes32 market) returns (bool)"',
    ),
    Code(
        "duplicate-grant",
        "a deployment's authority grants one lever to one Safe twice",
        "With two grants nobody could say which severity and which cooldown hold.",
    ),
    Code(
        "bad-injection",
        "an injection of a fork drill does not fit the deployment: no such slot, read, value or chain",
        "What a fork drill puts into the copied chain is held against the protocol file and the deployment before "
        "anything is forked, so that a drill never rehearses something else than its scenario says.",
    ),
    Code(
        "bad-value",
        "a value is not of its type, or out of its bounds",
        "The key decides the type of its value, never YAML, and nothing is guessed: `1e18` is no whole number and "
        "`yes` is no truth value. The message names the type that is wanted and how it is written.",
        "for: 12",
        "for: 12s",
    ),
    Code(
        "duplicate-key",
        "a key stands twice in one mapping",
        "YAML parsers keep one of the two without a word. Keep the one that you mean.",
        "severity: SEV2, severity: SEV3",
        "severity: SEV2",
    ),
    Code(
        "empty-file",
        "there is nothing in the file",
        "A file without content says nothing; perhaps it was cut off. `incident runbook new` begins one.",
    ),
    Code(
        "key-not-text",
        "a key is a list or a mapping",
        "Keys are words. A `{name}` that is not in quotes is a mapping to YAML: put it in quotes.",
        "answers: {[declare]: 'yes'}",
        "answers: {declare: 'yes'}",
    ),
    Code(
        "merge-key",
        "`<<` is used; write the values out",
        "A merge key brings values in from elsewhere. What you read at a place must be what holds there.",
        "{<<: {severity: SEV1}, owner: risk-oncall, severity: SEV2}",
        "{owner: risk-oncall, severity: SEV2}",
    ),
    Code(
        "missing-key",
        "a required key is not there",
        "The key has no default that would be safe to assume. The message names it.",
        "{owner: risk-oncall}",
        "{owner: risk-oncall, severity: SEV2}",
    ),
    Code(
        "not-utf8",
        "the file is not UTF-8 text",
        "Other encodings show one thing and mean another. Save the file as UTF-8.",
    ),
    Code(
        "several-documents",
        "`---` begins a second document; one file holds one",
        "Only one of them would be used. Put each into a file of its own.",
        "answers: {declare: 'yes'}\n---\nanswers: {declare: 'no'}",
        "answers: {declare: 'yes'}",
    ),
    Code(
        "tag",
        "`!tag` is used; the schema decides the type",
        "Tags ask the parser to build things, and they contradict the key's own type. Leave the tag out.",
        "default: !!str 1h",
        "default: 1h",
    ),
    Code(
        "too-deep",
        "more than 12 levels",
        "No file of `incident` needs that depth; a parser may be broken by it. Look for a bracket that is not closed.",
    ),
    Code(
        "too-large",
        "more than 256 KiB",
        "A file is read in full before anything is done, so its size is bounded. Split it into several runbooks.",
    ),
    Code(
        "too-long",
        "a value of more than 4,000 characters",
        "A value is shown to a person at 03:00. Put what is longer into a document of your own and name it.",
    ),
    Code(
        "too-many-values",
        "more than 20,000 values",
        "A file is read in full before anything is done, so its size is bounded. Split it into several runbooks.",
    ),
    Code(
        "unknown-key",
        "there is no such key here",
        "A key that is read and not kept would promise what does not happen, so a misspelt one is never ignored.",
        "grase: 12s",
        "grace: 12s",
    ),
    Code(
        "unknown-name",
        "`{name}`, or a name in a lever's expression, is not declared",
        "`{name}` stands for a whole typed value. It must be a parameter of the runbook, or in a summary one of the "
        "check's slots, `value` or `limit`; in a lever, an argument or a read.",
        'heartbeat: "{hartbeat}"',
        'heartbeat: "{heartbeat}"',
    ),
    Code(
        "wrong-name",
        "the name inside the file is not the file's name",
        "Files are found by their name. If the two differ, one of them is the wrong file.",
        "protocol: our-landing",
        "protocol: our-lending",
    ),
    Code(
        "wrong-type",
        "a list where a mapping is needed, a parameter of another type, or an argument its ABI type does not take",
        "Values are typed from the file to the calldata; what does not fit is never converted.",
        "check: stale",
        "check: [stale]",
    ),
    Code(
        "wrong-unit",
        "a read has a `unit`, but does not return one whole number",
        "A unit says what one number means: bps, seconds, time, number or a token. Other answers have none.",
        'call: "guardian() returns (address)", unit: bps}',
        'call: "guardian() returns (address)"}',
    ),
    Code(
        "yaml-syntax",
        "it is not YAML; the place is where reading stopped",
        "The mistake is at the place shown or just before it: often a bracket or a quote that is not closed, or a text "
        "with `: ` or ` #` in it that needs quotes.",
        'ask: "Do you take the lead?, on_no:',
        'ask: "Do you take the lead?", on_no:',
    ),
)
