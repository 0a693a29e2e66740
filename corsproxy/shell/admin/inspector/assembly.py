"""Puts the inspector's parts together, for one run of the proxy."""

import secrets
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from corsproxy.core.policy import Policy
from corsproxy.shell.admin.inspector.admission import Admission, new_token
from corsproxy.shell.admin.inspector.allowances import Allowances
from corsproxy.shell.admin.inspector.application import Inspector
from corsproxy.shell.admin.inspector.capture import Capture, Policies
from corsproxy.shell.admin.inspector.mended import Mended
from corsproxy.shell.admin.inspector.replay import Listener, Replayer
from corsproxy.shell.admin.inspector.ring import Ring
from corsproxy.shell.admin.inspector.secrets import Redactor
from corsproxy.shell.admin.inspector.usage import Usage


class Inspection(NamedTuple):
    """The parts of the inspector that a run uses."""

    inspector: Inspector
    """Serves the page."""
    capture: Capture
    """Sees every exchange."""
    policies: Policies
    """Gets every policy that is adopted."""
    token: str


def inspection(
    policy: Policy,
    *,
    admin_port: int,
    listener: Listener,
    file: str | None,
    adopt: Callable[[Policy], Awaitable[None]],
    reload: Callable[[], Awaitable[None]],
    note: Callable[[str], None],
    token: str | None = None,
) -> Inspection:
    """Return an inspector for a proxy that decides by `policy`.

    `file` is the allowlist's name, None if the upstream came from the command line. `adopt`,
    `reload` and `note` are as in `Allowances`.
    """
    ring, usage = Ring(secrets.token_hex(6)), Usage()
    policies = Policies(policy, usage, ring)
    capture = Capture(ring, usage, policies)
    key = secrets.token_bytes(32)
    admission = Admission(token or new_token(), admin_port)
    is_mended = Mended(policies)
    allowances = Allowances(file, lambda: policies.policy, adopt, reload, note, is_mended)
    inspector = Inspector(
        admission,
        ring,
        usage,
        policies,
        allowances,
        is_mended,
        Replayer(listener, capture),
        lambda: Redactor(key),
    )
    return Inspection(inspector, capture, policies, admission.token)
