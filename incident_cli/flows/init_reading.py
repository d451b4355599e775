"""What `init` reads of the chain: that it is the one meant, the Safe, each contract's code, and what it answers.

Three rounds: what stands there; what a proxy runs and which roles the Safe holds; nothing of it is guessed where it
could not be read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from incident_cli.abi import parse_signature
from incident_cli.errors import Refused, Unread
from incident_cli.evm import (
    Address,
    CallRead,
    CodeRead,
    Missing,
    Read,
    Snapshot,
    StorageRead,
    keccak,
    to_hex,
)
from incident_cli.flows.pinning.proxies import (
    IMPLEMENTATION_SLOT,
    address_in,
    beacon_of,
    code_hash_behind,
    followed,
    runs,
    state_reads,
)
from incident_cli.flows.reading import Reader
from incident_cli.runbook.abi_file import ContractAbi, Function
from incident_cli.runbook.abi_levers import FoundRoles, find_roles
from incident_cli.runbook.first_deployment import SafeSeen, Seen, Where
from incident_cli.safe import contracts as safe_contracts
from incident_cli.text import plain

SAFE_READS = {
    "owners": parse_signature(safe_contracts.GET_OWNERS),
    "threshold": parse_signature(safe_contracts.GET_THRESHOLD),
    "version": parse_signature(safe_contracts.VERSION),
}
HAS_ROLE = parse_signature("hasRole(bytes32 role, address account) returns (bool)")
PROBED = ("paused() returns (bool)", "owner() returns (address)", "guardian() returns (address)")
PROBED_CALLS = ("pause()", "unpause()")
PUSH4 = b"\x63"  # before a selector that a contract compares with


@dataclass(frozen=True, slots=True)
class Ground:
    """What stands on the chain, by the contracts' names: `values` of views by their own name, `held` roles of the Safe
    by constant, `abis` as given, else of what answered, `watched` what the check `change` sees a proxy run."""

    safe: SafeSeen
    contracts: Mapping[str, Seen]
    abis: Mapping[str, ContractAbi]
    values: Mapping[str, Mapping[str, object]]
    held: Mapping[str, Mapping[str, bool]]
    watched: Mapping[str, Address | None]


def read_ground(
    where: Where, safe: Address, contracts: Mapping[str, Address], abis: Mapping[str, ContractAbi]
) -> Ground:
    """Everything; raises Refused where the node serves another chain, nothing stands at an address or the Safe is none,
    and Unread where that could not be read."""
    from incident_cli.transport import HttpEndpoint

    reader = Reader(HttpEndpoint(where.rpc, name="the node"), where.name, where.chain_id)
    views = {name: list(asked_views(abis.get(name))) for name in contracts}
    reads = [CallRead(safe, signature) for signature in SAFE_READS.values()]
    reads += [view_read(contracts[name], one) for name, some in views.items() for one in some]
    state: list[Read] = [read for one in (safe, *contracts.values()) for read in state_reads(one)]
    first = followed(reader, reader.read([*state, *reads]), [safe, *contracts.values()])
    values = {name: dict(answers(first, contracts[name], some)) for name, some in views.items()}
    inner = {one: implementation(first, one) for one in (safe, *contracts.values())}
    roles = {name: find_roles(abis[name]) for name in abis}
    members = {name: role_reads(contracts[name], safe, roles[name], values[name]) for name in abis}
    second = reader.read(
        [
            *(CodeRead(one) for one in inner.values() if one is not None),
            *(read for some in members.values() for read in some.values()),
        ]
    )
    seen = {one: seen_of(one, inner[one], first, second) for one in (safe, *contracts.values())}
    codes = {one: code(first, one) + (code(second, to) if (to := inner[one]) else b"") for one in contracts.values()}
    return Ground(
        safe_of(first, seen[safe]),
        {name: seen[address] for name, address in contracts.items()},
        {name: abis.get(name) or probed(values[name], codes[address]) for name, address in contracts.items()},
        values,
        {name: dict(held(second, members.get(name, {}))) for name in contracts},
        {name: watched(first, address) for name, address in contracts.items()},
    )


def asked_views(abi: ContractAbi | None) -> Iterator[Function]:
    """The views without arguments whose present answers matter: who owns it, and its role constants."""
    if abi is None:
        yield from (Function(parse_signature(one), is_view=True) for one in PROBED)
        return
    roles = find_roles(abi)
    yield from (*roles.owners, *roles.guardians)
    if roles.has_role is not None:
        yield from (one for name in roles.constants if (one := abi.find(name)) is not None)


def view_read(to: Address, function: Function) -> CallRead:
    """A view as a read."""
    return CallRead(to, function.signature)


def answers(snapshot: Snapshot, to: Address, views: Sequence[Function]) -> Iterator[tuple[str, object]]:
    """What the views answered; those that did not are left out."""
    for one in views:
        value = snapshot.value(view_read(to, one))
        if not isinstance(value, Missing):
            yield one.name, value


def code(snapshot: Snapshot, address: Address) -> bytes:
    """The code at an address; raises Refused where there is none, Unread."""
    found = snapshot.value(CodeRead(address))
    if not isinstance(found, bytes):
        reason = found.reason if isinstance(found, Missing) else "no bytes"
        raise Unread(f"the code at {address} could not be read: {reason}", "Try again, or name another node.")
    if not found:
        raise Refused(f"there is no contract at {address} on this chain", "Look at the address and at --chain.")
    return found


def implementation(snapshot: Snapshot, address: Address) -> Address | None:
    """What a proxy runs, or None; raises Unread, and Refused where it names several."""
    found = runs(snapshot, address)
    if isinstance(found, Missing):
        raise Unread(f"what {address} runs could not be read: {found.reason}", "Try again, or name another node.")
    if len(found) > 1:
        raise Refused(f"{address} names several contracts that it may run: {', '.join(found)}", "Ask its developers.")
    return found[0] if found else None


def watched(snapshot: Snapshot, address: Address) -> Address | None:
    """What stands in the EIP-1967 slot, all that the check `change` reads of a proxy; None where nothing does."""
    word = snapshot.value(StorageRead(address, IMPLEMENTATION_SLOT))
    return address_in(word) if isinstance(word, bytes) else None


def seen_of(address: Address, inner: Address | None, first: Snapshot, second: Snapshot) -> Seen:
    """A contract as it was read."""
    outer = to_hex(keccak(code(first, address)))
    behind = None if inner is None else code_hash_behind(code(second, inner), beacon_of(first, address))
    return Seen(address, outer, inner, behind)


def safe_of(snapshot: Snapshot, seen: Seen) -> SafeSeen:
    """The Safe; raises Refused where what stands there does not answer as one."""
    found = {name: snapshot.value(CallRead(seen.address, one)) for name, one in SAFE_READS.items()}
    owners, threshold, version = found["owners"], found["threshold"], found["version"]
    if not isinstance(owners, tuple | list) or not isinstance(threshold, int) or not isinstance(version, str):
        raise Refused(
            f"what stands at {seen.address} does not answer as a Safe: VERSION, getOwners and getThreshold",
            "Give the address of the multisig itself as --safe.",
        )
    return SafeSeen(seen, plain(version, 20), tuple(Address(str(one)) for one in owners), threshold)


def role_reads(to: Address, safe: Address, roles: FoundRoles, values: Mapping[str, object]) -> dict[str, CallRead]:
    """Whether the Safe holds each role whose value was read."""
    if roles.has_role is None:
        return {}
    known = {name: values.get(name) for name in roles.constants}
    return {name: CallRead(to, HAS_ROLE, (role, safe)) for name, role in known.items() if isinstance(role, bytes)}


def held(snapshot: Snapshot, reads: Mapping[str, CallRead]) -> Iterator[tuple[str, bool]]:
    """The roles of which it is known whether the Safe holds them."""
    for name, read in reads.items():
        value = snapshot.value(read)
        if isinstance(value, bool):
            yield name, value


def probed(values: Mapping[str, object], found_code: bytes) -> ContractAbi:
    """An ABI of what answered, and of the calls whose selectors stand in the code."""
    views = [parse_signature(one) for one in PROBED]
    calls = [parse_signature(one) for one in PROBED_CALLS]
    functions = [Function(one, is_view=True) for one in views if one.name in values]
    functions += [Function(one, is_view=False) for one in calls if PUSH4 + one.selector in found_code]
    return ContractAbi(tuple(functions))
