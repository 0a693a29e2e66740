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
    return restart(policy, *flags, upstream=upstream)


def restart(policy: Policy, *flags: str, upstream: str | None = None, is_shown: bool = True) -> str:
    """Return the instruction that starts the proxy without a file, as it was and with more
    flags: the whole command, or these flags where the others may not be shown."""
    if policy.typed is None or not is_shown:
        return f"start corsproxy with {shlex.join([*([upstream] if upstream else []), *flags])}"
    words = ["corsproxy", upstream or str(policy.routes[0].upstream), *policy.typed.flags, *flags]
    return f"start it with: {shlex.join(words)}"


def file_to_write(policy: Policy, *, is_shown: bool = True) -> str:
    """Return which file a key goes into that has no flag: the command that writes it."""
    if policy.typed is None or not is_shown:
        return "in the file that corsproxy init writes, with the same flags"
    words = ["corsproxy", "init", str(policy.routes[0].upstream), *policy.typed.for_init]
    return f"in the file that this writes, and run it alone after; run: {shlex.join(words)}"


def _header_rule(name: str, value: str) -> str:
    return f'request_headers: {{set: {{{name}: "{value}"}}}}'
