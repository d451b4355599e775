"""Codes that protocol files give: a lever that could not be proven, undone or held to what it says."""

from __future__ import annotations

from incident_cli.runbook.codes import Code

CODES: tuple[Code, ...] = (
    Code(
        "argument-without-value",
        "a lever's call has a parameter that is neither an argument nor under `with`",
        "Every word of calldata comes from a value somebody can see. Add an argument of that name, or an entry under "
        "`with`; give every parameter of the signature a name.",
        "args: {mark: {type: market}}",
        "args: {market: {type: market}}",
    ),
    Code(
        "no-outputs",
        "a read without `returns (…)`",
        "Without its outputs an answer cannot be decoded.",
        'call: "guardian()"',
        'call: "guardian() returns (address)"',
    ),
    Code(
        "undeclared-write",
        "a lever calls a contract that is not in its `writes`",
        "`writes` says which contracts a lever may change; the one that is called is always among them.",
        "writes: []",
        "writes: [pool]",
    ),
    Code(
        "undo-or-irreversible",
        "a lever has neither an undo nor `irreversible: true`, or both",
        "Whoever confirms must know whether there is a way back, and an omission must not look like one.",
        "",
        'undo: {by: governance, call: "unpause(bytes32 market)"}',
    ),
)
