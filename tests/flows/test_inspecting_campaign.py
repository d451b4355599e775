"""A campaign: dangers put into clean transactions never come out clean, nor where their own file vouches for them."""

from __future__ import annotations

import contextlib
import dataclasses
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from incident_cli.abi import encode_call
from incident_cli.evm import ZERO, Address, checksummed, to_hex
from incident_cli.flows.multisig.aids import Aids
from incident_cli.flows.multisig.inspecting import Inspection, judge
from incident_cli.flows.multisig.loading import Loaded
from incident_cli.safe.batch import InnerCall, encode_batch
from incident_cli.safe.contracts import MULTICALL3, MULTISEND_CODE_HASHES, SENTINEL
from incident_cli.safe.known_functions import CARRIER, CONTROL, EVERY, NAMED_CONTROL, SELF_MULTICALL
from incident_cli.safe.strict_abi import NotCanonical, decode_exactly
from incident_cli.safe.transaction import SafeTx
from tests.flows.inspected import (
    ANSWERS,
    APPROVE,
    EXCHANGE,
    LIMIT,
    MULTISEND,
    NONCE,
    OWNER,
    PAUSE,
    SAFE,
    STRANGER,
    TIMELOCK,
    TRANSFER,
    USDC,
    aids,
    loaded,
    made,
    view,
)
from tests.flows.test_inspecting import (
    SWAP,
    signature,
    through_multicall,
    through_safe,
    through_timelock,
    zero,
    zeros,
)

SMALL, FULL = 300, 10_000

addresses = st.binary(min_size=20, max_size=20).map(checksummed)
strangers = addresses.filter(lambda one: one not in (ZERO, SENTINEL))
positive = st.one_of(st.integers(1, 9), st.integers(1, 2**256 - 1))
control = st.sampled_from([*NAMED_CONTROL[:-1], *CONTROL]).map(
    lambda text: encode_call(signature(text), zeros(signature(text)))
)
payloads = st.one_of(control, st.binary(min_size=1, max_size=80), st.just(SWAP))
Danger = Callable[[st.DrawFn, SafeTx], SafeTx]


def put(name: str, values: st.SearchStrategy[Any]) -> Danger:
    return lambda draw, tx: dataclasses.replace(tx, **{name: draw(values)})


def entries(tx: SafeTx) -> list[InnerCall]:
    from incident_cli.safe.unfolding import unfold

    return unfold(tx).outermost


def rebuilt(tx: SafeTx, calls: list[InnerCall]) -> SafeTx:
    return dataclasses.replace(tx, to=MULTISEND, operation=1, value=0, data=encode_batch(calls))


def rider(draw: st.DrawFn, tx: SafeTx) -> SafeTx:
    """One call more, anywhere in the batch: control, anything unknown, or to anybody."""
    call = InnerCall(0, draw(st.sampled_from([SAFE, EXCHANGE, STRANGER, USDC])), 0, draw(payloads))
    calls = entries(tx)
    calls.insert(draw(st.integers(0, len(calls))), call)
    return rebuilt(tx, calls)


def hidden(draw: st.DrawFn, tx: SafeTx) -> SafeTx:
    """Control, or a delegatecall, within what a time-lock, another Safe or a multicall is handed."""
    to, data = draw(st.sampled_from([SAFE, EXCHANGE, STRANGER])), draw(payloads)
    for _ in range(draw(st.integers(1, 3))):
        road = draw(st.sampled_from(["time-lock", "safe", "delegate", "multicall"]))
        if road == "time-lock":
            to, data = TIMELOCK, through_timelock(to, data)
        elif road == "multicall":
            to, data = MULTICALL3, through_multicall(to, data)
        else:
            to, data = STRANGER, through_safe(to, data, int(road == "delegate"))
    return rebuilt(tx, [*entries(tx), InnerCall(0, to, 0, data)])


def inner_delegatecall(draw: st.DrawFn, tx: SafeTx) -> SafeTx:
    calls = entries(tx)
    at = draw(st.integers(0, len(calls) - 1))
    calls[at] = dataclasses.replace(calls[at], operation=draw(st.integers(1, 255)))
    return rebuilt(tx, calls)


