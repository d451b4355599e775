"""Every kind of check, by the name it has in YAML."""

from __future__ import annotations

from incident_cli.checks.basis import Basis
from incident_cli.checks.change import Change
from incident_cli.checks.check import Check
from incident_cli.checks.collateral_buffer import CollateralBuffer
from incident_cli.checks.drain import Drain
from incident_cli.checks.invariant import Invariant
from incident_cli.checks.liquidation_cascade import LiquidationCascade
from incident_cli.checks.option_surface import OptionSurface
from incident_cli.checks.oracle_divergence import OracleDivergence
from incident_cli.checks.oracle_staleness import OracleStaleness
from incident_cli.checks.outflow import Outflow
from incident_cli.checks.sequencer_uptime import SequencerUptime
from incident_cli.checks.share_price import SharePrice
from incident_cli.checks.supply import Supply
from incident_cli.checks.upstream import Upstream
from incident_cli.checks.volatility import Volatility

KINDS: dict[str, type[Check]] = {
    "oracle_divergence": OracleDivergence,
    "oracle_staleness": OracleStaleness,
    "sequencer_uptime": SequencerUptime,
    "volatility": Volatility,
    "basis": Basis,
    "option_surface": OptionSurface,
    "change": Change,
    "collateral_buffer": CollateralBuffer,
    "drain": Drain,
    "invariant": Invariant,
    "liquidation_cascade": LiquidationCascade,
    "outflow": Outflow,
    "share_price": SharePrice,
    "supply": Supply,
    "upstream": Upstream,
}
