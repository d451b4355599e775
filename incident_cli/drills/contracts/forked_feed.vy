# pragma version 0.4.3
# pragma evm-version cancun
"""
@title A feed of a forked chain that answers what a drill injects
@notice Chainlink's views of the latest round say the injected answer. Every other call (decimals, description, older
        rounds) goes to a copy of the real feed's code, in the real feed's storage.
"""

real: immutable(address)
answer: immutable(int256)
first: immutable(uint80)
began: immutable(uint256)
updated: immutable(uint256)  # 0: a new round in every second that has a block


@deploy
def __init__(real_: address, answer_: int256, first_: uint80, began_: uint256, updated_: uint256):
    real = real_
    answer = answer_
    first = first_
    began = began_
    updated = updated_


@external
@view
def latestRoundData() -> (uint80, int256, uint256, uint256, uint80):
    return self._round(self._latest())


@external
@view
def latestAnswer() -> int256:
    return answer


@external
@view
def latestTimestamp() -> uint256:
    return self._time(self._latest())


@external
@view
def latestRound() -> uint256:
    return convert(self._latest(), uint256)


@external
def getRoundData(roundId: uint80) -> (uint80, int256, uint256, uint256, uint80):
    if first <= roundId and roundId <= self._latest():
        return self._round(roundId)
    found: Bytes[160] = raw_call(real, msg.data, max_outsize=160, is_delegate_call=True)
    return abi_decode(found, (uint80, int256, uint256, uint256, uint80))


@external
@payable
@raw_return
def __default__() -> Bytes[4096]:
    return raw_call(real, msg.data, max_outsize=4096, is_delegate_call=True)


@internal
@view
def _latest() -> uint80:
    if updated != 0:
        return first
    return first + convert(block.timestamp - began, uint80)


@internal
@view
def _time(id: uint80) -> uint256:
    return updated if updated != 0 else began + convert(id - first, uint256)


@internal
@view
def _round(id: uint80) -> (uint80, int256, uint256, uint256, uint80):
    return (id, answer, self._time(id), self._time(id), id)
