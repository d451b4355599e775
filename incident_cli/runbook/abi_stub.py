"""A protocol file out of an ABI: levers, roles and reads that its names show, each marked for review. Pure text.

Everything an ABI says is text from outside: names are made anew, signatures are built from parsed types alone, and
what is no plain name never gets here (see `abi_file`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from incident_cli.evm import keccak, to_hex
from incident_cli.runbook.abi_file import ContractAbi, Function
from incident_cli.runbook.abi_levers import FoundLever, FoundRoles, find_levers, find_roles, lowered
from incident_cli.runbook.abi_names import Names, comment, quoted, review

READ_LIMIT, LEVER_LIMIT = 200, 40
SIMPLE = re.compile(r"bool|address|string|u?int[0-9]{1,3}|bytes[0-9]{1,2}")
KEY_TYPES = {"bytes32": "market", "address": "address"}
NOT_TRIED = "It was recognised by its name alone, and nobody has tried it yet."
HAS_ROLE = "hasRole(bytes32 role, address account) returns (bool)"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a stub comes from: the contract's name, in words what was read, and what the chain answered of its views
    without arguments (by the contract's own name for them). `held`: the roles that the Safe holds, by constant.
    `guessed`: there was no ABI, only answers."""

    name: str
    source: str
    values: Mapping[str, object] = field(default_factory=dict)
    held: Mapping[str, bool] = field(default_factory=dict)
    safe: str = ""
    guessed: bool = False

    @property
    def slot(self) -> str:
        """The protocol's one slot."""
        return self.name.replace("-", "_")


@dataclass(frozen=True, slots=True)
class StubRole:
    """Who may pull a lever: the condition, the address views in it, and the reads that say whether `by` has a role."""

    when: str
    addresses: tuple[str, ...] = ()
    memberships: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StubLever:
    """A lever as the file has it: its arguments (name to type), the read of its effect, and of that the arguments."""

    name: str
    found: FoundLever
    read: str
    args: Mapping[str, str]
    keys: tuple[str, ...]
    role: StubRole | None

    @property
    def limit(self) -> str:
        """The argument that says how much is left; empty where it only stops something."""
        return next(iter([one for one in self.args if one not in self.keys]), "")


@dataclass(frozen=True, slots=True)
class Stub:
    """A protocol file: its text, its levers, and the reads without arguments by the contract's own name for them."""

    text: str
    slot: str
    levers: tuple[StubLever, ...]
    reads: Mapping[str, str]
    types: Mapping[str, str]
    owners: tuple[str, ...]


def stub(abi: ContractAbi, origin: Origin) -> Stub:
    """The protocol file of a contract."""
    return Writer(abi, origin).write()


