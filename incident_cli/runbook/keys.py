"""The keys of a YAML mapping as its dataclass declares them: what `incident explain` and the schema are made of."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Union, cast

from incident_cli.binding import PLAIN_KINDS, Kind, Variants, fields_of, hints_of
from incident_cli.runbook.model import Transition
from incident_cli.units import format_duration


@dataclass(frozen=True, slots=True)
class Key:
    """One key: how it is written, what its value is, and what holds where it is left out."""

    key: str
    type: str
    default: str
    required: bool


def keys_of(cls: type) -> tuple[Key, ...]:
    """Every key of a mapping, those of nested mappings below the key that holds them (`sources[].slot`)."""
    return tuple(rows(cls, ""))


def rows(cls: type, before: str, aside: str = "") -> Iterator[Key]:
    """A row for each field, and for what is inside it; `aside` says under which condition the key exists."""
    for key, field in fields_of(cls).items():
        annotation = unwrapped(hints_of(cls)[field.name])
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        default = "" if required else written(default_of(field), annotation)
        yield Key(f"{before}{key}", type_name(annotation) + aside, default, required)
        yield from inside(annotation, f"{before}{key}")


def inside(annotation: Any, path: str) -> Iterator[Key]:
    """The rows of what a value holds."""
    origin = typing.get_origin(annotation)
    if origin is tuple:
        yield from inside(unwrapped(typing.get_args(annotation)[0]), f"{path}[]")
    elif origin is Mapping:
        yield from inside(unwrapped(typing.get_args(annotation)[1]), f"{path}.*")
    elif origin is Annotated and isinstance(annotation.__metadata__[0], Variants):
        yield from variant_rows(annotation.__metadata__[0], path)
    elif is_record(annotation):
        yield from rows(annotation, f"{path}.")


def variant_rows(variants: Variants, path: str) -> Iterator[Key]:
    """The naming key, then the keys of each variant."""
    yield Key(f"{path}.{variants.key}", one_of(tuple(variants.classes)), variants.default, False)
    for name, cls in variants.classes.items():
        yield from rows(cls, f"{path}.", f" ({variants.key}: {name})")


def unwrapped(annotation: Any) -> Any:
    """The annotation without `| None`."""
    if typing.get_origin(annotation) in (Union, types.UnionType):
        return next(one for one in typing.get_args(annotation) if one is not type(None))
    return annotation


def is_record(annotation: Any) -> bool:
    """Whether it is a dataclass whose fields are keys (a node of the document is not)."""
    return dataclasses.is_dataclass(annotation) and annotation.__module__ != "incident_cli.document"


def kind_of(annotation: Any) -> Kind | None:
    """The kind of a scalar, None for anything else."""
    if typing.get_origin(annotation) is Annotated:
        found = annotation.__metadata__[0]
        return found if isinstance(found, Kind) else None
    try:
        return PLAIN_KINDS.get(annotation)
    except TypeError:  # not every annotation has a hash
        return None


def type_name(annotation: Any) -> str:
    """The type in words."""
    annotation = unwrapped(annotation)
    kind, origin = kind_of(annotation), typing.get_origin(annotation)
    if kind is not None:
        return one_of(kind.words) if kind.words else kind.name
    if origin is tuple:
        return f"list of {type_name(typing.get_args(annotation)[0])}"
    if origin is Mapping:
        name, value = typing.get_args(annotation)
        return f"{type_name(name)} to {type_name(value)}"
    return "mapping"


def one_of(words: tuple[str, ...]) -> str:
    """`a`, or `a, b or c`."""
    return " or ".join(one for one in (", ".join(words[:-1]), words[-1]) if one)


def default_of(field: dataclasses.Field[Any]) -> object:
    """The default of a field that has one."""
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def written(value: object, annotation: Any) -> str:
    """A default as it would be written in YAML."""
    kind = kind_of(annotation)
    name = "" if kind is None else kind.name
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Transition):
        return "ask" if value.to is None else f"goto {value.to}"
    if isinstance(value, int) and name == "duration":
        return format_duration(value).replace(" ", "")
    if isinstance(value, int) and name == "bps":
        return f"{value} bps" if value % 100 else f"{value // 100}%"
    if value is None or value in ("", (), {}):
        return "none"
    if dataclasses.is_dataclass(value) and type(value).__str__ is object.__str__:
        return " of ".join(str(getattr(value, one.name)) for one in dataclasses.fields(cast(Any, value)))
    return str(value)
