"""What must stay as it is: an owner, a role, an implementation, the code."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from incident_cli.binding import BYTES32_KIND, EXPRESSION, IDENTIFIER, REFERENCE, SPAN
from incident_cli.checks.check import Reading, Wanted, Wiring
from incident_cli.checks.contract_state import PART, PROXY_SLOTS, ContractPart, Shown, shown_value
from incident_cli.checks.measure import ChainValues, value_of
from incident_cli.checks.window import MeasuredCheck, at, merged, moved, require_window
from incident_cli.evm import ADDRESS, BYTES32, Missing, Read, Snapshot
from incident_cli.expression import Expression, Unknown
from incident_cli.expression_values import Value
from incident_cli.text import plain
from incident_cli.units import Span, parse_amount, parse_integer

CHANGED, SAME = 1, 0
NUMBER = re.compile(r"-?[0-9][0-9_]*(\.[0-9]+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change(MeasuredCheck):
    """Fires when something is not as expected, or not as it was.

    Either a `value` (an expression of any type: `exchange.guardian()`), or `of` a `slot`: implementation, admin or
    beacon (the storage slots of EIP-1967), code (its keccak-256 hash, as EIP-1052), or storage at a `position`; `on`
    names the protocol's address where it has several. It is compared with `expect` (an address, 32 bytes, a number,
    an amount, true or false, or a parameter `{name}`), or with what it was `ago`. The value is 1 where it differs. What
    it is now is found as `new_value`, what it was as `old_value`. Nothing there, now as before, is unknown.
    """

    value: Annotated[Expression, EXPRESSION] | None = None
    slot: Annotated[str, IDENTIFIER] | None = None
    of: Annotated[str, PART] | None = None
    on: Annotated[str, IDENTIFIER] | None = None
    position: Annotated[str, BYTES32_KIND] | None = None
    expect: str | None = None
    ago: Annotated[Span, SPAN] | None = None

    def review(self) -> None:
        """One thing to look at, and one to compare it with."""
        if (self.value is None) is (self.slot is None) or (self.slot is None) is not (self.of is None):
            raise ValueError("change looks at a `value`, or at `of` a `slot`")
        if self.slot is None and (self.on or self.position):
            raise ValueError("`on` and `position` belong to a `slot`")
        if (self.of == "storage") is (self.position is None):
            raise ValueError("`position` is given with `of: storage`, and only there")
        if (self.expect is None) is (self.ago is None):
            raise ValueError("change compares with `expect`, or with what it was `ago`")
        if self.ago is not None:
            require_window(self.ago, self.expressions())

    def required(self) -> Mapping[str, tuple[str, ...]]:
        """The slot, or the reads of the value."""
        if self.slot is not None:
            return {self.slot: ()}
        return merged([{slot: (name,)} for slot, _, name in self.asked()])

    def asked(self) -> Iterator[tuple[str, str, str]]:
        """The slot and the name of every read in the value."""
        for mention in self.value.reads if self.value else ():
            yield mention.name.partition(".")

    def formulas(self) -> Iterator[tuple[Expression, Wanted]]:
        """The value, of any type."""
        if self.value is not None:
            yield self.value, "value"

    def finds(self) -> Mapping[str, str]:
        """What it is and was, where the kind of that is known from the file alone."""
        if self.of is None:
            return {}
        return dict.fromkeys(("new_value", "old_value"), "address" if self.of in PROXY_SLOTS else "bytes32")

    def expressions(self) -> tuple[Expression, ...]:
        """The value."""
        return () if self.value is None else (self.value,)

    def spans(self) -> tuple[Span, ...]:
        """When it is compared with its past."""
        return () if self.ago is None else (self.ago,)

    def part(self) -> ContractPart | None:
        """The part of a contract that it looks at."""
        return ContractPart(self.slot, self.of, self.on, self.position) if self.slot and self.of else None

    def reads(self, wiring: Wiring) -> tuple[Read, ...]:
        """What it looks at, now and then."""
        part = self.part()
        read = Missing("it is an expression") if part is None else part.read(wiring)
        if isinstance(read, Missing):
            return MeasuredCheck.reads(self, wiring)
        return tuple(moved(read, span) for span in (Span(), *self.spans()))

    def judge(self, wiring: Wiring, snapshot: Snapshot) -> Reading:
        """Whether it is another than it should be."""
        now = self.look(wiring, snapshot, Span())
        if isinstance(now, Missing):
            return self.unknown(SAME, "", now)
        then = self.compared_with(now, wiring, snapshot)
        if isinstance(then, Missing):
            return self.unknown(SAME, "", then)
        if now.empty and then.empty:
            return self.unknown(SAME, "", f"{self.thing()} is empty and was: there is nothing to change")
        differs = now.form != then.form
        told = f"{then.text} was expected" if self.ago is None else f"it was {then.text} {self.ago} ago"
        reason = plain(f"{self.thing()} is {now.text}{f'; {told}' if differs else ''}")
        found = (now.found("new_value"), then.found("old_value")) if differs else ()
        return Reading(differs, int(differs), SAME, "", reason, found=found)

    def thing(self) -> str:
        """What it looks at, in words."""
        return str(self.part() or (self.value.source if self.value else ""))

    def look(self, wiring: Wiring, snapshot: Snapshot, span: Span) -> Shown | Missing:
        """What it was `span` ago, or why it is not known."""
        view, part = at(snapshot, span), self.part()
        if isinstance(view, Missing):
            return view
        if part is not None:
            read = part.read(wiring)
            return read if isinstance(read, Missing) else part.shown(view.value(read))
        assert self.value is not None, "reviewed"
        value = value_of(self.value, ChainValues(wiring, view))
        return Missing(value.reason) if isinstance(value, Unknown) else shown_value(value)

    def compared_with(self, now: Shown, wiring: Wiring, snapshot: Snapshot) -> Shown | Missing:
        """What it must be."""
        if self.ago is not None:
            return self.look(wiring, snapshot, self.ago)
        text = self.expect or ""
        match = REFERENCE.fullmatch(text)
        value: Value = wiring.values.get(match.group(1), Missing(f"{text} has no value")) if match else text
        if isinstance(value, Missing):
            return value
        try:
            return expected(value, now, wiring)
        except ValueError as problem:
            return Missing(plain(f"{self.thing()} is {now.text}, which cannot be compared with {text}: {problem}"))


def expected(value: Value, now: Shown, wiring: Wiring) -> Shown:
    """An expected value in the form of the present one; raises ValueError where it is of another kind."""
    found = parsed(value, now.kind, wiring) if isinstance(value, str) else shown_value(value)
    if {found.kind, now.kind} == {"int", "number"}:  # 7 and 7.0 are one number
        return Shown(now.kind, found.text)
    if found.kind != now.kind:
        raise ValueError(f"one is {now.kind}, the other {found.kind}")
    return found


def parsed(text: str, kind: str, wiring: Wiring) -> Shown:
    """Text as a value of a kind; raises ValueError."""
    if kind == "int":
        return shown_value(parse_integer(text))
    if kind == "number" and NUMBER.fullmatch(text):
        return shown_value(Decimal(text.replace("_", "")))
    if kind == "amount":
        return shown_value(parse_amount(text, dict(wiring.tokens)))
    if kind == "bool" and text.lower() in ("true", "false"):
        return Shown(kind, text.lower())
    if (kind == "address" and ADDRESS.fullmatch(text)) or (kind == "bytes32" and BYTES32.fullmatch(text)):
        return Shown(kind, text)
    if kind in ("text", "bytes"):
        return Shown(kind, text)
    raise ValueError(f"it is no {kind}")
