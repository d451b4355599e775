"""The Safe's own execTransaction, tried before there are signatures: what it is given, and what must be overridden.

Every signature in the calldata is pre-validated (v = 1): the sender's counts because it sends, each other owner's
because the storage is overridden to say that they approved the hash. Where no hash is given, the threshold is
overridden to 1 instead; then reads of it, and a change of it to 1, cannot be seen. A transaction of a later nonce is
tried as if those before it were spent: the Safe's nonce is overridden, and what they do is not in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from incident_cli.abi import encode_call, parse_signature
from incident_cli.chain.answers import Answer
from incident_cli.chain.asks import RequestAt
from incident_cli.chain.multicall import Target
from incident_cli.chain.simulation import FALSE, TRUE
from incident_cli.chain.state_diff import APPROVED_HASHES_SLOT, NONCE_SLOT, THRESHOLD_SLOT, mapping_slot
from incident_cli.evm import Address, CallRead, Missing, Read, hex_bytes, keccak, to_hex
from incident_cli.transport import Json, Request

GET_THRESHOLD = parse_signature("getThreshold() returns (uint256)")
APPROVED_HASHES = parse_signature("approvedHashes(address owner, bytes32 hash) returns (uint256)")
NONCE = parse_signature("nonce() returns (uint256)")
OVERRIDDEN_READ = Missing("it reads of the Safe what this simulation overrides: its threshold or its nonce")
NONCE_TAKEN = "nonce"  # as simulations that do not look at it say so


@dataclass(frozen=True, slots=True)
class Trial:
    """execTransaction of the very SafeTx: its `calldata` and the owner who sends it, `sender`.

    With `safe_tx_hash` (0x hex) the calldata hold a pre-validated signature of the sender and of every owner in
    `approved_by`, as many as the threshold; without it the sender's alone. `nonce` is the transaction's where the Safe
    has not come to it yet; None: it is the Safe's own.
    """

    calldata: bytes
    sender: Address
    approved_by: tuple[Address, ...] = ()
    safe_tx_hash: str = ""
    nonce: int | None = None

    @property
    def storage(self) -> dict[int, int]:
        """The slots of the Safe that are overridden, and their values."""
        later = {} if self.nonce is None else {NONCE_SLOT: self.nonce}
        if not self.safe_tx_hash:
            return {THRESHOLD_SLOT: 1, **later}
        hash_ = hex_bytes(self.safe_tx_hash)
        return {**{approval_slot(owner, hash_): 1 for owner in self.approved_by}, **later}

    @property
    def overridden(self) -> tuple[str, ...]:
        """The same in words."""
        approved = [f"approval of {owner} taken as given" for owner in self.approved_by]
        changed = approved if self.safe_tx_hash else ["threshold set to 1"]
        later = (
            [] if self.nonce is None else [f"the Safe's nonce taken as {self.nonce}, what comes before not executed"]
        )
        return (*changed, *later, f"signature of {self.sender} pre-validated")

    @property
    def not_exercised(self) -> tuple[str, ...]:
        """What is never tried this way."""
        return ("signatures",) if self.safe_tx_hash else ("signatures", "threshold")

    def probes(self, safe: Address) -> dict[Target, int]:
        """Views of the Safe, and what they answer only where the node honours the overrides."""
        later = {} if self.nonce is None else {Target(safe, NONCE.selector): self.nonce}
        if not self.safe_tx_hash:
            return {Target(safe, GET_THRESHOLD.selector): 1, **later}
        hash_ = hex_bytes(self.safe_tx_hash)
        owners = {Target(safe, encode_call(APPROVED_HASHES, (owner, hash_))): 1 for owner in self.approved_by}
        return {**owners, **later}

    def hides(self, safe: Address, read: Read) -> bool:
        """Whether an override would falsify this read."""
        if not isinstance(read, CallRead) or read.to.lower() != safe.lower():
            return False
        hidden = [] if self.safe_tx_hash else [GET_THRESHOLD.selector]
        return read.signature.selector in [*hidden, *([] if self.nonce is None else [NONCE.selector])]

    def unhidden(self, safe: Address, answers: Mapping[Read, Answer]) -> dict[Read, Answer]:
        """The answers without those that an override falsifies."""
        return {read: OVERRIDDEN_READ if self.hides(safe, read) else one for read, one in answers.items()}

    def transaction(self, safe: Address) -> dict[str, Json]:
        """As a node takes it."""
        return {"from": self.sender, "to": safe, "data": to_hex(self.calldata)}

    def state_overrides(self, safe: Address) -> dict[str, Json]:
        """As a node takes them, by address."""
        return {safe: {"stateDiff": {word(slot): word(value) for slot, value in self.storage.items()}}}

    def traced(self, safe: Address, tracer: str, config: Mapping[str, Json]) -> RequestAt:
        """A debug_traceCall of it at whichever block is given later."""
        options: Json = {"tracer": tracer, "tracerConfig": dict(config), "stateOverrides": self.state_overrides(safe)}
        return lambda at: Request("debug_traceCall", (self.transaction(safe), at, options))

    def traced_diff(self, safe: Address) -> RequestAt:
        """The state it changes."""
        return self.traced(safe, "prestateTracer", {"diffMode": True})


def approval_slot(owner: Address, safe_tx_hash: bytes) -> int:
    """Where a Safe keeps that an owner approved a hash: mapping(address => mapping(bytes32 => uint256)) at slot 8."""
    outer = mapping_slot(owner, APPROVED_HASHES_SLOT)
    return int.from_bytes(keccak(safe_tx_hash + outer.to_bytes(32)))


def word(number: int) -> str:
    """32 bytes in hex."""
    return f"0x{number:064x}"


def answered_true(data: str) -> bool | None:
    """The bool that execTransaction returned; None where it is none."""
    return {TRUE: True, FALSE: False}.get(data.lower())
