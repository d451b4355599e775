# pragma version 0.4.3
# pragma evm-version cancun
"""
@title An exchange of cash-settled American calls over one USDC vault
@notice Amounts are USDC base units (6 decimals), prices have 8 decimals, a quantity of 1_000_000 is one call.
    A premium is quoted from a market's feed, a payoff from its reference: while both agree, exercising at once
    loses the time value; while the feed is too low, it takes value out of the pool. The exchange refuses an
    answer that is not positive and asks nothing else of a feed.
    The guardian may only restrict (pause, tighten, shut down); governance may also loosen, but nothing undoes
    a shutdown. A lever that would change nothing reverts.
"""

interface Token:
    def transfer(receiver: address, amount: uint256) -> bool: nonpayable
    def transferFrom(owner: address, receiver: address, amount: uint256) -> bool: nonpayable

interface Feed:
    def latestRoundData() -> (uint80, int256, uint256, uint256, uint80): view

struct Terms:
    id: bytes32
    feed: address
    reference: address
    strike: uint256
    timeValue: uint256

event Deposit:
    account: indexed(address)
    amount: uint256

event Withdrawal:
    account: indexed(address)
    amount: uint256

event Provided:
    account: indexed(address)
    amount: uint256
    shares: uint256

event Redeemed:
    account: indexed(address)
    amount: uint256
    shares: uint256

event Bought:
    market: indexed(bytes32)
    account: indexed(address)
    quantity: uint256
    premium: uint256

event Exercised:
    market: indexed(bytes32)
    account: indexed(address)
    quantity: uint256
    payoff: uint256

event Settled:
    market: indexed(bytes32)
    account: indexed(address)
    quantity: uint256
    payoff: uint256

event MarketPausedSet:
    market: indexed(bytes32)
    paused: bool
    by: indexed(address)

event WithdrawalLimitSet:
    capacity: uint256
    period: uint256
    by: indexed(address)

event ShutDown:
    by: indexed(address)

event SettlementPriceFrozen:
    market: indexed(bytes32)
    price: uint256

event GuardianSet:
    guardian: indexed(address)

MARKETS: constant(uint256) = 16
PRICE_UNIT: constant(uint256) = 10**8
LARGEST: constant(uint256) = 2**128  # of a limit's capacity and period: their product with a time never overflows

token: public(immutable(address))
governance: public(immutable(address))
guardian: public(address)

marketIds: public(DynArray[bytes32, MARKETS])
terms: HashMap[bytes32, Terms]
marketPaused: public(HashMap[bytes32, bool])
openInterest: public(HashMap[bytes32, uint256])
position: public(HashMap[address, HashMap[bytes32, uint256]])

balanceOf: public(HashMap[address, uint256])
totalBalances: public(uint256)
pool: public(uint256)
sharesOf: public(HashMap[address, uint256])
totalShares: public(uint256)

withdrawalCapacity: public(uint256)
withdrawalPeriod: public(uint256)
bucketLevel: uint256
bucketTime: uint256

shutDown: public(bool)
settlementPrice: public(HashMap[bytes32, uint256])
settlementOwed: public(uint256)


@deploy
def __init__(
    token_: address,
    guardian_: address,
    governance_: address,
    markets: DynArray[Terms, MARKETS],
    capacity: uint256,
    period: uint256,
):
    self._require_limit(capacity, period)
    token = token_
    governance = governance_
    self.guardian = guardian_
    for one: Terms in markets:
        assert self.terms[one.id].feed == empty(address), "the market is listed twice"
        self.terms[one.id] = one
        self.marketIds.append(one.id)
    self.withdrawalCapacity = capacity
    self.withdrawalPeriod = period
    self.bucketLevel = capacity
    self.bucketTime = block.timestamp


# --- the users ------------------------------------------------------------------------------------------------


@external
def deposit(amount: uint256):
    self._deposit(msg.sender, amount)


@external
def depositFor(account: address, amount: uint256):
    self._deposit(account, amount)


@external
def withdraw(amount: uint256):
    assert self.balanceOf[msg.sender] >= amount, "the balance is too small"
    level: uint256 = self._available()
    assert level >= amount, "the withdrawal limit is reached"
    self.bucketLevel = level - amount
    self.bucketTime = block.timestamp
    self.balanceOf[msg.sender] -= amount
    self.totalBalances -= amount
    assert extcall Token(token).transfer(msg.sender, amount), "the token refused"
    log Withdrawal(account=msg.sender, amount=amount)


