"""An external signer over real HTTP: every way it answers, and everything it can do wrong."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from incident_cli.drills.accounts import account
from incident_cli.errors import Misused, Refused, Unread
from incident_cli.outgoing import Outgoing
from incident_cli.safe.external_signer import ExternalSigner, external_signer
from incident_cli.safe.signing import raw_by, signed_by
from incident_cli.safe.typed_data import safe_tx_typed_data
from incident_cli.transport import RpcError
from tests.fakes.node import Fault, Node, closed_port
from tests.fakes.signers import Manner, Wallet
from tests.safe.test_typed_data import TX

OWNER = account(1, "council 1")
OTHER = account(1, "council 2")
TYPED = safe_tx_typed_data(TX)
SENT = Outgoing(1, 3, TX.to, b"\x01\x02" * 300, 100_000, 30 * 10**9, 10**9, 5)


def connected(node: Node, said: list[str] | None = None, seconds: float = 2) -> ExternalSigner:
    """The signer behind a node, which waits only as long as a test should."""
    return external_signer(
        node.url, OWNER.address, list[str]().append if said is None else said.append, seconds=seconds
    )


@pytest.mark.parametrize("manner", ["plain", "parity", "object", "clef"])
def test_every_manner_of_signing(manner: Manner) -> None:
    said: list[str] = []
    with Node(Wallet(OWNER, manner).answer) as node:
        signer = connected(node, said)
        assert signed_by(signer, TYPED) == OWNER.sign_hash(TYPED.digest)
        assert raw_by(signer, SENT) == SENT.signed(OWNER.sign_hash(SENT.digest()))
    assert (signer.address, signer.kind) == (OWNER.address, "external signer")
    assert all(OWNER.address in line for line in said)
    assert [("SafeTx" in line, SENT.to in line) for line in said] == [(True, False), (False, True)]


def test_the_whole_is_given_never_a_digest() -> None:
    with Node(Wallet(OWNER).answer) as node:
        signed_by(connected(node), TYPED)
        asked = node.requests[-1]
    assert asked.method == "eth_signTypedData_v4"
    address, document = asked.params
    assert address == OWNER.address
    assert json.loads(str(document)) == TYPED.to_json()
    assert {one.method for one in node.requests} == {"eth_accounts", "eth_signTypedData_v4"}


def test_the_object_is_tried_only_where_the_text_is_not_understood() -> None:
    with Node(Wallet(OWNER, "declines").answer) as node:
        with pytest.raises(Refused, match="declined"):
            signed_by(connected(node), TYPED)
        assert node.count("eth_signTypedData_v4") == 1


REFUSED: list[tuple[Manner, str, str]] = [
    ("declines", "declined on the external signer", "declined on the external signer"),
    ("denies", "declined on the external signer", "declined on the external signer"),
    ("not allowed", "does not let this program", "does not let this program"),
    ("locked", "signer locked <U\\+001B>", "signer locked <U\\+001B>"),
    ("another key", "gave a signature of", "gave a transaction signed by"),
    ("another message", "gave a signature of", "signed another transaction"),
]


@pytest.mark.parametrize(("manner", "typed", "sent"), REFUSED, ids=[one for one, _, _ in REFUSED])
def test_what_it_does_wrong_is_refused(manner: Manner, typed: str, sent: str) -> None:
    with Node(Wallet(OWNER, manner).answer) as node:
        signer = connected(node)
        with pytest.raises(Refused, match=typed) as caught:
            signed_by(signer, TYPED)
        assert caught.value.hint
        with pytest.raises(Refused, match=sent):
            raw_by(signer, SENT)


def test_no_stand_in_for_an_approval_and_no_high_s_in_a_transaction() -> None:
    with Node(Wallet(OWNER, "pre-validated").answer) as node, pytest.raises(Refused, match="signature is empty"):
        signed_by(connected(node), TYPED)
    with Node(Wallet(OWNER, "high s").answer) as node, pytest.raises(Refused, match="high s"):
        raw_by(connected(node), SENT)
    with Node(Wallet(OWNER, "another type").answer) as node, pytest.raises(Refused, match="another type"):
        raw_by(connected(node), SENT)


def test_the_account_must_be_there() -> None:
    with Node(Wallet(OTHER).answer) as node, pytest.raises(Refused, match=f"does not have {OWNER.address}"):
        connected(node)
    with Node(Wallet(OWNER, listed=()).answer) as node, pytest.raises(Refused, match="it has none"):
        connected(node)


def test_the_only_account_needs_no_name() -> None:
    with Node(Wallet(OWNER).answer) as node:
        assert external_signer(node.url, None, print, seconds=2).address == OWNER.address
    two = (OWNER.address.lower(), OTHER.address.lower())
    with Node(Wallet(OWNER, listed=two).answer) as node:
        with pytest.raises(Misused, match=f"2 accounts: {OWNER.address}, {OTHER.address}"):
            external_signer(node.url, None, print, seconds=2)
        assert connected(node).address == OWNER.address


@pytest.mark.parametrize("answer", [None, "0x", {}, ["0x12"], [7], [OWNER.address] * 200])
def test_a_list_of_accounts_that_is_none(answer: object) -> None:
    with Node(lambda request: answer) as node, pytest.raises(Unread, match="no list of accounts"):  # type: ignore[arg-type, return-value]
        connected(node)


@pytest.mark.parametrize("answer", [None, 7, "hello", "0xzz", {"tx": "0x"}, {"raw": None}, []])
def test_an_answer_that_is_no_signature(answer: object) -> None:
    def answers(request: object) -> object:
        return [OWNER.address] if getattr(request, "method", "") == "eth_accounts" else answer

    with Node(answers) as node:  # type: ignore[arg-type]
        signer = connected(node)
        asks: list[Callable[[], object]] = [lambda: signed_by(signer, TYPED), lambda: raw_by(signer, SENT)]
        for ask in asks:
            with pytest.raises(Unread, match="no hex data"):
                ask()


@pytest.mark.parametrize("url", ["http://192.0.2.1:8545", "http://signer.example", "http://localhost.example:1"])
def test_no_signer_elsewhere_without_tls(url: str) -> None:
    with pytest.raises(Misused, match="not https"):
        external_signer(url, OWNER.address, print)


def test_a_credential_in_the_url_is_never_shown() -> None:
    url = f"http://user:hunter2@127.0.0.1:{closed_port()}"
    with pytest.raises(Unread, match="refused the connection") as caught:
        external_signer(url, OWNER.address, print)
    assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"


FAULTS: list[Fault] = ["silent", "html 200", "html 500", "status 401", "redirect", "reset", "wrong id", "nested"]


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_unread(fault: Fault) -> None:
    with Node(Wallet(OWNER).answer) as node:
        signer = connected(node, seconds=0.3)
        node.fault = fault
        with pytest.raises(Unread):
            signed_by(signer, TYPED)
        with pytest.raises(Unread):
            raw_by(signer, SENT)


def test_a_signer_that_knows_nothing() -> None:
    with (
        Node(lambda request: RpcError(-32601, "no such method")) as node,
        pytest.raises(Refused, match="no such method"),
    ):
        connected(node)
