"""A world that is lived in: one lock, one JSON-RPC face, and every block told to whoever keeps the record."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from incident_cli.drills.rpc import Rpc
from incident_cli.drills.world import Advance, Turn, World
from incident_cli.evm import keccak, to_hex

WHOLE_BLOCKS = 5  # a wait of up to this many block times is mined block by block, a longer one is one leap

Listener = Callable[[Advance], None]


class LiveWorld:
    """The writer behind the drill's JSON-RPC: mines what is sent, and lets time pass."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.lock = threading.RLock()
        self.rpc = Rpc(world.engine, self, self.lock)
        self.listener: Listener | None = None

    def submit(self, raw: bytes) -> str:
        """Mine a signed transaction in the next block; raises engine_values.InvalidTransaction."""
        self._turn([raw], self.world.engine.block_time)
        return to_hex(keccak(raw))

    def advance(self, seconds: int) -> None:
        """Let time pass: block by block while it is short, else in one leap."""
        block_time = self.world.engine.block_time
        if seconds > WHOLE_BLOCKS * block_time:
            self._turn([], seconds)
            return
        for _ in range(max(1, -(-seconds // block_time))):
            self._turn([], block_time)

    def replay(self, turn: Turn) -> Advance:
        """Play a recorded turn again, without telling anybody."""
        with self.lock:
            return self.world.play(turn)

    def end_fault(self) -> None:
        """From the next block on, every source is honest again."""
        with self.lock:
            self.world.end_fault()

    def _turn(self, transactions: Sequence[bytes], seconds: int) -> None:
        with self.lock:
            made = self.world.advance(transactions, seconds=seconds)
            if self.listener is not None:
                self.listener(made)
