"""Single lines of a preflight at their edges, without a chain: gas, drills, contacts, every lever of the catalogue."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from incident_cli.abi import encode, encode_call
from incident_cli.chain.answers import decode_result
from incident_cli.chain.multicall import Result
from incident_cli.document import parse_document
from incident_cli.errors import Unread
from incident_cli.evm import Address, Block, CallRead, Read, Snapshot, StorageRead, checksummed
from incident_cli.flows.preflight.item import Item
from incident_cli.flows.preflight.levers import depends, holdings, role_reads
from incident_cli.flows.preflight.people import GAS, Answers, contacts_item, drill_item, gas_item, in_ether
from incident_cli.flows.preflight.safe import SafeAt, SafeSeen, safe_items
from incident_cli.flows.reading import Reader
from incident_cli.levers.pull import Pull
from incident_cli.protocols.catalog import Catalog
from incident_cli.protocols.slot import BoundSlot, Market
from incident_cli.runbook.deployment import Deployment, sound
from incident_cli.runbook.load import load_runbook
from incident_cli.runbook.shipped import find_runbook
from incident_cli.safe.contracts import RELEASES, SENTINEL
from incident_cli.transport import Json, Request, RpcError
from tests.cli.deployments import deployment as deployment_text

NOW = datetime(2026, 11, 29, 3, tzinfo=UTC)
ONE, TWO, THREE, SAFE, OTHER = (checksummed(bytes([number]) * 20) for number in range(1, 6))
PRICE = 7
NEEDED = GAS * 2 * PRICE
NEVER = Answers({}, NOW)  # nobody answered a signer drill
BLOCK = Block("drill", 1, "0x" + "11" * 32, 1_700_000_000)


def deployment(more: str = "") -> Deployment:
    """A deployment with more in it."""
    return sound(parse_document((deployment_text() + more).encode(), "deployment"))


class Purse:
    """A node that knows the price of gas and some balances."""

    name = "purse"

    def __init__(self, **balances: int) -> None:
        self.balances = balances

    def exchange(self, requests: Sequence[Request]) -> list[Json | RpcError]:
        """The price, or a balance; nobody else has any."""
        return [self.answer(one) for one in requests]

    def answer(self, request: Request) -> Json | RpcError:
        """One answer."""
        if request.method == "eth_chainId":
            return hex(31_337)
        if request.method == "eth_gasPrice":
            return hex(PRICE)
        return hex(self.balances.get(str(request.params[0]), 0))


def gas(purse: Purse, owners: Sequence[Address], more: str = "", used: int | None = None) -> Item:
    """The gas of the chain."""
    return gas_item(Reader(purse, "drill", 31_337), deployment(more), owners, used)


def test_gas_for_one_execution_at_twice_the_price_is_enough_and_a_wei_less_is_not() -> None:
    assert gas(Purse(**{TWO: NEEDED}), [ONE, TWO]).status == "ready"
    poor = gas(Purse(**{ONE: NEEDED - 1, TWO: NEEDED - 1}), [ONE, TWO])
    assert poor.status == "not-ready" and ONE in poor.fix, "two who have half of it each do not have it"
    relay = f'broadcasters: [{{name: the-relay, chain: drill, address: "{THREE}"}}]\n'
    paid = gas(Purse(**{THREE: NEEDED}), [ONE], relay)
    assert paid.status == "ready" and "the-relay" in paid.detail
    assert gas(Purse(), []).status == "not-ready"


@pytest.mark.parametrize("used", [60_000, 9_000_000])
def test_gas_is_twice_what_the_simulation_used(used: int) -> None:
    needed = used * 2 * 2 * PRICE
    assert gas(Purse(**{ONE: needed}), [ONE], used=used).status == "ready"
    poor = gas(Purse(**{ONE: needed - 1}), [ONE], used=used)
    assert poor.status == "not-ready" and f"{used * 2} gas" in poor.detail and "in the simulation" in poor.detail


def test_a_balance_that_is_refused_is_unread() -> None:
    class Refusing(Purse):
        def answer(self, request: Request) -> Json | RpcError:
            return RpcError(-32000, "busy") if request.method == "eth_getBalance" else super().answer(request)

    with pytest.raises(Unread, match="busy"):
        gas(Refusing(), [ONE])


@pytest.mark.parametrize(("wei", "shown"), [(0, "0"), (1, "0.000000000000000001"), (10**18, "1"), (15 * 10**17, "1.5")])
def test_ether_is_shown_to_the_last_wei(wei: int, shown: str) -> None:
    assert in_ether(wei) == shown


def test_a_drill_is_due_from_the_second_after_its_time() -> None:
    loaded = load_runbook(find_runbook("oracle-divergence"))
    every = loaded.runbook.meta.drill_every
    assert every is not None
    digest = hashlib.sha256(loaded.document.raw).hexdigest()
    just = {digest: NOW - timedelta(seconds=every)}
    assert drill_item(loaded, just, NOW).status == "ready"
    assert drill_item(loaded, just, NOW + timedelta(seconds=1)).status == "not-ready"
    assert drill_item(loaded, {"another text": NOW}, NOW).status == "not-ready"


def seen(
    owners: Sequence[Address] = (ONE, TWO, THREE),
    *,
    threshold: int = 2,
    version: str = "1.4.1",
    slots: dict[str, Address] | None = None,
    modules: Sequence[Address] = (),
) -> SafeSeen:
    """A Safe with these answers."""
    safe = SafeAt("council", "drill", SAFE)
    held = {"singleton": RELEASES["1.4.1"].singletons_l2[0], **(slots or {})}
    values = [(version,), (tuple(owners),), (threshold,), (7,), (tuple(modules), SENTINEL)]
    answers: dict[Read, tuple[object, ...]] = {}
    for read in safe.reads:
        if isinstance(read, StorageRead):
            name = next(
                one for one in ("singleton", "guard", "module-guard", "fallback-handler") if safe.slot(one) == read
            )
            answers[read] = (bytes.fromhex(held.get(name, "0x")[2:]).rjust(32, b"\0"),)
        else:
            answers[read] = values.pop(0)
    return SafeSeen(safe, Snapshot(BLOCK, answers))


def statuses(one: SafeSeen, more: str = "") -> dict[str, str]:
    """The status of each item of a Safe, by its kind."""
    return {item.group: item.status for item in safe_items(one, deployment(more))}


CONTACTS = "contacts:\n" + "".join(f'  - {{name: a{one[2:4]}, owner: "{one}", reach: pager}}\n' for one in (ONE, TWO))
PINNED = (
    f'pins: [{{name: x, chain: drill, address: "{OTHER}", codehash: "0x{"00" * 32}"}}]\n'  # accepted wherever it stands
)


def test_a_plain_safe_is_ready() -> None:
    assert set(statuses(seen()).values()) == {"ready"}
    assert set(statuses(seen(version="1.4.1+L2")).values()) == {"ready"}


@pytest.mark.parametrize(
    ("safe", "kind"),
    [
        (seen(version="1.1.1"), "safe-version"),
        (seen(version="9.9.9"), "safe-version"),
        (seen(slots={"singleton": OTHER}), "safe-version"),
        (seen([ONE, ONE, TWO]), "safe-owners"),
        (seen([ONE, TWO, SAFE]), "safe-owners"),
        (seen(threshold=0), "safe-threshold"),
        (seen(threshold=1), "safe-threshold"),
        (seen(threshold=4), "safe-threshold"),
        (seen(slots={"guard": OTHER}), "safe-guard"),
        (seen(slots={"fallback-handler": OTHER}), "safe-fallback-handler"),
        (seen(modules=[OTHER]), "safe-modules"),
        (seen(modules=[OTHER] * 50), "safe-modules"),
    ],
)
def test_one_thing_wrong_with_a_safe_is_one_line(safe: SafeSeen, kind: str) -> None:
    found = statuses(safe)
    assert [name for name, status in found.items() if status == "not-ready"] == [kind]


def test_what_is_pinned_is_accepted_but_never_a_page_full_of_modules() -> None:
    for one in (seen(slots={"guard": OTHER}), seen(slots={"singleton": OTHER}), seen(modules=[OTHER])):
        assert set(statuses(one, PINNED).values()) == {"ready"}
    assert statuses(seen(modules=[OTHER] * 50), PINNED)["safe-modules"] == "not-ready"


def test_a_module_guard_counts_since_there_is_one() -> None:
    new = {"singleton": RELEASES["1.5.0"].singletons_l2[0], "module-guard": OTHER}
    assert statuses(seen(version="1.5.0", slots=new))["safe-module-guard"] == "not-ready"
    assert statuses(seen(slots={"module-guard": OTHER}))["safe-module-guard"] == "ready"


def test_as_many_as_must_sign_must_be_reachable() -> None:
    assert statuses(seen(threshold=2), CONTACTS)["safe-threshold"] == "ready"
    assert statuses(seen(threshold=3), CONTACTS)["safe-threshold"] == "not-ready"
    assert statuses(seen(threshold=3))["safe-threshold"] == "ready", "without any contact that is the contacts' line"


def contacts(owners: SafeSeen, every: frozenset[Address], answers: Answers = NEVER) -> Item:
    """The line of the contacts."""
    return contacts_item("contacts:council", owners, deployment(CONTACTS), every, answers)


def test_contacts_must_match_the_owners_both_ways() -> None:
    every = frozenset((ONE, TWO))
    good = contacts(seen([ONE, TWO]), every)
    assert good.status == "ready" and "pager" in good.detail
    assert contacts(seen(), every | {THREE}).status == "not-ready"
    assert contacts(seen([ONE]), frozenset([ONE])).status == "not-ready"


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (0, "last answered a signer drill today"),
        (1, "last answered a signer drill 1 day ago"),
        (90, "last answered a signer drill 90 days ago"),
        (91, "last answered a signer drill 91 days ago: over 90 days"),
    ],
)
def test_when_each_contact_last_answered_a_drill_is_told_and_decides_nothing(days: int, words: str) -> None:
    answers = Answers({ONE: NOW - timedelta(days=days)}, NOW)
    item = contacts(seen([ONE, TWO]), frozenset((ONE, TWO)), answers)
    assert item.status == "ready"
    first, second = item.detail.split("; ")
    assert first.endswith(words) and second.endswith("NEVER answered a signer drill here")


def test_a_safe_of_which_nothing_was_read_is_unknown_throughout() -> None:
    found = statuses(SafeSeen(SafeAt("council", "drill", SAFE), Snapshot(BLOCK)))
    assert set(found.values()) == {"unknown"}


def every_lever() -> dict[str, Pull]:
    """Every lever of the catalogue as a Safe would pull it, with its markets and nothing else."""
    catalog, market = Catalog(), Market("ETH-USD", b"\x11" * 32)
    found = {}
    for name in catalog.names():
        protocol = catalog.find(name)
        assert protocol is not None
        slot = BoundSlot("it", protocol, "drill", dict.fromkeys(protocol.slots, OTHER))
        for lever, definition in protocol.levers.items():
            args: dict[str, object] = {arg: market for arg, one in definition.args.items() if one.type == "market"}
            found[f"{name}.{lever}"] = Pull(slot, lever, args, SAFE)
    return found


def test_of_every_lever_of_the_catalogue_it_is_known_what_to_read_for_its_role() -> None:
    levers = every_lever()
    asked = {name: role_reads(one) for name, one in levers.items()}
    held, unseen = holdings(levers, Snapshot(BLOCK))
    assert held == [], "nothing was read, so nothing is held"
    open_ = {name: frozenset(one.definition.args) - frozenset(one.args) for name, one in levers.items()}
    for name, one in levers.items():
        role = one.definition.role
        if role is not None and not depends(one, role.when, open_[name]):
            assert asked[name] and name in unseen, name


def test_every_read_of_a_safe_can_be_encoded_and_decoded() -> None:
    for read in SafeAt("council", "drill", SAFE).reads:
        if isinstance(read, CallRead):
            assert encode_call(read.signature, read.args)
    modules = SafeAt("council", "drill", SAFE).modules
    data = encode(["address[]", "address"], [[OTHER], SENTINEL])
    assert decode_result(modules, Result(True, data)) == ((OTHER,), SENTINEL)
