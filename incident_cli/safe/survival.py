"""Which transactions that were signed before survive a rotation of owners.

The contract checks the first `threshold` signatures of those it is given, by owner ascending, and each must be of one
who is an owner at that moment (measured on 1.3.0, 1.4.1 and 1.5.0).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from incident_cli.evm import Address
from incident_cli.safe.rotation import Rotation
from incident_cli.safe.signatures import number_of

Survives = Literal["stale", "eaten", "dead", "repack", "alive"]


@dataclass(frozen=True, slots=True)
class PreSigned:
    """A transaction that was signed before: how people call it, its nonce, and who signed it."""

    label: str
    nonce: int
    signers: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class Survival:
    """What becomes of one of them, and why."""

    signed: PreSigned
    survives: Survives
    reason: str

    def to_json(self) -> dict[str, Any]:
        """As the proposal file and `--json` hold it."""
        one = self.signed
        found = {"label": one.label, "nonce": one.nonce, "signers": list(one.signers)}
        return {**found, "fate": self.survives, "reason": self.reason}


def survival_of(signed: PreSigned, rotation: Rotation, nonce: int) -> Survival:
    """What becomes of a transaction once the rotation was executed at `nonce`."""
    if signed.nonce < nonce:
        return Survival(signed, "stale", f"nonce {signed.nonce} is spent already")
    if signed.nonce == nonce:
        return Survival(signed, "eaten", f"the rotation itself takes nonce {nonce}")
    need, after = rotation.new_threshold, rotation.owners_after
    ordered = sorted(set(signed.signers), key=number_of)
    valid = [one for one in ordered if one in after]
    lost = [one for one in ordered if one not in after]
    if len(valid) < need:
        who = f" without {', '.join(lost)}" if lost else ""
        return Survival(signed, "dead", f"{len(valid)} signatures of owners are left{who}, and {need} are needed")
    if set(lost) & set(ordered[:need]):
        words = f"it executes only if the signature of {', '.join(lost)} is taken out of it: the others are enough"
        return Survival(signed, "repack", words)
    return Survival(signed, "alive", f"{len(valid)} owners who stay signed it, and {need} are needed")


def statement(rotation: Rotation, nonce: int) -> tuple[str, ...]:
    """What holds of every transaction that was signed before, whether it is known here or not."""
    lines = [f"whatever is signed for nonce {nonce} dies: the rotation takes it"]
    if rotation.outgoing:
        gone, need = ", ".join(rotation.outgoing), rotation.new_threshold
        lines.append(
            f"whatever was signed with {gone} dies, unless {need} of the owners who stay signed it too and the"
            " signature is taken out"
        )
    if rotation.new_threshold > rotation.threshold:
        lines.append(f"whatever was signed by fewer than {rotation.new_threshold} owners dies: the threshold rises")
    return tuple(lines)


def survivals(signed: Sequence[PreSigned], rotation: Rotation, nonce: int) -> tuple[Survival, ...]:
    """All of them, by nonce."""
    return tuple(survival_of(one, rotation, nonce) for one in sorted(signed, key=lambda one: (one.nonce, one.label)))
