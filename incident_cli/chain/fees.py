"""What a transaction costs to send now: fees, gas, nonce and balance of its sender, all in one request.

EIP-1559 only. The most that is paid per gas is twice the base fee of the next block (six full blocks away) plus a tip
that most of the recent transactions did not outbid; a replacement raises both by an eighth, as nodes demand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from incident_cli.chain.answers import LATEST_BLOCK, quantity
from incident_cli.chain.multicall import revert_reason
from incident_cli.errors import Refused, Unread
from incident_cli.evm import Address, hex_bytes, to_hex
from incident_cli.outgoing import Outgoing
from incident_cli.text import plain
from incident_cli.transport import Endpoint, Json, Request, RpcError

GWEI = 10**9
HISTORY_BLOCKS, TIP_PERCENTILE = 5, 75
CAP = 1_000 * GWEI  # per gas: more is paid only where somebody says so
BUMP = (9, 8)  # 12.5 %, the most that a client demands of a replacement (geth 10 %, Nethermind 10 %, Erigon 12.5 %)
MARGIN = (5, 4)  # over the estimate: the state may change before the block
KEPT = (64, 63)  # EIP-150: a call passes on at most 63/64 of what is left
PER_TRANSACTION = 2**24  # EIP-7825: no transaction has more gas


class Unpayable(Refused):
    """The sender has not the money for it; another account may."""


@dataclass(frozen=True, slots=True)
class Fees:
    """Wei per gas: the most that is paid in all, and the tip in it."""

    max_fee: int
    priority_fee: int


@dataclass(frozen=True, slots=True)
class Market:
    """What the chain asks: base fee of the next block and a usual tip (wei per gas), and the gas of a block."""

    base_fee: int
    tip: int
    block_gas: int


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends: its next nonce, how many of its transactions wait in the pool before that, its balance in wei."""

    address: Address
    nonce: int
    waiting: int
    balance: int


@dataclass(frozen=True, slots=True)
class Quote:
    """A transaction that can be signed, and what it rests on."""

    outgoing: Outgoing
    market: Market
    sender: Sender

    @property
    def most_cost(self) -> int:
        """Wei that it can cost at most; a rollup's fee for its data comes on top where the chain charges it apart."""
        return cost(self.outgoing)


def outgoing_for(
    endpoint: Endpoint,
    chain_id: int,
    sender: Address,
    to: Address,
    data: bytes,
    *,
    value: int = 0,
    used: int = 0,
    cap: int = CAP,
    replacing: Outgoing | None = None,
) -> Outgoing:
    """The transaction ready to be signed; see `quote`."""
    return quote(endpoint, chain_id, sender, to, data, value=value, used=used, cap=cap, replacing=replacing).outgoing


def quote(
    endpoint: Endpoint,
    chain_id: int,
    sender: Address,
    to: Address,
    data: bytes,
    *,
    value: int = 0,
    used: int = 0,
    cap: int = CAP,
    replacing: Outgoing | None = None,
) -> Quote:
    """A transaction with fees, gas and nonce of now, in one exchange.

    `used` is the gas that a simulation with plenty of it used: an estimate alone may find the least with which a call
    inside is starved and swallowed. `cap` is the most wei per gas; `replacing` is an earlier transaction of this nonce
    that is to be outbid. Raises Refused where it would revert, or is over the cap, Unpayable (a Refused) where
    the sender cannot pay; Unread where the node cannot be asked, is on another chain, or has no base fee.
    """
    asked = requests(sender, to, data, value)
    answers = dict(zip(asked, answered(endpoint, list(asked.values())), strict=True))
    check_chain(endpoint.name, answers["chain"], chain_id)
    market = market_of(endpoint.name, answers)
    account = sender_of(endpoint.name, sender, answers, replacing)
    fees = capped(bumped(fees_of(market), replacing), market, cap, replacing is not None)
    gas = gas_limit(estimated(endpoint.name, answers["gas"]), used, market.block_gas)
    nonce = account.nonce if replacing is None else replacing.nonce
    outgoing = Outgoing(chain_id, nonce, to, data, gas, fees.max_fee, fees.priority_fee, value)
    refuse_unpaid(outgoing, account)
    return Quote(outgoing, market, account)


