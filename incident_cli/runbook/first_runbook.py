"""A first runbook for a contract, and its tests: sound and passing as they are written, and plain about what they lack.

Pure text from a protocol stub and a check.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from incident_cli.runbook.abi_names import comment, quoted, review
from incident_cli.runbook.abi_stub import Stub, StubLever
from incident_cli.runbook.first_check import BAD, FirstCheck

TEST_VALUES = {"address": BAD, "int": "1000"}
LIMIT_BEFORE = 250_000
STEPS = ("detect", "declare", "stop", "prove", "cause", "reopen")


@dataclass(frozen=True, slots=True)
class First:
    """What a first runbook is made of. `market` is the one that the deployment has."""

    name: str
    stub: Stub
    check: FirstCheck
    market: str

    @property
    def id(self) -> str:
        """The runbook's id."""
        return f"{self.name}-emergency"

    @property
    def lever(self) -> StubLever | None:
        """The lever that it pulls: the first that stops something, else the first that lowers a limit."""
        return next(iter(self.stub.levers), None)

    @property
    def parameters(self) -> Mapping[str, str]:
        """Every parameter and its type."""
        own = {self.check.parameter: "address"} if self.check.parameter else {}
        given = self.lever.args if self.lever else {}
        return {"market": "market", **own, **{name: kind for name, kind in given.items() if kind != "market"}}

    def arguments(self) -> list[str]:
        """The lever's arguments; each is the runbook's parameter of that name."""
        return list(self.lever.args) if self.lever else []


def runbook_text(first: First) -> str:
    """The runbook."""
    return "\n".join([*top(first), *check_lines(first), *steps(first)]) + "\n"


def top(first: First) -> Iterator[str]:
    """Everything before the checks."""
    yield comment(
        f"Written by `incident init`: a first runbook for {first.name}, to be rehearsed and then made better."
    )
    yield "schema: incident/v1"
    yield f"id: {first.id}"
    yield f"title: {quoted(first.check.title)}"
    yield review("which team answers for it, and how bad is it? SEV1 is the worst")
    yield f"meta: {{owner: {first.name}-oncall, severity: SEV2, status: draft, drill_every: 30d}}"
    yield "params:"
    for name, kind in first.parameters.items():
        if first.lever is not None and name in first.lever.args and kind != "market":
            yield review(f"which value? Give it with --param {name}=…, or under `params` of the deployment's market", 2)
        yield f"  {name}: {{type: {kind}}}"
    yield "slots:"
    yield f"  {first.stub.slot}: {{protocol: {first.name}}}"
    yield "  council: {protocol: safe}"


def check_lines(first: First) -> Iterator[str]:
    """The one check."""
    yield "checks:"
    yield review("what goes wrong first, here? `incident explain` lists the kinds of check", 2)
    yield f"  {first.check.name}:"
    yield from (f"    {line}" for line in first.check.lines)


def steps(first: First) -> Iterator[str]:
    """What a person walks."""
    check, lever = first.check.name, first.lever
    yield "steps:"
    patience = "retry: {max: 2, every: 12s}, on_quiet: goto stand_down"
    yield f"  - {{id: detect, check: [{check}], {patience}, marks: detected}}"
    yield "  - id: declare"
    yield '    ask: "Is it real, and do you take the lead?"'
    yield "    role: incident_leader"
    yield "    on_no: goto stand_down"
    yield "    marks: acknowledged"
    yield "    deadline: 10m"
    if lever is None:
        yield review("nothing is contained here: no lever was recognised. What can be stopped, and by whom?", 2)
    else:
        yield from contain_lines(first, lever)
    yield '  - {id: cause, manual: "Find the cause, and see that it is mended. Say what you saw.", evidence: text}'
    if lever is not None:
        yield review("who reopens, and how long must it have been quiet?", 2)
        calm = f"quiet_for({check}, '10m')"
        yield f'  - {{id: reopen, restore: stop, by: council, requires: "{calm}", marks: recovered}}'
    yield '  - {id: stand_down, only_by_goto: true, manual: "Record why this was a false alarm.", evidence: text}'


def contain_lines(first: First, lever: StubLever) -> Iterator[str]:
    """The containment, and its proof."""
    slot = first.stub.slot
    given = "".join(f', {one}: "{{{one}}}"' for one in first.arguments())
    yield "  - id: stop"
    yield f"    when: firing({first.check.name})"
    yield "    contain:"
    yield "      by: council"
    yield f"      calls: [{{lever: {slot}.{lever.name}{given}}}]"
    if first.stub.owners:
        yield f"      must_not_change: [{{read: {slot}.{first.stub.owners[0]}}}]"
    yield "    deadline: 15m"
    yield f'  - {{id: prove, verify: ["{proof(slot, lever)}"], timeout: 5m, marks: contained}}'


