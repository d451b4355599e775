"""An execution step by step: another broadcaster, other signatures, no money, and a step that never waits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from incident_cli.chain.execution import Execution
from incident_cli.chain.fees import Unpayable
from incident_cli.drills.accounts import account
from incident_cli.errors import Refused, Unread, Waiting
from incident_cli.flows.multisig.broadcasting import Attempt, attempt_of, whereabouts
from incident_cli.flows.multisig.collecting import collect
from incident_cli.flows.multisig.executing import Road, advance_execution, execute
from incident_cli.flows.multisig.standing import stand
from incident_cli.safe.transaction import SafeTx
from incident_cli.transport import Endpoint, Json, Request, RpcError
from tests.contracts.packages import Packages
from tests.fakes.desk import FakeClock
from tests.fakes.signers import AccountSigner
from tests.real.desking import ETHER, HASTY, Office, Told, as_opened, opened

NOBODY_SENDS = Road(poll=1, bump=99, patience=2)


@pytest.fixture(scope="module")
def built(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """The chain, built once; it mines only when it is told to."""
    with opened(packages, tmp_path_factory.mktemp("steps"), automine=False) as found:
        yield found


@pytest.fixture
def office(built: Office, tmp_path: Path) -> Iterator[Office]:
    """The chain as it was built, for this test alone."""
    with as_opened(built, tmp_path) as found:
        yield found
        found.anvil.rpc("anvil_dropAllTransactions")


def broadcaster(office: Office, name: str, nonce: int = 0, wei: int = ETHER) -> AccountSigner:
    """Somebody who pays, at a nonce."""
    signer = AccountSigner(account(9, name))
    office.anvil.rpc("anvil_setBalance", signer.address, hex(wei))
    office.anvil.rpc("anvil_setNonce", signer.address, hex(nonce))
    return signer


def packed_by(office: Office, tx: SafeTx, *owners: int) -> bytes:
    """These owners' signatures, as anybody sends them."""
    return collect(office.standing(tx, *owners), office.council.executor).packed


def stepped(
    office: Office,
    tx: SafeTx,
    packed: bytes | None,
    sender: AccountSigner,
    told: Told,
    earlier: Sequence[bytes] = (),
    idle: float = 0,
    road: Road = HASTY,
) -> Execution | None:
    """One step."""
    hands = {"intent": told.intent, "sent": told.sent, "say": told.say}
    place = office.place
    return advance_execution(place, tx, packed, sender, road=road, earlier=earlier, idle=idle, **hands)  # type: ignore[arg-type]


def said(told: Told) -> str:
    """Everything it said."""
    return "\n".join(str(value) for kind, value in told.events if kind == "say")


def attempts(*told: Told) -> list[Attempt]:
    """What was intended, in order."""
    return [attempt_of(raw) for one in told for raw in one.intents]


# --- one step never waits


def test_a_step_sends_then_looks_then_raises_the_fee_when_it_is_due(office: Office) -> None:
    tx, told, sender = office.transaction(), Told(), broadcaster(office, "A")
    packed = packed_by(office, tx, 0, 1)
    assert stepped(office, tx, packed, sender, told) is None
    assert told.kinds == ["intent", "sent"]
    assert stepped(office, tx, packed, sender, told, told.intents, idle=3) is None
    assert told.kinds == ["intent", "sent"], "a node knows it, and it is not yet late"
    assert stepped(office, tx, packed, sender, told, told.intents, idle=4) is None
    first, second = (one.outgoing for one in attempts(told))
    assert first.nonce == second.nonce and second.max_fee > first.max_fee
    office.anvil.mine()
    found = stepped(office, tx, packed, sender, told, told.intents)
    assert found is not None and found.succeeded and office.paused()
    assert len(told.intents) == 2


def test_a_step_sends_again_what_every_node_forgot(office: Office) -> None:
    tx, told, sender = office.transaction(), Told(), broadcaster(office, "A")
    packed = packed_by(office, tx, 0, 1)
    stepped(office, tx, packed, sender, told)
    office.anvil.rpc("anvil_dropAllTransactions")
    assert stepped(office, tx, packed, sender, told, told.intents) is None
    assert told.kinds == ["intent", "sent", "sent"] and len(set(told.intents)) == 1


