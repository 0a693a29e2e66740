"""Isolating an upstream's pages from the other routes.

A page that a browser opens on this listener has the listener's own origin, whichever upstream
it came from: its scripts may call every route, with the user's cookies. On a route with
`documents: sandbox`, such pages get an opaque origin instead (HTML, "sandboxed origin
browsing context flag").
"""

from typing import Final

from corsproxy.core.messages import RequestHead
from corsproxy.core.policy import Route

# Beside the upstream's own policy, if any: browsers enforce all of them (CSP, 8.1).
SANDBOX: Final = (b"Content-Security-Policy", b"sandbox allow-scripts allow-forms")

# Fetch Metadata, 2.1: the destinations that make a document.
_NAVIGATED: Final = frozenset({b"document", b"iframe", b"frame", b"embed", b"object"})


def is_sandboxed(route: Route, request: RequestHead) -> bool:
    """Whether the response may become a page, and the route wants it sandboxed.

    Browsers send Sec-Fetch-Dest only to https and loopback. Elsewhere Accept tells: unless a
    script says so, only navigation asks for text/html.
    """
    if route.documents != "sandbox":
        return False
    accepted = b""
    for name, value in request.fields:
        match name.lower():
            case b"sec-fetch-dest":
                return value.lower() in _NAVIGATED
            case b"accept":
                accepted += value.lower()
            case _:
                pass
    return b"text/html" in accepted
