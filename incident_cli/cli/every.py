"""Every command and group of `incident` in the order of its help, each with what imports it when it is named."""

from __future__ import annotations

import typer

from incident_cli.cli.named import Command, Group, Loaded, Table, Words


def drilling(name: str) -> Loaded:
    """`drill`."""
    from incident_cli.cli import drill

    return drill.drill, drill.EXAMPLE


def responding(name: str) -> Loaded:
    """`respond`."""
    from incident_cli.cli import respond

    return respond.respond, respond.EXAMPLE


def containing(name: str) -> Loaded:
    """`contain`."""
    from incident_cli.cli import contain

    return contain.contain, contain.EXAMPLE


def adopting(name: str) -> Loaded:
    """`adopt`."""
    from incident_cli.cli import adopt

    return adopt.adopt, adopt.EXAMPLE


def explaining(name: str) -> Loaded:
    """`explain`."""
    from incident_cli.cli import explain

    return explain.explain, explain.EXAMPLE


def beginning(name: str) -> Loaded:
    """`init`."""
    from incident_cli.cli import init

    return init.init, init.EXAMPLE


def asking(name: str) -> Loaded:
    """`preflight`."""
    from incident_cli.cli import preflight

    return preflight.preflight, preflight.EXAMPLE


def pinning(name: str) -> Loaded:
    """`pin`."""
    from incident_cli.cli import pin

    return pin.pin, pin.EXAMPLE


def checking(name: str) -> Loaded:
    """`check`."""
    from incident_cli.cli import check

    return check.check, check.EXAMPLE


def runbooks(short: str, words: Words) -> typer.Typer:
    """The group `runbook`."""
    from incident_cli.cli import runbook

    return runbook.runbooks(short, words)


def levers(short: str, words: Words) -> typer.Typer:
    """The group `lever`."""
    from incident_cli.cli import lever

    return lever.app


def desk(short: str, words: Words) -> typer.Typer:
    """The group `safe`."""
    from incident_cli.cli import safe

    return safe.desk(short, words)


def vaults(short: str, words: Words) -> typer.Typer:
    """The group `vault`."""
    from incident_cli.cli import vault

    return vault.vault(short, words)


TABLE: Table = {
    "drill": Command("Rehearse an incident on an embedded chain.", drilling),
    "respond": Command("Respond to an incident on a real chain.", responding),
    "contain": Command("Pull one lever without a firing check.", containing),
    "adopt": Command("Take a transaction made elsewhere into the incident.", adopting),
    "explain": Command("Explain a code, a kind of check or a verb.", explaining),
    "init": Command("Begin with your own protocol: write its first files.", beginning),
    "preflight": Command("Ask whether the Safe could act now.", asking),
    "pin": Command("Write down the code of every contract.", pinning),
    "check": Command("Judge a runbook's checks now.", checking),
    "runbook": Group("The runbooks: list, show, validate, lint, test, new, schema.", runbooks),
    "lever": Group("The levers of the catalogue: list, show, encode.", levers),
    "safe": Group("The Safe desk: hash, inspect, sign, propose, follow, execute.", desk),
    "vault": Group("Pre-signed containments: arm, status, fire, revoke.", vaults),
}
