"""A signer with its own screen, asked over JSON-RPC: Frame, Web3Signer, Clef, or another wallet that a person reads.

It is given the whole of what is signed, never a digest, and nothing it answers is believed: `signed_by` and `raw_by`
prove every signature. Clef has names of its own (account_…), which are tried where it does not know the usual ones.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import urlsplit

from incident_cli.errors import Misused, Refused, Unread
from incident_cli.evm import ADDRESS, Address, checksummed, hex_bytes
from incident_cli.outgoing import Outgoing
from incident_cli.safe.signing import normalised
from incident_cli.safe.typed_data import TypedData
from incident_cli.text import plain
from incident_cli.transport import Endpoint, HttpEndpoint, Json, Request, RpcError
from incident_cli.web import is_loopback, parse_url

NAME = "the external signer"
SECONDS = 300.0  # a person reads and confirms
CAP_BYTES = 1_048_576
NO_METHOD, WRONG_PARAMS = -32601, -32602
DECLINED_CODE, NOT_ALLOWED_CODE = 4001, 4100  # EIP-1193
DECLINED = re.compile(r"den(?:y|ied)|declin|reject|cancel|not approved|abort", re.IGNORECASE)
MOST_ACCOUNTS = 100


@dataclass(frozen=True, slots=True)
class ExternalSigner:
    """One account of an external signer; `show` is told what to look for before the signer asks its holder."""

    endpoint: Endpoint
    address: Address
    show: Callable[[str], None]
    kind: str = "external signer"

    def sign_typed_data(self, data: TypedData) -> bytes:
        """65 bytes, v 27 or 28; raises Refused where the holder declines, Unread where the signer cannot be asked."""
        self.show(f"confirm on the external signer, as {self.address}, what it shows as {data.primary_type}")
        document = data.to_json()
        answer = self._ask("eth_signTypedData_v4", self.address, json.dumps(document, separators=(",", ":")))
        if is_error(answer, WRONG_PARAMS):  # some want the object itself
            answer = self._ask("eth_signTypedData_v4", self.address, document)
        elif is_error(answer, NO_METHOD):
            answer = self._ask("account_signTypedData", self.address, document)
        return normalised(answered_bytes(answer, "the typed data"), self.kind)

    def sign_transaction(self, outgoing: Outgoing) -> bytes:
        """The raw transaction as the signer gives it; raises as `sign_typed_data`."""
        self.show(f"confirm on the external signer, as {self.address}, the transaction to {outgoing.to}")
        wanted: Json = dict(outgoing.to_rpc(self.address))
        answer = self._ask("eth_signTransaction", wanted)
        if is_error(answer, NO_METHOD):
            answer = self._ask("account_signTransaction", wanted)
        raw = answer.get("raw") if isinstance(answer, dict) else answer
        return answered_bytes(raw, "the transaction")

    def _ask(self, method: str, *params: Json) -> Json | RpcError:
        return self.endpoint.exchange([Request(method, params)])[0]


def external_signer(
    url: str, account: Address | None, show: Callable[[str], None], *, seconds: float = SECONDS
) -> ExternalSigner:
    """The signer at a URL, once it says that it has the account (its only one, where none is named).

    `seconds` is how long its holder may take for each answer. Raises Misused for a URL that is not this machine's and
    not TLS, Unread where it does not answer, Refused where it does not have the account.
    """
    target, _ = parse_url(url, NAME)
    if urlsplit(target).scheme != "https" and not is_loopback(urlsplit(target).hostname or ""):
        raise Misused(f"the URL of {NAME} is not https://", "Only a signer on this machine may be asked without TLS.")
    endpoint = HttpEndpoint(url, name=NAME, connect_seconds=5, read_seconds=seconds, cap_bytes=CAP_BYTES)
    return ExternalSigner(endpoint, chosen(accounts_of(endpoint), account), show)


def accounts_of(endpoint: Endpoint) -> tuple[Address, ...]:
    """The accounts the signer says it has; raises Refused where it declines, Unread where it gives no list."""
    answer = endpoint.exchange([Request("eth_accounts")])[0]
    if is_error(answer, NO_METHOD):
        answer = endpoint.exchange([Request("account_list")])[0]
    if isinstance(answer, RpcError):
        refuse_error(answer, "its accounts")
    texts = answer if isinstance(answer, list) and len(answer) <= MOST_ACCOUNTS else [None]
    if not all(isinstance(one, str) and ADDRESS.fullmatch(one) for one in texts):
        raise Unread(f"{NAME} gave no list of accounts", "Check that the URL is a signer's.")
    return tuple(checksummed(str(one)) for one in texts)


def chosen(accounts: tuple[Address, ...], wanted: Address | None) -> Address:
    """The account that is wanted, or the only one; raises Refused where it is absent, Misused where none is named."""
    listed = ", ".join(accounts) or "none"
    if wanted is None:
        if len(accounts) == 1:
            return accounts[0]
        raise Misused(f"{NAME} has {len(accounts)} accounts: {listed}", "Name the one that signs with --account 0x….")
    if wanted not in accounts:
        raise Refused(
            f"{NAME} does not have {wanted}; it has {listed}",
            "Unlock that account on the signer, or allow this program to use it.",
        )
    return wanted


def is_error(answer: Json | RpcError, code: int) -> bool:
    """Whether the signer refused a request with this code."""
    return isinstance(answer, RpcError) and answer.code == code


def answered_bytes(answer: Json | RpcError, what: str) -> bytes:
    """The bytes of an answer; raises Refused where the signer refused, Unread where it gave something else."""
    if isinstance(answer, RpcError):
        refuse_error(answer, what)
    try:
        if not isinstance(answer, str):
            raise ValueError
        return hex_bytes(answer)
    except ValueError:
        raise Unread(f"{NAME} answered with no hex data for {what}", "Check that the URL is a signer's.") from None


def refuse_error(error: RpcError, what: str) -> NoReturn:
    """Raises Refused: whether its holder declined, or why the signer would not."""
    if error.code == DECLINED_CODE or DECLINED.search(error.message):
        raise Refused(f"{what} was declined on {NAME}", "Nothing was signed. Run the command again to be asked again.")
    if error.code == NOT_ALLOWED_CODE:
        raise Refused(f"{NAME} does not let this program use it", "Allow it on the signer, then run this again.")
    raise Refused(
        f"{NAME} gave nothing for {what}: {plain(error.message, 300)}",
        "Look at the signer: it may be locked, or it may not sign such data.",
    )
