"""The parameters of an ETH options market of Lyra v1, as the protocol's own test system sets them (0.1.3-alpha).

By the names of the contracts' structs; 18 decimals where a value is no time (seconds), count or address.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from incident_cli.evm import ZERO, Address

HOUR, DAY, WEEK = 3_600, 86_400, 7 * 86_400
MONTH = 28 * DAY
SECURITY_MODULE = Address("0xEfeefEEfeeFEEfeefeEfEEfEeFEefeefEEfeeFeE")


def wad(number: str) -> int:
    """A decimal number with 18 decimals."""
    return int(Decimal(number).scaleb(18))


Parameters = Mapping[str, object]
SPOT = wad("1742.01337")
FEE_BASE, FEE_QUOTE = wad("0.0075"), wad("0.005")  # of an exchange from base to quote, and from quote to base
BOARD_LIFE, BASE_IV = MONTH, wad("1")
STRIKES, SKEWS = (wad("1500"), wad("2000"), wad("2500")), (wad("0.9"), wad("1"), wad("1.1"))
POOL_DEPOSIT, TRADER_QUOTE, TRADER_BASE = wad("500000"), wad("1000000"), wad("10000")
SHORT_BUFFER = wad("2")

MARKET: Parameters = {
    "maxBoardExpiry": 12 * MONTH,
    "securityModule": SECURITY_MODULE,
    "feePortionReserved": wad("0.1"),
    "staticBaseSettlementFee": FEE_BASE,
}
LIQUIDITY: Parameters = {
    "minDepositWithdraw": wad("1"),
    "depositDelay": WEEK,
    "withdrawalDelay": WEEK,
    "withdrawalFee": wad("0.01"),
    "liquidityCBThreshold": wad("0.01"),
    "liquidityCBTimeout": 3 * DAY,
    "ivVarianceCBThreshold": wad("0.1"),
    "skewVarianceCBThreshold": wad("0.35"),
    "ivVarianceCBTimeout": 12 * HOUR,
    "skewVarianceCBTimeout": 12 * HOUR,
    "guardianMultisig": ZERO,
    "guardianDelay": 2 * WEEK,
    "boardSettlementCBTimeout": 6 * HOUR,
    "maxFeePaid": wad("0.01"),
}
HEDGER: Parameters = {"interactionDelay": DAY, "hedgeCap": 2**256 - 1}
GREEKS: Parameters = {
    "maxStrikesPerBoard": 30,
    "acceptableSpotPricePercentMove": wad("0.05"),
    "staleUpdateDuration": 3 * HOUR,
    "varianceIvGWAVPeriod": DAY,
    "varianceSkewGWAVPeriod": 3 * DAY,
    "optionValueIvGWAVPeriod": DAY,
    "optionValueSkewGWAVPeriod": 3 * DAY,
    "gwavSkewFloor": wad("0.5"),
    "gwavSkewCap": wad("2"),
    "rateAndCarry": wad("0.05"),
}
COLLATERAL: Parameters = {
    "minStaticQuoteCollateral": wad("200"),
    "minStaticBaseCollateral": wad("0.2"),
    "shockVolA": wad("2.5"),
    "shockVolPointA": 2 * WEEK,
    "shockVolB": wad("1.8"),
    "shockVolPointB": 8 * WEEK,
    "callSpotPriceShock": wad("1.2"),
    "putSpotPriceShock": wad("0.8"),
}
FORCED_CLOSE: Parameters = {
    "ivGWAVPeriod": 12 * HOUR,
    "skewGWAVPeriod": DAY,
    "shortVolShock": wad("1.2"),
    "shortPostCutoffVolShock": wad("1.4"),
    "longVolShock": wad("0.8"),
    "longPostCutoffVolShock": wad("0.5"),
    "liquidateVolShock": wad("1.3"),
    "liquidatePostCutoffVolShock": wad("1.6"),
    "shortSpotMin": wad("0.01"),
    "liquidateSpotMin": wad("0.02"),
}
PRICING: Parameters = {
    "optionPriceFeeCoefficient": wad("0.01"),
    "optionPriceFee1xPoint": 6 * WEEK,
    "optionPriceFee2xPoint": 16 * WEEK,
    "spotPriceFeeCoefficient": wad("0.01"),
    "spotPriceFee1xPoint": 6 * WEEK,
    "spotPriceFee2xPoint": 12 * WEEK,
    "vegaFeeCoefficient": wad("100"),
    "standardSize": wad("5"),
    "skewAdjustmentFactor": wad("0.75"),
}
TRADE_LIMITS: Parameters = {
    "minDelta": wad("0.15"),
    "minForceCloseDelta": wad("0.25"),
    "tradingCutoff": DAY // 2,
    "minBaseIV": wad("0.35"),
    "maxBaseIV": wad("2"),
    "minSkew": wad("0.5"),
    "maxSkew": wad("1.5"),
    "minVol": wad("0.55"),
    "maxVol": wad("3"),
    "absMinSkew": wad("0.15"),
    "absMaxSkew": wad("5"),
    "capSkewsToAbs": False,
}
VARIANCE_FEE: Parameters = {
    "defaultVarianceFeeCoefficient": wad("0.25"),
    "forceCloseVarianceFeeCoefficient": wad("0.25"),
    "skewAdjustmentCoefficient": wad("3"),
    "referenceSkew": wad("1"),
    "minimumStaticSkewAdjustment": wad("1"),
    "vegaCoefficient": wad("0.01"),
    "minimumStaticVega": wad("0"),
    "ivVarianceCoefficient": wad("1.5"),
    "minimumStaticIvVariance": wad("1"),
}
PARTIAL_COLLATERAL: Parameters = {
    "penaltyRatio": wad("0.2"),
    "liquidatorFeeRatio": wad("0.4"),
    "smFeeRatio": wad("0.3"),
    "minLiquidationFee": wad("15"),
}

CONFIGURED: tuple[tuple[str, str, Parameters], ...] = (
    ("OptionMarket", "setOptionMarketParams", MARKET),
    ("LiquidityPool", "setLiquidityPoolParameters", LIQUIDITY),
    ("ShortPoolHedger", "setPoolHedgerParams", HEDGER),
    ("OptionGreekCache", "setGreekCacheParameters", GREEKS),
    ("OptionGreekCache", "setMinCollateralParameters", COLLATERAL),
    ("OptionGreekCache", "setForceCloseParameters", FORCED_CLOSE),
    ("OptionMarketPricer", "setPricingParams", PRICING),
    ("OptionMarketPricer", "setTradeLimitParams", TRADE_LIMITS),
    ("OptionMarketPricer", "setVarianceFeeParams", VARIANCE_FEE),
    ("OptionToken", "setPartialCollateralParams", PARTIAL_COLLATERAL),
)
