"""The Transaction Builder's file: a batch that the Safe wallet imports, with named parameters and a checksum.

It has no nonce and no operation, so what is signed cannot be told from it: the SafeTx travels beside it. The checksum
guards against accidents only, since anybody can compute it; it covers everything but the batch's name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from incident_cli.abi import Parameter, Signature, decode_call, encode_call
from incident_cli.errors import Misused, Refused
from incident_cli.evm import Address, hex_bytes, keccak, parse_address, to_hex
from incident_cli.safe.batch import InnerCall
from incident_cli.safe.builder_values import canonical_type, shown_value, value_of
from incident_cli.safe.transaction import CALL, DATA_LIMIT, DECIMAL
from incident_cli.text import plain

VERSION = "1.0"
BUILDER_VERSION = "1.18.3"
MOST_CALLS = 200
MOST_NAME = 200
PLACEHOLDERS = ("fallback", "receive")  # the method others write where there is none
HINT = "Export it from the Transaction Builder again, or ask for the file of the Safe transaction."


@dataclass(frozen=True, slots=True)
class BuilderCall:
    """One call of a batch; `signature` where its function is known, then it is written with named parameters."""

    to: Address
    value: int
    data: bytes
    signature: Signature | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """What a Transaction Builder file says: its calls, for which chain, from which Safe where it says so.

    `has_checksum` is False where none was written; a wrong one is refused.
    """

    chain_id: int
    calls: tuple[InnerCall, ...]
    safe: Address | None
    name: str
    has_checksum: bool


def batch_document(
    calls: Sequence[BuilderCall], *, chain_id: int, safe: Address, name: str, created_ms: int
) -> dict[str, Any]:
    """The file of these calls; `created_ms` are milliseconds since the epoch."""
    meta = {
        "name": name,
        "description": "",
        "txBuilderVersion": BUILDER_VERSION,
        "createdFromSafeAddress": safe,
        "createdFromOwnerAddress": "",
    }
    document: dict[str, Any] = {
        "version": VERSION,
        "chainId": str(chain_id),
        "createdAt": created_ms,
        "meta": meta,
        "transactions": [entry_of(one) for one in calls],
    }
    return {**document, "meta": {**meta, "checksum": checksum(document)}}


def checksum(document: Mapping[str, Any]) -> str:
    """The batch's checksum: keccak256 of its serialisation without meta.checksum, with meta.name null."""
    meta = {key: value for key, value in document["meta"].items() if key != "checksum"}
    return to_hex(keccak(serialised({**document, "meta": {**meta, "name": None}}).encode("utf-8", "surrogatepass")))


def serialised(value: Any) -> str:
    """The Transaction Builder's own serialisation: keys sorted and first, values after, each with a comma."""
    if isinstance(value, list | tuple):
        return f"[{','.join(serialised(one) for one in value)}]"
    if isinstance(value, Mapping):
        keys = sorted(value, key=lambda key: str(key).encode("utf-16-be", "surrogatepass"))  # as JavaScript sorts
        return f"{{{compact(keys)}{''.join(f'{serialised(value[key])},' for key in keys)}}}"
    return compact(value)


def compact(value: Any) -> str:
    """JSON as JavaScript writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def entry_of(call: BuilderCall) -> dict[str, Any]:
    """One transaction of the batch: by its method and named values, or by its data where those would not say all."""
    method = None if call.signature is None else named(call.signature, call)
    if method is None or call.signature is None:
        plainly = {"data": to_hex(call.data), "contractMethod": None, "contractInputsValues": None}
        return {"to": call.to, "value": str(call.value), **plainly}
    inputs = [parameter_json(one) for one in call.signature.inputs]
    about = {"inputs": inputs, "name": call.signature.name, "payable": call.value > 0}
    return {
        "to": call.to,
        "value": str(call.value),
        "data": None,
        "contractMethod": about,
        "contractInputsValues": method,
    }


def named(signature: Signature, call: BuilderCall) -> dict[str, str] | None:
    """The values by parameter name; None where names lack or repeat, or where they would not encode to these data."""
    names = [one.name for one in signature.inputs]
    if not all(names) or len(set(names)) != len(names) or any(lacks_names(one) for one in signature.inputs):
        return None
    try:
        values = decode_call(signature, call.data)
        shown = {one.name: shown_value(one.type, value) for one, value in zip(signature.inputs, values, strict=True)}
        again = [value_of(one.type, shown[one.name]) for one in signature.inputs]
        return shown if encode_call(signature, again) == call.data else None
    except ValueError:
        return None


def lacks_names(parameter: Parameter) -> bool:
    """Whether a tuple's parts are not all known by name: the wallet could not ask for them."""
    if not parameter.type.startswith("("):
        return False
    parts = parameter.components
    return not parts or not all(one.name for one in parts) or any(lacks_names(one) for one in parts)


def parameter_json(parameter: Parameter) -> dict[str, Any]:
    """A parameter in JSON ABI form."""
    if not parameter.type.startswith("("):
        return {"internalType": parameter.type, "name": parameter.name, "type": parameter.type}
    kind = "tuple" + parameter.type[parameter.type.rindex(")") + 1 :]
    parts = [parameter_json(one) for one in parameter.components]
    return {"components": parts, "internalType": kind, "name": parameter.name, "type": kind}


