"""The house rules, read from the syntax tree of every file: doors, IO, clocks, environment, sizes, names.

Each rule is a function from one parsed file to its violations, so that a bad source string can show that it bites.
"""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[1]
PRODUCT = "incident_cli"

# One level a line: a room imports only from the levels below its own, never from its siblings.
LEVELS = (
    {"cli"},
    {"flows"},
    {"drills"},
    {"chain", "safe", "journal"},
    {"report"},
    {"incident"},
    {"runbook"},
    {"checks", "levers"},
    {"protocols"},
    {"binding"},
    {"document", "expression", "transport"},
    {"evm"},
    {"errors", "units", "text", "strict_json"},
)
LEVEL = {room: number for number, rooms in enumerate(LEVELS) for room in rooms}
# Top-level files that are one room together: a value and its codec, a language and its parts.
SAME_ROOM = {
    "abi": "evm",
    "abi_events": "evm",
    "curve": "evm",
    "outgoing": "evm",
    "rlp": "evm",
    "web": "transport",
    "expression_dimensions": "expression",
    "expression_syntax": "expression",
    "expression_types": "expression",
    "expression_values": "expression",
}

TERMINAL = {"rich", "typer", "questionary"}
NETWORK = {"web3", "safe_eth", "eth_tester", "eth", "socket", "ssl", "urllib3", "http", "requests", "httpx", "aiohttp"}
NETWORK |= {"asyncio", "socketserver", "urllib.request"}
HEAVY = {"web3", "safe_eth", "eth_account", "eth_keys", "eth_abi", "eth", "eth_tester", "urllib3", "vyper", "coincurve"}
CODE_RUNNERS = {"pickle", "marshal", "shelve", "dill", "importlib.util", "runpy"}
WALL_CLOCK = {f"time.{name}" for name in ("time", "time_ns", "sleep", "localtime", "gmtime", "ctime", "strftime")}
WALL_CLOCK |= {f"datetime.datetime.{name}" for name in ("now", "utcnow", "today")} | {"datetime.date.today"}
MONOTONIC = {f"time.{name}" for name in ("monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns")}
ENVIRONMENT = {"os.environ", "os.environb", "os.getenv", "os.getenvb", "os.putenv", "os.unsetenv"}
YAML_LOADERS = {
    f"yaml.{name}" for name in ("load", "load_all", "safe_load", "safe_load_all", "full_load", "unsafe_load")
}
RUNNING = {"eval", "exec", "compile", "__import__"}
FOR_TESTS = re.compile(
    r"PYTEST|pytest|unittest|hypothesis|(?:^|_)(?:UNDER_TEST|IN_TEST|TEST_MODE|TESTING)(?:_|$)|INCIDENT_TEST"
)
FORBIDDEN_NAMES = {"utils", "util", "common", "core", "helpers", "helper", "manager", "managers", "misc"}
FILE_LIMIT, FUNCTION_LIMIT, COMMAND_LIMIT = 400, 50, 25
TOP_LEVEL = {"incident_cli", "runbooks", "tests", "pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE"}

