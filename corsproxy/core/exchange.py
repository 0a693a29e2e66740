"""One exchange, from head to head: `decide`, then `complete` or `fail`.

    RequestHead -> decide -> Answer                          respond here and now
                          -> Forward -> UpstreamHead -> complete -> ClientHead
                                     -> UpstreamError -> fail -> Answer
                          -> Tunnel     as Forward; bytes both ways after a 101

`refuse` and `refuse_unread` answer what goes wrong around a request: limits, draining,
bytes that are no request at all. All of them end in the same place, so that every
answer carries the grant of its route and a verdict.
"""

import re
from typing import NamedTuple

from corsproxy.core import guard
from corsproxy.core.cors import (
    NOTHING_TO_SAY,
    Grant,
    OriginJudgement,
    judge_origin,
    judge_preflight,
)
from corsproxy.core.guard import Refusal
from corsproxy.core.links import LinkMap
from corsproxy.core.messages import ClientHead, Field, RequestHead, UpstreamHead, UpstreamRequest
from corsproxy.core.policy import CorsRules, Policy, Route
from corsproxy.core.problems import REASON, Answer, no_content, problem
from corsproxy.core.remedies import hint_for
from corsproxy.core.rewrite import (
    ReceivedFields,
    is_trusted,
    read_fields,
    to_client,
    to_upstream,
    upgrade_of,
)
from corsproxy.core.routing import Target, find_route, parse_target
from corsproxy.core.source import Source
from corsproxy.core.verdicts import FACTS, Code, Kind, Verdict
from corsproxy.errors import UpstreamError, UpstreamFault

# What follows such a request on its connection cannot be trusted to be a request.
_CLOSING = frozenset(
    {
        Code.BAD_REQUEST,
        Code.BAD_FRAMING,
        Code.TRANSFER_CODING,
        Code.METHOD_NOT_IMPLEMENTED,
        Code.METHOD_REFUSED,
        Code.TARGET_TOO_LONG,
        Code.FIELDS_TOO_LARGE,
        Code.BODY_TOO_LARGE,
        Code.VERSION_NOT_SUPPORTED,
        Code.HEAD_TIMEOUT,
        Code.BODY_TIMEOUT,
        Code.CONNECTIONS_FULL,
        Code.DRAINING,
        Code.INTERNAL,
    }
)


class Forward(NamedTuple):
    """Ask the upstream, then `complete` or `fail`."""

    policy: Policy
    route: Route
    request: UpstreamRequest
    verdict: Verdict
    received: RequestHead
    grant: Grant | None
    """What the response carries; None: the upstream answers CORS itself."""
    error_grant: Grant
    """What an answer of our own carries."""
    authority: bytes
    """Under which the client knows this proxy: host[:port]."""
    secure: bool
    """Whether the client knows it under https."""


class Tunnel(Forward):
    """Ask the upstream to switch protocols. After a 101: `complete`, then bytes both ways;
    after any other status it is a `Forward`."""

    __slots__ = ()


Decision = Answer | Forward | Tunnel


class _Case(NamedTuple):
    """A request with what reading it once has told."""

    policy: Policy
    request: RequestHead
    fields: ReceivedFields
    target: Target | None
    route: Route | None
    rules: CorsRules
    origin: OriginJudgement

    @property
    def kind(self) -> Kind:
        if _is_preflight(self):
            return Kind.PREFLIGHT
        if b"upgrade" in self.fields.found and upgrade_of(self.request, self.fields) is not None:
            return Kind.WEBSOCKET
        return Kind.NO_ORIGIN if self.origin.value is None else Kind.ACTUAL

    @property
    def passthrough(self) -> bool:
        return self.route is not None and self.route.cors == "passthrough"

    def verdict(self, code: Code, allowed: bool, at: Source | None, subject: str = "") -> Verdict:
        name = None if self.route is None else self.route.name
        return Verdict(self.kind, code, allowed, name, at, subject)


