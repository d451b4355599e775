"""The signing card as a page: one self-contained HTML file to print on one sheet of A4 (up to half a dozen calls), or
to read on a phone.

No scripts, nothing fetched, every text escaped: what stands in a transaction cannot act in a reader's browser.
"""

from __future__ import annotations

from html import escape

from incident_cli.report.signing_card import QR_CORRECTION, QUOTE, Line, Section, SigningCard, address, sections
from incident_cli.report.signing_card import title as heading

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
# most lines that one sheet holds, and the points they are printed in, measured in Chromium; what is longer than that
# takes more sheets in a size that can be read at arm's length
SIZES = ((63, 9.0), (71, 8.0), (78, 7.0), (85, 6.5), (92, 6.0), (99, 5.5))
ON_MORE = 7.0
STYLE = """
*{box-sizing:border-box}
html{background:#fff;color:#111;-webkit-text-size-adjust:100%}
body{margin:0 auto;padding:16px;max-width:760px;font:15px/1.4 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
h1{font-size:1.4em;margin:0 0 .2em}
h2{font-size:1em;margin:1em 0 .25em;border-bottom:1px solid #999;padding-bottom:.1em}
p{margin:.25em 0}
dl{margin:0;display:grid;grid-template-columns:8.5em minmax(0,1fr);column-gap:.8em;row-gap:.1em}
dt{color:#444}
dd{margin:0;overflow-wrap:anywhere}
code{font-family:ui-monospace,"DejaVu Sans Mono",Consolas,monospace;font-size:.92em}
section.warns{border-left:4px solid #b00020;padding-left:.7em}
section.warns h2{border-bottom-color:#b00020;color:#b00020}
figure{margin:1em 0 0;display:flex;gap:1em;align-items:center}
figure svg{width:34mm;height:34mm;flex:none}
figcaption{overflow-wrap:anywhere}
@media(max-width:520px){body{padding:12px}dl{grid-template-columns:1fr;row-gap:0}dt{margin-top:.35em}
figure{flex-direction:column;align-items:flex-start}}
@media print{@page{size:A4;margin:9mm 12mm}
body{padding:0;max-width:none;font-size:PRINTpt;line-height:1.25}
h2{margin:.6em 0 .15em;break-after:avoid}dl{grid-template-columns:7.5em minmax(0,1fr);row-gap:0}p{margin:.1em 0}
section{break-inside:avoid}figure{margin-top:.6em;break-inside:avoid}figure svg{width:26mm;height:26mm}}
"""


def sheet(card: SigningCard) -> str:
    """The whole page, UTF-8 text."""
    found = sections(card)
    title = f"{escape(heading(card))}: Safe {escape(card.safe)}, nonce {card.nonce}"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer"><meta name="robots" content="noindex">\n'
        f"<title>{title}</title>\n<style>{STYLE.replace('PRINT', str(print_size(found)))}</style></head>\n<body>\n"
        f"<h1>{escape(heading(card))}</h1>\n"
        f"{''.join(written(one) for one in found)}"
        f"<figure>{code(card)}<figcaption><strong>This code proves nothing.</strong> It only names the transaction:"
        f" <code>{escape(address(card))}</code></figcaption></figure>\n</body></html>\n"
    )


def print_size(found: tuple[Section, ...]) -> float:
    """Points of the print for so many lines; a line for every 95 characters of a long value."""
    lines = sum(2 + sum(1 + len(line.value) // 95 for line in one.lines) for one in found)
    return next((size for most, size in SIZES if lines <= most), ON_MORE)


def written(section: Section) -> str:
    """One section; labelled lines are a list of terms, sentences stand between."""
    parts: list[str] = []
    is_list = False
    for line in section.lines:
        if bool(line.label) != is_list:
            parts.append("<dl>" if line.label else "</dl>")
            is_list = bool(line.label)
        parts.append(term(line) if line.label else sentence(line))
    closing = "</dl>" if is_list else ""
    warns = ' class="warns"' if section.warns else ""
    return f"<section{warns}><h2>{escape(section.title)}</h2>{''.join(parts)}{closing}</section>\n"


def sentence(line: Line) -> str:
    """A paragraph; the file's own words are marked as in the text."""
    return f"<p>{escape(QUOTE if line.quoted else '')}{escape(line.value)}</p>"


def term(line: Line) -> str:
    """A label and its value."""
    value = escape(line.value)
    return f"<dt>{escape(line.label)}</dt><dd>{f'<code>{value}</code>' if line.exact else value}</dd>"


def code(card: SigningCard) -> str:
    """The QR code as an inline picture."""
    import segno

    made = segno.make(address(card), error=QR_CORRECTION, boost_error=False, micro=False)
    return made.svg_inline(border=4, dark="#000", light="#fff", omitsize=True)
