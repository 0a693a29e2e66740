"""Which upstreams would be sent each other's cookies, and whose pages could send them.

Behind one listener all upstreams have one host, and cookies know neither ports nor paths
that were not asked for (RFC 6265bis, 8.5): with credentials, what one site sets is sent
to the other. And what browsers open there is a page of the listener's own origin, which may
call every route.
"""

from collections.abc import Iterable

from corsproxy.core.origins.hosts import is_ipv4, is_loopback, is_public_suffix
from corsproxy.core.policy import CorsRules, Route

# Names that only mean something on the own machine or network.
_OWN = ("local", "localhost", "internal", "lan", "home", "corp", "intranet", "private", "cluster")


def site_of(host: str) -> str | None:
    """Return the registrable domain of an upstream's host (URL, "host/registrable domain").

    None for a name or an address of the own machine or network: those share one owner.
    """
    if ":" in host or is_ipv4(host) or is_loopback(host) or "." not in host:
        return None
    labels = host.rstrip(".").split(".")
    if labels[-1] in _OWN:
        return None
    for start in range(len(labels) - 1):
        if is_public_suffix(".".join(labels[start + 1 :])):
            return ".".join(labels[start:])
    return ".".join(labels[-2:])


def routes_sharing_cookies(routes: Iterable[Route]) -> tuple[Route, Route] | None:
    """Return the first two credentialed routes whose upstreams are sites of two owners."""
    first: tuple[str, Route] | None = None
    for route in routes:
        if not isinstance(route.cors, CorsRules) or not route.cors.credentials:
            continue
        if route.upstream.socket_path is not None:
            continue
        site = site_of(route.upstream.host)
        if site is None:
            continue
        if first is None:
            first = site, route
        elif first[0] != site:
            return first[1], route
    return None


def routes_sharing_origin(routes: Iterable[Route]) -> tuple[Route, Route] | None:
    """Return the first two credentialed routes to different upstreams whose pages are not
    sandboxed."""
    first: Route | None = None
    for route in routes:
        if not isinstance(route.cors, CorsRules) or not route.cors.credentials:
            continue
        if route.documents == "sandbox":
            continue
        if first is None:
            first = route
        elif first.upstream.site != route.upstream.site:
            return first, route
    return None
