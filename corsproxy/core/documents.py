"""Pages of an upstream, kept apart from the other routes.

What a browser navigates to on this listener is a page of the listener's own origin, whatever
upstream it came from: its scripts may call every route, with the user's cookies. On a route
with `documents: sandbox`, such pages get an opaque origin instead (HTML, "sandboxed origin
browsing context flag").
"""

from typing import Final

from corsproxy.core.messages import RequestHead
from corsproxy.core.policy import Route

# Beside whatever policy the upstream sends: browsers enforce each of them (CSP, 8.1).
SANDBOX: Final = (b"Content-Security-Policy", b"sandbox allow-scripts allow-forms")

# Fetch Metadata, 2.1: the destinations that make a document.
_NAVIGATED: Final = frozenset({b"document", b"iframe", b"frame", b"embed", b"object"})


def is_sandboxed(route: Route, request: RequestHead) -> bool:
    """Whether the answer may become a page, and the route wants it apart from its own origin.

    Browsers send Sec-Fetch-Dest to https and to loopback alone. Elsewhere Accept tells: only
    navigation asks for text/html unless a script says so.
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