def test_a_step_at_a_depth_is_not_done_before(office: Office) -> None:
    tx, told, sender = office.transaction(), Told(), broadcaster(office, "A")
    packed, deep = packed_by(office, tx, 0, 1), Road(depth=2)
    stepped(office, tx, packed, sender, told, road=deep)
    office.anvil.mine()
    assert stepped(office, tx, packed, sender, told, told.intents, road=deep) is None
    office.anvil.mine(2)
    found = stepped(office, tx, packed, sender, told, told.intents, road=deep)
    assert found is not None and found.succeeded


def test_a_step_without_enough_signatures_begins_nothing_and_keeps_what_can_succeed(office: Office) -> None:
    tx, told, sender = office.transaction(), Told(), broadcaster(office, "A")
    assert stepped(office, tx, None, sender, told) is None and told.events == []
    stepped(office, tx, packed_by(office, tx, 0, 1), sender, told)
    office.anvil.rpc("anvil_dropAllTransactions")
    assert stepped(office, tx, None, sender, told, told.intents) is None
    assert told.kinds == ["intent", "sent", "sent"]
    office.anvil.mine()
    found = stepped(office, tx, None, sender, told, told.intents)
    assert found is not None and found.succeeded


@dataclass
class Flaky:
    """A node that is away for a while."""

    node: Endpoint
    is_away: bool = False

    @property
    def name(self) -> str:
        return self.node.name

    def exchange(self, requests: Sequence[Request]) -> list[Json | RpcError]:
        if self.is_away:
            raise Unread(f"{self.name} is away")
        return self.node.exchange(requests)


def test_a_node_that_is_away_for_a_moment_does_not_end_the_wait(office: Office) -> None:
    tx, told, clock, sender = office.transaction(), Told(), FakeClock(), broadcaster(office, "A")
    packed, place, node = packed_by(office, tx, 0, 1), office.place, Flaky(office.anvil.endpoint())
    place.reader.endpoint = node

    def sleeping(seconds: float) -> None:
        node.is_away = not node.is_away
        if not node.is_away:
            office.anvil.mine()

    clock.sleeping = sleeping
    hands = {"intent": told.intent, "sent": told.sent, "say": told.say}
    assert execute(place, tx, packed, sender, clock=clock, road=HASTY, **hands).succeeded  # type: ignore[arg-type]
    assert told.kinds == ["intent", "sent"]
    away = Flaky(office.anvil.endpoint(), is_away=True)
    place.reader.endpoint = away
    with pytest.raises(Unread):
        execute(place, tx, packed, sender, clock=clock, road=HASTY, **hands)  # type: ignore[arg-type]


# --- another broadcaster


def test_another_broadcasters_attempt_is_never_outbid_and_its_own_begins_when_it_is_late(office: Office) -> None:
    tx, by_a, by_b = office.transaction(), Told(), Told()
    packed = packed_by(office, tx, 0, 1)
    one, other = broadcaster(office, "A", nonce=5), broadcaster(office, "B", nonce=2)
    stepped(office, tx, packed, one, by_a)
    office.anvil.rpc("anvil_dropAllTransactions")
    assert stepped(office, tx, packed, other, by_b, by_a.intents) is None
    assert by_b.kinds == ["sent"], "the very same bytes of A"
    assert stepped(office, tx, packed, other, by_b, by_a.intents, idle=4) is None
    (own,) = attempts(by_b)
    assert (own.sender, own.outgoing.nonce) == (other.address, 2)
    assert "the later one only reverts and costs its gas" in said(by_b)
    stepped(office, tx, packed, other, by_b, by_a.intents + by_b.intents, idle=4)
    assert [(two.sender, two.outgoing.nonce) for two in attempts(by_b)] == [(other.address, 2)] * 2
    office.anvil.mine()
    found = stepped(office, tx, packed, other, by_b, by_a.intents + by_b.intents)
    assert found is not None and found.succeeded, "one succeeds, whichever reverts"


def test_an_attempt_whose_nonce_is_spent_does_not_stop_the_next_broadcaster(office: Office) -> None:
    tx, by_a, by_b, clock = office.transaction(), Told(), Told(), FakeClock()
    packed = packed_by(office, tx, 0, 1)
    one, other = broadcaster(office, "A", nonce=5), broadcaster(office, "B")
    stepped(office, tx, packed, one, by_a)
    office.anvil.rpc("anvil_dropAllTransactions")
    office.anvil.rpc("anvil_setNonce", one.address, "0x9")
    clock.sleeping = lambda seconds: office.anvil.mine()
    hands = {"intent": by_b.intent, "sent": by_b.sent, "say": by_b.say}
    found = execute(office.place, tx, packed, other, clock=clock, road=HASTY, earlier=by_a.intents, **hands)  # type: ignore[arg-type]
    assert found.succeeded and [own.sender for own in attempts(by_b)] == [other.address]
    assert "its nonce 5 was used for something else" in said(by_b)


