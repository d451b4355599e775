"""What was given on a command line to encode a lever: read by its types, all that is wrong or missing said at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from incident_cli.binding import did_you_mean
from incident_cli.errors import Misused
from incident_cli.evm import ZERO, Address, parse_address
from incident_cli.expression import Value
from incident_cli.flows.catalog.find import NamedLever
from incident_cli.flows.catalog.needs import Needs, flags
from incident_cli.flows.catalog.values import parse_answer, parse_argument, parse_market, parse_token
from incident_cli.protocols.slot import Market
from incident_cli.text import plain
from incident_cli.units import AMOUNT, Token

SHOWN = 80


@dataclass(frozen=True, slots=True)
class EncodeOrder:
    """What was given, as text: slots' addresses, arguments, answers of reads, who calls, markets, tokens' decimals."""

    at: Mapping[str, str] = field(default_factory=dict)
    args: Mapping[str, str] = field(default_factory=dict)
    before: Mapping[str, str] = field(default_factory=dict)
    by: str | None = None
    markets: Mapping[str, str] = field(default_factory=dict)
    tokens: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Given:
    """Reads what was given, and notes everything that is wrong or missing before it refuses once."""

    lever: NamedLever
    order: EncodeOrder
    needs: Needs
    wrong: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def each(self, flag: str, given: Mapping[str, str], parse: Callable[[str, str], object]) -> dict[str, Any]:
        """Every value that could be read."""
        found: dict[str, Any] = {}
        for name, text in given.items():
            try:
                found[name] = parse(name, text)
            except ValueError as problem:
                self.wrong.append(f"{flag} {plain(name, SHOWN)}={plain(text, SHOWN)}: {plain(problem, 3 * SHOWN)}")
        return found

    def slots(self) -> dict[str, Address]:
        """Addresses by slot."""
        known = self.lever.protocol.slots
        return self.each("--at", self.order.at, lambda name, text: parse_address(known_name(name, text, known)))

    def by(self) -> Address:
        """Who makes the call; nobody where it does not matter."""
        if self.order.by is None:
            return ZERO
        try:
            return parse_address(self.order.by)
        except ValueError as problem:
            self.wrong.append(f"--by {plain(self.order.by, SHOWN)}: {plain(problem)}")
            return ZERO

    def args(self) -> dict[str, object]:
        """The arguments by name, defaults included, in the order of the protocol file."""
        tokens: dict[str, Token] = self.each("--token", self.order.tokens, parse_token)
        markets: dict[str, Market] = self.each("--market", self.order.markets, parse_market)
        kinds = self.lever.definition.args

        def parse(name: str, text: str) -> object:
            kind = kinds[known_name(name, name, kinds)].type
            return chosen(text, markets) if kind == "market" else parse_argument(kind, text, tokens)

        given = {**self.defaults(markets), **self.order.args}
        uncounted = self.undeclared(given)
        found = self.each("--arg", {name: text for name, text in given.items() if name not in uncounted}, parse)
        return {name: found[name] for name in kinds if name in found}

    def defaults(self, markets: Mapping[str, object]) -> dict[str, str]:
        """The file's own defaults, and the one market that was given."""
        kinds = self.lever.definition.args
        found = {name: one.default for name, one in kinds.items() if one.default is not None}
        of_market = [name for name, one in kinds.items() if one.type == "market"]
        if len(of_market) == len(markets) == 1:
            found[of_market[0]] = next(iter(markets))
        return found

    def undeclared(self, given: Mapping[str, str]) -> set[str]:
        """The arguments that count in a token whose decimals were not given: those are missing."""
        kinds, found = self.lever.definition.args, set()
        for name, text in given.items():
            match = AMOUNT.fullmatch(text) if name in kinds and kinds[name].type == "amount" else None
            if match is not None and match["token"] not in self.order.tokens:
                self.missing.append(f"--token {match['token']}=DECIMALS")
                found.add(name)
        return found

    def answers(self) -> dict[str, Value]:
        """What the reads answer now, by name."""
        reads, wanted = self.lever.protocol.reads, (*self.needs.reads, *self.needs.optional)
        return self.each(
            "--before",
            self.order.before,
            lambda name, text: parse_answer(reads[known_name(name, name, wanted)].value_type, text),
        )

    def settle(self) -> None:
        """Raises Misused with everything that is wrong and every flag that is missing."""
        order = self.order
        said = {f"slot {one}" for one in order.at} | {f"argument {one}" for one in order.args}
        said |= {f"read {one}" for one in order.before} | ({"by"} if order.by is not None else set())
        said |= {f"argument {one}" for one in self.defaults(order.markets)}
        self.missing += [flag for what, flag in flags(self.lever, self.needs).items() if what not in said]
        if self.missing:
            self.wrong.append(f"{self.lever.full_name} cannot be encoded: {len(self.missing)} missing")
        if self.wrong:
            hint = f"add {' '.join(dict.fromkeys(self.missing))}" if self.missing else f"see {self.help}"
            raise Misused("\n".join(self.wrong), hint)

    @property
    def help(self) -> str:
        """Where the lever is explained."""
        return f"`incident lever show {self.lever.full_name}`"


def known_name(name: str, value: str, known: Mapping[str, object] | Sequence[str]) -> str:
    """The value, where its name is known; raises ValueError."""
    if name not in known:
        raise ValueError(f"unknown here{did_you_mean(name[:SHOWN], list(known))}; known: {', '.join(known) or 'none'}")
    return value


def chosen(name: str, markets: Mapping[str, Market]) -> Market:
    """A market that --market gave; raises ValueError."""
    if name not in markets:
        raise ValueError(f"no market of that name was given: add --market {plain(name, SHOWN)}=BYTES32")
    return markets[name]
