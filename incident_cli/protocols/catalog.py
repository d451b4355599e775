"""Where protocol files are found: beside the runbooks first (in-house), then the shipped catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from incident_cli.document import Document
from incident_cli.protocols.protocol import Protocol, load_protocol

SHIPPED = Path(__file__).parent


@dataclass(slots=True)
class Catalog:
    """Protocols by name, each loaded once; `documents` are the files read so far (they are part of the record)."""

    folders: Sequence[Path] = (SHIPPED,)
    documents: dict[str, Document] = field(default_factory=dict)
    loaded: dict[str, Protocol | None] = field(default_factory=dict)

    def find(self, name: str) -> Protocol | None:
        """The protocol, or None where no sound file of that name exists (a wrong file's document says why)."""
        if name not in self.loaded:
            self.loaded[name] = self.load(name)
        return self.loaded[name]

    def load(self, name: str) -> Protocol | None:
        path = next((path for folder in self.folders if (path := folder / f"{name}.yaml").is_file()), None)
        if path is None:
            return None
        protocol, document = load_protocol(path)
        if protocol is not None and protocol.protocol != name:
            document.wrong(protocol.place, "wrong-name", f"this file is {name}.yaml, but says {protocol.protocol!r}")
            protocol = None
        self.documents[name] = document
        return protocol

    def names(self) -> list[str]:
        """Every protocol that has a file."""
        found = (path for folder in self.folders for path in folder.glob("*.yaml"))
        return sorted({path.stem for path in found if path.is_file()})


def catalog_beside(runbook: Path | None) -> Catalog:
    """The catalogue for a runbook file: `protocols/` beside it comes before the shipped one."""
    own = () if runbook is None else (runbook.parent / "protocols",)
    return Catalog((*own, SHIPPED))
