# pragma version 0.4.3
# pragma evm-version cancun
"""
@title Stand-in for a handler of GMX v2: features are disabled by handler and order type, a market for every order
"""

interface DataStore:
    def getBool(key: bytes32) -> bool: view

LIQUIDATION: constant(uint256) = 7

dataStore: public(DataStore)
done: public(uint256)


@deploy
def __init__(data_store: address):
    self.dataStore = DataStore(data_store)


@internal
@view
def validate_feature(base: bytes32, order_type: uint256):
    key: bytes32 = keccak256(abi_encode(base, self, order_type))
    if staticcall self.dataStore.getBool(key):
        raw_revert(abi_encode(key, method_id=method_id("DisabledFeature(bytes32)")))


@internal
@view
def validate_market(market: address):
    if staticcall self.dataStore.getBool(keccak256(abi_encode(keccak256(abi_encode("IS_MARKET_DISABLED")), market))):
        raw_revert(abi_encode(market, method_id=method_id("DisabledMarket(address)")))


@external
def createOrder(market: address, order_type: uint256):
    self.validate_feature(keccak256(abi_encode("CREATE_ORDER_FEATURE_DISABLED")), order_type)
    self.validate_market(market)
    self.done += 1


@external
def executeOrder(market: address, order_type: uint256):
    self.validate_market(market)
    self.validate_feature(keccak256(abi_encode("EXECUTE_ORDER_FEATURE_DISABLED")), order_type)
    self.done += 1


@external
def executeLiquidation(market: address, account: address):
    self.validate_market(market)
    self.validate_feature(keccak256(abi_encode("EXECUTE_ORDER_FEATURE_DISABLED")), LIQUIDATION)
    self.done += 1
