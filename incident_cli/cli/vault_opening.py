"""Opening and closing a vault from the command line: its file, its passphrase, and what is said on the way."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from incident_cli.cli.keys import read_passphrase
from incident_cli.cli.terminal import Printer, is_interactive, read_secret
from incident_cli.errors import Misused, NeedsTerminal, Waiting
from incident_cli.text import plain

if TYPE_CHECKING:
    from incident_cli.safe.vault import Vault

File = Annotated[Path, typer.Argument(metavar="FILE", help="The vault.")]
DeploymentFile = Annotated[Path, typer.Option("--deployment", help="The deployment file: chains, nodes, addresses.")]
PassphraseFd = Annotated[
    str | None,
    typer.Option("--passphrase-fd", metavar="N", help="Read the vault's passphrase from this file descriptor."),
]
KEY_FD = "--key-passphrase-fd"
KeyPassphraseFd = Annotated[
    str | None,
    typer.Option(KEY_FD, metavar="N", help="Read the keystore's passphrase from this descriptor."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
TONES = {"plain": "", "good": "green", "bad": "bold red", "warn": "yellow"}
WAY_OUT = "Run this in a terminal, or give the passphrase with --passphrase-fd N."


@dataclass(frozen=True, slots=True)
class Opened:
    """A vault with the bytes it came from and the passphrase that opened them; neither is in a repr."""

    path: Path
    content: bytes
    passphrase: str
    vault: Vault

    def __repr__(self) -> str:
        return f"Opened({plain(self.path)!r})"


@dataclass(frozen=True, slots=True)
class Voice:
    """Says what a flow says, on a printer."""

    printer: Printer

    def say(self, text: str, tone: Literal["plain", "good", "bad", "warn"] = "plain") -> None:
        """One line; a spinner would hide it."""
        self.printer.settle()
        self.printer.line(text, TONES[tone], hanging=2)

    def working(self, text: str) -> AbstractContextManager[None]:
        """A spinner where there is a terminal."""
        return self.printer.working(text)


def opened(printer: Printer, path: Path, passphrase_fd: str | None) -> Opened:
    """The vault in a file; raises Misused, Refused for a wrong passphrase, NeedsTerminal."""
    from incident_cli.safe.vault_file import is_open_to_others, read_sealed, unseal

    content = read_sealed(path)
    if is_open_to_others(path):
        printer.line(f"warning: others may read {plain(path)}: chmod 600", "yellow", hanging=9)
    passphrase = passphrase_of(f"passphrase of {plain(path)}", passphrase_fd)
    with printer.working("opening the vault"):
        return Opened(path, content, passphrase, unseal(content, passphrase))


def passphrase_of(label: str, passphrase_fd: str | None) -> str:
    """The passphrase, from the descriptor or from whoever sits here; raises NeedsTerminal, Waiting, Misused."""
    if passphrase_fd is not None:
        try:
            return read_passphrase(passphrase_fd).decode()
        except UnicodeDecodeError:
            raise Misused("the passphrase is not UTF-8", "Type it in a terminal.") from None
    if not is_interactive():
        raise NeedsTerminal(f"a passphrase is needed and there is no terminal: {label}. Nothing was done.", WAY_OUT)
    try:
        return read_secret(f"{label} (not shown):")
    except EOFError:
        raise Waiting("stopped at the passphrase: nothing was done", "operator", "Run the command again.") from None


def new_passphrase(printer: Printer, path: Path, passphrase_fd: str | None) -> str:
    """The passphrase of a new vault, typed twice; a weak one is asked for once more, and then taken as it is."""
    from incident_cli.safe.vault_file import weakness

    found = passphrase_of(f"passphrase for {plain(path)}", passphrase_fd)
    weak = weakness(found)
    if weak:
        printer.line(f"warning: the passphrase is weak: {weak}", "yellow", hanging=9)
    if weak and passphrase_fd is None:
        found = passphrase_of("a better passphrase, or this one again to keep it", None)
        if weakness(found):
            printer.line("warning: it is taken as it is, although it is weak", "yellow", hanging=9)
    if passphrase_fd is None and passphrase_of("the same again", None) != found:
        raise Misused("the two passphrases differ", "Run the command again: nothing was written.")
    return found


def rewrite(printer: Printer, opened: Opened, vault: Vault) -> None:
    """The vault with another content, under the same passphrase."""
    from incident_cli.safe.vault_file import replace_sealed, seal

    with printer.working("closing the vault"):
        replace_sealed(opened.path, opened.content, seal(vault, opened.passphrase))
