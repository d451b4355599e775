"""Several pieces of work at once, and no longer than is allowed: what is not done by then is left behind.

Daemon threads, because a node that never answers must neither hold back the others nor the end of the program.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

from incident_cli.errors import IncidentError, Unread
from incident_cli.transport import Deadline

Key = TypeVar("Key")
Found = TypeVar("Found")
GRACE = 4  # once there is enough, the others have this part of the whole time


def gather(
    works: Mapping[Key, Callable[[], Found]],
    seconds: float,
    enough: Callable[[Mapping[Key, Found]], bool] = lambda found: False,
    unawaited: Collection[Key] = (),
) -> dict[Key, Found | IncidentError]:
    """What each work returned, or its expected failure; Unread for those that were not done in time.

    Once what is there is `enough`, the others have a quarter of the time at most, and those that are `unawaited` none.
    A failure that is a bug is raised.
    """
    outcomes: queue.SimpleQueue[tuple[Key, Found | BaseException]] = queue.SimpleQueue()
    for key, work in works.items():
        threading.Thread(target=lambda key=key, work=work: outcomes.put((key, attempt(work))), daemon=True).start()
    deadline, found, failed = Deadline(seconds), dict[Key, Found](), dict[Key, Found | IncidentError]()
    hurried, pending = False, set(works)
    while pending - set(unawaited) if hurried else pending:
        try:
            key, outcome = outcomes.get(timeout=deadline.left)
        except queue.Empty:
            break
        pending.discard(key)
        if isinstance(outcome, IncidentError):
            failed[key] = outcome
        elif isinstance(outcome, BaseException):
            raise outcome
        else:
            found[key] = outcome
            if not hurried and enough(found):
                hurried, deadline = True, Deadline(min(seconds / GRACE, deadline.left))
    late = Unread("did not answer in time", "Try again, or name another node for this chain in the deployment.")
    return {key: found[key] if key in found else failed.get(key, late) for key in works}


def attempt(work: Callable[[], Found]) -> Found | BaseException:
    """What a work returns or raises, as a value."""
    try:
        return work()
    except BaseException as problem:  # handed to the caller, who waits in the other thread
        return problem
