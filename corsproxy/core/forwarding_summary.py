"""Describes to people which address a route tells its upstream.

That is either the upstream's own address or the public one; `to_upstream` sends it.
"""

from corsproxy.core.policy import Route


def forwarding_summary(route: Route) -> str:
    """Return a clause such as `its own address: Host api.test, Origin https://api.test, ...`."""
    upstream = route.upstream
    if route.preserve_host:
        told = ["the public address: Host as the browser sent it"]
    else:
        told = [f"its own address: Host {upstream.authority.decode('ascii')}"]
    match route.origin:
        case "rewrite":
            told.append(f"Origin {upstream.origin.decode('ascii')}")
        case "keep":
            told.append("the page's Origin")
        case "remove":
            told.append("no Origin")
    if route.tells_public_address:
        told.append("X-Forwarded-For, -Host and -Proto")
    else:
        told.append("no X-Forwarded-*" if route.forwarded == "off" else "X-Forwarded-For")
    return ", ".join(told)


def brief_forwarding_summary(route: Route) -> str:
    """Return the same in a few words, for a line with little room."""
    if route.preserve_host:
        return f"sees the public Host{' and Origin' * (route.origin == 'keep')}"
    more = ", X-Forwarded-Host too" if route.forwarded == "on" else ""
    return f"sees its own Host{' and Origin' * (route.origin == 'rewrite')}{more}"
