# pragma version 0.4.3
"""A Safe's guard that lets nothing through, before the call or after it."""

afterwards: bool


@deploy
def __init__(afterwards: bool):
    self.afterwards = afterwards


@external
@view
def supportsInterface(interface_id: bytes4) -> bool:
    return True


@external
@view
def checkTransaction(
    to: address,
    amount: uint256,
    data: Bytes[8192],
    operation: uint8,
    safe_tx_gas: uint256,
    base_gas: uint256,
    gas_price: uint256,
    gas_token: address,
    refund_receiver: address,
    signatures: Bytes[1024],
    sender: address,
):
    assert self.afterwards, "not through this guard"


@external
@view
def checkAfterExecution(hash: bytes32, success: bool):
    assert not self.afterwards, "not past this guard"
