"""Human-readable contract signatures: `pause(bool supply, bool withdraw)`, `price() returns (int256)`.

Parsing needs nothing but the text, so a runbook is validated without loading a codec; encoding and
decoding load eth_abi on first use. Grammar: Solidity's ABI types, including tuples `(…)` and arrays `[]`, `[4]`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from incident_cli.evm import ADDRESS, Address, checksummed, keccak

if TYPE_CHECKING:
    from eth_abi.codec import ABICodec

NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]{0,127}")
ELEMENTARY = re.compile(
    r"address|bool|string|function|bytes(?:[1-9]|[12][0-9]|3[0-2])?|u?int(?P<bits>[1-9][0-9]{0,2})?"
)
ARRAY = re.compile(r"(?:\[(?:[1-9][0-9]{0,3})?\]){1,8}")
TUPLE = re.compile(r"(?:tuple *)?\(")
MODIFIERS = frozenset({"memory", "calldata", "indexed", "payable", "storage"})
SIGNATURE_LIMIT = 2_000
DEPTH_LIMIT = 8


class SignatureError(ValueError):
    """The text is no contract signature; the message says where."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One input or output: its canonical ABI type (`(uint128,bool)[]`), its name, possibly empty, and, of a tuple or
    an array of tuples, the parts as they were written."""

    type: str
    name: str = ""
    components: tuple[Parameter, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        return f"{self.type} {self.name}".rstrip()


@dataclass(frozen=True, slots=True)
class Signature:
    """A function: name, inputs and outputs."""

    name: str
    inputs: tuple[Parameter, ...]
    outputs: tuple[Parameter, ...] = ()

    @property
    def canonical(self) -> str:
        """The form the selector is taken from: `pause(bool,bool)`."""
        return f"{self.name}({','.join(one.type for one in self.inputs)})"

    @property
    def source(self) -> str:
        """The whole signature as text that `parse_signature` reads back."""
        returns = f" returns ({', '.join(map(str, self.outputs))})" if self.outputs else ""
        return f"{self.name}({', '.join(map(str, self.inputs))}){returns}"

    @property
    def selector(self) -> bytes:
        """The first four bytes of keccak256 of the canonical form."""
        return selector_of(self.canonical)

    def __hash__(self) -> int:
        return hash(self.name)  # a round hashes each of its reads several times

    def output_at(self, path: Sequence[int]) -> Parameter:
        """The output, or the part of one, that a path of places leads to; raises IndexError where it leads nowhere."""
        found = self.outputs[path[0]]
        for place in path[1:]:
            found = found.components[place]
        return found

    @property
    def input_types(self) -> list[str]:
        """ABI types of the inputs, in order."""
        return [one.type for one in self.inputs]

    @property
    def output_types(self) -> list[str]:
        """ABI types of the outputs, in order."""
        return [one.type for one in self.outputs]


@functools.lru_cache(maxsize=4_096)
def selector_of(canonical: str) -> bytes:
    """The first four bytes of keccak256 of a signature's canonical form."""
    return keccak(canonical.encode())[:4]


@functools.lru_cache(maxsize=4_096)
def parse_signature(text: str) -> Signature:
    """`name(type name, …) [view] [returns (type name, …)]`; raises SignatureError with the place."""
    if len(text) > SIGNATURE_LIMIT:
        raise SignatureError(f"a signature longer than {SIGNATURE_LIMIT} characters")
    scanner = Scanner(text.removeprefix("function ").strip())
    name = scanner.name("a function name")
    inputs = scanner.parameters(0)
    scanner.skip_words({"view", "pure", "external", "public", "payable", "nonpayable"})
    outputs: tuple[Parameter, ...] = ()
    if scanner.take("returns"):
        outputs = scanner.parameters(0)
    scanner.end()
    return Signature(name, inputs, outputs)


