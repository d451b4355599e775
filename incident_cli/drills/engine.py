"""The drill's chain: a deterministic Prague chain straight on py-evm, without consensus, peers or a disk.

The same seed, genesis and transactions give the same block hashes everywhere: no clock and no randomness is read. Each
transaction is executed once and its sender recovered once. EIP-4788 and EIP-2935 are not fed.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from incident_cli.drills.engine_rules import check, check_nonce, gas_before_execution, receipt_of
from incident_cli.drills.engine_values import (
    Emitted,
    Executed,
    InvalidTransaction,
    Mined,
    Receipt,
    Reverted,
    Topics,
    UnknownBlock,
    emitted_in,
    matches,
)
from incident_cli.evm import ZERO, Address, Block, hex_bytes, keccak, to_hex
from incident_cli.text import plain

GAS_LIMIT = 60_000_000
CALL_GAS = 50_000_000
BASE_FEE = 10**9
COINBASE = b"\xc0" * 20
ANCESTORS = 256


class Engine:
    """A chain in memory. `genesis_time` and `block_time` are seconds, balances wei; blocks are mined only by `mine`."""

    def __init__(
        self,
        *,
        seed: int,
        chain_id: int,
        genesis_time: int,
        balances: Mapping[Address, int],
        codes: Mapping[Address, bytes] | None = None,
        block_time: int = 12,
        chain: str = "drill",
    ) -> None:
        from eth.db.atomic import AtomicDB
        from eth.vm.chain_context import ChainContext
        from eth.vm.forks.prague import PragueVM

        self.chain_id, self.chain, self.block_time, self._seed = chain_id, chain, block_time, seed
        self._fork: Any = PragueVM
        self._context: Any = ChainContext(chain_id)
        self._database: Any = AtomicDB()
        self._mined: list[Mined] = []
        self._headers: list[Any] = []
        self._sent: dict[str, tuple[Any, Receipt]] = {}
        self._states: dict[str, Any] = {}
        self._append(self._genesis(genesis_time, balances, codes or {}), ())

    @property
    def head(self) -> Block:
        """The newest block."""
        return self._mined[-1].block

    def block(self, number: int) -> Block:
        """The block of this number; raises UnknownBlock."""
        return self.mined(number).block

    def block_number(self, block_hash: str) -> int:
        """The number of the block with this hash; raises UnknownBlock."""
        for mined in reversed(self._mined):
            if mined.block.hash == block_hash.lower():
                return mined.block.number
        raise UnknownBlock(f"no block {block_hash}")

    def mined(self, number: int) -> Mined:
        """A block with its receipts; raises UnknownBlock."""
        if not 0 <= number < len(self._mined):
            raise UnknownBlock(f"no block {number}, the head is {self.head.number}")
        return self._mined[number]

    def header(self, number: int) -> Any:
        """py-evm's header of a block, for the fields `Block` leaves out."""
        return self._headers[self.mined(number).block.number]

    def transaction(self, transaction_hash: str) -> Any | None:
        """py-evm's signed transaction, or None where it was never mined."""
        return self._sent.get(transaction_hash.lower(), (None, None))[0]

    def receipt(self, transaction_hash: str) -> Receipt | None:
        """What became of a transaction, or None where it was never mined."""
        return self._sent.get(transaction_hash.lower(), (None, None))[1]

    def logs(
        self, from_block: int, to_block: int, addresses: Sequence[Address] = (), topics: Topics = ()
    ) -> tuple[Emitted, ...]:
        """Logs of an inclusive range; no addresses means any, and so does None for a topic."""
        wanted = {address.lower() for address in addresses}
        found = (emitted for mined in self._mined[max(from_block, 0) : to_block + 1] for emitted in emitted_in(mined))
        return tuple(
            one for one in found if (not wanted or one.log.address.lower() in wanted) and matches(one.log, topics)
        )

    def code(self, address: Address, block: int | None = None) -> bytes:
        """The code at an address; empty where there is none."""
        return bytes(self._state(block).get_code(hex_bytes(address)))

    def balance(self, address: Address, block: int | None = None) -> int:
        """In wei."""
        return int(self._state(block).get_balance(hex_bytes(address)))

    def nonce(self, address: Address, block: int | None = None) -> int:
        """The number of transactions sent, or of contracts created by a contract."""
        return int(self._state(block).get_nonce(hex_bytes(address)))

    def storage(self, address: Address, slot: int, block: int | None = None) -> bytes:
        """One storage slot, 32 bytes."""
        return int(self._state(block).get_storage(hex_bytes(address), slot)).to_bytes(32, "big")

    def call(
        self, to: Address | None, data: bytes, *, sender: Address = ZERO, value: int = 0, block: int | None = None
    ) -> bytes:
        """Execute without a trace, at the end of `block` and under its number and time; raises Reverted."""
        return bytes(succeeded(self._try(self._state(block), to, data, sender, value, CALL_GAS)).output)

    def estimate_gas(
        self, to: Address | None, data: bytes, *, sender: Address = ZERO, value: int = 0, block: int | None = None
    ) -> int:
        """Gas with which the transaction succeeds, at most 1/64 more than the least; raises Reverted."""
        state, (least, floor) = self._state(block), gas_before_execution(to, data)

        def attempt(gas: int) -> Any:
            return self._try(state, to, data, sender, value, gas - least)

        low, high = CALL_GAS - int(succeeded(attempt(CALL_GAS)).get_gas_remaining()), CALL_GAS
        if not attempt(low).is_error:
            return max(low, floor)
        while high - low > low // 64:
            middle = min((low + high) // 2, low * 2)
            low, high = (middle, high) if attempt(middle).is_error else (low, middle)
        return max(high, floor)

    def mine(
        self,
        raw_transactions: Sequence[bytes],
        timestamp: int | None = None,
        senders: Mapping[bytes, Address] | None = None,
    ) -> Mined:
        """Seal one block with these signed transactions, in order; raises InvalidTransaction and then mines nothing.

        `senders` are of transactions that the caller has signed itself: recovering them would say the same.
        """
        parent = self._headers[-1]
        time = parent.timestamp + self.block_time if timestamp is None else timestamp
        if time <= parent.timestamp:
            raise InvalidTransaction(f"a block at {time} would not be later than its parent at {parent.timestamp}")
        header = self._fork.create_header_from_parent(parent, **self._fields(parent.block_number + 1, time))
        state = self._build_state(header)
        executed: list[Executed] = []
        for raw in raw_transactions:
            executed.append(self._execute(state, header, raw, executed, (senders or {}).get(raw)))
        return self._append(self._seal(header, state, executed), executed)

    def snapshot(self) -> Block:
        """A point to return to: the head."""
        return self.head

    def revert(self, snapshot: Block) -> None:
        """Forget every block after the snapshot; raises UnknownBlock where it is no longer on this chain."""
        if self.block(snapshot.number) != snapshot:
            raise UnknownBlock(f"the chain no longer holds block {snapshot.number} {snapshot.hash}")
        for forgotten in self._mined[snapshot.number + 1 :]:
            for receipt in forgotten.receipts:
                del self._sent[receipt.transaction_hash]
        del self._mined[snapshot.number + 1 :], self._headers[snapshot.number + 1 :]

    def _fields(self, number: int, time: int) -> dict[str, Any]:
        randomness = keccak(f"drill {self._seed} {number}".encode())
        return {"coinbase": COINBASE, "gas_limit": GAS_LIMIT, "timestamp": time, "mix_hash": randomness}

    def _genesis(self, time: int, balances: Mapping[Address, int], codes: Mapping[Address, bytes]) -> Any:
        header = self._fork.create_genesis_header(difficulty=0, base_fee_per_gas=BASE_FEE, **self._fields(0, time))
        state = self._build_state(header)
        for address, balance in balances.items():
            state.set_balance(hex_bytes(address), balance)
        for address, code in codes.items():
            state.set_code(hex_bytes(address), code)
            state.set_nonce(hex_bytes(address), 1)
        state.persist()
        return header.copy(state_root=state.state_root)

    def _build_state(self, header: Any) -> Any:
        number = header.block_number
        ancestors = [one.hash for one in reversed(self._headers[max(0, number - ANCESTORS) : number])]
        return self._fork.build_state(self._database, header, self._context, ancestors)

    def _state(self, block: int | None) -> Any:
        place = self.head if block is None else self.block(block)
        if place.hash not in self._states:
            # A call pays no fee, so BASEFEE reads 0 in it, as on other nodes.
            self._states = {place.hash: self._build_state(self._headers[place.number].copy(base_fee_per_gas=0))}
        return self._states[place.hash]

    def _try(self, state: Any, to: Address | None, data: bytes, sender: Address, value: int, gas: int) -> Any:
        from eth._utils.address import generate_contract_address
        from eth.exceptions import VMError
        from eth.vm.message import Message

        origin, target = hex_bytes(sender), b"" if to is None else hex_bytes(to)
        computation = state.computation_class
        state.lock_changes()
        before = state.snapshot()
        try:
            created = None if to is not None else generate_contract_address(origin, state.get_nonce(origin))
            code = data if to is None else state.get_transaction_executor().get_code_at_address(target)[0]
            message = Message(gas, target, origin, value, b"" if to is None else data, code, create_address=created)
            state.mark_address_warm(origin)
            state.mark_address_warm(message.storage_address)
            apply = computation.apply_create_message if to is None else computation.apply_message
            return apply(state, message, state.get_transaction_context_class()(gas_price=0, origin=origin))
        except VMError as problem:
            raise InvalidTransaction(f"the call cannot begin: {problem}") from problem
        finally:
            state.revert(before)
            state.clear_transient_storage()

    def _execute(
        self, state: Any, header: Any, raw: bytes, before: Sequence[Executed], sender: Address | None
    ) -> Executed:
        from eth.exceptions import PyEVMError
        from eth_keys.exceptions import BadSignature
        from eth_utils.exceptions import ValidationError
        from rlp.exceptions import RLPException

        used = before[-1].receipt.cumulative_gas if before else 0
        try:
            transaction = self._fork.get_transaction_builder().decode(raw)
            if sender is not None:
                transaction.sender = hex_bytes(sender)  # a cached property: nothing is recovered
            check(transaction, self.chain_id, header.gas_limit - used)
            check_nonce(transaction.nonce, state.get_nonce(transaction.sender))
            # The recovered sender is the proof of the signature; a legacy transaction would be recovered twice more.
            transaction.check_signature_validity = lambda: None
            state.lock_changes()
            computation = state.apply_transaction(transaction)
        except (ValidationError, BadSignature, PyEVMError, RLPException, ValueError, TypeError) as problem:
            raise InvalidTransaction(plain(problem)) from problem
        gas = self._fork.finalize_gas_used(transaction, computation)
        status = b"" if computation.is_error else b"\x01"
        encoded = transaction.make_receipt(status, used + gas, computation.get_log_entries())
        return Executed(transaction, encoded, receipt_of(header, transaction, computation, encoded, gas, before))

    def _seal(self, header: Any, state: Any, executed: Sequence[Executed]) -> Any:
        from eth.db.trie import make_trie_root_and_nodes

        state.persist()
        return header.copy(
            state_root=state.state_root,
            transaction_root=make_trie_root_and_nodes([one.transaction for one in executed])[0],
            receipt_root=make_trie_root_and_nodes([one.encoded for one in executed])[0],
            bloom=functools.reduce(operator.or_, (one.receipt.bloom for one in executed), 0),
            gas_used=executed[-1].receipt.cumulative_gas if executed else 0,
        )

    def _append(self, header: Any, executed: Sequence[Executed]) -> Mined:
        block = Block(self.chain, header.block_number, to_hex(header.hash), header.timestamp)
        mined = Mined(block, tuple(replace(one.receipt, block_hash=block.hash) for one in executed))
        for one, receipt in zip(executed, mined.receipts, strict=True):
            self._sent[receipt.transaction_hash] = (one.transaction, receipt)
        self._headers.append(header)
        self._mined.append(mined)
        return mined


def succeeded(computation: Any) -> Any:
    """The execution; raises Reverted where it failed: with its data, or with the reason it halted for."""
    if computation.is_error:
        reason = plain(computation.error) if computation.should_burn_gas else ""
        raise Reverted(bytes(computation.output), reason)
    return computation
