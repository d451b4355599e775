"""`incident init` on the drill's world behind a real HTTP node: what is written loads, passes and is left alone."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from incident_cli.document import Text, parse_document
from incident_cli.drills.artefacts import folder as artefacts
from incident_cli.drills.fork_script import load_fork_script
from incident_cli.drills.injecting import injections
from incident_cli.drills.world import CHAIN_ID
from incident_cli.errors import Misused, Refused, Unread
from incident_cli.evm import Address
from incident_cli.flows.init import InitOrder, initialise, parse_abis, parse_contracts
from incident_cli.flows.unit_testing import run_file
from incident_cli.protocols.catalog import catalog_beside
from incident_cli.runbook.bind import bind
from incident_cli.runbook.cases import load_cases
from incident_cli.runbook.deployment import load_deployment
from incident_cli.runbook.first_deployment import Where, holds_secret
from incident_cli.runbook.lint import lint, written_tests
from incident_cli.runbook.load import load_runbook
from tests.cli.command import run
from tests.fakes.node import closed_port
from tests.fakes.served_world import ServedWorld

ABI = Path(str(artefacts() / "options_exchange.json"))
EVERY = [
    "protocols/exchange.yaml",
    "deployments/NAME.yaml",
    "exchange-emergency.yaml",
    "tests/exchange-emergency.yaml",
    "drills/exchange-emergency-fork.yaml",
]


@pytest.fixture(scope="module")
def served() -> Iterator[ServedWorld]:
    """A world that nobody changes."""
    with ServedWorld("oracle-stale", 2) as world:
        yield world


def order(served: ServedWorld, folder: Path, **given: object) -> InitOrder:
    """The exchange of the drill, its council, and the ABI as compiled."""
    at = served.world.addresses
    return InitOrder(
        Where(int(str(given.get("chain", CHAIN_ID))), str(given.get("rpc", served.nodes[0].url))),
        Address(str(given.get("safe", at.council))),
        {"exchange": Address(str(given.get("contract", at.exchange)))},
        {"exchange": ABI} if given.get("abi", True) else {},
        folder,
    )


def below(folder: Path, paths: tuple[str, ...]) -> list[str]:
    """Paths below the folder, the deployment by any name."""
    slug = f"chain-{CHAIN_ID}"
    return [Path(one).relative_to(folder).as_posix().replace(slug, "NAME") for one in paths]


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file and its bytes."""
    return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


def loads_and_passes(folder: Path, name: str = "exchange") -> None:
    """Every file loads, the runbook binds, its tests pass and leave nothing out, and lint wants a drill alone."""
    loaded = load_runbook(folder / f"{name}-emergency.yaml")
    found = {one.code for one in lint(loaded, written_tests(loaded))}
    assert found == set()
    deployment, document = load_deployment(folder / f"deployments/chain-{CHAIN_ID}.yaml")
    (market,) = deployment.markets
    bound = bind(loaded, deployment, document, market, {})
    assert bound.chain == f"chain_{CHAIN_ID}"
    script = load_fork_script(folder / "drills" / f"{name}-emergency-fork.yaml")
    assert script.scenario.runbook == loaded.runbook.id
    assert len(injections(script, bound)) == len(script.scenario.inject) > 0
    result = run_file(load_cases(folder / "tests" / f"{name}-emergency.yaml"))
    assert result.passed, [failure.line for case in result.cases for failure in case.failures]
    assert result.coverage.complete


def test_an_empty_folder_becomes_a_runbook_that_passes(served: ServedWorld, tmp_path: Path) -> None:
    done = initialise(order(served, tmp_path))
    assert sorted(below(tmp_path, done.written)) == sorted(EVERY)
    assert (done.kept, done.differing) == ((), ())
    loads_and_passes(tmp_path)
    protocol = catalog_beside(tmp_path / "x.yaml").find("exchange")
    assert protocol is not None
    assert list(protocol.levers) == ["pause_market"]
    role = protocol.levers["pause_market"].role
    assert role is not None and role.when.source == "guardian == by or governance == by"


