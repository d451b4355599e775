"""The only printer and asker. Results go to stdout as JSON, everything for people to stderr."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from incident_cli.cli import settings
from incident_cli.cli.streams import WAY_OUT
from incident_cli.cli.wrapping import paths_apart, wrapped
from incident_cli.errors import IncidentError, Misused, NeedsTerminal, Waiting
from incident_cli.flows.desk import Answer, Answerer, Back, Note, Prompt, Reply, Skip, Stop
from incident_cli.text import plain, plain_lines

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.status import Status

MOVES = (
    ("?", "this help"),
    ("note TEXT", "write a note into the record; the question stands"),
    ("back", "return to the step before; what is on chain stays"),
    ("skip REASON", "leave this step undone, with a reason for the record"),
    ("stop", "leave the incident here; it is resumed with --resume"),
)
HEX_ENDINGS = re.compile(r"[0-9a-f]{8,64}( [0-9a-f]{8,64})*", re.ASCII | re.IGNORECASE)
LABELS = {"yes-no": "yes or no [no]", "type": "type it", "text": "answer", "choice": "choose"}
YES, NO = frozenset({"y", "yes"}), frozenset({"n", "no", ""})


def is_seen() -> bool:
    """Whether stderr is a terminal; a log needs neither styles nor the library that makes them."""
    return sys.stderr.isatty()


@dataclass(slots=True)
class Printer:
    """Prints for people, to stderr; `seen` where that is a terminal, styled there and where FORCE_COLOR asks for it."""

    consoles: list[Console] = field(default_factory=list)
    spinning: list[Status] = field(default_factory=list)
    seen: bool = field(default_factory=is_seen)

    @property
    def console(self) -> Console:
        """One console, made when it is first needed."""
        if not self.consoles:
            from rich.console import Console

            plainly: dict[str, Any] = {"color_system": None, "force_terminal": False}
            escapes = {} if self.styled else plainly
            self.consoles.append(Console(stderr=True, highlight=False, markup=False, emoji=False, **escapes))
        return self.consoles[0]

    @property
    def styled(self) -> bool:
        """Whether colours are wanted: a log has them only where somebody asked."""
        return not settings.is_plain() and (self.seen or settings.is_colour_forced())

    @property
    def width(self) -> int:
        """Columns of the terminal; 80 where there is none."""
        return self.console.width if self.seen else settings.columns()

    def show(self, *things: RenderableType) -> None:
        """Renderables that were built from sanitised text."""
        for thing in things:
            self.console.print(thing)

    def line(self, text: str = "", style: str = "", hanging: int = 0) -> None:
        """One line, sanitised; a long one wraps at words, indented by `hanging`, and no value is ever cut."""
        self.write(wrapped(plain(text), self.width, hanging, first=0), style)

    def write(self, lines: Sequence[str], style: str = "") -> None:
        """Lines that were wrapped before; what is still too long is the terminal's to wrap."""
        for line in lines:
            if self.seen or self.styled:
                self.console.print(line, style=style or None, soft_wrap=True)
            else:
                sys.stderr.write(line + "\n")

    def error(self, problem: IncidentError) -> None:
        """What happened and what to do next; lines of a file, and places in one for tools to read, stay as they are."""
        for number, line in enumerate(plain_lines(problem.message)):
            if POSITION.match(line):
                self.write(wrapped(line, self.width, 4, first=0) if self.seen else [line], "bold red")
            elif number == 0:
                word, style = heading(problem)
                self.line(f"{word}: {line}", style, hanging=len(word) + 2)
            else:
                self.write([line], "bold red")
        if problem.hint:
            first, *others = paths_apart(plain(problem.hint))
            self.line(f"next: {first}", "yellow", hanging=6)
            self.write(others, "yellow")

    def command(self, label: str, words: str, style: str = "") -> None:
        """A command of this program, never broken: beside its label, or below it where the two do not fit."""
        command = f"{settings.command()} {plain(words)}"
        one_line = f"{label}: {command}"
        self.write([one_line] if len(one_line) <= self.width else [f"{label}:", command], style)

    @contextmanager
    def working(self, text: str) -> Iterator[None]:
        """A spinner where there is a terminal; nothing in a log."""
        if not self.seen:
            yield
            return
        self.settle()
        status = self.console.status(plain(text))
        self.spinning.append(status)
        status.start()
        try:
            yield
        finally:
            self.settle()

    def settle(self) -> None:
        """Stop the spinner: over a question it would look as if nobody were asked."""
        while self.spinning:
            self.spinning.pop().stop()


