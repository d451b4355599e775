"""The signing card: everything a signer must see before signing, in plain words, to paste into a chat.

Its content is one list of sections; this file writes them as text of at most 72 columns, `signing_sheet.py` as a page
to print. Addresses and hashes are whole, everywhere.

The QR code holds `safe:<chain id>:<Safe>?safeTxHash=<hash>&nonce=<nonce>`: enough for a phone to find the transaction,
and no proof of anything. Whoever can change a card can change its code, so the card says that hashes are compared by
eye with what the signing device shows.

What was looked at here and what the file merely says never stand in one section: the file's words are quoted line by
line, names of parameters stand in quotation marks, and no run of spaces can move a word into the column of labels.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from incident_cli.text import plain

WIDTH = 72
LABEL = 12
SENTENCE_LIMIT = 4_000
VALUE_LIMIT = 400_000  # what runs is never cut: more than the longest calldata takes in hex or decoded
CLAIM_LIMIT = 600
QUOTE = "> "
SPACES = re.compile(" {2,}")
TITLE = "Safe transaction to sign"
UNCHECKED = "Safe transaction, held against no chain"
QR_CORRECTION = "m"  # 15 % of the code may be damaged: paper is
BY_EYE = "Compare every digit by eye with what your device shows. A QR code proves nothing."


@dataclass(frozen=True, slots=True)
class CardCall:
    """One call: what runs is `to`, `function`, `args` and `value` (wei). `means` is what this program knows of it."""

    to: str
    function: str
    args: Mapping[str, str] = field(default_factory=dict)
    value: int = 0
    name: str = ""
    means: str = ""


@dataclass(frozen=True, slots=True)
class CardHashes:
    """The four hashes, 0x hex, and the length of the calldata in bytes."""

    domain_hash: str
    message_hash: str
    safe_tx_hash: str
    calldata_digest: str
    calldata_bytes: int


@dataclass(frozen=True, slots=True)
class CardSimulation:
    """What a simulation showed: `state` is passed, failed or not-simulated; what it left out, what it took as given."""

    state: str
    method: str = ""
    reason: str = ""
    not_exercised: Sequence[str] = ()
    overridden: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Rival:
    """A transaction at the same nonce: only one of them can execute."""

    safe_tx_hash: str
    does: str


@dataclass(frozen=True, slots=True)
class SigningCard:
    """The values of a card. None means that nobody looked, which the card says; empty means that there is nothing.

    `chain` is its name in the deployment, empty without one; `nonce_on_chain`, `threshold` are read from the chain;
    `displaces` are the transactions at the same nonce; `extras` are the fields of gas and refund that are not zero.
    `claims` are words of the file and what they are about: nobody here checked them.
    """

    chain_id: int
    safe: str
    version: str
    nonce: int
    batch: bool
    hashes: CardHashes
    calls: Sequence[CardCall]
    simulation: CardSimulation
    chain: str = ""
    nonce_on_chain: int | None = None
    threshold: int | None = None
    owners: Sequence[str] = ()
    displaces: Sequence[Rival] | None = None
    warnings: Sequence[str] = ()
    extras: Mapping[str, str] = field(default_factory=dict)
    claims: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a card: a label (empty: a sentence) and its value; `exact` values are compared digit by digit,
    `quoted` ones are the file's own words."""

    label: str
    value: str
    exact: bool = False
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, its lines, and whether they warn."""

    title: str
    lines: tuple[Line, ...]
    warns: bool = False


def sections(card: SigningCard) -> tuple[Section, ...]:
    """The whole card in the order in which it is read; every text sanitised."""
    found = [
        Section("What it does", tuple(doing(card)), warns=bool(card.extras)),
        Section("Where", tuple(place(card)), warns=not is_checked(card)),
        Section("What it displaces", tuple(displaced(card)), warns=bool(card.displaces)),
        Section("Simulation", tuple(simulated(card.simulation)), warns=card.simulation.state != "passed"),
        Section("Look twice", tuple(said(one) for one in card.warnings), warns=True),
        Section("Hashes", tuple(hashes(card.hashes))),
        Section("The file says (not checked here)", tuple(quoted(*one) for one in card.claims)),
        Section("Verify it yourself", tuple(verifying(card))),
    ]
    return tuple(one for one in found if one.lines)


def is_checked(card: SigningCard) -> bool:
    """Whether anything of it was held against a chain."""
    return card.nonce_on_chain is not None


def title(card: SigningCard) -> str:
    """The heading of the card."""
    return TITLE if is_checked(card) else UNCHECKED


def tight(text: object, limit: int) -> str:
    """One line without runs of spaces, which could bring words under the labels of another row."""
    return SPACES.sub(lambda found: f"<{len(found[0])} spaces>", plain(text, limit))


def said(text: object) -> Line:
    """A sentence."""
    return Line("", tight(text, SENTENCE_LIMIT))


def exact(label: str, value: object) -> Line:
    """A value that is compared digit by digit."""
    return Line(label, tight(value, VALUE_LIMIT), exact=True)


def quoted(about: str, words: object) -> Line:
    """What the file says about something: one line."""
    return Line("", f"{about}: {tight(words, CLAIM_LIMIT)}", quoted=True)


def doing(card: SigningCard) -> Iterator[Line]:
    """Every call in words, and the fields that move money beside them."""
    count = len(card.calls)
    if card.batch:
        yield said(f"{count} calls in one batch, through MultiSendCallOnly: all of them, or none.")
    if not card.calls:
        yield said(f"Nothing: the empty call to the Safe itself, which uses up nonce {card.nonce}.")
    for number, call in enumerate(card.calls, 1):
        yield from told_call(number, count, call)
    yield from (exact(name, value) for name, value in card.extras.items())


def told_call(number: int, count: int, call: CardCall) -> Iterator[Line]:
    """One call: what runs, and what is known of it here."""
    yield exact(f"call {number}" if count > 1 else "call", call.function)
    yield exact("to", f"{call.to} ({call.name})" if call.name else call.to)
    for name, value in call.args.items():
        yield exact(argument_label(number, name), value)
    if call.value:
        yield exact("sends", f"{call.value} wei")
    if call.means:
        yield Line("in words", tight(call.means, 1_000))


def argument_label(number: int, name: str) -> str:
    """A parameter's name as nothing else on a card is written: its author chose it."""
    return f'{number} "{tight(name, 60).replace(chr(34), chr(39))}"'


