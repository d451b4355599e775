"""The npm packages of package-lock.json, installed once into a cache outside the tree and used again.

To change one: edit package.json, then `npm install --package-lock-only` beside it. The lock holds no registry host
(.npmrc) and must keep an entry for each of anvil's platforms, or `npm ci` refuses it; those that no registry at hand
serves have no integrity there.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import platformdirs
import pytest

from tests.contracts.node import Node, find_node

HERE = Path(__file__).parent
MANIFEST = ("package.json", "package-lock.json")
INSTALL = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--legacy-peer-deps", "--fetch-retry-mintimeout=500")
INSTALL_SECONDS = 240
ANVIL = {"Linux": "linux", "Darwin": "darwin", "Windows": "win32"}
MACHINE = {"x86_64": "amd64", "amd64": "amd64", "arm64": "arm64", "aarch64": "arm64"}


class NotInstalled(Exception):
    """The packages could not be installed, with npm's last words."""


@dataclass(frozen=True, slots=True)
class Packages:
    """Installed packages: `folder` holds node_modules."""

    folder: Path
    node: Node

    def path(self, name: str) -> Path:
        """A file of a package by its name below node_modules."""
        return self.folder / "node_modules" / name

    @property
    def anvil(self) -> Path:
        """The executable of anvil for this machine; raises NotInstalled."""
        system, machine = ANVIL.get(platform.system(), "?"), MACHINE.get(platform.machine().lower(), "?")
        found = self.path(f"@foundry-rs/anvil-{system}-{machine}/bin/anvil{'.exe' if system == 'win32' else ''}")
        if not found.is_file():
            raise NotInstalled(f"npm brought no anvil for {platform.system()} on {platform.machine()}")
        found.chmod(0o755)
        return found


def cache_folder(base: Path | None = None) -> Path:
    """Where the packages of this lock file belong."""
    digest = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    return (base or platformdirs.user_cache_path("incident-tests")) / "contracts" / digest


@contextlib.contextmanager
def one_at_a_time(lock: Path) -> Iterator[None]:
    """Holds a lock between processes; it falls with the process that held it."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def install(base: Path | None = None, node: Node | None = None) -> Packages:
    """The packages, installed below `base` (the user's cache) unless they are there; raises NotInstalled."""
    try:
        node = node or find_node()
    except LookupError as problem:
        raise NotInstalled(str(problem)) from None
    folder = cache_folder(base)
    if not folder.is_dir():
        with one_at_a_time(folder.with_suffix(".lock")):
            if not folder.is_dir():
                install_into(folder, node)
    return Packages(folder, node)


def install_into(folder: Path, node: Node) -> None:
    """`npm ci` beside the folder, then one rename: a folder that exists is whole."""
    staging = folder.with_suffix(".installing")
    shutil.rmtree(staging, ignore_errors=True)  # of an installation that was killed
    staging.mkdir()
    try:
        for name in MANIFEST:
            shutil.copy(HERE / name, staging / name)
        run_npm(node, staging)
        staging.rename(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def run_npm(node: Node, folder: Path) -> None:
    """`npm ci` in a folder, silent unless it fails; raises NotInstalled."""
    command = [*node.npm, *INSTALL]
    path = os.pathsep.join([str(Path(node.node[0]).parent), os.environ.get("PATH", "")])
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "PATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=INSTALL_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise NotInstalled(f"npm ci did not end within {INSTALL_SECONDS} s") from None
    if done.returncode != 0:
        raise NotInstalled(f"npm ci ended with {done.returncode}:\n{(done.stdout + done.stderr)[-2_000:]}")


@functools.cache
def packages() -> Packages:
    """The packages, for a fixture: where they cannot be had, the test fails and says why."""
    try:
        return install()
    except NotInstalled as problem:
        pytest.fail(
            "the contracts of others could not be installed, so nothing here is tested against them"
            f" (a package registry must be reachable the first time): {problem}",
            pytrace=False,
        )
