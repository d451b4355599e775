"""`incident safe hash` and `safe inspect` as people and scripts meet them; and nothing signed that is not shown."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from incident_cli.cli import main, safe_hash, safe_inspect
from incident_cli.cli.terminal import Printer
from incident_cli.errors import IncidentError
from incident_cli.evm import Call, checksummed
from incident_cli.flows.multisig.aids import Aids
from incident_cli.flows.multisig.hashing import hash_object, hashed
from incident_cli.flows.multisig.inspecting import judge
from incident_cli.safe.transaction import FIELDS, SafeTx
from tests.cli.command import Ended
from tests.fakes.terminal import COMMAND, ROOT, environment
from tests.flows.inspected import (
    DEPLOYMENT,
    EXCHANGE,
    LIMIT,
    PAUSE,
    SAFE,
    STRANGER,
    TRANSFER,
    USDC,
    aids,
    loaded,
    made,
    proposal,
    view,
)
from tests.safe.test_hashes import VERSIONS, transactions, vectors

SMALL = 60


def write(tmp_path: Path, document: object, name: str = "tx.json") -> str:
    path = tmp_path / name
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return str(path)


def safe(*arguments: str) -> Ended:
    """The command in this process: loading safe-eth-py anew for each one would cost more than all the rest."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            words = ["safe", *arguments]
            code = main.program(words)(words, prog_name="incident", standalone_mode=False)
        except IncidentError as problem:
            code = main.failed(problem)
    return Ended(code if isinstance(code, int) else 0, out.getvalue(), err.getvalue())


def flat(text: str) -> str:
    """Wrapped lines as one."""
    return " ".join(text.split())


@contextlib.contextmanager
def printed() -> Iterator[io.StringIO]:
    """What is printed for people, without a terminal."""
    text = io.StringIO()
    with contextlib.redirect_stderr(text):
        yield text


def shown_by_hash(tx: SafeTx) -> tuple[str, str]:
    """The text and the object of `safe hash`."""
    hashes = hashed(loaded(tx))
    with printed() as text:
        safe_hash.show(Printer(), tx, hashes)
    return text.getvalue(), json.dumps(hash_object(loaded(tx), hashes))


def shown_by_inspect(tx: SafeTx) -> tuple[str, str]:
    """The text and the object of `safe inspect` without a deployment."""
    found = judge(loaded(tx), Aids(), None)
    with printed() as text:
        safe_inspect.show(Printer(), found)
    return text.getvalue(), json.dumps(found.to_json())


# --- safe hash


def test_the_hashes_as_an_object_and_for_people(tmp_path: Path) -> None:
    vector = vectors()[0]
    path = write(tmp_path, {name: vector[name] for _, name, _, _ in FIELDS})
    found = safe("hash", path, "--json")
    assert (found.code, found.err) == (0, "")
    assert found.object["schema"] == "incident.safe-hash/v1"
    hashes = [found.object[name] for name in ("domain_hash", "message_hash", "safe_tx_hash")]
    assert hashes == [vector["domainHash"], vector["messageHash"], vector["safeTxHash"]]
    assert found.object["calldata_bytes"] == (len(vector["data"]) - 2) // 2
    people = safe("hash", path)
    assert (people.code, people.out) == (0, "")
    assert all(f"    {one}\n" in people.err for one in [*hashes, found.object["calldata_digest"]])
    assert "Ledger" in people.err
    assert "ERC-8213" in people.err


def test_a_wrong_field_is_named(tmp_path: Path) -> None:
    for name, value in (("nonce", "7"), ("to", STRANGER.lower()), ("value", 7), ("operation", 2), ("version", "1")):
        found = safe("hash", write(tmp_path, {**made([PAUSE]).to_json(), name: value}))
        assert (found.code, found.out) == (2, "")
        assert name in found.err
    changed = safe("hash", write(tmp_path, proposal([PAUSE], message_hash="0x" + "00" * 32)))
    assert changed.code == 1
    assert "was changed" in flat(changed.err)
    unknown = safe("hash", write(tmp_path, {**made([PAUSE]).to_json(), "version": "1.6.0"}))
    assert unknown.code == 1


def test_stdin_is_read(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "safe", "hash", "-", "--json"],
        input=json.dumps(made([PAUSE]).to_json()),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment(tmp_path),
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["safe_tx"] == made([PAUSE]).to_json()


# --- safe inspect


def test_an_inspection_as_an_object_and_for_people(tmp_path: Path) -> None:
    path = write(tmp_path, made([PAUSE, LIMIT]).to_json())
    found = safe("inspect", path, "--json")
    assert (found.code, found.err) == (0, "")
    assert (found.object["schema"], found.object["verdict"]) == ("incident.safe-inspect/v1", "warned")
    assert all(set(one) == {"code", "severity", "message"} for one in found.object["findings"])
    keys = {"to", "name", "value", "operation", "function", "args", "plain"}
    assert all(keys <= set(one) for one in found.object["calls"])
    people = safe("inspect", path)
    assert (people.code, people.out) == (0, "")
    assert "WARNED" in people.err
    assert all(len(line) <= 80 for line in people.err.splitlines())


def test_what_is_refused_ends_with_1_and_the_verdict_stands_last(tmp_path: Path) -> None:
    tx = dataclasses.replace(made([PAUSE]), operation=1, refund_receiver=STRANGER)
    path = write(tmp_path, tx.to_json())
    assert safe("inspect", path, "--json").code == 1
    people = safe("inspect", path)
    assert people.code == 1
    last = people.err.splitlines()[-2:]
    assert last[0].startswith("REFUSED: sign nothing. ")
    assert last[1].startswith("What a code means: ")


