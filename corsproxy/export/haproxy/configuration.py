"""The whole file: the global section, the frontend, the backends."""

from corsproxy.core.policy import ListenAddress
from corsproxy.export.haproxy.backends import backend, route_losses
from corsproxy.export.haproxy.decision import answers, decision
from corsproxy.export.haproxy.text import milliseconds, quoted
from corsproxy.export.layout import Lines, comment, indented
from corsproxy.export.losses import EVERYWHERE, Loss
from corsproxy.export.plan import Plan

VERSIONS = "HAProxy 2.6.12 with PCRE2"

ALWAYS = (
    *EVERYWHERE,
    "requests that HAProxy refuses before its rules (400, 408) carry no grant",
    "of several Access-Control-Request-Headers only the last line counts",
    "fields that Connection names are forwarded",
    "timeout.response and timeout.idle become one, the longer; it limits event streams, too",
    "an upstream that cannot be reached is tried twice, a second apart",
    "cookies: of a repeated attribute, one remains",
)


def write(plan: Plan) -> tuple[Lines, list[Loss]]:
    """Return the configuration, and its losses besides ALWAYS."""
    lines = [
        "global",
        *indented(_global()),
        "",
        "defaults",
        *indented(_defaults(plan)),
        "",
        *_resolvers(plan),
        "frontend corsproxy",
        *indented([*_binds(plan), *_body(plan), *decision(plan), *answers(plan)]),
    ]
    for route in plan.routes:
        lines += ["", *backend(plan, route)]
    losses = [loss for route in plan.routes for loss in route_losses(plan, route)]
    tls = plan.policy.listener_tls
    if "https" in plan.schemes and tls is not None and tls.key_file != tls.cert_file:
        words = f"tls.key_file: HAProxy reads the key from {tls.cert_file}.key: link it there"
        losses.append(Loss(plan.places.of("tls"), words))
    if plan.policy.limits.body is not None:
        words = "limits.body: a body without Content-Length is not limited"
        losses.append(Loss(plan.places.of("limits.body"), words))
    return lines, losses


def _global() -> Lines:
    return [
        comment("Header sections of 64 KiB, 128 fields."),
        "tune.bufsize 131072",
        "tune.maxrewrite 8192",
        "tune.http.maxhdr 128",
        "ssl-default-bind-options ssl-min-ver TLSv1.2",
        "ssl-default-server-options ssl-min-ver TLSv1.2",
    ]


def _defaults(plan: Plan) -> Lines:
    limits = plan.policy.limits
    waits = [limits.body_timeout, limits.write_timeout]
    longest = max(wait or 0.0 for wait in waits) or None
    return [
        "mode http",
        f"timeout http-request {milliseconds(limits.head_timeout)}",
        f"timeout http-keep-alive {milliseconds(limits.keepalive_timeout)}",
        f"timeout client {milliseconds(longest)}",
        "timeout connect 5s",
        "timeout server 300s",
        "timeout tunnel 24d",
        "option http-keep-alive",
        "http-reuse safe",
        "retries 1",
        "retry-on conn-failure empty-response",
    ]


def _resolvers(plan: Plan) -> Lines:
    if not any(route.named for route in plan.routes):
        return []
    return ["resolvers system", "  parse-resolv-conf", ""]


def _binds(plan: Plan) -> Lines:
    return [line for address in plan.listen for line in _bind(plan, address)]


def _bind(plan: Plan, address: ListenAddress) -> Lines:
    tls = plan.policy.listener_tls
    more = ""
    if address.https and tls is not None:
        alpn = "h2,http/1.1" if plan.policy.http2 else "http/1.1"
        more = f" ssl crt {quoted(tls.cert_file)} alpn {alpn}"
    return [f"bind {host}:{address.port}{more}" for host in address.hosts]


def _body(plan: Plan) -> Lines:
    most = plan.policy.limits.body
    return [f"acl too_large req.hdr_val(content-length) gt {most}"] if most is not None else []
