"""OpenZeppelin's ways to stop and to delay, with a council: Pausable and a role, AccessManager, TimelockController."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from incident_cli.abi import parse_signature, selector_of
from incident_cli.evm import ZERO, Address, Call, keccak
from tests.contracts.packages import Packages
from tests.contracts.solidity import artifact, compile_solidity
from tests.fakes.anvil import Anvil

HERE, SOLC = Path(__file__).parent, "solc-0.8"
BUILD = "@openzeppelin/contracts/build/contracts"
PAUSER_ROLE = keccak(b"PAUSER_ROLE")
ADMIN, GUARDIAN, KEEPER = 0, 1, 2  # roles of the manager; 0 is its own ADMIN_ROLE
HOUR, DAY = 3_600, 86_400
EXECUTION_DELAY, TIMELOCK_DELAY, EXPIRATION = HOUR, 2 * DAY, 7 * DAY  # the manager's operations lapse after a week
SUPPLY = 10**9
NO_SALT = bytes(32)
UNSET, WAITING, READY, DONE = range(4)  # states of an operation of the time-lock
OPERATION = "(address target, uint256 value, bytes payload, bytes32 predecessor, bytes32 salt)"
SCHEDULE = OPERATION.removesuffix(")") + ", uint256 delay)"


@dataclass(frozen=True, slots=True)
class OpenZeppelin:
    """The contracts on their node.

    `admin` is admin of the token's and the manager's roles, and may propose to the time-lock. The council may pause and
    unpause the token; it is the vault's GUARDIAN (pause, unpause, setLimit) with an execution delay of an hour; it may
    propose to the time-lock and cancel there, and everybody may execute. The time-lock may pause and unpause the token.
    The keeper may `rebalance` the vault without delay.
    """

    anvil: Anvil
    council: Address
    token: Address
    manager: Address
    vault: Address
    timelock: Address

    @property
    def admin(self) -> Address:
        """The admin; it also holds the token's supply."""
        return self.anvil.accounts[0]

    @property
    def keeper(self) -> Address:
        """The vault's keeper."""
        return self.anvil.accounts[1]

    @property
    def user(self) -> Address:
        """Somebody without any role."""
        return self.anvil.accounts[2]

    def transfer(self) -> dict[str, Any]:
        """Moves one unit of the token; raises Refused."""
        return self.anvil.transact(self.admin, self.token, "transfer(address to, uint256 value)", self.user, 1)

    def deposit(self, amount: int = 1) -> dict[str, Any]:
        """A deposit into the vault, which the manager does not guard; raises Refused."""
        return self.anvil.transact(self.user, self.vault, "deposit(uint256 amount)", amount)

    def rebalance(self) -> dict[str, Any]:
        """What the vault's keeper does; raises Refused."""
        return self.anvil.transact(self.keeper, self.vault, "rebalance()")

    def paused(self, target: Address) -> bool:
        """Whether the token or the vault is paused."""
        return self.anvil.view(target, "paused() view returns (bool)") == (True,)

    def grant_admin(self, execution_delay: int = 0) -> None:
        """Makes the council an admin of the manager: from then on it may close and open targets."""
        signature = "grantRole(uint64 roleId, address account, uint32 executionDelay)"
        self.anvil.transact(self.admin, self.manager, signature, ADMIN, self.council, execution_delay)

    def can_call(self, caller: Address, target: Address, function: str) -> tuple[object, ...]:
        """The manager's (immediate, delay in seconds) for a function in its canonical form."""
        signature = (
            "canCall(address caller, address target, bytes4 selector) view returns (bool immediate, uint32 delay)"
        )
        return self.anvil.view(self.manager, signature, caller, target, selector_of(function))

    def close(self, closed: bool) -> Call:
        """Closes or opens the vault for everybody whom the manager lets through."""
        return call(self.manager, "setTargetClosed(address target, bool closed)", self.vault, closed)

    def closed(self) -> bool:
        """Whether the vault is closed."""
        found = self.anvil.view(self.manager, "isTargetClosed(address target) view returns (bool)", self.vault)
        return found == (True,)

    def schedule(self, of: Call, when: int = 0) -> Call:
        """The manager's `schedule` of a call; `when` in seconds since the epoch, 0 the earliest possible."""
        signature = "schedule(address target, bytes data, uint48 when) returns (bytes32 operationId, uint32 nonce)"
        return call(self.manager, signature, of.to, of.data, when)

    def execute(self, of: Call) -> Call:
        """The manager's `execute` of a call."""
        return call(self.manager, "execute(address target, bytes data) returns (uint32)", of.to, of.data)

    def cancel(self, caller: Address, of: Call) -> Call:
        """The manager's `cancel` of what `caller` has scheduled."""
        signature = "cancel(address caller, address target, bytes data) returns (uint32)"
        return call(self.manager, signature, caller, of.to, of.data)

    def operation_id(self, caller: Address, of: Call) -> bytes:
        """The manager's name of a scheduled call."""
        signature = "hashOperation(address caller, address target, bytes data) view returns (bytes32)"
        return as_bytes(self.anvil.view(self.manager, signature, caller, of.to, of.data))

    def scheduled_for(self, operation: bytes) -> tuple[object, ...]:
        """When an operation of the manager can be executed, in seconds since the epoch; 0 if never or no more."""
        return self.anvil.view(self.manager, "getSchedule(bytes32 id) view returns (uint48)", operation)

    def propose(self, of: Call, delay: int = TIMELOCK_DELAY) -> Call:
        """The time-lock's `schedule` of a call."""
        return call(self.timelock, f"schedule{SCHEDULE}", *timelocked(of), delay)

    def carry_out(self, of: Call) -> Call:
        """The time-lock's `execute` of a call."""
        return call(self.timelock, f"execute{OPERATION}", *timelocked(of))

    def veto(self, of: Call) -> Call:
        """The time-lock's `cancel` of a call."""
        return call(self.timelock, "cancel(bytes32 id)", self.timelock_id(of))

    def timelock_id(self, of: Call) -> bytes:
        """The time-lock's name of a call."""
        return as_bytes(
            self.anvil.view(self.timelock, f"hashOperation{OPERATION} view returns (bytes32)", *timelocked(of))
        )

    def operation_state(self, of: Call) -> tuple[object, ...]:
        """UNSET, WAITING, READY or DONE."""
        return self.anvil.view(
            self.timelock, "getOperationState(bytes32 id) view returns (uint8)", self.timelock_id(of)
        )


