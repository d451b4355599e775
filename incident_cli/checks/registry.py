"""Every kind of check, by the name it has in YAML."""

from __future__ import annotations

from incident_cli.checks.check import Check
from incident_cli.checks.oracle_divergence import OracleDivergence
from incident_cli.checks.oracle_staleness import OracleStaleness

KINDS: dict[str, type[Check]] = {
    "oracle_divergence": OracleDivergence,
    "oracle_staleness": OracleStaleness,
}
