"""Binding: a market chooses feeds, ids and limits together; the hash covers every byte that matters."""

from __future__ import annotations

from pathlib import Path

import pytest

from incident_cli.checks.oracle_staleness import OracleStaleness
from incident_cli.document import WrongFile
from incident_cli.errors import Misused
from incident_cli.evm import checksummed
from incident_cli.protocols.slot import Market
from incident_cli.runbook.bind import Bound, bind, runbook_hash
from incident_cli.runbook.deployment import load_deployment
from incident_cli.runbook.load import load_runbook
from incident_cli.runbook.model import ContainStep
from incident_cli.units import Amount, Token

A, B, C, D, E = (str(checksummed(bytes([one]) * 20)) for one in (0xA1, 0xB2, 0xC3, 0xD4, 0xE5))
RUNBOOK = """schema: incident/v1
id: small
title: A small one
meta: {owner: risk, severity: SEV2}
params:
  market: {type: market}
  heartbeat: {type: duration, default: 1h, min: 1m, max: 1d}
  size: {type: amount, default: 250000 USDC}
  wait: {type: duration}
slots:
  exchange: {protocol: drill-exchange}
  feed: {protocol: chainlink-feed}
  council: {protocol: safe}
checks:
  stale: {kind: oracle_staleness, slot: feed, heartbeat: "{heartbeat}"}
steps:
  - {id: detect, check: [stale]}
  - id: pause
    deadline: "{wait}"
    confirm: {type: "{market}"}
    contain:
      by: council
      calls:
        - {lever: exchange.pause_market, market: "{market}"}
        - {lever: exchange.limit_withdrawals, capacity: "{size}", per: 1h}
"""
DEPLOYMENT = f"""schema: incident-deployment/v1
name: test
chains:
  ethereum: {{id: 1, rpc: [{{url: "http://node.invalid"}}]}}
tokens: {{USDC: {{chain: ethereum, address: "{A}", decimals: 6}}}}
slots:
  exchange: {{chain: ethereum, addresses: {{exchange: "{B}"}}}}
  council: {{chain: ethereum, addresses: {{safe: "{C}"}}}}
markets:
  ETH-USD:
    id: "0x{"11" * 32}"
    slots: {{feed: {{chain: ethereum, addresses: {{feed: "{D}"}}}}}}
    params: {{heartbeat: 2h}}
  BTC-USD:
    id: "0x{"22" * 32}"
    slots: {{feed: {{chain: ethereum, addresses: {{feed: "{E}"}}}}}}
"""

GRANT = "{by: council, levers: [exchange.pause_market]}"


def bound(
    folder: Path, chosen: str = "ETH-USD", runbook: str = RUNBOOK, deployment: str = DEPLOYMENT, **given: str
) -> Bound:
    (folder / "small.yaml").write_text(runbook)
    (folder / "deployment.yaml").write_text(deployment)
    loaded = load_runbook(folder / "small.yaml")
    return bind(loaded, *load_deployment(folder / "deployment.yaml"), chosen, {"wait": "5m"} | given)


def heartbeat(of: Bound) -> int:
    check = of.checks["stale"]
    assert isinstance(check, OracleStaleness)
    return check.heartbeat


def test_a_market_binds_its_feed_its_id_and_its_limits_together(tmp_path: Path) -> None:
    ether, bitcoin = bound(tmp_path), bound(tmp_path, "BTC-USD")
    assert (ether.slots["feed"].addresses["feed"], heartbeat(ether)) == (D, 7_200)
    assert (bitcoin.slots["feed"].addresses["feed"], heartbeat(bitcoin)) == (E, 3_600)
    assert (ether.market, ether.chain) == (Market("ETH-USD", b"\x11" * 32), "ethereum")
    assert heartbeat(bound(tmp_path, heartbeat="3h")) == 10_800


def test_the_arguments_of_levers_are_typed(tmp_path: Path) -> None:
    found = bound(tmp_path, size="1.5 USDC")
    step = found.runbook.step("pause")
    assert isinstance(step, ContainStep)
    pause, limit = step.levers
    assert found.lever_args(pause) == {"market": found.market}
    assert found.lever_args(limit) == {"capacity": Amount(1_500_000, Token("USDC", 6)), "per": 3_600}
    assert (found.words("{market}"), found.words("PAUSE")) == ("ETH-USD", "PAUSE")


