"""From nodes to typed values: a frozen dataclass's fields *are* the keys of its YAML mapping.

Scalars have a `Kind` (a name and a parser of text); a field's annotation says which:
`Annotated[int, BPS]`. Containers are `tuple[X, ...]`, `Mapping[str, X]`, `X | None` and nested dataclasses.
A field named like a Python keyword ends in an underscore (`for_` is the key `for`).
A scalar written `{name}` stands for a whole typed value from the scope; it is never spliced into text.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import re
import types
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, Union, cast

from incident_cli.abi import SignatureError, parse_signature
from incident_cli.abi_events import parse_event
from incident_cli.document import Document, Entry, Items, Node, Place, Table, Text
from incident_cli.evm import BYTES32, parse_address
from incident_cli.expression import ExpressionError
from incident_cli.expression import parse as parse_expression
from incident_cli.units import AMOUNT, Span, parse_bps, parse_duration, parse_integer, parse_span

T = TypeVar("T")
REFERENCE = re.compile(r"\{([a-z_][a-z0-9_.]{0,79})\}")
IDENTIFIER_FORM = re.compile(r"[a-z][a-z0-9_]{0,39}")
SLUG_FORM = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of scalar: its name in messages and schema, its parser (raises ValueError with the reason), and, for
    the schema, the words or the pattern that it allows."""

    name: str
    parse: Callable[[str], object]
    words: tuple[str, ...] = ()
    pattern: str = ""
    accepts: tuple[tuple[str, Callable[[Any], object]], ...] = ()  # other kinds that `{name}` may have, and how


@dataclass(frozen=True, slots=True, eq=False)  # equal by identity: an annotation must be hashable
class Variants:
    """A mapping whose class is named by one of its keys; without that key it is the `default` one."""

    key: str
    classes: Mapping[str, type]
    default: str


@dataclass(frozen=True, slots=True, eq=False)
class Nested:
    """A scalar of a kind, or a list of such, lists within lists included; bound to tuples within tuples."""

    kind: Kind


@dataclass(frozen=True, slots=True, eq=False)
class Shorthand:
    """A record of `cls` that may also be written as one word: the value of its key `key` alone."""

    cls: type
    key: str


@dataclass(frozen=True, slots=True)
class Given:
    """A typed value that `{name}` may stand for; `kind` is the Kind's name."""

    kind: str
    value: object


def one_of(name: str, *words: str) -> Kind:
    """A kind with a fixed list of words."""

    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"it must be one of {', '.join(words)}" + did_you_mean(text, words))
        return text

    return Kind(name, parse, words)


def matching(name: str, form: re.Pattern[str], wanted: str) -> Kind:
    """A kind whose text matches a pattern."""

    def parse(text: str) -> str:
        if not form.fullmatch(text):
            raise ValueError(wanted)
        return text

    return Kind(name, parse, pattern=form.pattern)


def parse_boolean(text: str) -> bool:
    """`true` or `false`; nothing else, so that `no` and `off` are never a surprise."""
    if text not in ("true", "false"):
        raise ValueError("it must be true or false")
    return text == "true"


def parse_text(text: str) -> str:
    """Text that says something."""
    if not text.strip():
        raise ValueError("it must not be empty")
    return text


def parse_identifier(text: str) -> str:
    """A snake_case name an expression may mention: no Python keyword."""
    import keyword

    if not IDENTIFIER_FORM.fullmatch(text) or keyword.iskeyword(text):
        raise ValueError("a name is snake_case, at most 40 characters, and no Python keyword")
    return text


