"""What is shipped: a wheel that holds everything a command needs, and requirements that say exactly what is run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOCKS = sorted((ROOT / ".lock").glob("*.txt"))
PIN = re.compile(r"(?P<name>[a-z0-9][a-z0-9.-]*)==[0-9][\w.+!-]*(?: ; [\w .'=<>!()]+)? \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}(?P<more> \\)?")
NEEDED = (
    "shipped/oracle-divergence.yaml",
    "shipped/drills/oracle-divergence.yaml",
    "protocols/drill-exchange.yaml",
    "drills/contracts/options_exchange.json",
)
PLAN = "import incident_cli as one; from incident_cli.flows.drill import plan_drill as plan; plan(None, None, 7)"


def run(command: list[str], folder: Path, **environment: str) -> str:
    """What a process prints, on either stream; the test fails with it where the process does."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=folder, env={**kept, **environment}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], ROOT)
    (found,) = folder.glob("*.whl")
    return found


def product_files(folder: str, pattern: str) -> set[str]:
    """Files of the checkout by their names in the package."""
    base = ROOT / folder
    package = "shipped" if folder == "runbooks" else folder.removeprefix("incident_cli/")
    return {f"incident_cli/{package}/{one.relative_to(base).as_posix()}" for one in base.rglob(pattern)}


def test_the_wheel_holds_what_is_needed_and_no_tests(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"incident_cli/{one}" for one in NEEDED} <= names
    assert product_files("runbooks", "*.yaml") <= names
    assert product_files("incident_cli/protocols", "*.yaml") <= names
    assert product_files("incident_cli/drills/contracts", "*.json") <= names
    assert {one.partition("/")[0] for one in names if ".dist-info/" not in one} == {"incident_cli"}
    assert not [one for one in names if re.search(r"(?:^|/)(?:test_|conftest)|\.pyc$|/fakes/", one)]


def test_the_installed_package_works_outside_the_checkout(wheel: Path, tmp_path: Path) -> None:
    target, elsewhere = tmp_path / "target", tmp_path / "elsewhere"
    elsewhere.mkdir()
    options = ["--no-deps", "--no-index", "--quiet", "--disable-pip-version-check", "--target", str(target)]
    run([sys.executable, "-m", "pip", "install", *options, str(wheel)], elsewhere)
    listed = run([sys.executable, "-m", "incident_cli.cli.main", "runbook", "list"], elsewhere, PYTHONPATH=str(target))
    assert all(one.stem in listed for one in (ROOT / "runbooks").glob("*.yaml"))
    where = run([sys.executable, "-c", f"{PLAN}; print(one.__file__)"], elsewhere, PYTHONPATH=str(target))
    assert Path(where.strip()) == target / "incident_cli" / "__init__.py"


def test_every_dependency_has_its_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    block = text.partition("\ndependencies = [\n")[2].partition("\n]")[0].splitlines()
    assert len(block) == len(tomllib.loads(text)["project"]["dependencies"])
    assert [one for one in block if not re.fullmatch(r'  "[^"]+", +# \w.+', one)] == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_lock_file_holds_only_pins_with_their_hashes(lock: Path) -> None:
    hashes_of: dict[str, int] = {}
    pin, goes_on = "", False
    for line in lock.read_text("utf-8").splitlines():
        pinned, hashed = PIN.fullmatch(line), HASH.fullmatch(line)
        assert pinned or hashed, line  # so neither an address nor an option of pip can stand here
        assert goes_on is (hashed is not None), f"the line before this one ends too early, or goes on: {line}"
        pin = pinned["name"] if pinned else pin
        hashes_of[pin] = hashes_of.get(pin, 0) + (hashed is not None)
        goes_on = pinned is not None or bool(hashed and hashed["more"])
    assert not goes_on
    assert all(hashes_of.values())


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_lock_file_pins_every_dependency(lock: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    wanted += project["project"]["optional-dependencies"]["dev"] if lock.name == "dev.txt" else []
    pinned = set(re.findall(r"^([a-z0-9][a-z0-9.-]*)==", lock.read_text("utf-8"), re.MULTILINE))
    named = {re.split(r"[^\w.-]", one)[0].lower().replace("_", "-") for one in wanted}
    assert LOCKS and named <= pinned