def call(to: Address, signature: str, *args: object) -> Call:
    """A call written as a human-readable signature."""
    return Call(to, parse_signature(signature), args)


def timelocked(of: Call) -> tuple[object, ...]:
    """The arguments by which the time-lock knows a call: no predecessor, no salt."""
    return of.to, of.value, of.data, bytes(32), NO_SALT


def as_bytes(answer: tuple[object, ...]) -> bytes:
    """The one bytes value of an answer."""
    assert isinstance(answer[0], bytes)
    return answer[0]


def build_openzeppelin(anvil: Anvil, packages: Packages, council: Address) -> OpenZeppelin:
    """Deploys everything and hands out the roles."""
    admin = anvil.accounts[0]
    coin, vault = (
        compile_solidity(packages, HERE / f"{name}.sol", name, solc=SOLC) for name in ("PausableCoin", "ManagedVault")
    )
    manager, timelock = (artifact(packages, f"{BUILD}/{name}.json") for name in ("AccessManager", "TimelockController"))
    token = anvil.deploy(coin.creation, coin.constructor, (SUPPLY,))
    authority = anvil.deploy(manager.creation, manager.constructor, (admin,))
    delayed = (TIMELOCK_DELAY, [council, admin], [ZERO], ZERO)  # to let address zero execute is to let everybody
    made = OpenZeppelin(
        anvil,
        council,
        token,
        authority,
        anvil.deploy(vault.creation, vault.constructor, (authority,)),
        anvil.deploy(timelock.creation, timelock.constructor, delayed),
    )
    for pauser in (council, made.timelock):
        anvil.transact(admin, token, "grantRole(bytes32 role, address account)", PAUSER_ROLE, pauser)
    hand_out_managed_roles(made)
    return made


def hand_out_managed_roles(made: OpenZeppelin) -> None:
    """GUARDIAN to the council with its delay, KEEPER to the keeper without; which function needs which."""
    grant = "grantRole(uint64 roleId, address account, uint32 executionDelay)"
    function_role = "setTargetFunctionRole(address target, bytes4[] selectors, uint64 roleId)"
    holders = (
        (GUARDIAN, made.council, EXECUTION_DELAY, ("pause()", "unpause()", "setLimit(uint256)")),
        (KEEPER, made.keeper, 0, ("rebalance()",)),
    )
    for role, holder, delay, functions in holders:
        made.anvil.transact(made.admin, made.manager, grant, role, holder, delay)
        selectors = [selector_of(one) for one in functions]
        made.anvil.transact(made.admin, made.manager, function_role, made.vault, selectors, role)
