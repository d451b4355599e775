"""A ladder on the screen: the Safe, what each market's rungs do, every hash, and who signed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from incident_cli.cli.terminal import Printer

if TYPE_CHECKING:
    from incident_cli.safe.vault import Rung, Vault

INDENT = 2


def show_ladder(printer: Printer, vault: Vault) -> None:
    """Everything that whoever signs puts their name to."""
    printer.line(f"VAULT: {vault.runbook}, step {vault.step}", "bold")
    printer.line(f"Safe {vault.safe} ({vault.version}) on {vault.chain}, chain {vault.chain_id}")
    printer.line(f"threshold {vault.threshold} of {len(vault.owners)}; armed {vault.armed_at}")
    for market in vault.markets:
        show_target(printer, vault, market)
    printer.line(f"nonces {vault.nonces[0]} to {vault.nonces[-1]}; at each, one of these:")
    for one in vault.rungs:
        show_rung(printer, vault, one)


def show_target(printer: Printer, vault: Vault, market: str) -> None:
    """What a market's rungs call, and what proves them."""
    target = vault.target(market)
    printer.line(f"{market}:", "bold")
    for call in target.calls:
        arguments = ", ".join(f"{name} = {value}" for name, value in dict(call["args"]).items())
        printer.line(f"  {call['plain']}", hanging=2 * INDENT)
        printer.line(f"  {call['to']}  {call['function']}  {arguments}", hanging=2 * INDENT)
    for effect in target.effects:
        printer.line(f"  proven by {effect.expectation.label} = {value_of(effect.expectation.value)}", hanging=4)


def value_of(value: object) -> str:
    """A value as people read it."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    return str(value).lower() if isinstance(value, bool) else str(value)


def show_rung(printer: Printer, vault: Vault, rung: Rung) -> None:
    """A rung's nonce, market, hash and signatures."""
    count = f"{len(rung.signatures)} of {vault.threshold} signatures"
    printer.line(f"  nonce {rung.tx.nonce}  {rung.market}  {rung.safe_tx_hash}  {count}", hanging=2 * INDENT)


def ladder_object(vault: Vault) -> dict[str, Any]:
    """What may be shown to anybody: no signature is in it."""
    return {
        "chain": vault.chain,
        "chain_id": vault.chain_id,
        "safe": vault.safe,
        "version": vault.version,
        "runbook": vault.runbook,
        "step": vault.step,
        "markets": list(vault.markets),
        "threshold": vault.threshold,
        "rungs": [
            {
                "nonce": one.tx.nonce,
                "market": one.market,
                "safe_tx_hash": one.safe_tx_hash,
                "signers": sorted(one.signatures),
            }
            for one in vault.rungs
        ],
    }


def phrase_of(vault: Vault) -> str:
    """What is typed before a ladder is signed: the markets, and how many nonces."""
    return " ".join((*vault.markets, str(len(vault.nonces))))
