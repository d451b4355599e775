"""State changes, from the shapes that geth and anvil answer to the sentences about what nobody declared."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_cli.chain import state_diff
from incident_cli.chain.state_diff import (
    NONCE_SLOT,
    OWNERS_SLOT,
    AccountChange,
    StateDiff,
    Unreadable,
    executed_diff,
    mapping_slot,
    parse_diff,
)
from incident_cli.chain.undeclared import PROXY_SLOTS, SAFE_SLOTS, undeclared
from incident_cli.evm import Address, Missing, checksummed
from incident_cli.transport import Json, RpcError

SAFE, SENDER, TARGET, OTHER = (checksummed("0x" + two * 20) for two in ("5a", "0e", "7a", "c0"))
CODE = "0x6001600255"


def word(number: int) -> str:
    return f"0x{number:064x}"


# geth: `pre` holds the whole account and no empty slots, `post` only what differs.
GETH: dict[str, Any] = {
    "pre": {
        SENDER.lower(): {"balance": "0xde0b6b3a7640000", "nonce": 8},
        SAFE.lower(): {"balance": "0x64", "nonce": 1, "code": CODE, "storage": {word(5): word(3)}},
        TARGET.lower(): {"balance": "0x0", "code": CODE, "codeHash": word(9), "storage": {word(2): word(1)}},
    },
    "post": {
        SENDER.lower(): {"nonce": 9},
        SAFE.lower(): {"balance": "0x5f", "storage": {word(5): word(4)}},
        TARGET.lower(): {"balance": "0x5", "storage": {word(7): word(1)}},
    },
}
# anvil: the same, but a Safe's first nonce has no word before, and the account of the sender states no nonce of 0.
ANVIL: dict[str, Any] = {
    "post": {SENDER.lower(): {"nonce": 1}, SAFE.lower(): {"storage": {word(5): word(1)}}},
    "pre": {
        SENDER.lower(): {"balance": "0x21e19e0c9bab2400000"},
        SAFE.lower(): {"balance": "0x0", "code": CODE, "nonce": 1},
    },
}


def known(answer: Any) -> StateDiff:
    found = parse_diff(answer)
    assert isinstance(found, StateDiff), found
    return found


def test_the_shape_of_geth() -> None:
    assert known(GETH).accounts == {
        SENDER: AccountChange(nonce=1),
        SAFE: AccountChange({5: (3, 4)}, balance=-5),
        TARGET: AccountChange({2: (1, 0), 7: (0, 1)}, balance=5),
    }


def test_the_shape_of_anvil() -> None:
    diff = known(ANVIL)
    assert diff.accounts == {SENDER: AccountChange(nonce=1), SAFE: AccountChange({5: (0, 1)})}
    assert diff.slot(Address(SAFE.lower()), NONCE_SLOT) == (0, 1)
    assert diff.slot(SAFE, 4) is diff.slot(OTHER, 5) is None


def test_code_that_comes_changes_and_goes() -> None:
    created = {"pre": {}, "post": {OTHER: {"balance": "0x0", "nonce": 1, "code": CODE}}}
    assert known(created).accounts == {OTHER: AccountChange(nonce=1, code=True)}
    changed = {"pre": {OTHER: {"balance": "0x1", "code": CODE}}, "post": {OTHER: {"code": "0xef"}}}
    assert known(changed).accounts == {OTHER: AccountChange(code=True)}
    gone = {"pre": {OTHER: {"balance": "0x1", "code": CODE, "storage": {word(1): word(2)}}}, "post": {}}
    assert known(gone).accounts == {OTHER: AccountChange({1: (2, 0)}, -1, 0, True, True)}
    same = {"pre": {OTHER: {"balance": "0x1", "code": CODE}}, "post": {OTHER: {"balance": "0x1", "code": CODE}}}
    assert known(same).accounts == {}


def account(**fields: Json) -> Json:
    return {"pre": {OTHER: dict(fields)}, "post": {}}


MALFORMED: list[Json | RpcError] = [
    None,
    [],
    "0x",
    7,
    {},
    {"pre": {}},
    {"pre": {}, "post": []},
    {"pre": {}, "post": None},
    {"pre": {}, "post": {}, "more": {}},
    {"pre": {"0x12": {}}, "post": {}},
    {"pre": {OTHER: {}, OTHER.lower(): {}}, "post": {}},
    {"pre": {OTHER: []}, "post": {}},
    account(balance=1),
    account(balance="1"),
    account(balance=None),
    account(nonce="one"),
    account(nonce=-1),
    account(nonce=True),
    account(nonce=2**64),
    account(code=1),
    account(code="0xz0"),
    account(code="6001"),
    account(code=None),
    account(codeHash=None),
    account(storage=[]),
    account(storage={"0x5": word(1)}),
    account(storage={word(5): "0x1"}),
    account(storage={word(5): 1}),
    account(storage={word(10): word(1), "0x" + "0" * 63 + "A": word(1)}),
    account(transient={}),
    RpcError(-32601, "no \x1b]52;method"),
]


@pytest.mark.parametrize("answer", MALFORMED, ids=range(len(MALFORMED)))
def test_what_is_malformed_is_not_known(answer: Json | RpcError) -> None:
    found = parse_diff(answer)
    assert isinstance(found, Missing)
    assert found.reason and "\x1b" not in found.reason
    assert isinstance(found, Unreadable) is not isinstance(answer, RpcError)  # who does not trace is another matter


def test_what_is_too_large_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_diff, "ACCOUNTS_LIMIT", 2)
    assert isinstance(parse_diff(GETH), Unreadable)
    monkeypatch.setattr(state_diff, "ACCOUNTS_LIMIT", 3)
    assert isinstance(parse_diff(GETH), StateDiff)
    monkeypatch.setattr(state_diff, "SLOTS_LIMIT", 1)
    assert isinstance(parse_diff(GETH), Unreadable)


def test_a_trace_of_something_else_is_not_readable() -> None:
    assert isinstance(executed_diff(GETH, SAFE), StateDiff)
    assert isinstance(executed_diff(GETH, OTHER), Unreadable)
    assert not isinstance(executed_diff(RpcError(-32601, "no tracer"), SAFE), Unreadable)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["0x", "0x1", word(1), SAFE, "\x1b"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["pre", "post", SAFE, OTHER, "storage", "code", "nonce", word(5)]), inner)
    ),
    max_leaves=12,
)


@given(JSON, JSON)
def test_no_answer_is_an_exception(before: Json, after: Json) -> None:
    assert isinstance(parse_diff({"pre": before, "post": after}), StateDiff | Missing)


def said(**more: AccountChange) -> tuple[str, ...]:
    """What is said about a good execution and these changes beside it."""
    accounts = {SENDER: AccountChange(nonce=1), SAFE: AccountChange({5: (3, 4)}), TARGET: AccountChange({0: (0, 1)})}
    places = {"safe": SAFE, "sender": SENDER, "target": TARGET, "other": OTHER}
    accounts |= {places[name]: change for name, change in more.items()}
    return undeclared(StateDiff(accounts), allowed=[Address(TARGET.lower())], safe=SAFE, sender=SENDER)


def test_a_declared_write_is_nothing_to_say() -> None:
    assert said() == ()
    assert said(sender=AccountChange(balance=-21_000)) == ()
    assert said(target=AccountChange(dict.fromkeys(range(50), (1, 2)))) == ()


def test_a_write_elsewhere_is_said_with_its_place() -> None:
    changes = dict.fromkeys((9, 3, 255, 4), (0, 1))
    assert said(other=AccountChange(changes)) == (
        f"the storage of {OTHER}, which the calls do not declare to write, changes at 0x3, 0x4, 0x9 and 1 more",
    )
    assert len(said(sender=AccountChange({1: (0, 1)}, nonce=1))) == 1


@pytest.mark.parametrize(("slot", "name"), SAFE_SLOTS.items(), ids=SAFE_SLOTS.values())
def test_every_setting_of_the_safe_has_its_name(slot: int, name: str) -> None:
    assert said(safe=AccountChange({5: (3, 4), slot: (2, 1)})) == (f"{name} of the Safe {SAFE} changes from 2 to 1",)
    found = undeclared(
        StateDiff({SAFE: AccountChange({slot: (2, 1)})}), allowed=[SAFE, TARGET], safe=SAFE, sender=SENDER
    )
    assert len(found) == 1, "not even where the Safe is declared to be written"


def test_the_known_slots_are_those_of_the_contracts() -> None:
    assert {f"{slot:064x}" for slot in SAFE_SLOTS if slot > 9} == {
        "4a204f620c8c5ccdca3fd54d003badd85ba500436a431f0cbda4f558c93c34c8",
        "6c9a6c4a39284e37ed1cf53d337577d14212a4870fb976a4366c693b939918d5",
        "b104e0b93118902c651344349b610029d694cfdec91c589c91ebafbcd0289947",
    }
    assert {f"{slot:064x}" for slot in PROXY_SLOTS} == {
        "360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc",
        "b53127684a568b3173ae13b9f8a6016e243e63b6e8ee1178d6a717850b5d6103",
        "a3f0ad74e5423aebfd80d3ef4346578335a9a72aeaee59ff6cb3582b35133d50",
        "7050c9e0f4ca769c69bd3a8ef740bc37934f8e2c036e5a723fd8ee048ed3f8c3",
        "10d6a54a4754c8869d6886b5f5d7fbfa5b4522237ea5c60d11bc4e7a1ff9390b",
        "c5f16f0fcc639fa48a6947836d9850f504798523bf8c9a3a87d5876cf622bcf7",
    }


def test_an_owner_that_is_put_in_is_the_list_of_owners() -> None:
    new = int(OTHER, 16)
    changes = {5: (3, 4), mapping_slot("0x" + "0" * 39 + "1", OWNERS_SLOT): (int(SENDER, 16), new)}
    changes[mapping_slot(OTHER, OWNERS_SLOT)] = (0, int(SENDER, 16))
    assert said(safe=AccountChange(changes)) == (
        f"the list of owners of the Safe {SAFE} changes from {SENDER} to {OTHER}",
        f"the list of owners of the Safe {SAFE} changes from 0 to {SENDER}",
    )
    assert "the storage at 0x2b67" in said(safe=AccountChange({5: (3, 4), 11_111: (0, 1)}))[0]


@pytest.mark.parametrize("pair", [(3, 5), (3, 2), (4, 0)])
def test_the_nonce_goes_up_by_one_and_no_more(pair: tuple[int, int]) -> None:
    (one,) = said(safe=AccountChange({5: pair}))
    assert one.endswith(f"goes from {pair[0]} to {pair[1]}: not this one transaction alone")


@pytest.mark.parametrize("slot", PROXY_SLOTS)
def test_a_proxy_does_not_change_what_is_behind_it(slot: int) -> None:
    for place in ("target", "other"):
        changes = {place: AccountChange({slot: (int(TARGET, 16), 2**255)})}
        (one,) = said(**changes)
        assert one.startswith(PROXY_SLOTS[slot]) and TARGET in one and one.endswith(word(2**255))


def test_money_moves_only_as_declared() -> None:
    assert said(other=AccountChange(balance=1)) == (
        f"the balance of {OTHER} grows by 1 wei that the calls do not declare",
    )
    assert "falls by 2 wei" in said(safe=AccountChange({5: (3, 4)}, balance=-2))[0]
    assert "grows by 1 wei" in said(sender=AccountChange(balance=1, nonce=1))[0]
    diff = StateDiff({SAFE: AccountChange({5: (3, 4)}, balance=-5), TARGET: AccountChange(balance=5)})
    allowed = {"allowed": [TARGET], "safe": SAFE, "sender": SENDER}
    assert undeclared(diff, **allowed, values={Address(TARGET.lower()): 5}) == ()  # type: ignore[arg-type]
    assert len(undeclared(diff, **allowed, values={TARGET: 4})) == 2  # type: ignore[arg-type]
    earned = StateDiff({OTHER: AccountChange(balance=9)})
    assert undeclared(earned, **allowed, fee_recipient=OTHER) == ()  # type: ignore[arg-type]
    paid = StateDiff({OTHER: AccountChange(balance=-9)})
    assert len(undeclared(paid, **allowed, fee_recipient=OTHER)) == 1  # type: ignore[arg-type]


def test_code_and_creations_are_said_wherever_they_are() -> None:
    assert said(target=AccountChange(code=True)) == (f"the code of {TARGET} changes",)
    assert said(target=AccountChange(nonce=1)) == (
        f"the nonce of {TARGET} changes by 1: it creates a contract or sends",
    )
    assert f"the account {TARGET} is destroyed" in said(target=AccountChange({}, -1, 0, True, True))
    assert said(sender=AccountChange(code=True, nonce=1)) == (f"the code of {SENDER} changes",)
    assert len(said(sender=AccountChange(nonce=2))) == 1
