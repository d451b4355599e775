"""Roads of a delay: a lever through OpenZeppelin's AccessManager, and one through its TimelockController."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from incident_cli.evm import Call, hex_bytes
from incident_cli.flows.break_glass import GlassOrder
from incident_cli.flows.desk import Stop
from incident_cli.flows.session import Session
from incident_cli.incident.events import Kind
from tests.contracts.openzeppelin import EXECUTION_DELAY, TIMELOCK_DELAY, OpenZeppelin, build_openzeppelin, call
from tests.contracts.packages import Packages
from tests.fakes.desk import Scripted
from tests.real.containing import ETH, Site, as_founded, events, founded

LOCKED = """protocol: locked-market
source: "the tests' own guarded_market.vy behind OpenZeppelin's TimelockController"
slots: {venue: address, lock: address}
reads:
  guardian: {on: venue, call: "guardian() returns (address)"}
  paused: {on: venue, call: "paused(bytes32 market) returns (bool)"}
  minimum: {on: lock, call: "getMinDelay() returns (uint256)", unit: seconds}
  ends: {on: venue, call: "guardian_until() returns (uint256)", unit: time}
  proposer:
    on: lock
    call: "hasRole(bytes32 role, address account) returns (bool)"
    with: {role: "keccak('PROPOSER_ROLE')", account: by}
levers:
  pause:
    does: "Stops one market, once the time-lock lets it."
    scope: market
    args: {market: {type: market}}
    on: venue
    call: "set_paused(bytes32 market, bool paused)"
    with: {paused: "True"}
    expect: {paused: "True"}
    writes: [venue]
    satisfied: paused
    undo: {by: governance, with: {paused: before.paused}}
    role: {when: guardian == lock and proposer, until: ends}
    delay: {road: timelock, on: lock, seconds: minimum}
"""


@dataclass(frozen=True)
class Road:
    """A lever with a delay: the order, how long it waits, the call that it delays, and whether it is in effect."""

    site: Site
    zeppelin: OpenZeppelin
    lever: str
    seconds: int
    delayed: Call
    in_effect: Callable[[], bool]

    @property
    def order(self) -> GlassOrder:
        """The order."""
        return self.site.order(self.lever)


@contextmanager
def both_roads(packages: Packages, folder: Path) -> Iterator[tuple[Site, OpenZeppelin]]:
    """A node of its own with what OpenZeppelin delays with, and the market in the time-lock's hands."""
    with founded(packages, folder) as site:
        zeppelin = build_openzeppelin(site.anvil, packages, site.council.address)
        site.govern("appoint(address guardian)", zeppelin.timelock)
        yield site, zeppelin


@contextmanager
def placed(built: tuple[Site, OpenZeppelin], tmp_path: Path) -> Iterator[tuple[Site, OpenZeppelin]]:
    """The chain as it was built, with slots for both roads."""
    site, zeppelin = built
    (tmp_path / "protocols").mkdir()
    (tmp_path / "protocols" / "locked-market.yaml").write_text(LOCKED)
    slots = (
        "  vault: {chain: local, protocol: openzeppelin-access-manager, "
        f'addresses: {{manager: "{zeppelin.manager}", target: "{zeppelin.vault}"}}}}\n'
        "  locked: {chain: local, protocol: locked-market, "
        f'addresses: {{venue: "{site.market}", lock: "{zeppelin.timelock}"}}}}\n'
    )
    with as_founded(replace(site, slots=slots), tmp_path) as found:
        yield found, zeppelin


def through_timelock(site: Site, zeppelin: OpenZeppelin) -> Road:
    """Two days through TimelockController, by an in-house protocol file."""
    pause = site.call("set_paused(bytes32 market, bool paused)", hex_bytes(ETH), True)
    return Road(site, zeppelin, "locked.pause", TIMELOCK_DELAY, pause, site.paused)


def through_manager(site: Site, zeppelin: OpenZeppelin) -> Road:
    """An hour through AccessManager, by the catalogue's protocol file."""
    stop = call(zeppelin.vault, "pause()")
    return Road(site, zeppelin, "vault.pause_target", EXECUTION_DELAY, stop, lambda: zeppelin.paused(zeppelin.vault))


def stopped() -> Scripted:
    """Whoever stops once it is contained."""
    return Scripted({"mended": [Stop()]})


def functions(document: Mapping[str, Any]) -> list[str]:
    """The names of the functions that a proposal calls."""
    return [one["function"].partition("(")[0] for one in document["calls"]]


def legs(session: Session, kind: Kind) -> list[str]:
    """The legs of which a kind of event is recorded."""
    return [one.data["leg"] for one in events(session, kind)]
