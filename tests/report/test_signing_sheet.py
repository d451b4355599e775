"""The signing card as a page: escaped throughout, self-contained, one sheet of A4, readable on a phone."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from html import escape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from incident_cli.report.signing_card import address
from incident_cli.report.signing_sheet import sheet
from tests.report.cards import MARKET, OWNERS, SAFE, VENUE, card_of, hash_of

HOSTILE = (
    "</title></style></dl><script>alert(1)</script><img src=x onerror=alert(1)>",
    "\"' onmouseover=alert(1) x='\" & &lt;script&gt; <!-- ]]> --> <svg/onload=alert(1)>",
    "\x1b[2J\u202e\u200b\x00 javascript:alert(1) http://evil.example/ url(//evil.example)",
)
ELEMENTS = "html head meta title style body h1 h2 section p dl dt dd code figure figcaption strong svg path"
OPTIONS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
--disable-component-update --disable-sync --no-pdf-header-footer"""
PHONE, SHEET = 390, 794  # CSS pixels: a phone held upright; A4 at 96 dots an inch


class Elements(HTMLParser):
    """Every element with its attributes, and all text that is shown."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.shown = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.shown += data


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_words_in_every_field_stay_words(text: str) -> None:
    hostile, harmless = Elements(sheet(card_of(text=text))), Elements(sheet(card_of(text="harmless")))
    assert [one for one, _ in hostile.found] == [one for one, _ in harmless.found]
    assert {one for one, _ in hostile.found} <= set(ELEMENTS.split())
    names = {name for _, attributes in hostile.found for name in attributes}
    assert not {one for one in names if one.startswith("on") or one in ("src", "href", "srcdoc", "action")}
    assert not set(hostile.shown) & set("\x1b\x00\u202e\u200b")


def test_it_fetches_nothing_and_runs_nothing() -> None:
    page = sheet(card_of())
    assert not re.search(r"<script|<link|<img|<iframe|@import|url\(|https?:", page, re.IGNORECASE)
    policy = dict(Elements(page).found[3][1])
    assert policy["http-equiv"] == "Content-Security-Policy" and str(policy["content"]).startswith("default-src 'none'")


def test_it_says_what_the_card_says() -> None:
    shown = Elements(sheet(card_of())).shown
    whole = (SAFE, VENUE, MARKET, *OWNERS, *(hash_of(one) for one in (0xD0, 0xE0, 0xF0, 0xC0, 0x99)))
    for words in (*whole, "Compare every digit by eye", "proves nothing", "incident safe hash FILE", "Mon 08:00 UTC"):
        assert words in shown
    assert address(card_of()) in shown


@pytest.fixture(scope="module")
def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no chromium on this machine: the page was not looked at in a browser")
    return found


def browse(chromium: str, folder: Path, page: str, *options: str) -> str:
    """One run of the browser over a page, with a profile of its own; what it wrote."""
    source = folder / "page.html"
    source.write_text(page, encoding="utf-8")
    command = [chromium, *OPTIONS.split(), f"--user-data-dir={folder / 'profile'}", *options, source.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


@pytest.mark.parametrize("calls", [1, 6])
def test_it_prints_on_one_sheet(chromium: str, tmp_path: Path, calls: int) -> None:
    printed = tmp_path / "sheet.pdf"
    browse(chromium, tmp_path, sheet(card_of(calls)), f"--print-to-pdf={printed}")
    assert len(re.findall(rb"/Type\s*/Page\b", printed.read_bytes())) == 1


def test_nothing_is_wider_than_a_phone_or_a_sheet(chromium: str, tmp_path: Path) -> None:
    card = card_of()
    wide = sheet(replace(card, calls=[replace(card.calls[0], args={"data": "0x" + "ab" * 300})]))
    frames = "".join(f'<iframe width="{one}" height="800" srcdoc="{escape(wide)}"></iframe>' for one in (PHONE, SHEET))
    one = "one.contentDocument.documentElement.scrollWidth + '/' + one.contentWindow.innerWidth"
    measure = f"[...document.querySelectorAll('iframe')].map((one) => {one}).join(' ')"
    harness = f"<body>{frames}<script>onload = () => {{ document.title = {measure} }}</script></body>"
    shown = browse(chromium, tmp_path, harness, "--dump-dom")
    measured = re.findall(r"(\d+)/(\d+)", shown[shown.index("<title>") : shown.index("</title>")])
    assert [int(inner) for _, inner in measured] == [PHONE, SHEET]
    assert all(int(width) <= int(inner) for width, inner in measured), measured
