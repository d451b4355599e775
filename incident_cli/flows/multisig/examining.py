"""A Safe transaction examined before it is signed: the inspection, with a chain that must have been read.

A rotation of owners is inspected as the ceremony it is: what is forbidden everywhere else (the Safe's call to itself)
is its purpose, and it must be exactly what was decided. Whoever it removes may not sign it.
"""

from __future__ import annotations

from dataclasses import replace

from incident_cli.errors import Refused
from incident_cli.flows.connecting import Environment
from incident_cli.flows.multisig.aids import Aids
from incident_cli.flows.multisig.inspecting import ChainView, Inspection, inspect_transaction
from incident_cli.flows.multisig.loading import Loaded
from incident_cli.flows.multisig.place import Place, place_of_transaction
from incident_cli.flows.multisig.rotation_ground import ground_of, read_opinion, read_safe
from incident_cli.flows.preflight.safe import SafeSeen
from incident_cli.safe.finding import InspectionFinding, is_refused, verdict_of
from incident_cli.safe.rotation import SCHEMA as ROTATION
from incident_cli.safe.rotation import Rotation
from incident_cli.safe.rotation_inspection import inspect_rotation

OWN_PURPOSE = frozenset({"safe-itself", "control-change"})  # what a rotation is for, and nothing else may do


def examine(loaded: Loaded, aids: Aids, environment: Environment) -> tuple[Place, Inspection, ChainView]:
    """The transaction's place and its inspection; raises Refused where it is dangerous or disputed, Unread where the
    chain could not be read, Misused for a file that is wrong. `aids` must hold a deployment."""
    assert aids.deployment is not None, "nothing is signed without a deployment"
    place = place_of_transaction(aids.deployment, loaded.tx, environment)
    found = inspect_transaction(loaded, aids, environment)
    if found.unread is not None:
        raise found.unread
    if loaded.document.get("schema") == ROTATION:
        found = as_rotation(loaded, place, found)
    require_safe(found)
    assert found.view is not None and found.hashes is not None, "what is not refused was read and hashed"
    return place, found, found.view


def as_rotation(loaded: Loaded, place: Place, found: Inspection) -> Inspection:
    """The inspection with the rules of a rotation in the place of those against changing owners."""
    rotation = Rotation.from_json(loaded.document.get("rotation"))
    seen = SafeSeen(*read_safe(place, rotation.incoming))
    _, code_hash = read_opinion(place, loaded.tx)
    ground = ground_of(place, seen, rotation.incoming, code_hash)
    own = inspect_rotation(loaded.tx, rotation, ground, weaken=loaded.document.get("weaken") is True)
    kept = (one for one in found.findings if one.code not in OWN_PURPOSE)
    findings: tuple[InspectionFinding, ...] = tuple(dict.fromkeys((*own, *kept)))
    return replace(found, findings=findings, verdict=verdict_of(findings))


def require_safe(found: Inspection) -> None:
    """Refused where the inspection forbids it, with every reason."""
    if is_refused(found.findings):
        wrong = [one for one in found.findings if one.severity == "refused"]
        raise Refused(
            f"this transaction is refused: {'; '.join(f'{one.code}: {one.message}' for one in wrong)}",
            f"sign nothing; `incident explain {wrong[0].code}` says why",
        )
