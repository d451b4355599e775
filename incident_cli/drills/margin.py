"""The margin accounts of a drill: who has borrowed how much against what. Pure; USDC units, prices with 8 decimals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from incident_cli.drills.accounts import Account
from incident_cli.drills.actors import MARKETS, PRICE_UNIT, USDC, Terms, draw
from incident_cli.evm import Address

# debt over the collateral's value in bps: with 400 bps of maintenance margin the first account is liquidated when the
# price has fallen by 5%, the last by 20.8%
LEVERAGES = (9_120, 8_880, 8_640, 8_350, 8_000, 7_600)
SPREAD = 20  # bps of leverage, at most, either way
COLLATERAL_VALUE = (1_900_000 * USDC, 2_100_000 * USDC)
CASH, INSURANCE, BACKSTOP = 4_000_000 * USDC, 900_000 * USDC, 450_000 * USDC
LIQUIDATION_LIMIT = (30_000_000 * USDC, 3_600)  # a cascade in every market passes
LIQUIDATOR_MONEY = 40_000_000 * USDC
STRESS = 2_000  # bps: the fall for which the treasury keeps the buffer
COVER = 2  # times the stressed loss: what the treasury restores


@dataclass(frozen=True, slots=True)
class Opening:
    """One margin account: an amount of collateral (1_000_000 is one unit of the underlying) and a debt."""

    market: bytes
    account: Address
    collateral: int
    debt: int

    def arguments(self) -> tuple[object, ...]:
        """In the order of the contract's struct."""
        return self.market, self.account, self.collateral, self.debt


@dataclass(frozen=True, slots=True)
class Unhealthy:
    """An account that can be liquidated now."""

    market: bytes
    account: Address
    debt: int


def openings(seed: int, borrowers: Sequence[Account]) -> tuple[Opening, ...]:
    """The margin accounts of the world of this seed: each borrower has one in every market."""
    return tuple(
        opening(seed, terms, borrower.address, number) for terms in MARKETS for number, borrower in enumerate(borrowers)
    )


def opening(seed: int, terms: Terms, account: Address, number: int) -> Opening:
    """One account: its leverage falls with its number."""
    collateral = draw(seed, f"collateral {terms.name}", number, *COLLATERAL_VALUE) * PRICE_UNIT // terms.spot
    leverage = LEVERAGES[number] + draw(seed, f"leverage {terms.name}", number, -SPREAD, SPREAD)
    return Opening(terms.id, account, collateral, collateral * terms.spot // PRICE_UNIT * leverage // 10_000)
