"""What a transaction changes: storage, balances, code and nonces, as a node's prestateTracer in diff mode shows it.

`parse_diff` believes nothing that is not whole: what is malformed, unknown or too large is Unreadable. `undeclared`
says, in one sentence each, what changes that nobody declared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from incident_cli.chain.answers import quantity
from incident_cli.evm import ADDRESS, BYTES32, Address, Missing, checksummed, hex_bytes, keccak
from incident_cli.text import plain
from incident_cli.transport import Json, RpcError

SLOTS_LIMIT = 10_000
ACCOUNTS_LIMIT = 1_000
FIELDS = {"balance", "nonce", "code", "codeHash", "storage"}
# The layout of a Safe's storage is the same in every version from 1.3.0 to 1.5.0 (source: safe-smart-account).
MODULES_SLOT, OWNERS_SLOT, OWNER_COUNT_SLOT, THRESHOLD_SLOT, NONCE_SLOT, APPROVED_HASHES_SLOT = 1, 2, 3, 4, 5, 8


@dataclass(frozen=True, slots=True)
class AccountChange:
    """What changes at one address: `slots` by position as (before, after), `balance` in wei as a difference.

    `nonce` is the difference too. `destroyed` is an account that is gone afterwards.
    """

    slots: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    balance: int = 0
    nonce: int = 0
    code: bool = False
    destroyed: bool = False


@dataclass(frozen=True, slots=True)
class StateDiff:
    """Every address that a transaction changes, and how."""

    accounts: Mapping[Address, AccountChange] = field(default_factory=dict)

    def slot(self, address: Address, position: int) -> tuple[int, int] | None:
        """A word of storage before and after, or None where it does not change."""
        found = self.accounts.get(checksummed(address))
        return None if found is None else found.slots.get(position)


@dataclass(frozen=True, slots=True)
class Unreadable(Missing):
    """A trace that came and cannot be read, or is another's: the contract that is called can bring that about."""


@dataclass(frozen=True, slots=True)
class Account:
    """One side of an account in a trace; None where the trace does not state it."""

    balance: int | None
    nonce: int | None
    code: str | None
    storage: Mapping[int, int]


NOTHING = Account(0, 0, "0x", {})


def parse_diff(answer: Json | RpcError) -> StateDiff | Missing:
    """The changes in an answer of prestateTracer with diffMode, or why they are not known. Sanitised."""
    if isinstance(answer, RpcError):
        return Missing(f"the node does not trace: {plain(answer.message, 200)}")
    try:
        if not isinstance(answer, dict) or set(answer) != {"pre", "post"}:
            raise ValueError("the node's trace is no difference of states")
        before, after = parse_side(answer["pre"]), parse_side(answer["post"])
    except ValueError as problem:
        return Unreadable(str(problem))
    found = {address: compare(before.get(address), after.get(address)) for address in {**before, **after}}
    return StateDiff({address: change for address, change in found.items() if change != AccountChange()})


def executed_diff(traced: Json | RpcError, safe: Address) -> StateDiff | Missing:
    """The changes of an execTransaction that took effect: a trace without the Safe's nonce in it traced another."""
    diff = parse_diff(traced)
    if isinstance(diff, StateDiff) and diff.slot(safe, NONCE_SLOT) is None:
        return Unreadable("the node's trace does not show the Safe's nonce going up")
    return diff


def parse_side(side: Json) -> dict[Address, Account]:
    """One half of the answer; raises ValueError."""
    if not isinstance(side, dict):
        raise ValueError("the node's trace is malformed")
    if len(side) > ACCOUNTS_LIMIT:
        raise ValueError(f"the node's trace has more than {ACCOUNTS_LIMIT} accounts")
    found: dict[Address, Account] = {}
    slots = 0
    for address, stated in side.items():
        if not ADDRESS.fullmatch(address) or checksummed(address) in found:
            raise ValueError("an address in the node's trace is malformed")
        one = found[checksummed(address)] = parse_account(stated)
        slots += len(one.storage)
        if slots > SLOTS_LIMIT:
            raise ValueError(f"the node's trace has more than {SLOTS_LIMIT} words of storage")
    return found


def parse_account(stated: Json) -> Account:
    """One account; raises ValueError."""
    if not isinstance(stated, dict) or not set(stated) <= FIELDS:
        raise ValueError("an account in the node's trace is malformed")
    storage = stated.get("storage", {})
    if not isinstance(storage, dict):
        raise ValueError("the storage in the node's trace is malformed")
    positions = {position(key): word_value(value) for key, value in storage.items()}
    if len(positions) != len(storage):
        raise ValueError("a position in the node's trace stands twice")
    return Account(
        quantity(stated["balance"]) if "balance" in stated else None,
        parse_nonce(stated["nonce"]) if "nonce" in stated else None,
        parse_code(stated),
        positions,
    )


def position(key: str) -> int:
    """A position in storage; raises ValueError."""
    return word_value(key)


def word_value(value: Json) -> int:
    """32 bytes as a number; raises ValueError."""
    if not isinstance(value, str) or not BYTES32.fullmatch(value):
        raise ValueError("a word in the node's trace is malformed")
    return int(value, 16)


def parse_nonce(value: Json) -> int:
    """A nonce, which geth and anvil write as a number and others in hex; raises ValueError."""
    if type(value) is int and 0 <= value < 2**64:
        return value
    return quantity(value)


def parse_code(stated: Mapping[str, Json]) -> str | None:
    """The code in hex, its hash where only that is stated, None where neither is; raises ValueError."""
    code = stated.get("code", stated.get("codeHash"))
    if code is None and not {"code", "codeHash"} & set(stated):
        return None
    if not isinstance(code, str):
        raise ValueError("code in the node's trace is malformed")
    hex_bytes(code)
    return code.lower()


def compare(before: Account | None, after: Account | None) -> AccountChange:
    """What one account changes. The second half states only what differs; an account not in it is destroyed."""
    if after is None:
        was = before or NOTHING
        slots = {key: (value, 0) for key, value in was.storage.items() if value}
        return AccountChange(slots, -(was.balance or 0), 0, was.code not in (None, "0x"), True)
    was = before or NOTHING
    pairs = {key: (was.storage.get(key, 0), after.storage.get(key, 0)) for key in {**was.storage, **after.storage}}
    return AccountChange(
        {key: pair for key, pair in pairs.items() if pair[0] != pair[1]},
        0 if after.balance is None else after.balance - (was.balance or 0),
        0 if after.nonce is None else after.nonce - (was.nonce or 0),
        after.code is not None and after.code != (was.code or "0x"),
    )


def mapping_slot(key: str, slot: int) -> int:
    """Where a mapping from addresses at `slot` keeps the value of a key."""
    return int.from_bytes(keccak(hex_bytes(key).rjust(32, b"\0") + slot.to_bytes(32)))