class Scanner:
    """Reads a signature from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def fail(self, wanted: str) -> SignatureError:
        found = self.text[self.at : self.at + 12] or "the end"
        return SignatureError(f"expected {wanted} at column {self.at + 1}, found {found!r}")

    def space(self) -> None:
        while self.at < len(self.text) and self.text[self.at] == " ":
            self.at += 1

    def take(self, word: str) -> bool:
        self.space()
        if not self.text.startswith(word, self.at):
            return False
        self.at += len(word)
        return True

    def need(self, word: str) -> None:
        if not self.take(word):
            raise self.fail(repr(word))

    def name(self, wanted: str) -> str:
        self.space()
        match = NAME.match(self.text, self.at)
        if match is None:
            raise self.fail(wanted)
        self.at = match.end()
        return match.group()

    def skip_words(self, words: set[str]) -> None:
        while True:
            self.space()
            match = NAME.match(self.text, self.at)
            if match is None or match.group() not in words:
                return
            self.at = match.end()

    def parameters(self, depth: int) -> tuple[Parameter, ...]:
        if depth > DEPTH_LIMIT:
            raise SignatureError(f"tuples nested more than {DEPTH_LIMIT} deep")
        self.need("(")
        found: list[Parameter] = []
        if self.take(")"):
            return ()
        while True:
            found.append(self.parameter(depth))
            if self.take(")"):
                return tuple(found)
            self.need(",")

    def parameter(self, depth: int) -> Parameter:
        kind, components = self.type(depth)
        self.skip_words(set(MODIFIERS))
        self.space()
        match = NAME.match(self.text, self.at)
        if match is None:
            return Parameter(kind, "", components)
        self.at = match.end()
        return Parameter(kind, match.group(), components)

    def type(self, depth: int) -> tuple[str, tuple[Parameter, ...]]:
        self.space()
        components: tuple[Parameter, ...] = ()
        if TUPLE.match(self.text, self.at):
            self.take("tuple")
            components = self.parameters(depth + 1)
            base = f"({','.join(one.type for one in components)})"
        else:
            base = self.elementary()
        match = ARRAY.match(self.text, self.at)
        if match is None:
            return base, components
        self.at = match.end()
        return base + match.group(), components

    def elementary(self) -> str:
        start = self.at
        word = self.name("a type")
        match = ELEMENTARY.fullmatch(word)
        bits = match.group("bits") if match else None
        if match is None or (bits is not None and (int(bits) % 8 or not 8 <= int(bits) <= 256)):
            self.at = start
            raise self.fail("an ABI type such as uint256, address or bytes32")
        return word + "256" if word in ("uint", "int") else word

    def end(self) -> None:
        self.space()
        if self.at != len(self.text):
            raise self.fail("the end of the signature")


def encode_call(signature: Signature, args: Sequence[object]) -> bytes:
    """Calldata: the selector and the encoded arguments. Raises ValueError where a value does not fit its type."""
    return signature.selector + encode(signature.input_types, args)


def decode_call(signature: Signature, data: bytes) -> tuple[object, ...]:
    """The arguments in calldata of this function; raises ValueError where they are not its."""
    if data[:4] != signature.selector:
        raise ValueError(f"the calldata are not a call of {signature.canonical}")
    return decode(signature.input_types, data[4:])


@functools.cache
def codec() -> ABICodec:
    """eth_abi's codec, with addresses decoded to their checksummed form so that they compare by equality."""
    from eth_abi.codec import ABICodec
    from eth_abi.decoding import AddressDecoder
    from eth_abi.registry import ABIRegistry, BaseEquals, registry

    class ChecksummedAddressDecoder(AddressDecoder):
        decoder_fn = staticmethod(checksummed)  # type: ignore[assignment]  # eth_typing's own HexAddress type

    own: ABIRegistry = registry.copy()  # type: ignore[no-untyped-call]  # eth_abi leaves these two untyped
    own.unregister_decoder("address")
    own.register_decoder(BaseEquals("address"), ChecksummedAddressDecoder, label="address")  # type: ignore[no-untyped-call]
    return ABICodec(own)


def encode(types: Sequence[str], args: Sequence[object]) -> bytes:
    """ABI-encode values; raises ValueError with the codec's own words."""
    words = encode_words(types, args)
    if words is not None:
        return words
    from eth_abi.exceptions import EncodingError

    try:
        return codec().encode(types, args)
    except (EncodingError, OverflowError, TypeError) as problem:
        raise ValueError(f"the arguments do not fit ({','.join(types)}): {problem}") from problem


