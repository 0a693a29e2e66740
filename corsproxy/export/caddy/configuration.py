"""The whole file: global options, one snippet with all decisions, and the sites."""

from corsproxy.core.policy import ListenAddress
from corsproxy.export.caddy.decision import decision
from corsproxy.export.caddy.handlers import handlers, route_losses
from corsproxy.export.caddy.text import token
from corsproxy.export.layout import Lines, block, comment
from corsproxy.export.losses import EVERYWHERE, Loss, exposing_losses
from corsproxy.export.plan import Plan, bracketed

VERSIONS = "Caddy 2.11.7"

ALWAYS = (
    *EVERYWHERE,
    "Caddy 2.8 or newer is required: older versions merge slashes",
    "requests that Caddy refuses before handling them (400, 431) carry no grant",
    "malformed percent-encoding in a path is refused with 400",
    "Vary lists Origin twice if the upstream lists it, too",
    "Content-Location, Refresh and Link are not mapped",
    "hosts of more than 241 characters match no wildcard",
    "what response_headers sets is also on Caddy's own 502 and 504",
    "X-Forwarded-Port and the like are dropped only under their usual names",
)


def write(plan: Plan) -> tuple[Lines, list[Loss]]:
    """Return the Caddyfile, and its losses besides ALWAYS."""
    lines = [
        *block("", _options(plan)),
        "",
        *block("(corsproxy)", [*block("route", _constants(plan), decision(plan), handlers(plan))]),
    ]
    lines[0] = "{"
    for address in plan.listen:
        lines += ["", *_site(plan, address)]
    losses = [loss for route in plan.routes for loss in route_losses(plan, route)]
    losses += [loss for cors in plan.cors for loss in exposing_losses(cors.rules)]
    return lines, losses


def _options(plan: Plan) -> Lines:
    limits = plan.policy.limits
    return [
        "admin off",
        "persist_config off",
        "auto_https off",
        *block(
            "servers",
            [
                *block("timeouts", [
                    f"read_header {_seconds(limits.head_timeout)}",
                    f"idle {_seconds(limits.keepalive_timeout)}",
                ]),
                "max_header_size 64KB",
                f"protocols h1{' h2' if plan.policy.http2 else ''}",
            ],
        ),
    ]  # fmt: skip


def _constants(plan: Plan) -> Lines:
    lines = [
        comment("An opening brace would begin a placeholder, a backtick would end a token."),
        'vars cp_brace "{"',
        'vars cp_tick "`"',
    ]
    if plan.policy.limits.body is not None:
        lines += block("request_body", [f"max_size {plan.policy.limits.body}"])
    return lines


def _site(plan: Plan, address: ListenAddress) -> Lines:
    tls = plan.policy.listener_tls
    body = [f"bind {' '.join(map(bracketed, address.hosts))}"]
    if address.https and tls is not None:
        body.append(f"tls {token(tls.cert_file)} {token(tls.key_file)}")
    return block(f"{address.scheme}://:{address.port}", [*body, "import corsproxy"])


def _seconds(value: float | None) -> str:
    return "24h" if value is None else f"{round(value * 1000)}ms"
