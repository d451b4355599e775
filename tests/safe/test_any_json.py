"""Whatever JSON a file holds, its reader says what is wrong with it: nothing ends as a bug of `incident`."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incident_cli.errors import IncidentError
from incident_cli.safe import keystore
from incident_cli.safe.builder import read_batch
from incident_cli.safe.keystore import KeystoreSigner
from incident_cli.safe.rotation import Rotation, excluded_of
from incident_cli.safe.service_records import Malformed, parse_transaction
from incident_cli.safe.signature_file import Merged, Signed
from incident_cli.safe.signatures import contract_signature, pre_validated
from incident_cli.safe.transaction import SafeTx
from incident_cli.text import plain
from tests.safe.test_builder import REAL
from tests.safe.test_keystore import PASSPHRASE, answering, sealed
from tests.safe.test_rotation import rotation
from tests.safe.test_signature_file import SAFE, TARGET, TX, file_of, signed

ODD: list[Any] = [
    None, True, False, 0, -1, 1, 0.0, 1e400, 2**256, "", "0", "0x", "0x0", "0x1", "true", "tuple", "tuple[]", "uint",
    "uint07", "bytes0", "fixed", "(", "\ud800", "x" * 300, "9" * 100, [], {}, [[]], [None], [1], {"": None},
    "0x" + "zz" * 20, "0x" + "00" * 20, "0x" + "ff" * 32, [{}], [{"type": "tuple", "name": "a", "components": 5}],
]  # fmt: skip
JSON = st.recursive(
    st.sampled_from(ODD) | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def paths_in(value: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document."""
    if isinstance(value, dict):
        return [above, *(two for key, one in value.items() for two in paths_in(one, (*above, key)))]
    if isinstance(value, list):
        return [above, *(two for place, one in enumerate(value) for two in paths_in(one, (*above, place)))]
    return [above]


def spoiled(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """The document with another value at a place."""
    if not path:
        return value
    found = copy.deepcopy(document)
    inner = found
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return found


def without_checksum(document: Any) -> Any:
    """A batch nobody can recognise as changed: else the checksum would stop everything."""
    return {**document, "meta": {key: one for key, one in document["meta"].items() if key != "checksum"}}


PARTS = [{"name": "x", "type": "uint"}, {"name": "y", "type": "bytes4"}]
TUPLES: dict[str, Any] = {"name": "f", "inputs": [{"name": "a", "type": "tuple[2]", "components": PARTS}]}
GIVEN = {"a": '[[1,"0x01020304"],[2,"0x00000000"]]'}
BATCH = without_checksum(copy.deepcopy(REAL))
BATCH["transactions"].append({**BATCH["transactions"][0], "contractMethod": TUPLES, "contractInputsValues": GIVEN})
SIGNATURES = json.loads(
    json.dumps(
        file_of(
            signed(0),
            Signed(SAFE, contract_signature(SAFE, b"a")),
            Signed(SAFE, contract_signature(SAFE, b"b")),
            Signed(TARGET, pre_validated(TARGET)),
        ).to_json()
    )
)
ROTATION = json.loads(json.dumps(rotation().to_json()))


def of_excluded(document: Any) -> object:
    """A proposal's `excluded`."""
    return excluded_of(document if isinstance(document, dict) else {"excluded": document})


READERS: dict[str, tuple[Any, Callable[[Any], object]]] = {
    "batch": (BATCH, lambda one: read_batch(one if isinstance(one, dict) else {})),
    "signatures": (SIGNATURES, Merged.from_json),
    "rotation": (ROTATION, Rotation.from_json),
    "excluded": ({"excluded": [SAFE]}, of_excluded),
    "safe-tx": (TX.to_json(), SafeTx.from_json),
}


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_reader_takes_it_or_says_what_is_wrong(name: str, data: st.DataObject) -> None:
    document, read = READERS[name]
    changed = spoiled(document, data.draw(st.sampled_from(paths_in(document))), data.draw(JSON))
    with contextlib.suppress(IncidentError):
        read(changed)


@pytest.mark.parametrize("name", READERS)
def test_every_odd_value_in_every_place(name: str) -> None:
    document, read = READERS[name]
    read(document)
    for path in paths_in(document):
        for odd in ODD:
            with contextlib.suppress(IncidentError):
                read(spoiled(document, path, odd))


@settings(max_examples=60, deadline=None)
@given(document=st.dictionaries(st.text(max_size=8), JSON, max_size=3))
def test_a_record_of_a_service(document: dict[str, Any]) -> None:
    with contextlib.suppress(Malformed):
        parse_transaction(document)


KEYSTORES = [sealed("scrypt"), sealed("pbkdf2")]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_keystore(data: st.DataObject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keystore, "MOST_WORK", 2**12)  # what is absurd is refused at any size: no example takes seconds
    monkeypatch.setattr(keystore, "MOST_ROUNDS", 2**12)
    document = data.draw(st.sampled_from(KEYSTORES))
    path = tmp_path / "key.json"
    changed = spoiled(document, data.draw(st.sampled_from(paths_in(document))), data.draw(JSON))
    path.write_text(json.dumps(changed))
    with contextlib.suppress(IncidentError):
        found = KeystoreSigner(path, answering(PASSPHRASE))
        assert plain(found.warning) == found.warning
        with found.unlocked():
            assert found.address
