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
        "ambiguous-name",
        "one name means two things in a protocol file: a slot, a read or an argument of a lever",
        "An expression mentions names, and a reader must not have to guess which thing it takes.",
    ),
    Code(
        "derived-twice",
        "a slot's address is read from a slot whose address is itself read",
        "Derived slots are found in one round of reads, from addresses that a deployment gives.",
        'feed: {read: "oracle.getFeed() returns (address)"}',
        'feed: {read: "provider.getFeed() returns (address)"}',
    ),
    Code(
        "no-consequence",
        "an irreversible lever does not say its consequence in words, or a reversible one does",
        "Whoever pulls what nobody can undo types its consequence, letter for letter; a word or two are typed without "
        "being read.",
        "irreversible: true",
        "irreversible: true\n    consequence: end all borrowing for good",
    ),
    Code(
        "no-proof-kind",
        "a protocol file says when its source was read, but not how its levers were proven",
        "`real`: the tests pulled them on the protocol's own compiled contracts. `interface`: on a stand-in with the "
        "same interface, which proves the calldata and nothing of the protocol's own behaviour.",
        "reviewed: 2026-11-01",
        "reviewed: 2026-11-01\nproof: interface",
    ),
    Code(
        "unknown-output",
        "`take` names no output of the read",
        "`take` picks the part of an answer that counts, by the names in the signature.",
        'call: "state() returns (bool, uint256)", take: frozen',
        'call: "state() returns (bool frozen, uint256 since)", take: frozen',
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
