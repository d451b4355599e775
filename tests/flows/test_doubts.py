"""Never clean in doubt: what a lever names, what cannot be undone, what waits, and what calls come to together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from incident_cli.abi import encode_call, parse_signature
from incident_cli.document import parse_document
from incident_cli.evm import ZERO, Address, Call, checksummed, keccak
from incident_cli.flows.multisig.aids import Aids, aids_of
from incident_cli.flows.multisig.inspecting import Inspection, judge
from incident_cli.protocols.catalog import SHIPPED
from incident_cli.runbook.deployment import sound
from tests.flows.inspected import (
    ANSWERS,
    DEPLOYMENT,
    EXCHANGE,
    LIMIT,
    OWNER,
    PAUSE,
    SAFE,
    STRANGER,
    TIMELOCK,
    USDC,
    catalog,
    codes,
    loaded,
    look,
    made,
    view,
)
from tests.flows.test_direction import COMET, COMET_PAUSE, EULER, HOOKS

MARKET = b"\x05" * 32
SCHEDULE = parse_signature("schedule(address,uint256,bytes,bytes32,bytes32,uint256)")
TEXT = (SHIPPED / "drill-exchange.yaml").read_text()
SET_LIMIT = "setWithdrawalLimit(uint256,uint256)"


def own_address(name: str) -> Address:
    return checksummed(keccak(name.encode())[:20])


def at(protocol: str, calls: list[Call], answers: Mapping[str, object]) -> Inspection:
    """Calls where the deployment says that the exchange is of this protocol."""
    known = catalog().find(protocol)
    assert known is not None
    on = next(iter(known.levers.values())).on
    addresses = ", ".join(f'{name}: "{EXCHANGE if name == on else own_address(name)}"' for name in known.slots)
    own = DEPLOYMENT.replace(
        f'protocol: drill-exchange, addresses: {{exchange: "{EXCHANGE}"}}',
        f"protocol: {protocol}, addresses: {{{addresses}}}",
    )
    tx = made(calls)
    return judge(loaded(tx), Aids(sound(parse_document(own.encode(), "t.yaml")), catalog()), view(tx, answers))


def one(text: str, *args: object, to: Address = EXCHANGE) -> Call:
    return Call(to, parse_signature(text), args)


def said(found: Inspection, code: str) -> str:
    return " ".join(two.message for two in found.findings if two.code == code)


# --- calls of one batch


def test_two_levers_of_one_read_interfere() -> None:
    looser = Call(EXCHANGE, LIMIT.signature, (499_000_000_000, 3_600))
    assert look(made([PAUSE, LIMIT])).verdict == "clean"
    found = look(made([LIMIT, PAUSE, looser]))
    assert codes(found) == {"calls-interfere"}
    assert "call 3 and call 1 both concern withdrawal" in said(found, "calls-interfere")
    assert codes(look(made([PAUSE, PAUSE]))) == {"calls-interfere"}


def test_a_batch_that_undoes_itself_is_not_clean() -> None:
    stops = [one(COMET_PAUSE, *([True] * 5)), one(COMET_PAUSE, False, True, False, False, True)]
    assert "calls-interfere" in codes(at("compound-v3", stops, COMET))
    assert at("compound-v3", stops[:1], COMET).verdict == "clean"


# --- which lever it is


def test_the_sentence_is_that_of_the_lever_that_was_weighed() -> None:
    found = at("euler-v2-evk", [one(HOOKS, ZERO, 32_767)], EULER)
    assert found.verdict == "clean"
    assert found.calls[0].plain.startswith("exchange.pause_vault: Disables every operation")


def test_of_several_levers_the_widest_speaks_and_all_are_named() -> None:
    everything = bytes.fromhex("01000000000000000000000000000001")
    answers: dict[str, object] = {"owner": SAFE, "isCursed": False, "getCursedSubjects": ((),)}
    unread = at("ccip-rmn-2", [one("curse(bytes16 subject)", everything)], answers)
    assert codes(unread) == {"ambiguous-function", "direction-unknown"}
    answers["getAllAuthorizedCallers"] = ((),)
    found = at("ccip-rmn-2", [one("curse(bytes16 subject)", everything)], answers)
    assert "ambiguous-function" in codes(found)
    assert found.calls[0].plain.startswith("exchange.curse_everything: ")
    assert "exchange.curse_chain: " in said(found, "ambiguous-function")
    other = at("ccip-rmn-2", [one("curse(bytes16 subject)", b"\x77" * 16)], answers)
    assert codes(other) == {"direction-unknown"}
    zodiac = {"owner": SAFE, "txNonce": 3, "queueNonce": 9, "txCooldown": 1, "txExpiration": 1}
    queue = at("zodiac-delay", [one("setTxNonce(uint256)", 9)], zodiac)
    assert codes(queue) == {"ambiguous-function", "irreversible", "cancels"}
    assert queue.calls[0].plain.startswith("exchange.veto_all: ")


# --- what files say of a protocol that is known

LIE = """  calm:
    does: "Stops trading in one market; other markets go on."
    scope: market
    args: {market: {type: market}}
    on: exchange
    call: "%s"
    with: {paused: "False"}
    expect: {shut_down: "False"}
    writes: [exchange]
    satisfied: "not shut_down"
    role: {holder: by, when: "guardian == by or governance == by"}
    irreversible: true
    consequence: stop the attacker
    blast_radius: [{who: "Nobody", loses: "nothing at all"}]
    traps: ["None."]
