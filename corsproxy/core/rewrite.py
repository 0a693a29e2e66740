"""The heads as they leave: `to_upstream` for requests, `to_client` for responses.

The order is the design. First everything that belongs to one connection, or that the
sender must not decide, is taken away; then the user's rules apply; then our invariants
are put in, so that no rule can undo them (RFC 9110, 7.6). Whatever is not named here
passes byte for byte, in its order.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from corsproxy.core.cookies import rewrite_set_cookie
from corsproxy.core.cors import NOTHING_TO_SAY, Grant, add_grant
from corsproxy.core.fields import (
    CORS_FIELD_PREFIX,
    HOP_BY_HOP,
    partition,
    split_list,
    without,
)
from corsproxy.core.links import LinkMap
from corsproxy.core.messages import (
    ClientHead,
    Field,
    Framing,
    RequestHead,
    UpstreamHead,
    UpstreamRequest,
)
from corsproxy.core.policy import HeaderRules, Policy, Route
from corsproxy.core.routing import Target, upstream_target

# Set by this proxy; what a client sends of them counts only behind a trusted proxy.
FORWARDING = frozenset(
    {
        b"forwarded",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-port",
        b"x-forwarded-prefix",
        b"x-forwarded-proto",
        b"x-forwarded-scheme",
        b"x-forwarded-server",
        b"x-forwarded-ssl",
        b"x-real-ip",
    }
)
SEC_FETCH = frozenset(
    {
        b"sec-fetch-dest",
        b"sec-fetch-mode",
        b"sec-fetch-site",
        b"sec-fetch-storage-access",
        b"sec-fetch-user",
    }
)
MANAGED_REQUEST_FIELDS = (
    HOP_BY_HOP
    | FORWARDING
    | SEC_FETCH
    | {b"content-length", b"expect", b"host", b"max-forwards", b"origin", b"referer", b"via"}
)
"""The request fields that are read here and written anew, or not at all."""

# A client must not be able to strip these by naming them in Connection.
_NOT_NOMINABLE = frozenset(
    {
        b"authorization",
        b"close",
        b"cookie",
        b"keep-alive",
        b"upgrade",
        b"access-control-request-headers",
        b"access-control-request-method",
    }
)

# Policies of the upstream's own host or port, which would bind to this listener's, and
# with it to every other project on localhost (RFC 6797, 7.2; RFC 7838, 3; Clear Site
# Data, 3.1); reports that would go out under this origin.
BOUND_TO_THE_UPSTREAM = frozenset(
    {
        b"alt-svc",
        b"clear-site-data",
        b"expect-ct",
        b"nel",
        b"public-key-pins",
        b"public-key-pins-report-only",
        b"report-to",
        b"strict-transport-security",
    }
)
_DROPPED_FROM_RESPONSES = HOP_BY_HOP | BOUND_TO_THE_UPSTREAM
_LINKING = frozenset({b"location", b"content-location", b"refresh", b"link"})
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})


class ReceivedFields(NamedTuple):
    """A request's field section, read once."""

    passed: list[Field]
    """End-to-end lines that nobody here manages."""
    found: Mapping[bytes, list[bytes]]
    """Values of MANAGED_REQUEST_FIELDS by lower-case name."""

    @property
    def host(self) -> bytes:
        values = self.found.get(b"host")
        return values[0] if values else b""


def read_fields(request: RequestHead) -> ReceivedFields:
    """Split a request's fields; see `ReceivedFields`."""
    return ReceivedFields(*partition(request.fields, MANAGED_REQUEST_FIELDS))


