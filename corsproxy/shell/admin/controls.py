"""The interface between a run and its admin listener."""

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import NamedTuple

from corsproxy.core.policy import Policy
from corsproxy.shell.admin.figures import Snapshot


class Phase(StrEnum):
    """The state of a run; /readyz answers 200 in READY only."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"


class Controls(NamedTuple):
    """A run, as its admin listener sees it."""

    phase: Callable[[], Phase]
    policy: Callable[[], Policy]
    """The policy in force."""
    snapshot: Callable[[], Awaitable[Snapshot]]
    """The figures of all processes."""
    drain: Callable[[], None]
    """Make the run a lame duck: not ready, and each response ends its connection. May be
    called again."""
