"""Every way in which a request is refused.

The guard's checks, the allowlist, limits, draining and bytes that are no request all end in
the same function, so every refusal has a verdict, a hint, and the grant of its route.
"""

import re
from collections.abc import Sequence
from typing import Final

from corsproxy.core import guard
from corsproxy.core.advice.hints import hint_for_client
from corsproxy.core.answers import Answer, problem
from corsproxy.core.cors import PREFLIGHT_VARY
from corsproxy.core.guard import Refusal
from corsproxy.core.messages import Field, RequestHead
from corsproxy.core.policy import Policy
from corsproxy.core.request_context import RequestContext
from corsproxy.core.source import Source
from corsproxy.core.verdicts import FACTS, Code, Kind

# After these, the connection is closed: what follows may not be a request.
_CLOSING: Final = frozenset(
    {
        Code.BAD_REQUEST, Code.BAD_FRAMING, Code.TRANSFER_CODING, Code.METHOD_NOT_IMPLEMENTED,
        Code.METHOD_REFUSED, Code.TARGET_TOO_LONG, Code.FIELDS_TOO_LARGE, Code.BODY_TOO_LARGE,
        Code.VERSION_NOT_SUPPORTED, Code.HEAD_TIMEOUT, Code.BODY_TIMEOUT, Code.CONNECTIONS_FULL,
        Code.DRAINING, Code.INTERNAL,
    }
)  # fmt: skip
ALLOW: Final[tuple[Field, ...]] = ((b"Allow", b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),)
"""What this proxy forwards (RFC 9110, 10.2.1)."""

_REQUEST_LINE: Final = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([!-~]+) ")
_ORIGIN_LINE: Final = re.compile(rb"(?im)^origin:([^\n]*)")
_MOST_SHOWN: Final = 200


def check(context: RequestContext) -> Refusal | None:
    """Run the guard's checks, the most basic first."""
    request, found = context.request, context.found
    hosts = found.get(b"host", ())
    return (
        guard.check_size(context.policy.limits, request.target, request.fields)
        or guard.check_method(request.method)
        or guard.check_framing(found, request.minor_version)
        or guard.check_host(context.policy, hosts, request.minor_version)
        or guard.check_target(context.target, request.target, hosts)
        or guard.check_reading(context.policy, context.target, context.route)
        or guard.check_asterisk(request.method, request.target)
        or (guard.check_expectation(found) if b"expect" in found else None)
        or (guard.check_loop(context.policy, found) if b"via" in found else None)
    )


def refused(
    context: RequestContext,
    refusal: Refusal,
    at: Source | None = None,
    kind: Kind | None = None,
    *,
    vary: Sequence[bytes] = (),
) -> Answer:
    """Return the answer to a request that is refused. `kind` overrides the context's own; `vary`
    is what the answer depends on besides the origin."""
    code = refusal.code
    if code is Code.HOST_NOT_ALLOWED:
        at = context.policy.allowed_hosts_source
    verdict = context.verdict(code, False, at, refusal.subject)
    if kind is not None:
        verdict = verdict.replace(kind=kind)
    elif verdict.kind is not Kind.WEBSOCKET and not context.origin.grant.fields:
        origin = context.origin.value
        verdict = verdict.replace(
            withheld=origin is not None and not context.is_same_origin(origin)
        )
    return problem(
        verdict,
        context.origin.grant,
        refusal.detail,
        hint_for_client(verdict, context.policy, context.rules),
        head_only=context.request.method == "HEAD",
        # What follows bytes that were no request may be no request either.
        close=code in _CLOSING or verdict.kind is Kind.UNREADABLE,
        extra=ALLOW if code is Code.METHOD_REFUSED else (),
        vary=vary,
    )


def origin_refused(context: RequestContext) -> Answer:
    """Answer 403 without a grant: the origin is not in the list."""
    vary = (PREFLIGHT_VARY[1],) if context.is_preflight else ()
    received = context.origin.value or b""
    expired = context.rules.origins.match_expired(received)
    if expired is not None:
        subject = received.decode("ascii")
        detail = f"The page's origin {subject} was allowed until {expired.until} (UTC)."
        refusal = Refusal(Code.ORIGIN_EXPIRED, detail, subject)
        return refused(context, refusal, expired.source, vary=vary)
    if guard.is_origin(received):
        subject = received.decode("ascii")
        detail = f"The page's origin {subject} is not in this proxy's allowlist."
    else:
        subject = ""
        detail = "The Origin of the request is not one well-formed origin."
    refusal = Refusal(Code.ORIGIN_NOT_ALLOWED, detail, subject)
    return refused(context, refusal, context.rules.origins.source, vary=vary)


def refuse(policy: Policy, request: RequestHead, code: Code, detail: str = "") -> Answer:
    """Return the answer for a request that a limit or the listener's state refuses."""
    refusal = Refusal(code, detail or f"{FACTS[code].title}.")
    return refused(RequestContext(policy, request), refusal)


def refuse_unread(
    policy: Policy, received: bytes, code: Code | None = None, detail: str = ""
) -> Answer:
    """Return the answer for bytes that did not become a request.

    `received` is what arrived of the head; `code` and `detail` say why, or None to find out
    from the bytes. Even this answer carries the grant for the Origin line in it: otherwise a cookie
    that grew too long would look like a CORS error in the browser.
    """
    if code is None:
        refusal = guard.diagnose(policy.limits, received)
    else:
        refusal = Refusal(code, detail or f"{FACTS[code].title}.")
    read = as_far_as_read(received)
    target = read.target if read.method else b"/"
    context = RequestContext(policy, RequestHead("GET", target, read.fields))
    return refused(context, refusal, kind=Kind.UNREADABLE)


def as_far_as_read(received: bytes, client: str = "") -> RequestHead:
    """Return what can be told of bytes that did not become a request: its method and target,
    and its Origin lines. Without a request line the method is empty, and the target is the
    beginning of the bytes."""
    line = _REQUEST_LINE.match(received)
    head = received.partition(b"\r\n\r\n")[0]
    origins = [match[1].removesuffix(b"\r") for match in _ORIGIN_LINE.finditer(head)]
    fields = [(b"Origin", origin.strip(b" \t")) for origin in origins]
    if line is None:
        return RequestHead("", received.partition(b"\n")[0][:_MOST_SHOWN], fields, client=client)
    return RequestHead(line[1].decode("ascii"), line[2], fields, client=client)
