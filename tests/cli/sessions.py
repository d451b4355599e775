"""The sessions that are kept as goldens: what a person types, and everything the terminal shows them."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.fakes.terminal import Terminal, normalised

GOLDEN = Path(__file__).parents[1] / "golden"
HOME = Path("home")  # relative, so that no path of the machine is on the screen
SMALL, LARGE = (80, 24), (120, 40)
CAUSE = "The keeper's key had leaked; it was replaced, and the feed is right again."
FALSE_ALARM = "The pool lost its depth; two other venues agree with the feed."
Session = Callable[[Path], str]


def shown(arguments: Sequence[str], terminal: Terminal, code: int) -> str:
    """One command: what was typed at the shell, what was seen, how it ended."""
    return f"$ incident {shlex.join(arguments)}".rstrip() + f"\n{normalised(terminal.lines)}exit {code}\n"


def contain(terminal: Terminal) -> None:
    """Answer an oracle divergence to its end: contained, then reopened."""
    terminal.answer("ETH-USD", "type it")
    terminal.answer(CAUSE, "answer")
    terminal.answer("ETH-USD", "type it")
    terminal.answer("ETH-USD", "type it")


def contained(folder: Path, size: tuple[int, int] = SMALL) -> str:
    """The runbook to its end; with the screen as it stands when the phrase is asked."""
    arguments = ["drill", "oracle-divergence", "--seed", "7"]
    with Terminal(arguments, HOME, size=size, cwd=folder) as terminal:
        terminal.answer("yes", "yes or no")
        terminal.wait_for_question("type it")
        asked = normalised(terminal.screen)
        contain(terminal)
        text = shown(arguments, terminal, terminal.finish())
    return f"{text}\nthe {size[0]}x{size[1]} screen when the phrase is asked:\n{asked}"


def contained_wide(folder: Path) -> str:
    """The same in a larger terminal."""
    return contained(folder, LARGE)


def stood_down(folder: Path) -> str:
    """A false alarm: while a check fires Enter alone is no answer; no stands down."""
    arguments = ["drill", "--scenario", "false-alarm"]
    with Terminal(arguments, HOME, cwd=folder) as terminal:
        terminal.answer("", "yes or no")
        terminal.answer("no", "yes or no")
        terminal.answer(FALSE_ALARM, "answer")
        return shown(arguments, terminal, terminal.finish())


def interrupted(folder: Path) -> str:
    """Ctrl-C in the middle of the confirmation; then the open incidents; then resumed to the end."""
    return "\n".join([broken_off(folder), listed(folder), resumed(folder)])


def broken_off(folder: Path) -> str:
    """Half of the phrase is typed when Ctrl-C is pressed."""
    arguments = ["drill"]
    with Terminal(arguments, HOME, cwd=folder) as terminal:
        terminal.answer("yes", "yes or no")
        terminal.wait_for_question("type it")
        terminal.child.send("ETH-")
        terminal.wait_for("? for help: ETH-")
        terminal.interrupt()
        return shown(arguments, terminal, terminal.finish())


def listed(folder: Path) -> str:
    """Bare `incident`."""
    with Terminal([], HOME, cwd=folder) as terminal:
        return shown([], terminal, terminal.finish())


def resumed(folder: Path) -> str:
    """The same drill, to the end."""
    arguments = ["drill", "--resume"]
    with Terminal(arguments, HOME, cwd=folder) as terminal:
        contain(terminal)
        return shown(arguments, terminal, terminal.finish())


def moves(folder: Path) -> str:
    """Help, a note, nonsense, back, a wrong phrase, Enter alone, a skip without a reason; an attack left open."""
    arguments = ["drill", "oracle-divergence"]
    with Terminal(arguments, HOME, cwd=folder) as terminal:
        for line in ("?", "note the pool looks thin", "maybe", "Yes"):
            terminal.answer(line, "yes or no")
        for line in ("?", "eth-usd", "", "skip", "back"):
            terminal.answer(line, "type it")
        terminal.answer("", "yes or no")
        terminal.answer("no", "yes or no")
        for line in ("", "note", FALSE_ALARM):
            terminal.answer(line, "answer")
        return shown(arguments, terminal, terminal.finish())


def skipped(folder: Path) -> str:
    """The containment is skipped: the chain does not show it, and stop leaves it open."""
    arguments = ["drill"]
    with Terminal(arguments, HOME, cwd=folder) as terminal:
        terminal.answer("yes", "yes or no")
        terminal.answer("skip the desk wants to wait", "type it")
        return shown(arguments, terminal, terminal.finish())


SESSIONS: dict[str, Session] = {
    "contained-80x24": contained,
    "contained-120x40": contained_wide,
    "stood-down": stood_down,
    "interrupted-and-resumed": interrupted,
    "moves": moves,
    "skipped": skipped,
}
