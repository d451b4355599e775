# pragma version 0.4.3
# pragma evm-version cancun
"""
@title Lending of USDC against margin collateral, priced by the exchange's feeds
@notice Amounts are USDC base units (6 decimals), prices have 8 decimals, 1_000_000 of collateral is one unit of the
    underlying. The collateral lies with a custodian, outside this chain: here it is a claim that passes from the
    borrower to the liquidator. Only USDC moves: what the contract holds is cash, insurance fund, backstop and surplus.
    An account below its maintenance margin is liquidated whole, by anybody, at a discount. What the sale lacks to the
    debt is bad debt: the insurance fund pays it, then the backstop, and what neither can pay is the lenders' loss.
    The guardian may only restrict (pause borrowing, slow liquidations); governance may also loosen.
"""

interface Token:
    def balanceOf(account: address) -> uint256: view
    def transfer(receiver: address, amount: uint256) -> bool: nonpayable
    def transferFrom(owner: address, receiver: address, amount: uint256) -> bool: nonpayable

interface Feed:
    def latestRoundData() -> (uint80, int256, uint256, uint256, uint80): view

struct Listing:
    market: bytes32
    feed: address

struct Opening:
    market: bytes32
    account: address
    collateral: uint256
    debt: uint256

struct Position:
    collateral: uint256
    debt: uint256

event Borrowed:
    market: indexed(bytes32)
    account: indexed(address)
    amount: uint256

event Repaid:
    market: indexed(bytes32)
    account: indexed(address)
    amount: uint256

event Liquidated:
    market: indexed(bytes32)
    account: indexed(address)
    debt: uint256
    collateral: uint256  # its value at the feed's price, in USDC

event BadDebt:
    market: indexed(bytes32)
    insurance: uint256
    backstop: uint256
    lenders: uint256

event FundToppedUp:
    amount: uint256

event BorrowingPausedSet:
    market: indexed(bytes32)
    paused: bool
    by: indexed(address)

event LiquidationLimitSet:
    capacity: uint256
    period: uint256
    by: indexed(address)

MARKETS: constant(uint256) = 8
ACCOUNTS: constant(uint256) = 16  # of a market
OPENINGS: constant(uint256) = 64
UNDERWATER: constant(uint256) = 128
BPS: constant(uint256) = 10_000
PRICE_UNIT: constant(uint256) = 10**8
INITIAL_MARGIN: public(constant(uint256)) = 800  # bps of the collateral's value that may not be borrowed
MAINTENANCE_MARGIN: public(constant(uint256)) = 400  # bps below which an account is liquidated
DISCOUNT: public(constant(uint256)) = 200  # bps a liquidator pays less than the feed's price
LARGEST: constant(uint256) = 2**128  # of a limit's capacity and period: their product with a time never overflows

token: public(immutable(address))
guardian: public(immutable(address))
governance: public(immutable(address))

marketIds: public(DynArray[bytes32, MARKETS])
feedOf: public(HashMap[bytes32, address])
borrowers: HashMap[bytes32, DynArray[address, ACCOUNTS]]
position: public(HashMap[bytes32, HashMap[address, Position]])
totalDebt: public(HashMap[bytes32, uint256])
borrowingPaused: public(HashMap[bytes32, bool])
claims: public(HashMap[bytes32, HashMap[address, uint256]])  # collateral that a liquidator has bought

cash: public(uint256)
insuranceFund: public(uint256)
backstop: public(uint256)
surplusOf: public(HashMap[address, uint256])  # what a liquidation left to its borrower
totalSurplus: public(uint256)
lendersLoss: public(uint256)

liquidationCapacity: public(uint256)
liquidationPeriod: public(uint256)
bucketLevel: uint256
bucketTime: uint256


