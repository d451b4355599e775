"""A known key and passphrase through every command that signs, on a real node: no channel shows them, however it ends.

`CASES` names every command that takes a signer: one that is missing fails `test_every_command_that_signs_is_here`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from incident_cli.drills.accounts import Account, account
from incident_cli.flows.clock import SystemClock
from incident_cli.flows.multisig.delegating import add
from incident_cli.safe.hashes import hash_transaction
from incident_cli.safe.signature_file import SignatureFile, Signed, adding, store
from incident_cli.safe.transaction import SafeTx
from incident_cli.safe.vault_file import seal, write_sealed
from tests.contracts.packages import Packages
from tests.fakes import signing_program
from tests.fakes.anvil import Anvil
from tests.fakes.canary import PASSPHRASE, WRONG, Scene, leaks
from tests.real.containing import BECAUSE, Site, as_founded, build_site
from tests.real.desking import Office, serving
from tests.real.vaulting import armed, armoury, write_runbook

SIZE = (110, 60)
HEX_END = 8
DELEGATE = account(9, "delegate").address


@dataclass(frozen=True)
class Prepared:
    """A command with its scene: the words (the keystore is added), and what is typed where no passphrase is asked."""

    scene: Scene
    words: Sequence[str]
    typed: Sequence[str] = ()

    def run(self, passphrase: str) -> tuple[int, str]:
        """Run it in a terminal; the exit code, and what it showed."""
        rest = iter(self.typed)

        def answer(question: str) -> str:
            return passphrase if "passphrase" in question or "same again" in question else next(rest, "stop")

        given = [*self.words, "--keystore", str(self.scene.keystore)]
        code = self.scene.attended(given, answer, size=SIZE)
        return code, self.scene.channels["terminal"].decode()


@dataclass(frozen=True)
class Bench:
    """A node with a Safe that guards a market; how the desk and how the vault see it."""

    office: Office
    site: Site
    folder: Path

    @property
    def tx(self) -> SafeTx:
        """The transaction that pauses a market."""
        return self.office.transaction()

    def scene(self, holder: Account) -> Scene:
        """The scene of whoever signs, who can pay for gas."""
        self.office.anvil.rpc("anvil_setBalance", holder.address, hex(10**18))
        found = Scene(self.folder, holder._key)
        found.prepare()
        return found

    def file(self) -> str:
        """The flat transaction in a file."""
        path = self.folder / "tx.json"
        path.write_text(json.dumps(self.tx.to_json()))
        return str(path)

    def where(self) -> list[str]:
        """Where the desk's deployment is."""
        return ["--deployment", str(self.office.deployment_file)]


def ending(tx: SafeTx) -> str:
    """The end of its hash, which is typed."""
    return hash_transaction(tx).safe_tx_hash[-HEX_END:]


Case = Callable[[Bench], Any]


@contextmanager
def sign(bench: Bench) -> Iterator[Prepared]:
    words = ["safe", "sign", bench.file(), *bench.where(), "--out", str(bench.folder / "out")]
    yield Prepared(bench.scene(bench.office.council.owners[0]), words, [ending(bench.tx)])


@contextmanager
def propose(bench: Bench) -> Iterator[Prepared]:
    with serving(bench.office) as (_, _, office):
        there = replace(bench, office=office)
        words = ["safe", "propose", there.file(), *there.where()]
        yield Prepared(there.scene(office.council.owners[0]), words, [ending(bench.tx)])


@contextmanager
def confirm(bench: Bench) -> Iterator[Prepared]:
    with serving(bench.office) as (_, client, office):
        there, hash_ = replace(bench, office=office), hash_transaction(bench.tx).safe_tx_hash
        ((owner, signature),) = office.signed(bench.tx, 1).items()
        client.propose(bench.tx, hash_, owner, signature, "test")
        words = ["safe", "confirm", hash_, *there.where()]
        yield Prepared(there.scene(office.council.owners[0]), words, [ending(bench.tx)])


@contextmanager
def reject(bench: Bench) -> Iterator[Prepared]:
    with serving(bench.office) as (_, _, office):
        there = replace(bench, office=office)
        rejection = replace(bench.tx, to=bench.tx.safe, value=0, data=b"", operation=0)
        words = ["safe", "reject", there.file(), *there.where(), "--out", str(bench.folder / "out")]
        yield Prepared(there.scene(office.council.owners[0]), words, [ending(rejection)])


@contextmanager
def delegate_add(bench: Bench) -> Iterator[Prepared]:
    with serving(bench.office) as (_, _, office):
        there = replace(bench, office=office)
        words = ["safe", "delegate", "add", DELEGATE, *there.where(), "--safe", "council"]
        yield Prepared(there.scene(office.council.owners[0]), words, ["yes"])


@contextmanager
def delegate_remove(bench: Bench) -> Iterator[Prepared]:
    with serving(bench.office) as (_, client, office):
        there, signer = replace(bench, office=office), office.signer(0)
        add(office.place, client, signer, DELEGATE, "test", clock=SystemClock())
        words = ["safe", "delegate", "remove", DELEGATE, *there.where(), "--safe", "council"]
        yield Prepared(there.scene(office.council.owners[0]), words)


@contextmanager
def approve(bench: Bench) -> Iterator[Prepared]:
    words = ["safe", "approve", bench.file(), *bench.where()]
    yield Prepared(bench.scene(bench.office.council.owners[0]), words, [ending(bench.tx)])


