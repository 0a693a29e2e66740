"""The whole file: the decision, the grants, and the server."""

from corsproxy.core.policy import ListenAddress
from corsproxy.export import expressions, steps
from corsproxy.export.layout import Lines, block, comment
from corsproxy.export.losses import EVERYWHERE, Loss, exposing_losses
from corsproxy.export.nginx.decision import decision, origin_maps, request_maps
from corsproxy.export.nginx.routes import (
    forward_location,
    route_losses,
    upstream_block,
    upstream_maps,
)
from corsproxy.export.nginx.text import GRANT, map_block, milliseconds, pattern, quoted
from corsproxy.export.plan import Cors, Plan, at, bracketed

VERSIONS = "nginx 1.22.1"

ALWAYS = (
    *EVERYWHERE,
    "an empty Access-Control-Request-Method does not make a preflight: the request is forwarded",
    "before nginx 1.23 only the first of several lines of one request field counts, Origin's too",
    "fields of the request whose names have underscores are dropped",
    "malformed percent-encoding in a path is refused with 400",
    "requests that nginx refuses before it has read the fields (400, 414) carry no grant",
    "Content-Location and Link are not mapped; a Location with dot segments is, like any other",
    "over plain http every cookie gets SameSite=Lax, whatever it had, and Partitioned stays",
    "fields that Connection names are forwarded",
    "timeout.response and timeout.idle become one, the longer; it limits event streams, too",
    "the names of upstreams are resolved once, at the start",
    "what response_headers sets is also on nginx's own 502 and 504",
)

_ASKED_NAMES = "$http_access_control_request_headers"


def write(plan: Plan) -> tuple[Lines, list[Loss]]:
    """Return the configuration, and its losses besides ALWAYS."""
    lines = [
        "worker_processes auto;",
        "",
        "events {",
        "  worker_connections 4096;",
        "}",
        "",
        *block("http", _general(), request_maps(plan), decision(plan), origin_maps(plan),
               _grants(plan), upstream_maps(plan), _upstreams(plan), _server(plan)),
    ]  # fmt: skip
    losses = [loss for cors in plan.cors for loss in exposing_losses(cors.rules)]
    losses += [loss for route in plan.routes for loss in route_losses(plan, route)]
    return lines, losses


def _general() -> Lines:
    return [
        "variables_hash_max_size 8192;",
        "variables_hash_bucket_size 128;",
        "map_hash_max_size 8192;",
        "map_hash_bucket_size 256;",
        "server_tokens off;",
        comment("A dollar sign that does not begin a variable."),
        'geo $cp_dollar { default "$"; }',
    ]


def _grants(plan: Plan) -> Lines:
    routes = [(route.id, route.cors.id if route.cors else "none") for route in plan.routes]
    errors = [(route.id, plan.cors_of(route).id) for route in plan.routes]
    credentials, exposed, varies = [], [], []
    for cors in plan.cors:
        fields = dict(steps.actual_grant(cors.rules))
        credentials += [(f"{cors.id}:1", "true")] if cors.rules.credentials else []
        names = fields.get("Access-Control-Expose-Headers")
        if names is not None:
            value = names if isinstance(names, str) else "*"
            exposed.append((f"{cors.id}:1", quoted(value)))
        if not cors.is_any:
            varies.append((pattern(rf"^{cors.id}:(?:.*[\t ,])?(?:origin|\*)(?:[\t ,].*)?$", "~*"),
                           '""'))  # fmt: skip
            varies.append((pattern(f"^{cors.id}:"), "Origin"))
    return [
        comment("The grant. A field without a value is not sent."),
        *map_block("$cp_route", "$cp_cors", plan.default.id, errors),
        *map_block('"$cp_cors:$cp_is_granted"', "$cp_credentials", '""', credentials),
        *map_block('"$cp_cors:$cp_is_granted"', "$cp_exposed", '""', exposed),
        comment("Vary lists Origin once, beside what the upstream lists."),
        *map_block("$cp_route", "$cp_varying", plan.default.id, routes),
        *map_block('"$cp_varying:$upstream_http_vary"', "$cp_vary", '""', varies),
        *_safelisted_maps(),
        *(line for cors in plan.cors for line in _preflight_maps(cors)),
    ]


