"""Every kind of check, by the name it has in YAML: its file and its class."""

from __future__ import annotations

from collections.abc import Mapping

from incident_cli.checks.check import Check
from incident_cli.checks.named_classes import NamedClasses

KINDS: Mapping[str, type[Check]] = NamedClasses(
    Check,
    {
        "oracle_divergence": "oracle_divergence.OracleDivergence",
        "oracle_staleness": "oracle_staleness.OracleStaleness",
        "sequencer_uptime": "sequencer_uptime.SequencerUptime",
        "volatility": "volatility.Volatility",
        "basis": "basis.Basis",
        "option_surface": "option_surface.OptionSurface",
        "change": "change.Change",
        "collateral_buffer": "collateral_buffer.CollateralBuffer",
        "drain": "drain.Drain",
        "invariant": "invariant.Invariant",
        "liquidation_cascade": "liquidation_cascade.LiquidationCascade",
        "outflow": "outflow.Outflow",
        "share_price": "share_price.SharePrice",
        "supply": "supply.Supply",
        "upstream": "upstream.Upstream",
    },
)
