"""Whether `serve` runs the inspector: if asked for, or by default at a terminal."""

import click

from corsproxy.config.listeners import is_on_loopback
from corsproxy.config.problems import Problem
from corsproxy.core.policy import Policy
from corsproxy.core.source import Source
from corsproxy.shell.system.binding import Listeners

OFF_WITH_WORKERS = Problem(
    "warning",
    "inspector-off",
    "the inspector is off: it sees only one process, and there are several --workers",
    Source("--workers", 0, 0),
    help="start with one worker to use it, or with --no-inspect",
)


def wants_inspector(policy: Policy, flag: bool | None, *, at_terminal: bool) -> bool:
    """Whether the inspector runs under `policy`, which already includes the flags.

    Raises click.UsageError if it is asked for, by `flag` or by the file, but the admin
    listener can be reached from other machines.
    """
    asked = policy.inspector if flag is None else flag
    if asked is None:
        asked = at_terminal and policy.admin is not None and is_on_loopback(policy.admin)
    elif asked and policy.admin is None:
        raise click.UsageError(
            "the inspector needs the admin listener, which is off: "
            "leave out --admin off, or --inspect."
        )
    elif asked and policy.admin is not None and not is_on_loopback(policy.admin):
        raise click.UsageError(
            f"the inspector may only be reachable from this machine, and the admin listener is on "
            f"{policy.admin.authority}: use --admin localhost:8011, or leave out --inspect."
        )
    return asked


def inspector_address(listeners: Listeners, token: str | None) -> str | None:
    """Return the URL that lets a browser in; None without an inspector."""
    if token is None or listeners.admin is None:
        return None
    return f"{listeners.admin.url}/?token={token}"