def heading(problem: IncidentError) -> tuple[str, str]:
    """The word before a message, and its style: a stop that was wanted is no error."""
    if not isinstance(problem, Waiting):
        return "error", "bold red"
    return "stopped" if problem.waiting_for == "operator" else "waiting", "yellow"


POSITION = re.compile(r".*:\d+:\d+: error\[")


def print_json(document: Mapping[str, object]) -> None:
    """One object on stdout."""
    print_text(json.dumps(document, indent=2, ensure_ascii=True))


def print_text(text: str) -> None:
    """Plain text for scripts, on stdout; raises Misused where it cannot be written."""
    if sys.stdout is None:
        raise Misused("stdout cannot be written: it is closed", WAY_OUT)
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def is_interactive() -> bool:
    """Whether somebody can be asked: prompts need a terminal on stdin and stderr."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


def introduce(printer: Printer, prompt: Prompt) -> None:
    """The question and its choices."""
    printer.line()
    printer.line(f"? {prompt.text}", "bold", hanging=2)
    for number, (word, meaning) in enumerate(prompt.choices):
        printer.line(f"    {word:<6} {meaning}{' (default)' if number == 0 else ''}", hanging=11)


def read_edited(label: str) -> str:
    """A line with editing keys, through prompt_toolkit on stderr; raises EOFError on Ctrl-D."""
    import questionary
    from prompt_toolkit.output import create_output

    return str(questionary.text(label, qmark=">", output=create_output(stdout=sys.stderr)).unsafe_ask())


def read_plainly(label: str) -> str:
    """A line without a single escape code; raises EOFError on Ctrl-D."""
    sys.stderr.write(f"> {label} ")
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line


def read_secret(label: str) -> str:
    """A line that is not shown as it is typed, from the terminal itself; raises EOFError on Ctrl-D."""
    from getpass import getpass

    return getpass(f"> {label} ", stream=sys.stderr)


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks in the terminal; the default of every question is the safe answer. Outside a walk there are no moves but to
    stop: there is no record to note in, and no step to go back to."""

    printer: Printer
    in_walk: bool = True

    def ask(self, prompt: Prompt) -> Reply:
        """Ask until there is a reply."""
        if not is_interactive():
            raise NeedsTerminal(
                f"the step {prompt.step} asks: {prompt.text}", "run this in a terminal; drills also take --auto"
            )
        self.printer.settle()
        introduce(self.printer, prompt)
        while True:
            reply = self.understand(prompt, self.read(prompt))
            if reply is not None:
                return reply

    def read(self, prompt: Prompt) -> str:
        """One line from the terminal; where input has ended, that is `stop`."""
        asked = "yes or no" if prompt.typed and prompt.question == "yes-no" else LABELS[prompt.question]
        label = f"{asked}, ? for help:"
        try:
            return (read_plainly(label) if settings.is_plain() else read_edited(label)).strip()
        except EOFError:
            return "stop"

    def understand(self, prompt: Prompt, line: str) -> Reply | None:
        """The reply in a line, or None where the question must be asked again."""
        word, _, rest = line.partition(" ")
        move, text = word.lower(), plain(rest.strip())
        if line == "?":
            self.help(prompt)
            return None
        if not self.in_walk:
            return Stop() if line.lower() == "stop" else self.answer(prompt, line)
        if prompt.question == "choice" and line in dict(prompt.choices):
            return Answer(line)
        if move == "note":
            return Note(text) if text else self.again("a note needs words: note TEXT")
        if move == "skip":
            return Skip(text) if text else self.again("a skip needs a reason: skip REASON")
        if move in ("back", "stop") and not text:
            return Back() if move == "back" else Stop()
        return self.answer(prompt, line)

    def answer(self, prompt: Prompt, line: str) -> Reply | None:
        """A line as an answer of the question's kind."""
        if prompt.question == "yes-no":
            return self.again("a check fires: type yes or no") if prompt.typed and not line else self.yes_or_no(line)
        if prompt.question == "choice":
            chosen = line or prompt.choices[0][0]
            words = dict(prompt.choices)
            return Answer(chosen) if chosen in words else self.again(f"choose one of {', '.join(words)}")
        if prompt.question == "type":
            return Answer(prompt.phrase) if is_phrase(line, prompt.phrase) else self.not_it(prompt)
        return Answer(plain(line)) if line else self.again("say it in a few words, or stop")

    def yes_or_no(self, line: str) -> Reply | None:
        if line.lower() in YES:
            return Answer("yes")
        return Answer("no") if line.lower() in NO else self.again("yes or no")

    def again(self, text: str) -> Reply | None:
        """Say what is wrong; the question is asked again."""
        self.printer.line(text, "yellow")
        return None

    def not_it(self, prompt: Prompt) -> Reply | None:
        """Another try at a phrase; where it must be read elsewhere, a wrong one does not give it away."""
        wanted = repr(prompt.phrase)
        if prompt.typed:
            wanted = "it: look at the card again" if self.in_walk else "it: compare it with where you read it"
        return self.again(f"that is not {wanted}; type it exactly, or stop. Nothing has been done.")

    def help(self, prompt: Prompt) -> None:
        """What the question is about, and what may be answered to it."""
        if prompt.help:
            self.printer.line(prompt.help, "cyan")
        if not self.in_walk:
            self.printer.line(f"    {'?':<12} this help", "cyan")
            self.printer.line(f"    {'stop':<12} end the command here; nothing more is done", "cyan", hanging=17)
            return
        for word, meaning in MOVES:
            self.printer.line(f"    {word:<12} {meaning}", "cyan", hanging=17)
        if prompt.question == "text":
            self.printer.line("An answer that begins with note or skip is that move: begin with another word.", "cyan")


