"""What an answered batch says of a vault: which rung is live, which can fire, and what changed since the arming."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from incident_cli.evm import Address, Missing, checksummed
from incident_cli.flows.vault.asking import NONCE_KEY, PROBE, PROBE_NONCE, Answers, Key, Reply
from incident_cli.safe.vault import FEW, Rung, Shown, Vault

State = Literal["ready", "behind", "satisfied", "burnt", "unsigned", "dead", "changed", "unknown"]
GOOD = frozenset({"ready", "behind", "satisfied", "burnt"})
TRUE = "0x" + "0" * 63 + "1"
OWNERS, THRESHOLD = "owners", "threshold"


@dataclass(frozen=True, slots=True)
class Condition:
    """How one rung stands, and why in words."""

    rung: Rung
    state: State
    reason: str = ""
    gas: int | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a vault stands at one look. `nonce` is the Safe's, `changed` what does not stand as at arming, `unread` what
    could not be looked at, `contained` what the chain shows of each market."""

    nonce: int | Missing
    changed: tuple[str, ...]
    unread: tuple[str, ...]
    contained: dict[str, Shown | Missing]
    conditions: tuple[Condition, ...]
    left: tuple[int, ...]

    @property
    def is_few(self) -> bool:
        """Whether so few nonces are left that it must be armed again."""
        return len(self.left) < FEW

    @property
    def alarms(self) -> tuple[str, ...]:
        """Everything that somebody must act on, in words."""
        few = f"{len(self.left)} nonces are left of the ladder; arm again at fewer than {FEW}"
        said = [few] if self.is_few and not isinstance(self.nonce, Missing) else []
        said += [f"{one} is not as it was at arming" for one in self.changed]
        for one in self.conditions:
            if one.state in ("dead", "unsigned") or (one.state == "changed" and not self.changed):
                said.append(f"nonce {one.rung.tx.nonce}, {one.rung.market}: {one.state}: {one.reason}")
        if not isinstance(self.nonce, Missing) and self.left and self.nonce < self.left[0]:
            said.append(f"the Safe stands at nonce {self.nonce}, before the ladder's first, {self.left[0]}")
        return tuple(dict.fromkeys(said))

    @property
    def unknowns(self) -> tuple[str, ...]:
        """Everything that could not be known, in words."""
        said = [f"{one} could not be read" for one in self.unread]
        said += [
            f"nonce {one.rung.tx.nonce}, {one.rung.market}: {one.reason}"
            for one in self.conditions
            if one.state == "unknown"
        ]
        return tuple(dict.fromkeys(said))

    @property
    def exit_code(self) -> int:
        """0 ready, 1 not ready, 3 unknown; not ready wins."""
        return 1 if self.alarms else 3 if self.unknowns else 0


def stand(vault: Vault, answers: Answers, tolerated: Collection[str] = ()) -> Standing:
    """How a vault stands by these answers; a change of a `tolerated` fact is said, and stands in no rung's way."""
    nonce = answers.number(NONCE_KEY)
    changed, unread = differences(vault, answers)
    contained = {one: shown(vault, one, answers) for one in vault.markets if ("effect", one, "0") in answers.replies}
    in_the_way = tuple(one for one in changed if one not in tolerated)
    view = View(vault, answers, nonce, in_the_way, unread, contained)
    conditions = tuple(condition(view, one) for one in vault.rungs if ("effect", one.market, "0") in answers.replies)
    left = () if isinstance(nonce, Missing) else vault.left(nonce)
    return Standing(nonce, changed, unread, contained, conditions, left)


