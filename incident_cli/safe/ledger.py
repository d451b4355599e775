"""A Ledger device with its Ethereum app, by the app's own APDUs, through ledgerblue (the extra `ledger`).

The device shows two hashes of typed data, the domain's and the message's; they are shown here beside it, before it
asks. What it gives is proven by `signed_by` and `raw_by`, as everybody's.

The commands are those of LedgerHQ/app-ethereum, doc/ethapp.adoc: GET ETH PUBLIC ADDRESS (02), SIGN ETH TRANSACTION
(04) and SIGN ETH EIP 712 (0C) in its hashed mode.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from incident_cli.errors import IncidentError, Misused, Refused, Unread
from incident_cli.evm import Address, checksummed, to_hex
from incident_cli.outgoing import Outgoing
from incident_cli.safe.hashes import calldata_digest
from incident_cli.safe.signing import normalised
from incident_cli.safe.typed_data import TypedData

Exchange = Callable[[bytes], bytes]
"""One APDU out, its answer back: the data and the two bytes of the status."""
DEFAULT_PATH = "m/44'/60'/0'/0/0"
SEGMENT = re.compile(r"([0-9]{1,10})('?)", re.ASCII)
HARDENED = 0x80000000
CLASS = 0xE0
GET_ADDRESS, SIGN_TRANSACTION, SIGN_EIP712 = 0x02, 0x04, 0x0C
FIRST, MORE = 0x00, 0x80
CHUNK = 255
OK = 0x9000
KIND = "Ledger"
CLOSED = ("the Ethereum app is not open on the Ledger", "Open the Ethereum app on the device, then run this again.")
LOCKED = ("the Ledger is locked", "Enter its PIN, open the Ethereum app, then run this again.")
DECLINED = ("this was declined on the Ledger", "Nothing was signed. Run the command again to be asked again.")
BLIND = (
    "the Ledger does not sign this: blind signing is off, or its app is too old",
    "Allow blind signing in the settings of the Ethereum app, then run this again and compare the hashes.",
)
STATUSES: dict[int, tuple[type[IncidentError], tuple[str, str]]] = {
    0x5515: (Unread, LOCKED),
    0x6804: (Unread, LOCKED),
    0x6B0C: (Unread, LOCKED),
    0x6511: (Unread, CLOSED),
    0x6D00: (Unread, CLOSED),
    0x6D02: (Unread, CLOSED),
    0x6E00: (Unread, CLOSED),
    0x6E01: (Unread, CLOSED),
    0x6982: (Refused, DECLINED),
    0x6985: (Refused, DECLINED),
    0x6A80: (Refused, BLIND),
    0x6501: (Refused, BLIND),
}


@dataclass(frozen=True, slots=True)
class LedgerSigner:
    """One account of a device; `show` is told what to compare with its screen before it asks."""

    path: str
    address: Address
    exchange: Exchange = field(repr=False)
    show: Callable[[str], None] = field(repr=False)
    kind: str = KIND

    def sign_typed_data(self, data: TypedData) -> bytes:
        """65 bytes, v 27 or 28; raises Refused where it is declined, Unread where the device cannot be asked."""
        self.show("compare both hashes with the Ledger's screen, letter by letter, and only then approve:")
        self.show(f"  domain hash   {to_hex(data.domain_hash)}")
        self.show(f"  message hash  {to_hex(data.message_hash)}")
        payload = path_bytes(self.path) + data.domain_hash + data.message_hash
        return signature_of(spoken(self.exchange, SIGN_EIP712, FIRST, payload))

    def sign_transaction(self, outgoing: Outgoing) -> bytes:
        """The raw transaction; raises as `sign_typed_data`."""
        for line in described(outgoing):
            self.show(line)
        payload = path_bytes(self.path) + outgoing.unsigned()
        answer = b""
        for start in range(0, len(payload), CHUNK):
            step = FIRST if start == 0 else MORE
            answer = spoken(self.exchange, SIGN_TRANSACTION, step, payload[start : start + CHUNK])
        return outgoing.signed(signature_of(answer))


def ledger_signer(path: str, show: Callable[[str], None], exchange: Exchange | None = None) -> LedgerSigner:
    """The account at a derivation path of the device that is plugged in (or of whatever `exchange` speaks to).

    Raises Misused for a malformed path or where ledgerblue is not installed, Unread where there is no device, or it is
    locked, or its Ethereum app is not open.
    """
    asked = path_bytes(path)
    device = exchange or open_device()
    return LedgerSigner(path, address_in(spoken(device, GET_ADDRESS, FIRST, asked)), device, show)


def path_bytes(path: str) -> bytes:
    """A derivation path such as m/44'/60'/0'/0/0 as the app reads it: a count, then 4 bytes each; raises Misused."""
    matches = [SEGMENT.fullmatch(part) for part in path.split("/")[1:]]
    numbers = [int(one[1]) for one in matches if one]
    wrong = not path.startswith("m/") or len(numbers) != len(matches) or not 1 <= len(numbers) <= 10
    if wrong or any(one >= HARDENED for one in numbers):
        raise Misused("the Ledger's path is malformed", f"Write it as {DEFAULT_PATH}; that is also the default.")
    hardened = [HARDENED if one and one[2] else 0 for one in matches]
    words = (number + bit for number, bit in zip(numbers, hardened, strict=True))
    return bytes([len(numbers)]) + b"".join(word.to_bytes(4, "big") for word in words)


