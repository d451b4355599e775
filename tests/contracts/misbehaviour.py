"""A real Safe, 2 of 3, and contracts that do what a containment must not, on a node of the test."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from pathlib import Path

from incident_cli.abi import encode_call, parse_signature
from incident_cli.chain.state_diff import StateDiff
from incident_cli.chain.trial import Trial
from incident_cli.drills.safe_setup import SETUP
from incident_cli.evm import ZERO, Address, Call, CallRead, checksummed
from incident_cli.safe.batch import fold
from incident_cli.safe.contracts import EXEC_TRANSACTION, RELEASES
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.signatures import pack, pre_validated
from tests.fakes.anvil import Anvil
from tests.fakes.safe_chain import FILES, GET_THRESHOLD, HANDLER, SINGLETON, shipped

EXEC = parse_signature(EXEC_TRANSACTION)
PAUSED = parse_signature("paused() returns (bool)")
UPGRADE = parse_signature("upgradeTo(address implementation)")
IMPLEMENTATION = 0x360894A13BA1A3210667C828492DB98DCA3E2076CC3735A920A3CA505D382BBC
PROXY = Address("0x" + "0" * 36 + "1967")
UPGRADING = bytes.fromhex(f"600435 7f{IMPLEMENTATION:064x} 55 00")  # the argument into the implementation's slot
DESTROYING = bytes.fromhex("33ff")  # to the sender
BOMB = checksummed("0x" + "0" * 36 + "dead")
ETHER = 10**18


@dataclass(frozen=True, slots=True)
class Council:
    """The Safe with the chain it is on, and two contracts that misbehave when they are asked to."""

    anvil: Anvil
    version: str
    safe: Address
    owners: tuple[Address, ...]
    target: Address
    other: Address

    @property
    def paused(self) -> CallRead:
        return CallRead(self.target, PAUSED)

    @property
    def threshold(self) -> CallRead:
        return CallRead(self.safe, GET_THRESHOLD)

    def call(self, signature: str, *args: object, value: int = 0) -> Call:
        """A call of the target."""
        return Call(self.target, parse_signature(signature), args, value)

    def trial(self, *calls: Call) -> Trial:
        """These calls as one Safe transaction, with the owners' approvals taken as given."""
        (nonce,) = self.anvil.view(self.safe, "nonce() returns (uint256)")
        assert isinstance(nonce, int)
        tx = fold(list(calls), chain_id=self.anvil.chain_id, safe=self.safe, version=self.version, nonce=nonce)
        signers = self.owners[:2]
        signatures = pack({one: pre_validated(one) for one in signers})
        data = encode_call(EXEC, (*tx.arguments, signatures))
        return Trial(data, signers[0], signers[1:], hash_transaction(tx).safe_tx_hash)

    def lone_trial(self, call: Call) -> Trial:
        """The same with one signature, for which the threshold is overridden."""
        data = encode_call(
            EXEC, (call.to, call.value, call.data, 0, 0, 0, 0, ZERO, ZERO, pre_validated(self.owners[0]))
        )
        return replace(self.trial(call), calldata=data, approved_by=(), safe_tx_hash="")

    def as_safe(self, signature: str, *args: object) -> None:
        """Make the Safe do this to itself, for real."""
        self.anvil.rpc("anvil_setBalance", self.safe, hex(ETHER))
        self.anvil.transact(self.safe, self.safe, signature, *args)
        self.anvil.rpc("anvil_setBalance", self.safe, hex(ETHER))

    def guarded(self, *, afterwards: bool = False) -> None:
        """Give the Safe a guard that lets nothing through."""
        guard = self.anvil.deploy(compiled("blocking_guard"), ["bool"], [afterwards])
        self.as_safe("setGuard(address guard)", guard)


def found_council(anvil: Anvil, version: str) -> Council:
    """The Safe and the contracts, deployed."""
    singleton, handler, proxy = FILES[version]
    anvil.set_code(SINGLETON, shipped(singleton, "deployedBytecode"))
    anvil.set_code(HANDLER, shipped(handler, "deployedBytecode"))
    anvil.set_code(RELEASES[version].multisend_call_only[0], shipped("MultiSendCallOnly_V1_4_1", "deployedBytecode"))
    anvil.set_code(PROXY, UPGRADING)
    anvil.set_code(BOMB, DESTROYING)
    safe = anvil.deploy(shipped(proxy, "bytecode"), ["address"], [SINGLETON])
    owners = tuple(sorted(anvil.accounts[:3], key=str.lower))
    anvil.send(anvil.accounts[0], safe, encode_call(SETUP, (owners, 2, ZERO, b"", HANDLER, ZERO, 0, ZERO)))
    target, other = (anvil.deploy(compiled("misbehaving")) for _ in range(2))
    for one in (safe, target, BOMB):
        anvil.rpc("anvil_setBalance", one, hex(ETHER))
    return Council(anvil, version, safe, owners, target, other)


@functools.cache
def compiled(name: str) -> bytes:
    """The creation code of a contract beside this file."""
    from vyper.compiler import compile_code

    source = (Path(__file__).parent / f"{name}.vy").read_text(encoding="utf-8")
    return bytes.fromhex(compile_code(source, output_formats=["bytecode"])["bytecode"][2:])


def known(diff: object) -> StateDiff:
    """The diff, which must be known."""
    assert isinstance(diff, StateDiff), diff
    return diff
