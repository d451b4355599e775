"""Stand-ins: contracts with a protocol's interface, two real Safes on the in-process chain, and what each may do.

A stand-in is Vyper source under tests/contracts/standins, compiled once per session.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from incident_cli.abi import decode, encode, encode_call, parse_signature
from incident_cli.drills.artefacts import canonical_type
from incident_cli.drills.engine_values import Reverted
from incident_cli.evm import Address, Call, hex_bytes, keccak
from incident_cli.levers.lever import Plan
from incident_cli.safe.batch import fold
from incident_cli.safe.contracts import EXEC_TRANSACTION, NONCE
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.signatures import pack
from tests.fakes.safe_chain import CHAIN_ID, Chain, Safe, shipped
from tests.levers.driving import STRANGER, Execute, Ground

SOURCES = Path(__file__).parents[1] / "contracts" / "standins"
VERSION = "1.4.1"
GAS = 6_000_000
EXEC = parse_signature(EXEC_TRANSACTION)
NONCE_VIEW = parse_signature(NONCE)
REASON = parse_signature("Error(string reason)")


@functools.cache
def compiled(name: str) -> tuple[bytes, tuple[str, ...]]:
    """The creation code of a stand-in, and the ABI types of its constructor's arguments."""
    from vyper.compiler import compile_code

    made = compile_code((SOURCES / f"{name}.vy").read_text(encoding="utf-8"), output_formats=["abi", "bytecode"])
    takes = next((one["inputs"] for one in made["abi"] if one["type"] == "constructor"), ())
    return hex_bytes(made["bytecode"]), tuple(canonical_type(one) for one in takes)


def call(to: Address, signature: str, *args: object) -> Call:
    """`call(comet, "pause(bool supply)", True)`."""
    return Call(to, parse_signature(signature), args)


@dataclass(frozen=True, slots=True)
class Stage:
    """A chain with MultiSendCallOnly and two Safes, each 2 of 3: a council that pulls, a governance that puts back."""

    chain: Chain
    council: Safe
    governance: Safe
    multisend: Address

    @classmethod
    def new(cls) -> Stage:
        """An empty stage."""
        chain = Chain(version=VERSION)
        multisend = created(chain, shipped("MultiSendCallOnly_V1_4_1", "bytecode"))
        return cls(chain, chain.deploy_safe(), chain.deploy_safe(), multisend)

    @property
    def anyone(self) -> Address:
        """An account without any role, that pays the gas."""
        return self.chain.sender.address

    def deploy(self, name: str, *args: object) -> Address:
        """The stand-in of that name."""
        code, takes = compiled(name)
        return created(self.chain, code + encode(takes, args))

    def ground(self, protocol: str, **addresses: Address) -> Ground:
        """The shipped protocol file at these addresses."""
        return Ground.of(self.chain, CHAIN_ID, protocol, addresses)

    def one_by_one(self, safe: Safe) -> Execute:
        """Executes each call as a Safe transaction of its own."""

        def execute(calls: Sequence[Call]) -> None:
            for one in calls:
                self.execute(safe, [one])

        return execute

    def together(self, safe: Safe) -> Execute:
        """Executes all calls as one Safe transaction, through MultiSendCallOnly where there are several."""
        return lambda calls: self.execute(safe, calls)

    def execute(self, safe: Safe, calls: Sequence[Call]) -> None:
        """The calls as one transaction signed by two owners; raises Reverted where it reverts."""
        nonce = int.from_bytes(self.chain.engine.call(safe.address, NONCE_VIEW.selector))
        tx = fold(calls, chain_id=CHAIN_ID, safe=safe.address, version=VERSION, nonce=nonce, multisend=self.multisend)
        digest = hex_bytes(hash_transaction(tx).safe_tx_hash)
        signatures = pack({one.address: one.sign_hash(digest) for one in safe.owners[:2]})
        self.send(safe.address, encode_call(EXEC, (*tx.arguments, signatures)))

    def act(self, made: Call) -> None:
        """The call, made by anyone; raises Reverted where it reverts."""
        self.send(made.to, made.data)

    def send(self, to: Address, data: bytes) -> None:
        """A transaction of anyone; raises Reverted where it reverts."""
        self.chain.engine.call(to, data, sender=self.anyone)  # its reason is in no receipt
        receipt = self.chain.send(to, data, GAS).receipts[0]
        assert receipt.status == 1, "it works when it is tried, and reverts when it is mined: out of gas?"

    def view(self, made: Call, by: Address = STRANGER) -> object:
        """The first output of a view that `by` asks; the call's signature has `returns (…)`."""
        outputs = made.signature.output_types
        return decode(outputs, self.chain.engine.call(made.to, made.data, sender=by))[0]

    def refuses(self, made: Call, by: Address = STRANGER, *, saying: str = "") -> None:
        """The contract reverts when `by` makes the call: with `saying` as a text, or as a custom error `Name(type)`."""
        try:
            self.chain.engine.call(made.to, made.data, sender=by)
        except Reverted as problem:
            found = worded(problem)
            assert saying in ("", found) or problem.data[:4] == selector(saying), f"{saying} expected, got {found}"
            return
        raise AssertionError(f"{made.signature.canonical} was not refused to {by}")


def created(chain: Chain, creation: bytes) -> Address:
    """The contract that this creation code makes."""
    receipt = chain.send(None, creation, GAS).receipts[0]
    assert receipt.status == 1 and receipt.contract_address is not None, "its constructor reverted"
    return receipt.contract_address


def worded(problem: Reverted) -> str:
    """The text a revert says, else its data in hex."""
    if problem.data[:4] == REASON.selector:
        return str(decode(["string"], problem.data[4:])[0])
    return f"0x{problem.data.hex()} {problem}"


def selector(canonical: str) -> bytes:
    """The first four bytes of the hash of a function's or an error's canonical form."""
    return keccak(canonical.encode())[:4]


def stopped(stage: Stage, ground: Ground, lever: str, by: Safe, protected: Call, saying: str, **args: object) -> Plan:
    """The lever pulled: the operation worked before, is refused after, and pulling it again is left out."""
    stage.act(protected)
    made = ground.pull(lever, by.address, stage.together(by), **args)
    stage.refuses(protected, stage.anyone, saying=saying)
    if made.pull.definition.satisfied is not None:
        assert ground.plan(lever, by.address, **args).satisfied
    return made


def only_for(stage: Stage, ground: Ground, lever: str, by: Safe, saying: str, **args: object) -> None:
    """A stranger is refused by the protocol file, and by the contract for its own reason."""
    assert "does not hold the role" in ground.refuses(lever, STRANGER, **args)
    for one in ground.plan(lever, by.address, **args).calls:
        stage.refuses(one, saying=saying)