Function = ast.FunctionDef | ast.AsyncFunctionDef
Violations = Iterator[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Module:
    """One file of the product: its path below the package, its text and its tree."""

    path: PurePosixPath
    text: str
    tree: ast.Module

    @property
    def room(self) -> str:
        """The folder, or the top-level file's own name; empty for the package itself."""
        return room_of(self.path.with_suffix("").parts)

    def within(self, *places: str) -> bool:
        """Whether it is one of these files, or below one of these folders (written with a closing slash)."""
        return any(str(self.path) == one or (one.endswith("/") and str(self.path).startswith(one)) for one in places)


def room_of(parts: tuple[str, ...]) -> str:
    """The room of a module, from the parts of its name below the package."""
    first = parts[0] if parts and parts[0] != "__init__" else ""
    return SAME_ROOM.get(first, first)


def module(text: str, path: str = "checks/example.py") -> Module:
    """A file from its text."""
    return Module(PurePosixPath(path), text, ast.parse(text))


@functools.cache
def product() -> tuple[Module, ...]:
    """Every Python file of the product, parsed once."""
    base = ROOT / PRODUCT
    return tuple(module(one.read_text("utf-8"), one.relative_to(base).as_posix()) for one in sorted(base.rglob("*.py")))


@functools.cache
def nodes(tree: ast.Module) -> tuple[ast.AST, ...]:
    """Every node of a tree, walked once."""
    return tuple(ast.walk(tree))


def imports(found: Module) -> Iterator[tuple[ast.stmt, str]]:
    """Every imported name in full: `from a.b import c` gives `a.b.c`."""
    return iter(imports_of(found))


@functools.cache
def imports_of(found: Module) -> tuple[tuple[ast.stmt, str], ...]:
    """The same, read once."""
    return tuple(each_import(found))


def each_import(found: Module) -> Iterator[tuple[ast.stmt, str]]:
    package = [PRODUCT, *found.path.parts[:-1]]
    for node in nodes(found.tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            name = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((node, f"{name}.{alias.name}") for alias in node.names)


def imports_any(name: str, packages: set[str]) -> bool:
    """Whether an imported name is one of these packages, or inside one."""
    return any(name == one or name.startswith(f"{one}.") for one in packages)


def mentions(found: Module) -> Iterator[tuple[ast.expr, str]]:
    """Every name and attribute chain in full, with import aliases resolved."""
    return iter(mentions_of(found))


@functools.cache
def mentions_of(found: Module) -> tuple[tuple[ast.expr, str], ...]:
    """The same, read once."""
    return tuple(each_mention(found))


def each_mention(found: Module) -> Iterator[tuple[ast.expr, str]]:
    aliases: dict[str, str] = {}
    for node in nodes(found.tree):
        if isinstance(node, ast.Import):
            aliases |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            aliases |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    for node in nodes(found.tree):
        parts: list[str] = []
        inner = node
        while isinstance(inner, ast.Attribute):
            parts.append(inner.attr)
            inner = inner.value
        if isinstance(inner, ast.Name) and isinstance(node, ast.expr):
            yield node, ".".join([aliases.get(inner.id, inner.id), *reversed(parts)])


def functions(found: Module) -> Iterator[Function]:
    """Every function and method."""
    return (node for node in nodes(found.tree) if isinstance(node, Function))


def length(function: Function) -> int:
    """Lines of a function with its decorators and docstring."""
    first = min([function.lineno, *(one.lineno for one in function.decorator_list)])
    return (function.end_lineno or function.lineno) - first + 1


def doors(found: Module) -> Violations:
    """A room imports only from rooms below it; siblings never import each other."""
    for node, name in imports(found):
        parts = name.split(".")
        target = room_of(tuple(parts[1:2])) if parts[0] == PRODUCT else ""
        if target in ("", "__version__", found.room):
            continue
        if found.room not in LEVEL or target not in LEVEL:
            yield node.lineno, f"{found.room or PRODUCT} → {target}: one of them has no place in the order"
        elif LEVEL[target] <= LEVEL[found.room]:
            yield node.lineno, f"{found.room} may not import {target}"


def placed(found: Module) -> Violations:
    """Every file is in a room that the order names."""
    if found.room and found.room not in LEVEL:
        yield 1, f"the room {found.room} has no place in the order of the doors"


def terminal(found: Module) -> Violations:
    """rich, typer and questionary only in cli/; click nowhere."""
    for node, name in imports(found):
        if imports_any(name, {"click"}) or (imports_any(name, TERMINAL) and not found.within("cli/")):
            yield node.lineno, f"{name} is imported here"
    for keyword in nodes(found.tree):
        if isinstance(keyword, ast.keyword) and keyword.arg == "click_type":
            yield keyword.value.lineno, "click_type is used"


def network(found: Module) -> Violations:
    """Sockets and chain libraries only where IO belongs."""
    if found.within("web.py", "chain/", "safe/second_opinion.py", "safe/files.py", "drills/"):
        return
    for node, name in imports(found):
        if imports_any(name, NETWORK) and name != "http.HTTPStatus":
            yield node.lineno, f"{name} is imported here"


def heavy(found: Module) -> Violations:
    """Heavy libraries are imported inside the functions that need them."""
    lazy = {id(node) for function in functions(found) for node in ast.walk(function)}
    lazy |= {id(node) for block in type_checking_blocks(found) for one in block.body for node in ast.walk(one)}
    for node, name in imports(found):
        if id(node) not in lazy and imports_any(name, HEAVY):
            yield node.lineno, f"{name} is imported when the module is"


def type_checking_blocks(found: Module) -> Iterator[ast.If]:
    """`if TYPE_CHECKING:` blocks."""
    for node in nodes(found.tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            yield node


def clock(found: Module) -> Violations:
    """Time is read in flows/ and cli/ and injected below; transport may hold a monotonic deadline."""
    if found.within("flows/", "cli/"):
        return
    forbidden = WALL_CLOCK if found.within("transport.py", "web.py") else WALL_CLOCK | MONOTONIC
    for node, name in mentions(found):
        if name in forbidden:
            yield node.lineno, f"{name} is read here"


def environment(found: Module) -> Violations:
    """The environment is read in cli/settings.py."""
    if found.within("cli/settings.py"):
        return
    for node, name in mentions(found):
        if name in ENVIRONMENT:
            yield node.lineno, f"{name} is read here"


def for_tests(found: Module) -> Violations:
    """The product does not know that it is tested."""
    for number, line in enumerate(found.text.splitlines(), start=1):
        if FOR_TESTS.search(line):
            yield number, "a test's tool or variable is named"


def running_code(found: Module) -> Violations:
    """No eval, exec, pickle or YAML constructors."""
    for node, name in mentions(found):
        if name in RUNNING | YAML_LOADERS:
            yield node.lineno, f"{name} is used"
    for statement, name in imports(found):
        if imports_any(name, CODE_RUNNERS) or name in YAML_LOADERS:
            yield statement.lineno, f"{name} is imported"


def file_size(found: Module) -> Violations:
    """A file has at most 400 lines."""
    count = len(found.text.splitlines())
    if count > FILE_LIMIT:
        yield count, f"{count} lines; at most {FILE_LIMIT}"


def function_size(found: Module) -> Violations:
    """A function has at most 50 lines, a CLI command at most 25."""
    for function in functions(found):
        limit = COMMAND_LIMIT if is_command(function) else FUNCTION_LIMIT
        if length(function) > limit:
            yield function.lineno, f"{function.name} has {length(function)} lines; at most {limit}"


def is_command(function: Function) -> bool:
    """Whether a decorator makes it a command or a command group's callback."""
    calls = (one.func if isinstance(one, ast.Call) else one for one in function.decorator_list)
    return any(isinstance(one, ast.Attribute) and one.attr in ("command", "callback") for one in calls)


def names(found: Module) -> Violations:
    """A file and a folder are named for what they hold."""
    for part in found.path.with_suffix("").parts:
        if part in FORBIDDEN_NAMES:
            yield 1, f"`{part}` says nothing about what is in it"


RULES: tuple[Callable[[Module], Violations], ...] = (
    doors,
    placed,
    terminal,
    network,
    heavy,
    clock,
    environment,
    for_tests,
    running_code,
    file_size,
    function_size,
    names,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_file_keeps_the_rule(rule: Callable[[Module], Violations]) -> None:
    broken = [f"{PRODUCT}/{one.path}:{line}: {what}" for one in product() for line, what in rule(one)]
    assert not broken, "\n".join([rule.__doc__ or "", *broken])


BAD: list[tuple[Callable[[Module], Violations], str, str]] = [
    (doors, "checks/a.py", "from incident_cli.levers.lever import Lever"),
    (doors, "checks/a.py", "from incident_cli import flows"),
    (doors, "checks/a.py", "import incident_cli.cli.main"),
    (doors, "checks/a.py", "def f():\n    from incident_cli.runbook import load"),
    (doors, "checks/a.py", "from ..levers import lever"),
    (doors, "checks/a.py", "from .. import journal"),
    (doors, "units.py", "from incident_cli.text import plain"),
    (doors, "evm.py", "from incident_cli.transport import Json"),
    (doors, "document.py", "from incident_cli.expression import parse"),
    (doors, "safe/a.py", "from incident_cli.chain import batch"),
    (doors, "report/a.py", "from incident_cli.journal import record"),
    (doors, "checks/a.py", "from incident_cli.elsewhere import thing"),
    (placed, "elsewhere/a.py", ""),
    (terminal, "flows/a.py", "import rich.console"),
    (terminal, "checks/a.py", "from typer import Option"),
    (terminal, "cli/a.py", "import click"),
    (terminal, "cli/a.py", "option = Option(click_type=1)"),
    (network, "flows/a.py", "import socket"),
    (network, "safe/hashes.py", "def f():\n    from web3 import Web3"),
    (network, "checks/a.py", "from http.server import HTTPServer"),
    (network, "checks/a.py", "import http.client"),
    (network, "checks/a.py", "from urllib import request"),
    (heavy, "chain/a.py", "import web3"),
    (heavy, "chain/a.py", "try:\n    from eth_abi import encode\nexcept ImportError:\n    pass"),
    (heavy, "drills/a.py", "class A:\n    from eth_tester import EthereumTester"),
    (clock, "drills/a.py", "import time\ntime.sleep(1)"),
    (clock, "journal/a.py", "from time import time as now\nnow()"),
    (clock, "journal/a.py", "import datetime as d\nd.datetime.now()"),
    (clock, "journal/a.py", "from datetime import datetime\nclock = datetime.utcnow"),
    (clock, "checks/a.py", "import time\ntime.monotonic()"),
    (clock, "transport.py", "import time\ntime.time()"),
    (environment, "cli/main.py", "import os\nos.environ['A']"),
    (environment, "chain/a.py", "from os import getenv\ngetenv('A')"),
    (environment, "chain/a.py", "from os import environ as e\ne['A']"),
    (for_tests, "cli/settings.py", "NAME = 'PYTEST_CURRENT_TEST'"),
    (for_tests, "cli/settings.py", "if settings.get('INCIDENT_TEST_CLOCK'): pass"),
    (running_code, "expression.py", "eval('1')"),
    (running_code, "document.py", "import yaml\nyaml.safe_load('a')"),
    (running_code, "document.py", "from yaml import safe_load\nsafe_load('a')"),
    (running_code, "journal/a.py", "import pickle"),
    (running_code, "journal/a.py", "__import__('os')"),
    (file_size, "checks/a.py", "x = 1\n" * 401),
    (function_size, "checks/a.py", "def f():\n" + "    x = 1\n" * 50),
    (function_size, "checks/a.py", "class A:\n    async def f(self):\n" + "        x = 1\n" * 50),
    (function_size, "cli/a.py", "@app.command()\ndef f():\n" + "    x = 1\n" * 24),
    (function_size, "cli/a.py", "@app.callback\ndef f():\n" + "    x = 1\n" * 24),
    (names, "checks/utils.py", ""),
    (names, "core/a.py", ""),
]


@pytest.mark.parametrize(("rule", "path", "text"), BAD, ids=lambda one: getattr(one, "__name__", None))
def test_the_rule_bites(rule: Callable[[Module], Violations], path: str, text: str) -> None:
    assert list(rule(module(text, path)))


GOOD: list[tuple[Callable[[Module], Violations], str, str]] = [
    (doors, "checks/a.py", "from incident_cli.checks.check import Check\nfrom incident_cli import evm, __version__"),
    (doors, "evm.py", "def f():\n    from incident_cli.abi import encode_call"),
    (doors, "binding.py", "from incident_cli.document import load"),
    (doors, "cli/a.py", "from incident_cli.flows import respond\nfrom incident_cli.text import plain"),
    (network, "checks/a.py", "from urllib.parse import urlsplit"),
    (heavy, "chain/a.py", "if TYPE_CHECKING:\n    import web3\ndef f():\n    import web3"),
    (clock, "transport.py", "import time\ntime.monotonic()"),
    (clock, "flows/a.py", "import time\ntime.time()"),
    (running_code, "checks/a.py", "import re\nre.compile('a')\nimport yaml\nyaml.compose('a')"),
    (function_size, "checks/a.py", "def f():\n" + "    x = 1\n" * 49),
    (function_size, "cli/a.py", "@app.command()\ndef f():\n" + "    x = 1\n" * 23),
]


@pytest.mark.parametrize(("rule", "path", "text"), GOOD, ids=lambda one: getattr(one, "__name__", None))
def test_the_rule_lets_pass(rule: Callable[[Module], Violations], path: str, text: str) -> None:
    assert not list(rule(module(text, path)))


def empty_rooms(base: Path) -> list[str]:
    """Folders that hold an `__init__.py` and nothing else."""
    found = [one.parent for one in base.rglob("__init__.py")]
    return [one.name for one in found if not [e for e in one.iterdir() if e.name not in ("__init__.py", "__pycache__")]]


def test_no_room_is_empty() -> None:
    assert not empty_rooms(ROOT / PRODUCT)


def test_an_empty_room_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "attic").mkdir()
    (tmp_path / "attic" / "__init__.py").write_text("")
    assert empty_rooms(tmp_path) == ["attic"]


def misplaced(tracked: list[str]) -> tuple[set[str], set[str]]:
    """Top-level entries that should not be there, and those that are missing; dot-entries are free."""
    top = {one.split("/", 1)[0] for one in tracked}
    return {one for one in top - TOP_LEVEL if not one.startswith(".")}, TOP_LEVEL - top


def test_the_top_level_is_exactly_the_design() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("this is not a repository")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert misplaced(listed.stdout.splitlines()) == (set(), set())


def test_a_stray_top_level_entry_is_noticed() -> None:
    tracked = [*(f"{one}/x" for one in TOP_LEVEL - {"LICENSE"}), "scripts/a.sh", ".ci/build"]
    assert misplaced(tracked) == ({"scripts"}, {"LICENSE"})


def test_starting_loads_nothing_heavy() -> None:
    code = "import sys, incident_cli.cli.main; print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    assert not {"web3", "eth_account", "pydantic", "aiohttp", "safe_eth", "eth_tester"} & set(done.stdout.split())
