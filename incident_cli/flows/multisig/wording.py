"""What a decoded call does, in a sentence: whole addresses with their names beside them, amounts in their units."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from incident_cli.abi import Signature, parse_signature
from incident_cli.evm import Address, to_hex
from incident_cli.flows.multisig.clear_signing import KNOWN, FieldFormat, FunctionFormat, value_at
from incident_cli.flows.multisig.naming import Names
from incident_cli.flows.proposal import show
from incident_cli.safe.batch import InnerCall
from incident_cli.safe.contracts import CONTROL_FUNCTIONS
from incident_cli.safe.known_functions import (
    EXECUTOR,
    EXECUTOR_OF_MANY,
    MULTICALL,
    OTHER_SAFE,
    ROLE,
    SELF_MULTICALL,
    TEXT_TIMELOCK,
    control_selectors,
)
from incident_cli.safe.transaction import SafeTx
from incident_cli.text import plain
from incident_cli.units import Token, format_amount, format_duration

NATIVE = Token("", 18)
UNLIMITED = 2**128 - 1  # no token has as many units; some count an allowance in 96 bits
UNLIMITED_96 = 2**96 - 1
LATEST = 253_402_300_799  # the last second of the year 9999
SHOWN_WHOLE = 2_400  # characters of one argument on a screen
SECONDS_LIMIT = 100 * 365 * 86_400


def native(wei: int) -> str:
    """An amount of the chain's native currency, with its wei."""
    return f"{format_amount(wei, NATIVE).strip()} of the chain's native currency ({wei} wei)"


def quantity(amount: int, token: str, names: Names) -> str:
    """An amount of a token in its units where they are known, and its base units always."""
    if is_unlimited(amount):
        return f"WITHOUT LIMIT of the token {names.beside(token)}"
    known = names.tokens.get(Address(token))
    if known is None:
        return f"{amount} (base units, or the id of one) of the token {token}, whose units are not known"
    return f"{format_amount(amount, known)} ({amount} base units of {token})"


def is_unlimited(amount: int) -> bool:
    """Whether an amount means "everything, always"."""
    return amount == UNLIMITED_96 or amount >= UNLIMITED


def span(seconds: int) -> str:
    """Seconds as a duration, and as a number."""
    return f"{format_duration(seconds)} ({seconds} seconds)" if seconds <= SECONDS_LIMIT else f"{seconds} seconds"


Sentence = Callable[[InnerCall, tuple[object, ...], Names], str]


def transfer(call: InnerCall, args: tuple[object, ...], names: Names) -> str:
    """A token sent."""
    return f"Sends {quantity(number(args[1]), call.to, names)} to {names.beside(str(args[0]))}."


def transfer_from(call: InnerCall, args: tuple[object, ...], names: Names) -> str:
    """A token moved from one to another."""
    source, target = names.beside(str(args[0])), names.beside(str(args[1]))
    return f"Moves {quantity(number(args[2]), call.to, names)} from {source} to {target}."


def move_many(call: InnerCall, args: tuple[object, ...], names: Names) -> str:
    """A token moved from one to another."""
    source, target = names.beside(str(args[0])), names.beside(str(args[1]))
    return f"Moves {args[3]} of the id {args[2]} of the token {call.to} from {source} to {target}."


def approve(call: InnerCall, args: tuple[object, ...], names: Names) -> str:
    who, amount = names.beside(str(args[0])), number(args[1])
    if not amount:
        return f"Takes from {who} the right to move the token {names.beside(call.to)}."
    return f"Lets {who} take {quantity(amount, call.to, names)}."


def more_allowance(call: InnerCall, args: tuple[object, ...], names: Names) -> str:
    return f"Lets {names.beside(str(args[0]))} take {quantity(number(args[1]), call.to, names)} more."


def approve_all(call: InnerCall, args: tuple[object, ...], names: Names) -> str:
    who = names.beside(str(args[0]))
    if not args[1]:
        return f"Takes from {who} the right to move the tokens of {names.beside(call.to)}."
    return f"Lets {who} take EVERY token of the collection {names.beside(call.to)}, now and later."


