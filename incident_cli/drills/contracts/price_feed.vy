# pragma version 0.4.3
# pragma evm-version cancun
"""
@title A price feed with Chainlink's AggregatorV3 interface
@notice One reporter pushes answers. Like the real one it serves any answer, however old, zero or negative.
"""

event AnswerUpdated:
    current: indexed(int256)
    roundId: indexed(uint256)
    updatedAt: uint256

struct Round:
    answer: int256
    updatedAt: uint256

decimals: public(constant(uint8)) = 8
version: public(constant(uint256)) = 1

description: public(String[32])
reporter: public(immutable(address))

latest: uint80
rounds: HashMap[uint80, Round]


@deploy
def __init__(reporter_: address, description_: String[32]):
    reporter = reporter_
    self.description = description_


@external
def push(answer: int256):
    assert msg.sender == reporter, "only the reporter pushes"
    self.latest += 1
    self.rounds[self.latest] = Round(answer=answer, updatedAt=block.timestamp)
    log AnswerUpdated(current=answer, roundId=convert(self.latest, uint256), updatedAt=block.timestamp)


@external
@view
def latestRoundData() -> (uint80, int256, uint256, uint256, uint80):
    return self._round(self.latest)


@external
@view
def getRoundData(roundId: uint80) -> (uint80, int256, uint256, uint256, uint80):
    return self._round(roundId)


@internal
@view
def _round(id: uint80) -> (uint80, int256, uint256, uint256, uint80):
    assert self.rounds[id].updatedAt != 0, "No data present"
    found: Round = self.rounds[id]
    return (id, found.answer, found.updatedAt, found.updatedAt, id)
