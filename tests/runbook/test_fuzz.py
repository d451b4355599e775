"""Whatever is in a file, reading it ends in a value or in an expected failure: never in a traceback, and soon."""

from __future__ import annotations

import json
import random
import re
import resource
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from incident_cli.document import WrongFile, read_document
from incident_cli.drills.script import load_script
from incident_cli.errors import IncidentError
from incident_cli.protocols.catalog import SHIPPED
from incident_cli.protocols.protocol import load_protocol
from incident_cli.runbook.deployment import load_deployment
from incident_cli.runbook.lint import lint
from incident_cli.runbook.load import load_runbook
from incident_cli.runbook.shipped import shipped_folder
from tests.runbook.test_codes import DEPLOYMENT, RUNBOOK

QUICK, CAMPAIGN = 300, 100_000
SECONDS, MEGABYTES = 1.0, 200
TOKEN = re.compile(rb"[\w.]+|\s+|[^\w\s]")
NASTY = [
    *(b"&a ", b"*a", b"!!python/object/apply:os.system [id]", b"<<: ", b"? ", b"---\n", b"...\n", b"%YAML 9.9\n"),
    *(b"{" * 60, b"[" * 600, b"- " * 300, b"'", b'"', b"\\", b"\t", b"\r", b"\x00", b"\x07", b"\x1b[31m", b"\xff\xfe"),
    *(b"\xed\xa0\x80", "\u202e".encode(), "\x85".encode(), "\u2028".encode(), "é".encode() * 3_000, b"x" * 5_000),
    *(b"9" * 5_000, b"1e999", b"-", b"9" * 300 + b"d", b"{market}", b"{{market}}", b"{" + b"a" * 90 + b"}", b"goto "),
    *(b"| \n", b">-\n", b"#", b": ", b",", b"(" * 250, b"not " * 100, b"2**9**9", b"x.__class__", b"https://a:b@c/d?e"),
]
WORDS = [
    "schema",
    "id",
    "checks",
    "steps",
    "kind",
    "when",
    "contain",
    "{market}",
    "0x",
    "1h",
    "true",
    "~",
    "",
    "é",
    "\u202e",
]
SOURCES: list[tuple[Callable[[Path], object], list[bytes]]] = [
    (load_runbook, [RUNBOOK.encode(), *(one.read_bytes() for one in sorted(shipped_folder().glob("*.yaml")))]),
    (load_deployment, [DEPLOYMENT.encode()]),
    (load_protocol, [one.read_bytes() for one in sorted(SHIPPED.glob("*.yaml"))]),
    (load_script, [one.read_bytes() for one in sorted((shipped_folder() / "drills").glob("*.yaml"))]),
    (read_document, [b"", b"a: 1\n"]),
]


def flow(dice: random.Random, depth: int = 0) -> str:
    """Random YAML in flow style."""
    if depth > dice.choice((2, 4, 30)) or dice.random() < 0.3:
        text = dice.choice(WORDS) * dice.choice((1, 1, 1, 50))
        return dice.choice((json.dumps(text), f"'{text}'", text or "''"))
    parts = [flow(dice, depth + 1) for _ in range(dice.randint(0, 5))]
    if dice.random() < 0.5:
        return f"[{', '.join(parts)}]"
    return "{" + ", ".join(f"{dice.choice(WORDS) or 'k'}: {part}" for part in parts) + "}"


def flipped(dice: random.Random, raw: bytes) -> bytes:
    """A few bytes changed."""
    found = bytearray(raw or b"a")
    for _ in range(dice.randint(1, 8)):
        found[dice.randrange(len(found))] = dice.randrange(256)
    return bytes(found)


def swapped(dice: random.Random, raw: bytes) -> bytes:
    """Two words or signs in each other's place, or one over the other."""
    tokens = TOKEN.findall(raw) or [b"a"]
    for _ in range(dice.randint(1, 6)):
        one, other = dice.randrange(len(tokens)), dice.randrange(len(tokens))
        tokens[one], tokens[other] = tokens[other], tokens[one if dice.random() < 0.5 else other]
    return b"".join(tokens)


def spoiled(dice: random.Random, raw: bytes) -> bytes:
    """Something nasty put in at a place, or over a word."""
    place = dice.randrange(len(raw) + 1)
    end = place if dice.random() < 0.6 else min(len(raw), place + dice.randint(1, 40))
    return raw[:place] + dice.choice(NASTY) + raw[end:]


def relined(dice: random.Random, raw: bytes) -> bytes:
    """Lines left out, said again or indented."""
    lines = raw.split(b"\n")
    for _ in range(dice.randint(1, 4)):
        place = dice.randrange(len(lines))
        lines[place : place + 1] = dice.choice(
            ([], [lines[place]] * 2, [b"  " + lines[place]], [lines[place].lstrip()])
        )
        lines = lines or [b""]
    return b"\n".join(lines)


def grown(dice: random.Random, raw: bytes) -> bytes:
    """Very long, or very deep."""
    place = raw.rfind(b"\n", 0, dice.randrange(len(raw) + 1)) + 1
    count = dice.choice((100, 5_000, 60_000))
    return (
        raw[:place]
        + dice.choice((b"k: [" + b"a," * count + b"]\n", b"k: " + b"{a: " * count, b"- a\n" * count))
        + raw[place:]
    )


