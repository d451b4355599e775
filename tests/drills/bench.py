"""What tests of the drill's contracts share: a chain of ordinary accounts, and words for what is done on it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from incident_cli.abi import decode, encode_call, parse_signature
from incident_cli.drills.accounts import Account, Order, account, created_address
from incident_cli.drills.artefacts import artefact
from incident_cli.drills.engine import Engine
from incident_cli.drills.engine_values import Receipt, Reverted
from incident_cli.evm import Address


@dataclass
class Chain:
    """A chain, and what can be asked of it."""

    engine: Engine

    def do(self, sender: Account, to: Address, function: str, *args: object, seconds: int = 12) -> Receipt:
        data = encode_call(parse_signature(function), args)
        order = Order(1, self.engine.nonce(sender.address), to, data, 2_000_000)
        mined = self.engine.mine([sender.transaction(order)], self.engine.head.timestamp + seconds)
        return mined.receipts[0]

    def done(self, sender: Account, to: Address, function: str, *args: object, seconds: int = 12) -> Receipt:
        receipt = self.do(sender, to, function, *args, seconds=seconds)
        assert receipt.status == 1, function
        return receipt

    def refused(self, sender: Account, to: Address, function: str, *args: object) -> str:
        with pytest.raises(Reverted) as caught:
            self.engine.call(to, encode_call(parse_signature(function), args), sender=sender.address)
        return str(decode(["string"], caught.value.data[4:])[0])

    def view(self, to: Address, function: str, *args: object) -> object:
        return self.views(to, function, *args)[0]

    def views(self, to: Address, function: str, *args: object) -> tuple[object, ...]:
        signature = parse_signature(function)
        return decode(signature.output_types, self.engine.call(to, encode_call(signature, args)))

    def number(self, to: Address, function: str, *args: object) -> int:
        found = self.view(to, f"{function} returns (uint256)", *args)
        assert isinstance(found, int)
        return found

    def wait(self, seconds: int) -> None:
        self.engine.mine([], self.engine.head.timestamp + seconds)

    def create(self, sender: Account, contract: str, *args: object) -> Address:
        nonce = self.engine.nonce(sender.address)
        raw = sender.transaction(Order(1, nonce, None, artefact(contract).creation(args), 8_000_000))
        assert self.engine.mine([raw]).receipts[0].status == 1, contract
        return created_address(sender.address, nonce)

    def uncreatable(self, sender: Account, contract: str, *args: object) -> str:
        with pytest.raises(Reverted) as caught:
            self.engine.call(None, artefact(contract).creation(args), sender=sender.address)
        return str(decode(["string"], caught.value.data[4:])[0])


def chain_of(*names: str) -> tuple[Chain, list[Account]]:
    """A chain with an account of ether for each name."""
    people = [account(1, name) for name in names]
    return Chain(
        Engine(seed=1, chain_id=1, genesis_time=10**9, balances=dict.fromkeys(map(of, people), 10**24))
    ), people


def of(one: Account) -> Address:
    """Its address."""
    return one.address
