"""How it ended whose nonce is spent, by a node whose events lag behind its state: said only where it is shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from incident_cli.errors import Unread
from incident_cli.evm import to_hex
from incident_cli.flows.multisig.place import Place
from incident_cli.flows.multisig.spender import calldata_of, hashes_at
from incident_cli.flows.multisig.standing import stand
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.transaction import SafeTx
from incident_cli.transport import Endpoint, Json, Request, RpcError
from tests.contracts.packages import Packages
from tests.real.desking import Office, as_opened, opened


@pytest.fixture(scope="module")
def built(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """The chain, built once."""
    with opened(packages, tmp_path_factory.mktemp("fate")) as found:
        yield found


@pytest.fixture
def office(built: Office, tmp_path: Path) -> Iterator[Office]:
    """The chain as it was built, for this test alone."""
    with as_opened(built, tmp_path) as found:
        yield found


@dataclass
class Lagging:
    """A node whose events stand so many blocks behind its state. It may have forgotten transactions, or old state."""

    node: Endpoint
    blocks: int = 0
    forgets: bool = False
    prunes: bool = False

    @property
    def name(self) -> str:
        return self.node.name

    def exchange(self, requests: Sequence[Request]) -> list[Json | RpcError]:
        (head,) = self.node.exchange([Request("eth_blockNumber", ())])
        last = int(str(head), 16) - self.blocks
        answers = zip(requests, self.node.exchange(requests), strict=True)
        return [self.spoilt(request, answer, last) for request, answer in answers]

    def spoilt(self, request: Request, answer: Any, last: int) -> Json | RpcError:
        if request.method == "eth_getLogs" and isinstance(answer, list):
            return [one for one in answer if int(one["blockNumber"], 16) <= last]
        if request.method == "eth_getTransactionByHash" and self.forgets:
            return None
        if request.method == "eth_call" and self.prunes and str(request.params[1]).startswith("0x"):
            return RpcError(-32000, "missing trie node")
        return answer  # type: ignore[no-any-return]


def at(office: Office, **faults: Any) -> Place:
    """The Safe's place, read through such a node."""
    place = office.place
    place.reader.endpoint = Lagging(office.anvil.endpoint(), **faults)
    return place


def head(office: Office) -> int:
    """The latest block."""
    return int(str(office.anvil.rpc("eth_blockNumber")), 16)


def planned_beside_another(office: Office) -> tuple[SafeTx, int]:
    """A transaction prepared at a block that itself holds an execution of the Safe; and that block."""
    office.council.execute(office.limit(7))
    return office.transaction(), head(office)


def test_our_own_execution_that_is_not_yet_listed_is_not_called_displaced(office: Office) -> None:
    tx, since = planned_beside_another(office)
    office.anvil.send(
        office.council.executor, office.council.address, office.council.execution(tx, office.council.owners[:2])
    )
    with pytest.raises(Unread, match="shows no execution"):
        stand(at(office, blocks=1), tx, since=since)
    with pytest.raises(Unread):
        stand(at(office, blocks=1), tx)
    assert stand(at(office), tx, since=since).fate == "executed"


def test_behind_an_earlier_nonce_it_is_not_called_displaced_either(office: Office) -> None:
    tx, since = office.transaction(nonce=1), head(office)
    office.council.execute(office.limit(7))
    office.anvil.send(
        office.council.executor, office.council.address, office.council.execution(tx, office.council.owners[:2])
    )
    with pytest.raises(Unread):
        stand(at(office, blocks=1), tx, since=since)
    assert stand(at(office), tx, since=since).fate == "executed"


@pytest.mark.parametrize("faults", [{}, {"forgets": True}, {"prunes": True}, {"blocks": 1}])
def test_what_another_displaced_is_shown_by_its_calldata_or_by_counting(faults: dict[str, Any], office: Office) -> None:
    tx, since = planned_beside_another(office)
    office.council.execute(office.limit(8))
    if faults.get("blocks"):
        office.council.execute(office.limit(9))
    for known in (since, None):
        assert stand(at(office, **faults), tx, since=known).fate == "displaced"


def test_neither_calldata_nor_counting_says_nothing(office: Office) -> None:
    tx, since = planned_beside_another(office)
    office.council.execute(office.limit(8))
    with pytest.raises(Unread):
        stand(at(office, forgets=True, prunes=True), tx, since=since)
    with pytest.raises(Unread):
        stand(at(office, forgets=True, blocks=1), tx, since=since)


def test_a_block_that_is_too_late_does_not_make_it_displaced(office: Office) -> None:
    """A file's word of when it was prepared is not proof."""
    tx = office.transaction()
    office.anvil.send(
        office.council.executor, office.council.address, office.council.execution(tx, office.council.owners[:2])
    )
    late = head(office)
    office.council.execute(office.limit(8))
    with pytest.raises(Unread):
        stand(at(office), tx, since=late)


def test_an_execution_within_other_calldata_is_found_and_noise_is_none(office: Office) -> None:
    tx = office.transaction()
    execution = office.council.execution(tx, office.council.owners[:2])
    noise = bytes.fromhex("6a761202") + b"\xff" * 40
    assert list(hashes_at(tx, b"\1\2\3\4" + noise + execution + noise)) == [hash_transaction(tx).safe_tx_hash]
    assert list(hashes_at(tx, noise * 40)) == []
    assert calldata_of({"input": to_hex(execution)}) == execution
    unreadable: list[Json | RpcError] = [None, {"input": 3}, {"input": "0xzz"}, RpcError(1, "no")]
    assert [calldata_of(one) for one in unreadable] == [b""] * 4