def _preflight_maps(cors: Cors) -> Lines:
    rules, own = cors.rules, f"$cp_{cors.id}"
    fits = [('""', "1"), (pattern(f"^{expressions.allowed_headers(rules)}$", "~*"), "1")]
    lines = [comment(f"{at(rules.request_headers.source)}: what preflights of {cors.id} may ask")]
    if rules.request_headers.any:
        lines += map_block(_ASKED_NAMES, f"{own}_names", '""', [(fits[1][0], _ASKED_NAMES)])
    if rules.max_age is None:
        return lines if len(lines) > 1 else []
    methods = pattern(f"^(?:{expressions.allowed_methods(rules)})$")
    return [
        *lines,
        *map_block("$http_access_control_request_method", f"{own}_method", "0", [(methods, "1")]),
        *map_block(_ASKED_NAMES, f"{own}_fits", "0", fits),
        *map_block(f'"{own}_method{own}_fits"', f"{own}_age", '""', [("11", str(rules.max_age))]),
    ]


def _safelisted_maps() -> Lines:
    """Browsers ask for safelisted names only if their values are unusual, and then need to see
    the names in the response."""
    return [
        line
        for name in steps.SAFELISTED
        for line in map_block(_ASKED_NAMES, _asks_for(name), '""', [
            (pattern(rf"^(?:.*[\t ,])?{name}(?:[\t ,].*)?$", "~*"), quoted(f", {name}")),
        ])
    ]  # fmt: skip


def _asks_for(name: str) -> str:
    return f"$cp_asks_for_{name.replace('-', '_')}"


def _allow_headers(cors: Cors) -> str:
    rules = cors.rules
    if rules.request_headers.any:
        return f"$cp_{cors.id}_names"
    added = map(_asks_for, steps.unlisted_safelisted(rules))
    return quoted(steps.allow_headers(rules))[:-1] + "".join(added) + '"'


def _upstreams(plan: Plan) -> Lines:
    return [line for route in plan.routes for line in upstream_block(route)]


def _server(plan: Plan) -> Lines:
    limits = plan.policy.limits
    listening = [line for address in plan.listen for line in _listen(plan, address)]
    body = [
        *listening,
        "server_name _;",
        *_tls(plan),
        "",
        f"client_header_timeout {milliseconds(limits.head_timeout)};",
        f"client_body_timeout {milliseconds(limits.body_timeout)};",
        f"send_timeout {milliseconds(limits.write_timeout)};",
        f"keepalive_timeout {milliseconds(limits.keepalive_timeout)};",
        f"client_max_body_size {limits.body or 0};",
        "large_client_header_buffers 4 32k;",
        "default_type text/plain;",
        "",
        comment("What every response carries; locations with fields of their own repeat it."),
        *GRANT,
        "",
        "rewrite ^ /$cp_go? last;",
    ]
    refusals = [f"location = /refuse-{status} {{ {_refusal(status)} }}" for status in steps.TEXTS]
    refusals.append(
        f"location = /refuse-preflight {{ add_header Vary {quoted(steps.PREFLIGHT)} always;"
        f" {_refusal(403)} }}"
    )
    preflights = [line for cors in plan.cors for line in _preflight_location(cors)]
    routes = [forward_location(plan, route) for route in plan.routes]
    return block("server", body, refusals, preflights, *routes)


def _refusal(status: int) -> str:
    return f"return {status} {quoted(steps.TEXTS[status] + chr(10))};"


def _preflight_location(cors: Cors) -> Lines:
    values = {
        steps.Echo.ORIGIN: f"$cp_{cors.id}_origin",
        steps.Echo.NAMES: _allow_headers(cors),
        steps.Echo.LISTED: _allow_headers(cors),
    }
    step = next(step for step in steps.steps(cors.rules) if step.status == 204)
    lines = [
        f"add_header {name} {quoted(value) if isinstance(value, str) else values[value]} always;"
        for name, value in step.fields
        if name != "Access-Control-Max-Age"
    ]
    if cors.rules.max_age is not None:
        lines.append(f"add_header Access-Control-Max-Age $cp_{cors.id}_age always;")
    if step.vary:
        lines.append(f"add_header Vary {quoted(step.vary)} always;")
    return [
        comment(f"{at(cors.source)}: preflights of {cors.id}"),
        *block(f"location = /{cors.id}-preflight", [*lines, "return 204;"]),
    ]


def _listen(plan: Plan, address: ListenAddress) -> Lines:
    hosts = map(bracketed, address.hosts)
    http2 = " http2" if plan.policy.http2 else ""
    tls = f" ssl{http2}" if address.https else ""
    return [f"listen {host}:{address.port}{tls} default_server;" for host in hosts]


def _tls(plan: Plan) -> Lines:
    """Return the certificate of https listeners."""
    tls = plan.policy.listener_tls
    if "https" not in plan.schemes or tls is None:
        return []
    return [
        f"ssl_certificate {quoted(tls.cert_file)};",
        f"ssl_certificate_key {quoted(tls.key_file)};",
        "ssl_protocols TLSv1.2 TLSv1.3;",
    ]
