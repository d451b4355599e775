"""Trying unsigned rungs before their turn: with the Safe's nonce and the owners' approvals overridden."""

from __future__ import annotations

from collections.abc import Sequence

from incident_cli.chain.simulate import execution_verdict
from incident_cli.errors import Refused
from incident_cli.flows.proposal import SafeState
from incident_cli.flows.reading import Reader
from incident_cli.flows.trying import trial_of
from incident_cli.flows.vault.asking import NONCE, PROBE, PROBE_NONCE, Key, ask, at_nonce, call
from incident_cli.safe.vault import Rung
from incident_cli.transport import Json, Request


def tried_later(reader: Reader, safe: SafeState, ladder: Sequence[Rung]) -> str:
    """Nothing where every rung would succeed in its turn, else why that could not be tried; raises Refused where one
    would fail."""
    asks: dict[Key, Request] = {
        PROBE: Request("eth_call", (call(safe.address, NONCE), "latest", at_nonce(safe.address, PROBE_NONCE))),
    }
    asks |= {("later", one.safe_tx_hash): request for one in ladder if (request := trial(safe, one)) is not None}
    answers = ask(reader.endpoint, reader.chain, reader.chain_id, asks)
    if answers.number(PROBE) != PROBE_NONCE:
        return "the node cannot override the Safe's nonce; the others have the same calls"
    untried = 0
    for one in ladder:
        state, reason = execution_verdict(answers.replies[("later", one.safe_tx_hash)])
        if state == "failed":
            words = f"the rung at nonce {one.tx.nonce} for {one.market} would fail in its turn: {reason}"
            raise Refused(words, "nothing was armed")
        untried += state != "passed"
    return f"{untried} of {len(ladder)} could not be tried before their turn" if untried else ""


def trial(safe: SafeState, rung: Rung) -> Request | None:
    """The execution of an unsigned rung in its turn; None where the Safe has fewer owners than its threshold."""
    made = trial_of(safe, rung.tx, rung.safe_tx_hash)
    if made is None:
        return None
    overrides: Json = made.state_overrides(safe.address)
    return Request("eth_call", (call(safe.address, made.calldata, made.sender), "latest", overrides))
