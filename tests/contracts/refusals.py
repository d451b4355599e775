"""Expecting a contract to refuse, and for its own reason."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from incident_cli.abi import decode, encode, parse_signature
from incident_cli.evm import hex_bytes
from tests.fakes.anvil import Refused


@contextmanager
def refuses(error: str, *args: object) -> Iterator[None]:
    """What runs inside must revert with this custom error (`Name(type name, …)`), with `args` where any are given."""
    with pytest.raises(Refused) as caught:
        yield
    declared = parse_signature(error)
    data = hex_bytes(caught.value.data or "0x")
    assert data[:4] == declared.selector, f"expected {declared.canonical}, got {caught.value} {caught.value.data}"
    if args:
        assert data[4:] == encode(declared.input_types, args), decode(declared.input_types, data[4:])


def refuses_saying(reason: str) -> AbstractContextManager[None]:
    """What runs inside must revert with exactly this text of a `require`."""
    return refuses("Error(string reason)", reason)