def place(card: SigningCard) -> Iterator[Line]:
    """Chain, Safe and nonce."""
    if not is_checked(card):
        yield said(
            "NOTHING here was held against a chain: not the Safe, its owners and nonce, nor the code that is called."
            " Sign by a card that was made with --deployment."
        )
    yield exact("chain", f"{card.chain}, chain id {card.chain_id}" if card.chain else f"chain id {card.chain_id}")
    yield exact("Safe", card.safe)
    yield exact("version", card.version)
    yield exact("nonce", card.nonce)
    if card.nonce_on_chain is not None:
        yield Line("", nonce_words(card.nonce, card.nonce_on_chain))
    if card.threshold is not None:
        yield Line("threshold", f"{card.threshold} of {len(card.owners)} owners must sign")
        yield from (exact("owner", one) for one in card.owners)


def nonce_words(nonce: int, on_chain: int) -> str:
    """How the nonce stands to the chain's."""
    if nonce < on_chain:
        return f"The Safe stands at {on_chain}: this nonce is used up, it can never execute."
    if nonce == on_chain:
        return f"The Safe stands at {on_chain}: it is the next to execute."
    return f"The Safe stands at {on_chain}: {nonce - on_chain} earlier nonces must execute first."


def displaced(card: SigningCard) -> Iterator[Line]:
    """The transactions at the same nonce."""
    if card.displaces is None:
        yield said(f"Nobody looked for other transactions at nonce {card.nonce}.")
    elif not card.displaces:
        yield said(f"No other transaction at nonce {card.nonce} is known.")
    else:
        yield said(f"Only one transaction at nonce {card.nonce} can execute. If this one does, these never can:")
    for rival in card.displaces or ():
        yield exact("displaced", rival.safe_tx_hash)
        yield Line("which does", tight(rival.does, 1_000))