@lru_cache(maxsize=1024)
def _address(client: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(client)
    except (AddressValueError, ValueError):
        return None


def is_trusted(policy: Policy, client: str) -> bool:
    """Whether the peer's own forwarding fields are to be believed."""
    if not policy.trusted_proxies:
        return False
    address = _address(client)
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address is not None and any(address in network for network in policy.trusted_proxies)


def upgrade_of(request: RequestHead, received: ReceivedFields) -> bytes | None:
    """Return the Upgrade value to pass on, or None where the request asks for none.

    h2c is never passed on: behind it, requests would flow that nobody here looks at. A
    request with content cannot ask (its end and the new protocol's start would blur).
    """
    found = received.found
    protocols = found.get(b"upgrade")
    if protocols is None or request.minor_version == 0 or request.method != "GET":
        return None
    if b"transfer-encoding" in found or found.get(b"content-length", [b"0"]) != [b"0"]:
        return None
    if all(token.lower() != b"upgrade" for token in split_list(found.get(b"connection", ()))):
        return None
    names = [name.partition(b"/")[0].lower() for name in split_list(protocols)]
    if not names or any(name in (b"h2c", b"http", b"tls") for name in names):
        return None
    return b", ".join(protocols)


def to_upstream(
    policy: Policy,
    route: Route,
    request: RequestHead,
    received: ReceivedFields,
    target: Target,
    *,
    vouched: bool,
    upgrade: bytes | None,
) -> UpstreamRequest:
    """Return the request as `route.upstream` gets it.

    `vouched` says that the allowlist, or being same-origin, stands for the request's
    Origin: only then is it rewritten, because that disarms the upstream's own defence
    against cross-site requests.
    """
    found = received.found
    fields = _end_to_end(received)
    fields += _provenance(route, received, vouched=vouched)
    fields += _forwarding(policy, request, received)
    if request.method == "OPTIONS" and b"max-forwards" in found:
        fields += _decremented(found[b"max-forwards"])
    if route.request_headers.set or route.request_headers.remove:
        fields = _ruled(fields, route.request_headers)
    if policy.via is not None:
        fields.append((b"Via", b"1.%d %b" % (request.minor_version, policy.pseudonym)))
    if upgrade is not None:
        fields.append((b"Connection", b"Upgrade"))
        fields.append((b"Upgrade", upgrade))
    framing = Framing.NONE
    if b"transfer-encoding" in found:
        framing = Framing.CHUNKED
        fields.append((b"Transfer-Encoding", b"chunked"))
    elif b"content-length" in found:
        length = found[b"content-length"][0]
        framing = Framing.LENGTH if int(length) else Framing.NONE
        fields.append((b"Content-Length", length))
    host = received.host if route.preserve_host else b""
    return UpstreamRequest(
        request.method,
        upstream_target(route, target),
        [(b"Host", host or route.upstream.authority), *fields],
        framing,
        repeatable=framing is Framing.NONE and request.method in _IDEMPOTENT,
        upgrade=upgrade is not None,
    )


def _end_to_end(received: ReceivedFields) -> list[Field]:
    """Return the passed lines without those that Connection names (RFC 9110, 7.6.1)."""
    connection = received.found.get(b"connection")
    if connection is None or connection == [b"keep-alive"]:
        return received.passed[:]
    nominated = {token.lower() for token in split_list(connection)}
    nominated -= _NOT_NOMINABLE
    if not nominated:
        return received.passed[:]
    return without(received.passed, frozenset(nominated))


def _provenance(route: Route, received: ReceivedFields, *, vouched: bool) -> list[Field]:
    """Return Origin, Referer and Sec-Fetch-* as the route wants the upstream to see them.

    A rewritten Origin without Sec-Fetch-*: they would contradict each other.
    """
    found = received.found
    if route.origin == "remove":
        return []
    origins = found.get(b"origin", ())
    referers = found.get(b"referer", ())
    if route.origin == "rewrite" and vouched and origins:
        own = route.upstream.origin
        fields = [(b"Origin", own)]
        fields += [(b"Referer", _moved(referer, origins[0], own)) for referer in referers]
        return fields
    fields = [(b"Origin", origin) for origin in origins]
    fields += [(b"Referer", referer) for referer in referers]
    fields += [
        (name.title(), value) for name in found if name in SEC_FETCH for value in found[name]
    ]
    return fields


def _moved(referer: bytes, origin: bytes, own: bytes) -> bytes:
    """Return a Referer of a page on `origin` as one of a page on `own`."""
    rest = referer[len(origin) :]
    if referer.startswith(origin) and rest[:1] in (b"", b"/", b"?"):
        return own + (rest or b"/")
    return referer


def _forwarding(policy: Policy, request: RequestHead, received: ReceivedFields) -> list[Field]:
    """Return X-Forwarded-* and the Via that the request came with."""
    found = received.found
    fields: list[Field] = []
    client = request.client.encode("ascii", "replace")
    protocol = b"https" if request.secure else b"http"
    host = received.host
    chain = client
    if is_trusted(policy, request.client):
        chain = b", ".join([*found.get(b"x-forwarded-for", ()), client])
        protocol = found.get(b"x-forwarded-proto", [protocol])[-1]
        host = found.get(b"x-forwarded-host", [host])[-1]
        for name in (b"forwarded", b"x-real-ip", b"x-forwarded-port", b"x-forwarded-prefix"):
            fields += [(name.title(), value) for value in found.get(name, ())]
    if chain:
        fields.append((b"X-Forwarded-For", chain))
    if host:
        fields.append((b"X-Forwarded-Host", host))
    fields.append((b"X-Forwarded-Proto", protocol))
    fields += [(b"Via", value) for value in found.get(b"via", ())]
    return fields


def _decremented(values: Sequence[bytes]) -> list[Field]:
    """Return Max-Forwards one lower (RFC 9110, 7.6.2); what is no number is left out."""
    if len(values) == 1 and values[0].isdigit() and len(values[0]) < 10:
        return [(b"Max-Forwards", b"%d" % max(int(values[0]) - 1, 0))]
    return []


def _ruled(fields: Sequence[Field], rules: HeaderRules) -> list[Field]:
    """Apply a user's rules: `set` replaces every line of its name, `remove` deletes."""
    replaced = frozenset(name.lower() for name, _ in rules.set)
    return [*without(fields, rules.remove | replaced), *rules.set]


def to_client(
    route: Route,
    request: RequestHead,
    upstream: UpstreamHead,
    grant: Grant | None,
    links: LinkMap,
    *,
    secure: bool,
) -> ClientHead:
    """Return a response head as the client gets it, complete but for Connection and Date.

    `grant` None leaves the upstream's own CORS fields alone (passthrough). `secure` says
    whether the browser knows this proxy under https.
    """
    tunnel = upstream.status == 101
    fields: list[Field] = []
    vary: list[bytes] = []
    nominated: list[bytes] = []
    for line in upstream.fields:
        name = line[0].lower()
        if name in _DROPPED_FROM_RESPONSES:
            if name == b"connection":
                nominated.append(line[1])
            elif name == b"upgrade" and tunnel:
                fields.append(line)
        elif name.startswith(CORS_FIELD_PREFIX):
            if grant is None:
                fields.append(line)
        elif name == b"vary":
            vary.append(line[1])
        elif name == b"content-length":
            # After a 204 and beside a chunked body it would be a lie (RFC 9110, 8.6).
            if upstream.framing is Framing.LENGTH or (
                upstream.framing is Framing.NONE and upstream.status != 204 and not tunnel
            ):
                fields.append(line)
        elif name == b"set-cookie" and route.cookies == "auto":
            fields.append((line[0], _cookie(route, line[1], secure=secure)))
        elif name in _LINKING:
            fields.append((line[0], links.rewrite_field(name, line[1])))
        else:
            fields.append(line)
    if nominated:
        names = {token.lower() for token in split_list(nominated)} - _NOT_NOMINABLE
        if names:
            fields = without(fields, frozenset(names))
    if route.response_headers.set or route.response_headers.remove:
        fields += [(b"Vary", value) for value in vary]
        fields = _ruled(fields, route.response_headers)
        vary = [value for name, value in fields if name.lower() == b"vary"]
        fields = without(fields, frozenset({b"vary"}))
    if tunnel:
        fields.append((b"Connection", b"Upgrade"))
        return ClientHead(101, upstream.reason, fields, Framing.NONE)
    add_grant(fields, vary, NOTHING_TO_SAY if grant is None else grant)
    framing = upstream.framing
    if framing is Framing.CHUNKED or framing is Framing.CLOSE:
        framing = Framing.CHUNKED if request.minor_version else Framing.CLOSE
        if framing is Framing.CHUNKED:
            fields.append((b"Transfer-Encoding", b"chunked"))
    return ClientHead(upstream.status, upstream.reason, fields, framing)


def _cookie(route: Route, value: bytes, *, secure: bool) -> bytes:
    return rewrite_set_cookie(
        value,
        secure_listener=secure,
        base=route.upstream.base,
        path=route.path,
        strip_path=route.strip_path,
    )
