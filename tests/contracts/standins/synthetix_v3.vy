# pragma version 0.4.3
# pragma evm-version cancun
"""
@title Stand-in for a system of Synthetix v3 with feature flags: a denier may deny, only the owner takes it back
"""

WITHDRAW: constant(bytes32) = 0x7769746864726177000000000000000000000000000000000000000000000000  # "withdraw"

owner: public(address)
getFeatureFlagAllowAll: public(HashMap[bytes32, bool])
getFeatureFlagDenyAll: public(HashMap[bytes32, bool])
deniers: HashMap[bytes32, DynArray[address, 8]]
withdrawals: public(uint256)


@deploy
def __init__(owner_: address):
    self.owner = owner_
    self.getFeatureFlagAllowAll[WITHDRAW] = True


@internal
@view
def only_owner():
    if msg.sender != self.owner:
        raw_revert(abi_encode(msg.sender, method_id=method_id("Unauthorized(address)")))


@internal
@view
def has_access(feature: bytes32) -> bool:
    return self.getFeatureFlagAllowAll[feature] and not self.getFeatureFlagDenyAll[feature]


@external
def setFeatureFlagAllowAll(feature: bytes32, allowAll: bool):
    self.only_owner()
    self.getFeatureFlagAllowAll[feature] = allowAll
    if allowAll:
        self.getFeatureFlagDenyAll[feature] = False


@external
def setFeatureFlagDenyAll(feature: bytes32, denyAll: bool):
    if not denyAll or msg.sender not in self.deniers[feature]:
        self.only_owner()
    self.getFeatureFlagDenyAll[feature] = denyAll


@external
def setDeniers(feature: bytes32, deniers: DynArray[address, 8]):
    self.only_owner()
    self.deniers[feature] = deniers


@external
@view
def getDeniers(feature: bytes32) -> DynArray[address, 8]:
    return self.deniers[feature]


@external
@view
def isFeatureAllowed(feature: bytes32, account: address) -> bool:
    return self.has_access(feature)


@external
def withdraw(account: uint128, token: address, amount: uint256):
    if not self.has_access(WITHDRAW):
        raw_revert(abi_encode(WITHDRAW, method_id=method_id("FeatureUnavailable(bytes32)")))
    self.withdrawals += 1