def test_a_step_takes_the_parameter_s_value_and_not_a_placeholder(tmp_path: Path) -> None:
    assert bound(tmp_path, wait="15m").runbook.step("pause").deadline == 900
    assert bound(tmp_path, wait="20m").runbook.step("pause").deadline == 1_200


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"heartbeat": "59s"}, "below its minimum 1m"),
        ({"heartbeat": "2d"}, "above its maximum 1d"),
        ({"heartbeat": "60"}, "is no duration"),
        ({"hartbeat": "2h"}, "no parameter of small; did you mean 'heartbeat'"),
        ({"size": "5 DAI"}, "DAI is not in the deployment's tokens"),
        ({"size": "0.0000001 USDC"}, "USDC has 6 decimals"),
        ({"market": "BTC-USD"}, "'BTC-USD', but the chosen market is ETH-USD"),
    ],
)
def test_a_wrong_parameter_is_refused(tmp_path: Path, given: dict[str, str], message: str) -> None:
    with pytest.raises(Misused, match=message):
        bound(tmp_path, **given)


def test_a_parameter_without_a_value_is_asked_for(tmp_path: Path) -> None:
    bound(tmp_path)
    with pytest.raises(Misused, match="the parameter wait has no value"):
        bind(load_runbook(tmp_path / "small.yaml"), *load_deployment(tmp_path / "deployment.yaml"), "ETH-USD", {})


def test_an_unknown_market_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(Misused, match="did you mean 'ETH-USD'") as caught:
        bound(tmp_path, "ETH-USDC")
    assert caught.value.hint == "choose one with --market: ETH-USD, BTC-USD"


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (f'  council: {{chain: ethereum, addresses: {{safe: "{C}"}}}}\n', "", "does not bind the slot 'council'"),
        (f'{{safe: "{C}"}}', "{}", "safe needs safe"),
        (f'{{safe: "{C}"}}', f'{{safe: "{C}", spare: "{A}"}}', "safe has no spare"),
        ("council: {chain: ethereum", "council: {chain: base", "'base' is no chain"),
        (C, C.lower(), f"the checksum is wrong.*{C}"),
        (C, C[:10] + "…", "never abbreviated"),
        (f'"{C}"', C.swapcase(), "never abbreviated"),
        ('rpc: [{url: "http://node.invalid"}]', "rpc: []", "at least one node"),
        ('rpc: [{url: "http://node.invalid"}]', "rpc: [{}]", "a node is either"),
        ('[{url: "http://node.invalid"}]', '[{url: "http://node.invalid"}], quorum: 2', "quorum is from 1"),
        ("http://node.invalid", "file:///etc/passwd", "a URL begins with"),
        ("tokens:", 'benchmarks: {cex: {url: "http://far.invalid/", pointer: /price}}\ntokens:', "read over https"),
        ("tokens:", 'benchmarks: {cex: {url: "https://a:b@far.invalid/", pointer: /price}}\ntokens:', "no user name"),
        ("tokens:", 'benchmarks: {cex: {url: "https://far.invalid/", pointer: price}}\ntokens:', "JSON pointer"),
        ("decimals: 6", "decimals: 77", "decimals are from 0 to 36"),
        ("name: test", "name: test\nfinality: 12", "'finality' is no key here"),
        ("name: test", "name: test\nauthority: [{by: nobody, levers: [exchange.pause_market]}]", "'nobody' is no slot"),
        ("name: test", f"name: test\nauthority: [{GRANT}, {GRANT}]", "granted to this Safe twice"),
        ("22" * 32, "22" * 31, "32 bytes are 0x and 64 hex digits"),
    ],
)
def test_a_wrong_deployment_is_refused(tmp_path: Path, before: str, after: str, message: str) -> None:
    assert DEPLOYMENT.count(before) == 1
    with pytest.raises(Misused, match=message):
        bound(tmp_path, deployment=DEPLOYMENT.replace(before, after))


def test_a_slot_that_is_not_bound_is_given_as_it_is_to_be_written(tmp_path: Path) -> None:
    line = f'  council: {{chain: ethereum, addresses: {{safe: "{C}"}}}}\n'
    with pytest.raises(Misused) as caught:
        bound(tmp_path, deployment=DEPLOYMENT.replace(line, ""))
    assert "council: {chain: ethereum, addresses: {safe: 0x…}}" in caught.value.hint


def test_every_error_of_a_deployment_is_told_at_once(tmp_path: Path) -> None:
    wrong = DEPLOYMENT.replace(C, C.lower()).replace("name: test", "name: Test").replace("decimals: 6", "decimals: x")
    with pytest.raises(WrongFile, match="3 problems"):
        bound(tmp_path, deployment=wrong)


TWO_CHAINS = DEPLOYMENT.replace("tokens:", "  base: {id: 8453, rpc: [{env: INCIDENT_RPC_BASE}]}\ntokens:")


def test_a_call_on_a_chain_without_a_safe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misused, match=r"exchange\.pause_market stands on ethereum, where none of council is"):
        bound(tmp_path, deployment=TWO_CHAINS.replace("council: {chain: ethereum", "council: {chain: base"))