def spoken(exchange: Exchange, instruction: int, step: int, payload: bytes) -> bytes:
    """The data of one answer; raises Refused or Unread in words where its status is not success."""
    answer = exchange(bytes([CLASS, instruction, step, 0, len(payload)]) + payload)
    status = int.from_bytes(answer[-2:], "big")
    if status == OK:
        return answer[:-2]
    kind, words = STATUSES.get(status, (Unread, (f"the Ledger answered 0x{status:04x}", "Unplug it and try again.")))
    raise kind(*words)


def address_in(answer: bytes) -> Address:
    """The address in the answer to GET ETH PUBLIC ADDRESS: key length, key, address length, ASCII; raises Unread."""
    try:
        start = 1 + answer[0]
        text = answer[start + 1 : start + 1 + answer[start]].decode("ascii")
        return checksummed(text.removeprefix("0x"))
    except (IndexError, ValueError):
        raise Unread("the Ledger gave no address", "Update its Ethereum app, then run this again.") from None


def signature_of(answer: bytes) -> bytes:
    """r ‖ s ‖ v from the device's v ‖ r ‖ s; raises Refused."""
    return normalised(answer[1:65] + answer[:1], KIND)


def described(outgoing: Outgoing) -> list[str]:
    """What the device shows of a transaction, in words."""
    return [
        "compare with the Ledger's screen, and only then approve:",
        f"  chain {outgoing.chain_id}, nonce {outgoing.nonce}, value {outgoing.value} wei",
        f"  to {outgoing.to}",
        f"  at most {outgoing.gas * outgoing.max_fee} wei of fees ({outgoing.gas} gas)",
        f"  data of {len(outgoing.data)} bytes, digest {to_hex(calldata_digest(outgoing.data))}",
    ]


def open_device() -> Exchange:
    """The device that is plugged in; raises Misused without ledgerblue, Unread without a device."""
    try:
        from ledgerblue.comm import getDongle
        from ledgerblue.commException import CommException
    except ImportError:
        raise Misused(
            "signing with a Ledger needs ledgerblue, which is not installed here, or cannot be loaded",
            "Install it: pip install 'incident-runbook[ledger]'.",
        ) from None
    absent = ("no Ledger was found", "Plug it in, unlock it, open its Ethereum app; close other programs that use it.")
    try:
        device = getDongle(False)
    except (CommException, OSError):
        raise Unread(*absent) from None
    if device is None:
        raise Unread(*absent)

    def exchange(command: bytes) -> bytes:
        try:
            return bytes(device.exchange(bytearray(command))) + OK.to_bytes(2, "big")
        except CommException as problem:
            return int(problem.sw).to_bytes(2, "big")
        except OSError:
            raise Unread("the Ledger was unplugged, or another program took it", "Plug it in again.") from None

    return exchange