def padded(draw: st.DrawFn, tx: SafeTx) -> SafeTx:
    """Bytes after the arguments of one call, or after the whole."""
    extra = draw(st.binary(min_size=1, max_size=64))
    if draw(st.booleans()):
        return dataclasses.replace(tx, data=tx.data + extra)
    calls = entries(tx)
    at = draw(st.integers(0, len(calls) - 1))
    calls[at] = dataclasses.replace(calls[at], data=calls[at].data + extra)
    return rebuilt(tx, calls)


def lookalike(draw: st.DrawFn, tx: SafeTx) -> SafeTx:
    """A known address replaced by one with the same ends, as a target or as an argument."""
    known = draw(st.sampled_from([EXCHANGE, OWNER, USDC, TIMELOCK, SAFE]))
    middle = draw(st.binary(min_size=16, max_size=16))
    false = checksummed(bytes.fromhex(known[2:6]) + middle + bytes.fromhex(known[-4:]))
    data = draw(st.sampled_from([PAUSE.data, LIMIT.data]))
    call = InnerCall(0, false, 0, data)
    if draw(st.booleans()):
        call = InnerCall(0, USDC, 0, encode_call(TRANSFER, (false, 5)))
    return rebuilt(tx, [*entries(tx), call])


def delegatecall(draw: st.DrawFn, tx: SafeTx) -> SafeTx:
    """To anybody, or to a MultiSendCallOnly whose code is not the known one here."""
    others = sorted(set(MULTISEND_CODE_HASHES) - {MULTISEND})
    return dataclasses.replace(tx, operation=1, to=draw(st.one_of(addresses, st.sampled_from(others))))


def take_control(draw: st.DrawFn, tx: SafeTx) -> SafeTx:
    to = draw(st.sampled_from([SAFE, EXCHANGE]))
    return dataclasses.replace(tx, to=to, operation=0, data=draw(control))


def instead(draw: st.DrawFn, tx: SafeTx, to: Address, data: bytes) -> SafeTx:
    """One call in the place of the others, or in a batch beside them."""
    if draw(st.booleans()):
        return dataclasses.replace(tx, to=to, operation=0, data=data)
    return rebuilt(tx, [*entries(tx), InnerCall(0, to, 0, data)])


