"""One exchange, from head to head: `decide`, then `complete` or `fail`.

    RequestHead -> decide -> Answer                          respond here and now
                          -> Forward -> UpstreamHead -> complete -> ClientHead
                                     -> UpstreamError -> fail -> Answer

A Forward that asks to switch protocols becomes a tunnel if the upstream answers 101.
`refusals` answers what goes wrong before a decision: limits, draining, bytes that are no
request.
"""

from typing import Final

from corsproxy.core import guard
from corsproxy.core.advice.hints import hint_for_client
from corsproxy.core.answers import REASON, Answer, no_content, problem
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

    If `request.upgrade` and the response is a 101, bytes go both ways after `complete`.
    """

    __slots__ = ("context", "request", "route", "verdict")

    def __init__(
        self, context: RequestContext, route: Route, request: UpstreamRequest, verdict: Verdict
    ) -> None:
        self.context: Final = context
        """The client's request."""
        self.route: Final = route
        self.request: Final = request
        """The request for the upstream."""
        self.verdict: Final = verdict

    @property
    def policy(self) -> Policy:
        return self.context.policy

    @property
    def received(self) -> RequestHead:
        return self.context.request

    @property
    def grant(self) -> Grant | None:
        """The grant for the response; None: the upstream answers CORS itself."""
        return None if self.verdict.code is Code.PASSTHROUGH else self.context.origin.grant

    def links(self) -> LinkMap:
        """Return the map that brings the response's links back to this proxy."""
        context = self.context
        return LinkMap(
            context.policy.link_bases,
            self.route,
            context.public_host,
            context.is_secure,
            context.request,
        )


Decision = Answer | Forward

_SHARED_CONNECTION: Final = (
    "NTLM and Negotiate authenticate a connection, and the one from the proxy in"
    " trusted_proxies carries the requests of many users: each of them would be logged in as"
    " the first one."
)


def decide(policy: Policy, request: RequestHead) -> Decision:
    """Decide what to do with a request. Never raises, whatever the request contains."""
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
    # An Origin that is only let through was not approved by any rule.
    vouched = verdict.code is not Code.ORIGIN_FORWARDED and verdict.code is not Code.PASSTHROUGH
    to_send = to_upstream(context, route, target, vouched=vouched, upgrade=upgrade)
    if to_send.authenticates_connection and context.is_trusted:
        return refused(context, Refusal(Code.CONNECTION_AUTH, _SHARED_CONNECTION))
    return Forward(context, route, to_send, verdict)


def _admit(context: RequestContext, route: Route, upgrade: bytes | None) -> Verdict | None:
    """Return the verdict for forwarding an actual request or a handshake; None if its origin
    must not reach the upstream.

    CORS decides who may read. This proxy also applies it to who may cause side effects,
    because simple requests come without a preflight.
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

    Two statuses are not passed on: a 407, which would make the browser ask for a proxy's
    password, and a 101 to a protocol that was not asked for (RFC 9110, 7.8).
    """
    context, grant = exchange.context, exchange.grant
    if upstream.status == 407:
        detail = "The upstream answered 407, as only a proxy may."
        return fail(exchange, UpstreamError(UpstreamFault.PROXY_AUTH, detail))
    if upstream.authenticates_connection and context.is_trusted:
        return fail(exchange, UpstreamError(UpstreamFault.CONNECTION_AUTH, _SHARED_CONNECTION))
    if upstream.status == 101:
        if not exchange.request.upgrade:
            return _switched_wrongly(exchange, "without being asked")
        if not _is_asked_for(exchange.request, upstream):
            return _switched_wrongly(exchange, "to another one than it was asked for")
        grant = None if grant is None else NOTHING_TO_SAY
    return to_client(
        exchange.route,
        context.request.minor_version,
        upstream,
        grant,
        exchange.links,
        secure=context.is_secure,
        sandboxed=is_sandboxed(exchange.route, context.request),
    )


def _is_asked_for(request: UpstreamRequest, upstream: UpstreamHead) -> bool:
    """Whether a 101 switches to a protocol that the request names; a name without a version
    means any version."""
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
    """Whether the browser keeps our own answer from the page: its origin was only let
    through, or only the upstream could have granted access."""
    code, context = exchange.verdict.code, exchange.context
    if code is not Code.PASSTHROUGH or context.origin.grant.fields:
        return code is Code.ORIGIN_FORWARDED
    origin = context.origin.value
    return origin is not None and not context.is_same_origin(origin)


def fail(exchange: Forward, error: UpstreamError) -> Answer:
    """Return the answer for an upstream that failed.

    This is for failures before the response head was sent; after that, the connection can
    only be aborted.
    """
    verdict = exchange.verdict.replace(
        code=Code(error.fault),
        at=exchange.route.source,
        subject="",
        withheld=_is_withheld(exchange),
        cause=error.cause,
    )
    answer = problem(
        verdict,
        exchange.context.origin.grant,
        _without_directories(exchange.route, error.detail),
        hint_for_client(verdict, exchange.policy),
        head_only=exchange.received.method == "HEAD",
    )
    # The log has the whole detail.
    return Answer(answer.head, answer.body, verdict, answer.close, error.detail)


def _without_directories(route: Route, detail: str) -> str:
    """Return what clients may read: the names of the route's files without directories."""
    for path in (route.upstream.socket_path, *route.tls.files):
        if path is not None and path in detail:
            detail = detail.replace(path, path.replace("\\", "/").rpartition("/")[2])
    return detail


_NOTHING: Final = Outlook(RequestHead("", b"", ()), b"", False)


def outlook_of(
    policy: Policy, request: RequestHead, verdict: Verdict, forward: Forward | None
) -> Outlook:
    """Return what the page behind a request can expect of the response; `forward` is the
    decision, if the request was forwarded."""
    if forward is None and verdict.kind is Kind.PREFLIGHT and verdict.allowed:
        return _NOTHING  # a preflight that passes has no outcome
    context = RequestContext(policy, request) if forward is None else forward.context
    grant = None if forward is None else forward.grant
    return Outlook(
        request,
        context.public_host,
        context.is_secure,
        None if grant is None else grant.fields,
        None if forward is None else context.found,
    )
