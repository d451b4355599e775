"""What people do when something goes wrong: they run, borrow, liquidate, curse, and schedule what nobody asked for.

Every decision follows from the seed, the height and what the chain showed before the block, as in `actors`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from incident_cli.drills.accounts import Account, People
from incident_cli.drills.actors import MARKETS, USDC, Deed, Holder, Terms, View
from incident_cli.drills.founding import LANE, TIMELOCK_DELAY, WITHDRAWAL_LIMIT, Addresses, encoded
from incident_cli.drills.margin import COVER, STRESS, Unhealthy
from incident_cli.drills.scenario import Fault, FaultKind, Scenario
from incident_cli.evm import Address, keccak
from incident_cli.units import BPS

PROVIDER_SHARE = 7_000  # bps of a rush; the traders share the rest
BORROWING_LEEWAY = 2_000 * USDC  # what a borrower leaves: the price may fall before the loan is mined
EXECUTE = "execute(address,uint256,bytes,bytes32,bytes32)"
SCHEDULE = "schedule(address,uint256,bytes,bytes32,bytes32,uint256)"
HASH_OPERATION = "hashOperation(address,uint256,bytes,bytes32,bytes32) returns (bytes32)"
READY = 2  # of a time-lock's operation

Ask = Callable[..., tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Act:
    """A deed with who does it, and to which contract."""

    sender: Account
    to: Address
    deed: Deed


@dataclass(frozen=True, slots=True)
class Scene:
    """What everybody sees before a block. `ask(contract, signature, *args)` reads the chain at its head."""

    seed: int
    height: int
    scenario: Scenario
    over: bool
    people: People
    at: Addresses
    view: View
    holders: Mapping[str, Holder]
    ask: Ask

    def active(self, kind: FaultKind) -> tuple[Fault, ...]:
        """The faults of a kind that show in this block."""
        return self.scenario.active(self.height, self.over, kind)

    def number(self, to: Address, function: str, *args: object) -> int:
        """A view that returns one number."""
        return cast(int, self.ask(to, f"{function} returns (uint256)", *args)[0])

    def truth(self, to: Address, function: str, *args: object) -> bool:
        """A view that returns true or false."""
        return cast(bool, self.ask(to, f"{function} returns (bool)", *args)[0])


def acts(scene: Scene) -> list[Act]:
    """Everything that is done in this block beside trading."""
    return [*liquidations(scene), *borrowing(scene), *relief(scene), *hostile_operation(scene), *curse(scene)]


def rush(scene: Scene) -> list[Act] | None:
    """Provider and traders take their money out, as far as the limit lets them; None where nobody runs."""
    faults = scene.active("withdrawal-rush")
    if not faults:
        return None
    wanted = WITHDRAWAL_LIMIT[0] * sum(one.move for one in faults) // BPS
    share = wanted * (BPS - PROVIDER_SHARE) // BPS // len(MARKETS)
    left, found = scene.view.available, []
    for trader in scene.people.traders.values():
        amount = min(share, scene.holders[trader.label].balance, left)
        left -= amount
        found += taken_out(scene, trader, amount)
    return [*redemption(scene, min(wanted * PROVIDER_SHARE // BPS, left)), *found]


def taken_out(scene: Scene, account: Account, amount: int) -> list[Act]:
    """One withdrawal, where there is anything to withdraw."""
    return [Act(account, scene.at.exchange, Deed("withdraw(uint256 amount)", (amount,)))] if amount > 0 else []


def redemption(scene: Scene, amount: int) -> list[Act]:
    """The provider's withdrawal, with the shares redeemed that it needs for it."""
    provider, exchange = scene.people.provider, scene.at.exchange
    balance = scene.holders[provider.label].balance
    if amount <= balance:
        return taken_out(scene, provider, amount)
    shares, own = scene.number(exchange, "totalShares()"), scene.number(exchange, "sharesOf(address)", provider.address)
    if not own or not scene.view.pool:
        return taken_out(scene, provider, balance)
    short = min(amount - balance, own * scene.view.pool // shares)
    needed = min(own, -(-short * shares // scene.view.pool))
    redeemed = Act(provider, exchange, Deed("redeem(uint256 shares)", (needed,)))
    return [redeemed, *taken_out(scene, provider, balance + short)]


def liquidations(scene: Scene) -> list[Act]:
    """Every account that can be liquidated, as far as the limit goes."""
    found = unhealthy(scene.ask(scene.at.margin, "unhealthyAccounts() returns (bytes32[],address[],uint256[])"))
    if not found:
        return []
    left, done = scene.number(scene.at.margin, "liquidationAvailable()"), []
    for one in found:
        if one.debt <= left:
            left -= one.debt
            deed = Deed("liquidate(bytes32 market, address account)", (one.market, one.account))
            done.append(Act(scene.people.liquidator, scene.at.margin, deed))
    return done


def unhealthy(answer: tuple[object, ...]) -> list[Unhealthy]:
    """What the margin market says can be liquidated."""
    markets, accounts, debts = cast(tuple[Sequence[bytes], Sequence[Address], Sequence[int]], answer)
    return [Unhealthy(*one) for one in zip(markets, accounts, debts, strict=True)]


def borrowing(scene: Scene) -> list[Act]:
    """In each market whose buffer is being spent, the borrower with the most room draws on it."""
    found = []
    for fault in scene.active("buffer-spent"):
        (terms,) = named([fault.market])
        if not scene.truth(scene.at.margin, "borrowingPaused(bytes32)", terms.id):
            found += loan(scene, terms, fault.move)
    return found


def loan(scene: Scene, terms: Terms, share: int) -> list[Act]:
    """That share, in bps, of the largest room there is."""
    margin, function = scene.at.margin, "borrowingRoom(bytes32,address)"
    room = {one: scene.number(margin, function, terms.id, one.address) for one in scene.people.borrowers}
    boldest = max(room, key=lambda one: room[one])
    amount = min(room[boldest] * share // BPS, scene.number(margin, "cash()")) - BORROWING_LEEWAY
    deed = Deed("borrow(bytes32 market, uint256 amount)", (terms.id, amount))
    return [Act(boldest, margin, deed)] if amount > 0 else []


def relief(scene: Scene) -> list[Act]:
    """Once it is over, the treasury fills the insurance fund up, so that the buffer covers a stressed loss again."""
    faults = [one for one in scene.scenario.faults if one.kind in ("buffer-spent", "price-crash")]
    if not scene.over or not faults:
        return []
    margin = scene.at.margin
    stressed = [
        scene.number(margin, "stressedLoss(bytes32,uint256)", terms.id, STRESS)
        for terms in named(one.market for one in faults)
    ]
    buffer = scene.number(margin, "insuranceFund()") + scene.number(margin, "backstop()")
    short = COVER * max(stressed) - buffer
    if short <= 0:
        return []
    treasury = scene.people.deployer
    minted = Act(treasury, scene.at.token, Deed("mint(address receiver, uint256 amount)", (margin, short)))
    return [minted, Act(treasury, margin, Deed("topUp()", ()))]


def hostile_operation(scene: Scene) -> list[Act]:
    """The stolen key schedules a new guardian; once the delay is over, the attacker executes what nobody cancelled."""
    for fault in scene.scenario.faults:
        if fault.kind != "hostile-operation" or scene.height < fault.at_block:
            continue
        if scene.height == fault.at_block:
            schedule = Deed(SCHEDULE, (*operation(scene), TIMELOCK_DELAY))
            return [] if scene.over else [Act(scene.people.operations, scene.at.timelock, schedule)]
        (identifier,) = scene.ask(scene.at.timelock, HASH_OPERATION, *operation(scene))
        (state,) = scene.ask(scene.at.timelock, "getOperationState(bytes32) returns (uint8)", identifier)
        if state == READY:
            return [Act(scene.people.attacker, scene.at.timelock, Deed(EXECUTE, operation(scene)))]
    return []


def operation(scene: Scene) -> tuple[object, ...]:
    """What the stolen key wants the time-lock to do: make the attacker the exchange's guardian."""
    data = encoded("setGuardian(address)", scene.people.attacker.address)
    return scene.at.exchange, 0, data, bytes(32), keccak(f"hostile {scene.seed}".encode())


def curse(scene: Scene) -> list[Act]:
    """The lane is cursed while it is at fault, and the curse is lifted afterwards."""
    if not scene.scenario.has("lane-cursed"):
        return []
    wanted = bool(scene.active("lane-cursed"))
    if scene.truth(scene.at.rmn, "isCursed(bytes16)", LANE) == wanted:
        return []
    function = "curse(bytes16 subject)" if wanted else "uncurse(bytes16 subject)"
    return [Act(scene.people.keeper, scene.at.rmn, Deed(function, (LANE,)))]


def named(markets: Iterable[str | None]) -> list[Terms]:
    """The markets of these names, each once, in the world's order."""
    wanted = set(markets)
    return [terms for terms in MARKETS if terms.name in wanted]