MUTATIONS = (flipped, swapped, spoiled, relined, swapped, spoiled, flipped, relined, grown)


def made(seed: int) -> tuple[Callable[[Path], object], bytes]:
    """A document and what reads it, the same for the same seed."""
    dice = random.Random(seed)
    load, sources = dice.choice(SOURCES)
    if dice.random() < 0.15:
        return load, flow(dice).encode("utf-8", "surrogatepass")
    raw = dice.choice(sources)
    for _ in range(dice.randint(1, 3)):
        raw = dice.choice(MUTATIONS)(dice, raw)
    return load, raw


def outcome(seed: int, path: Path) -> str:
    """How reading a document ended; anything but an expected failure escapes."""
    load, raw = made(seed)
    path.write_bytes(raw)
    try:
        found = load(path)
    except WrongFile as problem:
        assert problem.message.endswith("nothing was done.")
        return f"{load.__name__}: wrong"
    except IncidentError:
        return f"{load.__name__}: refused"
    if load is load_runbook:
        lint(found)  # type: ignore[arg-type]
    return f"{load.__name__}: read"


def test_no_document_ends_in_a_traceback(tmp_path: Path) -> None:
    ended = Counter(outcome(seed, tmp_path / "fuzzed.yaml") for seed in range(QUICK))
    assert sum(ended.values()) == QUICK
    assert {one.split(": ")[1] for one in ended} >= {"wrong", "read"}


@pytest.mark.campaign
def test_the_campaign(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, ended = tmp_path / "fuzzed.yaml", Counter[str]()
    outcome(0, path)
    slowest, before = (0.0, 0), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for seed in range(CAMPAIGN):
        start = time.process_time()  # of this process: others on the machine are not what is measured
        ended[outcome(seed, path)] += 1
        slowest = max(slowest, (time.process_time() - start, seed))
    grown_by = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1_024
    with capsys.disabled():
        print(f"\n{CAMPAIGN} documents, no traceback: {dict(sorted(ended.items()))}")
        print(f"slowest {slowest[0]:.3f} s of CPU (seed {slowest[1]}), peak memory grew by {grown_by:.0f} MB")
    assert slowest[0] <= SECONDS, f"seed {slowest[1]}"
    assert grown_by <= MEGABYTES


HOSTILE = [
    *("market.__class__", "().__class__.__bases__", "market.__class__.__mro__", "exchange.__init__"),
    *("firing.__globals__", "__import__('os').system('id')", "exec('1')", "eval('1')", "open('/etc/passwd')"),
    *("getattr(market, 'x')", "print(1)", "lambda: 1", "(lambda x: x)(1)", "[x for x in (1, 2)]"),
    *("{x for x in (1, 2)}", "(x for x in (1, 2))", "{1: 2}", "[1]", "2**10", "9**9**9**9", "1 << 4000", "~1"),
    *("1 @ 2", "f'{market}'", "b'x'", "r'x'", "u'x'", "'\\x41'", "'''a'''", "(x := 1)", "x = 1", "min(*(1, 2))"),
    *("max(**{})", "abs(x=1)", "exchange.market_paused(market=market)", "1 if 1 else 2", "market[0]"),
    *("market[0:1]", "'a'[0]", "'%s' % market", "'a'.upper()", "(1).real", "1 is 1", "1 in (1, 2)", "None", "..."),
    *("yield 1", "await market", "import os", "del market", "assert True", "True; False", "True # and so on"),
    *("`id`", "$(id)", "1e400 > 0", "0x10 > 1", "1j", "1__0", "10 > 1_", "ＭＡＲＫＥＴ == 1", "m\u0430rket == 1"),
    *("\u202eTrue", "True\x00", "²", "١ > 0", "(" * 200 + "1" + ")" * 200, "(" * 10_000 + "1" + ")" * 10_000),
    *("-" * 400 + "1", "not " * 110 + "True", "1" + "+1" * 249, "9" * 480, "9" * 5_000, "x" * 501),
    *("a" + ".a" * 200, "max(" * 100 + "1" + ")" * 100, "[" * 300, "'" * 3, "firing(firing(stale))"),
    *("firing('stale')", "quiet_for(stale, '1 year')", "quiet_for(stale)", "unknown()", "", "   "),
    *("exchange.market_paused(market, market)", "exchange.paused()", "stale", "market + 1 == True", "1", "'text'"),
]  # fmt: skip


@pytest.mark.parametrize("source", HOSTILE, ids=lambda one: ascii(one[:30]))
def test_a_hostile_expression_is_refused_when_the_file_is_read(source: str, tmp_path: Path) -> None:
    path = tmp_path / "hostile.yaml"
    path.write_text(RUNBOOK.replace("when: firing(stale)", f"when: {json.dumps(source)}"), "utf-8")
    with pytest.raises(WrongFile) as caught:
        load_runbook(path)
    (document,) = caught.value.documents
    assert {one.code for one in document.problems} <= {"bad-expression", "wrong-type", "too-long", "yaml-syntax"}
    assert {one.place.line for one in document.problems} == {RUNBOOK[: RUNBOOK.index("when:")].count("\n") + 1}
