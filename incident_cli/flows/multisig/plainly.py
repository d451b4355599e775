"""What a transaction of a Safe does, in the words of the deployment: its levers, its names, the calls it knows."""

from __future__ import annotations

from collections.abc import Sequence

from incident_cli.evm import Call
from incident_cli.flows.multisig.decoding import DecodedCall, decode_call
from incident_cli.flows.multisig.functions import Functions, add_expected, add_levers
from incident_cli.flows.multisig.naming import Names, names_of
from incident_cli.flows.multisig.place import Place
from incident_cli.flows.multisig.queued import Describe
from incident_cli.protocols.catalog import Catalog
from incident_cli.safe.inspect import is_rejection
from incident_cli.safe.transaction import SafeTx
from incident_cli.safe.unfolding import unfold


def describer(place: Place, catalog: Catalog | None, known: Sequence[Call] = ()) -> Describe:
    """Says what a transaction of this place does, each call in a sentence; what cannot be read is said too.

    `known` are calls whose functions are known from elsewhere, such as those that a proposal file states.
    """
    functions = Functions(chain_id=place.chain_id)
    if catalog is not None:
        add_levers(functions, place.deployment, place.chain, catalog)
    add_expected(functions, known)
    names = names_of(place.deployment, place.chain, place.safe)

    def describe(tx: SafeTx) -> str:
        if is_rejection(tx):
            return f"Rejection: the empty call that uses up nonce {tx.nonce}."
        found = unfold(tx)
        said = [with_markets(decode_call(one, tx, functions, names), names) for one in found.calls]
        return " ".join([*said, *found.problems])

    return describe


def with_markets(call: DecodedCall, names: Names) -> str:
    """The sentence of a call, with every argument that is a market's id beside the market's name."""
    known = {name: value for name, value in call.args.items() if value.lower() in names.markets}
    said = [f"{name} {names.beside(value.lower())}" for name, value in known.items()]
    missing = [words for words, value in zip(said, known.values(), strict=True) if value.lower() not in call.plain]
    return f"{call.plain} ({'; '.join(missing)})" if missing else call.plain
