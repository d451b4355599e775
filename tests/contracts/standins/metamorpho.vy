# pragma version 0.4.3
# pragma evm-version cancun
"""
@title Stand-in for a MetaMorpho vault and, at the same address, the Morpho it supplies to: caps, queues and revocations
"""

struct MarketParams:
    loanToken: address
    collateralToken: address
    oracle: address
    irm: address
    lltv: uint256

struct MarketConfig:
    cap: uint184
    enabled: bool
    removableAt: uint64

struct PendingNumber:
    value: uint192
    validAt: uint64

struct PendingAddress:
    value: address
    validAt: uint64

QUEUE: constant(uint256) = 30

owner: public(address)
curator: public(address)
guardian: public(address)
isAllocator: public(HashMap[address, bool])
asset: public(address)
timelock: public(uint256)
config: public(HashMap[bytes32, MarketConfig])
pendingCap: public(HashMap[bytes32, PendingNumber])
pendingTimelock: public(PendingNumber)
pendingGuardian: public(PendingAddress)
supplyQueue: public(DynArray[bytes32, QUEUE])
idToMarketParams: public(HashMap[bytes32, MarketParams])
supplied: public(HashMap[bytes32, uint256])
totalAssets: public(uint256)


@deploy
def __init__(curator: address, guardian: address, allocator: address, asset: address, timelock: uint256):
    self.owner = msg.sender
    self.curator = curator
    self.guardian = guardian
    self.isAllocator[allocator] = True
    self.asset = asset
    self.timelock = timelock


@internal
@view
def only(is_allowed: bool, error: Bytes[4]):
    if not is_allowed and msg.sender != self.owner:
        raw_revert(error)


@internal
@pure
def refuse_where(condition: bool, error: Bytes[4]):
    if condition:
        raw_revert(error)


@external
@view
def MORPHO() -> address:
    return self


@external
@view
def supplyQueueLength() -> uint256:
    return len(self.supplyQueue)


@external
def createMarket(params: MarketParams):
    self.idToMarketParams[keccak256(abi_encode(params))] = params


@internal
def set_cap(market: bytes32, cap: uint256):
    if cap > 0:
        self.config[market].enabled = True
        self.config[market].removableAt = 0
    self.config[market].cap = convert(cap, uint184)
    self.pendingCap[market] = empty(PendingNumber)


@external
def submitCap(params: MarketParams, newSupplyCap: uint256):
    self.only(msg.sender == self.curator, method_id("NotCuratorRole()"))
    market: bytes32 = keccak256(abi_encode(params))
    if params.loanToken != self.asset:
        raw_revert(abi_encode(market, method_id=method_id("InconsistentAsset(bytes32)")))
    self.refuse_where(self.pendingCap[market].validAt != 0, method_id("AlreadyPending()"))
    self.refuse_where(self.config[market].removableAt != 0, method_id("PendingRemoval()"))
    cap: uint256 = convert(self.config[market].cap, uint256)
    self.refuse_where(newSupplyCap == cap, method_id("AlreadySet()"))
    if newSupplyCap < cap:
        self.set_cap(market, newSupplyCap)
    else:
        valid_at: uint64 = convert(block.timestamp + self.timelock, uint64)
        self.pendingCap[market] = PendingNumber(value=convert(newSupplyCap, uint192), validAt=valid_at)


@external
def acceptCap(params: MarketParams):
    market: bytes32 = keccak256(abi_encode(params))
    pending: PendingNumber = self.pendingCap[market]
    self.refuse_where(pending.validAt == 0, method_id("NoPendingValue()"))
    self.refuse_where(block.timestamp < convert(pending.validAt, uint256), method_id("TimelockNotElapsed()"))
    self.set_cap(market, convert(pending.value, uint256))


@external
def submitMarketRemoval(params: MarketParams):
    self.only(msg.sender == self.curator, method_id("NotCuratorRole()"))
    market: bytes32 = keccak256(abi_encode(params))
    self.refuse_where(self.config[market].cap != 0, method_id("NonZeroCap()"))
    self.config[market].removableAt = convert(block.timestamp + self.timelock, uint64)


@external
def submitTimelock(newTimelock: uint256):
    self.only(False, method_id("OwnableUnauthorizedAccount()"))
    valid_at: uint64 = convert(block.timestamp + self.timelock, uint64)
    self.pendingTimelock = PendingNumber(value=convert(newTimelock, uint192), validAt=valid_at)


@external
def submitGuardian(newGuardian: address):
    self.only(False, method_id("OwnableUnauthorizedAccount()"))
    valid_at: uint64 = convert(block.timestamp + self.timelock, uint64)
    self.pendingGuardian = PendingAddress(value=newGuardian, validAt=valid_at)


@external
def acceptGuardian():
    self.refuse_where(self.pendingGuardian.validAt == 0, method_id("NoPendingValue()"))
    self.guardian = self.pendingGuardian.value
    self.pendingGuardian = empty(PendingAddress)


@external
def acceptTimelock():
    self.refuse_where(self.pendingTimelock.validAt == 0, method_id("NoPendingValue()"))
    self.timelock = convert(self.pendingTimelock.value, uint256)
    self.pendingTimelock = empty(PendingNumber)


@external
def revokePendingCap(market: bytes32):
    allowed: bool = msg.sender == self.guardian or msg.sender == self.curator
    self.only(allowed, method_id("NotCuratorNorGuardianRole()"))
    self.pendingCap[market] = empty(PendingNumber)


@external
def revokePendingMarketRemoval(market: bytes32):
    allowed: bool = msg.sender == self.guardian or msg.sender == self.curator
    self.only(allowed, method_id("NotCuratorNorGuardianRole()"))
    self.config[market].removableAt = 0


@external
def revokePendingTimelock():
    self.only(msg.sender == self.guardian, method_id("NotGuardianRole()"))
    self.pendingTimelock = empty(PendingNumber)


@external
def revokePendingGuardian():
    self.only(msg.sender == self.guardian, method_id("NotGuardianRole()"))
    self.pendingGuardian = empty(PendingAddress)


@external
def setSupplyQueue(newSupplyQueue: DynArray[bytes32, QUEUE]):
    allowed: bool = self.isAllocator[msg.sender] or msg.sender == self.curator
    self.only(allowed, method_id("NotAllocatorRole()"))
    for market: bytes32 in newSupplyQueue:
        if self.config[market].cap == 0:
            raw_revert(abi_encode(market, method_id=method_id("UnauthorizedMarket(bytes32)")))
    self.supplyQueue = newSupplyQueue


@external
def deposit(assets: uint256, receiver: address):
    left: uint256 = assets
    for market: bytes32 in self.supplyQueue:
        cap: uint256 = convert(self.config[market].cap, uint256)
        room: uint256 = cap - min(cap, self.supplied[market])
        self.supplied[market] += min(room, left)
        left -= min(room, left)
    self.refuse_where(left != 0, method_id("AllCapsReached()"))
    self.totalAssets += assets


@external
def withdraw(assets: uint256, receiver: address, owner_: address):
    self.totalAssets -= assets