def test_the_deployment_pins_grants_and_names_the_owners(served: ServedWorld, tmp_path: Path) -> None:
    initialise(order(served, tmp_path))
    path = tmp_path / f"deployments/chain-{CHAIN_ID}.yaml"
    deployment, _ = load_deployment(path)
    at = served.world.addresses
    assert {one.name: one.address for one in deployment.pins} == {"exchange": at.exchange, "council": at.council}
    assert all(one.codehash != "0x" + "0" * 64 for one in deployment.pins)
    (grant,) = deployment.authority
    assert (grant.by, grant.levers) == ("council", ("exchange.pause_market",))
    assert {name: one.protocol for name, one in deployment.slots.items()} == {"exchange": "exchange", "council": "safe"}
    text = path.read_text()
    for owner in served.world.council_owners:
        assert re.search(rf'^#   - {{name: owner-[123], owner: "{owner.address}", reach: pager', text, re.MULTILINE)
    assert deployment.markets["EXCHANGE"].params["exchange_governance"].value == at.timelock


def test_a_second_run_writes_nothing_and_says_what_is_there(served: ServedWorld, tmp_path: Path) -> None:
    first = initialise(order(served, tmp_path))
    before = snapshot(tmp_path)
    second = initialise(order(served, tmp_path))
    assert (second.written, second.differing) == ((), ())
    assert second.kept == first.written
    assert second.review == first.review
    assert snapshot(tmp_path) == before


def test_a_file_with_other_content_is_left_alone_and_named(served: ServedWorld, tmp_path: Path) -> None:
    own = tmp_path / "protocols" / "exchange.yaml"
    own.parent.mkdir()
    own.write_text("protocol: exchange # mine\n  # REVIEW: my own \x1b[31mquestion\n")
    done = initialise(order(served, tmp_path))
    assert done.kept == done.differing == (str(own),)
    assert len(done.written) == 4
    assert own.read_text().startswith("protocol: exchange # mine")
    mine = [one for one in done.review if one.file == str(own)]
    assert [(one.line, one.why) for one in mine] == [(2, "my own <U+001B>[31mquestion")]


def test_a_link_is_never_written_through(served: ServedWorld, tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "exchange-emergency.yaml").symlink_to(elsewhere)
    done = initialise(order(served, folder))
    assert done.differing == (str(folder / "exchange-emergency.yaml"),)
    assert not elsewhere.exists()


def test_every_review_line_is_where_it_says(served: ServedWorld, tmp_path: Path) -> None:
    done = initialise(order(served, tmp_path))
    assert {Path(one.file).name for one in done.review} >= {"exchange.yaml", "exchange-emergency.yaml"}
    for one in done.review:
        assert Path(one.file).read_text().split("\n")[one.line - 1].strip() == f"# REVIEW: {one.why}"


def test_what_comes_next_comes_in_order(served: ServedWorld, tmp_path: Path) -> None:
    done = initialise(order(served, tmp_path))
    runbook, deployment = f"{tmp_path}/exchange-emergency.yaml", f"{tmp_path}/deployments/chain-{CHAIN_ID}.yaml"
    assert done.next == (
        f"incident runbook validate {runbook}",
        f"incident runbook test {runbook}",
        f"incident preflight {runbook} --deployment {deployment}",
        f"incident drill {runbook} --deployment {deployment} --fork",
    )


def test_without_an_abi_only_what_answers_is_read(served: ServedWorld, tmp_path: Path) -> None:
    done = initialise(order(served, tmp_path, abi=False))
    loads_and_passes(tmp_path)
    protocol = catalog_beside(tmp_path / "x.yaml").find("exchange")
    assert protocol is not None
    assert (set(protocol.reads), set(protocol.levers)) == ({"guardian"}, set())
    whys = [one.why for one in done.review if one.file.endswith("protocols/exchange.yaml")]
    assert any("no ABI" in one for one in whys) and any("no lever was recognised" in one for one in whys)


def test_a_node_of_another_chain_is_refused_before_anything_is_written(served: ServedWorld, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=f"id {CHAIN_ID}, but base has id 8453"):
        initialise(order(served, tmp_path, chain=8453))
    assert snapshot(tmp_path) == {}


def test_a_node_that_does_not_answer_is_unread(served: ServedWorld, tmp_path: Path) -> None:
    with pytest.raises(Unread):
        initialise(order(served, tmp_path, rpc=f"http://127.0.0.1:{closed_port()}/"))
    assert snapshot(tmp_path) == {}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"contract": "0x00000000000000000000000000000000DeaDBeef"}, "no contract at"),
        ({"safe": "0x00000000000000000000000000000000DeaDBeef"}, "no contract at"),
    ],
)
def test_nothing_at_an_address_is_refused(
    served: ServedWorld, tmp_path: Path, given: dict[str, object], said: str
) -> None:
    with pytest.raises(Refused, match=said):
        initialise(order(served, tmp_path, **given))


