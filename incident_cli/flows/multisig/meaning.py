"""What is not clean about a decoded call: whatever this program does not itself know to restrict.

Clean is only the lever of a protocol that the deployment puts at the address, the handing on of calls by a contract
that the deployment delays them with, and the taking back of an allowance. The name of a function is no meaning, and
what a file says of it is its author's word: the proposal, an ABI and an ERC-7730 file may come from whoever wants the
signature.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from incident_cli.abi import Parameter, parse_signature
from incident_cli.flows.multisig.functions import MANAGER, TIMELOCK, Candidate, Functions
from incident_cli.flows.multisig.naming import Names
from incident_cli.flows.multisig.scheduling import scheduled
from incident_cli.flows.multisig.wording import MONEY, is_unlimited, known_sentence
from incident_cli.flows.vault.restricting import RELEASING, WORD
from incident_cli.safe.finding import InspectionFinding, warned
from incident_cli.safe.hidden import control_functions
from incident_cli.safe.known_functions import CARRIER, MULTI_SEND, MULTICALL, OTHER_SAFE, SELF_MULTICALL
from incident_cli.safe.known_functions import TIMELOCK as TIMELOCK_TEXTS
from incident_cli.safe.unfolding import MadeCall
from incident_cli.text import plain

ALLOWANCES = frozenset({"approve", "increaseAllowance", "permit"})
WORD_BYTES, SELECTOR = 32, 4
Fit = tuple[Candidate, tuple[object, ...]]


def canonical(texts: Sequence[str]) -> frozenset[str]:
    """Their canonical texts."""
    return frozenset(parse_signature(one).canonical for one in texts)


OTHER_SAFES = canonical((*OTHER_SAFE, *MULTI_SEND))  # with rules of their own: what they make is never clean
CARRIERS = canonical((*TIMELOCK_TEXTS[:4], *CARRIER, *MULTICALL, *SELF_MULTICALL))
DELAYED = {
    TIMELOCK: canonical(TIMELOCK_TEXTS[:4]),
    MANAGER: canonical(("execute(address,bytes)", "schedule(address,bytes,uint48)")),
}


def meaning_findings(
    made: MadeCall, fits: Sequence[Fit], same: Sequence[Candidate], functions: Functions, names: Names
) -> Iterator[InspectionFinding]:
    """What stands against a call that fits: `same` are the sources of its best function, `fits` those of every."""
    best, args = fits[0]
    moved = [two for one, given in unique(fits) for two in money(made, one, given, names)]
    yield from moved
    yield from carried_findings(made, best, args)
    levers = trusted(same)
    told = next((one for one in same if one.by_file and (one.meaning or one is best)), None)
    if levers and not any(one.restricts(args) for one in levers):
        yield warned("not-restricting", f"call {made.number}: {lever_words(same, args)}")
    if any(not one.by_file for one in levers):
        if any(one.format for one in same):
            yield warned(
                "meaning-by-file", f"call {made.number}: the sentence beside the lever's is an ERC-7730 file's own"
            )
        return
    if told is not None:
        yield from by_file(made, told)
    elif not moved:
        yield from built_in(made, best, args, functions, names)


def trusted(same: Sequence[Candidate]) -> list[Candidate]:
    """The levers of the deployment's own protocols; those of files only where there are none."""
    levers = [one for one in same if one.meaning]
    return [one for one in levers if not one.by_file] or levers


def unique(fits: Sequence[Fit]) -> list[Fit]:
    """One of each function."""
    return list({one.signature.canonical: (one, args) for one, args in reversed(fits)}.values())


def by_file(made: MadeCall, one: Candidate) -> Iterator[InspectionFinding]:
    """A function whose name, and whatever is said of it, comes from a file."""
    name, call = one.signature.name, made.call
    if is_releasing(name):
        yield warned("not-restricting", f"call {made.number}: {name} of {call.to} lets go, by its name")
    words = f"call {made.number}: nothing but the {plain(one.source, 80)} says what {name} of {call.to} is"
    yield warned("meaning-by-file", words)


def is_releasing(name: str) -> bool:
    """Whether a function's name says that it lets go."""
    return any(RELEASING.match(word.lower()) for word in WORD.findall(name))


def built_in(
    made: MadeCall, one: Candidate, args: tuple[object, ...], functions: Functions, names: Names
) -> Iterator[InspectionFinding]:
    """A function that every inspection knows by its name."""
    text, name, to = one.signature.canonical, one.signature.name, made.call.to
    if one.signature.selector in control_functions() or text in OTHER_SAFES:
        return  # refused, or said by the rules of what is handed on
    if text in CARRIERS:
        yield from scheduled(made, one, args)
        roads = [road for road, texts in DELAYED.items() if text in texts]
        if any(to in functions.delaying.get(road, ()) for road in roads):
            return
        yield warned("carries-call", f"call {made.number}: {to} is handed the calls below by {name}")
    elif is_releasing(name):
        yield warned("not-restricting", f"call {made.number}: {name} of {to} lets go")
    elif not (text in MONEY and to in names.tokens):
        yield warned("no-known-meaning", f"call {made.number}: {name} is but a name, {to} decides what it does")


def carried_findings(made: MadeCall, one: Candidate, args: tuple[object, ...]) -> Iterator[InspectionFinding]:
    """Bytes among the arguments that look like the call of a function, and are not shown as one."""
    if one.signature.canonical in OTHER_SAFES | CARRIERS:
        return
    if any(looks_like_call(two, value) for two, value in zip(one.signature.inputs, args, strict=True)):
        yield warned("carries-call", f"call {made.number}: {one.signature.name} is handed bytes that may be a call")


def looks_like_call(parameter: Parameter, value: object) -> bool:
    """Whether `bytes`, or any within, are a selector and whole words."""
    if isinstance(value, tuple):
        if parameter.type.endswith("]"):
            element = Parameter(parameter.type[: parameter.type.rindex("[")], "", parameter.components)
            return any(looks_like_call(element, one) for one in value)
        return any(map(looks_like_call, parameter.components, value))
    return parameter.type == "bytes" and isinstance(value, bytes) and len(value) % WORD_BYTES == SELECTOR


def lever_words(same: Sequence[Candidate], args: tuple[object, ...]) -> str:
    """What the catalogue says of a function with these arguments; nothing where it has no lever of it."""
    levers = trusted(same)
    found = next((one for one in levers if one.restricts(args)), None)
    found = found or next((one for one in levers if one.loosens), None)
    if found is not None or not levers:
        return found.meaning if found else ""
    label = levers[0].meaning.partition(":")[0]
    return f"Calls the function of {label} with other values than that lever: it may do the opposite of restricting."


def money(made: MadeCall, one: Candidate, args: tuple[object, ...], names: Names) -> Iterator[InspectionFinding]:
    """Whether a call moves a token, or lets somebody: who and how much."""
    signature = one.signature
    if signature.canonical not in MONEY:
        return
    words = f"call {made.number}: {known_sentence(made.call, signature, args, names)}"
    amount = args[2] if signature.name == "permit" else args[1]
    is_allowance = signature.name in ALLOWANCES
    is_all = signature.name == "setApprovalForAll"
    if (is_allowance or is_all) and not amount and signature.name != "permit":
        return
    unlimited = is_all or (is_allowance and isinstance(amount, int) and is_unlimited(amount))
    yield warned("unlimited-approval" if unlimited else "moves-money", words)
