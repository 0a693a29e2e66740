"""Methods: which of them this proxy can forward, and the lists that Fetch has of them.

Methods compare by bytes, so `patch` is another one than PATCH (RFC 9110, 9.1).
"""

from typing import Final

# Fetch, "forbidden method", "CORS-safelisted method", "normalize".
FORBIDDEN_METHODS: Final = frozenset({"CONNECT", "TRACE", "TRACK"})
CORS_SAFELISTED_METHODS: Final = frozenset({"GET", "HEAD", "POST"})
NORMALIZED_METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"})

# Everything that the parser knows; a method outside of it never becomes a request.
KNOWN_METHODS: Final = frozenset(
    [
        "ACL",
        "BIND",
        "CHECKOUT",
        "CONNECT",
        "COPY",
        "DELETE",
        "GET",
        "HEAD",
        "LINK",
        "LOCK",
        "M-SEARCH",
        "MERGE",
        "MKACTIVITY",
        "MKCALENDAR",
        "MKCOL",
        "MOVE",
        "NOTIFY",
        "OPTIONS",
        "PATCH",
        "POST",
        "PROPFIND",
        "PROPPATCH",
        "PURGE",
        "PUT",
        "QUERY",
        "REBIND",
        "REPORT",
        "SEARCH",
        "SOURCE",
        "SUBSCRIBE",
        "TRACE",
        "UNBIND",
        "UNLINK",
        "UNLOCK",
        "UNSUBSCRIBE",
    ]
)

FORWARDED_METHODS: Final = KNOWN_METHODS - FORBIDDEN_METHODS
"""What can be asked of an upstream. A preflight that allowed another method would only move
the refusal from the browser's console to an answer 501."""