def test_what_is_no_safe_is_refused(served: ServedWorld, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="does not answer as a Safe"):
        initialise(order(served, tmp_path, safe=served.world.addresses.exchange))


@pytest.mark.parametrize(
    "name", ["safe", "token", "by", "class", "market", "Exchange", "a b", "x" * 31, "-x", "1x", ""]
)
def test_a_name_that_cannot_be_a_slot_s_is_refused(served: ServedWorld, tmp_path: Path, name: str) -> None:
    at = served.world.addresses
    wanted = InitOrder(order(served, tmp_path).where, at.council, {name: at.exchange}, {}, tmp_path)
    with pytest.raises(Misused):
        initialise(wanted)
    assert snapshot(tmp_path) == {}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "is no ABI file"),
        (b'{"a": 1}', "holds no ABI"),
        (b"\xff\xfe", "is no ABI file"),
        (b'{"abi": [], "abi": []}', "a key stands twice"),
        (b"[" * 100_000, "nested more than"),
        (b" " * (4 * 1024 * 1024 + 1), "larger than 4 MB"),
    ],
)
def test_what_is_no_abi_is_refused(served: ServedWorld, tmp_path: Path, content: bytes, said: str) -> None:
    path, at = tmp_path / "abi.json", served.world.addresses
    path.write_bytes(content)
    wanted = InitOrder(order(served, tmp_path).where, at.council, {"x": at.exchange}, {"x": path}, tmp_path / "new")
    with pytest.raises(Misused, match=said):
        initialise(wanted)
    assert not (tmp_path / "new").exists()


def test_a_pipe_or_a_folder_is_no_abi_and_is_not_waited_for(served: ServedWorld, tmp_path: Path) -> None:
    pipe, at = tmp_path / "pipe", served.world.addresses
    os.mkfifo(pipe)
    for path in (pipe, tmp_path, tmp_path / "missing"):
        wanted = InitOrder(order(served, tmp_path).where, at.council, {"x": at.exchange}, {"x": path}, tmp_path)
        with pytest.raises(Misused):
            initialise(wanted)


@pytest.mark.parametrize(
    ("url", "secret"),
    [
        ("http://127.0.0.1:8545/", False),
        ("https://node.example:8545", False),
        ("https://node.example/v1/mainnet", False),
        ("https://user:pass@node.example/", True),
        ("https://user@node.example/", True),
        ("https://node.example/v3/0123456789abcdef0123456789abcdef", True),
        ("https://node.example/?key=0123456789ab", True),
        ("https://node.example/?0123456789abcdef", True),
        ("https://node.example/#0123456789abcdef", True),
        ("https://a1b2c3d4e5f6a7b8c9d0e1f2.node.example/", True),
    ],
)
def test_a_url_that_may_hold_a_key_is_seen(url: str, secret: bool) -> None:
    assert holds_secret(url) is secret


def test_a_key_in_the_url_stays_out_of_the_file_and_the_screen(served: ServedWorld, tmp_path: Path) -> None:
    at, key = served.world.addresses, "0123456789abcdef0123456789abcdef"
    given = ["--safe", at.council, "--contract", f"exchange={at.exchange}", "--abi", str(ABI), "--json"]
    url = f"{served.nodes[0].url}{key}"
    ended = run(["init", "--chain", str(CHAIN_ID), "--rpc", url, *given, "--dir", str(tmp_path / "new")], tmp_path)
    assert ended.code == 0, ended.err
    assert ended.object["schema"] == "incident.init/v1"
    assert ended.object["next"][0] == f"export INCIDENT_RPC_{CHAIN_ID}=…"
    assert key not in ended.out + ended.err
    files = snapshot(tmp_path / "new")
    assert len(files) == 5
    assert not [name for name, content in files.items() if key.encode() in content]
    deployment, _ = load_deployment(tmp_path / f"new/deployments/chain-{CHAIN_ID}.yaml")
    (source,) = deployment.chains[f"chain_{CHAIN_ID}"].rpc
    assert (source.env, source.url) == (f"INCIDENT_RPC_{CHAIN_ID}", None)