def proof(slot: str, lever: StubLever) -> str:
    """What the chain must show."""
    read = f"{slot}.{lever.read}({', '.join(lever.keys)})"
    return f"{read} <= {lever.limit}" if lever.limit else f"{read} == True"


def cases_text(first: First) -> str:
    """The runbook's tests: quiet, firing, unknown, and walks to the end and to a false alarm."""
    return "\n".join([*test_top(first), "cases:", *test_cases(first)]) + "\n"


def test_top(first: First) -> Iterator[str]:
    """What holds in every case."""
    yield comment(f"Written by `incident init`: what {first.id} must say of given values, and where answers lead.")
    yield "schema: incident-test/v1"
    yield f"runbook: {first.id}"
    yield "interval: 12s"
    yield f"market: {first.market}"
    given = {name: TEST_VALUES[kind] for name, kind in first.parameters.items() if kind != "market"}
    if first.check.parameter:
        given[first.check.parameter] = "0x" + "1" * 40
    if given:
        pairs = (f'{name}: "{value}"' for name, value in given.items())
        yield f"params: {{{', '.join(pairs)}}}"


def standing(first: First) -> dict[str, str]:
    """The reads that the walk needs beside the check's own."""
    slot, found = first.stub.slot, {}
    if first.lever is not None:
        asked = "*" if first.lever.keys else ""
        found[f"{slot}.{first.lever.read}({asked})"] = str(LIMIT_BEFORE) if first.lever.limit else "false"
        role = first.lever.role
        found |= {f"{slot}.{one}(*)": "true" for one in (role.memberships if role else ())}
        found |= {f"{slot}.{one}()": "council" for one in (role.addresses if role else ())}
        found |= {f"{slot}.{one}()": "council" for one in first.stub.owners[:1]}
    return {key: value for key, value in found.items() if key != f"{slot}.{first.check.read}()"}


def values_lines(first: First, state: str) -> Iterator[str]:
    """The series of one case: the check's own, and what stands beside them."""
    check, reads = first.check, [f'{key}: "{value}"' for key, value in standing(first).items()]
    own = check.series(check.states[state])
    if check.section == "reads":
        reads.append(own)
    else:
        yield f"    {check.section}:"
        yield f"      {own}"
    if reads:
        yield "    reads:"
        yield from (f"      {one}" for one in reads)


def test_cases(first: First) -> Iterator[str]:
    """Every case."""
    check = first.check.name
    yield from case(first, "what is as it should be is quiet", "quiet", [f"{{at: 1m, {check}: quiet}}"])
    fired = [f"{{at: {at}, {check}: {verdict}}}" for at, verdict in first.check.expected]
    yield from case(first, "it fires at its second sample, and the walk goes to its end", "cleared", fired)
    yield from walk(first)
    yield from case(first, "what cannot be read is unknown, never quiet", "unknown", [f"{{at: 48s, {check}: unknown}}"])
    yield from case(first, "it was a false alarm", "firing", [])
    yield "    walk:"
    yield '      answers: {declare: "no", stand_down: It was announced.}'
    yield "      path: [detect, declare, stand_down]"
    yield "      ends: stood-down"


def case(first: First, name: str, state: str, expected: list[str]) -> Iterator[str]:
    """One case without its walk."""
    yield f"  - name: {name}"
    if first.check.before != "missing":
        yield f"    before: {first.check.before}"
    yield from values_lines(first, state)
    if expected:
        yield "    expect:"
        yield from (f"      - {one}" for one in expected)


def walk(first: First) -> Iterator[str]:
    """The walk to the end: contained and reopened, or without a lever as far as there is one."""
    lever, market = first.lever, first.market
    yield "    walk:"
    if lever is None:
        yield '      answers: {declare: "yes", cause: It was mended.}'
        yield "      path: [detect, declare, cause]"
        return
    yield f'      answers: {{declare: "yes", stop: {market}, cause: It was mended., reopen: {market}}}'
    yield f"      path: [{', '.join(STEPS)}]"
    yield f'      calls: ["{called(first, lever)}", "undo {called(first, lever)}"]'
    yield "      ends: contained"


def called(first: First, lever: StubLever) -> str:
    """The call, as a test shows it."""
    given = {name: first.market if kind == "market" else TEST_VALUES[kind] for name, kind in lever.args.items()}
    return f"{first.stub.slot}.{lever.name}({', '.join(f'{name} = {value}' for name, value in given.items())})"