class Writer:
    """Writes one protocol file."""

    def __init__(self, abi: ContractAbi, origin: Origin) -> None:
        self.abi, self.origin, self.slot = abi, origin, origin.slot
        self.names, self.lever_names = Names([self.slot]), Names()
        self.reads: dict[str, str] = {}
        self.lines: dict[str, str] = {}
        self.roles: FoundRoles = find_roles(abi)
        every = [one for one in abi.functions if is_plain_read(one)]
        self.plain, self.more = every[:READ_LIMIT], len(every) - READ_LIMIT

    def write(self) -> Stub:
        """The whole file."""
        for function in self.plain:
            self.reads[function.name] = self.read(function)
        levers = [self.lever(one) for one in find_levers(self.abi)[:LEVER_LIMIT]]
        text = "\n".join([*self.head(), *self.read_section(), *self.lever_section(levers)]) + "\n"
        types = {one.name: one.answers or "" for one in self.plain}
        owners = tuple(self.reads[one.name] for one in self.roles.owners if one.name in self.reads)
        return Stub(text, self.slot, tuple(levers), dict(self.reads), types, owners)

    def head(self) -> Iterator[str]:
        """The top of the file."""
        yield comment(f"Written by `incident init` for {self.origin.name}: names were recognised, nothing was proven.")
        yield comment("Whoever knows the contract answers each REVIEW below it, and deletes that comment.")
        if self.origin.guessed:
            yield review("there was no ABI: what the contract answered was taken for what it is; give --abi FILE")
        if not find_levers(self.abi):
            yield review("no lever was recognised: write one (runbooks/README.md, The protocol file)")
        yield f"protocol: {self.origin.name}"
        yield f"source: {quoted(self.origin.source)}"
        yield f"slots: {{{self.slot}: address}}"

    def read_section(self) -> Iterator[str]:
        """Every read."""
        if self.lines:
            yield "reads:"
            yield from (line for text in self.lines.values() for line in text.split("\n"))
        if self.more > 0:
            yield review(f"{self.more} more views without arguments were left out", 2)
        if self.abi.left_out:
            yield comment(f"{self.abi.left_out} functions of the ABI with tuples or arrays were not looked at.", 2)

    def read(self, function: Function) -> str:
        """A view without arguments; its name here."""
        name = self.names.new(function.name)
        self.lines[name] = f'  {name}: {{on: {self.slot}, call: "{function.name}() returns ({function.answers})"}}'
        return name

    def keyed_read(self, function: Function, key: str) -> tuple[str, str]:
        """A view of one thing; its name and that of its argument here."""
        known = self.reads.get(function.signature.canonical)
        if known is not None:
            name, _, argument = known.partition(" ")
            return name, argument
        argument = "market"
        if key != "bytes32":
            own = function.parameters[0] if function.parameters else ""
            argument = self.names.new(own.strip("_") or {"address": "account"}.get(key, "number"), "argument")
        name = self.names.new(function.name, argument)
        call = f"{function.name}({key} {argument}) returns ({function.answers})"
        self.lines[name] = f'  {name}: {{on: {self.slot}, call: "{call}"}}'
        self.reads[function.signature.canonical] = f"{name} {argument}"
        return name, argument

    def lever(self, found: FoundLever) -> StubLever:
        """One lever, with the reads that it needs."""
        args: dict[str, str] = {}
        if found.key is None:
            read = self.reads.get(found.view.name) or self.read(found.view)
            self.reads.setdefault(found.view.name, read)
        else:
            read, argument = self.keyed_read(found.view, found.key)
            args[argument] = KEY_TYPES.get(found.key, "int")
        keys = tuple(args)
        if found.kind == "limit":
            args[self.names.new(f"new_{read}", "limit")] = "int"
        return StubLever(self.lever_name(found, keys), found, read, args, keys, self.role(found.kind))

    def lever_name(self, found: FoundLever, keys: tuple[str, ...]) -> str:
        """`pause_market`, `lower_borrow_cap`."""
        name = lowered(found.call.name.removeprefix("set"))
        if found.kind == "limit":
            return self.lever_names.new(f"lower_{name}", "lever")
        if found.back is None:
            stem = re.sub(r"(?i)(paused|frozen|halted)$", "", name)
            verb = (
                "freeze" if name.lower().endswith("frozen") else "halt" if name.lower().endswith("halted") else "pause"
            )
            name = f"{verb}_{stem or '_'.join(keys)}"
        elif keys and name in ("pause", "freeze", "halt"):
            name = f"{name}_{keys[0]}"
        return self.lever_names.new(name, "lever")

    def role(self, kind: str) -> StubRole | None:
        """Who may pull it, by names alone: a role that fits, else a guardian or the owner."""
        constant = self.roles.constant_for(kind)
        if constant is not None:
            read = self.membership(constant)
            return StubRole(read, memberships=(read,))
        wanted = [*self.roles.guardians, *self.roles.owners[:1]]
        names = tuple(self.reads[one.name] for one in wanted if one.name in self.reads)
        return StubRole(" or ".join(f"{one} == by" for one in names), addresses=names) if names else None

    def membership(self, constant: str) -> str:
        """The read whether whoever pulls a lever holds a role; its name."""
        key = f"hasRole {constant}"
        if key not in self.reads:
            name = self.reads[key] = self.names.new(f"has_{constant}")
            value = self.origin.values.get(constant)
            is_read = isinstance(value, bytes) and len(value) == 32
            role = to_hex(value if isinstance(value, bytes) and is_read else keccak(constant.encode()))
            known = f"{constant}() as the contract answered it" if is_read else f"keccak256 of {constant}"
            self.lines[name] = "\n".join(
                [
                    comment(f"Whether whoever pulls a lever holds {known}.", 2)
                    if is_read
                    else review(f"{constant}() was not read: this is {known}, as is usual", 2),
                    f'  {name}: {{on: {self.slot}, call: "{HAS_ROLE}", with: {{role: "\'{role}\'", account: by}}}}',
                ]
            )
        return self.reads[key]

    def lever_section(self, levers: list[StubLever]) -> Iterator[str]:
        """Every lever."""
        if levers:
            yield "levers:"
        for one in levers:
            yield from self.lever_lines(one)

    def lever_lines(self, lever: StubLever) -> Iterator[str]:
        """One lever."""
        found, shown = lever.found, f"{lever.found.call.signature.canonical}"
        yield f"  {lever.name}:"
        yield review(f"what does {shown} stop, what goes on, and who is locked in? Say it for a reader at 03:00", 4)
        yield f"    does: {quoted(self.does(lever))}"
        yield review("how far does it reach: function, market or protocol?", 4)
        yield f"    scope: {'market' if lever.keys else 'protocol'}"
        if lever.args:
            yield f"    args: {{{', '.join(f'{name}: {{type: {kind}}}' for name, kind in lever.args.items())}}}"
        yield f"    on: {self.slot}"
        yield from limit_lines(lever) if found.kind == "limit" else pause_lines(lever)
        yield review("does it change any other contract? Then give that one a slot, and name it here", 4)
        yield f"    writes: [{self.slot}]"
        yield from self.role_lines(lever)
        yield review("what else must be known before it is pulled? Replace this once it has been tried", 4)
        yield f"    traps: [{quoted(NOT_TRIED)}]"

    def does(self, lever: StubLever) -> str:
        """What is known of it without the source."""
        if lever.limit:
            return f"Lowers what {lever.found.view.name} answers, by {lever.found.call.name}; never raises it."
        return f"Calls {lever.found.call.name}: {lever.found.view.name} answers true from then on."

    def role_lines(self, lever: StubLever) -> Iterator[str]:
        """The role, or what to look for."""
        name = lever.found.call.name
        if lever.role is None:
            yield review(f"no view says who may call {name}: if one does, add it as a read and a role", 4)
            return
        now = "; ".join(self.standing(lever.role))
        yield review(f"may exactly these call {name}, and its undo?{f' Now: {now}' if now else ''}", 4)
        yield f'    role: {{holder: by, when: "{lever.role.when}"}}'

    def standing(self, role: StubRole) -> Iterator[str]:
        """What the chain said of it when the file was written."""
        own = {here: there for there, here in self.reads.items()}
        for read in role.addresses:
            value = self.origin.values.get(own[read])
            if isinstance(value, str):
                yield f"{own[read]}() is {'the Safe' if value == self.origin.safe else value}"
        for read in role.memberships:
            constant = own[read].partition(" ")[2]
            if constant in self.origin.held:
                yield f"the Safe {'holds' if self.origin.held[constant] else 'does not hold'} {constant}"