def decide(policy: Policy, request: RequestHead) -> Decision:
    """Decide what becomes of a request. Never raises, whatever the request holds."""
    case = _read(policy, request)
    refusal = _check(case)
    if refusal is not None:
        return _refused(case, refusal)
    if request.method == "OPTIONS":
        answer = _answer_options(case)
        if answer is not None:
            return answer
    if case.route is None or case.target is None:
        return _refused(case, Refusal(Code.NO_ROUTE, "No route takes this path."))
    return _forward_or_block(case, case.route, case.target)


def complete(exchange: Forward, upstream: UpstreamHead) -> ClientHead | Answer:
    """Return the response head for the client, or an answer in its place.

    A 407 would open the browser's dialog for a proxy's password, and a 101 that nobody
    asked for would leave the connection without a protocol: neither is passed on.
    """
    if upstream.status == 407:
        return fail(
            exchange,
            UpstreamError(
                UpstreamFault.PROXY_AUTH, "The upstream answered 407, as only a proxy may."
            ),
        )
    if upstream.status == 101 and not isinstance(exchange, Tunnel):
        return fail(
            exchange,
            UpstreamError(
                UpstreamFault.MALFORMED, "The upstream switched protocols without being asked."
            ),
        )
    grant = exchange.grant
    if upstream.status == 101 and grant is not None:
        grant = NOTHING_TO_SAY
    links = LinkMap(exchange.policy.link_bases, exchange.route, exchange.authority, exchange.secure)
    return to_client(
        exchange.route, exchange.received, upstream, grant, links, secure=exchange.secure
    )


def fail(exchange: Forward, error: UpstreamError) -> Answer:
    """Return the answer for an upstream that could not be asked or understood.

    For failures before the response head went out; after it, only the connection can
    still be aborted.
    """
    route = exchange.route
    verdict = exchange.verdict._replace(code=Code(error.fault), at=route.source, subject="")
    return problem(
        verdict,
        exchange.error_grant,
        error.detail,
        _UPSTREAM_HINTS.get(error.fault),
        head_only=exchange.received.method == "HEAD",
    )


_UPSTREAM_HINTS = {
    UpstreamFault.UNREACHABLE: "Check that the upstream is running and that `upstream` has its"
    " address and port; in a container, localhost is the container itself.",
    UpstreamFault.DNS: "Check the host name in `upstream`.",
    UpstreamFault.TLS: "Check the scheme, the host name and the certificate; for a private"
    " authority set `tls: {ca_file: …}` on the route.",
    UpstreamFault.CONNECT_TIMEOUT: "Check the address in `upstream` and the network between;"
    " `timeout: {connect: …}` sets the limit.",
    UpstreamFault.RESPONSE_TIMEOUT: "`timeout: {response: …}` on the route sets the limit.",
    UpstreamFault.MALFORMED: "Check that `upstream` speaks HTTP/1.1 on that port, and"
    " whether it is https.",
    UpstreamFault.BUSY: "`limits: {in_flight: …}` sets how many requests it gets at once.",
}


def refuse(
    policy: Policy,
    request: RequestHead,
    code: Code,
    detail: str = "",
    at: Source | None = None,
) -> Answer:
    """Return the answer for a request that a limit or the listener's state refuses."""
    case = _read(policy, request)
    return _refused(case, Refusal(code, detail or f"{FACTS[code].title}."), at)


def refuse_unread(policy: Policy, received: bytes) -> Answer:
    """Return the answer for bytes that the parser refused to call a request.

    `received` is what came of the head. Even such an answer carries the grant for the
    one Origin line in it: otherwise a cookie that grew too long would look like a CORS
    error in the browser.
    """
    refusal = guard.diagnose(policy.limits, received)
    line = _REQUEST_LINE.match(received)
    target = line[2] if line is not None else b"/"
    origins = [match[1] for match in _ORIGIN_LINE.finditer(received.partition(b"\r\n\r\n")[0])]
    fields = [(b"Origin", origin) for origin in origins]
    case = _read(policy, RequestHead("GET", target, fields))
    return _refused(case, refusal, kind=Kind.UNREADABLE)