def test_nodes_that_cannot_be_read_end_with_3_after_the_offline_part(tmp_path: Path) -> None:
    deployment = write(tmp_path, DEPLOYMENT, "test.yaml")
    path = write(tmp_path, made([PAUSE]).to_json())
    found = safe("inspect", path, "--deployment", deployment, "--json")
    assert found.code == 3
    assert found.object["verdict"] == "warned"
    assert found.object["calls"][0]["plain"].startswith("exchange.pause_market: ")
    assert "no node of ethereum could be read" in flat(found.err)
    worse = write(tmp_path, dataclasses.replace(made([PAUSE]), safe_tx_gas=1).to_json())
    assert safe("inspect", worse, "--deployment", deployment, "--json").code == 1


def test_a_transaction_is_held_against_a_proposal(tmp_path: Path) -> None:
    other = dataclasses.replace(LIMIT, args=(250_000_000_000, 7_200))
    path, wanted = write(tmp_path, made([PAUSE, other]).to_json()), write(tmp_path, proposal([PAUSE, LIMIT]), "p.json")
    found = safe("inspect", path, "--expect", wanted, "--json")
    assert found.code == 1
    assert {"field": "call 2 period", "expected": "3600", "found": "7200"} in found.object["differences"]
    people = safe("inspect", path, "--expect", wanted)
    assert "Not what the proposal says" in people.err
    assert safe("inspect", path, "--expect", path).code == 2


def test_a_clean_inspection_names_everything() -> None:
    tx = made([PAUSE, LIMIT])
    with printed() as text:
        safe_inspect.show(Printer(), judge(loaded(tx), aids(), view(tx)))
    found = text.getvalue()
    assert "CLEAN: every call is known to restrict" in found
    assert f"{EXCHANGE} (exchange)" in found
    assert "(council-1)" in found
    assert "incident, safe-eth-py and the Safe itself agree" in flat(found)
    assert all(len(line) <= 80 for line in found.splitlines())


def test_nothing_hostile_reaches_a_terminal(tmp_path: Path) -> None:
    hostile = "\x1b]52;c;aGk=\x07\u202e\x9b2J"
    records: list[Any] = [{**proposal([PAUSE])["calls"][0], "plain": hostile, "function": hostile}]
    path = write(tmp_path, proposal([PAUSE], calls=records, runbook=hostile))
    for flags in ([], ["--json"]):
        found = safe("inspect", path, *flags)
        assert not set(found.out + found.err) & set("\x1b\x07\u202e\x9b")


# --- every real transaction, and every field


def test_every_real_transaction_is_inspected() -> None:
    known = vectors()
    for vector in known:
        tx = SafeTx.from_json({name: vector[name] for _, name, _, _ in FIELDS})
        found = judge(loaded(tx), Aids(), None)
        assert found.hashes is not None
        assert found.hashes.safe_tx_hash == vector["safeTxHash"]
        assert found.verdict != "clean"
        assert not {"padded-calldata", "bad-batch"} & {one.code for one in found.findings}, vector["source"]
        with printed() as text:
            safe_inspect.show(Printer(), found)
        assert all(one.made.call.to in text.getvalue() for one in found.calls)
    assert len(known) == 204


@settings(max_examples=SMALL, deadline=None)
@given(transactions(("0.0.2", "0.1.0", *VERSIONS)), transactions(VERSIONS), st.sampled_from([one[0] for one in FIELDS]))
def test_a_field_that_changes_changes_what_is_shown(tx: SafeTx, other: SafeTx, field: str) -> None:
    changed = dataclasses.replace(tx, **{field: getattr(other, field)})
    assume(changed != tx)
    for shown in (shown_by_hash, shown_by_inspect):
        for before, after in zip(shown(tx), shown(changed), strict=True):
            assert before != after, (field, shown.__name__)


@pytest.mark.parametrize("field", [one[0] for one in FIELDS])
def test_each_field_of_a_containment_is_shown(field: str) -> None:
    """Beside the random ones: one change of each field of a transaction whose calls are decoded."""
    others: dict[str, Any] = {
        "chain_id": 10, "safe": STRANGER, "version": "1.3.0", "to": STRANGER, "value": 1, "operation": 0,
        "data": made([PAUSE, PAUSE]).data, "safe_tx_gas": 1, "base_gas": 1, "gas_price": 1, "gas_token": USDC,
        "refund_receiver": SAFE, "nonce": 8,
    }  # fmt: skip
    tx = made([PAUSE, LIMIT])
    changed = dataclasses.replace(tx, **{field: others[field]})
    for shown in (shown_by_hash, shown_by_inspect):
        for before, after in zip(shown(tx), shown(changed), strict=True):
            assert before != after


def test_long_calldata_are_cut_on_the_screen_and_whole_in_the_object() -> None:
    tx = dataclasses.replace(made([PAUSE]), data=b"\x12\x34\x56\x78" + bytes(range(256)) * 40)
    text, document = shown_by_inspect(tx)
    assert len(text) < 10_000
    assert "characters)" in text
    assert tx.data.hex() in document


def test_an_amount_stands_in_units_with_its_recipient_whole() -> None:
    tx = made([Call(USDC, TRANSFER, (STRANGER, 1_500_000))])
    with printed() as text:
        safe_inspect.show(Printer(), judge(loaded(tx), aids(), None))
    assert "1.50 USDC" in text.getvalue()
    assert STRANGER in text.getvalue()
    assert checksummed(STRANGER) == STRANGER
