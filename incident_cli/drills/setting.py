"""The drill world's deployment file: the same format as a real one, so that the runbook cannot tell."""

from __future__ import annotations

from collections.abc import Mapping

from incident_cli.drills.world import CHAIN_ID, World
from incident_cli.evm import to_hex

IN_PROCESS = "http://127.0.0.1/"
HEARTBEAT = "24s"  # the keeper pushes every feed in every block of 12 s


def deployment_text(world: World, url: str = IN_PROCESS) -> str:
    """YAML of an incident-deployment/v1 for this world; `url` is where its JSON-RPC is served."""
    at = world.addresses
    slots = {
        "exchange": {"exchange": at.exchange},
        "council": {"safe": at.council},
        "governance": {"timelock": at.timelock, "proposer": at.governance},
        "margin": {"margin": at.margin},
        "marks": {"marks": at.marks},
        "rmn": {"rmn": at.rmn},
        "token": {"token": at.token},
    }
    lines = [
        "schema: incident-deployment/v1",
        "name: drill",
        f'chains: {{drill: {{id: {CHAIN_ID}, rpc: [{{url: "{url}"}}]}}}}',
        f'tokens: {{USDC: {{chain: drill, address: "{at.token}", decimals: 6}}}}',
        "slots:",
        *(f"  {name}: {binding(addresses)}" for name, addresses in slots.items()),
        "markets:",
    ]
    for name, identifier in world.markets.items():
        lines += [f"  {name}:", f'    id: "{to_hex(identifier)}"', "    slots:"]
        lines.append(f"      feed: {binding({'feed': at.feeds[name]})}")
        lines.append(f"      reference: {binding({'feed': at.references[name]})}")
        lines.append(f"    params: {{heartbeat: {HEARTBEAT}}}")
    return "\n".join(lines) + "\n"


def binding(addresses: Mapping[str, str]) -> str:
    """One slot's chain and addresses."""
    inner = ", ".join(f'{name}: "{address}"' for name, address in addresses.items())
    return f"{{chain: drill, addresses: {{{inner}}}}}"