_REQUEST_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([!-~]+) ")
_ORIGIN_LINE = re.compile(rb"(?im)^origin:[ \t]*([^\r\n]*?)[ \t]*\r?$")


def _read(policy: Policy, request: RequestHead) -> _Case:
    fields = read_fields(request)
    target = parse_target(request.target)
    route = None if target is None else find_route(policy, target.path)
    rules = policy.default_cors
    if route is not None and route.cors != "passthrough":
        rules = route.cors
    origin = judge_origin(rules, fields.found.get(b"origin", ()))
    return _Case(policy, request, fields, target, route, rules, origin)


def _check(case: _Case) -> Refusal | None:
    """Run the guard, the most basic doubt first."""
    request, found = case.request, case.fields.found
    hosts = found.get(b"host", ())
    return (
        guard.check_size(case.policy.limits, request.target, request.fields)
        or guard.check_method(request.method)
        or guard.check_framing(found, request.minor_version)
        or guard.check_host(case.policy, hosts, request.minor_version)
        or guard.check_target(case.target, request.target, hosts)
        or guard.check_expectation(found)
        or guard.check_loop(case.policy, found)
    )


def _refused(
    case: _Case, refusal: Refusal, at: Source | None = None, kind: Kind | None = None
) -> Answer:
    code = refusal.code
    if code is Code.HOST_NOT_ALLOWED:
        at = case.policy.allowed_hosts_source
    verdict = case.verdict(code, False, at, refusal.subject)
    if kind is not None:
        verdict = verdict._replace(kind=kind)
    return problem(
        verdict,
        case.origin.grant,
        refusal.detail,
        hint_for(verdict, case.rules),
        head_only=case.request.method == "HEAD",
        close=code in _CLOSING,
        extra=_ALLOW if code is Code.METHOD_REFUSED else (),
    )


_ALLOW: tuple[Field, ...] = ((b"Allow", b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),)


def _values(request: RequestHead, name: bytes) -> list[bytes]:
    return [value for key, value in request.fields if key.lower() == name]


def _is_preflight(case: _Case) -> bool:
    """Fetch, "CORS-preflight request"; decided by the fields as received."""
    return (
        case.request.method == "OPTIONS"
        and case.origin.value is not None
        and bool(_values(case.request, b"access-control-request-method"))
    )


def _answer_options(case: _Case) -> Answer | None:
    """Answer a preflight, `OPTIONS *`, and the last hop of Max-Forwards; None for others."""
    if _is_preflight(case):
        return None if case.passthrough else _answer_preflight(case)
    last_hop = case.fields.found.get(b"max-forwards") == [b"0"]
    if last_hop or (case.target is not None and case.target.path == b"*"):
        verdict = case.verdict(Code.LOCAL_OPTIONS, True, None)
        grant = case.origin.grant
        vary = ((b"Vary", b"Origin"),) if grant.varies else ()
        return no_content(verdict, [*_ALLOW, *vary, *grant.fields])
    return None


def _answer_preflight(case: _Case) -> Answer:
    origin, pattern = case.origin.value, case.origin.pattern
    if origin is None or pattern is None:
        return _block_origin(case)
    requested = _values(case.request, b"access-control-request-method")
    judgement = judge_preflight(
        case.rules,
        origin,
        pattern,
        requested[0] if len(requested) == 1 else b"",
        _values(case.request, b"access-control-request-headers"),
    )
    allowed = judgement.code is Code.ORIGIN_ALLOWED
    subject = (origin if allowed else judgement.subject).decode("ascii", "replace")
    verdict = case.verdict(judgement.code, allowed, judgement.at, subject)
    if allowed:
        return no_content(verdict, judgement.fields)
    return no_content(verdict, [*judgement.fields, (REASON, verdict.reason.encode("utf-8"))])