def differences(vault: Vault, answers: Answers) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The facts that changed, and those that could not be read, by name."""
    raws = {one: answers.raw(("fact", one.name)) for one in vault.facts}
    changed = tuple(one.name for one, raw in raws.items() if isinstance(raw, bytes) and not one.holds(raw))
    return changed, tuple(one.name for one, raw in raws.items() if isinstance(raw, Missing))


def shown(vault: Vault, market: str, answers: Answers) -> Shown | Missing:
    """What the chain shows of a market: `loosens` before `open`, unknown before `shown`."""
    found: list[Shown | Missing] = []
    for place, effect in enumerate(vault.target(market).effects):
        raw = answers.raw(("effect", market, str(place)))
        found.append(raw if isinstance(raw, Missing) else effect.judge(raw))
    for one in found:
        if isinstance(one, Missing):
            return one
    return "loosens" if "loosens" in found else "open" if "open" in found else "shown"


@dataclass(frozen=True, slots=True)
class View:
    """What one rung is judged by."""

    vault: Vault
    answers: Answers
    nonce: int | Missing
    changed: tuple[str, ...]
    unread: tuple[str, ...]
    contained: dict[str, Shown | Missing]

    @property
    def owners(self) -> tuple[Address, ...] | Missing:
        """The owners now."""
        raw = self.answers.raw(("fact", OWNERS))
        return raw if isinstance(raw, Missing) else addresses_in(raw)

    @property
    def threshold(self) -> int | Missing:
        """The threshold now."""
        return self.answers.number(("fact", THRESHOLD))


def condition(view: View, rung: Rung) -> Condition:
    """How a rung stands: the first thing that stands in its way, else how its execution went."""
    if isinstance(view.nonce, Missing):
        return Condition(rung, "unknown", f"the Safe's nonce could not be read: {view.nonce.reason}")
    if rung.tx.nonce < view.nonce:
        return Condition(rung, "burnt", f"the Safe stands at nonce {view.nonce}")
    return next(obstacles(view, rung), None) or tried(view, rung, view.nonce)


def obstacles(view: View, rung: Rung) -> Iterator[Condition]:
    """What stands in a rung's way, before it is tried: signatures, changes, and what the chain shows already."""
    yield from signature_obstacles(view, rung)
    if view.changed:
        yield Condition(rung, "changed", f"since the arming: {', '.join(view.changed)}")
    if view.unread:
        yield Condition(rung, "unknown", f"could not be read: {', '.join(view.unread)}")
    now = view.contained.get(rung.market, Missing("it was not asked"))
    if isinstance(now, Missing):
        yield Condition(rung, "unknown", f"whether {rung.market} is contained could not be read: {now.reason}")
    elif now == "loosens":
        yield Condition(rung, "changed", "the chain shows a stricter value than this sets: it would loosen it")
    elif now == "shown":
        yield Condition(rung, "satisfied", "the chain shows it contained already")


def signature_obstacles(view: View, rung: Rung) -> Iterator[Condition]:
    """Whether enough of those who signed are still owners."""
    owners, threshold = view.owners, view.threshold
    if isinstance(owners, Missing) or isinstance(threshold, Missing):
        yield Condition(rung, "unknown", "the Safe's owners or threshold could not be read")
        return
    gone = [one for one in rung.signatures if one not in owners]
    there = len(rung.signers(owners))
    if there >= threshold:
        return
    if gone:
        words = f"{', '.join(gone)} signed and is no owner any more: {there} of {threshold} signatures count"
        yield Condition(rung, "dead", words)
    else:
        yield Condition(rung, "unsigned", f"{there} of {threshold} signatures: `incident vault sign`")


def tried(view: View, rung: Rung, nonce: int) -> Condition:
    """How its execution with the very signatures goes: now where it is its turn, else as if it were."""
    live = rung.tx.nonce == nonce
    key: Key = ("run" if live else "later", rung.safe_tx_hash)
    if key not in view.answers.replies:
        return Condition(rung, "unknown", "it was not simulated")
    if not live and view.answers.number(PROBE) != PROBE_NONCE:
        return Condition(rung, "unknown", "not simulated before its turn: the node cannot override the Safe's nonce")
    state, reason = verdict(view.answers.replies[key])
    if state == "failed":
        return Condition(rung, "dead", f"its execution fails: {reason}")
    if state == "not-simulated":
        return Condition(rung, "unknown", f"it could not be simulated: {reason}")
    gas = view.answers.number(("gas", rung.safe_tx_hash))
    return Condition(rung, "ready" if live else "behind", "", None if isinstance(gas, Missing) else gas)


def verdict(answer: Reply) -> tuple[str, str]:
    """The state of a simulated execution and its reason; what explains a failure is loaded only for one."""
    if answer == TRUE:
        return "passed", ""
    from incident_cli.chain.simulate import execution_verdict

    return execution_verdict(answer)


def live_rung(vault: Vault, market: str, nonce: int) -> Rung | None:
    """The rung of a market whose turn it is."""
    return next((one for one in vault.rungs_for(market) if one.tx.nonce == nonce), None)


def addresses_in(raw: bytes) -> tuple[Address, ...]:
    """The addresses of an answered `address[]`; none where it is malformed, which no Safe answers."""
    count = int.from_bytes(raw[32:64])
    if len(raw) < 64 or len(raw) != 64 + 32 * count:
        return ()
    return tuple(checksummed(raw[at + 12 : at + 32]) for at in range(64, len(raw), 32))


def adapted(vault: Vault, answers: Answers) -> Vault:
    """The vault as its signatures are packed for the owners and the threshold of now: the same where both still are.

    Where one of three signers was rotated out, the other two may be enough; what was asked with the signatures of the
    first two must then be asked again.
    """
    raw, threshold = answers.raw(("fact", OWNERS)), answers.number(("fact", THRESHOLD))
    if isinstance(raw, Missing) or isinstance(threshold, Missing):
        return vault
    owners = addresses_in(raw)
    same = (set(owners), threshold) == (set(vault.owners), vault.threshold)
    return vault if same else replace(vault, owners=owners, threshold=threshold)