# --- other signatures than those of the attempt


def test_what_would_fail_is_replaced_by_the_signatures_of_now(office: Office) -> None:
    tx, told, again, clock = office.transaction(), Told(), Told(), FakeClock()
    sender = broadcaster(office, "A")
    old = packed_by(office, tx, 0, 1)
    with pytest.raises(Waiting):
        hands = {"intent": told.intent, "sent": told.sent}
        execute(office.place, tx, old, sender, clock=clock, road=NOBODY_SENDS, **hands)  # type: ignore[arg-type]
    office.anvil.rpc("anvil_dropAllTransactions")
    rotate_out(office, 1)
    new = collect(stand(office.place, tx, signatures=office.signed(tx, 0, 1, 2)), office.council.executor).packed
    assert new != old
    assert stepped(office, tx, new, sender, again, told.intents) is None
    (first,), (second,) = attempts(told), attempts(again)
    assert second.outgoing.nonce == first.outgoing.nonce and second.outgoing.max_fee > first.outgoing.max_fee
    assert again.kinds == ["intent", "sent"] and "signatures collected now" in said(again)
    office.anvil.mine()
    found = stepped(office, tx, new, sender, again, told.intents + again.intents)
    assert found is not None and found.succeeded


def test_what_would_fail_is_not_sent_again_where_nothing_takes_its_place(office: Office) -> None:
    tx, told, again, sender = office.transaction(), Told(), Told(), broadcaster(office, "A")
    old = packed_by(office, tx, 0, 1)
    stepped(office, tx, old, sender, told)
    office.anvil.rpc("anvil_dropAllTransactions")
    rotate_out(office, 1)
    assert stepped(office, tx, None, sender, again, told.intents, idle=99) is None
    with pytest.raises(Refused, match="would fail"):
        stepped(office, tx, old, sender, again, told.intents)
    assert again.kinds == []


def test_more_signatures_do_not_replace_what_would_still_succeed(office: Office) -> None:
    tx, told, sender = office.transaction(), Told(), broadcaster(office, "A")
    stepped(office, tx, packed_by(office, tx, 0, 1), sender, told)
    assert stepped(office, tx, packed_by(office, tx, 1, 2), sender, told, told.intents) is None
    assert len(told.intents) == 1


def rotate_out(office: Office, owner: int) -> None:
    """Somebody else takes an owner's place, without the Safe's nonce."""
    ((owners),) = office.anvil.view(office.council.address, "getOwners() returns (address[])")
    assert isinstance(owners, tuple | list)
    gone = office.council.owners[owner].address
    at = list(owners).index(gone)
    before = str(owners[at - 1]) if at else "0x" + "0" * 39 + "1"
    office.anvil.rpc("evm_setAutomine", True)
    office.as_safe("swapOwner(address,address,address)", before, gone, office.anvil.accounts[0])
    office.anvil.rpc("evm_setAutomine", False)


# --- money


def test_a_broadcaster_without_money_is_told_so_and_nothing_is_intended(office: Office) -> None:
    tx, told = office.transaction(), Told()
    with pytest.raises(Unpayable, match="holds nothing"):
        stepped(office, tx, packed_by(office, tx, 0, 1), broadcaster(office, "poor", wei=0), told)
    assert told.kinds == []


def test_a_node_that_says_there_is_no_money_says_the_same(office: Office) -> None:
    tx, told, sender = office.transaction(), Told(), broadcaster(office, "A")
    stepped(office, tx, packed_by(office, tx, 0, 1), sender, told)
    office.anvil.rpc("anvil_dropAllTransactions")
    office.anvil.rpc("anvil_setBalance", sender.address, "0x0")
    (attempt,) = attempts(told)
    assert whereabouts(office.place, attempt) == "free"
    with pytest.raises(Unpayable, match="nsufficient funds"):
        stepped(office, tx, packed_by(office, tx, 0, 1), sender, Told(), told.intents)
    rich, by_b = broadcaster(office, "B"), Told()
    assert stepped(office, tx, packed_by(office, tx, 0, 1), rich, by_b, told.intents) is None
    assert "not taken again" in said(by_b) and [one.sender for one in attempts(by_b)] == [rich.address]
