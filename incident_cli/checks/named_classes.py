"""Classes by the word they have in YAML, each loaded when a file first uses its word: most commands need one or two."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

T = TypeVar("T")


class NamedClasses(Mapping[str, type[T]], Generic[T]):
    """Word → class; a place is `module.Class`, the module one of `incident_cli.checks`."""

    def __init__(self, base: type[T], places: Mapping[str, str]) -> None:
        self.base, self.places = base, dict(places)
        self.loaded: dict[str, type[T]] = {}

    def __getitem__(self, word: str) -> type[T]:
        if word not in self.loaded:
            module, _, name = self.places[word].partition(".")
            found = getattr(importlib.import_module(f"{__package__}.{module}"), name)
            if not issubclass(found, self.base):
                raise TypeError(f"{self.places[word]} is no {self.base.__name__}")
            self.loaded[word] = found
        return self.loaded[word]

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)

    def __contains__(self, word: object) -> bool:
        return word in self.places
