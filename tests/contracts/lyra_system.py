"""Deploys Lyra v1's options market from its package's artefacts, on the package's stand-ins for Synthetix.

Left out is what no trade and no lever touches: viewer, wrapper, registry, keeper helper, GWAV oracle, counters.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from incident_cli.abi import Parameter, Signature
from incident_cli.evm import Address
from tests.contracts.linking import Linker
from tests.contracts.lyra_parameters import CONFIGURED, FEE_BASE, FEE_QUOTE, SECURITY_MODULE, SHORT_BUFFER, SPOT
from tests.contracts.packages import Packages
from tests.contracts.solidity import type_of
from tests.contracts.synthetix import key
from tests.fakes.anvil import Anvil

ARTIFACTS = "@lyrafinance/protocol/dist/artifacts"
BASE, QUOTE = "sETH", "sUSD"
HELPERS = "contracts/test-helpers"
MARKET = (
    "SynthetixAdapter",
    "OptionMarket",
    "OptionMarketPricer",
    "OptionGreekCache",
    "LiquidityPool",
    "ShortCollateral",
    "ShortPoolHedger",
)
SYNTHETIX = {
    "ProxySynthetix": "TestSynthetixReturnZero",
    "Exchanger": "TestExchanger",
    "ExchangeRates": "TestExchangeRates",
    "CollateralShort": "TestCollateralShort",
    "DelegateApprovals": "TestDelegateApprovals",
}
CALLED = {  # what the contracts' `init` calls its parameters
    "synthetixAdapter": "SynthetixAdapter",
    "optionMarket": "OptionMarket",
    "optionPricer": "OptionMarketPricer",
    "optionMarketPricer": "OptionMarketPricer",
    "greekCache": "OptionGreekCache",
    "optionGreekCache": "OptionGreekCache",
    "liquidityPool": "LiquidityPool",
    "liquidityToken": "LiquidityToken",
    "poolHedger": "ShortPoolHedger",
    "shortCollateral": "ShortCollateral",
    "optionToken": "OptionToken",
    "quoteAsset": "quote",
    "baseAsset": "base",
    "addressResolver": "AddressResolver",
}


@dataclass(frozen=True, slots=True)
class System:
    """The contracts as they come to stand, by name; the deployer owns them all. Calls are made by the ABI's names."""

    anvil: Anvil
    packages: Packages
    addresses: dict[str, Address] = field(default_factory=dict)
    abis: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, linker: Linker, source: str, *args: object, called: str = "") -> None:
        """Deploys a contract by its source, to be called by its own name unless told otherwise."""
        name = source.rpartition("/")[2].removesuffix(".sol")
        path = f"{ARTIFACTS}/{source}/{name}.json"
        self.abis[called or name] = json.loads(self.packages.path(path).read_text("utf-8"))["abi"]
        self.addresses[called or name] = linker.deploy(source, args)

    def function(self, contract: str, name: str) -> dict[str, Any]:
        """A function of a contract's ABI by its name."""
        (found,) = (one for one in self.abis[contract] if one["type"] == "function" and one["name"] == name)
        return found

    def act(self, contract: str, name: str, *args: object) -> None:
        """A transaction of the deployer."""
        inputs = tuple(Parameter(type_of(one), one["name"]) for one in self.function(contract, name)["inputs"])
        self.anvil.transact(self.anvil.accounts[0], self.addresses[contract], Signature(name, inputs).source, *args)

    def initialize(self, contract: str) -> None:
        """Tells a contract where the others are."""
        names = [one["name"].removeprefix("_") for one in self.function(contract, "init")["inputs"]]
        self.act(contract, "init", *(self.addresses[CALLED[name]] for name in names))


def build_system(anvil: Anvil, packages: Packages) -> System:
    """Everything deployed, introduced to each other and set up; no board yet, and no liquidity."""
    system = System(anvil, packages)
    deploy(system, Linker(anvil, packages, ARTIFACTS))
    set_up_synthetix(system)
    introduce(system)
    for contract, function, parameters in CONFIGURED:
        (struct,) = system.function(contract, function)["inputs"]
        system.act(contract, function, tuple(parameters[one["name"]] for one in struct["components"]))
    system.act("ShortPoolHedger", "setShortBuffer", SHORT_BUFFER)
    return system


def deploy(system: System, linker: Linker) -> None:
    """All contracts."""
    for name in MARKET:
        system.add(linker, f"contracts/{name}.sol")
    system.add(linker, "contracts/LiquidityToken.sol", f"{QUOTE}/{BASE} Pool Tokens", "LyraELPT")
    system.add(linker, "contracts/OptionToken.sol", f"{QUOTE}/{BASE} Option Tokens", "LyraEOT")
    for called, name in (*SYNTHETIX.items(), ("AddressResolver", "TestAddressResolver")):
        system.add(linker, f"{HELPERS}/{name}.sol", called=called)
    for called, symbol in (("quote", QUOTE), ("base", BASE)):
        system.add(linker, f"{HELPERS}/TestERC20Fail.sol", f"Synthetic {symbol[1:]}", symbol, called=called)


def set_up_synthetix(system: System) -> None:
    """The stand-ins: who mints, what an exchange costs, and the price of the base asset."""
    market = system.addresses["OptionMarket"]
    for minter in ("ProxySynthetix", "CollateralShort"):
        system.initialize(minter)
        system.act(minter, "addBaseAsset", key(BASE), system.addresses["base"], market)
        for asset in ("quote", "base"):
            system.act(asset, "permitMint", system.addresses[minter], True)
    places = [system.addresses[one] for one in SYNTHETIX]
    system.act("AddressResolver", "setAddresses", [key(one) for one in SYNTHETIX], places)
    system.act("Exchanger", "setFeeRateForExchange", key(BASE), key(QUOTE), FEE_BASE)
    system.act("Exchanger", "setFeeRateForExchange", key(QUOTE), key(BASE), FEE_QUOTE)
    system.act("ExchangeRates", "setRateAndInvalid", key(BASE), SPOT, False)


def introduce(system: System) -> None:
    """Each contract of the market learns of the others, and the adapter of the market."""
    system.act("SynthetixAdapter", "initialize")
    system.act("SynthetixAdapter", "setAddressResolver", system.addresses["AddressResolver"])
    for name in (*MARKET[1:], "LiquidityToken", "OptionToken"):
        system.initialize(name)
    keys = (key(QUOTE), key(BASE), SECURITY_MODULE, key(""))
    system.act("SynthetixAdapter", "setGlobalsForContract", system.addresses["OptionMarket"], *keys)
