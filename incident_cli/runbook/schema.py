"""The JSON Schema (draft 2020-12) of a runbook, for editors, from the same dataclasses that the loader binds.

It is wider than the loader where JSON Schema cannot say more (names that must exist, bounds, expressions): what the
loader accepts, it accepts. Editors read `12` and `true` as number and truth value, so scalars allow those types too.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from incident_cli.binding import IDENTIFIER_FORM, REFERENCE, TEXT, Kind, Variants, fields_of, hints_of
from incident_cli.checks.registry import KINDS
from incident_cli.document import SCALAR_LIMIT
from incident_cli.runbook.explain import docstring
from incident_cli.runbook.keys import default_of, is_record, kind_of, unwrapped, written
from incident_cli.runbook.model import LEVER_FORM, VERBS, RunbookFile

DRAFT = "https://json-schema.org/draft/2020-12/schema"
PATTERNS: Mapping[str, str] = {  # kinds whose parsers are functions; the others carry words or a pattern
    "int": r"-?[0-9][0-9_]*",
    "bps": r"-?[0-9][0-9_.]*( bps|%)?",
    "duration": r"([0-9]+[smhd])+",
    "span": r"([0-9]+[smhd])+|[0-9]+ blocks?",
    "address": "0x[0-9a-fA-F]{40}",
    "identifier": IDENTIFIER_FORM.pattern,
    "transition": f"ask|goto {IDENTIFIER_FORM.pattern}",
}
NUMBERS = ("int", "bps")
Json = dict[str, Any]


@dataclass(slots=True)
class Schema:
    """A schema being built; the kinds of scalars that were met become its definitions."""

    definitions: dict[str, Json] = field(default_factory=dict)

    def of(self, annotation: Any) -> Json:
        """The schema of a value of that annotation."""
        annotation = unwrapped(annotation)
        kind, origin = kind_of(annotation), typing.get_origin(annotation)
        if kind is not None:
            return self.scalar(kind)
        if origin is tuple:
            return {"type": "array", "items": self.of(typing.get_args(annotation)[0])}
        if origin is Mapping:
            name, value = typing.get_args(annotation)
            return {"type": "object", "propertyNames": self.scalar(kind_of(name) or TEXT), **self.values(value)}
        if origin is Annotated and isinstance(annotation.__metadata__[0], Variants):
            return self.variants(annotation.__metadata__[0])
        if is_record(annotation):
            return self.record(annotation)
        return {"type": "object"}

    def values(self, annotation: Any) -> Json:
        """What every value of a mapping is."""
        return {"additionalProperties": self.of(annotation)}

    def scalar(self, kind: Kind) -> Json:
        """A reference to the kind's definition; kinds of one name that allow different words get one each."""
        name = kind.name.replace(" ", "-")
        found = scalar_schema(kind)
        while self.definitions.setdefault(name, found) != found:
            name += "-"
        return {"$ref": f"#/$defs/{name}"}

    def record(self, cls: type, *, more: Mapping[str, Json] | None = None, needs: Iterable[str] = ()) -> Json:
        """A mapping whose keys are the fields of a dataclass, and `more` ones; `needs` are required besides."""
        properties: dict[str, Json] = dict(more or {})
        required = list(needs)
        for key, one in fields_of(cls).items():
            annotation = hints_of(cls)[one.name]
            properties[key] = self.of(annotation)
            if one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING:
                required.append(key)
            elif (default := written(default_of(one), unwrapped(annotation))) != "none":
                properties[key] = {**properties[key], "description": f"Default: {default}."}
        found: Json = {"type": "object", "properties": properties, "additionalProperties": False}
        words = docstring(cls)
        return {**({"description": words} if words else {}), **found, "required": list(dict.fromkeys(required))}

    def variants(self, variants: Variants) -> Json:
        """One of several records; the naming key may be left out for the default one."""
        return {
            "oneOf": [
                self.record(
                    cls,
                    more={variants.key: {"const": name}},
                    needs=() if name == variants.default else (variants.key,),
                )
                for name, cls in variants.classes.items()
            ]
        }


def scalar_schema(kind: Kind) -> Json:
    """What a scalar of a kind may be; `{name}` may stand for any but text."""
    if kind.words:
        allowed: list[Json] = [{"enum": [*kind.words, *([True, False] if kind.name == "bool" else [])]}]
        return {"description": kind.name, "anyOf": [*allowed, reference()]}
    pattern = PATTERNS.get(kind.name, kind.pattern)
    if not pattern:
        return {"description": kind.name, "type": ["string", "number", "boolean"], "maxLength": SCALAR_LIMIT}
    allowed = [{"type": "string", "pattern": f"^({pattern})$"}]
    allowed += [{"type": "integer"}] if kind.name in NUMBERS else []
    return {"description": kind.name, "anyOf": [*allowed, reference()]}


def reference() -> Json:
    """`{name}`: the typed value of a parameter."""
    return {"type": "string", "pattern": f"^{REFERENCE.pattern}$"}


def lever_call() -> Json:
    """One call of a containment: the lever, and the arguments that its protocol file declares."""
    lever = {"type": "string", "pattern": f"^({LEVER_FORM.pattern})$", "description": "slot.lever"}
    return {"type": "object", "properties": {"lever": lever}, "required": ["lever"]}


def runbook_schema() -> Json:
    """The schema of a runbook file."""
    schema = Schema()
    top = schema.record(RunbookFile)
    checks = [schema.record(cls, more={"kind": {"const": name}}, needs=["kind"]) for name, cls in KINDS.items()]
    steps = {verb: schema.record(cls) for verb, cls in VERBS.items()}
    steps["contain"]["properties"]["contain"]["properties"]["calls"]["items"] = lever_call()
    names = schema.definitions["identifier"]
    top["properties"]["checks"] = {"type": "object", "propertyNames": names, "additionalProperties": {"oneOf": checks}}
    top["properties"]["steps"] = {"type": "array", "minItems": 1, "items": {"oneOf": list(steps.values())}}
    return {"$schema": DRAFT, "title": "An incident runbook", **top, "$defs": dict(sorted(schema.definitions.items()))}
