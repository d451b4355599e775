"""Signing cards to test with."""

from __future__ import annotations

from incident_cli.evm import checksummed, to_hex
from incident_cli.report.signing_card import CardCall, CardHashes, CardSimulation, Rival, SigningCard

SAFE, VENUE = checksummed(b"\x5a" * 20), checksummed(b"\xfe" * 20)
OWNERS = tuple(checksummed(bytes([one]) * 20) for one in (0x11, 0x22, 0x33, 0x44, 0x55))
MARKET = to_hex(b"ETH-USD".ljust(32, b"\0"))


def hash_of(one: int) -> str:
    """A hash that is none."""
    return "0x" + f"{one:02x}" * 32


def card_of(calls: int = 2, text: str = "") -> SigningCard:
    """A full card; with `text` in every field that holds words of others."""
    hashes = CardHashes(hash_of(0xD0), hash_of(0xE0), hash_of(0xF0), hash_of(0xC0), 484)
    made = tuple(
        CardCall(
            VENUE,
            text or "set_paused(bytes32,bool)",
            {text or "market": text or MARKET, "paused": text or "true"},
            number,
            text or "exchange",
            text or "exchange.pause: Stops one market.",
        )
        for number in range(calls)
    )
    simulation = CardSimulation(
        "passed",
        text or "eth_simulateV1",
        text,
        [text or "signatures"],
        [text or f"approval of {OWNERS[1]} taken as given"],
    )
    return SigningCard(
        1,
        SAFE,
        text or "1.4.1",
        42,
        calls > 1,
        hashes,
        made,
        simulation,
        text or "ethereum",
        40,
        3,
        [text or one for one in OWNERS],
        [Rival(text or hash_of(0x99), text or "sends 5 wei to " + VENUE)],
        [text or "nonce-ahead: 2 earlier nonces, from 40, must execute before 42"],
        claims=[
            (about, text or words)
            for about, words in (
                ("incident", "20261122-0300-oracle-divergence-1a2b"),
                ("runbook", "oracle-divergence"),
                ("market", "ETH-USD"),
                ("because", "the feed stands still"),
                ("reopening", "Mon 08:00 UTC by governance, 2 d after it is scheduled"),
                ("call 1", "As two of us decided."),
                ("overruled", "not simulated, overruled by Ann (seen on a fork) and Bob (same)"),
            )
        ],
    )
