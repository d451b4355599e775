"""What no proposal may change: who controls the Safe, and what it holds. Views of the Safe itself, so every rung of the
simulation shows them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from incident_cli.abi import Signature, parse_signature
from incident_cli.errors import Unread
from incident_cli.evm import Address, CallRead, Missing
from incident_cli.flows.looking import Source
from incident_cli.levers.expectation import Expectation
from incident_cli.runbook.deployment import Deployment
from incident_cli.safe import contracts

NO_TOKENS: Mapping[str, Address] = MappingProxyType({})
STORAGE, MODULES = (parse_signature(one) for one in (contracts.GET_STORAGE_AT, contracts.GET_MODULES_PAGINATED))
BALANCE = parse_signature("balanceOf(address account) returns (uint256)")
MOST_MODULES = 50
FIRST_MODULE = Address("0x" + "0" * 39 + "1")  # the head of the Safe's linked list
PLACES = {
    "singleton": contracts.SINGLETON_SLOT,
    "guard": contracts.GUARD_SLOT,
    "module guard": contracts.MODULE_GUARD_SLOT,
    "fallback handler": contracts.FALLBACK_HANDLER_SLOT,
}
CONTROL: Mapping[str, tuple[Signature, tuple[object, ...]]] = MappingProxyType(
    {
        "owners": (parse_signature(contracts.GET_OWNERS), ()),
        "threshold": (parse_signature(contracts.GET_THRESHOLD), ()),
        "modules": (MODULES, (FIRST_MODULE, MOST_MODULES)),
        **{name: (STORAGE, (int(slot, 16), 1)) for name, slot in PLACES.items()},
    }
)


def control_reads(safe: Address) -> dict[str, CallRead]:
    """Who controls the Safe: label → read."""
    return {f"the Safe's {name}": CallRead(safe, view, args) for name, (view, args) in CONTROL.items()}


def balance_reads(safe: Address, tokens: Mapping[str, Address]) -> dict[str, CallRead]:
    """What the Safe holds of these tokens (by symbol): label → read."""
    return {f"the Safe's {symbol}": CallRead(token, BALANCE, (safe,)) for symbol, token in tokens.items()}


def guarded_by(source: Source, safe: Address, tokens: Mapping[str, Address]) -> tuple[Expectation, ...]:
    """Who controls the Safe and what it holds, as it stands; raises Unread where its control cannot be read.

    A token whose balance cannot be read is left out: it may not be one.
    """
    control, balances = control_reads(safe), balance_reads(safe, tokens)
    snapshot = source.read([*control.values(), *balances.values()])
    for name, read in control.items():
        demand(name, snapshot.value(read))
    found = [(name, read, snapshot.value(read)) for name, read in {**control, **balances}.items()]
    return tuple(Expectation(name, read, value) for name, read, value in found if not isinstance(value, Missing))


def tokens_of(deployment: Deployment, chain: str) -> dict[str, Address]:
    """The deployment's tokens on a chain."""
    return {symbol: one.address for symbol, one in deployment.tokens.items() if one.chain == chain}


def demand(what: str, answer: object | Missing) -> object:
    """A value that must be known before anything is prepared."""
    if isinstance(answer, Missing):
        raise Unread(f"{what} could not be read: {answer.reason}", "try again, or use another node; nothing was sent")
    return answer