@external
def provide(amount: uint256):
    assert not self.shutDown, "the exchange is shut down"
    shares: uint256 = amount if self.totalShares == 0 else amount * self.totalShares // self.pool
    self._debit(msg.sender, amount)
    self.pool += amount
    self.sharesOf[msg.sender] += shares
    self.totalShares += shares
    log Provided(account=msg.sender, amount=amount, shares=shares)


@external
def redeem(shares: uint256):
    assert self.sharesOf[msg.sender] >= shares, "the shares are too few"
    amount: uint256 = shares * self.pool // self.totalShares
    self.sharesOf[msg.sender] -= shares
    self.totalShares -= shares
    self._pay(msg.sender, amount)
    assert self.pool >= self.settlementOwed, "the pool owes settlements"
    log Redeemed(account=msg.sender, amount=amount, shares=shares)


@external
def buy(market: bytes32, quantity: uint256, maxPremium: uint256):
    self._require_open(market)
    amount: uint256 = self._premium(market, quantity)
    assert amount <= maxPremium, "the premium is above the maximum"
    self._debit(msg.sender, amount)
    self.pool += amount
    self.position[msg.sender][market] += quantity
    self.openInterest[market] += quantity
    log Bought(market=market, account=msg.sender, quantity=quantity, premium=amount)


@external
def exercise(market: bytes32, quantity: uint256):
    self._require_open(market)
    self._close(msg.sender, market, quantity)
    amount: uint256 = self._payoff(market, quantity, self._answer(self.terms[market].reference))
    self._pay(msg.sender, amount)
    log Exercised(market=market, account=msg.sender, quantity=quantity, payoff=amount)


@external
def settle(market: bytes32):
    assert self.shutDown, "the exchange is not shut down"
    quantity: uint256 = self.position[msg.sender][market]
    assert quantity > 0, "there is no position"
    self._close(msg.sender, market, quantity)
    amount: uint256 = self._payoff(market, quantity, self.settlementPrice[market])
    self.settlementOwed -= amount
    self._pay(msg.sender, amount)
    log Settled(market=market, account=msg.sender, quantity=quantity, payoff=amount)


# --- the levers -----------------------------------------------------------------------------------------------


@external
def setMarketPaused(market: bytes32, paused: bool):
    self._require_listed(market)
    assert msg.sender == governance or (msg.sender == self.guardian and paused), "the guardian may only pause"
    assert self.marketPaused[market] != paused, "the market is already in this state"
    self.marketPaused[market] = paused
    log MarketPausedSet(market=market, paused=paused, by=msg.sender)


@external
def setWithdrawalLimit(capacity: uint256, period: uint256):
    self._require_limit(capacity, period)
    assert capacity != self.withdrawalCapacity or period != self.withdrawalPeriod, "the limit is already this"
    if msg.sender != governance:
        assert msg.sender == self.guardian, "neither guardian nor governance"
        assert self._tightens(capacity, period), "the guardian may only tighten"
    self.bucketLevel = min(self._available(), capacity)
    self.bucketTime = block.timestamp
    self.withdrawalCapacity = capacity
    self.withdrawalPeriod = period
    log WithdrawalLimitSet(capacity=capacity, period=period, by=msg.sender)


@external
def shutdown():
    assert msg.sender == self.guardian or msg.sender == governance, "neither guardian nor governance"
    assert not self.shutDown, "the exchange is already shut down"
    self.shutDown = True
    for market: bytes32 in self.marketIds:
        price: uint256 = self._final_price(market)
        self.settlementPrice[market] = price
        self.settlementOwed += self._payoff(market, self.openInterest[market], price)
        log SettlementPriceFrozen(market=market, price=price)
    log ShutDown(by=msg.sender)


@external
def setGuardian(guardian_: address):
    assert msg.sender == governance, "only governance names the guardian"
    assert self.guardian != guardian_, "it is the guardian already"
    self.guardian = guardian_
    log GuardianSet(guardian=guardian_)


# --- views ----------------------------------------------------------------------------------------------------


@external
@view
def marketCount() -> uint256:
    return len(self.marketIds)


