"""What proves something could be false; nothing sensible is refused."""

from __future__ import annotations

import pytest

from incident_cli.binding import Given
from incident_cli.expression import parse
from incident_cli.protocols.slot import Market
from incident_cli.runbook.load import load_runbook
from incident_cli.runbook.model import VerifyStep
from incident_cli.runbook.proof import MOST_EVALUATIONS, MOST_WORLDS, Output, Prover
from incident_cli.runbook.shipped import shipped_runbooks

GUARDIAN = "0x00000000000000000000000000000000DeaDBeef"
OUTPUTS = {
    "x.paused": Output(("bool",)),
    "x.pool": Output(("uint256",), "USDC"),
    "x.cap": Output(("uint256",), "USDC"),
    "x.shares": Output(("uint256",)),
    "x.state": Output(("uint8",)),
    "x.debt": Output(("int256",)),
    "x.period": Output(("uint64",), "seconds"),
    "x.updated": Output(("uint64",), "time"),
    "x.guardian": Output(("address",)),
    "x.root": Output(("bytes32",)),
    "x.name": Output(("string",)),
    "x.pair": Output(("uint256", "uint256")),
}
SCOPE = {
    "market": Given("market", Market("ETH-USD", bytes(32))),
    "keep": Given("amount", "100 USDC"),
    "most": Given("int", 150),
    "wait": Given("duration", 300),
    "owner": Given("address", GUARDIAN),
}


def is_empty(source: str) -> bool:
    return Prover(OUTPUTS, SCOPE).is_empty(parse(source))


@pytest.mark.parametrize(
    "source",
    [
        "x.paused() or True",
        "x.pool() >= 0",
        "x.paused(market) == x.paused(market)",
        "x.paused(market) or not x.paused(market)",
        "x.pool() - x.pool() == 0",
        "x.shares() > -1",
        "min(x.shares(), 5) <= 5",
        "max(x.pool(), x.cap()) >= x.cap()",
        "x.shares() % 2 < 2",
        "x.shares() * x.shares() >= 0",
        "x.shares() < 3 or x.shares() > 2",
        "x.cap() >= amount('0 USDC')",
        "x.cap() <= x.cap() + keep",
        "x.period() >= duration('0s')",
        "x.state() < 256",
        "x.guardian() == x.guardian()",
        "quiet(c) or x.pool() >= 0",
        "x.paused() == (x.paused() == True)",
    ],
)
def test_what_cannot_be_false_proves_nothing(source: str) -> None:
    assert is_empty(source)


@pytest.mark.parametrize(
    "source",
    [
        "x.paused(market) == True",
        "not x.paused()",
        "x.cap() <= keep",
        "x.cap() > 0",
        "x.shares() <= most",
        "x.shares() != 42",
        "x.shares() * 2 != 100",
        "x.shares() // 3 != 5",
        "x.shares() != most",
        "x.shares() <= 99999999999999999999999",
        "x.state() == 0",
        "x.state() != 3",
        "x.debt() > -1",
        "x.debt() >= -1000",
        "x.pool() + x.cap() >= amount('250000 USDC')",
        "x.pool() >= x.cap()",
        "x.pool() * 10 >= x.cap() * 9",
        "x.period() >= wait",
        "now() - x.updated() < duration('1h')",
        "x.guardian() == owner",
        "x.guardian() != owner",
        f"x.guardian() != '{GUARDIAN}'",
        "x.guardian() != '0x0000000000000000000000000000000000000000'",
        f"x.root() != '0x{'ab' * 32}'",
        "x.name() != 'frozen'",
        "x.paused() == x.paused(market)",
        "x.pool() >= ago(x.pool(), '1h')",
        "quiet(c) and x.pool() >= 0",
        "x.pair() == x.pair()",
        "x.shares() / x.shares() == 1",
        "x.shares() * x.shares() * x.shares() >= 0",
        "x.unheard_of() >= 0",
    ],
)
def test_what_can_be_false_or_cannot_be_told_is_not_refused(source: str) -> None:
    assert not is_empty(source)


def test_no_shipped_proof_is_refused() -> None:
    shipped = [step for path in shipped_runbooks() for step in load_runbook(path).runbook.steps]
    assert sum(len(step.verify) for step in shipped if isinstance(step, VerifyStep)) >= len(shipped_runbooks())


def test_the_work_is_bounded() -> None:
    prover = Prover(OUTPUTS, SCOPE)
    for _ in range(2):
        before = prover.left
        prover.is_empty(parse("x.pool() >= 0 and x.cap() >= 0 and x.shares() >= 0 and x.period() >= 0"))
        assert before - prover.left <= MOST_WORLDS
    prover.left = 3
    assert not prover.is_empty(parse("x.pool() >= 0"))
    assert MOST_EVALUATIONS >= 10 * MOST_WORLDS
