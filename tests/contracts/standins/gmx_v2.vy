# pragma version 0.4.3
# pragma evm-version cancun
"""
@title Stand-in for the Config of GMX v2 and, at the same address, its DataStore and its RoleStore
"""

CONFIG_KEEPER: immutable(bytes32)

roles: HashMap[address, HashMap[bytes32, bool]]
bools: HashMap[bytes32, bool]
allowedBaseKeys: public(HashMap[bytes32, bool])


@deploy
def __init__(keeper: address):
    CONFIG_KEEPER = keccak256(abi_encode("CONFIG_KEEPER"))
    self.roles[keeper][CONFIG_KEEPER] = True
    self.allowedBaseKeys[keccak256(abi_encode("CREATE_ORDER_FEATURE_DISABLED"))] = True
    self.allowedBaseKeys[keccak256(abi_encode("EXECUTE_ORDER_FEATURE_DISABLED"))] = True
    self.allowedBaseKeys[keccak256(abi_encode("IS_MARKET_DISABLED"))] = True


@external
@view
def dataStore() -> address:
    return self


@external
@view
def roleStore() -> address:
    return self


@external
@view
def hasRole(account: address, roleKey: bytes32) -> bool:
    return self.roles[account][roleKey]


@external
@view
def getBool(key: bytes32) -> bool:
    return self.bools[key]


@external
def setBool(baseKey: bytes32, data: Bytes[128], flag: bool):
    if not self.roles[msg.sender][CONFIG_KEEPER]:
        raw_revert(abi_encode(msg.sender, "CONFIG_KEEPER", method_id=method_id("Unauthorized(address,string)")))
    if not self.allowedBaseKeys[baseKey]:
        raw_revert(abi_encode(baseKey, method_id=method_id("InvalidBaseKey(bytes32)")))
    self.bools[keccak256(concat(baseKey, data))] = flag
