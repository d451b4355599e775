"""A deployment file of a chain that need not be there."""

from __future__ import annotations

from incident_cli.evm import checksummed

CLOSED = "http://127.0.0.1:1/"
MARKET = "ETH-USD"
FEED = checksummed(b"\x1f" * 20)


def deployment(url: str = CLOSED, *, feed: str = FEED, council: bool = True) -> str:
    """YAML that binds the drill's protocols; with a slot too few where it has no council."""
    one, two, three, four, five, six = (checksummed(bytes([number]) * 20) for number in range(1, 7))
    lines = [
        "schema: incident-deployment/v1",
        "name: test",
        f'chains: {{drill: {{id: 31337, rpc: [{{url: "{url}"}}]}}}}',
        f'tokens: {{USDC: {{chain: drill, address: "{one}", decimals: 6}}}}',
        "slots:",
        f'  exchange: {{chain: drill, addresses: {{exchange: "{two}"}}}}',
        f'  governance: {{chain: drill, addresses: {{timelock: "{three}", proposer: "{four}"}}}}',
        *([f'  council: {{chain: drill, addresses: {{safe: "{five}"}}}}'] if council else []),
        "markets:",
        f"  {MARKET}:",
        f'    id: "0x{"11" * 32}"',
        "    slots:",
        f'      feed: {{chain: drill, addresses: {{feed: "{feed}"}}}}',
        f'      reference: {{chain: drill, addresses: {{feed: "{six}"}}}}',
    ]
    return "\n".join(lines) + "\n"
