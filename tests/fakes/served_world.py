"""The drill's world behind real HTTP nodes: several of them, each honest or with a fault, and a deployment file."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from incident_cli.drills.live_world import LiveWorld
from incident_cli.drills.scenario import Scenario
from incident_cli.drills.script import load_script
from incident_cli.drills.setting import deployment_text
from incident_cli.drills.world import World
from incident_cli.runbook.shipped import shipped_folder
from incident_cli.transport import Json, Request, RpcError
from tests.fakes.node import Answer, Node

Twist = Callable[[Answer], Answer]
SEED = 7


def scenario(name: str) -> Scenario:
    """A shipped scenario."""
    return load_script(shipped_folder() / "drills" / f"{name}.yaml").scenario


class ServedWorld:
    """A world `blocks` after it was ready, its head a few seconds old. Use it as a context manager."""

    def __init__(self, name: str, blocks: int, nodes: Sequence[Twist | None] = (None,)) -> None:
        self.world = World.build(SEED, scenario(name), int(time.time()) - blocks * 12 - 14)
        self.live = LiveWorld(self.world)
        for _ in range(blocks):
            self.live.advance(12)
        self.lock = threading.Lock()
        self.known: dict[str, Json | RpcError] = {}
        self.nodes = [Node(self.honest if twist is None else twist(self.honest)) for twist in nodes]
        self.open = ExitStack()

    def honest(self, request: Request) -> Json | RpcError:
        """What the chain says; asked once and remembered, so that a node's own work is not what is measured."""
        key = repr(request)
        with self.lock:
            if key not in self.known:
                self.known[key] = self.live.rpc.exchange([request])[0]
            return self.known[key]

    def deployment(self, folder: Path, *, quorum: int = 1, more: str = "") -> Path:
        """The deployment file with every node."""
        url = "http://127.0.0.1/"
        urls = ", ".join(f'{{url: "{one.url}"}}' for one in self.nodes)
        text = deployment_text(self.world, url).replace(f'rpc: [{{url: "{url}"}}]', f"rpc: [{urls}], quorum: {quorum}")
        path = folder / "deployment.yaml"
        path.write_text(text + more)
        return path

    def __enter__(self) -> ServedWorld:
        for node in self.nodes:
            self.open.enter_context(node)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.open.close()
