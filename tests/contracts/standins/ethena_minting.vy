# pragma version 0.4.3
"""Stands in for EthenaMinting: maxima per block, which a gatekeeper sets to nothing and only the admin sets."""

GATEKEEPER_ROLE: constant(bytes32) = keccak256("GATEKEEPER_ROLE")
DEFAULT_ADMIN_ROLE: constant(bytes32) = empty(bytes32)

hasRole: public(HashMap[bytes32, HashMap[address, bool]])
maxMintPerBlock: public(uint256)
maxRedeemPerBlock: public(uint256)
mintedPerBlock: public(HashMap[uint256, uint256])
redeemedPerBlock: public(HashMap[uint256, uint256])


@deploy
def __init__(gatekeeper: address, admin: address, max_mint: uint256, max_redeem: uint256):
    self.hasRole[GATEKEEPER_ROLE][gatekeeper] = True
    self.hasRole[DEFAULT_ADMIN_ROLE][admin] = True
    self.maxMintPerBlock = max_mint
    self.maxRedeemPerBlock = max_redeem


@external
def disableMintRedeem():
    self._only(GATEKEEPER_ROLE)
    self.maxMintPerBlock = 0
    self.maxRedeemPerBlock = 0


@external
def setMaxMintPerBlock(maximum: uint256):
    self._only(DEFAULT_ADMIN_ROLE)
    self.maxMintPerBlock = maximum


@external
def setMaxRedeemPerBlock(maximum: uint256):
    self._only(DEFAULT_ADMIN_ROLE)
    self.maxRedeemPerBlock = maximum


@external
def mint(amount: uint256):
    self.mintedPerBlock[block.number] += amount
    assert self.mintedPerBlock[block.number] <= self.maxMintPerBlock, "MaxMintPerBlockExceeded"


@external
def redeem(amount: uint256):
    self.redeemedPerBlock[block.number] += amount
    assert self.redeemedPerBlock[block.number] <= self.maxRedeemPerBlock, "MaxRedeemPerBlockExceeded"


@internal
@view
def _only(role: bytes32):
    assert self.hasRole[role][msg.sender], "AccessControl: role is missing"
