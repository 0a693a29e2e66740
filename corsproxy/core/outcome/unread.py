"""Which of a response's headers a page may want to read and cannot.

Fetch, "CORS-exposed header-name list". Headers for browsers and caches alone are left out:
no script misses them.
"""

from typing import Final

from corsproxy.core.cors import exposable_names
from corsproxy.core.fields import HOP_BY_HOP, split_list
from corsproxy.core.messages import Fields
from corsproxy.core.outcome.call import Call, Mode

_UNWANTED: Final = frozenset(
    {
        b"accept-ch", b"accept-ranges", b"age", b"allow", b"alt-svc", b"content-encoding",
        b"content-security-policy", b"content-security-policy-report-only",
        b"cross-origin-embedder-policy", b"cross-origin-opener-policy",
        b"cross-origin-resource-policy", b"date", b"document-policy", b"feature-policy", b"nel",
        b"origin-agent-cluster", b"permissions-policy", b"priority", b"referrer-policy",
        b"report-to", b"reporting-endpoints", b"server", b"server-timing",
        b"strict-transport-security", b"timing-allow-origin", b"vary", b"via",
        b"x-content-type-options", b"x-dns-prefetch-control", b"x-download-options",
        b"x-frame-options", b"x-permitted-cross-domain-policies", b"x-powered-by",
        b"x-xss-protection",
    }
    | HOP_BY_HOP
)  # fmt: skip


def unread_headers(call: Call, fields: Fields) -> tuple[str, ...]:
    """Return the names, in lower case, of the response headers that a readable response keeps
    from the page."""
    if call.mode is not Mode.CORS or not call.is_cross_origin:
        return ()
    lines = [value for name, value in fields if name.lower() == b"access-control-expose-headers"]
    exposed = {name.lower() for name in split_list(lines)}
    if b"*" in exposed and not call.credentials:
        return ()
    present = split_list([exposable_names(fields)])
    return tuple(
        name.decode("latin-1") for name in present if name not in exposed and name not in _UNWANTED
    )
