"""SafeTx: the flat object, and every way it can be wrong."""

from __future__ import annotations

import dataclasses
import json

import pytest

from incident_cli.errors import Misused
from incident_cli.evm import ZERO, Address, checksummed
from incident_cli.safe.transaction import DATA_LIMIT, SafeTx, parse_version

SAFE = checksummed("0x14536667cd30e52c0b458baaccb9fada7046e056")
TARGET = checksummed("0x49048044d57e1c92a77f79988d21fa8faf74e97e")
TX = SafeTx(chain_id=1, safe=SAFE, version="1.4.1", to=TARGET, value=10**30, data=b"\x01\x02", operation=0, nonce=7)


def test_json_is_flat_and_amounts_are_decimal_strings() -> None:
    assert TX.to_json() == {
        "chainId": 1,
        "safe": SAFE,
        "version": "1.4.1",
        "to": TARGET,
        "value": "1000000000000000000000000000000",
        "data": "0x0102",
        "operation": 0,
        "safeTxGas": "0",
        "baseGas": "0",
        "gasPrice": "0",
        "gasToken": ZERO,
        "refundReceiver": ZERO,
        "nonce": 7,
    }
    assert SafeTx.from_json(json.loads(json.dumps(TX.to_json()))) == TX


WRONG: list[tuple[str, object]] = [
    ("chainId", True),
    ("chainId", "1"),
    ("chainId", 2**256),
    ("safe", SAFE.lower()),
    ("safe", None),
    ("to", "0xcA11…CA11"),
    ("to", TARGET + "\n"),
    ("version", "latest"),
    ("version", 1.4),
    ("value", 0),
    ("value", "-1"),
    ("value", "01"),
    ("value", "0x1"),
    ("value", "١"),
    ("value", str(2**256)),
    ("data", None),
    ("data", "0x0"),
    ("data", "0x 00"),
    ("data", "00"),
    ("data", "0x" + "00" * (DATA_LIMIT + 1)),
    ("operation", 2),
    ("operation", True),
    ("operation", "0"),
    ("safeTxGas", False),
    ("baseGas", 1.0),
    ("gasPrice", None),
    ("gasToken", ""),
    ("refundReceiver", SAFE.upper()),
    ("nonce", "7"),
    ("nonce", -1),
    ("nonce", False),
]


@pytest.mark.parametrize(("field", "value"), WRONG)
def test_the_wrong_field_is_named(field: str, value: object) -> None:
    with pytest.raises(Misused, match=field) as caught:
        SafeTx.from_json({**TX.to_json(), field: value})
    assert caught.value.hint


def test_unknown_missing_and_shapeless_are_refused() -> None:
    with pytest.raises(Misused, match="no field signatures"):
        SafeTx.from_json({**TX.to_json(), "signatures": "0x"})
    with pytest.raises(Misused, match=r"U\+202E"):
        SafeTx.from_json({**TX.to_json(), "\u202e": 1})
    for field in TX.to_json():
        with pytest.raises(Misused, match=field):
            SafeTx.from_json({key: value for key, value in TX.to_json().items() if key != field})
    shapes: list[object] = [None, [], "x", 3]
    for shape in shapes:
        with pytest.raises(Misused, match="JSON object"):
            SafeTx.from_json(shape)


def test_a_wrong_transaction_cannot_be_made() -> None:
    with pytest.raises(Misused, match="to is wrong"):
        dataclasses.replace(TX, to=Address("0x1"))
    with pytest.raises(Misused, match="operation"):
        dataclasses.replace(TX, operation=2)
    with pytest.raises(Misused, match="data"):
        dataclasses.replace(TX, data=bytes(DATA_LIMIT + 1))


def test_versions() -> None:
    assert parse_version("1.3.0+L2") == (1, 3, 0)
    for text in ("1.3", "1.3.0-beta", "1.3.0\n", "١.3.0", None):
        with pytest.raises(Misused, match="version"):
            parse_version(text)