def requests(sender: Address, to: Address, data: bytes, value: int) -> Mapping[str, Request]:
    """Everything that is asked, by name."""
    call: Json = {"from": sender, "to": to, "data": to_hex(data), "value": hex(value)}
    return {
        "chain": Request("eth_chainId"),
        "block": LATEST_BLOCK,
        "history": Request("eth_feeHistory", (hex(HISTORY_BLOCKS), "latest", [TIP_PERCENTILE])),
        "tip": Request("eth_maxPriorityFeePerGas"),
        "mined": Request("eth_getTransactionCount", (sender, "latest")),
        "pending": Request("eth_getTransactionCount", (sender, "pending")),
        "balance": Request("eth_getBalance", (sender, "latest")),
        "gas": Request("eth_estimateGas", (call, "latest")),  # not the pool: what is replaced waits there
    }


def answered(endpoint: Endpoint, requests: Sequence[Request]) -> list[Json | RpcError]:
    """The answers of one exchange; one by one where a node takes no batch."""
    found = endpoint.exchange(requests)
    if any(not isinstance(one, RpcError) for one in found):
        return found
    return [endpoint.exchange([one])[0] for one in requests]


def check_chain(name: str, answer: Json | RpcError, chain_id: int) -> None:
    """Raises Unread where the node is on another chain: a transaction for it would be somebody else's there."""
    found = amount(name, answer, "its chain id")
    if found != chain_id:
        raise Unread(f"{name} is on chain {found}, not {chain_id}", "Name a node of that chain.")


def market_of(name: str, answers: Mapping[str, Json | RpcError]) -> Market:
    """Base fee, tip and block gas; raises Unread where the chain has no base fee."""
    block = answers["block"]
    if not isinstance(block, Mapping):
        raise Unread(f"{name} gave no latest block", "Try another node.")
    if block.get("baseFeePerGas") is None:
        raise Unread(
            f"{name} states no base fee: its chain is older than EIP-1559",
            "incident sends EIP-1559 transactions only: let another program send this one.",
        )
    latest = amount(name, block["baseFeePerGas"], "its base fee")
    following = next_base_fee(answers["history"])
    return Market(max(latest, following), usual_tip(answers), amount(name, block.get("gasLimit"), "its block gas"))


def next_base_fee(history: Json | RpcError) -> int:
    """The base fee of the block to come, the last in a fee history; 0 where there is none to be read."""
    fees = history.get("baseFeePerGas") if isinstance(history, Mapping) else None
    return readable(fees[-1]) or 0 if isinstance(fees, list) and fees else 0


def usual_tip(answers: Mapping[str, Json | RpcError]) -> int:
    """The tip that three quarters of each recent block's transactions did not exceed, the median over the blocks; at
    least what the node itself suggests. Empty blocks say nothing; where nothing is said it is 1 wei.
    """
    suggested = readable(answers["tip"]) or 0
    return max(median([one for one in rewards(answers["history"]) if one]), suggested, 1)


def rewards(history: Json | RpcError) -> list[int]:
    """One tip for each block of a fee history; those that cannot be read are left out."""
    rows = history.get("reward") if isinstance(history, Mapping) else None
    firsts = [row[0] for row in rows if isinstance(row, list) and row] if isinstance(rows, list) else []
    return [one for one in map(readable, firsts) if one is not None]


