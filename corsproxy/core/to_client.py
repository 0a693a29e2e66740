"""The response as the client gets it.

In the same order as requests: what belongs to one connection and what the upstream must
not decide goes; then the user's rules apply; then the framing and the grant are put in.
Everything else passes byte for byte, in its order.
"""

from collections.abc import Callable
from typing import Final

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
from corsproxy.core.messages import ClientHead, Field, Framing, UpstreamHead
from corsproxy.core.policy import Route
from corsproxy.core.to_upstream import NOT_NOMINABLE

# Policies of the upstream's own host or port, which would bind to this listener's, and
# with it to every other project on localhost (RFC 6797, 7.2; RFC 7838, 3; Clear Site
# Data, 3.1); reports that would go out under this origin; the leave for a worker to answer
# for paths of other routes (Service Workers, "Service-Worker-Allowed").
BOUND_TO_THE_UPSTREAM: Final = frozenset(
    {
        b"alt-svc",
        b"clear-site-data",
        b"expect-ct",
        b"nel",
        b"public-key-pins",
        b"public-key-pins-report-only",
        b"report-to",
        b"service-worker-allowed",
        b"strict-transport-security",
    }
)

# What becomes of a field line of the upstream's.
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

    __slots__ = ("fields", "is_dated", "lines", "nominated", "vary")

    def __init__(self) -> None:
        self.fields: list[Field] = []
        self.lines: list[bytes] = []
        """`fields` as they go on the wire."""
        self.vary: list[bytes] = []
        """The values of Vary, which is not in `fields`."""
        self.nominated: list[bytes] = []
        """The values of Connection, which neither is."""
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
    fields, lines, vary = passed.fields, passed.lines, passed.vary
    is_ruled = False
    if passed.nominated and passed.nominated != [b"keep-alive"]:
        names = {token.lower() for token in split_list(passed.nominated)} - NOT_NOMINABLE
        if names:
            is_ruled = True
            fields = without(fields, frozenset(names))
    rules = route.response_headers
    if rules.set or rules.remove:
        is_ruled = True
        fields += [(b"Vary", value) for value in vary]
        fields = replaced(fields, rules.set, rules.remove)
        vary = [value for name, value in fields if name.lower() == b"vary"]
        fields = without(fields, frozenset({b"vary"}))
    is_dated = passed.is_dated
    if is_ruled:
        is_dated = any(name.lower() == b"date" for name, _ in fields)
    if upstream.status == 101:
        fields.append((b"Connection", b"Upgrade"))
        return ClientHead(101, upstream.reason, fields, Framing.NONE, None, is_dated)
    given = NOTHING_TO_SAY if grant is None else grant
    if vary or given.expose_all or is_ruled:
        known = len(fields)
        add_grant(fields, vary, given)
        lines += [b": ".join(field) for field in fields[known:]]
    else:
        fields += given.added
        lines += given.lines
    if sandboxed:
        fields.append(SANDBOX)
        lines.append(b": ".join(SANDBOX))
    framing = upstream.framing
    if framing is Framing.CHUNKED or framing is Framing.CLOSE:
        framing = _of_unknown_length(minor_version, fields, lines)
    if upstream.status == 426:
        _insist(fields, lines)
    section = None
    if not is_ruled:
        lines.append(b"")
        section = b"\r\n".join(lines)
    return ClientHead(upstream.status, upstream.reason, fields, framing, section, is_dated)


def _of_unknown_length(minor_version: int, fields: list[Field], lines: list[bytes]) -> Framing:
    if not minor_version:
        return Framing.CLOSE
    fields.append((b"Transfer-Encoding", b"chunked"))
    lines.append(b"Transfer-Encoding: chunked")
    return Framing.CHUNKED


def _insist(fields: list[Field], lines: list[bytes]) -> None:
    """Say of this connection what a 426 says of the upstream's (RFC 9110, 15.5.22)."""
    if any(name.lower() == b"upgrade" for name, _ in fields):
        fields.append((b"Connection", b"Upgrade"))
        lines.append(b"Connection: Upgrade")


def _pass(
    route: Route,
    upstream: UpstreamHead,
    grant: Grant | None,
    links: Callable[[], LinkMap],
    secure: bool,
) -> _Passed:
    passed = _Passed()
    fields, lines = passed.fields, passed.lines
    for each in upstream.lines:
        treatment = each.treatment
        field, line = each.field, each.line
        if treatment < 0:
            treatment = each.treatment = _TABLE[field[0]]
        if treatment == _PASS:
            pass
        elif treatment == _DATE:
            passed.is_dated = True
        elif treatment == _VARY:
            passed.vary.append(field[1])
            continue
        elif treatment == _CONNECTION:
            passed.nominated.append(field[1])
            continue
        elif treatment == _COOKIE:
            field = (field[0], _cookie(route, field[1], secure=secure))
            line = b": ".join(field)
        elif treatment == _LOCATION:
            field = (field[0], links().rewrite_location(field[1], upstream.status))
            line = b": ".join(field)
        elif treatment == _LINK:
            field = (field[0], links().rewrite_field(field[0].lower(), field[1]))
            line = b": ".join(field)
        elif not _stays(treatment, upstream, grant):
            continue
        fields.append(field)
        lines.append(line)
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
