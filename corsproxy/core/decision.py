"""One exchange, from head to head: `decide`, then `complete` or `fail`.

    RequestHead -> decide -> Answer                          respond here and now
                          -> Forward -> UpstreamHead -> complete -> ClientHead
                                     -> UpstreamError -> fail -> Answer

A Forward that asks to switch protocols becomes a tunnel where the upstream answers 101.
What goes wrong around a request (limits, draining, bytes that are no request at all) is
answered by `refusals`.
"""

from typing import Final

from corsproxy.core import guard
from corsproxy.core.advice.hints import hint_for_client
from corsproxy.core.answers import REASON, Answer, no_content, problem
from corsproxy.core.client_address import is_trusted
from corsproxy.core.cors import NOTHING_TO_SAY, Grant, judge_preflight
from corsproxy.core.documents import is_sandboxed
from corsproxy.core.fields import split_list
from corsproxy.core.guard import Refusal
from corsproxy.core.links import LinkMap
from corsproxy.core.messages import ClientHead, Fields, RequestHead, UpstreamHead, UpstreamRequest
from corsproxy.core.outcome.outlook import Outlook
from corsproxy.core.policy import Policy, Route
from corsproxy.core.refusals import ALLOW, check, origin_refused, refused
from corsproxy.core.request_context import RequestContext
from corsproxy.core.to_client import to_client
from corsproxy.core.to_upstream import to_upstream
from corsproxy.core.verdicts import Code, Kind, Verdict
from corsproxy.errors import UpstreamCause, UpstreamError, UpstreamFault


class Forward:
    """Ask the upstream, then `complete` or `fail`.

    Where `request.upgrade` and the answer is a 101, bytes go both ways after `complete`.
    """

    __slots__ = (
        "authority",
        "error_grant",
        "grant",
        "outlook",
        "policy",
        "received",
        "request",
        "route",
        "secure",
        "verdict",
    )

    def __init__(
        self,
        policy: Policy,
        route: Route,
        request: UpstreamRequest,
        verdict: Verdict,
        received: RequestHead,
        grant: Grant | None,
        error_grant: Grant,
        authority: bytes,
        secure: bool,
        outlook: Outlook | None = None,
        found: dict[bytes, list[bytes]] | None = None,
    ) -> None:
        self.policy: Final = policy
        self.route: Final = route
        self.request: Final = request
        self.verdict: Final = verdict
        self.received: Final = received
        self.grant: Final = grant
        """What the response carries; None: the upstream answers CORS itself."""
        self.error_grant: Final = error_grant
        """What an answer of our own carries."""
        self.authority: Final = authority
        """Under which the client knows this proxy: host[:port]."""
        self.secure: Final = secure
        """Whether the client knows it under https."""
        self.outlook: Final = outlook or Outlook(
            received, authority, secure, None if grant is None else grant.fields, found
        )
        """What the page can expect of the response."""

    def links(self) -> LinkMap:
        """Return the map that brings the response's links back to this proxy."""
        return LinkMap(
            self.policy.link_bases, self.route, self.authority, self.secure, self.received
        )


Decision = Answer | Forward

_SHARED_CONNECTION: Final = (
    "NTLM and Negotiate authenticate a connection, and the one from the proxy in"
    " trusted_proxies carries the requests of many users: each of them would be logged in as"
    " whoever came first."
)


