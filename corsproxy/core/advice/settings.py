"""How to change a setting: by a flag on the command line, or a key in the file.

Without a file it is a command to run; with one, a key and where it goes.
"""

import shlex
from typing import Final

from corsproxy.core.policy import OriginToUpstream, Policy, Route

_SPECIAL: Final = frozenset("[]{},#")


def is_quick(policy: Policy) -> bool:
    """Whether the command line names the upstream, and there is no file."""
    return bool(policy.routes) and not any(route.source.line for route in policy.routes)


def key_of_route(policy: Policy, route: Route, key: str) -> str | None:
    """Return the instruction that writes a key, `name: value`, on the route; the short form
    has no room for it, and becomes a route. None without a file."""
    if is_quick(policy):
        return None
    if not route.is_short:
        return f"write `{key}` on the route at {route.source}"
    upstream = str(route.upstream)
    if _SPECIAL.intersection(upstream):
        upstream = f'"{upstream}"'
    item = f"{{path: /, upstream: {upstream}, {key}}}"
    if len(policy.routes) > 1:
        return f"remove `upstream` ({route.source}), and write `- {item}` under `routes`"
    return f"write `routes: [{item}]` in place of `upstream` ({route.source})"


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
    """Return an instruction for changing a setting; a command comes last."""
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
        return f"{_in_file(policy, route, key, https=https, upstream=upstream)}."
    without = "--https" if https is False else ""
    return restart(policy, *flags, upstream=upstream, without=without)


def _in_file(
    policy: Policy, route: Route, key: str, *, https: bool | None, upstream: str | None
) -> str:
    if https is not None:
        return f"write `{key}` at the top of the file"
    if upstream is not None:
        return f"make it `{key}` ({route.source})"
    return key_of_route(policy, route, key) or ""


def restart(
    policy: Policy,
    *flags: str,
    upstream: str | None = None,
    without: str = "",
    is_shown: bool = True,
) -> str:
    """Return how to restart the proxy, which has no file, with more flags, and without one: the
    whole command, or only the difference where the other flags may not be shown."""
    if policy.typed is None or not is_shown:
        more = shlex.join([*([upstream] if upstream else []), *flags])
        return f"start corsproxy with {more}" if more else f"start corsproxy without {without}"
    kept = [each for each in policy.typed.flags if each != without]
    words = ["corsproxy", upstream or str(policy.routes[0].upstream), *kept, *flags]
    return f"start it with: {shlex.join(words)}"


def file_to_write(policy: Policy, *, is_shown: bool = True, then: str = "") -> str:
    """Return the file for a key that has no flag: the command that writes one. `then` is a
    command that adds the key's value to it."""
    if policy.typed is None or not is_shown:
        added = f", then run: {then}" if then else ""
        return f"in the file that corsproxy init writes, with the same flags{added}"
    words = ["corsproxy", "init", str(policy.routes[0].upstream), *policy.typed.for_init]
    run = f"{shlex.join(words)} && {then}" if then else shlex.join(words)
    return (
        "in the file that this command writes, and start the proxy with that file alone;"
        f" run: {run}"
    )


def _header_rule(name: str, value: str) -> str:
    return f'request_headers: {{set: {{{name}: "{value}"}}}}'
