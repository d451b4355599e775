"""The kinds of values that parameters and lever arguments take, by the type names of YAML."""

from __future__ import annotations

import re

from incident_cli.binding import (
    ADDRESS,
    AMOUNT_KIND,
    BOOLEAN,
    BPS,
    BYTES32_KIND,
    DURATION,
    INTEGER,
    Kind,
    matching,
)

MARKET_FORM = re.compile(r"[A-Z0-9][A-Za-z0-9./-]{0,39}")
BYTES16_KIND = matching("bytes16", re.compile(r"0x[0-9a-fA-F]{32}"), "16 bytes are 0x and 32 hex digits")
BYTES4_KIND = matching("bytes4", re.compile(r"0x[0-9a-fA-F]{8}"), "4 bytes are 0x and 8 hex digits")
FIXED_BYTES = ("bytes32", "bytes16", "bytes4")
MARKET = matching("market", MARKET_FORM, "a market is named like ETH-USD")
VALUE_KINDS: dict[str, Kind] = {
    "market": MARKET,
    "bps": BPS,
    "duration": DURATION,
    "int": INTEGER,
    "amount": AMOUNT_KIND,
    "bool": BOOLEAN,
    "address": ADDRESS,
    "bytes32": BYTES32_KIND,
    "bytes16": BYTES16_KIND,
    "bytes4": BYTES4_KIND,
}