def is_plain_read(function: Function) -> bool:
    """Whether it is a view without arguments that returns one value of a simple type."""
    kind = function.answers
    return function.is_view and not function.inputs and kind is not None and SIMPLE.fullmatch(kind) is not None


def pause_lines(lever: StubLever) -> Iterator[str]:
    """The call, its effect and its undo, of what stops something."""
    found, given = lever.found, "".join(f"{lever.found.key} {key}, " for key in lever.keys)
    if found.back is None:
        yield f'    call: "{found.call.name}({given}bool state)"'
        yield '    with: {state: "True"}'
    else:
        yield f'    call: "{found.call.name}({given.removesuffix(", ")})"'
    yield f'    expect: {{{lever.read}: "True"}}'
    yield f"    satisfied: {lever.read}"
    yield review("may the same Safe undo it? If not, by: the slot that may, such as governance", 4)
    if found.back is None:
        yield f"    undo: {{with: {{state: before.{lever.read}}}}}"
    else:
        yield f'    undo: {{call: "{found.back.name}({given.removesuffix(", ")})"}}'


def limit_lines(lever: StubLever) -> Iterator[str]:
    """The call, its effect and its undo, of what lowers a number."""
    found, given = lever.found, "".join(f"{lever.found.key} {key}, " for key in lever.keys)
    worth = f"min({lever.limit}, before.{lever.read})"
    yield review(
        "in which unit does it count? Does 0 mean nothing, or no limit at all? If no limit, do not use this", 4
    )
    yield f'    call: "{found.call.name}({given}uint256 value)"'
    yield f'    with: {{value: "{worth}"}}'
    yield f'    expect: {{{lever.read}: "{worth}"}}'
    yield f'    satisfied: "{lever.read} <= {lever.limit}"'
    yield review("may the same Safe raise it again? If not, by: the slot that may, such as governance", 4)
    yield f"    undo: {{with: {{value: before.{lever.read}}}}}"
