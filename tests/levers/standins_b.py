"""What every lever of a stand-in must show, whatever the protocol."""

from __future__ import annotations

from incident_cli.evm import Call, Missing
from incident_cli.levers.lever import Plan
from tests.fakes.safe_chain import Safe
from tests.levers.driving import STRANGER, Ground
from tests.levers.standins import Stage


def works(stage: Stage, operation: Call) -> None:
    """Anybody can do it now; it is tried and leaves nothing behind."""
    stage.chain.engine.call(operation.to, operation.data, sender=stage.anyone)


def refused_to_strangers(stage: Stage, ground: Ground, lever: str, by: Safe, **args: object) -> None:
    """By the protocol file, and by the contract."""
    ground.refuses(lever, STRANGER, **args)
    for one in ground.plan(lever, by.address, **args).calls:
        stage.refuses(one, STRANGER)


def pulled(
    stage: Stage, ground: Ground, lever: str, operation: Call, by: Safe, /, *, saying: str, **args: object
) -> Plan:
    """The operation works, is refused once the Safe has pulled the lever, and pulling it again is dropped."""
    works(stage, operation)
    refused_to_strangers(stage, ground, lever, by, **args)
    made = ground.pull(lever, by.address, stage.together(by), **args)
    assert not any(isinstance(one.amount, Missing) for one in made.blast)
    stage.refuses(operation, stage.anyone, saying=saying)
    assert ground.plan(lever, by.address, **args).satisfied
    return made


def put_back(stage: Stage, ground: Ground, made: Plan, operation: Call, back: Safe) -> None:
    """A stranger cannot undo it, the authority can, and the operation works again."""
    assert made.undo is not None
    stage.refuses(made.undo.call, STRANGER)
    ground.undo(made, stage.together(back))
    works(stage, operation)


def there_and_back(
    stage: Stage, ground: Ground, lever: str, operation: Call, by: Safe, back: Safe, /, *, saying: str, **args: object
) -> Plan:
    """Pulled by one Safe, put back by another (or the same); who may only restrict cannot put back."""
    made = pulled(stage, ground, lever, operation, by, saying=saying, **args)
    if by is not back:
        assert made.undo is not None
        stage.refuses(made.undo.call, by.address)
    put_back(stage, ground, made, operation, back)
    return made


def by_council(stage: Stage, *calls: Call) -> None:
    """Done by the council's Safe, outside any lever."""
    stage.execute(stage.council, calls)


def by_governance(stage: Stage, *calls: Call) -> None:
    """Done by the governance's Safe."""
    stage.execute(stage.governance, calls)
