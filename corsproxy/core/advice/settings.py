"""Where something is set: a flag of the command line, or a key of the file.

Without a file each is one command to run; with one, it is a key and its place.
"""

import shlex

from corsproxy.core.policy import OriginToUpstream, Policy, Route


def is_quick(policy: Policy) -> bool:
    """Whether there is no file: the command line names the upstream."""
    return bool(policy.routes) and not any(route.source.line for route in policy.routes)


def place_of(policy: Policy, route: Route) -> str | None:
    """Return where a key of the route is written, as in `on the route at FILE:3:5`; None
    without a file."""
    return None if is_quick(policy) else f"on the route at {route.source}"


def setting(
    policy: Policy,
    route: Route,
    *,
    upstream: str | None = None,
    header: tuple[str, str] | None = None,
    preserve_host: bool = False,
    origin: OriginToUpstream | None = None,
    https: bool | None = None,
) -> str:
    """Return the one instruction that makes a setting; a command stands at its end."""
    flags: list[str] = []
    key = f"upstream: {upstream}"
    if header is not None:
        flags, key = ["--header", ": ".join(header)], _header_rule(*header)
    elif preserve_host:
        flags, key = ["--preserve-host"], "preserve_host: true"
    elif origin is not None:
        flags, key = ["--origin", origin], f"origin: {origin}"
    elif https is not None:
        scheme = "https" if https else "http"
        flags, key = ["--https"] * https, f"listen: {scheme}://localhost:8010"
    if not is_quick(policy):
        where = "at the top of the file" if https is not None else f"on the route at {route.source}"
        return f"write `{key}` {where}."
    command = shlex.join(["corsproxy", upstream or str(route.upstream), *flags])
    return f"start it with: {command}"


def _header_rule(name: str, value: str) -> str:
    return f'request_headers: {{set: {{{name}: "{value}"}}}}'
