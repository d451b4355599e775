"""Expected failures. Each one is a message, a hint and an exit code, never a traceback.

The codes are the command contract; `incident` prints the message and the hint on stderr and exits with
the code. Anything else that escapes is a bug (exit 70).
"""

from __future__ import annotations

from typing import ClassVar


class IncidentError(Exception):
    """A failure that was foreseen: what happened, and what to do next."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Refused(IncidentError):
    """The honest negative: something dangerous or untrue was asked for, and was not done."""

    exit_code = 1


class Misused(IncidentError):
    """The command was called wrongly, or a file it was given is wrong."""

    exit_code = 2


class Unread(IncidentError):
    """A source could not be read, so nothing may be said about it."""

    exit_code = 3


class NeedsTerminal(IncidentError):
    """An answer is needed and there is nobody to give it."""

    exit_code = 4


class Waiting(IncidentError):
    """Stopped on purpose and resumable; `waiting_for` says for what."""

    exit_code = 5

    def __init__(self, message: str, waiting_for: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.waiting_for = waiting_for


class NotProven(IncidentError):
    """Something was done, but the chain does not show the expected effect."""

    exit_code = 6


class JournalBroken(IncidentError):
    """The record of the incident does not verify, or cannot be continued."""

    exit_code = 7
