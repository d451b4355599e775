"""Blocks, transactions, receipts and logs of the drill's chain as JSON-RPC shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from incident_cli.drills.engine import Engine
from incident_cli.drills.engine_values import Emitted, Receipt
from incident_cli.evm import to_hex
from incident_cli.transport import Json

HEADER_FIELDS = (
    "hash parent_hash state_root mix_hash nonce extra_data withdrawals_root parent_beacon_block_root requests_hash"
    " timestamp difficulty gas_used gas_limit base_fee_per_gas blob_gas_used excess_blob_gas"
)


def rewards(engine: Engine, number: int, shares: Sequence[float]) -> Json:
    """The priority fee at each percentile of a block's gas, in wei."""
    fee, used = engine.header(number).base_fee_per_gas, engine.header(number).gas_used
    tips = sorted((one.effective_gas_price - fee, one.gas_used) for one in engine.mined(number).receipts)
    reached = [(tip, sum(gas for _, gas in tips[: place + 1])) for place, (tip, _) in enumerate(tips)]
    return [hex(next((tip for tip, gas in reached if gas * 100 >= share * used), 0)) for share in shares]


def base_fee_after(engine: Engine, number: int) -> int:
    """The base fee of the block after this one, in wei (EIP-1559)."""
    from eth.vm.forks.london.headers import calculate_expected_base_fee_per_gas

    return int(calculate_expected_base_fee_per_gas(engine.header(number)))


def shown(value: Any) -> Json:
    """A value as JSON-RPC writes it: bytes as hex, integers as quantities."""
    return to_hex(value) if isinstance(value, bytes) else hex(value) if type(value) is int else value


def fields(source: Any, names: str) -> dict[str, Json]:
    """These attributes, under their names in JSON-RPC."""
    return {name[0].lower() + name.title().replace("_", "")[1:]: shown(getattr(source, name)) for name in names.split()}


def block_json(engine: Engine, number: int, full: bool) -> Json:
    """A block as JSON-RPC shows it."""
    import rlp
    from eth.vm.forks.prague.blocks import PragueBlock

    header, receipts = engine.header(number), engine.mined(number).receipts
    sealed = PragueBlock(header, [engine.transaction(one.transaction_hash) for one in receipts], [])
    return {
        **fields(header, HEADER_FIELDS),
        "number": hex(number),
        "miner": to_hex(header.coinbase),
        "sha3Uncles": to_hex(header.uncles_hash),
        "transactionsRoot": to_hex(header.transaction_root),
        "receiptsRoot": to_hex(header.receipt_root),
        "logsBloom": f"0x{header.bloom:0512x}",
        "size": hex(len(rlp.encode(sealed))),
        "transactions": [transaction_json(engine, one) if full else one.transaction_hash for one in receipts],
        "uncles": [],
        "withdrawals": [],
    }


def place_json(receipt: Receipt) -> dict[str, Json]:
    """Where a transaction was mined."""
    return fields(receipt, "block_hash block_number") | {"transactionIndex": hex(receipt.index)}


def transaction_json(engine: Engine, receipt: Receipt | None) -> Json:
    """A transaction as JSON-RPC shows it, null where there is none; its gas price is the one it paid."""
    if receipt is None:
        return None
    sent: Any = engine.transaction(receipt.transaction_hash)
    names = "nonce gas value r s" if sent.chain_id is None else "nonce gas value r s chain_id"
    body = place_json(receipt) | fields(receipt, "type") | fields(sent, names)
    body |= {"hash": receipt.transaction_hash, "input": to_hex(sent.data), "from": receipt.sender.lower()}
    body |= {"to": receipt.to and receipt.to.lower(), "gasPrice": hex(receipt.effective_gas_price)}
    if receipt.type == 0:
        return body | {"v": hex(sent.v)}
    lists = [{"address": to_hex(at), "storageKeys": [f"0x{key:064x}" for key in keys]} for at, keys in sent.access_list]
    body |= {"v": hex(sent.y_parity), "yParity": hex(sent.y_parity), "accessList": cast(Json, lists)}
    if receipt.type >= 2:
        body |= fields(sent, "max_fee_per_gas max_priority_fee_per_gas")
    return body


def receipt_json(receipt: Receipt | None) -> Json:
    """A receipt as JSON-RPC shows it, null where there is none."""
    if receipt is None:
        return None
    return {
        **place_json(receipt),
        **fields(receipt, "transaction_hash type status gas_used effective_gas_price"),
        "cumulativeGasUsed": hex(receipt.cumulative_gas),
        "from": receipt.sender.lower(),
        "to": receipt.to and receipt.to.lower(),
        "contractAddress": receipt.contract_address and receipt.contract_address.lower(),
        "logsBloom": f"0x{receipt.bloom:0512x}",
        "logs": [log_json(Emitted(log, receipt.first_log + at, receipt)) for at, log in enumerate(receipt.logs)],
    }


def log_json(emitted: Emitted) -> dict[str, Json]:
    """A log as JSON-RPC shows it."""
    return {
        **place_json(emitted.receipt),
        "data": to_hex(emitted.log.data),
        "topics": [to_hex(topic) for topic in emitted.log.topics],
        "transactionHash": emitted.receipt.transaction_hash,
        "address": emitted.log.address.lower(),
        "logIndex": hex(emitted.index),
        "removed": False,
    }
