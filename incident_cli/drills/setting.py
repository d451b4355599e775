"""The drill world's deployment file: the same format as a real one, so that the runbook cannot tell."""

from __future__ import annotations

from collections.abc import Mapping

from incident_cli.drills.world import CHAIN_ID, World
from incident_cli.evm import to_hex

# what the drill's council may do: to end everything needs the worst of incidents
GRANTS = (
    "by: council, levers: [exchange.pause_market, exchange.limit_withdrawals, margin.pause_borrowing,"
    " margin.limit_liquidations, marks.pause_quoting], severity: SEV3, cooldown: 10m, longest: 7d",
    "by: council, levers: [governance.cancel_operation], severity: SEV2",
    "by: council, levers: [exchange.shutdown], severity: SEV1",
)
IN_PROCESS = "http://127.0.0.1/"
HEARTBEAT = "24s"  # the keeper pushes every feed in every block of 12 s


def deployment_text(world: World, url: str = IN_PROCESS) -> str:
    """YAML of an incident-deployment/v1 for this world; `url` is where its JSON-RPC is served."""
    at = world.addresses
    slots = {
        "exchange": ("drill-exchange", {"exchange": at.exchange}),
        "council": ("safe", {"safe": at.council}),
        "governance": ("timelock", {"timelock": at.timelock, "proposer": at.governance}),
        "margin": ("drill-margin", {"margin": at.margin}),
        "marks": ("drill-options", {"marks": at.marks}),
        "rmn": ("ccip-rmn", {"rmn": at.rmn}),
        "token": ("token", {"token": at.token}),
    }
    lines = [
        "schema: incident-deployment/v1",
        "name: drill",
        f'chains: {{drill: {{id: {CHAIN_ID}, rpc: [{{url: "{url}"}}]}}}}',
        f'tokens: {{USDC: {{chain: drill, address: "{at.token}", decimals: 6}}}}',
        "slots:",
        *(f"  {name}: {binding(*bound)}" for name, bound in slots.items()),
        "markets:",
    ]
    for name, identifier in world.markets.items():
        lines += [f"  {name}:", f'    id: "{to_hex(identifier)}"', "    slots:"]
        lines.append(f"      feed: {binding('chainlink-feed', {'feed': at.feeds[name]})}")
        lines.append(f"      reference: {binding('chainlink-feed', {'feed': at.references[name]})}")
        lines.append(f"    params: {{heartbeat: {HEARTBEAT}}}")
    lines += ["authority:", *(f"  - {{{grant}}}" for grant in GRANTS)]
    return "\n".join(lines) + "\n"


def binding(protocol: str, addresses: Mapping[str, str]) -> str:
    """One slot's chain, protocol and addresses."""
    inner = ", ".join(f'{name}: "{address}"' for name, address in addresses.items())
    return f"{{chain: drill, protocol: {protocol}, addresses: {{{inner}}}}}"