def loosened(draw: st.DrawFn, tx: SafeTx) -> SafeTx:
    """The lever's own function with numbers that let more through than now: at once, or over time."""
    capacity, period = ANSWERS["withdrawalCapacity"], ANSWERS["withdrawalPeriod"]
    assert isinstance(capacity, int)
    assert isinstance(period, int)
    more = st.tuples(st.integers(capacity + 1, 2**256 - 1), st.integers(1, 2**256 - 1))
    faster = st.tuples(st.integers(2 * capacity // period, capacity), st.integers(0, 1))
    return instead(draw, tx, EXCHANGE, encode_call(LIMIT.signature, draw(st.one_of(more, faster))))


def named_by_a_file(draw: st.DrawFn, tx: SafeTx) -> SafeTx:
    """A function that nobody knows but the file: with a stranger, bytes, or numbers."""
    one = signature(draw(st.sampled_from(STATED)))
    to = draw(st.sampled_from([EXCHANGE, USDC, TIMELOCK]))
    values = tuple(draw(value_of(kind)) for kind in one.input_types)
    return instead(draw, tx, to, encode_call(one, values))


def value_of(kind: str) -> st.SearchStrategy[Any]:
    if kind.endswith("[]"):
        return st.lists(value_of(kind.removesuffix("[]")), max_size=3).map(tuple)
    if kind == "bytes":
        return payloads
    if kind == "string":
        return st.sampled_from(["", "upgradeTo(address)", "0x" + "z" * 40, "pause()"])
    if kind.startswith("bytes"):
        return st.binary(min_size=int(kind.removeprefix("bytes")), max_size=int(kind.removeprefix("bytes")))
    if kind.startswith("uint"):
        return st.integers(0, 2 ** int(kind.removeprefix("uint")) - 1)
    return st.booleans() if kind == "bool" else st.one_of(addresses, st.sampled_from([SAFE, EXCHANGE, OWNER]))


def released(draw: st.DrawFn, tx: SafeTx) -> SafeTx:
    """What every inspection knows by name alone, or knows to let go."""
    text = draw(st.sampled_from(["unpause()", "burn(uint256)", "withdraw(uint256)", "deposit()", "pause()"]))
    one = signature(text)
    values = tuple(draw(positive) for _ in one.input_types)
    return instead(draw, tx, draw(st.sampled_from([EXCHANGE, USDC])), encode_call(one, values))


def carried(draw: st.DrawFn, tx: SafeTx) -> SafeTx:
    """Anything, a good call too, through an executor of any kind."""
    one = signature(draw(st.sampled_from([*CARRIER, *SELF_MULTICALL])))
    data = draw(st.one_of(payloads, st.just(PAUSE.data)))
    given = {"address": EXCHANGE, "bytes": data, "address[]": (EXCHANGE,), "bytes[]": (data,), "uint256[]": (0,)}
    values = tuple(given.get(kind, zero(kind)) for kind in one.input_types)
    return instead(draw, tx, draw(st.sampled_from([EXCHANGE, TIMELOCK])), encode_call(one, values))


def estranged(draw: st.DrawFn, tx: SafeTx) -> SafeTx:
    """An allowance taken back, which is harmless, from somebody whom the deployment does not know."""
    return instead(draw, tx, USDC, encode_call(APPROVE, (draw(strangers), 0)))


def undone(draw: st.DrawFn, tx: SafeTx) -> SafeTx:
    """Two limits, each no looser than what stands, the first of which is but taken back."""
    capacities = st.integers(1, 500_000_000_000)
    limits = [encode_call(LIMIT.signature, (draw(capacities), 3_600)) for _ in range(2)]
    return rebuilt(tx, [InnerCall(0, EXCHANGE, 0, one) for one in limits])


def of_no_market(draw: st.DrawFn, tx: SafeTx) -> SafeTx:
    """The lever for a market that there is not."""
    market = draw(st.binary(min_size=32, max_size=32).filter(lambda one: one != PAUSE.args[0]))
    return instead(draw, tx, EXCHANGE, encode_call(PAUSE.signature, (market, True)))


def for_good(draw: st.DrawFn, tx: SafeTx) -> SafeTx:
    """A lever that nobody can undo."""
    return instead(draw, tx, EXCHANGE, encode_call(signature("shutdown()"), ()))


def later(draw: st.DrawFn, tx: SafeTx) -> SafeTx:
    """A good call that a time-lock is to make, some time."""
    schedule = signature("schedule(address,uint256,bytes,bytes32,bytes32,uint256)")
    before, seconds = draw(st.binary(min_size=32, max_size=32)), draw(positive)
    args = (EXCHANGE, 0, PAUSE.data, before, bytes(32), seconds)
    return instead(draw, tx, TIMELOCK, encode_call(schedule, args))


def put_away(draw: st.DrawFn, tx: SafeTx) -> SafeTx:
    """Nothing at all, at a nonce where something may stand."""
    return dataclasses.replace(tx, to=SAFE, operation=0, data=b"")


def inner_refund(draw: st.DrawFn, tx: SafeTx) -> SafeTx:
    """Another Safe that pays whoever broadcasts."""
    execute = signature("execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)")
    gas = [0, 0, 0, ZERO, ZERO]
    at = draw(st.integers(0, 4))
    gas[at] = draw(positive if at < 3 else strangers)
    return instead(draw, tx, TIMELOCK, encode_call(execute, (EXCHANGE, 0, PAUSE.data, 0, *gas, b"")))


STATED = (
    "pause_market(bytes32 market)",
    "setKeepers(address[] keepers)",
    "note(string text)",
    "setOracle(address oracle)",
    "forward(address target, bytes data)",
    "batch(address[] targets, bytes[] datas)",
    "lower(uint256 amount, uint256 period)",
    "workMyDirefulOwner(uint256 market, uint256 paused)",
    "join_tg_invmru_haha_fd06787(address market, bool paused)",
    "createProxyWithNonce(address singleton, bytes initializer, uint256 salt)",
)
DANGERS: dict[str, Danger] = {
    "loosened": loosened,
    "named by a file": named_by_a_file,
    "released": released,
    "carried": carried,
    "estranged": estranged,
    "inner_refund": inner_refund,
    "undone": undone,
    "of no market": of_no_market,
    "for good": for_good,
    "later": later,
    "put away": put_away,
    "chain": put("chain_id", st.integers(2, 2**64)),
    "safe": put("safe", addresses),
    "version": put("version", st.sampled_from(["0.0.1", "1.0.0", "1.1.1", "1.3.0", "1.5.0", "1.9.9"])),
    "value": put("value", positive),
    "safe_tx_gas": put("safe_tx_gas", positive),
    "base_gas": put("base_gas", positive),
    "gas_price": put("gas_price", positive),
    "gas_token": put("gas_token", addresses),
    "refund_receiver": put("refund_receiver", addresses),
    "stale": put("nonce", st.integers(0, NONCE - 1)),
    "far": put("nonce", st.integers(NONCE + 51, 2**256 - 1)),
    "delegatecall": delegatecall,
    "inner_delegatecall": inner_delegatecall,
    "padded": padded,
    "lookalike": lookalike,
    "rider": rider,
    "hidden": hidden,
    "control": take_control,
}
# a warning may be all that can be said: unknown calls, native currency, numbers, strangers
NOT_DECIDED = {"value", "rider", "hidden", "loosened", "named by a file", "released", "carried", "estranged"}
NOT_DECIDED |= {"undone", "of no market", "for good", "later", "put away"}


@st.composite
def dangerous(draw: st.DrawFn) -> tuple[str, SafeTx]:
    """A clean transaction of one or two calls that concern different things, and a danger put into it."""
    tx = made(draw(st.lists(st.sampled_from([PAUSE, LIMIT]), min_size=1, max_size=2, unique_by=lambda one: one.data)))
    name = draw(st.sampled_from(sorted(DANGERS)))
    changed = DANGERS[name](draw, tx)
    assume(changed != tx)
    return name, changed


def inspected(tx: SafeTx) -> Inspection:
    """As the command does: a chain or a Safe that the deployment does not know is refused, not read."""
    from incident_cli.flows.multisig.inspecting import placed

    _, misplaced = placed(tx, aids().deployment, lambda _: None)
    return judge(loaded(tx), aids(), None if misplaced else view(tx), misplaced)


def vouched_for(tx: SafeTx) -> Inspection:
    """As its author's own proposal file shows it: every call stated, with a name and a sentence for it."""
    texts = {signature(text).selector: text for text in (*STATED, *EVERY)}
    records: list[dict[str, object]] = []
    for one in entries(tx):
        text = texts.get(one.data[:4])
        with contextlib.suppress(NotCanonical):
            if text is not None and decode_exactly(signature(text), one.data) is not None:
                stated = {"to": one.to, "signature": text, "data": to_hex(one.data), "plain": "pauses the market"}
                records.append({**stated, "value": str(one.value)})
    document = {"calls": records}
    return judge(Loaded(tx, document, "test", document), aids(), view(tx))


def hunt(examples: int) -> Counter[str]:
    seen: Counter[str] = Counter()

    @settings(max_examples=examples, deadline=None, database=None)
    @given(dangerous())
    def never_clean(case: tuple[str, SafeTx]) -> None:
        name, tx = case
        found = inspected(tx)
        assert found.verdict != "clean", case
        if name not in NOT_DECIDED:
            assert found.verdict == "refused", case
        assert judge(loaded(tx), Aids(), None).verdict != "clean"
        assert vouched_for(tx).verdict != "clean", case
        seen.update({one.code for one in found.findings} | {"transactions", f"danger {name}"})

    never_clean()
    return seen


def test_dangerous_transactions_never_come_out_clean() -> None:
    seen = hunt(SMALL)
    print(f"\n{seen['transactions']} dangerous transactions inspected, none clean: {dict(sorted(seen.items()))}")
    assert seen["transactions"] >= SMALL // 2


@pytest.mark.campaign
def test_dangerous_transactions_never_come_out_clean_at_length(request: pytest.FixtureRequest) -> None:
    if "campaign" not in str(request.config.getoption("markexpr")):
        pytest.skip("a long campaign: run with -m campaign")
    seen = hunt(FULL)
    print(f"\n{seen['transactions']} dangerous transactions inspected, none clean: {dict(sorted(seen.items()))}")
    assert seen["transactions"] >= FULL // 2
