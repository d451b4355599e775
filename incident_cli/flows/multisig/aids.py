"""What a person gives to have a transaction decoded: a deployment, ABI files, ERC-7730 files, protocol files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from incident_cli.errors import Misused
from incident_cli.evm import Call
from incident_cli.flows.catalog.find import catalog_with
from incident_cli.flows.multisig.clear_signing import CAP, Descriptor, descriptor_of
from incident_cli.flows.multisig.functions import (
    ABI_CAP,
    ABI_DEPTH,
    Functions,
    add_abi,
    add_expected,
    add_levers,
    add_protocols,
)
from incident_cli.flows.multisig.loading import Loaded
from incident_cli.protocols.catalog import SHIPPED, Catalog
from incident_cli.runbook.deployment import Deployment, load_deployment
from incident_cli.safe.files import guarded, read_bytes
from incident_cli.safe.transaction import SafeTx
from incident_cli.strict_json import parse_json
from incident_cli.text import plain


@dataclass(frozen=True, slots=True)
class Aids:
    """What was given. `catalog` knows the protocols of the deployment's slots; `expect` is a proposal file; `beside`
    are the folders of in-house protocol files: one that bears the name of a shipped protocol is but a file."""

    deployment: Deployment | None = None
    catalog: Catalog | None = None
    abis: Sequence[Path] = ()
    descriptors: Sequence[Path] = ()
    protocols: Path | None = None
    expect: Loaded | None = None
    beside: Sequence[Path] = ()


def aids_of(
    deployment: Path | None,
    abis: Sequence[Path],
    descriptors: Sequence[Path],
    protocols: Path | None,
    expect: Loaded | None,
) -> Aids:
    """The aids of a command line; raises Misused or WrongFile. In-house protocol files stand beside the deployment;
    neither they nor the folder that is given take the place of a shipped protocol of the same name."""
    if deployment is None:
        return Aids(None, None, abis, descriptors, protocols, expect)
    loaded, _ = load_deployment(deployment)
    folder = deployment.resolve().parent
    beside = (folder / "protocols", folder.parent / "protocols")
    return Aids(loaded, Catalog((SHIPPED, *beside)), abis, descriptors, protocols, expect, beside)


def chain_of(tx: SafeTx, deployment: Deployment | None) -> str | None:
    """The name of the transaction's chain in the deployment."""
    chains = deployment.chains.items() if deployment is not None else ()
    return next((name for name, one in chains if one.id == tx.chain_id), None)


def functions_of(tx: SafeTx, aids: Aids, expected: Sequence[Call]) -> Functions:
    """Every source of functions; raises Misused for a file that is wrong."""
    functions = Functions(chain_id=tx.chain_id, descriptors=[read_descriptor(one) for one in aids.descriptors])
    chain = chain_of(tx, aids.deployment)
    if aids.deployment is not None and chain is not None:
        add_levers(functions, aids.deployment, chain, aids.catalog or Catalog())
    if aids.protocols is not None:
        catalog = catalog_with(aids.protocols)
        add_protocols(functions, catalog, sorted(one.stem for one in aids.protocols.glob("*.yaml")))
        for document in catalog.documents.values():
            document.refuse_if_wrong()
    shipped = {one.stem for one in SHIPPED.glob("*.yaml")}
    for folder in aids.beside:
        shadowing = sorted(one.stem for one in folder.glob("*.yaml") if one.stem in shipped)
        add_protocols(functions, Catalog((folder,)), shadowing)
    add_expected(functions, expected)
    for path in aids.abis:
        add_abi(functions, path, read_aid(path, ABI_CAP))
    return functions


def read_descriptor(path: Path) -> Descriptor:
    """An ERC-7730 file; raises Misused."""
    try:
        return descriptor_of(parse_json(read_aid(path, CAP), ABI_DEPTH))
    except ValueError as problem:
        message = f"{plain(path)} is no ERC-7730 file for contract calls: {plain(problem, 200)}"
        raise Misused(
            message, "Its `includes` must be merged in, and `context.contract` must name chain and address."
        ) from problem


def read_aid(path: Path, cap: int) -> bytes:
    """A file of at most `cap` bytes; raises Misused."""
    with guarded(path):
        content = read_bytes(path, cap)
    if len(content) > cap:
        raise Misused(f"{plain(path)} is larger than {cap} bytes", "Give the file of one contract.")
    return content
