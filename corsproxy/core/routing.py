"""From a request target to a route and to the target that the upstream gets.

Everything is bytes and stays byte for byte: percent-encoding, empty queries and double
slashes pass as they came (RFC 9110, 7.7). Only the configured prefix is mapped. A path
that matches is never decoded, so the route that decided is the route that forwards. One
that the back end may read as another route's is not forwarded at all.
"""

from typing import Final

from corsproxy.core.path_readings import path_readings
from corsproxy.core.policy import Policy, Route


class Target:
    """A request target, taken apart (RFC 9112, 3.2)."""

    __slots__ = ("authority", "is_plain", "path", "query")

    def __init__(
        self, path: bytes, query: bytes, authority: bytes | None, is_plain: bool = False
    ) -> None:
        self.path: Final = path
        """Starts with "/"; b"*" for the asterisk-form."""
        self.query: Final = query
        """With its "?", or empty where there is none."""
        self.authority: Final = authority
        """Of the absolute-form, else None."""
        self.is_plain: Final = is_plain
        """Whether all servers read it the same way: see `_is_plain`."""


def parse_target(target: bytes) -> Target | None:
    """Take an origin-form, absolute-form or asterisk-form target apart; None for others."""
    authority = None
    if not target.startswith(b"/"):
        if target == b"*":
            return Target(target, b"", None)
        scheme, separator, rest = target.partition(b"://")
        if not separator or scheme.lower() not in (b"http", b"https"):
            return None
        cut = min((i for i in (rest.find(b"/"), rest.find(b"?")) if i >= 0), default=len(rest))
        authority, target = rest[:cut], rest[cut:]
        if not target.startswith(b"/"):
            target = b"/" + target
    is_plain = _is_plain(target)
    path, mark, query = target.partition(b"?")
    return Target(path, mark + query if query else mark, authority, is_plain)


# Characters that mean the same to all servers, in paths and in queries (RFC 3986, 2.2 and 2.3);
# ";" is missing, because it begins parameters.
_PLAIN: Final = bytes(
    byte in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,=:@/?"
    for byte in range(256)
)
_SLASH: Final = 0x2F
_AFTER_SLASH: Final = bytes(byte in b"/." for byte in range(256))


def _is_plain(target: bytes) -> bool:
    """Whether a target has only plain characters, and no slash followed by another slash or a
    dot. Most targets do; the others need a closer look."""
    before = 0
    for at in range(len(target)):
        byte = target[at]
        if not _PLAIN[byte] or (before == _SLASH and _AFTER_SLASH[byte]):
            return False
        before = byte
    return True


def find_route(policy: Policy, path: bytes) -> Route | None:
    """Return the route with the longest `path` that is a prefix on whole segments."""
    return _find(policy.routes_by_path, policy.longest_path, path)


def is_ambiguous(policy: Policy, target: Target, route: Route | None) -> bool:
    """Whether a back end may read a path that `route` takes as one of another route, or of
    none. It would then be served under the wrong rules."""
    if target.is_plain or (len(policy.routes) == 1 and policy.routes[0].path == b"/"):
        return False
    routes, longest = policy.routes_by_reading, policy.longest_path
    return any(
        _find(routes, longest, reading) is not route for reading in path_readings(target.path)
    )


def _find(routes: dict[bytes, Route], longest: int, path: bytes) -> Route | None:
    if longest == 1:
        return routes.get(b"/")
    candidate = path
    if len(path) > longest:
        candidate = path[: longest + 1].rpartition(b"/")[0]
    while candidate:
        route = routes.get(candidate)
        if route is not None:
            return route
        candidate = candidate.rpartition(b"/")[0]
    return routes.get(b"/")


def upstream_target(route: Route, target: Target) -> bytes:
    """Return the origin-form target for the route's upstream.

    The base is sent as it is written: / goes to /v2, not to /v2/, and /x to /v2/x.
    """
    path = target.path
    if route.strip_path and route.path != b"/":
        path = path[len(route.path) :]
    else:
        path = path[len(route.mount) :]
        if path == b"/":
            path = b""
    return ((route.upstream.base + path if path else route.upstream.root) or b"/") + target.query
