"""The request as the upstream gets it.

The order is the design. First everything that belongs to one connection, or that the
client must not decide, is taken away; then the user's rules apply; then our invariants
are put in, so that no rule can undo them (RFC 9110, 7.6). Whatever is not named here
passes byte for byte, in its order.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from corsproxy.core.connection_authentication import AUTHORIZATION, is_asked_for
from corsproxy.core.cookies import may_hold_inspector_cookies, without_inspector_cookies
from corsproxy.core.fields import replaced, split_list, without
from corsproxy.core.messages import Field, Framing, UpstreamRequest
from corsproxy.core.policy import Route
from corsproxy.core.request_context import (
    ASKING,
    FORWARDING,
    FORWARDING_PREFIX,
    SEC_FETCH,
    RequestContext,
)
from corsproxy.core.routing import Target, find_route, parse_target, upstream_target

# A peer must not be able to strip these by naming them in Connection: what says who asks,
# and what says where a message ends.
NOT_NOMINABLE: Final = frozenset(
    {
        b"authorization",
        b"close",
        b"content-length",
        b"cookie",
        b"keep-alive",
        b"upgrade",
    }
)
_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_REWRITTEN: Final = frozenset({b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"})
# What else says by which address the browser knows us. An upstream that is told its own
# address would be told two.
_OF_THE_PUBLIC_ADDRESS: Final = frozenset(
    {
        b"forwarded",
        b"x-forwarded-https",
        b"x-forwarded-path",
        b"x-forwarded-port",
        b"x-forwarded-prefix",
        b"x-forwarded-protocol",
        b"x-forwarded-scheme",
        b"x-forwarded-server",
        b"x-forwarded-ssl",
        b"x-forwarded-uri",
        b"x-forwarded-url",
    }
)


def to_upstream(
    context: RequestContext, route: Route, target: Target, *, vouched: bool, upgrade: bytes | None
) -> UpstreamRequest:
    """Return the request as `route.upstream` gets it.

    `vouched` says that the allowlist, or being same-origin, stands for the request's
    Origin: only then is it rewritten, because that disarms the upstream's own defence
    against cross-site requests.
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
    if b"via" in found:
        fields += [(b"Via", value) for value in found[b"via"]]
    if method == "OPTIONS":
        for name in ASKING:
            fields += [(name.title(), value) for value in found.get(name, ())]
        if b"max-forwards" in found:
            fields += _decremented(found[b"max-forwards"])
    rules = route.request_headers
    if rules.set or rules.remove:
        fields[1:] = replaced(fields[1:], rules.set, rules.remove)
    authorizations = found.get(AUTHORIZATION)
    if rules.set:
        authorizations = [value for name, value in fields if name.lower() == AUTHORIZATION]
    if context.policy.via is not None:
        fields.append(
            _via(context.policy.pseudonym, context.request.is_http2, context.request.minor_version)
        )
    if upgrade is not None:
        fields += ((b"Connection", b"Upgrade"), (b"Upgrade", upgrade))
    framing = Framing.NONE
    if b"content-length" in found:
        length = found[b"content-length"][0]
        framing = Framing.LENGTH if int(length) else Framing.NONE
        fields.append((b"Content-Length", length))
    elif b"transfer-encoding" in found:
        framing = Framing.CHUNKED
        fields.append((b"Transfer-Encoding", b"chunked"))
    return UpstreamRequest(
        method,
        upstream_target(route, target),
        fields,
        framing,
        framing is Framing.NONE and method in _IDEMPOTENT,
        upgrade is not None,
        None,
        authorizations is not None and is_asked_for(authorizations),
    )


def _end_to_end(context: RequestContext) -> list[Field]:
    """Return the passed lines without those that Connection names (RFC 9110, 7.6.1)."""
    connection = context.found.get(b"connection")
    if connection is None or connection == [b"keep-alive"]:
        return context.passed
    nominated = {token.lower() for token in split_list(connection)} - NOT_NOMINABLE
    return without(context.passed, frozenset(nominated)) if nominated else context.passed


