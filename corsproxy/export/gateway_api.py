"""Kubernetes Gateway API: a Gateway, an HTTPRoute and a Service for each route.

The CORS filter (standard since v1.5) supports exact origins and `https://*.example.com`, and
forwards calls that it does not grant. So other origins are blocked by matching on Origin: a rule
without a back end answers 500.
"""

import re

from corsproxy.core.origins import OriginPattern, PatternKind
from corsproxy.export import expressions, steps
from corsproxy.export import plan as planned
from corsproxy.export.layout import Lines, as_text, is_text
from corsproxy.export.losses import EVERYWHERE, Loss, field_losses
from corsproxy.export.plan import Cors, Plan, RoutePlan, at
from corsproxy.export.yaml_text import Node, Noted, dump

VERSIONS = "no controller: only its YAML is checked"

ALWAYS = (
    *EVERYWHERE,
    ("check that the controller's status names supportedFeatures: HTTPRouteCORS, and send a"
    " preflight: some accept the route but ignore the filter, or remove its grant"),
    "matches on Origin are regular expressions, which not every controller supports",
    "unlisted origins get 500, not 403; the proxy's other own responses are not the same",
    "unlisted_origins: forward is block here; preflights of origins without a rule get 500",
    "pages of this host are not recognized as such: they need an entry",
    "Vary is up to the controller; without it a cache may mix up the responses to two origins",
    "the upstream sees the page's Origin, and no Via; cookies, Location and Link are not mapped",
    "names in allowed_hosts are the hostnames of the routes; localhost and addresses are not",
    "paths are matched as the controller normalises them; ambiguous ones are not refused",
    ("timeouts, limits, HTTP/2, X-Forwarded-* and TLS to the upstream are the controller's"
    " (BackendTLSPolicy)"),
    "the upstream's Strict-Transport-Security, Alt-Svc, Clear-Site-Data and the like are passed on",
)  # fmt: skip

_API = "gateway.networking.k8s.io/v1"
_METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}
)


def write(plan: Plan) -> tuple[Lines, list[Loss]]:
    """Return the manifests, and their losses besides ALWAYS."""
    manifests = [_gateway(plan), *(_http_route(plan, route) for route in plan.routes)]
    manifests += [_service(route) for route in plan.routes if _is_reachable(route)]
    lines: Lines = []
    for number, manifest in enumerate(manifests):
        lines += ["---"] if number else []
        lines += dump(manifest)
    losses = [loss for route in plan.routes for loss in _losses(plan, route)]
    if plan.policy.listener_tls is not None and "https" in plan.schemes:
        words = "tls: the certificate is that of the Secret corsproxy-tls: create it from the files"
        losses.append(Loss(plan.places.of("tls"), words))
    return lines, losses


def _gateway(plan: Plan) -> Node:
    listeners = []
    for number, address in enumerate(plan.listen, 1):
        listener: Node = {
            "name": f"{address.scheme}-{number}",
            "protocol": address.scheme.upper(),
            "port": address.port,
        }
        if address.https:
            listener["tls"] = {"certificateRefs": [{"name": "corsproxy-tls"}]}
        listeners.append(listener)
    return {
        "apiVersion": _API,
        "kind": "Gateway",
        "metadata": {"name": "corsproxy"},
        "spec": {
            "gatewayClassName": Noted("The class of your controller.", "corsproxy"),
            "listeners": listeners,
        },
    }


def _http_route(plan: Plan, route: RoutePlan) -> Node:
    spec: Node = {"parentRefs": [{"name": "corsproxy"}]}
    if plan.policy.allowed_hosts and not plan.policy.any_host:
        spec["hostnames"] = sorted(name for name in plan.policy.allowed_hosts if _is_dns(name))
    return {
        "apiVersion": _API,
        "kind": "HTTPRoute",
        "metadata": {"name": _name(route)},
        "spec": {
            **spec,
            "rules": Noted(route.note, _rules(route)),
        },
    }


def _is_dns(name: str) -> bool:
    return re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", name) is not None


def _name(route: RoutePlan) -> str:
    return f"corsproxy-{route.id}"


def _is_reachable(route: RoutePlan) -> bool:
    return route.route.upstream.socket_path is None


def _rules(route: RoutePlan) -> list[object]:
    path = {"path": {"type": "PathPrefix", "value": route.path}}
    cors = route.cors
    if cors is None or cors.is_any:
        return [_rule(route, [path], cors)]
    listed = [pattern for pattern in cors.rules.origins.patterns if _is_expressible(pattern)]
    found: list[object] = []
    if listed:
        matched = "|".join(expressions.origin(pattern) for pattern in listed)
        found.append(_rule(route, [{**path, "headers": [_origin(f"^(?:{matched})$")]}], cors))
    refused: Node = {"matches": [{**path, "headers": [_origin("^.+$")]}]}
    found.append(Noted("Calls of other origins: no back end.", refused))
    found.append(_rule(route, [path], None, strips=True))
    return found


def _origin(expression: str) -> Node:
    return {"type": "RegularExpression", "name": "Origin", "value": expression}


def _is_expressible(pattern: OriginPattern) -> bool:
    """Whether the filter gives the pattern the same meaning as the file."""
    if pattern.scheme not in ("http", "https") or pattern.any_port:
        return False
    return pattern.kind in (PatternKind.EXACT, PatternKind.SUBDOMAINS)


