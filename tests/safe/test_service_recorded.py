"""Every recorded exchange of the real service, replayed against the stand-in: same status, same words, same fields."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from incident_cli.evm import Address, keccak, to_hex
from incident_cli.safe.hashes import hash_transaction, number_word
from incident_cli.safe.signatures import claimed_owner, recover
from incident_cli.safe.transaction import SafeTx
from tests.fakes.safe_service import Execution, Record, SafeService, SafeState
from tests.fakes.safe_service_records import Confirmation

RECORDED = Path(__file__).parents[3] / "shared" / "data" / "safe_service_exchanges.json"
CHAIN_ID = 31_337
NOW = datetime(2026, 11, 22, 17, 16, 30, tzinfo=UTC).timestamp()
FIRST, SECOND, THIRD = (
    Address("0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"),
    Address("0x70997970C51812dc3A010C7d01b50e0d17dc79C8"),
    Address("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"),
)
SAFE_1_3_0, SAFE_1_4_1, SAFE_1_5_0 = (
    Address("0x02DbdbC33730434d6f5f6bcFd9CCb3427d6Bbd43"),
    Address("0xb288df88F0703e115457653f6CFda03F2a950D2b"),
    Address("0x3AAF4Fb7B04f4e61ACa14565d9eD6a7463bA4E30"),
)
NESTED = {  # outer Safe: its version, the Safe that owns it
    Address("0xf9A5D5e093826472309e1a64e345918917285b39"): ("1.4.1", SAFE_1_4_1),
    Address("0x6F9bBeDFfd66c0a5e1dF6076530EC9Ec2088f076"): ("1.4.1", SAFE_1_5_0),
    Address("0x6E815fe05521Fd55757120ef8A4be7e256B2E4Bc"): ("1.5.0", SAFE_1_4_1),
    Address("0x3Ae098FD8174F732B9BA01e989eF6A249cb01665"): ("1.5.0", SAFE_1_5_0),
}
# what cannot be answered from what is posted: facts of the chain that the service indexes and no client here reads
NOT_REPLAYED = {
    "singletons": "the list of indexed singletons is set up by whoever runs the service",
    "indexing": "how far a service has indexed a chain",
    "creation": "how a Safe came to be, from the chain's traces",
}
# in the answers that are replayed: clocks, the gas that an execution took, and its block
NOT_COMPARED = {
    *("submissionDate", "modified", "executionDate", "blockNumber", "ethGasPrice", "maxFeePerGas"),
    *("maxPriorityFeePerGas", "gasUsed", "fee", "payment", "dataDecoded", "host", "headers", "settings"),
    *("masterCopy", "modules", "fallbackHandler", "guard", "moduleGuard"),
}


@dataclass(frozen=True)
class Exchange:
    """One recorded exchange."""

    set: str
    name: str
    request: dict[str, Any]
    status: int
    response: Any


def exchanges() -> list[Exchange]:
    """All of them, in their order."""
    recorded = json.loads(RECORDED.read_text("utf-8"))
    return [Exchange(one["set"], one["name"], one["request"], one["status"], one["response"]) for one in recorded]


@pytest.fixture
def recorded() -> list[Exchange]:
    if not RECORDED.exists():
        pytest.skip(
            "../shared/data/safe_service_exchanges.json is absent: the stand-in is not compared with the service"
        )
    return exchanges()


def seeded(name: str, recorded: list[Exchange]) -> SafeService:
    """The stand-in as the service stood when a set of exchanges began."""
    service = SafeService(chain_id=CHAIN_ID, now=lambda: NOW, accepts=inner_safe_accepts)
    owners = (FIRST, SECOND, THIRD)
    service.safes[SAFE_1_4_1] = SafeState(owners, version="1.4.1")
    service.safes[SAFE_1_5_0] = SafeState(owners, version="1.5.0")
    service.safes[SAFE_1_3_0] = SafeState(owners, version="1.3.0")
    for safe, (version, inner) in NESTED.items() if name == "ex7" else ():
        service.safes[safe] = SafeState((FIRST, inner), version=version)
    service.delegatecalls = name != "ex5"
    if name == "ex2":  # two transactions had been executed before: they are in its last list
        listed = next(one for one in recorded if one.name == "no-trailing-slash").response["results"]
        for one in reversed(listed):
            if one["isExecuted"]:
                service.add(executed_record(one))
    return service


def executed_record(listed: dict[str, Any]) -> Record:
    """A record that the service lists as executed."""
    tx = SafeTx(
        chain_id=CHAIN_ID,
        safe=listed["safe"],
        version="1.4.1",
        to=listed["to"],
        value=int(listed["value"]),
        data=bytes.fromhex((listed["data"] or "0x")[2:]),
        operation=listed["operation"],
        nonce=int(listed["nonce"]),
    )
    assert hash_transaction(tx).safe_tx_hash == listed["safeTxHash"]
    given = {one["owner"]: one["signature"] for one in listed["confirmations"]}
    confirmations = {owner: Confirmation(owner, bytes.fromhex(one[2:]), "") for owner, one in given.items()}
    done = Execution(listed["transactionHash"], listed["isSuccessful"], listed["executor"])
    return Record(
        tx,
        listed["safeTxHash"],
        listed["proposer"],
        origin=listed["origin"],
        trusted=True,
        confirmations=confirmations,
        execution=done,
    )


def inner_safe_accepts(owner: Address, safe_tx_hash: str, signature: bytes) -> bool:
    """As the service asks an owner that is a Safe: over the hash, or (below 1.5.0) over what the hash is of.

    What the hash is of is not in the signature, so below 1.5.0 every pair of owners passes that signed anything.
    """
    inner = signature[65 + 32 :]
    pieces = [inner[at : at + 65] for at in range(0, 130, 65)]
    message = keccak(keccak(b"SafeMessage(bytes message)") + keccak(bytes.fromhex(safe_tx_hash[2:])))
    domain_type = keccak(b"EIP712Domain(uint256 chainId,address verifyingContract)")
    domain = keccak(domain_type + number_word(CHAIN_ID) + bytes.fromhex(owner[2:]).rjust(32, b"\0"))
    digest = to_hex(keccak(b"\x19\x01" + domain + message))
    signers = {recover(digest, one) for one in pieces} if len(inner) == 130 else set()
    return claimed_owner(signature) == owner and (
        signers <= {FIRST, SECOND, THIRD} and len(signers) == 2 if owner == SAFE_1_5_0 else len(inner) == 130
    )


def ask(service: SafeService, request: dict[str, Any]) -> tuple[int, Any]:
    """As the recorder asked: redirects followed, as the standard library does."""
    body = None if request["json"] is None else json.dumps(request["json"]).encode()
    if request["method"] == "POST" and body is None:
        body = b""
    asked = urllib.request.Request(service.url + request["path"], body, method=request["method"])
    asked.add_header("content-type", "application/json")
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=10) as answer:
            status, found = answer.status, answer.read()
    except HTTPError as problem:
        status, found = problem.code, problem.read()
    try:
        return status, json.loads(found) if found else ""
    except ValueError:
        return status, found.decode()


def significant(found: Any) -> Any:
    """An answer without what is another each time; links by their path alone."""
    if isinstance(found, dict):
        kept = {key: significant(value) for key, value in found.items() if key not in NOT_COMPARED}
        return {key: value.partition("/api")[2] if key == "next" and value else value for key, value in kept.items()}
    if isinstance(found, list):
        return [significant(one) for one in found]
    return "a page" if isinstance(found, str) and "<html" in found else found


def replays(service: SafeService, set_: list[Exchange]) -> Iterator[tuple[Exchange, tuple[int, Any]]]:
    """Each exchange of a set with what the stand-in answers; an execution on chain comes before its first sign."""
    for one in set_:
        if isinstance(one.response, dict) and one.response.get("isExecuted"):
            record = service.find(one.response["safeTxHash"])
            assert record is not None
            record.execution = Execution(one.response["transactionHash"], True, one.response["executor"])
        if one.name not in NOT_REPLAYED:
            yield one, ask(service, one.request)


def test_the_stand_in_answers_every_recorded_exchange_as_the_service_did(recorded: list[Exchange]) -> None:
    assert len(recorded) == 124
    names, wrong, replayed = list(dict.fromkeys(one.set for one in recorded)), [], 0
    for name in names:
        with seeded(name, recorded) as service:
            for one, (status, found) in replays(service, [each for each in recorded if each.set == name]):
                replayed += 1
                expected = (one.status, significant(one.response))
                if (status, significant(found)) != expected:
                    wrong.append(f"{name} {one.name}: expected {expected}, got {(status, significant(found))}")
    assert not wrong, "\n".join(wrong)
    assert replayed == len(recorded) - len(NOT_REPLAYED)
