"""The vault: emergency transactions signed before the emergency, as a ladder of nonces. Pure.

A rung is one Safe transaction at one nonce for one market; at each nonce there is one rung per market, and whichever is
executed uses up the nonce for the others. What makes a pre-signed transaction dangerous was measured on Safes 1.1.1 to
1.5.0 and is refused here, both when a rung is made and whenever a vault is read:

* below 1.3.0 a signature is valid on every chain, and whoever broadcasts may starve the call and burn the rung;
* with safeTxGas a call that fails (its target is paused already) burns the rung instead of reverting;
* with a refund, whoever broadcasts decides what the Safe pays.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from incident_cli.abi import decode
from incident_cli.errors import Misused, Refused
from incident_cli.evm import ZERO, Address, Missing, hex_bytes, keccak, parse_address, part_of, to_hex
from incident_cli.levers.expectation import Expectation, same
from incident_cli.safe.contracts import MULTISEND_CODE_HASHES
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.signatures import number_of
from incident_cli.safe.transaction import CALL, SafeTx, parse_version
from incident_cli.text import plain

SCHEMA = "incident.vault/v1"
OLDEST_VERSION = (1, 3, 0)
FEW = 3  # with fewer nonces left, it is time to arm again
MOST_RUNGS = 50
MOST_ENTRIES = 400
NO_VAULT = "It was made by another version of incident, or changed: arm the vault again."
Shown = Literal["shown", "open", "loosens"]
Ask = Literal["call", "storage", "code"]


@dataclass(frozen=True, slots=True)
class Fact:
    """What the chain answered at arming and must still answer: a view (`key` is its calldata), a word of storage (`key`
    is its position) or code. `answer` is the raw answer; of code its Keccak-256."""

    name: str
    ask: Ask
    to: Address
    key: bytes
    answer: bytes

    def holds(self, raw: bytes) -> bool:
        """Whether this raw answer is still the same."""
        return (keccak(raw) if self.ask == "code" else raw) == self.answer

    def to_json(self) -> dict[str, str]:
        """As the file holds it."""
        return {
            "name": self.name,
            "ask": self.ask,
            "to": self.to,
            "key": to_hex(self.key),
            "answer": to_hex(self.answer),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Fact:
        """The fact of a record; raises ValueError or KeyError."""
        ask: Ask = {"call": "call", "storage": "storage", "code": "code"}[record["ask"]]  # type: ignore[assignment]
        key, answer = hex_bytes(record["key"]), hex_bytes(record["answer"])
        return cls(plain(record["name"], 200), ask, parse_address(record["to"]), key, answer)


@dataclass(frozen=True, slots=True)
class Effect:
    """What proves the containment: a read, what it must answer, and what it answered at arming."""

    expectation: Expectation
    before: object

    def judge(self, raw: bytes) -> Shown | Missing:
        """What a raw answer says: the effect is there, it is not, or firing would put a number back the other way."""
        read = self.expectation.read
        try:
            found = part_of(decode(read.signature.output_types, raw), read.path)
        except ValueError as problem:
            return Missing(plain(problem, 200))
        if isinstance(found, Missing):
            return found
        if same(found, self.expectation.value):
            return "shown"
        return "loosens" if beyond(self.before, self.expectation.value, found) else "open"

    def to_json(self) -> dict[str, Any]:
        """As the file holds it: the expectation as proposals have it, and what it answered `before`."""
        return {**self.expectation.to_json(), "before": str(self.before) if is_number(self.before) else None}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Effect:
        """The effect of a record; raises ValueError or KeyError."""
        before = record["before"]
        return cls(Expectation.from_json(record), None if before is None else int(before))


def is_number(value: object) -> bool:
    """Whether a value counts something."""
    return isinstance(value, int) and not isinstance(value, bool)


def beyond(before: object, wanted: object, found: object) -> bool:
    """Whether a number already stands farther in the direction that the lever moves it: pulling it would move it back.

    A limit that was to be cut from 100 to 20 and stands at 5 would be raised.
    """
    if not (isinstance(before, int) and isinstance(wanted, int) and isinstance(found, int)):
        return False
    if isinstance(before, bool) or isinstance(wanted, bool) or isinstance(found, bool):
        return False
    return found < wanted < before or before < wanted < found


@dataclass(frozen=True, slots=True)
class Target:
    """One market that can be contained: what the calls mean (as in a proposal file), and what proves them."""

    market: str
    runbook_hash: str
    calls: tuple[Mapping[str, Any], ...]
    effects: tuple[Effect, ...]

    def to_json(self) -> dict[str, Any]:
        """As the file holds it."""
        effects = [one.to_json() for one in self.effects]
        return {
            "market": self.market,
            "runbook_hash": self.runbook_hash,
            "calls": [dict(one) for one in self.calls],
            "expect": effects,
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Target:
        """The target of a record; raises ValueError or KeyError."""
        calls = tuple({plain(key, 40): value for key, value in one.items()} for one in listed(record["calls"]))
        effects = tuple(Effect.from_json(one) for one in listed(record["expect"]))
        return cls(plain(record["market"], 80), plain(record["runbook_hash"], 80), calls, effects)


@dataclass(frozen=True, slots=True)
class Rung:
    """One transaction for one market, and the owners' signatures of it (65 bytes each) that there are."""

    market: str
    tx: SafeTx
    signatures: Mapping[Address, bytes]

    @property
    def safe_tx_hash(self) -> str:
        """0x hex, computed."""
        return hash_transaction(self.tx).safe_tx_hash

    def signers(self, owners: Collection[Address]) -> tuple[Address, ...]:
        """Those who signed and are owners, ascending as the contract wants them."""
        return tuple(sorted((one for one in self.signatures if one in owners), key=number_of))

    def to_json(self) -> dict[str, Any]:
        """As the file holds it."""
        signatures = [
            {"owner": one, "signature": to_hex(self.signatures[one])} for one in sorted(self.signatures, key=number_of)
        ]
        return {
            "nonce": self.tx.nonce,
            "market": self.market,
            "safe_tx": self.tx.to_json(),
            "safe_tx_hash": self.safe_tx_hash,
            "signatures": signatures,
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Rung:
        """The rung of a record; raises ValueError or KeyError, Misused or Refused for its transaction."""
        tx = SafeTx.from_json(record["safe_tx"])
        require_harmless(tx)
        given = {parse_address(one["owner"]): hex_bytes(one["signature"]) for one in listed(record["signatures"])}
        if any(len(one) != 65 for one in given.values()):
            raise ValueError("a signature has not 65 bytes")
        rung = cls(plain(record["market"], 80), tx, given)
        if (record["safe_tx_hash"], record["nonce"]) != (rung.safe_tx_hash, tx.nonce):
            raise ValueError(f"the rung at nonce {tx.nonce} is not the transaction it says it is")
        return rung


@dataclass(frozen=True, slots=True, kw_only=True)
class Vault:
    """A ladder for one Safe, with everything it was armed under. `block`: number, hash and time of the arming.

    `threshold` and `owners` are those of the arming; `facts` say what must still stand.
    """

    deployment: str
    chain: str
    chain_id: int
    safe: Address
    version: str
    threshold: int
    owners: tuple[Address, ...]
    runbook: str
    step: str
    armed_at: str
    block: Mapping[str, Any]
    facts: tuple[Fact, ...]
    targets: tuple[Target, ...]
    rungs: tuple[Rung, ...]

    @property
    def nonces(self) -> tuple[int, ...]:
        """Every nonce of the ladder, ascending."""
        return tuple(sorted({one.tx.nonce for one in self.rungs}))

    @property
    def markets(self) -> tuple[str, ...]:
        """The markets it can contain."""
        return tuple(one.market for one in self.targets)

    def target(self, market: str) -> Target:
        """What contains a market; raises Misused naming those there are."""
        for one in self.targets:
            if one.market == market:
                return one
        raise Misused(f"the vault holds nothing for {plain(market, 80)!r}", f"its markets: {', '.join(self.markets)}")

    def rungs_for(self, market: str) -> tuple[Rung, ...]:
        """A market's rungs, by nonce."""
        return tuple(sorted((one for one in self.rungs if one.market == market), key=lambda one: one.tx.nonce))

    def left(self, nonce: int) -> tuple[int, ...]:
        """The nonces that are not used up where the Safe's stands at `nonce`."""
        return tuple(one for one in self.nonces if one >= nonce)

    def signed_by(self, signatures: Mapping[str, Mapping[Address, bytes]]) -> Vault:
        """With these signatures added, by safe_tx_hash and owner."""
        rungs = tuple(
            replace(one, signatures={**one.signatures, **signatures.get(one.safe_tx_hash, {})}) for one in self.rungs
        )
        return replace(self, rungs=rungs)

    def to_json(self) -> dict[str, Any]:
        """The document inside the encrypted file."""
        return {
            "schema": SCHEMA,
            "deployment": self.deployment,
            "chain": self.chain,
            "chain_id": self.chain_id,
            "safe": self.safe,
            "version": self.version,
            "threshold": self.threshold,
            "owners": list(self.owners),
            "runbook": self.runbook,
            "step": self.step,
            "armed_at": self.armed_at,
            "block": dict(self.block),
            "facts": [one.to_json() for one in self.facts],
            "targets": [one.to_json() for one in self.targets],
            "rungs": [one.to_json() for one in self.rungs],
        }

    @classmethod
    def from_json(cls, document: object) -> Vault:
        """The vault of a document; raises Misused where it is none, Refused where a rung breaks a rule."""
        if not isinstance(document, Mapping) or document.get("schema") != SCHEMA:
            raise Misused("what the file holds is no vault", NO_VAULT)
        try:
            return read_vault(document)
        except (KeyError, ValueError, TypeError, AttributeError) as problem:
            raise Misused(f"the vault is damaged: {plain(problem, 200)}", NO_VAULT) from problem


def read_vault(document: Mapping[str, Any]) -> Vault:
    """The vault of a document, every rung held against it; raises what its parts raise."""
    block = document["block"]
    found = Vault(
        deployment=plain(document["deployment"], 80),
        chain=plain(document["chain"], 80),
        chain_id=whole(document["chain_id"]),
        safe=parse_address(document["safe"]),
        version=plain(document["version"], 20),
        threshold=whole(document["threshold"]),
        owners=tuple(parse_address(one) for one in listed(document["owners"])),
        runbook=plain(document["runbook"], 80),
        step=plain(document["step"], 80),
        armed_at=plain(document["armed_at"], 40),
        block={"number": whole(block["number"]), "hash": str(block["hash"]), "timestamp": whole(block["timestamp"])},
        facts=tuple(Fact.from_json(one) for one in listed(document["facts"])),
        targets=tuple(Target.from_json(one) for one in listed(document["targets"])),
        rungs=tuple(Rung.from_json(one) for one in listed(document["rungs"])),
    )
    require_whole(found)
    return found


def require_whole(vault: Vault) -> None:
    """Raises ValueError unless there is exactly one rung for each market at each nonce, all of this one Safe."""
    places = [(one.tx.nonce, one.market) for one in vault.rungs]
    wanted = {(nonce, market) for nonce in vault.nonces for market in vault.markets}
    if not places or set(places) != wanted or len(places) != len(wanted):
        raise ValueError("there is not one rung for each market at each nonce")
    if vault.nonces != tuple(range(vault.nonces[0], vault.nonces[0] + len(vault.nonces))):
        raise ValueError("the nonces have a gap: what stands behind it could never execute")
    for one in vault.rungs:
        if (one.tx.chain_id, one.tx.safe, one.tx.version) != (vault.chain_id, vault.safe, vault.version):
            raise ValueError(f"the rung at nonce {one.tx.nonce} is of another Safe or chain")


def require_version(version: str) -> None:
    """Raises Refused for a Safe whose pre-signed transactions cannot be trusted."""
    if parse_version(version) < OLDEST_VERSION:
        raise Refused(
            f"a Safe {plain(version, 20)} cannot hold pre-signed transactions: its signatures are valid on every chain,"
            " and whoever broadcasts one can burn it without the call being made",
            "upgrade the Safe to 1.3.0 or later, or arm a new, dedicated emergency Safe",
        )


def require_harmless(tx: SafeTx) -> None:
    """Raises Refused for a transaction that may not be signed in advance."""
    require_version(tx.version)
    numbers = {"safeTxGas": tx.safe_tx_gas, "baseGas": tx.base_gas, "gasPrice": tx.gas_price}
    wrong = [name for name, value in numbers.items() if value]
    wrong += [name for name, one in (("gasToken", tx.gas_token), ("refundReceiver", tx.refund_receiver)) if one != ZERO]
    if wrong:
        raise Refused(
            f"a pre-signed transaction has {', '.join(wrong)} 0: with safeTxGas a call that fails burns the rung, and a"
            " refund pays whoever broadcasts",
            "sign nothing of this; arm the vault again",
        )
    if tx.operation != CALL and tx.to not in MULTISEND_CODE_HASHES:
        raise Refused(f"a delegatecall to {tx.to} is never signed in advance", "sign nothing of this")


def packed(rung: Rung, owners: Collection[Address], threshold: int) -> bytes:
    """As many owners' signatures as the threshold, ascending; fewer where there are fewer."""
    return b"".join(rung.signatures[one] for one in rung.signers(owners)[:threshold])


def listed(value: object) -> Sequence[Any]:
    """A list of at most so many entries; raises ValueError."""
    if not isinstance(value, list) or len(value) > MOST_ENTRIES:
        raise ValueError("a list is missing, or too long")
    return value


def whole(value: object) -> int:
    """A whole number that is not negative; raises ValueError."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("a number is missing")
    return value


def named(facts: Iterable[Fact], name: str) -> Fact | None:
    """The fact of that name."""
    return next((one for one in facts if one.name == name), None)
