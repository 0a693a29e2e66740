"""Set up the inspector of a run, if one is wanted."""

from collections.abc import Awaitable, Callable

from corsproxy.core.policy import Policy
from corsproxy.shell.admin.inspector.assembly import Inspection, inspection
from corsproxy.shell.admin.inspector.replay import Listener
from corsproxy.shell.system.binding import Bound, Listeners

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound


def begin_inspection(
    token: str,
    listeners: Listeners,
    admin: Bound,
    policy: Policy,
    file: str | None,
    adopt: Callable[[Policy], Awaitable[None]],
    reload: Callable[[], Awaitable[None]],
    note: Callable[[str], None],
) -> Inspection:
    """Return the inspector that `token` opens, on the listener `admin`.

    `file` is the allowlist's name, None if there is none to edit. `adopt` puts another policy
    in force, `reload` returns once the file's content is in force, `note` prints to the
    terminal.
    """
    return inspection(
        policy,
        admin_port=admin.address.port,
        listener=_way_to(listeners.proxy[0]),
        file=file,
        adopt=adopt,
        reload=reload,
        note=note,
        token=token,
    )


def _way_to(bound: Bound) -> Listener:
    """Return the address at which this process reaches its own listener."""
    host, port = bound.sockets[0].getsockname()[:2]
    return Listener(_EVERYWHERE.get(host, host), port, bound.address.https)
