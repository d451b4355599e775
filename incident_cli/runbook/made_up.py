"""A deployment out of nothing: deterministic addresses on one chain `test`, for tests that never see a chain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from incident_cli.document import Document, parse_document
from incident_cli.evm import Address, checksummed, keccak, to_hex
from incident_cli.runbook.deployment import Deployment, sound
from incident_cli.runbook.load import LoadedRunbook

CHAIN, CHAIN_ID = "test", 1
NOWHERE = "https://test.invalid/"


def made_up(name: str) -> Address:
    """The address that a name always has in tests."""
    return checksummed(keccak(f"incident test {name}".encode())[12:])


def market_id(name: str) -> str:
    """The id (0x hex) that a market always has in tests."""
    return to_hex(keccak(f"incident test market {name}".encode()))


def deployment_of(
    loaded: LoadedRunbook, markets: Sequence[str], tokens: Mapping[str, int], benchmarks: Sequence[str]
) -> tuple[Deployment, Document]:
    """A deployment that binds every slot of a runbook, through the same format as a real one; raises WrongFile."""
    lines = [
        "schema: incident-deployment/v1",
        "name: test",
        f"chains: {{{CHAIN}: {{id: {CHAIN_ID}, rpc: [{{url: {NOWHERE}}}]}}}}",
        "tokens:",
        *(f"  {name}: {{chain: {CHAIN}, address: '{made_up(name)}', decimals: {n}}}" for name, n in tokens.items()),
        "slots:",
        *(f"  {name}: {slot_line(loaded, name)}" for name in loaded.runbook.slots),
        "markets:",
        *(f"  {name}: {{id: '{market_id(name)}'}}" for name in markets),
        *(["benchmarks:"] if benchmarks else []),
        *(f"  {name}: {{url: '{NOWHERE}{name}', pointer: /price}}" for name in benchmarks),
    ]
    if not tokens:
        lines.remove("tokens:")
    document = parse_document(("\n".join(lines) + "\n").encode(), "the made-up deployment")
    return sound(document), document


def slot_line(loaded: LoadedRunbook, name: str) -> str:
    """A slot's chain, and an address for each slot of its protocol."""
    protocol = loaded.catalog.find(loaded.runbook.slots[name].protocol)
    assert protocol is not None, "a sound runbook's protocols were found"
    addresses = ", ".join(f"{own}: '{made_up(f'{name}.{own}')}'" for own in protocol.slots)
    return f"{{chain: {CHAIN}, addresses: {{{addresses}}}}}"