def permit(call: InnerCall, args: tuple[object, ...], names: Names) -> str:
    owner, who = names.beside(str(args[0])), names.beside(str(args[1]))
    return f"Lets {who} take {quantity(number(args[2]), call.to, names)} of {owner}."


def mint(call: InnerCall, args: tuple[object, ...], names: Names) -> str:
    return f"Makes {quantity(number(args[1]), call.to, names)} anew for {names.beside(str(args[0]))}."


def schedule(call: InnerCall, args: tuple[object, ...], names: Names) -> str:
    return f"Asks the time-lock {names.beside(call.to)} to make the calls below, after {span(number(args[5]))}."


def carry_out(call: InnerCall, args: tuple[object, ...], names: Names) -> str:
    return f"Has the time-lock {names.beside(call.to)} make the calls below now."


def other_safe(call: InnerCall, args: tuple[object, ...], names: Names) -> str:
    return f"Makes the Safe {names.beside(call.to)} execute what stands below."


def executor(call: InnerCall, args: tuple[object, ...], names: Names) -> str:
    return f"Has {names.beside(call.to)} make the calls below, as itself or with its own storage."


def text_timelock(call: InnerCall, args: tuple[object, ...], names: Names) -> str:
    return f"Has the time-lock {names.beside(call.to)} queue or make the call below."


def multicall(call: InnerCall, args: tuple[object, ...], names: Names) -> str:
    return f"Has {names.beside(call.to)} make the calls below."


def approve_hash(call: InnerCall, args: tuple[object, ...], names: Names) -> str:
    return f"Confirms the transaction {show(args[0])} of the Safe {names.beside(call.to)}, which is not seen here."


SENTENCES: Mapping[str, Sentence] = {
    "transfer(address,uint256)": transfer,
    "transferFrom(address,address,uint256)": transfer_from,
    "safeTransferFrom(address,address,uint256)": transfer_from,
    "safeTransferFrom(address,address,uint256,bytes)": transfer_from,
    "safeTransferFrom(address,address,uint256,uint256,bytes)": move_many,
    "approve(address,uint256)": approve,
    "increaseAllowance(address,uint256)": more_allowance,
    "setApprovalForAll(address,bool)": approve_all,
    "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)": permit,
    "mint(address,uint256)": mint,
    "schedule(address,uint256,bytes,bytes32,bytes32,uint256)": schedule,
    "scheduleBatch(address[],uint256[],bytes[],bytes32,bytes32,uint256)": schedule,
    "execute(address,uint256,bytes,bytes32,bytes32)": carry_out,
    "executeBatch(address[],uint256[],bytes[],bytes32,bytes32)": carry_out,
    "approveHash(bytes32)": approve_hash,
    "multiSend(bytes)": multicall,
}
MONEY = frozenset(list(SENTENCES)[:10])
CARRYING: tuple[tuple[Sentence, tuple[str, ...]], ...] = (
    (multicall, (*MULTICALL, *SELF_MULTICALL)),
    (other_safe, OTHER_SAFE),
    (other_safe, ROLE),
    (executor, (*EXECUTOR, *EXECUTOR_OF_MANY)),
    (text_timelock, TEXT_TIMELOCK),
)
CARRIERS: Mapping[str, Sentence] = {
    parse_signature(text).canonical: sentence for sentence, texts in CARRYING for text in texts
}


def number(value: object) -> int:
    """A decoded whole number."""
    assert isinstance(value, int), "the decoder gave a number"
    return value


def known_sentence(call: InnerCall, signature: Signature, args: tuple[object, ...], names: Names) -> str:
    """The sentence of a function that every inspection knows; nothing for another one."""
    sentence = SENTENCES.get(signature.canonical) or CARRIERS.get(signature.canonical)
    if signature.selector in CONTROL_FUNCTIONS or signature.selector in control_selectors():
        return f"Changes who controls {names.beside(call.to)}: {signature.name}."
    return sentence(call, args, names) if sentence else ""


