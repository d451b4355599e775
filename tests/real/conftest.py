"""One node with the real market for the whole folder; each test gets it as it was built."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contracts.packages import Packages
from tests.contracts.packages import packages as installed_packages
from tests.contracts.real_market import START, RealMarket, WriteDeployment, build_market
from tests.fakes.anvil import Anvil

LEAD_SECONDS = 3_600  # more than building takes on the chain's own clock


@pytest.fixture(scope="session")
def packages() -> Packages:
    """The npm packages; where they cannot be installed, the test fails."""
    return installed_packages()


@pytest.fixture(scope="session")
def built(packages: Packages) -> Iterator[RealMarket]:
    """The market, built once on a chain that began an hour ago."""
    with Anvil(packages.anvil, timestamp=int(time.time()) - LEAD_SECONDS) as anvil:
        yield build_market(anvil, packages)


@pytest.fixture
def market(built: RealMarket) -> Iterator[RealMarket]:
    """The market as it was built, for this test alone."""
    before = built.anvil.snapshot()
    yield built
    built.anvil.revert(before)


@pytest.fixture
def real_market(market: RealMarket) -> WriteDeployment:
    """The market for a command: call it with a folder, and give the command the file."""

    def write(folder: Path, *, answer: int = START, traded: int = START) -> Path:
        market.catch_up(int(time.time()), answer=answer, traded=traded)
        return market.write_deployment(folder)

    return write
