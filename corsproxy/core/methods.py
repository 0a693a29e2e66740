"""Methods: which of them this proxy can forward, and Fetch's lists of them.

Methods are case-sensitive: `patch` is not PATCH (RFC 9110, 9.1).
"""

from typing import Final

# Fetch, "forbidden method", "CORS-safelisted method", "normalize".
FORBIDDEN_METHODS: Final = frozenset({"CONNECT", "TRACE", "TRACK"})
CORS_SAFELISTED_METHODS: Final = frozenset({"GET", "HEAD", "POST"})
NORMALIZED_METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"})

# Everything that the parser knows; any other method never becomes a request.
KNOWN_METHODS: Final = frozenset(
    [
        "ACL", "BIND", "CHECKOUT", "CONNECT", "COPY", "DELETE", "GET", "HEAD", "LINK", "LOCK",
        "M-SEARCH", "MERGE", "MKACTIVITY", "MKCALENDAR", "MKCOL", "MOVE", "NOTIFY", "OPTIONS",
        "PATCH", "POST", "PROPFIND", "PROPPATCH", "PURGE", "PUT", "QUERY", "REBIND", "REPORT",
        "SEARCH", "SOURCE", "SUBSCRIBE", "TRACE", "UNBIND", "UNLINK", "UNLOCK", "UNSUBSCRIBE",
    ]
)  # fmt: skip

FORWARDED_METHODS: Final = KNOWN_METHODS - FORBIDDEN_METHODS
"""What upstreams can be asked. If a preflight allowed another method, the browser would
see a 501 instead of a CORS error."""