def is_phrase(line: str, phrase: str) -> bool:
    """Whether the phrase was typed: exactly, but for the case of hex digits, which says nothing."""
    return line == phrase or (HEX_ENDINGS.fullmatch(phrase) is not None and line.lower() == phrase.lower())


@dataclass(frozen=True, slots=True)
class Aloud:
    """Shows each question with the rehearsed answer that it gets."""

    printer: Printer
    answerer: Answerer

    def ask(self, prompt: Prompt) -> Reply:
        """The rehearsed answer."""
        reply = self.answerer.ask(prompt)
        words = f"skip {reply.reason}" if isinstance(reply, Skip) else reply.text if isinstance(reply, Answer) else ""
        introduce(self.printer, prompt)
        self.printer.line(f"> rehearsed answer: {words}", hanging=2)
        return reply


@dataclass(frozen=True)
class Desk:
    """The printer and the asker of one command; `in_walk` where its questions are those of steps."""

    printer: Printer = field(default_factory=Printer)
    in_walk: bool = True

    @cached_property
    def asker(self) -> Asker:
        """Whoever sits at the terminal."""
        return Asker(self.printer, self.in_walk)


def require_terminal(first_question: str, way_out: str, done: str) -> None:
    """Fail at once, before anything is begun, where nobody can be asked."""
    if not is_interactive():
        raise NeedsTerminal(f"an answer will be needed and there is no terminal: {first_question}. {done}", way_out)


def parse_pairs(pairs: Sequence[str]) -> dict[str, str]:
    """`--param k=v` as a mapping; raises Misused."""
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name or name in found:
            raise Misused(
                f"--param {plain(pair, 80)!r} is not NAME=VALUE, or names one twice", "write it as --param max=200"
            )
        found[name] = value
    return found
