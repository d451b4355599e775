"""Which changes of a transaction nobody declared: each is a reason not to sign it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType

from incident_cli.chain.state_diff import (
    MODULES_SLOT,
    NONCE_SLOT,
    OWNER_COUNT_SLOT,
    OWNERS_SLOT,
    THRESHOLD_SLOT,
    AccountChange,
    StateDiff,
    mapping_slot,
)
from incident_cli.evm import Address, checksummed, keccak

NO_VALUES: Mapping[Address, int] = MappingProxyType({})
LISTED = 3  # positions in one sentence
SENTINEL = "0x" + "0" * 39 + "1"  # the head of the Safe's linked lists


def named_slot(name: str, offset: int = 0) -> int:
    """A position that is the hash of a name."""
    return int.from_bytes(keccak(name.encode())) - offset


PROXY_SLOTS = {
    **{named_slot(f"eip1967.proxy.{one}", 1): f"the proxy's {one}" for one in ("implementation", "admin", "beacon")},
    # OpenZeppelin's first proxies (zos-lib), and EIP-1822
    **{named_slot(f"org.zeppelinos.proxy.{one}"): f"the proxy's {one}" for one in ("implementation", "admin")},
    named_slot("PROXIABLE"): "the proxy's implementation",
}
SAFE_SLOTS = {
    0: "the Safe's singleton, its own code",
    OWNER_COUNT_SLOT: "the number of owners",
    THRESHOLD_SLOT: "the threshold",
    named_slot("guard_manager.guard.address"): "the guard",
    named_slot("fallback_manager.handler.address"): "the fallback handler",
    named_slot("module_manager.module_guard.address"): "the module guard",
}


def undeclared(
    diff: StateDiff,
    *,
    allowed: Collection[Address],
    safe: Address,
    sender: Address,
    fee_recipient: Address | None = None,
    values: Mapping[Address, int] = NO_VALUES,
) -> tuple[str, ...]:
    """A sentence for each change beyond the storage of `allowed` and one step of the Safe's nonce.

    `sender` may pay for gas and count its transaction, `fee_recipient` (the block's) may earn it. `values` are the
    wei that the Safe is to send, by receiver. Never changed without a word, wherever it is: code, the slots of a proxy.
    """
    declared = {checksummed(one) for one in allowed}
    safe, sender = checksummed(safe), checksummed(sender)
    moved = {checksummed(one): wei for one, wei in values.items()}
    moved[safe] = moved.get(safe, 0) - sum(moved.values())
    problems: list[str] = []
    for address, change in diff.accounts.items():
        problems += code_problems(address, change)
        if address == safe:
            problems += safe_problems(address, change, diff)
        else:
            problems += slot_problems(address, change, address in declared)
        payer, earner = address == sender, fee_recipient is not None and address == checksummed(fee_recipient)
        problems += balance_problems(address, change.balance - moved.get(address, 0), payer, earner)
        if change.nonce != (1 if payer else 0) and not change.destroyed and not (payer and not change.nonce):
            problems.append(f"the nonce of {address} changes by {change.nonce}: it creates a contract or sends")
    return tuple(problems)


def code_problems(address: Address, change: AccountChange) -> Iterator[str]:
    """Code that comes, goes or becomes another."""
    if change.destroyed:
        yield f"the account {address} is destroyed"
    elif change.code:
        yield f"the code of {address} changes"


def slot_problems(address: Address, change: AccountChange, declared: bool) -> Iterator[str]:
    """Storage outside of what is declared, and the slots of a proxy anywhere."""
    for slot in PROXY_SLOTS.keys() & change.slots.keys():
        before, after = change.slots[slot]
        yield f"{PROXY_SLOTS[slot]} of {address} changes from {shown(before)} to {shown(after)}"
    rest = [slot for slot in change.slots if slot not in PROXY_SLOTS]
    if rest and not declared:
        positions = ", ".join(hex(slot) for slot in sorted(rest)[:LISTED])
        more = f" and {len(rest) - LISTED} more" if len(rest) > LISTED else ""
        yield f"the storage of {address}, which the calls do not declare to write, changes at {positions}{more}"


def safe_problems(safe: Address, change: AccountChange, diff: StateDiff) -> Iterator[str]:
    """Anything of the Safe but one step of its nonce."""
    names = {**PROXY_SLOTS, **SAFE_SLOTS, **list_slots(change, diff)}
    for slot, (before, after) in change.slots.items():
        if slot != NONCE_SLOT:
            what = names.get(slot, f"the storage at {hex(slot)}")
            yield f"{what} of the Safe {safe} changes from {shown(before)} to {shown(after)}"
        elif after != before + 1:
            yield f"the nonce of the Safe {safe} goes from {before} to {after}: not this one transaction alone"


def list_slots(change: AccountChange, diff: StateDiff) -> dict[int, str]:
    """The entries of the Safe's owners and modules, as far as their addresses can be guessed from the change."""
    values = {value for pair in change.slots.values() for value in pair if 1 < value < 2**160}
    keys = {SENTINEL, *diff.accounts, *(f"0x{value:040x}" for value in values)}
    owners = {mapping_slot(key, OWNERS_SLOT): "the list of owners" for key in keys}
    return owners | {mapping_slot(key, MODULES_SLOT): "the list of modules" for key in keys}


def balance_problems(address: Address, wei: int, payer: bool, earner: bool) -> Iterator[str]:
    """Wei that nobody declared; a payer of gas only loses, an earner of it only wins."""
    if (payer and wei <= 0) or (earner and wei >= 0) or not wei:
        return
    yield f"the balance of {address} {'grows' if wei > 0 else 'falls'} by {abs(wei)} wei that the calls do not declare"


def shown(value: int) -> str:
    """A word: whole as an address where it can be one, short where it is small."""
    if value < 2**32:
        return str(value)
    return checksummed(f"{value:040x}") if value < 2**160 else f"0x{value:064x}"
