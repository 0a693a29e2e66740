"""The response as the client gets it.

The order is the same as for requests: what belongs to one connection, or what the upstream
must not decide, is removed; then the user's rules apply; then framing and grant are added.
Everything else passes byte for byte, in order.
"""

from collections.abc import Callable, Sequence
from typing import Final, cast

from corsproxy.core.cookies import rewrite_set_cookie
from corsproxy.core.cors import NOTHING_TO_SAY, Grant, add_grant
from corsproxy.core.documents import SANDBOX
from corsproxy.core.fields import (
    CORS_FIELD_PREFIX,
    HOP_BY_HOP,
    NameTable,
    replaced,
    split_list,
    without,
)
from corsproxy.core.links import LinkMap
from corsproxy.core.messages import Boxed, ClientHead, Field, Framing, UpstreamHead
from corsproxy.core.policy import Route
from corsproxy.core.to_upstream import NOT_NOMINABLE

# Policies of the upstream's own host or port, which would bind to this listener's, and
# with it to every other project on localhost (RFC 6797, 7.2; RFC 7838, 3; Clear Site
# Data, 3.1); reports that would go out under this origin; the leave for a worker to answer
# for paths of other routes (Service Workers, "Service-Worker-Allowed").
BOUND_TO_THE_UPSTREAM: Final = frozenset(
    {
        b"alt-svc", b"clear-site-data", b"expect-ct", b"nel", b"public-key-pins",
        b"public-key-pins-report-only", b"report-to", b"service-worker-allowed",
        b"strict-transport-security",
    }
)  # fmt: skip

# What to do with a field line of the upstream's response.
_PASS: Final = 0
_DROP: Final = 1
_CONNECTION: Final = 2  # drop, and what it names
_UPGRADE: Final = 3  # drop, but in a 101 and a 426
_GRANT: Final = 4  # drop, but where the upstream answers CORS itself
_VARY: Final = 5
_LENGTH: Final = 6
_COOKIE: Final = 7
_LINK: Final = 8
_DATE: Final = 9
_LOCATION: Final = 10

_TREATMENTS: Final[dict[bytes, int]] = {
    **dict.fromkeys(HOP_BY_HOP | BOUND_TO_THE_UPSTREAM, _DROP),
    **dict.fromkeys((b"content-location", b"refresh", b"link"), _LINK),
    b"location": _LOCATION,
    b"connection": _CONNECTION,
    b"upgrade": _UPGRADE,
    b"vary": _VARY,
    b"content-length": _LENGTH,
    b"set-cookie": _COOKIE,
    b"date": _DATE,
}


def _treatment(name: bytes) -> int:
    key = name.lower()
    if key.startswith(CORS_FIELD_PREFIX):
        return _GRANT
    return _TREATMENTS.get(key, _PASS)


_TABLE: Final = NameTable(_treatment)


class _Passed:
    """What goes on of the upstream's fields, and what is asked of them further on."""

    __slots__ = ("fields", "is_dated", "nominated", "vary")

    def __init__(self) -> None:
        self.fields: list[Boxed] = []
        self.vary: list[bytes] = []
        """The values of Vary, which is not in `fields`."""
        self.nominated: list[bytes] = []
        """The values of Connection, which is not in `fields` either."""
        self.is_dated = False
        """Whether Date is in `fields`."""


def to_client(
    route: Route,
    minor_version: int,
    upstream: UpstreamHead,
    grant: Grant | None,
    links: Callable[[], LinkMap],
    *,
    secure: bool,
    sandboxed: bool = False,
) -> ClientHead:
    """Return a response head as the client gets it, complete but for Connection and Date.

    `minor_version` is the client's. `grant` None leaves the upstream's own CORS fields
    alone (passthrough). `links` is asked for only if there are any. `secure` says whether
    the browser knows this proxy under https, `sandboxed` whether it must give a
    page of this an origin of its own.
    """
    passed = _pass(route, upstream, grant, links, secure)
    fields, vary = cast("list[Field]", passed.fields), passed.vary
    is_dated = passed.is_dated
    if passed.nominated and passed.nominated != [b"keep-alive"]:
        names = {token.lower() for token in split_list(passed.nominated)} - NOT_NOMINABLE
        fields = without(fields, frozenset(names))
        is_dated = is_dated and b"date" not in names
    rules = route.response_headers
    if rules.set or rules.remove:
        fields += [(b"Vary", value) for value in vary]
        fields = replaced(fields, rules.set, rules.remove)
        vary = [value for name, value in fields if name.lower() == b"vary"]
        fields = without(fields, frozenset({b"vary"}))
        is_dated = any(name.lower() == b"date" for name, _ in fields)
    if upstream.status == 101:
        fields.append((b"Connection", b"Upgrade"))
        return ClientHead(101, upstream.reason, fields, Framing.NONE, is_dated)
    add_grant(fields, vary, NOTHING_TO_SAY if grant is None else grant)
    if sandboxed:
        fields.append(SANDBOX)
    framing = upstream.framing
    if framing is Framing.CHUNKED or framing is Framing.CLOSE:
        framing = Framing.CHUNKED if minor_version else Framing.CLOSE
        if framing is Framing.CHUNKED:
            fields.append((b"Transfer-Encoding", b"chunked"))
    # What a 426 says of the upstream's connection, we say of this one (RFC 9110, 15.5.22).
    if upstream.status == 426 and any(name.lower() == b"upgrade" for name, _ in fields):
        fields.append((b"Connection", b"Upgrade"))
    return ClientHead(upstream.status, upstream.reason, fields, framing, is_dated)


def _pass(
    route: Route,
    upstream: UpstreamHead,
    grant: Grant | None,
    links: Callable[[], LinkMap],
    secure: bool,
) -> _Passed:
    passed = _Passed()
    fields = passed.fields
    for line in cast("Sequence[Boxed]", upstream.fields):
        name = line[0]
        treatment = _TABLE[name]
        if treatment == _PASS:
            fields.append(line)
        elif treatment == _DATE:
            passed.is_dated = True
            fields.append(line)
        elif treatment == _VARY:
            passed.vary.append(line[1])
        elif treatment == _CONNECTION:
            passed.nominated.append(line[1])
        elif treatment == _COOKIE:
            fields.append((name, _cookie(route, line[1], secure=secure)))
        elif treatment == _LOCATION:
            fields.append((name, links().rewrite_location(line[1], upstream.status)))
        elif treatment == _LINK:
            fields.append((name, links().rewrite_field(name.lower(), line[1])))
        elif _stays(treatment, upstream, grant):
            fields.append(line)
    return passed


def _stays(treatment: int, upstream: UpstreamHead, grant: Grant | None) -> bool:
    """Whether a field that is not for everybody is for this client."""
    if treatment == _LENGTH:
        return _keeps_length(upstream)
    if treatment == _GRANT:
        return grant is None
    return treatment == _UPGRADE and upstream.status in (101, 426)


def _keeps_length(upstream: UpstreamHead) -> bool:
    """Whether Content-Length is still true: beside a chunked body and after a 204 it
    would be a lie (RFC 9110, 8.6)."""
    if upstream.framing is Framing.LENGTH:
        return True
    return upstream.framing is Framing.NONE and upstream.status not in (101, 204)


def _cookie(route: Route, value: bytes, *, secure: bool) -> bytes:
    if route.cookies == "keep":
        return value
    return rewrite_set_cookie(
        value,
        secure_listener=secure,
        base=route.upstream.base,
        path=route.stripped,
        strip_path=True,
    )
