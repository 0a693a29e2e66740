"""From a request target to a route and to the target that the upstream gets.

Everything is bytes and stays byte for byte: percent-encoding, empty queries and double
slashes pass as they came (RFC 9110, 7.7). Only the configured prefix is mapped. A path
that matches is never decoded, so the route that decided is the route that forwards. One
that the back end may read as another route's is not to be forwarded at all.
"""

from typing import Final

from corsproxy.core.policy import Policy, Route
from corsproxy.core.readings import is_plain, readings


class Target:
    """A request target, taken apart (RFC 9112, 3.2)."""

    __slots__ = ("authority", "path", "query")

    def __init__(self, path: bytes, query: bytes, authority: bytes | None) -> None:
        self.path: Final = path
        """Starts with "/"; b"*" for the asterisk-form."""
        self.query: Final = query
        """With its "?", or empty where there is none."""
        self.authority: Final = authority
        """Of the absolute-form, else None."""


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
    path, mark, query = target.partition(b"?")
    return Target(path, mark + query, authority)


def find_route(policy: Policy, path: bytes) -> Route | None:
    """Return the route with the longest `path` that is a prefix on whole segments."""
    return _find(policy.routes_by_path, policy.longest_path, path)


def is_ambiguous(policy: Policy, path: bytes, route: Route | None) -> bool:
    """Whether a back end may read `path`, which `route` takes as it stands, as a path that
    another route takes, or none. It would then be served under rules not meant for it."""
    if len(policy.routes) == 1 and policy.routes[0].path == b"/":
        return False
    if is_plain(path):
        return False
    routes, longest = policy.routes_by_reading, policy.longest_path
    return any(_find(routes, longest, reading) is not route for reading in readings(path))


def _find(routes: dict[bytes, Route], longest: int, path: bytes) -> Route | None:
    candidate = path
    if len(path) > longest:
        candidate = path[: longest + 1]
        candidate = candidate[: candidate.rfind(b"/")]
    while candidate:
        route = routes.get(candidate)
        if route is not None:
            return route
        candidate = candidate[: candidate.rfind(b"/")]
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
