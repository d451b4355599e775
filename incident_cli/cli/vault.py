"""incident vault: containments signed before the incident, kept encrypted, and fired in one block."""

from __future__ import annotations

import typer

from incident_cli.cli.named import Command, Loaded, Words, group

EXAMPLE = "Example: incident vault status eth-usd.vault --deployment production.yaml"


def arming(name: str) -> Loaded:
    """`arm`, `sign`, `export` and `add-signatures`."""
    from incident_cli.cli import vault_arm

    found: dict[str, Loaded] = {
        "arm": (vault_arm.arm, vault_arm.ARM_EXAMPLE),
        "sign": (vault_arm.sign, vault_arm.SIGN_EXAMPLE),
        "export": (vault_arm.export, vault_arm.EXPORT_EXAMPLE),
        "add-signatures": (vault_arm.add_signatures, vault_arm.ADD_EXAMPLE),
    }
    return found[name]


def looking(name: str) -> Loaded:
    """`status`, `revoke` and `watch`."""
    from incident_cli.cli import vault_look

    found: dict[str, Loaded] = {
        "status": (vault_look.status, vault_look.STATUS_EXAMPLE),
        "revoke": (vault_look.revoke, vault_look.REVOKE_EXAMPLE),
        "watch": (vault_look.watch, vault_look.WATCH_EXAMPLE),
    }
    return found[name]


def firing(name: str) -> Loaded:
    """`fire`."""
    from incident_cli.cli import vault_fire

    return vault_fire.fire, vault_fire.EXAMPLE


TABLE = {
    "arm": Command("Write a ladder of pre-signed containments.", arming),
    "sign": Command("Add an owner's signatures.", arming),
    "export": Command("Write the rungs for owners to sign.", arming),
    "add-signatures": Command("Add signatures from files.", arming),
    "status": Command("Validate every rung now.", looking),
    "fire": Command("Fire the live rung.", firing),
    "revoke": Command("Prepare the rejection of a rung.", looking),
    "watch": Command("Watch a vault and raise the alarm.", looking),
}


def vault(short: str, words: Words) -> typer.Typer:
    """The group, with the command that the words name."""
    return group(short, EXAMPLE, TABLE, words)