def test_checks_may_read_another_chain_than_the_incidents(tmp_path: Path) -> None:
    found = bound(tmp_path, deployment=TWO_CHAINS.replace("feed: {chain: ethereum", "feed: {chain: base"))
    assert (found.chain, found.slots["feed"].chain) == ("ethereum", "base")
    assert {read.chain for one in found.checks.values() for read in one.reads(found.wiring)} == {"base"}


@pytest.mark.parametrize("formula", ["exchange.pool() > amount('5 DAI')", "exchange.pool() > exchange.pool()"])
def test_a_token_that_the_deployment_does_not_have_is_refused(tmp_path: Path, formula: str) -> None:
    runbook = RUNBOOK.replace("checks:", f'checks:\n  solvent: {{kind: invariant, holds: "{formula}"}}', 1)
    deployment = DEPLOYMENT if "DAI" in formula else DEPLOYMENT.replace("USDC", "EURC")
    with pytest.raises(Misused, match=r"DAI|USDC"):
        bound(tmp_path, runbook=runbook, deployment=deployment, size="5 EURC" if "DAI" not in formula else "5 USDC")


def test_a_market_brings_its_own_benchmarks(tmp_path: Path) -> None:
    entry = (
        '{cex: {url: "https://one.invalid/eth", pointer: /price}, other: {url: "https://two.invalid/", pointer: /p}}'
    )
    own = '    benchmarks: {cex: {url: "https://one.invalid/btc", pointer: /price, time: /at}}\n'
    text = DEPLOYMENT.replace("tokens:", f"benchmarks: {entry}\ntokens:")
    name, _, rest = text.partition("  BTC-USD:\n")
    found = bound(tmp_path, "BTC-USD", deployment=f"{name}  BTC-USD:\n{own}{rest}").wiring.benchmarks
    assert {key: (one.url, one.time_pointer) for key, one in found.items()} == {
        "cex": ("https://one.invalid/btc", "/at"),
        "other": ("https://two.invalid/", ""),
    }


def test_the_runbook_hash_changes_with_any_byte_and_any_value(tmp_path: Path) -> None:
    own = tmp_path / "protocols"
    own.mkdir()
    safe = "protocol: safe\nsource: in-house\nslots: {safe: address}\n"
    (own / "safe.yaml").write_text(safe)
    hashes = [
        runbook_hash(bound(tmp_path)),
        runbook_hash(bound(tmp_path, runbook=RUNBOOK + "\n")),
        runbook_hash(bound(tmp_path, deployment=DEPLOYMENT + "# \n")),
        runbook_hash(bound(tmp_path, "BTC-USD", heartbeat="2h")),
        runbook_hash(bound(tmp_path, wait="6m")),
        runbook_hash(bound(tmp_path, size="250001 USDC")),
    ]
    assert runbook_hash(bound(tmp_path)) == hashes[0]
    (own / "safe.yaml").write_text(safe + "\n")
    hashes.append(runbook_hash(bound(tmp_path)))
    assert len(set(hashes)) == len(hashes)
    assert all(len(one) == 64 for one in hashes)


@pytest.mark.parametrize(
    ("markets", "wanted"),
    [
        ({"ETH-USD": "11", "BTC-USD": "22"}, []),
        ({"ETH-USD": "11", "BTC-USD": "11"}, ["duplicate-id"]),
        ({"ETH-USD": "AB", "BTC-USD": "22", "SOL-USD": "ab"}, ["duplicate-id"]),
        ({"ETH-USD": "11", "ETH-usd": "22"}, ["duplicate-name"]),
        ({"ETH-USD": "11", "ETH-usd": "11"}, ["duplicate-id", "duplicate-name"]),
    ],
)
def test_no_market_can_be_taken_for_another(tmp_path: Path, markets: dict[str, str], wanted: list[str]) -> None:
    lines = "".join(f'  {name}: {{id: "0x{pair * 32}"}}\n' for name, pair in markets.items())
    (tmp_path / "deployment.yaml").write_text(DEPLOYMENT.partition("  ETH-USD:")[0] + lines)
    found: list[str] = []
    try:
        load_deployment(tmp_path / "deployment.yaml")
    except WrongFile as wrong:
        found = [one.code for document in wrong.documents for one in document.problems]
    assert found == wanted


def test_a_credential_in_a_deployment_is_never_shown(tmp_path: Path) -> None:
    for url in ("htps://u:SECRET@node.invalid/v3/SECRET", "node.invalid/v3/SECRET-0123456789", "https://node/ SECRET"):
        (tmp_path / "deployment.yaml").write_text(DEPLOYMENT.replace("http://node.invalid", url))
        with pytest.raises(WrongFile) as caught:
            load_deployment(tmp_path / "deployment.yaml")
        assert "no url" in caught.value.message
        assert "SECRET" not in caught.value.message
