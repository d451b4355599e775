"""incident safe: what is signed, shown before it is signed, and brought to the chain."""

from __future__ import annotations

import typer

from incident_cli.cli import safe_hash, safe_inspect, safe_rotate

EXAMPLE = "Example: incident safe inspect proposal.json --deployment production.yaml"
app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="The Safe desk: hash, inspect, sign, propose, follow, execute.",
    epilog=EXAMPLE,
)
# each file of commands registers its own here: app.command("hash", epilog=…, short_help=…)(safe_hash.hash_)
app.command("hash", epilog=safe_hash.EXAMPLE, short_help=safe_hash.SHORT)(safe_hash.hash_)
app.command("inspect", epilog=safe_inspect.EXAMPLE, short_help=safe_inspect.SHORT)(safe_inspect.inspect)
app.command("rotate", epilog=safe_rotate.EXAMPLE, short_help=safe_rotate.SHORT)(safe_rotate.rotate)
