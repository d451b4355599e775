"""incident safe: what is signed, shown before it is signed, and brought to the chain."""

from __future__ import annotations

import typer

from incident_cli.cli import (
    safe_card,
    safe_delegate,
    safe_execute,
    safe_files,
    safe_follow,
    safe_hash,
    safe_inspect,
    safe_propose,
    safe_queue,
    safe_rotate,
    safe_sign,
)

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
app.command("sign", epilog=safe_sign.EXAMPLE, short_help=safe_sign.SHORT)(safe_sign.sign)
app.command("merge", epilog=safe_files.MERGE_EXAMPLE, short_help=safe_files.MERGE_SHORT)(safe_files.merge)
app.command("export", epilog=safe_files.EXPORT_EXAMPLE, short_help=safe_files.EXPORT_SHORT)(safe_files.export)
app.command("import", epilog=safe_files.IMPORT_EXAMPLE, short_help=safe_files.IMPORT_SHORT)(safe_files.import_)
app.command("card", epilog=safe_card.EXAMPLE, short_help=safe_card.SHORT)(safe_card.card)
app.command("propose", epilog=safe_propose.EXAMPLE, short_help=safe_propose.SHORT)(safe_propose.propose)
app.command("confirm", epilog=safe_propose.CONFIRM_EXAMPLE, short_help=safe_propose.CONFIRM_SHORT)(safe_propose.confirm)
app.command("status", epilog=safe_follow.EXAMPLE, short_help=safe_follow.SHORT)(safe_follow.status)
app.command("queue", epilog=safe_queue.EXAMPLE, short_help=safe_queue.SHORT)(safe_queue.queue)
app.command("execute", epilog=safe_execute.EXAMPLE, short_help=safe_execute.SHORT)(safe_execute.execute)
app.command("approve", epilog=safe_execute.APPROVE_EXAMPLE, short_help=safe_execute.APPROVE_SHORT)(safe_execute.approve)
app.command("reject", epilog=safe_propose.REJECT_EXAMPLE, short_help=safe_propose.REJECT_SHORT)(safe_propose.reject)
app.add_typer(safe_delegate.app, name="delegate")
