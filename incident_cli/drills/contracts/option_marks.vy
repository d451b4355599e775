# pragma version 0.4.3
# pragma evm-version cancun
"""
@title Marks of European calls and puts
@notice A keeper pushes what the options of a market are worth; desks quote from it. Expiries are seconds since 1970;
    strikes, calls, puts and forwards have 8 decimals, discounts and annualised volatilities 18. What has a value per
    expiry and strike is listed expiry by expiry. Like the real ones it serves whatever was pushed.
    The guardian may only pause quoting; governance may also resume it.
"""

struct Grid:
    market: bytes32
    expiries: DynArray[uint256, EXPIRIES]
    strikes: DynArray[uint256, STRIKES]

struct Marks:
    calls: DynArray[uint256, CELLS]
    puts: DynArray[uint256, CELLS]
    forwards: DynArray[uint256, EXPIRIES]
    discounts: DynArray[uint256, EXPIRIES]
    ivs: DynArray[uint256, CELLS]

event MarksPushed:
    market: indexed(bytes32)
    updatedAt: uint256

event QuotingPausedSet:
    market: indexed(bytes32)
    paused: bool
    by: indexed(address)

MARKETS: constant(uint256) = 16
EXPIRIES: constant(uint256) = 4
STRIKES: constant(uint256) = 8
CELLS: constant(uint256) = 32
WIDTH: constant(uint256) = 80  # bits of a value: three share a word, which makes a push three times as cheap
LARGEST: constant(uint256) = 2**80 - 1

keeper: public(immutable(address))
guardian: public(immutable(address))
governance: public(immutable(address))

quotingPaused: public(HashMap[bytes32, bool])
updatedAt: public(HashMap[bytes32, uint256])
expiries: HashMap[bytes32, DynArray[uint256, EXPIRIES]]
strikes: HashMap[bytes32, DynArray[uint256, STRIKES]]
cells: HashMap[bytes32, uint256[CELLS]]  # call, put and volatility in one word
terms: HashMap[bytes32, uint256[EXPIRIES]]  # forward and discount in one word


@deploy
def __init__(keeper_: address, guardian_: address, governance_: address, grids: DynArray[Grid, MARKETS]):
    keeper = keeper_
    guardian = guardian_
    governance = governance_
    for grid: Grid in grids:
        assert len(self.strikes[grid.market]) == 0, "the market is listed twice"
        assert len(grid.expiries) > 0 and len(grid.strikes) > 0, "the grid is empty"
        self.expiries[grid.market] = grid.expiries
        self.strikes[grid.market] = grid.strikes


@external
def push(market: bytes32, marks: Marks):
    assert msg.sender == keeper, "only the keeper pushes"
    self._require_listed(market)
    count: uint256 = len(self.expiries[market])
    size: uint256 = count * len(self.strikes[market])
    assert len(marks.forwards) == count and len(marks.discounts) == count, "one forward and discount an expiry"
    assert len(marks.calls) == size and len(marks.puts) == size and len(marks.ivs) == size, "one mark a strike"
    for place: uint256 in range(size, bound=CELLS):
        self.cells[market][place] = self._packed(marks.calls[place], marks.puts[place], marks.ivs[place])
    for place: uint256 in range(count, bound=EXPIRIES):
        self.terms[market][place] = self._packed(marks.forwards[place], marks.discounts[place], 0)
    self.updatedAt[market] = block.timestamp
    log MarksPushed(market=market, updatedAt=block.timestamp)


@external
def setQuotingPaused(market: bytes32, paused: bool):
    self._require_listed(market)
    assert msg.sender == governance or (msg.sender == guardian and paused), "the guardian may only pause"
    assert self.quotingPaused[market] != paused, "the market is already in this state"
    self.quotingPaused[market] = paused
    log QuotingPausedSet(market=market, paused=paused, by=msg.sender)


@external
@view
def quote(market: bytes32, expiry: uint256, strike: uint256, isCall: bool) -> uint256:
    # the mark a desk trades at: by the places of expiry and strike in the surface
    self._require_listed(market)
    assert not self.quotingPaused[market], "quoting is paused"
    assert self.updatedAt[market] > 0, "there are no marks yet"
    width: uint256 = len(self.strikes[market])
    assert expiry < len(self.expiries[market]) and strike < width, "there is no such option"
    return self._value(self.cells[market][expiry * width + strike], 0 if isCall else 1)


@external
@view
def surface(market: bytes32) -> (
    DynArray[uint256, EXPIRIES],
    DynArray[uint256, STRIKES],
    DynArray[uint256, CELLS],
    DynArray[uint256, CELLS],
    DynArray[uint256, EXPIRIES],
    DynArray[uint256, EXPIRIES],
    DynArray[uint256, CELLS],
):
    self._require_listed(market)
    assert self.updatedAt[market] > 0, "there are no marks yet"
    marks: Marks = empty(Marks)
    count: uint256 = len(self.expiries[market])
    for place: uint256 in range(count * len(self.strikes[market]), bound=CELLS):
        packed: uint256 = self.cells[market][place]
        marks.calls.append(self._value(packed, 0))
        marks.puts.append(self._value(packed, 1))
        marks.ivs.append(self._value(packed, 2))
    for place: uint256 in range(count, bound=EXPIRIES):
        packed: uint256 = self.terms[market][place]
        marks.forwards.append(self._value(packed, 0))
        marks.discounts.append(self._value(packed, 1))
    return (
        self.expiries[market],
        self.strikes[market],
        marks.calls,
        marks.puts,
        marks.forwards,
        marks.discounts,
        marks.ivs,
    )


@internal
@view
def _require_listed(market: bytes32):
    assert len(self.strikes[market]) > 0, "the market is not listed"


@internal
@pure
def _packed(first: uint256, second: uint256, third: uint256) -> uint256:
    assert first <= LARGEST and second <= LARGEST and third <= LARGEST, "the value is out of range"
    return first | (second << WIDTH) | (third << (2 * WIDTH))


@internal
@pure
def _value(packed: uint256, place: uint256) -> uint256:
    return (packed >> (place * WIDTH)) & LARGEST