def test_the_command_s_exit_codes(served: ServedWorld, tmp_path: Path) -> None:
    at, url = served.world.addresses, served.nodes[0].url
    rest = ["--safe", at.council, "--contract", f"exchange={at.exchange}", "--dir", str(tmp_path / "new")]
    other = run(["init", "--chain", "8453", "--rpc", url, *rest], tmp_path)
    unread = run(["init", "--chain", "1", "--rpc", f"http://127.0.0.1:{closed_port()}/", *rest], tmp_path)
    wrong = run(["init", "--chain", "1", "--rpc", url, "--safe", at.council.lower(), *rest[2:]], tmp_path)
    nothing = run(["init", "--chain", "1", "--rpc", url, *rest[:2]], tmp_path)
    assert [one.code for one in (other, unread, wrong, nothing)] == [1, 3, 2, 2]
    assert "the checksum is wrong" in wrong.err
    assert not (tmp_path / "new").exists()


def test_people_are_told_what_was_written_and_what_comes_next_in_order(served: ServedWorld, tmp_path: Path) -> None:
    at, url = served.world.addresses, served.nodes[0].url
    given = ["--safe", at.council, "--contract", f"exchange={at.exchange}", "--abi", str(ABI)]
    words = ["init", "--chain", str(CHAIN_ID), "--rpc", url, *given]
    first, second = (run(words, tmp_path, cwd=tmp_path) for _ in range(2))
    assert (first.code, first.out, second.code, second.out) == (0, "", 0, "")
    steps = ["2 of 3 owners", "written: ", "next, in order", "REVIEW in protocols/exchange.yaml: "]
    steps += ["runbook validate", "runbook test", "incident preflight", "incident drill"]
    places = [first.err.index(one) for one in steps]
    assert places == sorted(places)
    assert "written: " not in second.err
    assert second.err.count("there already; left as it is: ") == 5


def test_the_examples_of_contacts_load_once_they_are_no_comments(served: ServedWorld, tmp_path: Path) -> None:
    initialise(order(served, tmp_path))
    path = tmp_path / f"deployments/chain-{CHAIN_ID}.yaml"
    path.write_text(re.sub(r"(?m)^# (contacts:|  - )", r"\1", path.read_text()))
    deployment, _ = load_deployment(path)
    assert {one.owner for one in deployment.contacts} == {one.address for one in served.world.council_owners}


def test_contracts_and_abis_as_they_are_given() -> None:
    one, two = "0x1111111111111111111111111111111111111111", "0x2222222222222222222222222222222222222222"
    contracts = parse_contracts([f"Lending_Pool={one}", f"vault={two}"])
    assert contracts == {"lending-pool": one, "vault": two}
    assert parse_abis(["vault=a=b.json"], contracts) == {"vault": Path("a=b.json")}
    assert parse_abis(["a=b.json"], {"vault": Address(two)}) == {"vault": Path("a=b.json")}
    for pairs in ([f"a={one}", f"a={two}"], ["a"], [f"a={one[:-1]}"], [""]):
        with pytest.raises(Misused):
            parse_contracts(pairs)
    for given in (["x.json"], ["vault=x", "vault=y"]):
        with pytest.raises(Misused):
            parse_abis(given, contracts)


def test_two_contracts_share_one_deployment_and_the_market_main(served: ServedWorld, tmp_path: Path) -> None:
    at = served.world.addresses
    contracts = {"exchange": at.exchange, "other-one": at.margin}
    where = Where(CHAIN_ID, served.nodes[0].url)
    done = initialise(InitOrder(where, at.council, contracts, {"exchange": ABI}, tmp_path))
    assert len(done.written) == 9
    deployment, _ = load_deployment(tmp_path / f"deployments/chain-{CHAIN_ID}.yaml")
    assert list(deployment.markets) == ["MAIN"]
    assert list(deployment.slots) == ["exchange", "other_one", "council"]
    for name in contracts:
        loads_and_passes(tmp_path, name)


def test_a_file_s_name_cannot_break_out_of_the_protocol_file(served: ServedWorld, tmp_path: Path) -> None:
    path, at = tmp_path / 'a"\n# REVIEW: x\nlevers: {evil: 1}\x1b[2J.json', served.world.addresses
    path.write_bytes(ABI.read_bytes())
    where = Where(CHAIN_ID, served.nodes[0].url)
    initialise(InitOrder(where, at.council, {"exchange": at.exchange}, {"exchange": path}, tmp_path))
    raw = (tmp_path / "protocols/exchange.yaml").read_bytes()
    root = parse_document(raw, "exchange.yaml").root
    assert root is not None and b"\x1b" not in raw
    source = root.entries["source"].value  # type: ignore[union-attr]
    assert isinstance(source, Text) and "evil" in source.value
    assert b"\nlevers: {evil" not in raw
