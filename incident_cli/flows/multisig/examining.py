"""A Safe transaction examined before it is signed: the inspection, with a chain that must have been read.

A rotation of owners is inspected as the ceremony it is: what is forbidden everywhere else (the Safe's call to itself)
is its purpose, and it must be exactly what was decided. Whoever it removes may not sign it, and that it weakens the
Safe is allowed by whoever signs, never by the file.
"""

from __future__ import annotations

from dataclasses import replace

from incident_cli.errors import Refused, Unread
from incident_cli.flows.connecting import Environment
from incident_cli.flows.multisig.aids import Aids
from incident_cli.flows.multisig.inspecting import ChainView, Inspection, inspect_transaction
from incident_cli.flows.multisig.loading import Loaded
from incident_cli.flows.multisig.place import Place, place_of_transaction
from incident_cli.flows.multisig.rotation_ground import inspect_written
from incident_cli.safe.finding import InspectionFinding, is_refused, verdict_of, warned
from incident_cli.safe.rotation import SCHEMA as ROTATION
from incident_cli.safe.rotation import Rotation

OWN_PURPOSE = frozenset({"safe-itself", "control-change"})  # what a rotation is for, and nothing else may do
UNREAD = "this file is a rotation of owners; without its chain (--deployment) it cannot be judged as one"


def inspected(loaded: Loaded, aids: Aids, environment: Environment, *, weaken: bool = False) -> Inspection:
    """The inspection of a file by the rules of what it is; raises Misused for a file or an aid that is wrong.

    `weaken`: whoever looks allows a rotation after which fewer keys act for the Safe. An unread chain is in the answer.
    """
    found = inspect_transaction(loaded, aids, environment)
    if loaded.document.get("schema") != ROTATION:
        return found
    if aids.deployment is None or found.view is None:
        return judged_again(found, (warned("rotation-unread", UNREAD), *found.findings))
    try:
        place = place_of_transaction(aids.deployment, loaded.tx, environment)
        decided, own = inspect_written(place, loaded.tx, loaded.document, weaken=weaken)
    except Unread as problem:
        return replace(found, unread=problem)
    kept = (one for one in found.findings if one.code not in OWN_PURPOSE)
    return judged_again(found, (warned("rotation-owners", words_of(decided)), *own, *kept))


def words_of(decided: Rotation) -> str:
    """What a rotation changes, which is never nothing to look at."""
    gone, new = (", ".join(some) or "nobody" for some in (decided.outgoing, decided.incoming))
    must = f"{decided.new_threshold} of {len(decided.owners_after)} must sign then"
    return f"it changes who controls the Safe: {gone} goes, {new} comes, and {must}"


def judged_again(found: Inspection, findings: tuple[InspectionFinding, ...]) -> Inspection:
    """The inspection with these findings in the place of its own."""
    ordered = tuple(sorted(dict.fromkeys(findings), key=lambda one: one.severity))
    return replace(found, findings=ordered, verdict=verdict_of(ordered))


def examine(
    loaded: Loaded, aids: Aids, environment: Environment, *, weaken: bool = False
) -> tuple[Place, Inspection, ChainView]:
    """The transaction's place and its inspection; raises Refused where it is dangerous or disputed, Unread where the
    chain could not be read, Misused for a file that is wrong. `aids` must hold a deployment."""
    assert aids.deployment is not None, "nothing is signed without a deployment"
    place = place_of_transaction(aids.deployment, loaded.tx, environment)
    found = inspected(loaded, aids, environment, weaken=weaken)
    if found.unread is not None:
        raise found.unread
    require_safe(found)
    assert found.view is not None and found.hashes is not None, "what is not refused was read and hashed"
    return place, found, found.view


def require_safe(found: Inspection) -> None:
    """Refused where the inspection forbids it, with every reason."""
    if is_refused(found.findings):
        wrong = [one for one in found.findings if one.severity == "refused"]
        raise Refused(
            f"this transaction is refused: {'; '.join(f'{one.code}: {one.message}' for one in wrong)}",
            f"sign nothing; `incident explain {wrong[0].code}` says why",
        )
