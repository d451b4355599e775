"""A protocol file out of an ABI: what is recognised and marked, and that no ABI makes a file that does not load."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incident_cli.document import parse_document
from incident_cli.evm import Address
from incident_cli.flows.unit_testing import run_file
from incident_cli.protocols.protocol import Protocol, protocol_of
from incident_cli.runbook.abi_file import ABI_LIMIT, ContractAbi, abi_of, parse_abi
from incident_cli.runbook.abi_names import quoted
from incident_cli.runbook.abi_stub import Origin, Stub, stub
from incident_cli.runbook.cases import load_cases
from incident_cli.runbook.first_check import candidates
from incident_cli.runbook.first_runbook import First, cases_text, runbook_text
from incident_cli.runbook.lint import lint, written_tests
from incident_cli.runbook.load import load_runbook

GOLDEN = Path(__file__).parents[1] / "golden" / "init-vault.yaml"
OWNER, PROXIED = Address("0x" + "4" * 40), Address("0x" + "3" * 40)
ORIGIN = Origin("vault", "Vault at 0x…, Vault.json", {"owner": OWNER}, {}, "0x" + "5" * 40)
HOSTILE = (
    'x"\n  evil: {on: vault, call: "e() returns (bool)"}',
    "pause\n",
    "pause() returns (bool)",
    "{evil}",
    "# comment",
    "&anchor",
    "*alias",
    "!tag",
    "<<",
    "\x1b[31mred",
    "\u202ereversed",
    "é",
    "",
    " ",
    "a" * 5_000,
    "$",
    "_",
    "1a",
    "__class__",
)
WORDS = """
pause unpause paused isPaused resume freeze unfreeze frozen halt halted setPaused setFrozen setMarketPaused
marketPaused isMarketPaused pauseDeposits unpauseDeposits depositsPaused setBorrowCap borrowCap getBorrowCap
setLimit limit setMaxLeverage maxLeverage owner getOwner guardian governance hasRole PAUSER_ROLE pauser_role
RISK_ROLE DEFAULT_ADMIN_ROLE totalAssets totalSupply totalDeposits by before min max keccak abi market vault
council class def lambda is from None true no on y firing checks now ago amount reads levers protocol
newBorrowCap new_borrow_cap new_limit has_pauser_role Owner OWNER owner_ owner_view
"""
MEANT = tuple(WORDS.split())
TYPES = ("bool", "address", "uint256", "uint8", "int128", "bytes32", "bytes4", "string", "bytes", "uint", "tuple")
ODD_TYPES = (
    "uint7",
    "uint256[]",
    "bool) returns (bool",
    "",
    "bytes33",
    "function",
    "mapping",
    "bool\n",
    "address payable",
)


def function(name: str, inputs: str = "", outputs: str = "", *, view: bool = False) -> Any:
    """One entry of an ABI; `inputs` as `bytes32 market, bool paused`."""
    pairs = [one.strip().partition(" ") for one in inputs.split(",") if one.strip()]
    return {
        "type": "function",
        "name": name,
        "inputs": [{"name": own, "type": kind} for kind, _, own in pairs],
        "outputs": [{"name": "", "type": one.strip()} for one in outputs.split(",") if one.strip()],
        "stateMutability": "view" if view else "nonpayable",
    }


def view(name: str, outputs: str, inputs: str = "") -> Any:
    """A view."""
    return function(name, inputs, outputs, view=True)


PAUSE, UNPAUSE = function("pause"), function("unpause")
PAUSED, OWNED = view("paused", "bool"), view("owner", "address")
VAULT: list[Any] = [
    PAUSE,
    UNPAUSE,
    PAUSED,
    function("setMarketPaused", "bytes32 id, bool paused"),
    view("marketPaused", "bool", "bytes32 id"),
    function("setBorrowCap", "address asset, uint256 cap"),
    view("borrowCap", "uint256", "address asset"),
    OWNED,
    view("guardian", "address"),
    view("totalAssets", "uint256"),
    view("name", "string"),
    view("position", "uint256, uint256", "address account"),
    function("deposit", "uint256 amount"),
    {"type": "event", "name": "Paused", "inputs": []},
]


def made(*functions: Any, **origin: Any) -> tuple[Stub, Protocol]:
    """The stub of an ABI, and what it loads as; fails where it does not."""
    written = stub(abi_of(list(functions)), Origin("vault", "a source", **origin))
    return written, loaded(written.text)


def loaded(text: str) -> Protocol:
    """A protocol file that is sound."""
    protocol, document = protocol_of(parse_document(text.encode(), "vault.yaml"))
    assert protocol is not None, "\n".join([*document.report(), text])
    return protocol


def whys(text: str) -> str:
    """Every question of a file."""
    return "\n".join(line for line in text.split("\n") if "# REVIEW: " in line)


def test_the_whole_file() -> None:
    written = stub(abi_of(VAULT), ORIGIN)
    loaded(written.text)
    assert written.text == GOLDEN.read_text("utf-8")


@pytest.mark.parametrize(
    ("functions", "lever", "call", "expected"),
    [
        ([PAUSE, UNPAUSE, PAUSED], "pause", "pause()", "paused"),
        ([PAUSE, function("resume"), view("isPaused", "bool")], "pause", "pause()", "is_paused"),
        ([function("freeze"), function("unfreeze"), view("frozen", "bool")], "freeze", "freeze()", "frozen"),
        (
            [function("pause", "bytes32 x"), function("unpause", "bytes32 y"), view("paused", "bool", "bytes32 z")],
            "pause_market",
            "pause(bytes32)",
            "paused",
        ),
        (
            [function("pauseDeposits"), function("unpauseDeposits"), view("depositsPaused", "bool")],
            "pause_deposits",
            "pauseDeposits()",
            "deposits_paused",
        ),
        ([function("setPaused", "bool x"), PAUSED], "pause", "setPaused(bool)", "paused"),
        (
            [function("setPoolPaused", "address pool, bool on"), view("isPoolPaused", "bool", "address pool")],
            "pause_pool",
            "setPoolPaused(address,bool)",
            "is_pool_paused",
        ),
        ([function("setLimit", "uint256 x"), view("limit", "uint256")], "lower_limit", "setLimit(uint256)", "limit"),
        (
            [function("setSupplyCap", "uint16 id, uint256 x"), view("getSupplyCap", "uint256", "uint16 id")],
            "lower_supply_cap",
            "setSupplyCap(uint16,uint256)",
            "get_supply_cap",
        ),
        (
            [function("setMaxLeverage", "uint256 x"), view("maxLeverage", "uint256")],
            "lower_max_leverage",
            "setMaxLeverage(uint256)",
            "max_leverage",
        ),
    ],
)
def test_what_is_recognised(functions: list[Any], lever: str, call: str, expected: str) -> None:
    _, protocol = made(*functions)
    assert list(protocol.levers) == [lever]
    found = protocol.levers[lever]
    assert (found.call.canonical, list(found.expect)) == (call, [expected])
    assert found.undo is not None and found.writes == ("vault",)


@pytest.mark.parametrize(
    "functions",
    [
        [PAUSE, UNPAUSE],  # nothing shows the effect
        [PAUSE, PAUSED],  # nothing takes it back
        [PAUSE, UNPAUSE, view("paused", "uint256")],
        [PAUSE, UNPAUSE, function("paused", outputs="bool")],  # no view
        [function("pause", "bytes32 a"), function("unpause", "bytes32 a"), PAUSED],  # of another thing
        [function("pause", "string a"), function("unpause", "string a"), view("paused", "bool", "string a")],
        [function("setPaused", "uint256 x"), PAUSED],
        [function("setLimit", "uint256 x")],
        [function("setLimit", "uint128 x"), view("limit", "uint128")],
        [view("pause", "bool"), UNPAUSE, PAUSED],
        [function("repause"), function("unrepause"), PAUSED],
    ],
)
def test_what_is_not_recognised(functions: list[Any]) -> None:
    written, protocol = made(*functions)
    assert not protocol.levers
    assert "no lever was recognised" in whys(written.text)


@pytest.mark.parametrize(
    ("functions", "when"),
    [
        ([OWNED], "owner == by"),
        ([OWNED, view("guardian", "address")], "guardian == by or owner == by"),
        ([view("hasRole", "bool", "bytes32 r, address a"), view("PAUSER_ROLE", "bytes32"), OWNED], "has_pauser_role"),
        ([view("hasRole", "bool", "bytes32 r, address a"), view("MINTER_ROLE", "bytes32"), OWNED], "owner == by"),
        ([view("PAUSER_ROLE", "bytes32"), OWNED], "owner == by"),
    ],
)
def test_who_may_pull_it(functions: list[Any], when: str) -> None:
    written, protocol = made(PAUSE, UNPAUSE, PAUSED, *functions)
    role = protocol.levers["pause"].role
    assert role is not None and role.when.source == when
    assert "may exactly these call pause" in whys(written.text)


def test_without_a_view_that_says_who_there_is_no_role_and_a_question() -> None:
    written, protocol = made(PAUSE, UNPAUSE, PAUSED)
    assert protocol.levers["pause"].role is None
    assert "no view says who may call pause" in whys(written.text)


def test_a_role_that_was_read_is_written_as_it_is_and_one_that_was_not_is_asked_about() -> None:
    functions = (
        PAUSE,
        UNPAUSE,
        PAUSED,
        view("hasRole", "bool", "bytes32 r, address a"),
        view("PAUSER_ROLE", "bytes32"),
    )
    read, _ = made(*functions, values={"PAUSER_ROLE": b"\x07" * 32}, held={"PAUSER_ROLE": False})
    assert "0x" + "07" * 32 in read.text and "was not read" not in read.text
    assert "Now: the Safe does not hold PAUSER_ROLE" in whys(read.text)
    guessed, _ = made(*functions)
    assert "0x65d7a28e3265b37a6474929f336521b332c1681b933f6cb9f3376673440d862a" in guessed.text
    assert "PAUSER_ROLE() was not read" in whys(guessed.text)


def test_every_lever_and_every_guess_is_marked() -> None:
    written, protocol = made(*VAULT)
    for name in protocol.levers:
        section = written.text.split(f"\n  {name}:\n")[1].split("\n  pause")[0]
        assert section.startswith("    # REVIEW: what does ")
        for question in ("how far does it reach", "may the same Safe", "any other contract", "may exactly these call"):
            assert question in section
    assert "Does 0 mean nothing, or no limit at all?" in whys(written.text)
    assert written.text.count("recognised by its name alone") == len(protocol.levers)
    assert "there was no ABI" in whys(made(PAUSED, guessed=True)[0].text)


def test_views_without_arguments_and_one_simple_value_are_reads() -> None:
    kinds = ("bool", "address", "uint8", "int256", "bytes32", "bytes4", "string")
    _, protocol = made(
        *(view(f"v{kind}", kind) for kind in kinds), view("two", "bool, bool"), view("arg", "bool", "bool a")
    )
    assert {one.call.output_types[0] for one in protocol.reads.values()} == set(kinds)
    assert len(protocol.reads) == len(kinds)


@pytest.mark.parametrize(
    "wrap", [lambda abi: abi, lambda abi: {"abi": abi}, lambda abi: {"contractName": "V", "abi": abi}]
)
def test_every_usual_file_is_read(wrap: Any) -> None:
    found = parse_abi(json.dumps(wrap(VAULT)).encode())
    assert found == abi_of(VAULT)
    assert {one.name for one in found.functions} >= {"pause", "paused", "deposit"}


def test_an_old_compiler_says_constant() -> None:
    old: Any = {"type": "function", "name": "paused", "constant": True, "inputs": [], "outputs": [{"type": "bool"}]}
    assert abi_of([old]).functions[0].is_view


def test_a_deep_syntax_tree_beside_the_abi_is_no_matter() -> None:
    tree = "[" * 200 + "]" * 200
    assert parse_abi(f'{{"ast": {tree}, "abi": {json.dumps(VAULT)}}}'.encode()) == abi_of(VAULT)


@pytest.mark.parametrize("content", [b"", b"1", b"null", b'"abi"', b'{"abi": {}}', b"{}", b"[" * 300 + b"]" * 300])
def test_what_is_no_abi_is_a_value_error(content: bytes) -> None:
    with pytest.raises(ValueError):
        parse_abi(content)


def test_the_size_is_capped() -> None:
    with pytest.raises(ValueError, match="4 MB"):
        parse_abi(b" " * (ABI_LIMIT + 1))


def test_very_many_functions_still_make_a_file_that_loads() -> None:
    many = [view(f"value{number}", "uint256") for number in range(3_000)]
    switches = [one for n in range(300) for one in (function(f"setX{n}Paused", "bool a"), view(f"x{n}Paused", "bool"))]
    written, protocol = made(*switches, *many)
    assert len(protocol.levers) == 40
    assert "more views without arguments were left out" in whys(written.text)


def test_hostile_names_do_not_get_into_the_file() -> None:
    odd = [one for name in HOSTILE for one in (function(name), view(name, "bool"), view("fine", name))]
    written, protocol = made(*odd, PAUSE, UNPAUSE, PAUSED)
    assert list(protocol.levers) == ["pause"]
    assert "evil" not in written.text
    assert written.text.isascii() and "\x1b" not in written.text


def test_a_hostile_parameter_name_is_not_used() -> None:
    for name in HOSTILE:
        entry = {"name": name, "type": "address"}
        key = {"type": "function", "name": "isPoolPaused", "inputs": [entry], "outputs": [{"type": "bool"}]}
        switch = {"type": "function", "name": "setPoolPaused", "inputs": [entry, {"name": name, "type": "bool"}]}
        _, protocol = made({**key, "stateMutability": "view"}, switch)
        (argument,) = protocol.levers["pause_pool"].args
        assert argument.isidentifier() and "evil" not in argument


def test_a_hostile_source_is_one_value() -> None:
    for text in HOSTILE:
        written = stub(abi_of([PAUSED]), Origin("vault", f"x {text}"))
        assert loaded(written.text).reads.keys() == {"paused"}
        assert quoted(text).count("\n") == 0


def parameters() -> st.SearchStrategy[Any]:
    """The inputs or outputs of a function, mostly sound."""
    names = st.sampled_from(("", "market", "id", "asset", "x", *MEANT, *HOSTILE))
    types = st.one_of(st.sampled_from(TYPES), st.sampled_from(TYPES), st.sampled_from(ODD_TYPES), st.none())
    return st.lists(st.fixed_dictionaries({"name": names, "type": types}), max_size=2)


def entries() -> st.SearchStrategy[Any]:
    """Entries of an ABI: what might be levers and reads, beside what is neither."""
    name = st.one_of(st.sampled_from(MEANT), st.sampled_from(MEANT), st.sampled_from(HOSTILE), st.text(max_size=30))
    mutability = st.sampled_from(("view", "view", "pure", "nonpayable", "payable", None, 1))
    one = st.fixed_dictionaries(
        {
            "type": st.sampled_from(("function", "function", "function", "event", None)),
            "name": name,
            "inputs": parameters(),
            "outputs": parameters(),
            "stateMutability": mutability,
        }
    )
    return st.lists(st.one_of(one, st.sampled_from(VAULT), st.none(), st.integers()), max_size=40)


@settings(max_examples=300, deadline=None)
@given(entries(), st.sampled_from(("vault", "owner", "paused", "new-limit", "pause", "total-assets", "a1")))
def test_any_abi_gives_a_file_that_loads(found: list[Any], name: str) -> None:
    written = stub(abi_of(found), Origin(name, "a source", guessed=False))
    protocol = loaded(written.text)
    assert tuple(protocol.levers) == tuple(one.name for one in written.levers)
    assert all(lever.undo is not None for lever in protocol.levers.values())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(entries(), st.booleans())
def test_any_abi_gives_runbooks_that_load_and_pass(found: list[Any], proxied: bool) -> None:
    abi = abi_of([*found, *([] if proxied else [OWNED])])
    written = stub(abi, Origin("vault", "a source", {"owner": OWNER}))
    for check in candidates(written, PROXIED if proxied else None, {"owner": OWNER}):
        passes(First("vault", written, check, "VAULT"))


@pytest.mark.parametrize(
    "functions",
    [
        [],
        VAULT,
        [PAUSE, UNPAUSE, PAUSED, OWNED],
        [PAUSE, UNPAUSE, PAUSED, view("totalSupply", "uint256")],
        [function("setCap", "address asset, uint256 cap"), view("cap", "uint256", "address asset"), OWNED],
        [function("pause", "bytes32 a"), function("unpause", "bytes32 a"), view("paused", "bool", "bytes32 a")],
    ],
)
def test_every_first_check_has_tests_that_pass(functions: list[Any]) -> None:
    abi: ContractAbi = abi_of(functions)
    written = stub(abi, Origin("vault", "a source", {"owner": OWNER}))
    checks = list(candidates(written, PROXIED, {"owner": OWNER}))
    assert [one.name for one in checks][-1] == "code_changed"
    for check in checks:
        passes(First("vault", written, check, "VAULT"))


def test_what_a_lever_needs_of_the_owner_is_not_what_is_watched() -> None:
    alone = stub(abi_of([PAUSE, UNPAUSE, PAUSED, OWNED]), ORIGIN)
    assert "owner_changed" not in [one.name for one in candidates(alone, None, {"owner": OWNER})]
    beside = stub(abi_of(VAULT), ORIGIN)
    assert next(candidates(beside, None, {"owner": OWNER})).name == "owner_changed"


def passes(first: First) -> None:
    """The runbook loads, lint finds nothing, and its tests pass and leave no state and no step out."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for path, text in (
            (f"protocols/{first.name}.yaml", first.stub.text),
            (f"{first.id}.yaml", runbook_text(first)),
            (f"tests/{first.id}.yaml", cases_text(first)),
        ):
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_text(text, "utf-8")
        runbook = load_runbook(folder / f"{first.id}.yaml")
        assert lint(runbook, written_tests(runbook)) == []
        result = run_file(load_cases(folder / "tests" / f"{first.id}.yaml"))
        assert result.passed, [failure.line for case in result.cases for failure in case.failures]
        assert result.coverage.complete
