"""The request as the upstream gets it.

The order matters. First, everything that belongs to one connection, or that the client must
not decide, is removed; then the user's rules apply; then the proxy's own fields are added, so
that no rule can undo them (RFC 9110, 7.6). Everything else passes byte for byte, in order.
"""

from collections.abc import Sequence
from typing import Final

from corsproxy.core.connection_authentication import AUTHORIZATION, is_asked_for
from corsproxy.core.cookies import may_hold_inspector_cookies, without_inspector_cookies
from corsproxy.core.fields import replaced, split_list, without
from corsproxy.core.messages import Field, Framing, RequestHead, UpstreamRequest
from corsproxy.core.policy import Route
from corsproxy.core.request_context import (
    ASKING,
    FORWARDING,
    FORWARDING_PREFIX,
    SEC_FETCH,
    RequestContext,
)
from corsproxy.core.routing import Target, find_route, parse_target, upstream_target

# A peer must not be able to strip these by naming them in Connection: credentials, and what says
# where a message ends.
NOT_NOMINABLE: Final = frozenset(
    {
        b"authorization", b"close", b"content-length", b"cookie", b"keep-alive", b"upgrade",
    }
)  # fmt: skip
_KEEP_ALIVE: Final = [b"keep-alive"]
_VIA: Final[tuple[Field, ...]] = ((b"via", b"Via"),)
_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_REWRITTEN: Final = frozenset({b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"})
# Other fields that tell the public address. An upstream that is told its own address must not
# get them, because they would contradict it.
_OF_THE_PUBLIC_ADDRESS: Final = frozenset(
    {
        b"forwarded", b"x-forwarded-https", b"x-forwarded-path", b"x-forwarded-port",
        b"x-forwarded-prefix", b"x-forwarded-protocol", b"x-forwarded-scheme",
        b"x-forwarded-server", b"x-forwarded-ssl", b"x-forwarded-uri", b"x-forwarded-url",
    }
)  # fmt: skip


def to_upstream(
    context: RequestContext, route: Route, target: Target, *, vouched: bool, upgrade: bytes | None
) -> UpstreamRequest:
    """Return the request as `route.upstream` gets it.

    `vouched` says that the request's Origin is in the allowlist, or same-origin. Only then is
    it rewritten, because that disables the upstream's own defence against cross-site requests.
    """
    found = context.found
    method = context.request.method
    fields = [(b"Host", (route.preserve_host and context.public_host) or route.upstream.authority)]
    passed = _end_to_end(context)
    if b"cookie" in found and may_hold_inspector_cookies(found[b"cookie"]):
        passed = without_inspector_cookies(passed)
    fields += passed
    _add_provenance(fields, route, context, vouched=vouched)
    _add_forwarding(fields, route, context)
    _copy(fields, found, _VIA)
    if method == "OPTIONS":
        _copy(fields, found, ASKING)
        if b"max-forwards" in found:
            fields += _decremented(found[b"max-forwards"])
    rules = route.request_headers
    if rules.set or rules.remove:
        fields[1:] = replaced(fields[1:], rules.set, rules.remove)
    authorizations = found.get(AUTHORIZATION)
    if rules.set:
        authorizations = [value for name, value in fields if name.lower() == AUTHORIZATION]
    if context.policy.via is not None:
        fields.append((b"Via", _version(context.request) + context.policy.pseudonym))
    if upgrade is not None:
        fields += ((b"Connection", b"Upgrade"), (b"Upgrade", upgrade))
    framing = Framing.NONE
    if b"content-length" in found:
        # Written anew: some servers read leading zeros as octal.
        length = int(found[b"content-length"][0])
        framing = Framing.LENGTH if length else Framing.NONE
        fields.append((b"Content-Length", b"%d" % length))
    elif b"transfer-encoding" in found:
        framing = Framing.CHUNKED
        fields.append((b"Transfer-Encoding", b"chunked"))
    return UpstreamRequest(
        method,
        upstream_target(route, target),
        fields,
        framing,
        repeatable=framing is Framing.NONE and method in _IDEMPOTENT,
        upgrade=upgrade is not None,
        authenticates_connection=authorizations is not None and is_asked_for(authorizations),
    )


def _end_to_end(context: RequestContext) -> list[Field]:
    """Return the lines to pass on, without those that Connection names (RFC 9110, 7.6.1)."""
    connection = context.found.get(b"connection")
    if connection is None or connection == _KEEP_ALIVE:
        return context.passed
    nominated = {token.lower() for token in split_list(connection)} - NOT_NOMINABLE
    return without(context.passed, frozenset(nominated)) if nominated else context.passed


def _add_provenance(
    fields: list[Field], route: Route, context: RequestContext, *, vouched: bool
) -> None:
    """Add Origin, Referer and Sec-Fetch-* as the route wants the upstream to see them.

    With a rewritten Origin, Sec-Fetch-* is left out, because it would contradict it. The Referer
    of this proxy's own pages is rewritten even without an Origin: their GETs have none, and
    servers that compare Referer with Host would refuse them.
    """
    if route.origin == "remove":
        return
    found = context.found
    origins = found.get(b"origin", ())
    referers = found.get(b"referer", ())
    if route.origin == "rewrite" and (vouched or not origins):
        own = route.upstream.origin
        page = origins[0] if origins else b""
        fields += [(b"Origin", own)] if origins else []
        for referer in referers:
            moved = _of_own_page(context, route, referer) or _moved(referer, page, own)
            fields.append((b"Referer", moved))
        if origins:
            return
    else:
        fields += [(b"Origin", origin) for origin in origins]
        fields += [(b"Referer", referer) for referer in referers]
    _copy(fields, found, SEC_FETCH)


def _copy(fields: list[Field], found: dict[bytes, list[bytes]], names: tuple[Field, ...]) -> None:
    """Add the fields of these names with the values that were received."""
    for key, name in names:
        values = found.get(key)
        if values is not None:
            fields += [(name, value) for value in values]


def _of_own_page(context: RequestContext, route: Route, referer: bytes) -> bytes | None:
    """Return the Referer of a page of this proxy as the upstream knows it, so that a redirect
    back leads there; None for another page's."""
    host = context.public_host
    start = len(b"http://") if referer[4:5] == b":" else len(b"https://")
    own = referer[start:].startswith(host + b"/")
    if not own or not host or referer[:start] not in (b"http://", b"https://"):
        return None
    path = referer[start + len(host) :]
    target = parse_target(path)
    page = None if target is None else find_route(context.policy, target.path)
    if target is None or page is None or page.upstream.site != route.upstream.site:
        return route.upstream.origin + path
    return route.upstream.origin + upstream_target(page, target)


def _moved(referer: bytes, origin: bytes, own: bytes) -> bytes:
    """Return a Referer with the origin `own` in place of `origin`."""
    rest = referer[len(origin) :]
    if origin and referer.startswith(origin) and rest[:1] in (b"", b"/", b"?"):
        return own + (rest or b"/")
    return referer


def _add_forwarding(fields: list[Field], route: Route, context: RequestContext) -> None:
    """Add X-Forwarded-*: the client's address and, on routes that want it, the public address.
    What was received in these fields is kept only if a trusted proxy sent it."""
    request = context.request
    is_public = route.tells_public_address
    if not context.is_trusted:
        if route.forwarded != "off" and request.client:
            fields.append((b"X-Forwarded-For", _ascii(request.client)))
        if is_public:
            fields += _public_address(context.host, request.secure)
        return
    found = context.found
    for name in found:
        if name in _REWRITTEN or (name in _OF_THE_PUBLIC_ADDRESS and not is_public):
            continue
        if name == b"x-real-ip" and route.forwarded == "off":
            continue
        if name in FORWARDING or name.startswith(FORWARDING_PREFIX):
            fields += [(name.title(), value) for value in found[name]]
    if route.forwarded != "off":
        chain = [*found.get(b"x-forwarded-for", ()), _ascii(request.client)]
        fields.append((b"X-Forwarded-For", b", ".join(filter(None, chain))))
    if is_public:
        fields += _public_address(context.public_host, context.is_secure)


def _ascii(address: str) -> bytes:
    return address.encode("ascii", "replace")


def _public_address(host: bytes, secure: bool) -> list[Field]:
    hosts = [(b"X-Forwarded-Host", host)] if host else []
    return [*hosts, (b"X-Forwarded-Proto", b"https" if secure else b"http")]


def _version(request: RequestHead) -> bytes:
    """Return the beginning of Via: the protocol version of the request."""
    if request.is_http2:
        return b"2 "
    return b"1.1 " if request.minor_version else b"1.0 "


def _decremented(values: Sequence[bytes]) -> list[Field]:
    """Return Max-Forwards decremented (RFC 9110, 7.6.2); nothing if it is not a number."""
    if len(values) == 1 and values[0].isdigit() and len(values[0]) < 10:
        return [(b"Max-Forwards", b"%d" % max(int(values[0]) - 1, 0))]
    return []
