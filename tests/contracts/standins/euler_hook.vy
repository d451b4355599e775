# pragma version 0.4.3
"""A hook target of Euler v2 that lets everything through and counts."""

calls: public(uint256)


@external
@view
def isHookTarget() -> bytes4:
    return method_id("isHookTarget()", output_type=bytes4)


@external
def __default__():
    self.calls += 1