def _block_origin(case: _Case) -> Answer:
    """Answer 403 without a grant: the origin is not in the list."""
    received = case.origin.value or b""
    well_formed = guard.is_origin(received)
    subject = received.decode("ascii") if well_formed else ""
    if well_formed:
        detail = f"The page's origin {subject} is not in this proxy's allowlist."
    else:
        detail = "The Origin of the request is not one well-formed origin."
    verdict = case.verdict(Code.ORIGIN_NOT_ALLOWED, False, case.rules.origins.source, subject)
    return problem(
        verdict,
        case.origin.grant,
        detail,
        hint_for(verdict, case.rules),
        head_only=case.request.method == "HEAD",
    )


def _is_same_origin(case: _Case, origin: bytes) -> bool:
    """Whether the page is this proxy's own: what the browser says, or what Host says.

    The scheme is left out, because TLS may end in front of this listener.
    """
    sites = case.fields.found.get(b"sec-fetch-site")
    if sites is not None and len(sites) == 1 and sites[0] in (b"same-origin", b"none"):
        return True
    scheme, separator, authority = origin.partition(b"://")
    if not separator:
        return False
    named = guard.parse_host(authority)
    own = guard.parse_host(_effective_host(case))
    if named is None or own is None:
        return False
    default = 443 if scheme == b"https" else 80
    return (named.name, named.port or default) == (own.name, own.port or default)


def _effective_host(case: _Case) -> bytes:
    """Return the Host that the client used, behind a trusted proxy the one it reports."""
    if is_trusted(case.policy, case.request.client):
        forwarded = case.fields.found.get(b"x-forwarded-host")
        if forwarded:
            return forwarded[-1]
    return case.fields.host


def _is_secure(case: _Case) -> bool:
    if is_trusted(case.policy, case.request.client):
        forwarded = case.fields.found.get(b"x-forwarded-proto")
        if forwarded:
            return forwarded[-1].lower() == b"https"
    return case.request.secure


def _forward_or_block(case: _Case, route: Route, target: Target) -> Decision:
    """Decide an actual request or a handshake (CORS says who may read; here it is also who
    may cause side effects, since simple requests come without a preflight)."""
    value, pattern = case.origin.value, case.origin.pattern
    upgrade = None
    if b"upgrade" in case.fields.found:
        upgrade = upgrade_of(case.request, case.fields)
    kind = Kind.ACTUAL if upgrade is None else Kind.WEBSOCKET
    vouched = True
    if case.passthrough:
        vouched = False
        verdict = Verdict(kind, Code.PASSTHROUGH, True, route.name, route.source)
    elif value is None:
        kind = Kind.NO_ORIGIN if upgrade is None else kind
        verdict = Verdict(kind, Code.NO_ORIGIN, True, route.name)
    elif pattern is not None:
        subject = value.decode("ascii", "replace")
        verdict = Verdict(kind, Code.ORIGIN_ALLOWED, True, route.name, pattern.source, subject)
    elif _is_same_origin(case, value):
        kind = Kind.SAME_ORIGIN if upgrade is None else kind
        verdict = Verdict(kind, Code.SAME_ORIGIN, True, route.name)
    elif case.rules.unlisted_origins == "forward" and upgrade is None:
        vouched = False
        subject = value.decode("ascii") if guard.is_origin(value) else ""
        at = case.rules.origins.source
        verdict = Verdict(kind, Code.ORIGIN_FORWARDED, False, route.name, at, subject)
    else:
        return _block_origin(case)
    request = to_upstream(
        case.policy,
        route,
        case.request,
        case.fields,
        target,
        vouched=vouched,
        upgrade=upgrade,
    )
    make = Forward if upgrade is None else Tunnel
    return make(
        case.policy,
        route,
        request,
        verdict,
        case.request,
        None if case.passthrough else case.origin.grant,
        case.origin.grant,
        _effective_host(case),
        _is_secure(case),
    )
