"""incident vault: containments signed before the incident, kept encrypted, and fired in one block."""

from __future__ import annotations

import typer

from incident_cli.cli import vault_arm, vault_fire, vault_look

EXAMPLE = "Example: incident vault status eth-usd.vault --deployment production.yaml"
app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Pre-signed containments: arm, status, fire, revoke.",
    epilog=EXAMPLE,
)
app.command("arm", epilog=vault_arm.ARM_EXAMPLE, short_help="Write a ladder of pre-signed containments.")(vault_arm.arm)
app.command("sign", epilog=vault_arm.SIGN_EXAMPLE, short_help="Add an owner's signatures.")(vault_arm.sign)
app.command("export", epilog=vault_arm.EXPORT_EXAMPLE, short_help="Write the rungs for owners to sign.")(
    vault_arm.export
)
app.command("add-signatures", epilog=vault_arm.ADD_EXAMPLE, short_help="Add signatures from files.")(
    vault_arm.add_signatures
)
app.command("status", epilog=vault_look.STATUS_EXAMPLE, short_help="Validate every rung now.")(vault_look.status)
app.command("fire", epilog=vault_fire.EXAMPLE, short_help="Fire the live rung.")(vault_fire.fire)
app.command("revoke", epilog=vault_look.REVOKE_EXAMPLE, short_help="Prepare the rejection of a rung.")(
    vault_look.revoke
)
app.command("watch", epilog=vault_look.WATCH_EXAMPLE, short_help="Watch a vault and raise the alarm.")(vault_look.watch)