def generic_sentence(call: InnerCall, signature: Signature, names: Names) -> str:
    """A call of a function whose name is all that is known of its meaning."""
    return f"Calls {signature.name} of {names.beside(call.to)}; what that does is not stated."


def empty_sentence(call: InnerCall, tx: SafeTx, names: Names) -> str:
    """A call without data."""
    if call.value:
        return f"Sends {native(call.value)} to {names.beside(call.to)}."
    if call.to == tx.safe:
        return f"Does nothing but use up nonce {tx.nonce}: any other transaction at that nonce can no longer execute."
    return f"Calls {names.beside(call.to)} without data and sends nothing."


def clear_sentence(one: FunctionFormat, call: InnerCall, args: tuple[object, ...], names: Names, chain_id: int) -> str:
    """What an ERC-7730 file says of a call: its intent, and its fields in their units."""
    parts = [f"{field.label}: {shown_field(field, one, call, args, names)}" for field in one.fields]
    return plain(f"{one.owner} says: {one.intent or one.signature.name}. {'; '.join(parts)}".strip())


def shown_field(
    field: FieldFormat, one: FunctionFormat, call: InnerCall, args: tuple[object, ...], names: Names
) -> str:
    """One field as its format wants it; raw where the format or its value is another than it should be."""
    container: Mapping[str, object] = {"@.value": call.value, "@.to": call.to}
    try:
        value = container[field.path] if field.path in container else value_at(field.path, one.signature, args)
    except LookupError:
        return "not in this call"
    if field.format not in KNOWN:
        return show(value)
    token = token_of(field, one, call, args)
    return formatted(field, value, token, names)


def token_of(field: FieldFormat, one: FunctionFormat, call: InnerCall, args: tuple[object, ...]) -> str:
    """The token that an amount is of; empty where the file does not say."""
    path, given = field.params.get("tokenPath"), field.params.get("token")
    if path == "@.to":
        return call.to
    if isinstance(path, str):
        try:
            given = value_at(path, one.signature, args)
        except LookupError:
            return ""
    return given if isinstance(given, str) else ""


def formatted(field: FieldFormat, value: object, token: str, names: Names) -> str:
    """A value by a known format."""
    params = field.params
    if field.format == "addressName" and isinstance(value, str):
        return names.beside(value)
    if field.format == "enum" and isinstance(params.get("$ref"), dict):
        words = params["$ref"].get(show(value))
        return f"{plain(words, 80)} ({show(value)})" if isinstance(words, str) else show(value)
    if not isinstance(value, int) or isinstance(value, bool):
        return show(value)
    if field.format == "amount":
        return native(value)
    if field.format == "tokenAmount" and token:
        return quantity(value, token, names)
    if field.format == "date" and params.get("encoding", "timestamp") == "timestamp" and 0 <= value <= LATEST:
        return f"{datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M:%S} UTC ({value})"
    if field.format == "duration" and value >= 0:
        return span(value)
    return in_unit(value, params) if field.format == "unit" else show(value)


def in_unit(value: int, params: Mapping[str, object]) -> str:
    """A number with the unit and the decimals that the file gives it."""
    decimals, base = params.get("decimals", 0), params.get("base")
    if type(decimals) is not int or not 0 <= decimals <= 77 or not isinstance(base, str):
        return show(value)
    number_ = format_amount(value, Token("", decimals)).strip()
    return f"{number_}{plain(base, 20)} ({value})"


def argument_texts(signature: Signature, args: tuple[object, ...]) -> dict[str, str]:
    """Every argument by its name (its place where it has none or shares it), bytes as hex and addresses whole."""
    texts: dict[str, str] = {}
    for place, (one, value) in enumerate(zip(signature.inputs, args, strict=True)):
        name = one.name if one.name and one.name not in texts else f"#{place}"
        texts[name] = whole(value)
    return texts


def whole(value: object) -> str:
    """A value whose text is never cut: what is cut may be what matters."""
    if isinstance(value, bytes):
        return to_hex(value)
    if isinstance(value, tuple | list):
        return f"[{', '.join(whole(one) for one in value)}]"
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    return plain(text, max(len(text), 1))