TEXT = Kind("text", parse_text)
BOOLEAN = Kind("bool", parse_boolean, ("true", "false"))
INTEGER = Kind("int", parse_integer)
BPS = Kind("bps", parse_bps)
DURATION = Kind("duration", parse_duration)
SPAN = Kind("span", parse_span, accepts=(("duration", lambda seconds: Span(seconds=seconds)),))
ADDRESS = Kind("address", parse_address)
IDENTIFIER = Kind("identifier", parse_identifier)
SLUG = matching("slug", SLUG_FORM, "an id is kebab-case: lower-case letters, digits and hyphens")
BYTES32_KIND = matching("bytes32", BYTES32, "32 bytes are 0x and 64 hex digits")
AMOUNT_KIND = matching("amount", AMOUNT, "an amount and its token are needed, such as 250000 USDC")
DATE = matching("date", re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"), "a date is YYYY-MM-DD")
SIGNATURE = Kind("signature", parse_signature)
EVENT = Kind("event", parse_event)
EXPRESSION = Kind("expression", parse_expression)
PLAIN_KINDS: dict[object, Kind] = {str: TEXT, int: INTEGER, bool: BOOLEAN}


def did_you_mean(word: str, candidates: Collection[str]) -> str:
    """`; did you mean 'pause'?` where something is near, else nothing."""
    near = difflib.get_close_matches(word, list(candidates), n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""


class Wrong(Exception):
    """The value could not be bound; its problem is in the document."""


class Binder:
    """Binds the nodes of one document; `scope` holds what `{name}` may stand for."""

    def __init__(self, document: Document, scope: Mapping[str, Given] | None = None) -> None:
        self.document = document
        self.scope = scope or {}

    def wrong(self, place: Place, code: str, message: str, hint: str = "") -> Wrong:
        """Note a problem; the returned signal may be raised."""
        self.document.wrong(place, code, message, hint)
        return Wrong()

    def hint(self, word: str, candidates: Collection[str]) -> str:
        """`did you mean 'pause'?` where something is near and the problem will be shown, else nothing."""
        return "" if self.document.is_full else did_you_mean(word, candidates).removeprefix("; ")

    def root(self, cls: type[T]) -> T | None:
        """The whole document as `cls`, or None with the problems noted."""
        root = self.document.root
        return None if root is None else self.try_bind(cls, root)

    def try_bind(self, annotation: Any, node: Node) -> Any:
        """The value, or None with the problems noted."""
        try:
            return self.bind(annotation, node)
        except Wrong:
            return None

    def bind(self, annotation: Any, node: Node) -> Any:
        """A value of the annotated type; raises Wrong after noting every problem below this node."""
        if annotation in (Node, Text, Table, Items):
            return self.raw(annotation, node)
        origin = typing.get_origin(annotation)
        if origin is Annotated:
            return self.annotated(annotation.__metadata__[0], node)
        if annotation in PLAIN_KINDS:
            return self.scalar(PLAIN_KINDS[annotation], node)
        if origin in (Union, types.UnionType):
            inner = next(one for one in typing.get_args(annotation) if one is not type(None))
            return self.bind(inner, node)
        if origin is tuple:
            return self.sequence(typing.get_args(annotation)[0], node)
        if origin is Mapping:
            return self.table(typing.get_args(annotation), node)
        return self.record(annotation, node)

    def annotated(self, what: Any, node: Node) -> Any:
        """A value as the annotation's own words say."""
        if isinstance(what, Variants):
            return self.variant(what, node)
        if isinstance(what, Nested):
            return self.nested(what, node)
        if isinstance(what, Shorthand):
            return self.shorthand(what, node)
        return self.scalar(what, node)

    def nested(self, what: Nested, node: Node) -> Any:
        """A scalar, or a tuple of what the list holds; the document's own depth is capped."""
        if not isinstance(node, Items):
            return self.scalar(what.kind, node)
        return tuple(self.all_or_wrong([functools.partial(self.nested, what, one) for one in node.items]))

    def shorthand(self, what: Shorthand, node: Node) -> Any:
        """The record, or the one that a single word stands for."""
        if not isinstance(node, Text):
            return self.record(what.cls, node)
        key = Text(what.key, node.place)
        return self.record(what.cls, Table({what.key: Entry(key, node)}, node.place))

    def raw(self, annotation: Any, node: Node) -> Node:
        if annotation is not Node and not isinstance(node, annotation):
            raise self.wrong(node.place, "wrong-type", f"{describe(annotation)} is needed here, not {describe(node)}")
        return node

    def variant(self, variants: Variants, node: Node) -> Any:
        """The record of the class that the mapping names; the naming key is no field of it."""
        if not isinstance(node, Table):
            raise self.wrong(node.place, "wrong-type", f"a mapping is needed here, not {describe(node)}")
        entry = node.entries.get(variants.key)
        name = variants.default if entry is None else self.scalar(one_of(variants.key, *variants.classes), entry.value)
        rest = {key: one for key, one in node.entries.items() if key != variants.key}
        return self.record(variants.classes[cast(str, name)], Table(rest, node.place))

    def scalar(self, kind: Kind, node: Node) -> object:
        """A scalar of a kind, or the typed value its `{name}` stands for."""
        if not isinstance(node, Text):
            raise self.wrong(node.place, "wrong-type", f"{kind.name} is needed here, not {describe(node)}")
        reference = REFERENCE.fullmatch(node.value)
        if reference and kind is not TEXT:
            return self.reference(reference.group(1), kind, node)
        try:
            return kind.parse(node.value)
        except ExpressionError as problem:
            place = self.document.place_in(node, problem.column)
            raise self.wrong(place, "bad-expression", problem.message, problem.hint) from problem
        except SignatureError as problem:
            raise self.wrong(node.place, "bad-signature", str(problem)) from problem
        except ValueError as problem:
            raise self.wrong(node.place, "bad-value", f"{node.value!r} is no {kind.name}: {problem}") from problem

    def reference(self, name: str, kind: Kind, node: Text) -> object:
        given = self.scope.get(name)
        if given is None:
            hint = self.hint(name, self.scope)
            raise self.wrong(node.place, "unknown-name", f"{{{name}}} names no parameter", hint)
        converted = dict(kind.accepts).get(given.kind)
        if converted is not None:
            return converted(given.value)
        if given.kind != kind.name:
            raise self.wrong(node.place, "wrong-type", f"{{{name}}} is {given.kind}, {kind.name} is needed here")
        return given.value

    def sequence(self, annotation: Any, node: Node) -> tuple[Any, ...]:
        if not isinstance(node, Items):
            raise self.wrong(node.place, "wrong-type", f"a list is needed here, not {describe(node)}")
        return tuple(self.all_or_wrong([functools.partial(self.bind, annotation, one) for one in node.items]))

    def table(self, annotations: tuple[Any, ...], node: Node) -> dict[Any, Any]:
        if not isinstance(node, Table):
            raise self.wrong(node.place, "wrong-type", f"a mapping is needed here, not {describe(node)}")
        pairs = [functools.partial(self.pair, annotations, entry) for entry in node.entries.values()]
        return dict(self.all_or_wrong(pairs))

    def pair(self, annotations: tuple[Any, ...], entry: Entry) -> tuple[Any, Any]:
        key, value = self.all_or_wrong(
            [lambda: self.bind(annotations[0], entry.key), lambda: self.bind(annotations[1], entry.value)]
        )
        return key, value

    def record(self, cls: type[T], node: Node) -> T:
        """A dataclass from a mapping: unknown keys, missing keys and wrong values are all noted."""
        if not isinstance(node, Table):
            raise self.wrong(node.place, "wrong-type", f"a mapping is needed here, not {describe(node)}")
        fields = fields_of(cls)
        sound = self.only_known(node, fields)
        values: dict[str, Any] = {}
        for key, field in fields.items():
            if key in node.entries:
                sound &= self.set_field(values, cls, field, node.entries[key].value)
            elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
                self.wrong(node.place, "missing-key", f"{key!r} is missing")
                sound = False
        if not sound:
            raise Wrong
        return self.construct(cls, values, node)

    def only_known(self, node: Table, fields: Collection[str]) -> bool:
        unknown = [entry.key for key, entry in node.entries.items() if key not in fields]
        for key in unknown:
            near = self.hint(key.value, fields)
            self.wrong(key.place, "unknown-key", f"{key.value!r} is no key here", near or f"known: {', '.join(fields)}")
        return not unknown

    def set_field(self, values: dict[str, Any], cls: type, field: dataclasses.Field[Any], node: Node) -> bool:
        try:
            values[field.name] = self.bind(hints_of(cls)[field.name], node)
        except Wrong:
            return False
        return True

    def construct(self, cls: type[T], values: dict[str, Any], node: Table) -> T:
        if "place" in cls.__dataclass_fields__:  # type: ignore[attr-defined]
            values["place"] = node.place
        try:
            return cls(**values)
        except ValueError as problem:
            raise self.wrong(node.place, "bad-value", str(problem)) from problem

    def all_or_wrong(self, actions: Sequence[Callable[[], Any]]) -> list[Any]:
        """Run every action, so that every problem is noted, and raise if any was."""
        found, sound = [], True
        for action in actions:
            try:
                found.append(action())
            except Wrong:
                sound = False
        if not sound:
            raise Wrong
        return found


def fields_of(cls: type) -> dict[str, dataclasses.Field[Any]]:
    """YAML key → field; `place` is set by the binder and is no key."""
    fields = dataclasses.fields(cast(Any, cls))
    return {field.name.rstrip("_"): field for field in fields if field.name != "place" and field.init}


@functools.cache
def hints_of(cls: type) -> dict[str, Any]:
    """The annotations of a dataclass, with their kinds."""
    return typing.get_type_hints(cls, include_extras=True)


def describe(thing: object) -> str:
    """What a node is, in words."""
    kind = thing if isinstance(thing, type) else type(thing)
    return {Text: "a single value", Items: "a list", Table: "a mapping"}.get(kind, "a value")
