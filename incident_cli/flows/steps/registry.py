"""Every verb and what performs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from incident_cli.flows.session import Session
from incident_cli.flows.steps import (
    ask_step,
    check_step,
    contain_step,
    manual_step,
    notify_step,
    restore_step,
    verify_step,
)
from incident_cli.flows.steps.ended import Ended
from incident_cli.incident.events import Event
from incident_cli.runbook.model import Step

Performer = Callable[[Session, Step, Sequence[Event]], Ended]

PERFORMERS: dict[str, Performer] = {
    "check": check_step.perform,
    "ask": ask_step.perform,
    "manual": manual_step.perform,
    "contain": contain_step.perform,
    "verify": verify_step.perform,
    "notify": notify_step.perform,
    "restore": restore_step.perform,
}