@deploy
def __init__(
    token_: address,
    guardian_: address,
    governance_: address,
    listings: DynArray[Listing, MARKETS],
    openings: DynArray[Opening, OPENINGS],
    reserves: uint256[3],
    capacity: uint256,
    period: uint256,
):
    self._require_limit(capacity, period)
    token = token_
    guardian = guardian_
    governance = governance_
    for one: Listing in listings:
        assert self.feedOf[one.market] == empty(address), "the market is listed twice"
        self.feedOf[one.market] = one.feed
        self.marketIds.append(one.market)
    # accounts that were opened before this contract took the book over
    for one: Opening in openings:
        self._require_listed(one.market)
        assert self.position[one.market][one.account].debt == 0, "the account is opened twice"
        self.borrowers[one.market].append(one.account)
        self.position[one.market][one.account] = Position(collateral=one.collateral, debt=one.debt)
        self.totalDebt[one.market] += one.debt
    self.cash = reserves[0]
    self.insuranceFund = reserves[1]
    self.backstop = reserves[2]
    assert staticcall Token(token_).balanceOf(self) >= reserves[0] + reserves[1] + reserves[2], "the money is not here"
    self.liquidationCapacity = capacity
    self.liquidationPeriod = period
    self.bucketLevel = capacity
    self.bucketTime = block.timestamp


# --- the users ------------------------------------------------------------------------------------------------


@external
def borrow(market: bytes32, amount: uint256):
    self._require_listed(market)
    assert not self.borrowingPaused[market], "borrowing is paused"
    assert amount <= self._room(market, msg.sender, self._price(market)), "the margin is too small"
    assert amount <= self.cash, "there is no cash"
    self.position[market][msg.sender].debt += amount
    self.totalDebt[market] += amount
    self.cash -= amount
    assert extcall Token(token).transfer(msg.sender, amount), "the token refused"
    log Borrowed(market=market, account=msg.sender, amount=amount)


@external
def repay(market: bytes32, amount: uint256):
    assert self.position[market][msg.sender].debt >= amount, "the debt is smaller"
    self.position[market][msg.sender].debt -= amount
    self.totalDebt[market] -= amount
    self.cash += amount
    assert extcall Token(token).transferFrom(msg.sender, self, amount), "the token refused"
    log Repaid(market=market, account=msg.sender, amount=amount)


@external
def liquidate(market: bytes32, account: address):
    self._require_listed(market)
    price: uint256 = self._price(market)
    found: Position = self.position[market][account]
    assert self._is_unhealthy(found, price), "the account is healthy"
    level: uint256 = self._available()
    assert level >= found.debt, "the liquidation limit is reached"
    self.bucketLevel = level - found.debt
    self.bucketTime = block.timestamp
    paid: uint256 = self._proceeds(found.collateral, price)
    self.position[market][account] = empty(Position)
    self.totalDebt[market] -= found.debt
    self.claims[market][msg.sender] += found.collateral
    self._settle(market, account, found.debt, paid)
    assert extcall Token(token).transferFrom(msg.sender, self, paid), "the token refused"
    log Liquidated(
        market=market, account=account, debt=found.debt, collateral=self._worth(found.collateral, price)
    )


@external
def takeSurplus():
    amount: uint256 = self.surplusOf[msg.sender]
    assert amount > 0, "there is no surplus"
    self.surplusOf[msg.sender] = 0
    self.totalSurplus -= amount
    assert extcall Token(token).transfer(msg.sender, amount), "the token refused"


@external
def topUp():
    # money that was sent here and belongs to nobody goes to the insurance fund
    held: uint256 = staticcall Token(token).balanceOf(self)
    amount: uint256 = held - self.cash - self.insuranceFund - self.backstop - self.totalSurplus
    assert amount > 0, "nothing was sent"
    self.insuranceFund += amount
    log FundToppedUp(amount=amount)


# --- the levers -----------------------------------------------------------------------------------------------


@external
def setBorrowingPaused(market: bytes32, paused: bool):
    self._require_listed(market)
    assert msg.sender == governance or (msg.sender == guardian and paused), "the guardian may only pause"
    assert self.borrowingPaused[market] != paused, "the market is already in this state"
    self.borrowingPaused[market] = paused
    log BorrowingPausedSet(market=market, paused=paused, by=msg.sender)


@external
def setLiquidationLimit(capacity: uint256, period: uint256):
    self._require_limit(capacity, period)
    assert capacity != self.liquidationCapacity or period != self.liquidationPeriod, "the limit is already this"
    if msg.sender != governance:
        assert msg.sender == guardian, "neither guardian nor governance"
        assert self._tightens(capacity, period), "the guardian may only tighten"
    self.bucketLevel = min(self._available(), capacity)
    self.bucketTime = block.timestamp
    self.liquidationCapacity = capacity
    self.liquidationPeriod = period
    log LiquidationLimitSet(capacity=capacity, period=period, by=msg.sender)


# --- views ----------------------------------------------------------------------------------------------------


