"""What an expression of a runbook may ask: parameters, reads of the chain, and the verdicts of checks.

Two passes: `reads_needed` evaluates with every read unknown and collects them; after they were read at one
block, `judge` evaluates with the answers. `quiet_for` and `firing_for` draw on the findings in the journal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from incident_cli.checks.check import Finding, Verdict, Wiring
from incident_cli.checks.measure import ChainValues, value_of
from incident_cli.evm import Read, Snapshot
from incident_cli.expression import Expression, Unknown, Value

SHORTEST_GAP_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Conditions:
    """Gives the names and calls of a runbook's expressions their values."""

    wiring: Wiring
    findings: Mapping[str, Sequence[Finding]]
    snapshot: Snapshot | None = None
    asked: list[Read] = field(default_factory=list)

    def name(self, dotted: str) -> Value:
        """A parameter's value."""
        return self.chain.name(dotted)

    def call(self, dotted: str, args: tuple[Value, ...]) -> Value:
        """A declared read, or what a check says."""
        if dotted in VERDICTS:
            return self.verdict(dotted, str(args[0]))
        if dotted in LASTING:
            return lasting(self.findings.get(str(args[0]), ()), LASTING[dotted], args[1])
        return self.chain.call(dotted, args)

    @property
    def chain(self) -> ChainValues:
        """What parameters and reads are worth."""
        return ChainValues(self.wiring, self.snapshot, self.asked)

    def verdict(self, function: str, check: str) -> Value:
        """Whether the latest finding has this verdict; unknown where there is none or it is unknown."""
        history = self.findings.get(check, ())
        if not history:
            return Unknown(f"{check} has not been judged")
        latest = history[-1]
        if latest.verdict is Verdict.UNKNOWN and function != "unknown":
            return Unknown(f"{check}: {latest.reading.reason}")
        return latest.verdict is VERDICTS[function]


VERDICTS = {
    "firing": Verdict.FIRING,
    "quiet": Verdict.QUIET,
    "pending": Verdict.PENDING,
    "unknown": Verdict.UNKNOWN,
}
LASTING = {"quiet_for": Verdict.QUIET, "firing_for": Verdict.FIRING}


def lasting(history: Sequence[Finding], verdict: Verdict, duration: object) -> Value:
    """Whether a verdict has lasted: samples no farther apart than a quarter of the duration, and no other between.

    Too few samples, or an unknown one among them, are unknown, never quiet: one sample now and one an hour ago do
    not show an hour of quiet.
    """
    if not isinstance(duration, int):
        return Unknown("the duration is unknown")
    if not history:
        return Unknown("it has not been judged")
    if history[-1].verdict is Verdict.UNKNOWN:
        return Unknown(history[-1].reading.reason)
    if history[-1].verdict is not verdict:
        return False
    longest_gap = max(duration // 4, SHORTEST_GAP_SECONDS)
    latest = earliest = history[-1].block.timestamp
    for finding in reversed(history):
        if earliest - finding.block.timestamp > longest_gap:
            break
        if finding.verdict is Verdict.UNKNOWN:
            return Unknown(
                f"a sample {latest - finding.block.timestamp} s earlier is unknown: {finding.reading.reason}"
            )
        if finding.verdict is not verdict:
            return False
        earliest = finding.block.timestamp
        if latest - earliest >= duration:
            return True
    return Unknown(f"the samples cover {latest - earliest} s of the {duration} s asked for")


def reads_needed(expression: Expression, conditions: Conditions) -> tuple[Read, ...]:
    """Every read an expression asks for."""
    probe = Conditions(conditions.wiring, conditions.findings)
    value_of(expression, probe)
    return tuple(dict.fromkeys(probe.asked))


def judge(expression: Expression, conditions: Conditions) -> bool | Unknown:
    """True, False or unknown; a value that is no truth value is unknown with that reason."""
    value = value_of(expression, conditions)
    if isinstance(value, bool | Unknown):
        return value
    return Unknown(f"{expression.source!r} is {value!r}, neither true nor false")
