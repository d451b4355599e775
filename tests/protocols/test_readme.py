"""The catalogue's README is what its files say, and its counts are theirs."""

from __future__ import annotations

import re

from incident_cli.protocols.catalog import SHIPPED, Catalog
from tests.protocols.regenerate import README, counts, escaped, protocols, text, undone_by


def test_the_page_is_current() -> None:
    assert README.read_text("utf-8") == text(), "run `python -m tests.protocols.regenerate`"


def test_every_file_has_one_row_with_its_levers_and_source() -> None:
    rows = {line.split("`")[1]: line for line in text().splitlines() if line.startswith("| `")}
    assert sorted(rows) == sorted(path.stem for path in SHIPPED.glob("*.yaml"))
    for one in protocols():
        assert all(f"`{name}`" in rows[one.protocol] for name in (one.levers or one.reads)), one.protocol
        assert rows[one.protocol].endswith(f"| {' '.join(one.source.split())} |")


def test_the_counts_add_up() -> None:
    with_levers = [one for one in protocols() if one.levers]
    files, levers, *parts = map(int, re.findall(r"[0-9]+", counts(with_levers)))
    assert (files, levers) == (len(with_levers), sum(len(one.levers) for one in with_levers))
    assert (sum(parts[::2]), sum(parts[1::2])) == (files, levers)


def test_who_undoes() -> None:
    exchange = Catalog((SHIPPED,)).find("drill-exchange")
    assert exchange is not None
    assert undone_by(exchange) == ["governance", "nobody"]


def test_a_cell_ends_where_it_ends() -> None:
    assert list(escaped(["a | b\n c"])) == ["a \\| b c"]
