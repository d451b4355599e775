"""A lever is clean only where it restricts from what stands: every shipped lever that takes a number, both ways."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from incident_cli.abi import encode_call, parse_signature
from incident_cli.document import parse_document
from incident_cli.evm import ZERO, Call
from incident_cli.flows.multisig.aids import Aids
from incident_cli.flows.multisig.directing import MOST_READS
from incident_cli.flows.multisig.inspecting import Inspection, judge, lever_reads
from incident_cli.runbook.deployment import sound
from tests.flows.inspected import (
    DEPLOYMENT,
    EXCHANGE,
    OWNER,
    PAUSE,
    SAFE,
    STRANGER,
    TIMELOCK,
    catalog,
    codes,
    loaded,
    look,
    made,
    view,
)

GREAT = 2**255
LIMIT_LANE = (
    "setChainRateLimiterConfig(uint64 lane, (bool isEnabled, uint128 capacity, uint128 rate) outboundConfig,"
    " (bool isEnabled, uint128 capacity, uint128 rate) inboundConfig)"
)


def inspected(
    protocol: str, slots: Mapping[str, str], text: str, args: tuple[object, ...], answers: Mapping[str, object]
) -> Inspection:
    """A call to the exchange, which the deployment says is of this protocol, with what its views answer."""
    addresses = ", ".join(f'{name}: "{address}"' for name, address in slots.items())
    own = DEPLOYMENT.replace(
        f'protocol: drill-exchange, addresses: {{exchange: "{EXCHANGE}"}}',
        f"protocol: {protocol}, addresses: {{{addresses}}}",
    )
    tx = made([Call(EXCHANGE, parse_signature(text), args)])
    given = Aids(sound(parse_document(own.encode(), "test.yaml")), catalog())
    return judge(loaded(tx), given, view(tx, answers))


MINTING: dict[str, object] = {"maxMintPerBlock": 500, "maxRedeemPerBlock": 500, "hasRole": True}
EULER: dict[str, object] = {"governorAdmin": SAFE, "caps": (6_401, 6_402), "hookConfig": (ZERO, 0b100)}
LANE: dict[str, object] = {"owner": SAFE, "getRateLimitAdmin": ZERO, "isSupportedChain": True}
LANE |= {f"getCurrent{way}boundRateLimiterState": ((9, 1, True, 1_000, 10),) for way in ("Out", "In")}
COMET: dict[str, object] = {
    f"is{name}Paused": name == "Transfer" for name in ("Supply", "Transfer", "Withdraw", "Absorb", "Buy")
}
COMET |= {"pauseGuardian": SAFE, "governor": STRANGER}
NTT: dict[str, object] = {
    "owner": SAFE,
    "pauser": SAFE,
    "tokenDecimals": 18,
    "isPaused": False,
    "rateLimitDuration": 86_400,
}
NTT |= {"getOutboundLimitParams": ((5_000 * 256 + 8, 0, 0),)}
BITS: dict[str, object] = {"paused(uint8)": False, "isPauser": True, "pauserRegistry": EXCHANGE, "unpauser": STRANGER}
EULER_CAPS, HOOKS = "setCaps(uint16 supplyCap, uint16 borrowCap)", "setHookConfig(address target, uint32 ops)"
COMET_PAUSE = "pause(bool supply, bool transfer, bool withdraw, bool absorb, bool buy)"
WRONG, UNSAID = "not-restricting", "direction-unknown"  # a role or a formula that mentions a number bounds nothing
OTHERS: list[tuple[str, str, tuple[object, ...], dict[str, object], str]] = [
    ("euler-v2-evk", EULER_CAPS, (6_401, 6_402), EULER, ""),
    ("euler-v2-evk", EULER_CAPS, (64 * 50 + 1, 6_402), EULER, UNSAID),
    ("euler-v2-evk", EULER_CAPS, (0, 0), EULER, "lever-refused"),
    ("euler-v2-evk", EULER_CAPS, (64 * 200 + 1, 6_402), EULER, "lever-refused"),
    ("euler-v2-evk", HOOKS, (ZERO, 0b101), EULER, ""),
    ("euler-v2-evk", HOOKS, (ZERO, 0b001), EULER, WRONG),
    ("euler-v2-evk", HOOKS, (ZERO, 32_767), EULER, ""),
    ("euler-v2-evk", HOOKS, (OWNER, 0b101), EULER, WRONG),
    ("ccip-token-pool", LIMIT_LANE, (1, (True, 500, 5), (True, 500, 5)), LANE, UNSAID),
    ("ccip-token-pool", LIMIT_LANE, (1, (True, 500, 5), (True, 1_000, 10)), LANE, UNSAID),
    ("ccip-token-pool", LIMIT_LANE, (1, (True, 500, 5), (True, 5_000, 10)), LANE, WRONG),
    ("ccip-token-pool", LIMIT_LANE, (1, (False, 0, 0), (True, 2**127, 2**127)), LANE, WRONG),
    ("compound-v3", COMET_PAUSE, (True, True, True, False, False), COMET, ""),
    ("compound-v3", COMET_PAUSE, (True, False, True, True, True), COMET, WRONG),
    ("wormhole-ntt", "setOutboundLimit(uint256 limit)", (4_999 * 10**10,), NTT, UNSAID),
    ("wormhole-ntt", "setOutboundLimit(uint256 limit)", (5_001 * 10**10,), NTT, WRONG),
    ("eigenlayer", "pause(uint256 newPausedStatus)", (0b110,), {**BITS, "paused": 0b010}, ""),
    ("eigenlayer", "pause(uint256 newPausedStatus)", (0b100,), {**BITS, "paused": 0b010}, WRONG),
    ("eigenlayer", "pause(uint256 newPausedStatus)", (2**256 - 1,), {**BITS, "paused": 0}, WRONG),
    ("synthetix-v2", "suspendSystem(uint256 reason)", (2**200,), {"none": 0}, "direction-unknown"),
]


@pytest.mark.parametrize(("protocol", "text", "args", "answers", "code"), OTHERS)
def test_each_kind_of_lever_is_held_against_the_chain(
    protocol: str, text: str, args: tuple[object, ...], answers: dict[str, object], code: str
) -> None:
    known = catalog().find(protocol)
    assert known is not None
    found = inspected(protocol, dict.fromkeys(known.slots, EXCHANGE), text, args, answers)
    assert codes(found) == ({code} if code else set()), found.findings


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ((250_000_000_000, 3_600), ""),
        ((500_000_000_000, 3_600), ""),
        ((2**256 - 1, 1), "not-restricting"),
        ((600_000_000_000, 3_600), "not-restricting"),
        ((400_000_000_000, 60), "direction-unknown"),
        ((0, 0), "direction-unknown"),
    ],
)
def test_a_bucket_is_held_against_the_one_that_stands(args: tuple[int, int], code: str) -> None:
    found = look(made([Call(EXCHANGE, parse_signature("setWithdrawalLimit(uint256,uint256)"), args)]))
    assert codes(found) == ({code} if code else set()), found.findings
    assert "Now exchange.withdrawal_capacity() is 500,000.00 USDC" in found.calls[0].plain


def test_without_an_answer_the_direction_is_not_known() -> None:
    tx = made([Call(EXCHANGE, parse_signature("setWithdrawalLimit(uint256,uint256)"), (1, 3_600))])
    assert codes(look(tx, chain=False)) == {"chain-not-read", "direction-unknown"}
    assert "chain-not-read" in codes(look(made([PAUSE]), chain=False))
    unread = judge(
        loaded(tx), Aids(sound(parse_document(DEPLOYMENT.encode(), "t.yaml")), catalog()), view(tx, {"a": 1})
    )
    assert codes(unread) == {"direction-unknown"}


@pytest.mark.parametrize(
    ("maximum", "code"),
    [(499, ""), (500, ""), (0, "direction-unknown"), (501, "not-restricting"), (GREAT, "not-restricting")],
)
def test_a_cap_that_the_lever_bounds_is_never_raised(maximum: int, code: str) -> None:
    slots = {"minting": EXCHANGE}
    found = inspected("ethena-minting", slots, "setMaxMintPerBlock(uint256 maximum)", (maximum,), MINTING)
    assert codes(found) == ({code} if code else set()), found.findings


def test_who_lacks_the_role_is_told_that_it_would_fail() -> None:
    answers = {"guardian": STRANGER, "governance": TIMELOCK, "marketPaused": False}
    tx = made([PAUSE])
    found = judge(loaded(tx), Aids(sound(parse_document(DEPLOYMENT.encode(), "t.yaml")), catalog()), view(tx, answers))
    assert codes(found) == {"lever-refused"}


def test_a_time_lock_pulls_as_itself() -> None:
    schedule = parse_signature("schedule(address,uint256,bytes,bytes32,bytes32,uint256)")
    tx = made([Call(TIMELOCK, schedule, (EXCHANGE, 0, PAUSE.data, bytes(32), bytes(32), 60))])
    assert codes(look(tx)) == {"scheduled"}
    deployment = sound(parse_document(DEPLOYMENT.encode(), "t.yaml"))
    answers = {"guardian": STRANGER, "governance": OWNER, "marketPaused": False}
    assert codes(judge(loaded(tx), Aids(deployment, catalog()), view(tx, answers))) == {"lever-refused", "scheduled"}


@pytest.mark.parametrize("name", sorted(one for one in catalog().names()))
def test_no_lever_is_clean_with_the_greatest_numbers_and_no_answers(name: str) -> None:
    """Every shipped function, with every number at its greatest and nothing read: never clean."""
    protocol = catalog().find(name)
    assert protocol is not None
    slots = dict.fromkeys(protocol.slots, EXCHANGE)
    for lever in protocol.levers.values():
        args = tuple(greatest(kind) for kind in lever.call.input_types)
        if any(isinstance(one, int) and not isinstance(one, bool) for one in args):
            encode_call(lever.call, args)
            assert inspected(name, slots, str(lever.call.canonical), args, {"none": 0}).verdict != "clean"


def greatest(kind: str) -> object:
    """The greatest value of a type."""
    if kind.endswith("[]"):
        return ()
    if kind.startswith("("):
        return tuple(greatest(one) for one in kind[1:-1].split(","))
    if kind.startswith("uint"):
        return 2 ** int(kind.removeprefix("uint") or "256") - 1
    if kind.startswith("bytes") and kind != "bytes":
        return b"\xff" * int(kind.removeprefix("bytes"))
    return {"address": OWNER, "bytes": b"", "string": "", "bool": True}[kind]


def test_a_batch_of_bitmaps_is_weighed_in_time() -> None:
    """Each of these calls may have come about in many ways; no more are tried than are read."""
    protocol = catalog().find("eigenlayer")
    assert protocol is not None
    addresses = ", ".join(f'{name}: "{EXCHANGE}"' for name in protocol.slots)
    own = DEPLOYMENT.replace(
        f'protocol: drill-exchange, addresses: {{exchange: "{EXCHANGE}"}}',
        f"protocol: eigenlayer, addresses: {{{addresses}}}",
    )
    aids = Aids(sound(parse_document(own.encode(), "test.yaml")), catalog())
    pause = parse_signature("pause(uint256 newPausedStatus)")
    tx = made([Call(EXCHANGE, pause, (2**256 - 1,))] * 700)
    seen = view(tx, {**BITS, "paused": 0})
    found = judge(loaded(tx), aids, seen)
    reads = lever_reads(tx, aids)
    assert found.verdict == "warned"
    assert {"not-restricting", "direction-unknown"} <= codes(found)
    assert len(reads) <= MOST_READS