@contextmanager
def execute(bench: Bench) -> Iterator[Prepared]:
    signed = [Signed(owner, one) for owner, one in sorted(bench.office.signed(bench.tx, 0, 1).items())]
    path, _ = store(bench.folder, adding(SignatureFile(bench.tx), signed).file)
    words = ["safe", "execute", bench.file(), *bench.where(), "--signatures", str(path)]
    yield Prepared(bench.scene(account(9, "broadcaster")), words, [ending(bench.tx)])


@contextmanager
def vault_arm(bench: Bench) -> Iterator[Prepared]:
    runbook, path = write_runbook(bench.site), bench.folder / "new.vault"
    words = ["vault", "arm", str(runbook), "stop", "--deployment", str(bench.site.deployment), "--market", "ETH-USD"]
    words += ["--rungs", "2", "--vault", str(path)]
    yield Prepared(bench.scene(bench.site.council.owners[0]), words, ["ETH-USD 2"])


@contextmanager
def vault_sign(bench: Bench) -> Iterator[Prepared]:
    path = bench.folder / "armed.vault"
    write_sealed(path, seal(armed(bench.site).vault, PASSPHRASE))
    yield Prepared(bench.scene(bench.site.council.owners[0]), ["vault", "sign", str(path)], ["ETH-USD BTC-USD 4"])


@contextmanager
def vault_fire(bench: Bench) -> Iterator[Prepared]:
    path = bench.folder / "ready.vault"
    write_sealed(path, seal(armoury(bench.site).vault, PASSPHRASE))
    words = ["vault", "fire", str(path), "--rpc", bench.site.anvil.url, "--market", "ETH-USD"]
    yield Prepared(bench.scene(account(9, "broadcaster")), words, ["ETH-USD"])


@contextmanager
def contain(bench: Bench) -> Iterator[Prepared]:
    words = ["contain", "exchange.pause", "--deployment", str(bench.site.deployment), "--market", "ETH-USD"]
    words += ["--because", BECAUSE, "--no-wait"]
    yield Prepared(bench.scene(bench.site.council.owners[0]), words, ["ETH-USD"])


@contextmanager
def drill_signers(bench: Bench) -> Iterator[Prepared]:
    with serving(bench.office) as (_, _, office):
        there = replace(bench, office=office)
        tx = replace(bench.tx, to=bench.tx.safe, value=0, data=b"", operation=0)
        words = ["drill", "--signers", *there.where(), "--safe", "council", "--no-wait"]
        yield Prepared(there.scene(office.council.owners[0]), words, [ending(tx)])


CASES: dict[str, tuple[Case, int]] = {
    "safe sign": (sign, 0),
    "safe propose": (propose, 0),
    "safe confirm": (confirm, 0),
    "safe reject": (reject, 0),
    "safe delegate add": (delegate_add, 0),
    "safe delegate remove": (delegate_remove, 0),
    "safe approve": (approve, 0),
    "safe execute": (execute, 0),
    "vault arm": (vault_arm, 0),
    "vault sign": (vault_sign, 0),
    "vault fire": (vault_fire, 0),
    "contain": (contain, 5),
    "drill": (drill_signers, 5),
}
SAME_WALK = {"respond", "adopt"}  # they walk as `contain` does, with the same options and the same keys at hand
EVERY_TIME = ("safe sign",)  # the others with the campaigns: each is processes of seconds, and a key derived
NAMES = [one if one in EVERY_TIME else pytest.param(one, marks=pytest.mark.campaign) for one in CASES]


@pytest.fixture(scope="module")
def built(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A node with everything on it, built once."""
    with Anvil(packages.anvil) as anvil:
        yield build_site(anvil, tmp_path_factory.mktemp("canary"))


@pytest.fixture
def bench(built: Site, tmp_path: Path) -> Iterator[Bench]:
    desk, folder = tmp_path / "desk", tmp_path / "site"
    for one in (desk, folder):
        one.mkdir()
    with as_founded(built, folder) as site:
        yield Bench(Office(site.council, site.market, desk), site, tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_a_command_that_signs(name: str, bench: Bench) -> None:
    case, expected = CASES[name]
    with case(bench) as prepared:
        code, shown = prepared.run(PASSPHRASE)
        assert (code, "passphrase of" in shown) == (expected, True), shown
        prepared.scene.collect()
        assert leaks(prepared.scene) == []


@pytest.mark.campaign
@pytest.mark.parametrize("name", CASES)
def test_a_command_that_is_given_a_wrong_passphrase(name: str, bench: Bench) -> None:
    case, _ = CASES[name]
    with case(bench) as prepared:
        code, shown = prepared.run(WRONG)
        assert code != 0, shown
        prepared.scene.collect()
        assert leaks(prepared.scene) == []


def signing(group: Any, words: tuple[str, ...] = ()) -> Iterator[str]:
    """The commands that take a signer."""
    for name, command in getattr(group, "commands", {}).items():
        if any("--keystore" in one.opts for one in command.params):
            yield " ".join((*words, name))
        yield from signing(command, (*words, name))


def test_every_command_that_signs_is_here() -> None:
    assert set(signing(get_command(signing_program.whole()))) - {"sign-once"} == set(CASES) | SAME_WALK
