"""The Safe's contracts: canonical addresses per version, code hashes, signatures and storage slots.

Addresses and code hashes are those of safe-global/safe-deployments; the tests derive them again from
safe-eth-py's deployments and from the bytecode it ships (for 1.3.0, whose bytecode it does not ship, the code hash
is the one safe-deployments publishes). Where two addresses stand, the first is the canonical one and the second
that of chains which refuse transactions without EIP-155.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from incident_cli.evm import Address


@dataclass(frozen=True, slots=True)
class Release:
    """The contracts of one Safe version."""

    version: str
    singletons: tuple[Address, ...]
    singletons_l2: tuple[Address, ...]
    proxy_factories: tuple[Address, ...]
    fallback_handlers: tuple[Address, ...]
    multisend_call_only: tuple[Address, ...]
    multisend_code_hash: str


RELEASES: Mapping[str, Release] = MappingProxyType(
    {
        "1.3.0": Release(
            "1.3.0",
            (
                Address("0xd9Db270c1B5E3Bd161E8c8503c55cEABeE709552"),
                Address("0x69f4D1788e39c87893C980c06EdF4b7f686e2938"),
            ),
            (
                Address("0x3E5c63644E683549055b9Be8653de26E0B4CD36E"),
                Address("0xfb1bffC9d739B8D520DaF37dF666da4C687191EA"),
            ),
            (
                Address("0xa6B71E26C5e0845f74c812102Ca7114b6a896AB2"),
                Address("0xC22834581EbC8527d974F8a1c97E1bEA4EF910BC"),
            ),
            (
                Address("0xf48f2B2d2a534e402487b3ee7C18c33Aec0Fe5e4"),
                Address("0x017062a1dE2FE6b99BE3d9d37841FeD19F573804"),
            ),
            (
                Address("0x40A2aCCbd92BCA938b02010E17A5b8929b49130D"),
                Address("0xA1dabEF33b3B82c7814B6D82A79e50F4AC44102B"),
            ),
            "0xa9865ac2d9c7a1591619b188c4d88167b50df6cc0c5327fcbd1c8c75f7c066ad",
        ),
        "1.4.1": Release(
            "1.4.1",
            (Address("0x41675C099F32341bf84BFc5382aF534df5C7461a"),),
            (Address("0x29fcB43b46531BcA003ddC8FCB67FFE91900C762"),),
            (Address("0x4e1DCf7AD4e460CfD30791CCC4F9c8a4f820ec67"),),
            (Address("0xfd0732Dc9E303f09fCEf3a7388Ad10A83459Ec99"),),
            (Address("0x9641d764fc13c8B624c04430C7356C1C7C8102e2"),),
            "0xecd5bd14a08c5d2122379900b2f272bdf107a7e92423c10dd5fe3254386c9939",
        ),
        "1.5.0": Release(
            "1.5.0",
            (Address("0xFf51A5898e281Db6DfC7855790607438dF2ca44b"),),
            (Address("0xEdd160fEBBD92E350D4D398fb636302fccd67C7e"),),
            (Address("0x14F2982D601c9458F93bd70B218933A6f8165e7b"),),
            (
                Address("0x3EfCBb83A4A7AfcB4F68D501E2c2203a38be77f4"),
                Address("0x85a8ca358D388530ad0fB95D0cb89Dd44Fc242c3"),
            ),
            (Address("0xA83c336B20401Af773B6219BA5027174338D1836"),),
            "0xcdbdcec38d2f1c7d961b0029ff8416b7e86e9974d6f0e9c9580c7d17fcfb6663",
        ),
    }
)

# every MultiSendCallOnly, and the code hash that must stand there
MULTISEND_CODE_HASHES: Mapping[Address, str] = MappingProxyType(
    {address: one.multisend_code_hash for one in RELEASES.values() for address in one.multisend_call_only}
)
MULTICALL3 = Address("0xcA11bde05977b3631167028862bE2a173976CA11")

GET_TRANSACTION_HASH = (
    "getTransactionHash(address to, uint256 value, bytes data, uint8 operation, uint256 safeTxGas, uint256 baseGas,"
    " uint256 gasPrice, address gasToken, address refundReceiver, uint256 nonce) view returns (bytes32)"
)
EXEC_TRANSACTION = (
    "execTransaction(address to, uint256 value, bytes data, uint8 operation, uint256 safeTxGas, uint256 baseGas,"
    " uint256 gasPrice, address gasToken, address refundReceiver, bytes signatures) returns (bool success)"
)
APPROVE_HASH = "approveHash(bytes32 hashToApprove)"
NONCE = "nonce() view returns (uint256)"
GET_THRESHOLD = "getThreshold() view returns (uint256)"
GET_OWNERS = "getOwners() view returns (address[])"
IS_OWNER = "isOwner(address owner) view returns (bool)"
VERSION = "VERSION() view returns (string)"
GET_STORAGE_AT = "getStorageAt(uint256 offset, uint256 length) view returns (bytes)"
GET_MODULES_PAGINATED = (
    "getModulesPaginated(address start, uint256 pageSize) view returns (address[] array, address next)"
)
APPROVED_HASHES = "approvedHashes(address owner, bytes32 hash) view returns (uint256)"
MULTI_SEND = "multiSend(bytes transactions)"
SENTINEL = Address("0x0000000000000000000000000000000000000001")  # the start of the owners' and modules' lists

# storage slots, as 0x hex of 32 bytes; the named ones are keccak256 of the name
SINGLETON_SLOT = "0x" + "00" * 32
GUARD_SLOT = "0x4a204f620c8c5ccdca3fd54d003badd85ba500436a431f0cbda4f558c93c34c8"  # guard_manager.guard.address
FALLBACK_HANDLER_SLOT = "0x6c9a6c4a39284e37ed1cf53d337577d14212a4870fb976a4366c693b939918d5"
MODULE_GUARD_SLOT = "0xb104e0b93118902c651344349b610029d694cfdec91c589c91ebafbcd0289947"  # since 1.5.0

# functions that change who controls a Safe or a protocol, by selector; a test derives each from its text
CONTROL_FUNCTIONS: Mapping[bytes, str] = MappingProxyType(
    {
        bytes.fromhex(selector): text
        for selector, text in (
            ("0d582f13", "addOwnerWithThreshold(address,uint256)"),
            ("f8dc5dd9", "removeOwner(address,address,uint256)"),
            ("e318b52b", "swapOwner(address,address,address)"),
            ("694e80c3", "changeThreshold(uint256)"),
            ("610b5925", "enableModule(address)"),
            ("e009cfde", "disableModule(address,address)"),
            ("e19a9dd9", "setGuard(address)"),
            ("e068df37", "setModuleGuard(address)"),
            ("f08a0323", "setFallbackHandler(address)"),
            ("7de7edef", "changeMasterCopy(address)"),
            ("b63e800d", "setup(address[],uint256,address,bytes,address,address,uint256,address)"),
            ("a97ab18a", "setup(address[],uint256,address,bytes,address,uint256,address)"),
            ("0ec78d9e", "setup(address[],uint256,address,bytes)"),
            ("f2fde38b", "transferOwnership(address)"),
            ("715018a6", "renounceOwnership()"),
            ("79ba5097", "acceptOwnership()"),
            ("2f2ff15d", "grantRole(bytes32,address)"),
            ("d547741f", "revokeRole(bytes32,address)"),
            ("36568abe", "renounceRole(bytes32,address)"),
            ("ab033ea9", "setGovernance(address)"),
            ("8a0dac4a", "setGuardian(address)"),
            ("3659cfe6", "upgradeTo(address)"),
            ("4f1ef286", "upgradeToAndCall(address,bytes)"),
            ("64d62353", "updateDelay(uint256)"),
            ("8f283970", "changeAdmin(address)"),
            ("704b6c02", "setAdmin(address)"),
            ("13af4035", "setOwner(address)"),
        )
    }
)

# OpenZeppelin's TimelockController: functions that carry other calls; what they carry is inspected too
TIMELOCK_FUNCTIONS: Mapping[bytes, str] = MappingProxyType(
    {
        bytes.fromhex(selector): text
        for selector, text in (
            ("01d5062a", "schedule(address,uint256,bytes,bytes32,bytes32,uint256)"),
            ("8f2a0bb0", "scheduleBatch(address[],uint256[],bytes[],bytes32,bytes32,uint256)"),
            ("134008d3", "execute(address,uint256,bytes,bytes32,bytes32)"),
            ("e38335e5", "executeBatch(address[],uint256[],bytes[],bytes32,bytes32)"),
        )
    }
)

# functions by which a Safe acts on a hash or a payload that this inspection cannot see through
OPAQUE_FUNCTIONS: Mapping[bytes, str] = MappingProxyType(
    {
        bytes.fromhex(selector): text
        for selector, text in (
            (
                "6a761202",
                "execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)",
            ),
            ("468721a7", "execTransactionFromModule(address,uint256,bytes,uint8)"),
            ("5229073f", "execTransactionFromModuleReturnData(address,uint256,bytes,uint8)"),
            ("d4d9bdcd", "approveHash(bytes32)"),
        )
    }
)
