"""Values from a command line: a lever's arguments by their types, answers of reads by their ABI types. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from incident_cli.abi import Parameter, encode
from incident_cli.evm import hex_bytes, parse_address
from incident_cli.protocols.slot import Market
from incident_cli.protocols.worth import fixed_value
from incident_cli.runbook.kinds import VALUE_KINDS
from incident_cli.strict_json import Json, parse_json
from incident_cli.units import Token, parse_amount, parse_integer

DECIMALS_LIMIT = 77  # beyond it, one whole token does not fit into 256 bits
BYTES = ("bytes32", "bytes16", "bytes4")


def parse_market(name: str, text: str) -> Market:
    """A market and its id (32 bytes as hex); raises ValueError."""
    VALUE_KINDS["market"].parse(name)
    VALUE_KINDS["bytes32"].parse(text)
    return Market(name, hex_bytes(text))


def parse_token(symbol: str, text: str) -> Token:
    """A token's symbol and its decimals; raises ValueError."""
    if not text.isascii() or not text.isdigit() or len(text) > 2 or int(text) > DECIMALS_LIMIT:
        raise ValueError(f"a token has 0 to {DECIMALS_LIMIT} decimals, such as USDC=6")
    return Token(symbol, int(text))


def parse_argument(kind: str, text: str, tokens: dict[str, Token]) -> object:
    """An argument of a lever as a runbook would write it, markets aside; raises ValueError."""
    if kind == "amount":
        return parse_amount(text, tokens)
    if kind in BYTES:
        return fixed_value(kind, text)
    return VALUE_KINDS[kind].parse(text)


def parse_answer(parameter: Parameter, text: str) -> object:
    """What a read answers, by its ABI type: true, 250000, 0x…; a tuple or an array as JSON. Raises ValueError."""
    kind = parameter.type
    nested = kind.endswith((")", "]"))
    value = from_json(kind, parameter.components, json_of(text)) if nested else from_text(kind, text)
    encode([kind], [value])
    return value


def json_of(text: str) -> Json:
    """JSON on a command line; raises ValueError."""
    return parse_json(text.encode("utf-8", "surrogatepass"))


def from_text(kind: str, text: str) -> object:
    """One value; raises ValueError."""
    if kind == "bool":
        return VALUE_KINDS["bool"].parse(text)
    if kind == "address":
        return parse_address(text)
    if kind.startswith("bytes"):
        return fixed_value(kind, text)
    return text if kind == "string" else parse_integer(text)


def from_json(kind: str, components: Sequence[Parameter], value: Json) -> object:
    """A value of JSON, by its ABI type: lists for arrays, lists or objects for tuples; raises ValueError."""
    if kind.endswith("]"):
        inner = kind[: kind.rindex("[")]
        return tuple(from_json(inner, components, one) for one in listed(kind, value))
    if kind.endswith(")"):
        parts = listed(kind, in_order(kind, components, value) if isinstance(value, dict) else value)
        if len(parts) != len(components):
            raise ValueError(f"{kind} has {len(components)} parts, here it has {len(parts)}")
        return tuple(from_json(one.type, one.components, part) for one, part in zip(components, parts, strict=True))
    if isinstance(value, bool):
        return from_text(kind, str(value).lower())
    if isinstance(value, int | str):
        return from_text(kind, str(value))
    raise ValueError(f'{kind} is needed, written as true, 250000 or "0x…"')


def listed(kind: str, value: Json) -> list[Json]:
    """A list; raises ValueError."""
    if not isinstance(value, list):
        raise ValueError(f"{kind} is written as a JSON list")
    return value


def in_order(kind: str, components: Sequence[Parameter], value: Mapping[str, Json]) -> list[Json]:
    """The parts of a tuple that were given by name; raises ValueError."""
    names = [one.name for one in components]
    if sorted(names) != sorted(value) or len(set(names)) != len(names):
        raise ValueError(f"{kind} has the parts {', '.join(names)}")
    return [value[one] for one in names]
