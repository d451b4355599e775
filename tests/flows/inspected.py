"""A Safe, an exchange, a token and people of a deployment, and transactions to inspect; no chain is there."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any

from incident_cli.abi import parse_signature
from incident_cli.document import parse_document
from incident_cli.errors import Refused
from incident_cli.evm import Address, Block, Call, CallRead, Missing, Read, Snapshot, checksummed, keccak, to_hex
from incident_cli.flows.multisig.aids import Aids
from incident_cli.flows.multisig.inspecting import ChainView, Inspection, judge
from incident_cli.flows.multisig.loading import PROPOSAL_SCHEMA, Loaded
from incident_cli.protocols.catalog import SHIPPED, Catalog
from incident_cli.runbook.deployment import Deployment, sound
from incident_cli.safe.alone import Standing
from incident_cli.safe.batch import fold
from incident_cli.safe.contracts import RELEASES
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.transaction import SafeTx

SAFE = checksummed(keccak(b"safe")[:20])
EXCHANGE = checksummed(keccak(b"exchange")[:20])
USDC = checksummed(keccak(b"usdc")[:20])
OWNER = checksummed(keccak(b"owner")[:20])
TIMELOCK = checksummed(keccak(b"timelock")[:20])
STRANGER = checksummed(keccak(b"stranger")[:20])
MULTISEND = RELEASES["1.4.1"].multisend_call_only[0]
NONCE = 7
ANSWERS: dict[str, object] = {
    "guardian": SAFE,
    "governance": TIMELOCK,
    "marketPaused": False,
    "withdrawalCapacity": 500_000_000_000,
    "withdrawalPeriod": 3_600,
    "shutDown": False,
}
CODE = "0x" + "c0" * 32
DEPLOYMENT = f"""schema: incident-deployment/v1
name: test
chains: {{ethereum: {{id: 1, rpc: [{{url: "http://127.0.0.1:1/"}}]}}}}
tokens: {{USDC: {{chain: ethereum, address: "{USDC}", decimals: 6}}}}
slots:
  exchange: {{chain: ethereum, protocol: drill-exchange, addresses: {{exchange: "{EXCHANGE}"}}}}
  council: {{chain: ethereum, protocol: safe, addresses: {{safe: "{SAFE}"}}}}
  governance: {{chain: ethereum, protocol: timelock, addresses: {{timelock: "{TIMELOCK}"}}}}
markets: {{ETH-USD: {{id: "0x{"05" * 32}"}}}}
contacts: [{{name: council-1, owner: "{OWNER}", reach: pager}}]
"""
PAUSE = Call(EXCHANGE, parse_signature("setMarketPaused(bytes32 market, bool paused)"), (b"\x05" * 32, True))
LIMIT = Call(
    EXCHANGE, parse_signature("setWithdrawalLimit(uint256 capacity, uint256 period)"), (250_000_000_000, 3_600)
)
TRANSFER = parse_signature("transfer(address to, uint256 amount)")
APPROVE = parse_signature("approve(address spender, uint256 amount)")


@functools.cache
def deployment() -> Deployment:
    return sound(parse_document(DEPLOYMENT.encode(), "test.yaml"))


@functools.cache
def catalog() -> Catalog:
    return Catalog((SHIPPED,))


def aids(**more: Any) -> Aids:
    """The deployment, its catalogue, and what else is given."""
    return Aids(deployment(), catalog(), **more)


def made(calls: Sequence[Call], version: str = "1.4.1", nonce: int = NONCE) -> SafeTx:
    return fold(calls, chain_id=1, safe=SAFE, version=version, nonce=nonce)


def loaded(tx: SafeTx) -> Loaded:
    return Loaded(tx, None, "test", {})


def view(tx: SafeTx, answers: Mapping[str, object] | None = None) -> ChainView:
    """The chain as it should be: contracts where the deployment says, nothing at a stranger's."""
    known: dict[Address, str | None] = {MULTISEND: RELEASES["1.4.1"].multisend_code_hash}
    known |= dict.fromkeys((EXCHANGE, USDC, TIMELOCK, SAFE), CODE)
    return ChainView(
        Standing(NONCE, "1.4.1", {**known, STRANGER: None}),
        (OWNER,),
        1,
        hash_or_zeros(tx),
        100,
        snapshot(dict(answers or ANSWERS)),
    )


def snapshot(answers: Mapping[str, object]) -> Snapshot:
    """What every view of the exchange answers, by its name, whatever it is asked."""
    return Snapshot(Block("ethereum", 100, "0x" + "01" * 32, 1_700_000_000), Answers(answers))


class Answers(dict[Read, tuple[object, ...] | Missing]):
    """Answers by a view's canonical text or name: one value, or a tuple of all outputs."""

    def __init__(self, named: Mapping[str, object]) -> None:
        super().__init__()
        self.named = named

    def get(self, key: Any, default: Any = None) -> Any:
        signature = key.signature if isinstance(key, CallRead) else None
        found = None if signature is None else self.named.get(signature.canonical, self.named.get(signature.name))
        return default if found is None else found if isinstance(found, tuple) else (found,)


def hash_or_zeros(tx: SafeTx) -> str:
    """What the Safe itself would say: it is of one version, and hashes what that version hashes."""
    try:
        return hash_transaction(tx).safe_tx_hash
    except Refused:
        return "0x" + "00" * 32


def look(tx: SafeTx, *, chain: bool = True, **more: Any) -> Inspection:
    """The inspection with the deployment, and with the chain unless it is not asked for."""
    return judge(loaded(tx), aids(**more), view(tx) if chain else None)


def codes(found: Inspection, severity: str | None = None) -> set[str]:
    return {one.code for one in found.findings if severity in (None, one.severity)}


def proposal(planned: Sequence[Call], /, **changed: object) -> dict[str, Any]:
    """A proposal file as incident writes it, as far as it is read here."""
    tx = made(planned)
    hashes = hash_transaction(tx)
    records = [
        {
            "to": one.to,
            "function": one.signature.canonical,
            "args": {},
            "plain": "as planned",
            "signature": one.signature.source,
            "data": to_hex(one.data),
        }
        for one in planned
    ]
    document: dict[str, Any] = {
        "schema": PROPOSAL_SCHEMA,
        "safe_tx": tx.to_json(),
        "safe_tx_hash": hashes.safe_tx_hash,
        "domain_hash": hashes.domain_hash,
        "message_hash": hashes.message_hash,
        "calldata_digest": hashes.calldata_digest,
        "calldata_bytes": hashes.calldata_bytes,
        "calls": records,
    }
    return json.loads(json.dumps({**document, **changed}))  # type: ignore[no-any-return]
