"""Synthetix v2's SystemStatus, from the bytecode of its mainnet deployment: who may suspend, and who may resume.

The owner is on no access list until it puts itself there. A suspension has a section, whose list decides.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from incident_cli.evm import Address
from tests.contracts.packages import Packages
from tests.contracts.solidity import contract
from tests.fakes.anvil import Anvil

DEPLOYMENT = "synthetix/publish/deployed/mainnet/deployment.json"
UPGRADE = 1  # the one reason that the contract knows
SUSPENSION = "returns (bool suspended, uint248 reason)"


def key(text: str) -> bytes:
    """A name as the contracts keep it: ASCII, padded on the right to 32 bytes."""
    return text.encode("ascii").ljust(32, b"\0")


SYNTH, MARKET = key("sETH"), key("sETHPERP")


@dataclass(frozen=True, slots=True)
class Suspension:
    """One thing that can be suspended: its calls, the views that show it, and how what it protects is refused.

    `suspend` takes `keys` and a reason (uint256), the others take `keys`.
    """

    section: str
    suspend: str
    resume: str
    state: str
    require: str
    refusal: str
    keys: tuple[bytes, ...] = ()


SUSPENSIONS = {
    "system": Suspension(
        "System",
        "suspendSystem(uint256 reason)",
        "resumeSystem()",
        f"systemSuspension() {SUSPENSION}",
        "requireSystemActive() returns ()",
        "Synthetix is suspended. Operation prohibited",
    ),
    "issuance": Suspension(
        "Issuance",
        "suspendIssuance(uint256 reason)",
        "resumeIssuance()",
        f"issuanceSuspension() {SUSPENSION}",
        "requireIssuanceActive() returns ()",
        "Issuance is suspended. Operation prohibited",
    ),
    "exchange": Suspension(
        "Exchange",
        "suspendExchange(uint256 reason)",
        "resumeExchange()",
        f"exchangeSuspension() {SUSPENSION}",
        "requireExchangeActive() returns ()",
        "Exchange is suspended. Operation prohibited",
    ),
    "futures": Suspension(
        "Futures",
        "suspendFutures(uint256 reason)",
        "resumeFutures()",
        f"futuresSuspension() {SUSPENSION}",
        "requireFuturesActive() returns ()",
        "Futures markets are suspended. Operation prohibited",
    ),
    "synth": Suspension(
        "Synth",
        "suspendSynth(bytes32 currencyKey, uint256 reason)",
        "resumeSynth(bytes32 currencyKey)",
        f"synthSuspension(bytes32 currencyKey) {SUSPENSION}",
        "requireSynthActive(bytes32 currencyKey) returns ()",
        "Synth is suspended. Operation prohibited",
        (SYNTH,),
    ),
    "synth exchange": Suspension(
        "SynthExchange",
        "suspendSynthExchange(bytes32 currencyKey, uint256 reason)",
        "resumeSynthExchange(bytes32 currencyKey)",
        f"synthExchangeSuspension(bytes32 currencyKey) {SUSPENSION}",
        "requireSynthExchangeActive(bytes32 currencyKey) returns ()",
        "Synth exchange suspended. Operation prohibited",
        (SYNTH,),
    ),
    "futures market": Suspension(
        "Futures",
        "suspendFuturesMarket(bytes32 marketKey, uint256 reason)",
        "resumeFuturesMarket(bytes32 marketKey)",
        f"futuresMarketSuspension(bytes32 marketKey) {SUSPENSION}",
        "requireFuturesMarketActive(bytes32 marketKey) returns ()",
        "Market suspended",
        (MARKET,),
    ),
}
SECTIONS = tuple(dict.fromkeys(one.section for one in SUSPENSIONS.values()))


@dataclass(frozen=True, slots=True)
class Synthetix:
    """SystemStatus on its node: `council` may only suspend, `resumer` may only resume, `owner` decides who may."""

    anvil: Anvil
    status: Address
    owner: Address
    council: Address
    resumer: Address

    def permit(self, section: str, account: Address, *, suspend: bool, resume: bool) -> None:
        """Both flags of an account in a section, as the owner; what it had there is overwritten."""
        signature = "updateAccessControl(bytes32 section, address account, bool canSuspend, bool canResume)"
        self.anvil.transact(self.owner, self.status, signature, key(section), account, suspend, resume)

    def suspend(self, sender: Address, what: Suspension, reason: int) -> None:
        """Suspends it; raises Refused."""
        self.anvil.transact(sender, self.status, what.suspend, *what.keys, reason)

    def resume(self, sender: Address, what: Suspension) -> None:
        """Resumes it; raises Refused."""
        self.anvil.transact(sender, self.status, what.resume, *what.keys)

    def state(self, what: Suspension) -> tuple[object, ...]:
        """Whether it is suspended, and the reason."""
        return self.anvil.view(self.status, what.state, *what.keys)

    def require(self, what: Suspension) -> None:
        """What every protected contract asks first; raises Refused where it may not go on."""
        self.anvil.view(self.status, what.require, *what.keys)

    def exchange(self, source: bytes, destination: bytes) -> None:
        """What an exchange of two synths asks first; raises Refused."""
        signature = "requireExchangeBetweenSynthsAllowed(bytes32 sourceKey, bytes32 destinationKey) returns ()"
        self.anvil.view(self.status, signature, source, destination)


def build_synthetix(anvil: Anvil, packages: Packages, council: Address) -> Synthetix:
    """Deploys it: `accounts[0]` owns it, `accounts[2]` resumes; everything is active."""
    source = json.loads(packages.path(DEPLOYMENT).read_text("utf-8"))["sources"]["SystemStatus"]
    status = contract("SystemStatus", source["abi"], source["bytecode"])
    owner, resumer = anvil.accounts[0], anvil.accounts[2]
    built = Synthetix(anvil, anvil.deploy(status.creation, status.constructor, (owner,)), owner, council, resumer)
    for section in SECTIONS:
        built.permit(section, council, suspend=True, resume=False)
        built.permit(section, resumer, suspend=False, resume=True)
    return built
