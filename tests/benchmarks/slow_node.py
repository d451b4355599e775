"""A node in a process of its own that takes 50 ms for every exchange: prints its URL, ends when its stdin does.

Run as a module. Its answers are made once for each size of round, so that what is measured is the client.
"""

from __future__ import annotations

import functools
import sys
import time

from incident_cli.chain.multicall import BLOCK_READS, WORD, word, word_at
from incident_cli.transport import Json, Request, RpcError
from tests.fakes.node import Node

LATENCY_SECONDS = 0.050
NUMBER, TIMESTAMP = 1_000, 4_102_444_800
HASH, PARENT = "0x" + "11" * 32, "0x" + "22" * 32
HEADER: Json = {"number": hex(NUMBER), "timestamp": hex(TIMESTAMP), "hash": HASH, "parentHash": PARENT}
SEEN = (NUMBER, int(PARENT, 16), TIMESTAMP)
COUNT_AT = 4 + WORD  # behind the selector and the offset of the array


@functools.cache
def round_of(calls: int) -> str:
    """What aggregate3 answers to this many calls: the block's three words, then counting numbers."""
    values = [*SEEN, *range(calls - len(BLOCK_READS))]
    tuples = [word(1) + word(2 * WORD) + word(WORD) + word(value) for value in values]
    offsets = [word(WORD * len(tuples) + place * len(tuples[0])) for place in range(len(tuples))]
    return "0x" + (word(WORD) + word(len(tuples)) + b"".join(offsets) + b"".join(tuples)).hex()


def answer(request: Request) -> Json | RpcError:
    """The block after the latency, which every exchange asks for once; a round at once."""
    if request.method == "eth_getBlockByNumber":
        time.sleep(LATENCY_SECONDS)
        return HEADER
    if request.method == "eth_chainId":
        return "0x1"
    call = request.params[0]
    assert isinstance(call, dict), "an eth_call"
    data = bytes.fromhex(str(call["data"])[2 : 2 + 2 * (COUNT_AT + WORD)])
    return round_of(word_at(data, COUNT_AT))


if __name__ == "__main__":
    with Node(answer) as node:
        print(node.url, flush=True)
        sys.stdin.read()
