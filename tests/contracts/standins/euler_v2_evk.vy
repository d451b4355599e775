# pragma version 0.4.3
"""Stands in for an Euler v2 vault: hooked operations, caps as decimal floats, and one governor."""

interface HookTarget:
    def isHookTarget() -> bytes4: view

OP_DEPOSIT: constant(uint8) = 0
OP_MINT: constant(uint8) = 1
OP_BORROW: constant(uint8) = 6
OP_LIQUIDATE: constant(uint8) = 11
OP_VAULT_STATUS_CHECK: constant(uint8) = 14
OP_MAX_VALUE: constant(uint32) = 2**15

governorAdmin: public(address)
totalAssets: public(uint256)
totalBorrows: public(uint256)
cash: public(uint256)
hook_target: address
hooked_ops: uint32
supply_cap: uint16
borrow_cap: uint16


@deploy
def __init__(governor: address, supply_cap: uint16, borrow_cap: uint16):
    self.governorAdmin = governor
    self.supply_cap = supply_cap
    self.borrow_cap = borrow_cap


@external
@view
def hookConfig() -> (address, uint32):
    return self.hook_target, self.hooked_ops


@external
@view
def caps() -> (uint16, uint16):
    return self.supply_cap, self.borrow_cap


@external
def setHookConfig(target: address, ops: uint32):
    assert msg.sender == self.governorAdmin, "E_Unauthorized"
    if target != empty(address):
        assert staticcall HookTarget(target).isHookTarget() == method_id("isHookTarget()", output_type=bytes4), "E_NotHookTarget"
    assert ops < OP_MAX_VALUE, "E_NotSupported"
    self.hook_target = target
    self.hooked_ops = ops


@external
def setCaps(supply_cap: uint16, borrow_cap: uint16):
    assert msg.sender == self.governorAdmin, "E_Unauthorized"
    self.supply_cap = supply_cap
    self.borrow_cap = borrow_cap


@external
def deposit(assets: uint256, receiver: address):
    self._begin(OP_DEPOSIT)
    self._supply(assets)


@external
def mint(shares: uint256, receiver: address):
    self._begin(OP_MINT)
    self._supply(shares)


@external
def borrow(assets: uint256, receiver: address):
    self._begin(OP_BORROW)
    self.cash -= assets
    self.totalBorrows += assets
    assert self.totalBorrows <= self._resolved(self.borrow_cap), "E_BorrowCapExceeded"


@external
def liquidate(violator: address, collateral: address, repay: uint256, least: uint256):
    self._begin(OP_LIQUIDATE)


@internal
def _supply(assets: uint256):
    self.cash += assets
    self.totalAssets += assets
    assert self.totalAssets <= self._resolved(self.supply_cap), "E_SupplyCapExceeded"


@internal
def _begin(operation: uint8):
    self._hook(operation)
    self._hook(OP_VAULT_STATUS_CHECK)


@internal
def _hook(operation: uint8):
    if convert(self.hooked_ops, uint256) >> convert(operation, uint256) & 1 == 0:
        return
    assert self.hook_target != empty(address), "E_OperationDisabled"
    raw_call(self.hook_target, slice(msg.data, 0, 4))


@internal
@pure
def _resolved(raw: uint16) -> uint256:
    if raw == 0:
        return max_value(uint256)
    return 10 ** (convert(raw, uint256) & 63) * (convert(raw, uint256) >> 6) // 100
