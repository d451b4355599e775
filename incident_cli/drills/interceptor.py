"""Bytecode that stands in front of a contract: one call gets a fixed answer, every other one goes to the real code.

The real code runs from a copy at another address, by DELEGATECALL: in its own storage, with its own immutables, sender
and value, and with its own answer or revert. No opcode is newer than Byzantium, whatever rules a chain has.
"""

from __future__ import annotations

from incident_cli.evm import Address, hex_bytes, keccak

PUSH1, PUSH2, PUSH20, PUSH32 = b"\x60", b"\x61", b"\x73", b"\x7f"
ZERO = PUSH1 + b"\0"
CALLDATASIZE, CALLDATACOPY, CODECOPY = b"\x36", b"\x37", b"\x39"
RETURNDATASIZE, RETURNDATACOPY = b"\x3d", b"\x3e"
KECCAK256, EQUALS, JUMP_IF, JUMPDEST, GAS = b"\x20", b"\x14", b"\x57", b"\x5b", b"\x5a"
DELEGATECALL, RETURN, REVERT = b"\xf4", b"\xf3", b"\xfd"
LONGEST_ANSWER = 16_384  # bytes


def forwarder(real: Address) -> bytes:
    """Runtime code that hands every call to the code at `real`."""
    return forwarding(real, 0)


def interceptor(real: Address, calldata: bytes, answer: bytes) -> bytes:
    """Runtime code that returns `answer` to exactly this calldata and hands every other call to the code at `real`.

    Raises ValueError where the answer is longer than 16 KiB.
    """
    if len(answer) > LONGEST_ANSWER:
        raise ValueError(f"an answer has at most {LONGEST_ANSWER} bytes, this has {len(answer)}")
    hashed = CALLDATASIZE + ZERO + ZERO + CALLDATACOPY + CALLDATASIZE + ZERO + KECCAK256
    compared = hashed + PUSH32 + keccak(calldata) + EQUALS
    start = len(compared) + len(PUSH2) + 2 + len(JUMP_IF)
    forwarded = forwarding(real, start)
    here = start + len(forwarded)
    size = PUSH2 + len(answer).to_bytes(2)
    copied = len(JUMPDEST + size + PUSH2 + b"\0\0" + ZERO + CODECOPY + size + ZERO + RETURN)
    answering = JUMPDEST + size + PUSH2 + (here + copied).to_bytes(2) + ZERO + CODECOPY + size + ZERO + RETURN
    return compared + PUSH2 + here.to_bytes(2) + JUMP_IF + forwarded + answering + answer


def forwarding(real: Address, start: int) -> bytes:
    """The part that hands a call on, where it begins at this offset of the code."""
    called = CALLDATASIZE + ZERO + ZERO + CALLDATACOPY
    called += ZERO + ZERO + CALLDATASIZE + ZERO + PUSH20 + hex_bytes(real) + GAS + DELEGATECALL
    called += RETURNDATASIZE + ZERO + ZERO + RETURNDATACOPY
    reverted = RETURNDATASIZE + ZERO + REVERT
    succeeded = start + len(called) + len(PUSH2) + 2 + len(JUMP_IF) + len(reverted)
    returned = JUMPDEST + RETURNDATASIZE + ZERO + RETURN
    return called + PUSH2 + succeeded.to_bytes(2) + JUMP_IF + reverted + returned