def decode(types: Sequence[str], data: bytes) -> tuple[object, ...]:
    """Decode ABI data (addresses checksummed); raises ValueError where it is not of these types."""
    values = decode_words(types, data)
    if values is not None:
        return values
    from eth_abi.exceptions import DecodingError

    try:
        return tuple(codec().decode(types, data))
    except (DecodingError, OverflowError, UnicodeDecodeError) as problem:
        raise ValueError(f"the data are not ({','.join(types)}): {problem}") from problem


# A round has hundreds of arguments and answers of one word each: those are read here, twenty times as fast as by
# eth_abi, which keeps everything else and every refusal.
WORD = 32
ONE_WORD = re.compile(r"(address)|(bool)|bytes([1-9]|[12][0-9]|3[0-2])|(u?)int([1-9][0-9]{0,2})")
Decoder = Callable[[bytes], object]
Encoder = Callable[[object], bytes | None]


def encode_words(types: Sequence[str], args: Sequence[object]) -> bytes | None:
    """The arguments where each is one word and its value is plainly of its type; None leaves them to the codec."""
    if len(types) != len(args):
        return None
    words: list[bytes] = []
    for kind, value in zip(types, args, strict=True):
        codec_of_kind = one_word(kind)
        found = codec_of_kind[0](value) if codec_of_kind else None
        if found is None:
            return None
        words.append(found)
    return b"".join(words)


def decode_words(types: Sequence[str], data: bytes) -> tuple[object, ...] | None:
    """The values where each is one word and well formed; None leaves them to the codec."""
    if len(data) < WORD * len(types):
        return None
    values: list[object] = []
    for place, kind in enumerate(types):
        codec_of_kind = one_word(kind)
        found = codec_of_kind[1](data[WORD * place : WORD * place + WORD]) if codec_of_kind else None
        if found is None:
            return None
        values.append(found)
    return tuple(values)


@functools.cache
def one_word(kind: str) -> tuple[Encoder, Decoder] | None:
    """How a type of one word is written and read; each gives None where a value is not plainly of that type."""
    match = ONE_WORD.fullmatch(kind)
    if match is None:
        return None
    address, boolean, size, unsigned, bits = match.groups()
    if address:
        return address_word, word_address
    if boolean:
        return (lambda value: value.to_bytes(WORD) if type(value) is bool else None), word_bool
    if size:
        return bytes_codec(int(size))
    return integer_codec(int(bits), signed=not unsigned)


def address_word(value: object) -> bytes | None:
    """An address as a word."""
    return checked_address_word(value) if isinstance(value, str) else None


@functools.lru_cache(maxsize=16_384)
def checked_address_word(text: str) -> bytes | None:
    """An address with its checksum as a word; None for every other text."""
    if not ADDRESS.fullmatch(text) or text != checksummed(text):
        return None
    return bytes(12) + bytes.fromhex(text[2:])


def word_address(word: bytes) -> object:
    """The address in a word."""
    return checksummed_once(word[12:]) if not any(word[:12]) else None


@functools.lru_cache(maxsize=16_384)
def checksummed_once(found: bytes) -> Address:
    """The checksummed form of 20 bytes."""
    return checksummed(found)


def word_bool(word: bytes) -> object:
    """The truth value in a word."""
    value = int.from_bytes(word)
    return value == 1 if value <= 1 else None


def bytes_codec(size: int) -> tuple[Encoder, Decoder]:
    """`bytes1` to `bytes32`: the bytes, then zeros."""
    padding = bytes(WORD - size)

    def encoder(value: object) -> bytes | None:
        return value + padding if type(value) is bytes and len(value) == size else None

    def decoder(word: bytes) -> object:
        return word[:size] if word[size:] == padding else None

    return encoder, decoder


def integer_codec(bits: int, *, signed: bool) -> tuple[Encoder, Decoder]:
    """`uint8` to `int256`: big-endian, in two's complement."""
    least, most = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)

    def encoder(value: object) -> bytes | None:
        return value.to_bytes(WORD, signed=signed) if type(value) is int and least <= value <= most else None

    def decoder(word: bytes) -> object:
        value = int.from_bytes(word, signed=signed)
        return value if least <= value <= most else None

    return encoder, decoder