def simulated(found: CardSimulation) -> Iterator[Line]:
    """What is known of the effect: evidence, not proof."""
    words = {"passed": "Passed", "failed": "FAILED", "not-simulated": "NOT SIMULATED"}
    state = words.get(found.state, plain(found.state, 40))
    by = f", by {tight(found.method, 100)}" if found.method and found.state != "not-simulated" else ""
    why = f": {tight(found.reason, 600)}" if found.reason else ""
    yield said(f"{state}{by}{why}.")
    if found.not_exercised:
        yield Line("not tried", tight(", ".join(found.not_exercised), 600))
    yield from (Line("as if", tight(one, 300)) for one in found.overridden)


def hashes(found: CardHashes) -> Iterator[Line]:
    """What is compared with the device."""
    yield said(BY_EYE)
    yield exact("domain hash", found.domain_hash)
    yield exact("message hash", found.message_hash)
    yield exact("safeTxHash", found.safe_tx_hash)
    yield exact("calldata digest", found.calldata_digest)
    yield exact("calldata", f"{found.calldata_bytes} bytes")


def verifying(card: SigningCard) -> Iterator[Line]:
    """How to check the card without believing it."""
    yield said("On your own machine, with FILE as it reached you by another road than this card:")
    yield said("1: incident safe hash FILE")
    yield said("2: incident safe inspect FILE --deployment YOUR-DEPLOYMENT.yaml")
    yield said("3: compare with the device: the domain and the message hash, or the safeTxHash, whichever it shows.")
    yield said(
        "4: ask the Safe itself: in a block explorer, Read as Proxy, getTransactionHash with FILE's to, value, data,"
        f" operation, 0, 0, 0, the zero address twice, and nonce {card.nonce}. It must answer the safeTxHash above."
    )
    yield said("If anything differs, sign nothing, and call the incident leader on a number you had before.")


def text(card: SigningCard) -> str:
    """The card as lines of at most 72 columns; only spaces and words, so that it survives a chat."""
    lines = [title(card).upper()]
    for section in sections(card):
        mark = "! " if section.warns else ""
        lines += ["", f"{mark}{section.title.upper()}"]
        for line in section.lines:
            lines += written(line)
    return "\n".join(lines)


def written(line: Line) -> list[str]:
    """One line, its value beside its label or, where it is too long for that, below it."""
    if not line.label:
        first, then = (QUOTE, QUOTE) if line.quoted else ("", "  ")
        sentence = textwrap.wrap(
            line.value, WIDTH, initial_indent=first, subsequent_indent=then, break_on_hyphens=False
        )
        return sentence or [""]
    beside = f"{line.label:<{LABEL}} {line.value}"
    if len(beside) <= WIDTH:
        return [beside]
    indent = "  " if line.exact else " " * (LABEL + 1)
    if not line.exact and len(line.label) <= LABEL:
        return textwrap.wrap(
            line.value,
            WIDTH,
            initial_indent=f"{line.label:<{LABEL}} ",
            subsequent_indent=indent,
            break_on_hyphens=False,
        )
    body = textwrap.wrap(line.value, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
    return [line.label, *body]


def address(card: SigningCard) -> str:
    """The content of the QR code."""
    return f"safe:{card.chain_id}:{card.safe}?safeTxHash={card.hashes.safe_tx_hash}&nonce={card.nonce}"


def code_rows(card: SigningCard, border: int = 2) -> tuple[str, ...]:
    """The QR code, two rows of it a line: a block stands for a dark module, to be shown black on white."""
    import segno

    made = segno.make(address(card), error=QR_CORRECTION, boost_error=False, micro=False)
    rows = [[bool(one) for one in row] for row in made.matrix_iter(border=border)]
    rows += [[False] * len(rows[0])] if len(rows) % 2 else []
    shapes = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}
    pairs = zip(rows[::2], rows[1::2], strict=True)
    return tuple("".join(shapes[pair] for pair in zip(upper, lower, strict=True)) for upper, lower in pairs)
