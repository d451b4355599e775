"""The lane's risk manager: cursed subjects, and the constant that stands for all of them."""

from __future__ import annotations

from incident_cli.drills.founding import LANE
from tests.drills.bench import chain_of

OTHER, WHOLE_CHAIN = b"\0" * 15 + b"\x05", b"\x01" + bytes(15)
EVERYTHING = b"\x01" + bytes(14) + b"\x01"
ONE, ALL = "isCursed(bytes16) returns (bool)", "isCursed() returns (bool)"
CURSE, UNCURSE = "curse(bytes16)", "uncurse(bytes16)"


def test_a_lane_is_cursed_and_lifted_by_the_owner_alone() -> None:
    chain, (owner, alice) = chain_of("owner", "alice")
    rmn = chain.create(alice, "rmn", owner.address)
    assert not chain.view(rmn, ONE, LANE)
    assert "only the owner" in chain.refused(alice, rmn, CURSE, LANE)
    assert "only the owner" in chain.refused(alice, rmn, UNCURSE, LANE)
    assert "not cursed" in chain.refused(owner, rmn, UNCURSE, LANE)
    chain.done(owner, rmn, CURSE, LANE)
    chain.done(owner, rmn, CURSE, OTHER)
    assert "already" in chain.refused(owner, rmn, CURSE, LANE)
    assert chain.view(rmn, ONE, LANE) and not chain.view(rmn, ALL)
    assert chain.view(rmn, "getCursedSubjects() returns (bytes16[])") == (LANE, OTHER)
    chain.done(owner, rmn, UNCURSE, LANE)
    assert chain.view(rmn, ONE, OTHER) and not chain.view(rmn, ONE, LANE)


def test_one_subject_stands_for_the_chain_and_one_for_everything() -> None:
    chain, (owner,) = chain_of("owner")
    rmn = chain.create(owner, "rmn", owner.address)
    chain.done(owner, rmn, CURSE, WHOLE_CHAIN)
    assert chain.view(rmn, ALL) and not chain.view(rmn, ONE, LANE)
    chain.done(owner, rmn, CURSE, EVERYTHING)
    assert chain.view(rmn, ALL) and chain.view(rmn, ONE, LANE)


def test_the_lane_is_named_by_its_chain_selector() -> None:
    assert (5_009_297_550_715_157_269).to_bytes(16, "big") == LANE