def decide(policy: Policy, request: RequestHead) -> Decision:
    """Decide what becomes of a request. Never raises, whatever the request holds."""
    context = RequestContext(policy, request)
    refusal = check(context)
    if refusal is not None:
        return refused(context, refusal)
    if request.method == "OPTIONS":
        answer = _answer_options(context)
        if answer is not None:
            return answer
    route, target = context.route, context.target
    if route is None or target is None:
        return refused(context, Refusal(Code.NO_ROUTE, "No route takes this path."))
    upgrade = context.upgrade if b"upgrade" in context.found else None
    verdict = _admit(context, route, upgrade)
    if verdict is None:
        return origin_refused(context)
    # Nobody stands for an Origin that is only let through.
    vouched = verdict.code is not Code.ORIGIN_FORWARDED and verdict.code is not Code.PASSTHROUGH
    to_send = to_upstream(context, route, target, vouched=vouched, upgrade=upgrade)
    if to_send.authenticates_connection and context.is_trusted:
        return refused(context, Refusal(Code.CONNECTION_AUTH, _SHARED_CONNECTION))
    return Forward(
        policy,
        route,
        to_send,
        verdict,
        request,
        None if verdict.code is Code.PASSTHROUGH else context.origin.grant,
        context.origin.grant,
        context.public_host,
        context.is_secure,
        found=context.found,
    )


def _admit(context: RequestContext, route: Route, upgrade: bytes | None) -> Verdict | None:
    """Return the verdict under which an actual request or a handshake is forwarded; None
    where its origin must not reach the upstream.

    CORS says who may read. Here it is also who may cause side effects, since simple
    requests come without a preflight.
    """
    kind = Kind.ACTUAL if upgrade is None else Kind.WEBSOCKET
    value, pattern = context.origin.value, context.origin.pattern
    if context.passthrough:
        return context.verdict(Code.PASSTHROUGH, True, route.source)
    if value is None:
        kind = Kind.NO_ORIGIN if upgrade is None else kind
        return Verdict(kind, Code.NO_ORIGIN, True, route.name)
    if pattern is not None:
        subject = value.decode("ascii", "replace")
        return Verdict(kind, Code.ORIGIN_ALLOWED, True, route.name, pattern.source, subject)
    if context.is_same_origin(value):
        kind = Kind.SAME_ORIGIN if upgrade is None else kind
        return Verdict(kind, Code.SAME_ORIGIN, True, route.name)
    if context.rules.unlisted_origins == "forward" and upgrade is None:
        subject = value.decode("ascii") if guard.is_origin(value) else ""
        at = context.rules.origins.source
        return Verdict(kind, Code.ORIGIN_FORWARDED, False, route.name, at, subject)
    return None


def _answer_options(context: RequestContext) -> Answer | None:
    """Answer a preflight, `OPTIONS *`, and the last hop of Max-Forwards; None for others."""
    if context.is_preflight and not context.passthrough:
        return _answer_preflight(context)
    last_hop = context.found.get(b"max-forwards") == [b"0"]
    if last_hop or context.request.target == b"*":
        grant = context.origin.grant
        vary = ((b"Vary", b"Origin"),) if grant.varies else ()
        verdict = context.verdict(Code.LOCAL_OPTIONS, True, None)
        return no_content(verdict, [*ALLOW, *vary, *grant.fields])
    return None


def _answer_preflight(context: RequestContext) -> Answer:
    origin, pattern = context.origin.value, context.origin.pattern
    if origin is None or pattern is None:
        return origin_refused(context)
    methods = context.found[b"access-control-request-method"]
    judgement = judge_preflight(
        context.rules,
        origin,
        pattern,
        methods[0] if len(methods) == 1 else b"",
        context.found.get(b"access-control-request-headers", ()),
    )
    allowed = judgement.code is Code.ORIGIN_ALLOWED
    subject = (origin if allowed else judgement.subject).decode("ascii", "replace")
    name = None if context.route is None else context.route.name
    verdict = Verdict(Kind.PREFLIGHT, judgement.code, allowed, name, judgement.at, subject)
    if allowed:
        return no_content(verdict, judgement.fields)
    return no_content(verdict, [*judgement.fields, (REASON, verdict.reason.encode("utf-8"))])