def read_batch(document: Mapping[str, Any]) -> Batch:
    """The batch of a file; raises Misused for its form, Refused where its checksum or a call contradicts itself."""
    entries, meta = document.get("transactions"), document.get("meta")
    if not isinstance(entries, list) or not isinstance(meta, Mapping):
        raise Misused("a Transaction Builder file has `transactions` and `meta`", HINT)
    if not 1 <= len(entries) <= MOST_CALLS:
        raise Misused(f"a batch has 1 to {MOST_CALLS} calls, this has {len(entries)}", HINT)
    stated = meta.get("checksum")
    if stated is not None:
        check_stated(document, stated)
    chain_id = document.get("chainId")
    if not isinstance(chain_id, str) or not DECIMAL.fullmatch(chain_id):
        raise Misused("chainId must be a decimal string", HINT)
    calls = tuple(call_of(number, one) for number, one in enumerate(entries, 1))
    safe = meta.get("createdFromSafeAddress") or None
    named_safe = None if safe is None else address_of("meta.createdFromSafeAddress", safe)
    return Batch(int(chain_id), calls, named_safe, plain(meta.get("name") or "", 100), stated is not None)


def check_stated(document: Mapping[str, Any], stated: object) -> None:
    """Refused unless the checksum is the batch's own."""
    computed = checksum(document)
    if stated != computed:
        raise Refused(
            f"the batch's checksum is {plain(stated, 80)}, its content gives {computed}",
            "It was changed after it was exported, or damaged: ask for it again. A checksum is no signature.",
        )


def call_of(number: int, entry: object) -> InnerCall:
    """One transaction of a batch; raises Misused naming it, Refused where its data are not its method's."""
    where = f"transaction {number}"
    if not isinstance(entry, Mapping):
        raise Misused(f"{where} is no object", HINT)
    operation = entry.get("operation")
    if operation is not None and (type(operation) is not int or operation != CALL):
        raise Refused(f"{where} asks for operation {plain(entry['operation'], 20)}", "Only calls are taken.")
    value = entry.get("value", "0")
    if not isinstance(value, str) or not DECIMAL.fullmatch(value) or int(value) >= 2**256:
        raise Misused(f"{where}: value must be a decimal string of wei", HINT)
    return InnerCall(CALL, address_of(f"{where}: to", entry.get("to")), int(value), data_of(where, entry))


def data_of(where: str, entry: Mapping[str, Any]) -> bytes:
    """The calldata: as written, or encoded from the method and its values; both must agree where both are there."""
    written, method, values = (entry.get(name) for name in ("data", "contractMethod", "contractInputsValues"))
    data = None if written in (None, "") else written_data(where, written)
    if method is None or (isinstance(method, Mapping) and method.get("name") in PLACEHOLDERS and not values):
        return data or b""
    encoded = encoded_data(where, method, values)
    if data is not None and data != encoded:
        raise Refused(
            f"{where}: its data are not what its contractMethod and values encode to: one of them hides something",
            "Use nothing of this file, and find out who wrote it.",
        )
    return encoded


def written_data(where: str, text: object) -> bytes:
    """Data in 0x hex; raises Misused."""
    try:
        if isinstance(text, str) and len(text) <= 2 * DATA_LIMIT + 2:
            return hex_bytes(text)
        reason = f"at most {DATA_LIMIT} bytes in 0x hex are needed"
    except ValueError as problem:
        reason = plain(problem, 200)
    raise Misused(f"{where}: data: {reason}", HINT)


def encoded_data(where: str, method: object, values: object) -> bytes:
    """Calldata of a method with named values; raises Misused."""
    try:
        if not isinstance(method, Mapping) or not isinstance(method.get("inputs"), list):
            raise ValueError("contractMethod needs a name and inputs")
        given = values if isinstance(values, Mapping) else {}
        inputs = tuple(parameter_of(one, 0) for one in method["inputs"])
        args = [value_of(one.type, given.get(one.name)) for one in inputs]
        return encode_call(Signature(name_of(method.get("name")), inputs), args)
    except ValueError as problem:
        raise Misused(f"{where}: {plain(problem, 300)}", HINT) from None


def name_of(text: object) -> str:
    """A function's name; raises ValueError."""
    if isinstance(text, str) and text.isascii() and text.isidentifier() and len(text) <= 200:
        return text
    raise ValueError(f"{plain(text, 60)!r} is no name of a function")


def parameter_of(record: object, depth: int) -> Parameter:
    """A parameter of JSON ABI form, its type in the one form that a selector is taken from (`uint` is `uint256`).

    Raises ValueError for any type that the ABI does not know, and for `fixed` and `function`, whose values no wallet
    writes in one way.
    """
    if not isinstance(record, Mapping) or not isinstance(record.get("type"), str) or depth > 8:
        raise ValueError("an input needs a name and a type")
    kind, name = str(record["type"]), record.get("name", "")
    if not isinstance(name, str) or len(name) > MOST_NAME or len(kind) > MOST_NAME:
        raise ValueError("an input's name and type are short texts")
    if not kind.startswith("tuple"):
        return Parameter(canonical_type(kind), name)
    components = record.get("components", [])
    if not isinstance(components, list):
        raise ValueError("the components of a tuple are a list")
    parts = tuple(parameter_of(one, depth + 1) for one in components)
    inner = ",".join(one.type for one in parts)
    return Parameter(canonical_type(f"({inner}){kind.removeprefix('tuple')}"), name, parts)


def address_of(field: str, text: object) -> Address:
    """A whole, checksummed address; raises Misused."""
    try:
        return parse_address(text if isinstance(text, str) else "")
    except ValueError as problem:
        raise Misused(f"{field}: {problem}", HINT) from None
