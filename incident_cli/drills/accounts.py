"""The people of a drill: secp256k1 keys derived from its seed, and the raw transactions they sign.

The keys are worth nothing outside the drill's chain; they still never appear in a repr or a message.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from incident_cli import curve, rlp
from incident_cli.evm import Address, checksummed, keccak
from incident_cli.outgoing import TYPE, signed_fields

PRIORITY_FEE = 10**9
MAX_FEE = 500 * 10**9
BORROWERS = 6


@dataclass(frozen=True, slots=True)
class Account:
    """One externally owned account of the drill."""

    label: str
    address: Address
    _key: bytes = field(repr=False, compare=False)

    def sign_hash(self, digest: bytes) -> bytes:
        """65 bytes r ‖ s ‖ v (27 or 28) over a 32-byte digest, as a Safe's `checkSignatures` expects."""
        return curve.sign(self._key, digest)

    def transaction(self, order: Order) -> bytes:
        """The signed EIP-1559 transaction (type 2), ready to be sent."""
        fields = order.fields()
        return signed_fields(fields, self.sign_hash(keccak(TYPE + rlp.encode(fields))))


@dataclass(frozen=True, slots=True)
class Order:
    """What a transaction is to do; `to` is None where it creates a contract. `value` is in wei."""

    chain_id: int
    nonce: int
    to: Address | None
    data: bytes
    gas: int
    value: int = 0

    def fields(self) -> list[rlp.Item]:
        """The unsigned fields in the order of EIP-1559."""
        target = bytes.fromhex(self.to[2:]) if self.to else b""
        return [self.chain_id, self.nonce, PRIORITY_FEE, MAX_FEE, self.gas, target, self.value, self.data, ()]


@dataclass(frozen=True, slots=True)
class People:
    """Every account of the world; traders by market name. The executor pays for what the councils sign.

    The operations key may propose to the time-lock; the borrowers have margin accounts in every market.
    """

    deployer: Account
    keeper: Account
    executor: Account
    attacker: Account
    provider: Account
    traders: Mapping[str, Account]
    council_owners: tuple[Account, ...]
    governance_owners: tuple[Account, ...]
    operations: Account
    liquidator: Account
    borrowers: tuple[Account, ...]

    def everyone(self) -> tuple[Account, ...]:
        """All of them."""
        singles = (self.deployer, self.keeper, self.executor, self.attacker, self.provider)
        councils = (*self.council_owners, *self.governance_owners)
        return (*singles, *self.traders.values(), *councils, self.operations, self.liquidator, *self.borrowers)


def account(seed: int, label: str) -> Account:
    """The account of this label in the drill of this seed; always the same one."""
    key = keccak(f"incident drill key {seed} {label}".encode())
    return Account(label, curve.address_of(key), key)


def population(seed: int, markets: Iterable[str]) -> People:
    """Everybody who lives in the world of this seed."""
    deployer, keeper, executor, attacker, provider = (
        account(seed, label) for label in ("deployer", "keeper", "executor", "attacker", "provider")
    )
    traders = {market: account(seed, f"trader {market}") for market in markets}
    council = tuple(account(seed, f"council {number}") for number in (1, 2, 3))
    governance = tuple(account(seed, f"governance {number}") for number in (1, 2, 3))
    operations, liquidator = account(seed, "operations"), account(seed, "liquidator")
    borrowers = tuple(account(seed, f"borrower {number}") for number in range(1, BORROWERS + 1))
    singles = (deployer, keeper, executor, attacker, provider)
    return People(*singles, traders, council, governance, operations, liquidator, borrowers)


def created_address(sender: Address, nonce: int) -> Address:
    """Where a contract lands that `sender` creates with this nonce (CREATE)."""
    return checksummed(keccak(rlp.encode([bytes.fromhex(sender[2:]), nonce]))[12:])
