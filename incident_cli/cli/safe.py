"""incident safe: what is signed, shown before it is signed, and brought to the chain."""

from __future__ import annotations

import typer

from incident_cli.cli.named import Command, Group, Loaded, Words, group

EXAMPLE = "Example: incident safe inspect proposal.json --deployment production.yaml"


def hashing(name: str) -> Loaded:
    """`hash`."""
    from incident_cli.cli import safe_hash

    return safe_hash.hash_, safe_hash.EXAMPLE


def inspecting(name: str) -> Loaded:
    """`inspect`."""
    from incident_cli.cli import safe_inspect

    return safe_inspect.inspect, safe_inspect.EXAMPLE


def rotating(name: str) -> Loaded:
    """`rotate`."""
    from incident_cli.cli import safe_rotate

    return safe_rotate.rotate, safe_rotate.EXAMPLE


def signing(name: str) -> Loaded:
    """`sign`."""
    from incident_cli.cli import safe_sign

    return safe_sign.sign, safe_sign.EXAMPLE


def filing(name: str) -> Loaded:
    """`merge`, `export` and `import`."""
    from incident_cli.cli import safe_files as files

    found: dict[str, Loaded] = {
        "merge": (files.merge, files.MERGE_EXAMPLE),
        "export": (files.export, files.EXPORT_EXAMPLE),
        "import": (files.import_, files.IMPORT_EXAMPLE),
    }
    return found[name]


def showing(name: str) -> Loaded:
    """`card`."""
    from incident_cli.cli import safe_card

    return safe_card.card, safe_card.EXAMPLE


def proposing(name: str) -> Loaded:
    """`propose`, `confirm` and `reject`."""
    from incident_cli.cli import safe_propose

    found: dict[str, Loaded] = {
        "propose": (safe_propose.propose, safe_propose.EXAMPLE),
        "confirm": (safe_propose.confirm, safe_propose.CONFIRM_EXAMPLE),
        "reject": (safe_propose.reject, safe_propose.REJECT_EXAMPLE),
    }
    return found[name]


def following(name: str) -> Loaded:
    """`status`."""
    from incident_cli.cli import safe_follow

    return safe_follow.status, safe_follow.EXAMPLE


def queueing(name: str) -> Loaded:
    """`queue`."""
    from incident_cli.cli import safe_queue

    return safe_queue.queue, safe_queue.EXAMPLE


def executing(name: str) -> Loaded:
    """`execute` and `approve`."""
    from incident_cli.cli import safe_execute

    found: dict[str, Loaded] = {
        "execute": (safe_execute.execute, safe_execute.EXAMPLE),
        "approve": (safe_execute.approve, safe_execute.APPROVE_EXAMPLE),
    }
    return found[name]


def delegating(short: str, words: Words) -> typer.Typer:
    """The group `delegate`."""
    from incident_cli.cli import safe_delegate

    return safe_delegate.app


TABLE: dict[str, Command | Group] = {
    "hash": Command("Compute the hashes to compare before signing.", hashing),
    "inspect": Command("Show what a transaction does, and what is dangerous about it.", inspecting),
    "rotate": Command("Rotate an owner out after a compromise.", rotating),
    "sign": Command("Sign a file that was examined and shown, as an owner.", signing),
    "merge": Command("Put the owners' signatures together, and say what is missing.", filing),
    "export": Command("Write a transaction in the forms that others read.", filing),
    "import": Command("Take a batch or a record made elsewhere, examined.", filing),
    "card": Command("Write the card a signer reads: text, or a sheet to print.", showing),
    "propose": Command("Hand a transaction to the service, once.", proposing),
    "confirm": Command("Confirm a transaction of the service as an owner.", proposing),
    "status": Command("Show who confirmed, who is missing, and whether it is ready.", following),
    "queue": Command("Show what stands at each nonce of a Safe.", queueing),
    "execute": Command("Execute a confirmed transaction and prove it.", executing),
    "approve": Command("Approve a transaction's hash on chain as an owner.", executing),
    "reject": Command("Prepare the empty transaction that takes a nonce.", proposing),
    "delegate": Group("Who may propose for an owner: list, add, remove.", delegating),
}


def desk(short: str, words: Words) -> typer.Typer:
    """The group, with the command that the words name."""
    return group(short, EXAMPLE, TABLE, words)