def complete(exchange: Forward, upstream: UpstreamHead) -> ClientHead | Answer:
    """Return the response head for the client, or an answer in its place.

    A 407 would open the browser's dialog for a proxy's password, and a 101 that nobody
    asked for would leave the connection without a protocol, or with one that no rule here
    was made for (RFC 9110, 7.8): neither is passed on.
    """
    grant = exchange.grant
    if upstream.status == 407:
        detail = "The upstream answered 407, as only a proxy may."
        return fail(exchange, UpstreamError(UpstreamFault.PROXY_AUTH, detail))
    if upstream.authenticates_connection and is_trusted(exchange.policy, exchange.received.client):
        return fail(exchange, UpstreamError(UpstreamFault.CONNECTION_AUTH, _SHARED_CONNECTION))
    if upstream.status == 101:
        if not exchange.request.upgrade:
            return _switched_wrongly(exchange, "without being asked")
        if not _is_asked_for(exchange.request, upstream):
            return _switched_wrongly(exchange, "to another one than it was asked for")
        grant = None if grant is None else NOTHING_TO_SAY
    return to_client(
        exchange.route,
        exchange.received.minor_version,
        upstream,
        grant,
        exchange.links,
        secure=exchange.secure,
        sandboxed=is_sandboxed(exchange.route, exchange.received),
    )


def _is_asked_for(request: UpstreamRequest, upstream: UpstreamHead) -> bool:
    """Whether a 101 switches to what the request names; a name without a version stands for
    each version."""
    asked = {protocol.lower() for protocol in _protocols(request.fields)}
    chosen = [protocol.lower() for protocol in _protocols(upstream.fields)]
    return bool(chosen) and all(
        protocol in asked or protocol.partition(b"/")[0] in asked for protocol in chosen
    )


def _protocols(fields: Fields) -> list[bytes]:
    return split_list(value for name, value in fields if name.lower() == b"upgrade")


def _switched_wrongly(exchange: Forward, how: str) -> Answer:
    detail = f"The upstream switched protocols {how}."
    error = UpstreamError(UpstreamFault.MALFORMED, detail, UpstreamCause.BAD_HTTP)
    return fail(exchange, error)


def _is_withheld(exchange: Forward) -> bool:
    """Whether the browser keeps an answer of our own from the page: its origin was only let
    through, or the upstream would have granted what we cannot."""
    code = exchange.verdict.code
    if code is not Code.PASSTHROUGH or exchange.error_grant.fields:
        return code is Code.ORIGIN_FORWARDED
    context = RequestContext(exchange.policy, exchange.received)
    origin = context.origin.value
    return origin is not None and not context.is_same_origin(origin)


def fail(exchange: Forward, error: UpstreamError) -> Answer:
    """Return the answer for an upstream that could not be asked or understood.

    For failures before the response head went out; after it, only the connection can
    still be aborted.
    """
    verdict = exchange.verdict._replace(
        code=Code(error.fault),
        at=exchange.route.source,
        subject="",
        withheld=_is_withheld(exchange),
        cause=error.cause,
    )
    answer = problem(
        verdict,
        exchange.error_grant,
        _without_directories(exchange.route, error.detail),
        hint_for_client(verdict, exchange.policy),
        head_only=exchange.received.method == "HEAD",
    )
    return answer._replace(detail=error.detail)


def _without_directories(route: Route, detail: str) -> str:
    """Return what clients may read: files of the route without the directories that they are in.
    The log has them whole."""
    for path in (route.upstream.socket_path, *route.tls.files):
        if path is not None and path in detail:
            detail = detail.replace(path, path.replace("\\", "/").rpartition("/")[2])
    return detail


_NOTHING: Final = Outlook(RequestHead("", b"", ()), b"", False)


def outlook_of(
    policy: Policy, request: RequestHead, verdict: Verdict, forward: Forward | None
) -> Outlook:
    """Return what the page behind a request can expect of a response to it; `forward` is what
    was decided, where it went on."""
    if forward is not None:
        return forward.outlook
    if verdict.kind is Kind.PREFLIGHT and verdict.allowed:
        return _NOTHING  # it passes, and is one of many
    context = RequestContext(policy, request)
    return Outlook(request, context.public_host, context.is_secure)
