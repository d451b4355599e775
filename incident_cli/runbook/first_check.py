"""What a first runbook looks at: the most telling view that a contract offers, and series that test the check. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from incident_cli.evm import Address
from incident_cli.runbook.abi_names import quoted
from incident_cli.runbook.abi_stub import Stub

IMPLEMENTATION = "0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"  # EIP-1967
GOOD, BAD = "0x" + "1" * 40, "0x" + "2" * 40  # addresses of tests
RUN = 200  # samples of 12 s: longer than a test's walk
ASSETS = ("totalAssets", "totalDeposits", "totalLiquidity", "totalValueLocked", "tvl", "pool", "reserves")
SUPPLY = ("totalSupply",)
NUMBER = re.compile(r"uint[0-9]{1,3}")


@dataclass(frozen=True, slots=True)
class FirstCheck:
    """A check as YAML lines below its name; the address parameter it takes (name and present value), if any; and for
    its tests in which section of a test file its series stands, and the series by state: `quiet`, `firing` (from the
    fifth sample on), `cleared` (from the fifth sample on, and not for ever), `unknown`."""

    name: str
    title: str
    lines: tuple[str, ...]
    section: str
    series: Callable[[str], str]
    states: Mapping[str, str]
    read: str = ""
    parameter: str = ""
    value: str = ""
    before: str = "missing"

    @property
    def expected(self) -> tuple[tuple[str, str], ...]:
        """When it says what in the state `cleared`; what is compared with ten minutes ago is quiet after those."""
        fires = (("36s", "quiet"), ("48s", "pending"), ("1m", "firing"))
        return (*fires, ("10m36s", "firing"), ("10m48s", "quiet")) if self.before == "constant" else fires


def first_check(stub: Stub, implementation: Address | None, values: Mapping[str, object]) -> FirstCheck:
    """The first of these that there is: who owns it, what a proxy runs, what it holds, its supply; else its code."""
    return next(candidates(stub, implementation, values))


def candidates(stub: Stub, implementation: Address | None, values: Mapping[str, object]) -> Iterator[FirstCheck]:
    """Every check that would do, the most telling one first."""
    own = {here: there for there, here in stub.reads.items()}
    for read in stub.owners:
        value = values.get(own[read])
        if isinstance(value, str) and not only_holder(stub, read):
            yield another_owner(stub.slot, read, value)
    if implementation is not None:
        yield another_implementation(stub.slot, implementation)
    for names, build in ((ASSETS, assets_fall), (SUPPLY, supply_grows)):
        for name in names:
            if name in stub.reads and NUMBER.fullmatch(stub.types.get(name, "")):
                yield build(stub.slot, stub.reads[name])
    yield another_code(stub.slot)


def only_holder(stub: Stub, read: str) -> bool:
    """Whether a lever needs this very address to be its puller: once it is another, nothing can be pulled."""
    return any(one.role is not None and one.role.addresses == (read,) for one in stub.levers)


def another_owner(slot: str, read: str, value: str) -> FirstCheck:
    """Somebody else answers as the owner."""
    parameter = f"{slot}_{read}"[:40]
    lines = ("kind: change", f"value: {slot}.{read}()", f'expect: "{{{parameter}}}"')
    states = {"quiet": GOOD, "firing": f"{GOOD}x3 {BAD}x{RUN}", "cleared": f"{GOOD}x3 {BAD}x17 {GOOD}x{RUN}"}
    states["unknown"] = f"{GOOD}x3 _x3"
    return FirstCheck(
        "owner_changed",
        f"{slot} has another {read}",
        (*lines, "samples: 2 of 2", false_positive("A planned handover: compare it with what governance announced.")),
        "reads",
        lambda text: f'{slot}.{read}(): "{text}"',
        states,
        read,
        parameter,
        value,
    )


def another_implementation(slot: str, value: str) -> FirstCheck:
    """A proxy runs other code."""
    parameter = f"{slot}_implementation"[:40]
    good, bad = (f"0x{'0' * 24}{one[2:]}" for one in (GOOD, BAD))
    states = {"quiet": good, "firing": f"{good}x3 {bad}x{RUN}", "cleared": f"{good}x3 {bad}x17 {good}x{RUN}"}
    states["unknown"] = f"{good}x3 _x3"
    lines = ("kind: change", f"slot: {slot}", "of: implementation", f'expect: "{{{parameter}}}"', "samples: 2 of 2")
    return FirstCheck(
        "upgraded",
        f"{slot} runs another implementation",
        (*lines, false_positive("A planned upgrade: compare it with what governance announced, then pin it anew.")),
        "storage",
        lambda text: f'{slot}: {{{IMPLEMENTATION}: "{text}"}}',
        states,
        parameter=parameter,
        value=value,
    )


def assets_fall(slot: str, read: str) -> FirstCheck:
    """A fifth of what it holds is gone within ten minutes."""
    formula = f"{slot}.{read}() * 10 >= ago({slot}.{read}(), '10m') * 8"
    return moving(slot, read, "assets_fell", "loses what it holds", formula, (1_000_000, 800_000, 799_999))


def supply_grows(slot: str, read: str) -> FirstCheck:
    """A tenth more tokens within ten minutes."""
    formula = f"{slot}.{read}() * 10 <= ago({slot}.{read}(), '10m') * 11"
    return moving(slot, read, "supply_grew", "mints too much", formula, (1_000_000, 1_100_000, 1_100_001))


def moving(slot: str, read: str, name: str, what: str, formula: str, steps: tuple[int, int, int]) -> FirstCheck:
    """A number that moves too fast; `steps`: before, just allowed, too far."""
    before, allowed, far = steps
    states = {"quiet": f"{before}x2 {allowed}x9", "firing": f"{before}x3 {far}x{RUN}", "unknown": f"{before}x3 _x3"}
    return FirstCheck(
        name,
        f"{slot} {what}",
        (
            "kind: invariant",
            f"holds: {quoted(formula)}",
            "samples: 2 of 2",
            false_positive("One large account came or went: look for its transaction."),
        ),
        "reads",
        lambda text: f'{slot}.{read}(): "{text}"',
        {**states, "cleared": states["firing"]},
        read,
        before="constant",
    )


def another_code(slot: str) -> FirstCheck:
    """Other code stands there than ten minutes ago."""
    states = {"quiet": "0x01", "firing": f"0x01x3 0x02x{RUN}", "unknown": "0x01x3 _x3"}
    return FirstCheck(
        "code_changed",
        f"{slot} has other code",
        (
            "kind: change",
            f"slot: {slot}",
            "of: code",
            "ago: 10m",
            "samples: 2 of 2",
            false_positive("It was deployed anew on purpose: compare it with what governance announced."),
        ),
        "code",
        lambda text: f'{slot}: "{text}"',
        {**states, "cleared": states["firing"]},
        before="constant",
    )


def false_positive(text: str) -> str:
    """What else looks like this."""
    return f"false_positives: [{quoted(text)}]"