@external
@view
def marketTerms(market: bytes32) -> Terms:
    self._require_listed(market)
    return self.terms[market]


@external
@view
def sharePrice() -> uint256:
    # USDC units of the pool per share, 18 decimals
    return self.pool * 10**18 // self.totalShares if self.totalShares > 0 else 10**18


@external
@view
def withdrawalAvailable() -> uint256:
    return self._available()


@external
@view
def premium(market: bytes32, quantity: uint256) -> uint256:
    self._require_listed(market)
    return self._premium(market, quantity)


@external
@view
def payoff(market: bytes32, quantity: uint256) -> uint256:
    self._require_listed(market)
    return self._payoff(market, quantity, self._answer(self.terms[market].reference))


# --- inside ---------------------------------------------------------------------------------------------------


@internal
def _deposit(account: address, amount: uint256):
    self.balanceOf[account] += amount
    self.totalBalances += amount
    assert extcall Token(token).transferFrom(msg.sender, self, amount), "the token refused"
    log Deposit(account=account, amount=amount)


@internal
def _debit(account: address, amount: uint256):
    assert self.balanceOf[account] >= amount, "the balance is too small"
    self.balanceOf[account] -= amount
    self.totalBalances -= amount


@internal
def _pay(account: address, amount: uint256):
    assert self.pool >= amount, "the pool cannot pay"
    self.pool -= amount
    self.balanceOf[account] += amount
    self.totalBalances += amount


@internal
def _close(account: address, market: bytes32, quantity: uint256):
    assert self.position[account][market] >= quantity, "the position is too small"
    self.position[account][market] -= quantity
    self.openInterest[market] -= quantity


@internal
@view
def _require_listed(market: bytes32):
    assert self.terms[market].feed != empty(address), "the market is not listed"


@internal
@view
def _require_open(market: bytes32):
    self._require_listed(market)
    assert not self.shutDown, "the exchange is shut down"
    assert not self.marketPaused[market], "the market is paused"


@internal
@view
def _answer(feed: address) -> uint256:
    answer: int256 = (staticcall Feed(feed).latestRoundData())[1]
    assert answer > 0, "the answer is not positive"
    return convert(answer, uint256)


@internal
@view
def _final_price(market: bytes32) -> uint256:
    # a dead reference must not stop a shutdown: then the feed settles, then zero
    found: uint256 = self._try_answer(self.terms[market].reference)
    return found if found > 0 else self._try_answer(self.terms[market].feed)


@internal
@view
def _try_answer(feed: address) -> uint256:
    success: bool = False
    response: Bytes[160] = b""
    success, response = raw_call(
        feed, method_id("latestRoundData()"), max_outsize=160, is_static_call=True, revert_on_failure=False
    )
    if not success or len(response) != 160:
        return 0
    answer: int256 = extract32(response, 32, output_type=int256)
    return convert(answer, uint256) if answer > 0 else 0


@internal
@view
def _premium(market: bytes32, quantity: uint256) -> uint256:
    terms: Terms = self.terms[market]
    price: uint256 = self._answer(terms.feed)
    intrinsic: uint256 = price - terms.strike if price > terms.strike else 0
    return (quantity * (intrinsic + terms.timeValue) + PRICE_UNIT - 1) // PRICE_UNIT


@internal
@view
def _payoff(market: bytes32, quantity: uint256, price: uint256) -> uint256:
    strike: uint256 = self.terms[market].strike
    return quantity * (price - strike) // PRICE_UNIT if price > strike else 0


@internal
@view
def _available() -> uint256:
    refill: uint256 = self.withdrawalCapacity * (block.timestamp - self.bucketTime) // self.withdrawalPeriod
    return min(self.bucketLevel + refill, self.withdrawalCapacity)


@internal
@pure
def _require_limit(capacity: uint256, period: uint256):
    assert period > 0, "the period is zero"
    assert capacity < LARGEST and period < LARGEST, "the limit is out of range"


@internal
@view
def _tightens(capacity: uint256, period: uint256) -> bool:
    # rates are compared as fractions, without dividing
    old_rate: uint256 = self.withdrawalCapacity * period
    new_rate: uint256 = capacity * self.withdrawalPeriod
    if capacity > self.withdrawalCapacity or new_rate > old_rate:
        return False
    return capacity < self.withdrawalCapacity or new_rate < old_rate