def median(numbers: Sequence[int]) -> int:
    """The upper one of the middle; 0 of none."""
    return sorted(numbers)[len(numbers) // 2] if numbers else 0


def fees_of(market: Market) -> Fees:
    """Twice the base fee and the tip."""
    return Fees(2 * market.base_fee + market.tip, market.tip)


def bumped(fees: Fees, replacing: Outgoing | None) -> Fees:
    """At least an eighth over both fees of what is replaced: nodes take no other replacement."""
    if replacing is None:
        return fees
    priority = max(fees.priority_fee, raised(replacing.priority_fee))
    return Fees(max(fees.max_fee, raised(replacing.max_fee), priority), priority)


def raised(fee: int) -> int:
    """An eighth more, rounded up."""
    return -(-fee * BUMP[0] // BUMP[1])


def capped(fees: Fees, market: Market, cap: int, replacing: bool) -> Fees:
    """Within the cap, where that still pays for the next block (and outbids what is replaced); raises Refused."""
    if fees.max_fee <= cap:
        return fees
    needed = fees.max_fee if replacing else market.base_fee + fees.priority_fee
    if needed > cap:
        raise Refused(
            f"sending this takes {shown(needed)} per gas, and the cap is {shown(cap)}",
            "Nothing was sent. Raise the cap, or wait for the fees to fall.",
        )
    return replace(fees, max_fee=cap)


def estimated(name: str, answer: Json | RpcError) -> int:
    """The estimate of gas; raises Refused with the reason where the transaction would revert."""
    if isinstance(answer, RpcError):
        if not answer.data and answer.code != 3 and "revert" not in answer.message.lower():
            raise Unread(f"{name} gave no estimate of the gas: {plain(answer.message, 300)}", "Try another node.")
        reason = revert_reason(hex_bytes(answer.data)) if answer.data else plain(answer.message, 300)
        raise Refused(f"the transaction would fail: {reason}", "Nothing was sent. Simulate it to see where it fails.")
    return amount(name, answer, "an estimate of the gas")


def gas_limit(estimate: int, used: int, block_gas: int) -> int:
    """Gas for the estimate, or for what a simulation used and EIP-150 keeps back, whichever is more; a quarter over.

    Within what a block and a transaction may have, but never below the estimate; raises Refused where a block cannot
    hold it.
    """
    needed = max(estimate, -(-used * KEPT[0] // KEPT[1]))
    if needed > block_gas:
        raise Refused(
            f"the transaction takes {needed} gas, and a block holds {block_gas}", "Split it into smaller ones."
        )
    padded = -(-needed * MARGIN[0] // MARGIN[1])
    return min(padded, block_gas, max(needed, PER_TRANSACTION))


def sender_of(
    name: str, address: Address, answers: Mapping[str, Json | RpcError], replacing: Outgoing | None
) -> Sender:
    """The sender's state; raises Refused where what is to be replaced has been mined."""
    mined, pending = (amount(name, answers[key], "the sender's nonce") for key in ("mined", "pending"))
    if replacing is not None and replacing.nonce < mined:
        raise Refused(
            f"nonce {replacing.nonce} of {address} is spent: a transaction with it was mined",
            "Look for the receipts of what was sent; nothing has to be replaced.",
        )
    nonce = max(mined, pending)
    return Sender(address, nonce, nonce - mined, amount(name, answers["balance"], "the sender's balance"))


def refuse_unpaid(outgoing: Outgoing, sender: Sender) -> None:
    """Raises Unpayable where the balance does not pay for the most it can cost."""
    short = cost(outgoing) - sender.balance
    if short <= 0:
        return
    affordable = max(sender.balance - outgoing.value, 0) // outgoing.gas
    raise Unpayable(
        f"{sender.address} holds {ether(sender.balance)}, and this can cost {ether(cost(outgoing))}"
        f" ({outgoing.gas} gas at {shown(outgoing.max_fee)})",
        f"Send it {ether(short)}, use another account, or set the cap to {affordable} wei per gas, which it can pay.",
    )


def cost(outgoing: Outgoing) -> int:
    """Wei that a transaction can cost at most."""
    return outgoing.gas * outgoing.max_fee + outgoing.value


def ether(wei: int) -> str:
    """An amount of the chain's own coin, exactly."""
    whole, rest = divmod(wei, 10**18)
    return f"{whole}.{rest:018d}".rstrip("0").rstrip(".") + " coins" if wei else "nothing"


def shown(wei: int) -> str:
    """Wei per gas in gwei, exactly."""
    whole, rest = divmod(wei, GWEI)
    return f"{whole}.{rest:09d}".rstrip("0").rstrip(".") + " gwei"


def amount(name: str, answer: Json | RpcError, what: str) -> int:
    """A number that must be there; raises Unread."""
    found = readable(answer)
    if found is None:
        said = f": {plain(answer.message, 300)}" if isinstance(answer, RpcError) else ""
        raise Unread(f"{name} did not state {what}{said}", "Try another node.")
    return found


def readable(answer: Json | RpcError) -> int | None:
    """A quantity, or None."""
    try:
        return None if isinstance(answer, RpcError) else quantity(answer)
    except ValueError:
        return None