@external
@view
def accounts(market: bytes32) -> DynArray[address, ACCOUNTS]:
    return self.borrowers[market]


@external
@view
def borrowingRoom(market: bytes32, account: address) -> uint256:
    self._require_listed(market)
    return self._room(market, account, self._price(market))


@external
@view
def liquidationAvailable() -> uint256:
    return self._available()


@external
@view
def stressedLoss(market: bytes32, shockBps: uint256) -> uint256:
    # what the sales of all collateral would lack to the debts if the price were lower by the shock
    self._require_listed(market)
    assert shockBps <= BPS, "the shock is more than everything"
    price: uint256 = self._price(market) * (BPS - shockBps) // BPS
    loss: uint256 = 0
    for account: address in self.borrowers[market]:
        found: Position = self.position[market][account]
        proceeds: uint256 = self._proceeds(found.collateral, price)
        loss += found.debt - proceeds if found.debt > proceeds else 0
    return loss


@external
@view
def unhealthyAccounts() -> (DynArray[bytes32, UNDERWATER], DynArray[address, UNDERWATER], DynArray[uint256, UNDERWATER]):
    # every account that can be liquidated now: its market, its address, its debt
    markets: DynArray[bytes32, UNDERWATER] = []
    found: DynArray[address, UNDERWATER] = []
    debts: DynArray[uint256, UNDERWATER] = []
    for market: bytes32 in self.marketIds:
        price: uint256 = self._price(market)
        for account: address in self.borrowers[market]:
            if self._is_unhealthy(self.position[market][account], price):
                markets.append(market)
                found.append(account)
                debts.append(self.position[market][account].debt)
    return markets, found, debts


# --- inside ---------------------------------------------------------------------------------------------------


@internal
def _settle(market: bytes32, account: address, debt: uint256, paid: uint256):
    if paid >= debt:
        self.cash += debt
        self.surplusOf[account] += paid - debt
        self.totalSurplus += paid - debt
        return
    short: uint256 = debt - paid
    insurance: uint256 = min(short, self.insuranceFund)
    behind: uint256 = min(short - insurance, self.backstop)
    self.insuranceFund -= insurance
    self.backstop -= behind
    self.lendersLoss += short - insurance - behind
    self.cash += paid + insurance + behind
    log BadDebt(market=market, insurance=insurance, backstop=behind, lenders=short - insurance - behind)


@internal
@view
def _require_listed(market: bytes32):
    assert self.feedOf[market] != empty(address), "the market is not listed"


@internal
@view
def _price(market: bytes32) -> uint256:
    answer: int256 = (staticcall Feed(self.feedOf[market]).latestRoundData())[1]
    assert answer > 0, "the answer is not positive"
    return convert(answer, uint256)


@internal
@pure
def _worth(collateral: uint256, price: uint256) -> uint256:
    return collateral * price // PRICE_UNIT


@internal
@pure
def _proceeds(collateral: uint256, price: uint256) -> uint256:
    return self._worth(collateral, price) * (BPS - DISCOUNT) // BPS


@internal
@view
def _room(market: bytes32, account: address, price: uint256) -> uint256:
    found: Position = self.position[market][account]
    most: uint256 = self._worth(found.collateral, price) * (BPS - INITIAL_MARGIN) // BPS
    return most - found.debt if most > found.debt else 0


@internal
@pure
def _is_unhealthy(found: Position, price: uint256) -> bool:
    return found.debt > self._worth(found.collateral, price) * (BPS - MAINTENANCE_MARGIN) // BPS


@internal
@view
def _available() -> uint256:
    refill: uint256 = self.liquidationCapacity * (block.timestamp - self.bucketTime) // self.liquidationPeriod
    return min(self.bucketLevel + refill, self.liquidationCapacity)


@internal
@pure
def _require_limit(capacity: uint256, period: uint256):
    assert period > 0, "the period is zero"
    assert capacity < LARGEST and period < LARGEST, "the limit is out of range"


@internal
@view
def _tightens(capacity: uint256, period: uint256) -> bool:
    # rates are compared as fractions, without dividing
    old_rate: uint256 = self.liquidationCapacity * period
    new_rate: uint256 = capacity * self.liquidationPeriod
    if capacity > self.liquidationCapacity or new_rate > old_rate:
        return False
    return capacity < self.liquidationCapacity or new_rate < old_rate