def _rule(
    route: RoutePlan, matches: list[Node], cors: Cors | None, *, strips: bool = False
) -> Node:
    filters = [] if cors is None else [{"type": "CORS", "cors": _filter(cors)}]
    headers = _headers(route, strips=cors is not None or strips)
    rule: Node = {"matches": matches, "filters": [*filters, *headers, *_rewrite(route)]}
    if _is_reachable(route):
        rule["backendRefs"] = [{"name": _name(route), "port": route.route.upstream.port}]
    return rule


def _filter(cors: Cors) -> Node:
    rules = cors.rules
    origins = ["*"] if cors.is_any else [
        pattern.text for pattern in rules.origins.patterns if _is_expressible(pattern)
    ]  # fmt: skip
    methods = [name for name in steps.allow_methods(rules).split(", ") if name in _METHODS]
    names = [*rules.request_headers.names]
    node: Node = {
        "allowOrigins": origins,
        "allowMethods": methods,
        "allowHeaders": ["*"] if rules.request_headers.any else names,
        "exposeHeaders": ["*"] if rules.expose_headers.any else [*rules.expose_headers.names],
    }
    if rules.credentials:
        node["allowCredentials"] = True
    if rules.max_age:
        node["maxAge"] = rules.max_age
    return {key: value for key, value in node.items() if value != []}


def _headers(route: RoutePlan, *, strips: bool) -> list[Node]:
    asked, answered = route.route.request_headers, route.route.response_headers
    removed = [name.decode("ascii") for name in sorted(answered.remove)]
    removed = [*(planned.GRANT_FIELDS if strips else ()), *removed]
    request = _modifier(asked.set, [name.decode("ascii") for name in sorted(asked.remove)])
    response = _modifier(answered.set, removed)
    found = []
    if request:
        found.append({"type": "RequestHeaderModifier", "requestHeaderModifier": request})
    if route.sandboxes:
        # Beside the upstream's own policy, not in its place.
        added = {"name": "Content-Security-Policy", "value": planned.SANDBOX}
        response = {**response, "add": [added]}
    if response:
        found.append({"type": "ResponseHeaderModifier", "responseHeaderModifier": response})
    return found


def _modifier(fields: tuple[tuple[bytes, bytes], ...], removed: list[str]) -> Node:
    listed = [{"name": name.decode("ascii"), "value": value.decode("utf-8")}
              for name, value in fields if _is_usable(value)]  # fmt: skip
    node: Node = {"set": listed, "remove": removed[:16]}
    return {key: value for key, value in node.items() if value}


def _is_usable(value: bytes) -> bool:
    return is_text(value) and 0 < len(as_text(value)) <= 4096


def _rewrite(route: RoutePlan) -> list[Node]:
    rewrite: Node = {}
    if route.upstream_prefix != route.client_prefix:
        prefix = route.upstream_prefix or "/"
        rewrite["path"] = {"type": "ReplacePrefixMatch", "replacePrefixMatch": prefix}
    if not route.route.preserve_host and route.named:
        rewrite["hostname"] = route.route.upstream.host
    return [{"type": "URLRewrite", "urlRewrite": rewrite}] if rewrite else []


def _service(route: RoutePlan) -> Node:
    upstream = route.route.upstream
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": _name(route)},
        "spec": Noted(
            f"{at(route.route.source)}: upstream of route {route.route.name}",
            {
                "type": "ExternalName",
                "externalName": upstream.host,
                "ports": [{"port": upstream.port}],
            },
        ),
    }


def _losses(plan: Plan, route: RoutePlan) -> list[Loss]:
    found = _field_losses(plan, route)
    if not _is_reachable(route):
        place = plan.places.in_route(route.route, "upstream")
        found.append(Loss(place, "upstream: a Unix socket cannot be reached: 500"))
    if route.sandboxes:
        place = plan.places.in_route(route.route, "documents")
        found.append(Loss(place, "documents: sandbox also applies to fetched responses"))
    if route.cors is None:
        return found
    rules = route.cors.rules
    found += [
        Loss(pattern.source, f"allow_origins: {pattern.text} is left out: the filter has no such"
                             " pattern")
        for pattern in rules.origins.patterns
        if not _is_expressible(pattern) and not pattern.is_any
    ]  # fmt: skip
    left = [name for name in steps.allow_methods(rules).split(", ") if name not in _METHODS]
    if left and left != [""]:
        words = f"allow_methods: {', '.join(left)} are left out: the filter does not support them"
        found.append(Loss(rules.methods.source, words))
    if rules.max_age is None or rules.max_age == 0:
        found.append(Loss(rules.source, "max_age: browsers cache preflights for 5 seconds"))
    return found


def _field_losses(plan: Plan, route: RoutePlan) -> list[Loss]:
    why = "is left out: its value is empty, too long or not UTF-8"
    found = field_losses(plan.places, route.route, lambda _, value: _is_usable(value), why)
    for key in ("request_headers", "response_headers"):
        if len(getattr(route.route, key).remove) > 8:
            place = plan.places.in_route(route.route, key)
            found.append(Loss(place, f"{key}: no more than 16 names can be removed"))
    return found