"""


@pytest.mark.parametrize("where", ["given", "deployment/protocols", "protocols"])
def test_a_file_never_takes_the_place_of_a_shipped_protocol(where: str, tmp_path: Path) -> None:
    folder, deployment = tmp_path / where, tmp_path / "deployment" / "d.yaml"
    deployment.parent.mkdir()
    folder.mkdir(parents=True, exist_ok=True)
    deployment.write_text(DEPLOYMENT)
    at_levers = TEXT.index("  pause_market:")
    for text, args, wanted in (
        ("setMarketPaused(bytes32 market, bool paused)", (MARKET, False), "not-restricting"),
        ("rescue(bytes32 market, bool paused)", (MARKET, False), "meaning-by-file"),
    ):
        (folder / "drill-exchange.yaml").write_text(TEXT[:at_levers] + LIE % text + TEXT[at_levers:])
        aids = aids_of(deployment, (), (), folder if where == "given" else None, None)
        tx = made([one(text, *args)])
        assert wanted in codes(judge(loaded(tx), aids, view(tx, {**ANSWERS, "marketPaused": True})))
        pause = made([PAUSE])
        assert judge(loaded(pause), aids, view(pause)).verdict == "clean"


# --- numbers

GREATER = '"max(capacity, before.withdrawal_capacity)"'


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\n    undo: {by: governance, with: {capacity", ""),  # as shipped
        (
            'role: {holder: by, when: "guardian == by or governance == by"}',
            'role: {holder: by, when: "(guardian == by or governance == by) and capacity > 0 and per > 0"}',
        ),
        ("with: {period: per}", 'with: {period: "per + 0 * before.withdrawal_period", capacity: capacity}'),
        ("with: {period: per}", f"with: {{period: per, capacity: {GREATER}}}"),
    ],
)
def test_a_number_that_is_but_mentioned_is_not_bound(old: str, new: str, tmp_path: Path) -> None:
    folder = tmp_path / "protocols"
    folder.mkdir()
    start, end = TEXT.index("  limit_withdrawals:"), TEXT.index("  shutdown:")
    own = TEXT[start:end].replace(old, new) if new else TEXT[start:end]
    if "max(" in new:
        own = own.replace("expect: {withdrawal_capacity: capacity,", f"expect: {{withdrawal_capacity: {GREATER},")
    text = TEXT[:start] + own + TEXT[end:]
    (folder / "in-house.yaml").write_text(text.replace("protocol: drill-exchange", "protocol: in-house"))
    path = tmp_path / "d.yaml"
    path.write_text(DEPLOYMENT.replace("protocol: drill-exchange", "protocol: in-house"))
    tx = made([one(SET_LIMIT, 2**256 - 1, 3_600 if "max(" in new else 1)])
    found = judge(loaded(tx), aids_of(path, (), (), None, None), view(tx))
    assert codes(found) & {"direction-unknown", "not-restricting"}, found.findings


# --- for good, for another, for nothing


def test_what_cannot_be_undone_is_said() -> None:
    found = look(made([one("shutdown()")]))
    assert codes(found) == {"irreversible"}
    assert "shut down every market for good" in said(found, "irreversible")
    answers = {"getFinalSettlementEnabled": False, "getAdmin": SAFE}
    settled = at("dydx-v1-perpetual", [one("enableFinalSettlement(uint256,uint256)", 0, 2**256 - 1)], answers)
    assert {"irreversible", "direction-unknown"} <= codes(settled)


def test_what_is_put_away_is_named() -> None:
    answers = {"getOperationState": 1, "hasRole": True, "getTimestamp": 5, "getMinDelay": 100}
    found = at("timelock", [one("cancel(bytes32)", b"\x42" * 32)], answers)
    assert codes(found) == {"cancels", "irreversible"}
    assert "42" * 32 in said(found, "cancels")


@pytest.mark.parametrize(
    ("market", "severity"),
    [(MARKET[:31] + b"\x01", "refused"), (b"\x00" * 32, "warned"), (b"ETH-USD".ljust(32, b"\0"), "warned")],
)
def test_a_market_that_there_is_not_is_never_clean(market: bytes, severity: str) -> None:
    found = look(made([Call(EXCHANGE, PAUSE.signature, (market, True))]))
    assert codes(found) == {"unknown-market"}
    assert found.verdict == severity
    assert ("looks like market ETH-USD" in said(found, "unknown-market")) is (severity == "refused")


@pytest.mark.parametrize(
    ("who", "code", "words"),
    [
        (SAFE, "unknown-address", "this Safe itself"),
        (ZERO, "unknown-address", "the zero address"),
        (EXCHANGE, "unknown-address", "the contract that is called"),
        (TIMELOCK, "direction-unknown", "governance"),
        (USDC, "direction-unknown", "USDC"),
        (STRANGER, "unknown-address", STRANGER),
    ],
)
def test_whom_a_lever_is_pulled_against_is_to_be_looked_at(who: Address, code: str, words: str) -> None:
    answers = {"blacklister": SAFE, "isBlacklisted": False, "pauser": SAFE, "paused": False}
    found = at("usdc", [one("blacklist(address)", who)], answers)
    assert code in codes(found)
    assert words in said(found, code)


def test_whom_a_protocol_file_puts_in_charge_is_to_be_looked_at(tmp_path: Path) -> None:
    folder = tmp_path / "protocols"
    folder.mkdir()
    own = TEXT.replace("protocol: drill-exchange", "protocol: in-house")
    own = own.replace('"shutdown()"', '"pass_on(address heir)"\n    with: {heir: exchange}').replace(
        "irreversible: true\n    consequence: shut down every market for good",
        "undo: {by: governance, with: {heir: exchange}}",
    )
    (folder / "in-house.yaml").write_text(own)
    path = tmp_path / "d.yaml"
    path.write_text(DEPLOYMENT.replace("protocol: drill-exchange", "protocol: in-house"))
    tx = made([one("pass_on(address heir)", EXCHANGE)])
    found = judge(loaded(tx), aids_of(path, (), (), None, None), view(tx))
    assert codes(found) == {"unknown-address"}
    assert "heir is" in said(found, "unknown-address")


# --- what waits, and what is put away


@pytest.mark.parametrize(
    ("predecessor", "seconds", "severity", "words"),
    [
        (bytes(32), 172_800, "warned", "waits at least 2d"),
        (b"\x07" * 32, 60, "warned", "07" * 32),
        (bytes(32), 315_360_000, "refused", "nothing is contained so"),
        (bytes(32), 2**255, "refused", "never"),
    ],
)
def test_what_is_only_scheduled_is_said(predecessor: bytes, seconds: int, severity: str, words: str) -> None:
    args = (EXCHANGE, 0, encode_call(PAUSE.signature, PAUSE.args), predecessor, b"\x02" * 32, seconds)
    found = look(made([Call(TIMELOCK, SCHEDULE, args)]))
    assert (codes(found), found.verdict) == ({"scheduled"}, severity)
    assert words in said(found, "scheduled")


def test_a_rejection_says_that_something_may_stand_there() -> None:
    found = look(made([Call(SAFE, parse_signature("f()"), ())]))
    assert "displaces-unknown" not in codes(found)
    from incident_cli.safe.batch import rejection

    empty = look(rejection(chain_id=1, safe=SAFE, version="1.4.1", nonce=7))
    assert "incident safe queue" in said(empty, "displaces-unknown")


def test_a_permit_of_nothing_is_not_clean() -> None:
    text = "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)"
    found = look(made([one(text, OWNER, EXCHANGE, 0, 2**255, 27, MARKET, MARKET, to=USDC)]))
    assert "moves-money" in codes(found)