def _add_provenance(
    fields: list[Field], route: Route, context: RequestContext, *, vouched: bool
) -> None:
    """Add Origin, Referer and Sec-Fetch-* as the route wants the upstream to see them.

    A rewritten Origin goes without Sec-Fetch-*: they would contradict each other. The Referer
    of a page of this proxy's is rewritten without an Origin, too: such a page's GET has none,
    and servers that compare Referer with Host would refuse it.
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
    for name in found:
        if name in SEC_FETCH:
            fields += [(name.title(), value) for value in found[name]]


def _of_own_page(context: RequestContext, route: Route, referer: bytes) -> bytes | None:
    """Return the Referer of a page that came through this proxy as the upstream knows it, so
    that a redirect back to it leads there; None for one of another page."""
    scheme, _, rest = referer.partition(b"://")
    host = context.public_host
    path = rest[len(host) :]
    if not host or scheme not in (b"http", b"https") or not rest.startswith(host + b"/"):
        return None
    target = parse_target(path)
    page = None if target is None else find_route(context.policy, target.path)
    if target is None or page is None or page.upstream.site != route.upstream.site:
        return route.upstream.origin + path
    return route.upstream.origin + upstream_target(page, target)


def _moved(referer: bytes, origin: bytes, own: bytes) -> bytes:
    """Return a Referer of a page on `origin` as one of a page on `own`."""
    rest = referer[len(origin) :]
    if origin and referer.startswith(origin) and rest[:1] in (b"", b"/", b"?"):
        return own + (rest or b"/")
    return referer


def _add_forwarding(fields: list[Field], route: Route, context: RequestContext) -> None:
    """Add X-Forwarded-*: who asks, and where the upstream is told the public address, by
    which one. Of what the client says of that itself, only a trusted proxy's word counts."""
    request = context.request
    if not context.is_trusted:
        if route.forwarded != "off":
            fields += _forwarding(
                request.client, context.host, request.secure, route.tells_public_address
            )
        return
    found, is_public = context.found, route.tells_public_address
    for name in found:
        if name in _REWRITTEN or (name in _OF_THE_PUBLIC_ADDRESS and not is_public):
            continue
        if name == b"x-real-ip" and route.forwarded == "off":
            continue
        if name in FORWARDING or name.startswith(FORWARDING_PREFIX):
            fields += [(name.title(), value) for value in found[name]]
    if route.forwarded != "off":
        chain = [*found.get(b"x-forwarded-for", ()), request.client.encode("ascii", "replace")]
        fields.append((b"X-Forwarded-For", b", ".join(filter(None, chain))))
    if is_public:
        fields += _forwarding("", context.public_host, context.is_secure, True)


@lru_cache(maxsize=1024)
def _forwarding(client: str, host: bytes, secure: bool, is_public: bool) -> tuple[Field, ...]:
    fields = []
    if client:
        fields.append((b"X-Forwarded-For", client.encode("ascii", "replace")))
    if is_public and host:
        fields.append((b"X-Forwarded-Host", host))
    if is_public:
        fields.append((b"X-Forwarded-Proto", b"https" if secure else b"http"))
    return tuple(fields)


@lru_cache(maxsize=16)
def _via(pseudonym: bytes, is_http2: bool, minor_version: int) -> Field:
    version = b"2" if is_http2 else b"1.%d" % minor_version
    return (b"Via", b"%b %b" % (version, pseudonym))


def _decremented(values: Sequence[bytes]) -> list[Field]:
    """Return Max-Forwards one lower (RFC 9110, 7.6.2); what is no number is left out."""
    if len(values) == 1 and values[0].isdigit() and len(values[0]) < 10:
        return [(b"Max-Forwards", b"%d" % max(int(values[0]) - 1, 0))]
    return []
