"""Serving a drill's chain to other tools: the JSON-RPC, the ticking clock, and the deployment file to use."""

from __future__ import annotations

import shlex
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from incident_cli.drills.serve import serve
from incident_cli.drills.setting import deployment_text
from incident_cli.drills.world import CHAIN_ID
from incident_cli.flows.drill import Drill
from incident_cli.flows.pacing import Ticker


@dataclass(frozen=True, slots=True)
class Offered:
    """Where the chain is served, the deployment file that binds to it, and the words of a command to try."""

    url: str
    port: int
    chain_id: int
    deployment: Path
    command: str


def serve_drill(drill: Drill, port: int, served: ExitStack) -> Offered:
    """Serve until the stack is closed; from here on a block is mined every 12 s."""
    at = served.enter_context(serve(drill.live.rpc, port))
    served.enter_context(Ticker(drill.live))
    path = drill.recorder.directory / "deployment.yaml"
    path.write_text(deployment_text(drill.live.world, at.url))
    runbook, market = str(drill.plan.loaded.path), drill.session.bound.market.name
    words = ["respond", runbook, "--deployment", str(path), "--market", market]
    port_served = int(at.url.rpartition(":")[2])
    return Offered(at.url, port_served, CHAIN_ID, path, shlex.join(words))


def wait_for_interrupt() -> None:
    """Wait for Ctrl-C."""
    threading.Event().wait()
