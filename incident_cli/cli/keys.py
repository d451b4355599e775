"""The options of every command that signs, and the signer they name. No option takes a key or a passphrase."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from incident_cli.cli.terminal import Printer, is_interactive, read_secret
from incident_cli.errors import Misused, NeedsTerminal, Waiting
from incident_cli.evm import Address, parse_address
from incident_cli.text import plain

if TYPE_CHECKING:
    from incident_cli.safe.signing import Signer

Keystore = Annotated[
    Path | None, typer.Option("--keystore", metavar="FILE", help="Sign with the key in this encrypted file.")
]
External = Annotated[
    str | None, typer.Option("--signer", metavar="URL", help="Sign with the external signer at this URL.")
]
Account = Annotated[
    str | None, typer.Option("--account", metavar="0x…", help="Which account of the external signer signs.")
]
LedgerPath = Annotated[
    str | None,
    typer.Option("--ledger", metavar="[PATH]", help="Sign with a Ledger; PATH is m/44'/60'/0'/0/0 unless given."),
]
PassphraseFd = Annotated[  # read as text: an error about a number would repeat what was typed
    str | None,
    typer.Option("--passphrase-fd", metavar="N", help="Read the passphrase from this file descriptor."),
]
CAP_BYTES = 4_096
DEFAULT = "default"
KEY = re.compile(r"(?:0x)?[0-9a-fA-F]{64}")
FD = re.compile(r"[0-9]{1,4}", re.ASCII)


def signer_of(
    printer: Printer,
    keystore: Path | None,
    external: str | None,
    account: str | None,
    ledger: str | None,
    passphrase_fd: str | None,
    *,
    fd_flag: str = "--passphrase-fd",
) -> Signer | None:
    """The signer that the options name; None where they name none: then it is left unsigned.

    `fd_flag` is what the command calls the option of the key's passphrase, where it has another of that name.
    Raises Misused for options that do not go together, NeedsTerminal where a passphrase would have to be asked for and
    nobody can be, Unread or Refused where the signer is not there or does not have the account.
    """
    kinds = {"--keystore": keystore, "--signer": external, "--ledger": ledger}
    refuse_mixed(kinds, account, "" if passphrase_fd is None else fd_flag)
    if keystore is not None:
        return keystore_signer(printer, keystore, passphrase_fd, fd_flag)
    if external is not None:
        from incident_cli.safe.external_signer import external_signer

        return external_signer(external, account_of(account), teller(printer))
    if ledger is not None:
        from incident_cli.safe.ledger import DEFAULT_PATH, ledger_signer

        refuse_key("--ledger", ledger)
        return ledger_signer(DEFAULT_PATH if ledger == DEFAULT else ledger, teller(printer))
    return None


def refuse_mixed(kinds: Mapping[str, object | None], account: str | None, fd_flag: str) -> None:
    """Misused where two kinds of signer are named, or an option of one without it; `fd_flag` is empty if not given."""
    named = [name for name, value in kinds.items() if value is not None]
    if len(named) > 1:
        raise Misused(f"{' and '.join(named)} are given: one signer signs", "Leave out all but one.")
    if account is not None and kinds["--signer"] is None:
        raise Misused("--account is given without --signer", "It says which account of an external signer signs.")
    if fd_flag and kinds["--keystore"] is None:
        raise Misused(f"{fd_flag} is given without --keystore", "No other signer has a passphrase here.")


def keystore_signer(printer: Printer, path: Path, passphrase_fd: str | None, fd_flag: str) -> Signer:
    """The signer of a keystore file; what others may read is said at once."""
    from incident_cli.safe.keystore import KeystoreSigner

    refuse_key("--keystore", str(path))
    signer = KeystoreSigner(path, passphrases(printer, f"passphrase of {plain(path)}", passphrase_fd, fd_flag))
    if signer.warning:
        printer.line(f"warning: {signer.warning}", "yellow", hanging=9)
    return signer


def passphrases(
    printer: Printer, label: str, passphrase_fd: str | None, fd_flag: str = "--passphrase-fd"
) -> Callable[[int], bytes | None]:
    """Where the passphrase of an attempt (from 0) comes from: a file descriptor once, else whoever sits here.

    The descriptor is read at once, and what it gave is given again each time something is signed. `fd_flag` is the
    option's name, empty where this key has none.
    """
    if passphrase_fd is not None:
        given = read_passphrase(passphrase_fd, fd_flag)
        return lambda attempt: given if attempt == 0 else None
    if not is_interactive():
        raise NeedsTerminal(
            f"a passphrase is needed and there is no terminal: {label}. Nothing was signed.",
            f"Run this in a terminal, or give the passphrase with {fd_flag} N." if fd_flag else "Run it in a terminal.",
        )
    return lambda attempt: asked(printer, label, attempt)


def asked(printer: Printer, label: str, attempt: int) -> bytes:
    """The passphrase as it is typed, unseen; raises Waiting where input has ended."""
    printer.settle()
    if attempt:
        printer.line("that passphrase does not open it", "yellow")
    try:
        return read_secret(f"{label} (not shown):").encode()
    except EOFError:
        raise Waiting("stopped at the passphrase: nothing was signed", "operator", "Run the command again.") from None


def read_passphrase(passphrase_fd: str, fd_flag: str = "--passphrase-fd") -> bytes:
    """What the descriptor holds, up to its end, without one closing newline; raises Misused."""
    hint = f"Give it one: incident … {fd_flag} 3 3< FILE"
    if not FD.fullmatch(passphrase_fd) or int(passphrase_fd) in (1, 2):
        raise Misused(f"{fd_flag} takes the number of a descriptor that can be read", hint)
    number = int(passphrase_fd)
    try:
        if os.isatty(number):
            raise Misused(f"{fd_flag} names a terminal, which would show it", "Leave the option out to be asked.")
        with os.fdopen(number, "rb", buffering=0, closefd=False) as source:
            found = read_all(source.read)
    except OSError:
        raise Misused(f"file descriptor {number} cannot be read", hint) from None
    if not found:
        raise Misused(f"file descriptor {number} holds nothing", hint)
    if len(found) > CAP_BYTES:
        raise Misused(f"file descriptor {number} holds more than {CAP_BYTES} bytes", hint)
    line = found.removesuffix(b"\n")
    return line.removesuffix(b"\r") if line != found else line


def read_all(read: Callable[[int], bytes | None]) -> bytes:
    """Up to the end, or one byte more than the cap."""
    found = b""
    while len(found) <= CAP_BYTES and (piece := read(CAP_BYTES + 1 - len(found))):
        found += piece
    return found


def account_of(account: str | None) -> Address | None:
    """The account that is named; raises Misused."""
    if account is None:
        return None
    refuse_key("--account", account)
    try:
        return parse_address(account)
    except ValueError as problem:
        raise Misused(f"--account {plain(account, 80)}: {problem}", "Copy it whole from the signer.") from None


def refuse_key(flag: str, value: str) -> None:
    """Misused, without repeating it, where a key was typed."""
    if KEY.fullmatch(value):
        raise Misused(
            f"what was given to {flag} looks like a private key",
            "Keys are never typed: this one now stands in the shell's history. Replace it, and use a keystore file.",
        )


def teller(printer: Printer) -> Callable[[str], None]:
    """Says what to look for on the signer's own screen; the spinner would hide it."""

    def show(line: str) -> None:
        printer.settle()
        printer.line(line, "bold", hanging=2)

    return show
