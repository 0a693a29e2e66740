"""nginx: a route's way to its upstream and back."""

from corsproxy.core.policy import Route, UpstreamAddress
from corsproxy.export import plan as planned
from corsproxy.export.expressions import literal
from corsproxy.export.layout import Lines, as_text, block, comment
from corsproxy.export.losses import Loss, authority_losses, field_losses, passthrough_losses
from corsproxy.export.nginx.text import (
    GRANT,
    LONGEST,
    map_block,
    milliseconds,
    pattern,
    plainly_quoted,
    quoted,
)
from corsproxy.export.plan import LinkRule, Plan, RoutePlan

SYSTEM_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
_OWN_RESPONSE_FIELDS = {
    b"content-type", b"content-encoding", b"date", b"server", b"last-modified", b"location",
    b"accept-ranges", b"content-range", b"refresh",
}  # fmt: skip
"""Fields that nginx writes itself: setting them would add a second line."""

_WRITTEN = "stays as the upstream sends it: nginx writes it itself"
_REMOVED = "is sent by nginx itself, in place of the one that is removed"
_LONG = f"is left out: nginx takes no value of more than {LONGEST} bytes"
_STEERING = (
    "X-Accel-Redirect", "X-Accel-Expires", "X-Accel-Limit-Rate", "X-Accel-Buffering",
    "X-Accel-Charset",
)  # fmt: skip
"""Instructions of an upstream to nginx; here they are passed on like any other field."""


def upstream_block(route: RoutePlan) -> Lines:
    """Return the server group that `proxy_pass` names."""
    socket_path = route.route.upstream.socket_path
    server = route.address if socket_path is None else plainly_quoted(f"unix:{socket_path}")
    return block(f"upstream cp_{route.id}", [f"server {server};", "keepalive 32;"])


def upstream_maps(plan: Plan) -> Lines:
    """Return the maps of what the upstream gets, by who asks."""
    lines = [
        comment("The upstream sees its own Origin only for origins that the list allows."),
        *map_block("$cp_who", "$cp_vouched", '""', [("allowed", "1"), ("same", "1")]),
        *(
            line
            for name in planned.SEC_FETCH_FIELDS
            for line in map_block("$cp_vouched", f"$cp_{_variable(name)}",
                                  f"$http_{_variable(name)}", [("1", '""')])
        ),
        *(
            line
            for name in planned.ASKING_FIELDS
            for line in map_block("$request_method", f"$cp_{_variable(name)}", '""',
                                  [("OPTIONS", f"$http_{_variable(name)}")])
        ),
        *_via(plan),
        *map_block("$http_sec_fetch_dest", "$cp_sandbox", '""',
                   [(name, quoted(planned.SANDBOX)) for name in planned.NAVIGATIONS]),
    ]  # fmt: skip
    for route in plan.routes:
        lines += _route_maps(route)
    return lines


def _via(plan: Plan) -> Lines:
    if plan.via is None:
        return map_block("$http_via", "$cp_via", "$http_via", [])
    own = quoted(plan.via)
    return map_block("$http_via", "$cp_via", f'"$http_via, {own[1:]}', [('""', own)])


def _variable(name: str) -> str:
    return name.lower().replace("-", "_")


def _route_maps(route: RoutePlan) -> Lines:
    targets = [
        (pattern(f"^{_named(mapping.expression)}$"), f'{quoted(mapping.prefix)[:-1]}$cp_rest"')
        for mapping in route.mappings
    ]
    lines = [
        comment(route.note),
        *map_block("$request_uri", f"$cp_{route.id}_target", '"/"', targets),
    ]
    if route.route.origin != "rewrite" or route.cors is None:
        return lines
    own = quoted(route.origin)
    page = r"^1:(?<cp_page>[^ ]+) \k<cp_page>"
    return [
        *lines,
        *map_block('"$cp_vouched:$cp_has_origin"', f"$cp_{route.id}_own_origin", "$http_origin",
                   [("1:1", own)]),
        *map_block('"$cp_vouched:$http_origin $http_referer"', f"$cp_{route.id}_referer",
                   "$http_referer", [
                       (pattern(f"{page}(?<cp_rest>[/?].*)$"), f"{own[:-1]}$cp_rest\""),
                       (pattern(f"{page}$"), f"{own[:-1]}/\""),
                   ]),
    ]  # fmt: skip


def _named(expression: str) -> str:
    """Name the expression's last group; paths have no groups of their own."""
    head, _, tail = expression.rpartition("(")
    return f"{head}(?<cp_rest>{tail}"


def forward_location(plan: Plan, route: RoutePlan) -> Lines:
    """Return the location that forwards to the upstream."""
    scheme, connect = route.route.upstream.scheme, route.route.timeout.connect
    body = [
        f"proxy_pass {scheme}://cp_{route.id}$cp_{route.id}_target;",
        "proxy_http_version 1.1;",
        "proxy_buffering off;",
        "proxy_request_buffering off;",
        f"proxy_connect_timeout {'75s' if connect is None else milliseconds(connect)};",
        f"proxy_read_timeout {milliseconds(route.longest_wait)};",
        f"proxy_send_timeout {milliseconds(route.longest_wait)};",
        *_tls(route.route),
    ]
    ways = (_to_upstream(route), _to_client(plan, route))
    return [comment(route.note), *block(f"location = /{route.id}", body, *ways)]


def _tls(route: Route) -> Lines:
    if route.upstream.scheme != "https":
        return []
    tls = route.tls
    lines = [
        "proxy_ssl_server_name on;",
        f"proxy_ssl_name {quoted(tls.server_name or route.upstream.host)};",
        "proxy_ssl_protocols TLSv1.2 TLSv1.3;",
    ]
    if tls.verify:
        authorities = plainly_quoted(tls.ca_file or SYSTEM_AUTHORITIES)
        lines += ["proxy_ssl_verify on;", "proxy_ssl_verify_depth 8;",
                  f"proxy_ssl_trusted_certificate {authorities};"]  # fmt: skip
    if tls.cert_file is not None:
        lines.append(f"proxy_ssl_certificate {quoted(tls.cert_file)};")
        lines.append(f"proxy_ssl_certificate_key {quoted(tls.key_file or tls.cert_file)};")
    return lines


def _to_upstream(route: RoutePlan) -> Lines:
    rules = route.route.request_headers
    fields = {
        "Host": "$http_host" if route.route.preserve_host else quoted(route.authority),
        "Connection": "$cp_connection",
        "Upgrade": "$cp_upgrade",
        "Via": "$cp_via",
        "X-Forwarded-For": "$remote_addr" if route.forwards_client else '""',
        **dict.fromkeys((*planned.FORWARDING_FIELDS, *planned.HOP_FIELDS), '""'),
    }
    if route.forwards_host:
        fields |= {"X-Forwarded-Host": "$http_host", "X-Forwarded-Proto": "$scheme"}
    if route.route.origin == "remove":
        fields |= dict.fromkeys(("Origin", "Referer", *planned.SEC_FETCH_FIELDS), '""')
    elif route.route.origin == "rewrite" and route.cors is not None:
        fields |= {"Origin": f"$cp_{route.id}_own_origin", "Referer": f"$cp_{route.id}_referer"}
        fields |= {name: f"$cp_{_variable(name)}" for name in planned.SEC_FETCH_FIELDS}
    fields |= {name: f"$cp_{_variable(name)}" for name in planned.ASKING_FIELDS}
    ruled = dict.fromkeys((name.decode("ascii") for name in sorted(rules.remove)), '""')
    ruled |= {as_text(name): quoted(as_text(value)) for name, value in rules.set if _fits(value)}
    names = {name.lower() for name in ruled}
    kept = {name: value for name, value in fields.items() if name.lower() not in names}
    return [f"proxy_set_header {name} {value};" for name, value in (kept | ruled).items()]


def _fits(value: bytes) -> bool:
    return len(value) + 12 * value.count(b"$") + value.count(b"\\") + value.count(b'"') < LONGEST


def _to_client(plan: Plan, route: RoutePlan) -> Lines:
    rules = route.route.response_headers
    replaced = [(name, value) for name, value in rules.set if _is_replaced(name, value)]
    hidden = [*(planned.GRANT_FIELDS if route.cors is not None else ())]
    hidden += plan.removed_from_responses
    hidden += [as_text(name) for name in sorted(rules.remove)]
    hidden += [as_text(name) for name, _ in replaced]
    hides = dict.fromkeys(name.lower() for name in hidden)
    lines = [
        comment("Nothing from the upstream may steer nginx or bind browsers to this host."),
        f"proxy_ignore_headers {' '.join(_STEERING)} Expires Cache-Control Set-Cookie Vary;",
        *(
            f"proxy_pass_header {name};"
            for name in ("Server", "Date", "X-Pad", *_STEERING)
            if name.lower() not in hides
        ),
        *(f"proxy_hide_header {name};" for name in hides),
        *_redirects(route),
        *_cookies(plan, route),
    ]  # fmt: skip
    added = [
        f"add_header {as_text(name)} {quoted(as_text(value))} always;" for name, value in replaced
    ]
    if route.sandboxes:
        added.append("add_header Content-Security-Policy $cp_sandbox always;")
    if route.cors is None:
        # The upstream's own grants pass; an empty field keeps the server's from being inherited.
        return [*lines, *(added or ['add_header Access-Control-Allow-Origin "";'])]
    return [*lines, *GRANT, *added] if added else lines


def _is_replaced(name: bytes, value: bytes) -> bool:
    return name.lower() not in _OWN_RESPONSE_FIELDS and _fits(value)


def _redirects(route: RoutePlan) -> Lines:
    lines = [f"proxy_redirect {pattern} {value};" for rule in route.links
             for pattern, value in _redirect(rule, route.route.upstream)]  # fmt: skip
    return lines or ["proxy_redirect off;"]


def _redirect(rule: LinkRule, upstream: UpstreamAddress) -> list[tuple[str, str]]:
    here = "$scheme://$http_host" + quoted(rule.client_prefix)[1:-1]
    site = planned.site(rule, upstream)
    there = f"^{site}{literal(rule.upstream_prefix)}"
    slashes = "(?![/\\\\])" if not rule.site and not rule.upstream_prefix else ""
    if rule.client_prefix:
        rest = f"(?<cp_rest>(?:/{slashes}.*|[?#].*)?)$"
        return [(pattern(there + rest), f'"{here}$cp_rest"')]
    found = [(pattern(f"{there}(?<cp_rest>/{slashes}.*)$"), f'"{here}$cp_rest"')]
    if rule.site or rule.upstream_prefix:
        found.append((pattern(f"{there}(?<cp_rest>(?:[?#].*)?)$"), f'"{here}/$cp_rest"'))
    return found


def _cookies(plan: Plan, route: RoutePlan) -> Lines:
    """Secure is kept on prefixed names: browsers refuse them without it."""
    if route.route.cookies == "keep":
        return ["proxy_cookie_domain off;", "proxy_cookie_path off;"]
    lines = ['proxy_cookie_domain "~.*" "";']
    base, here = route.cookie_paths
    if "http" in plan.schemes:
        lines.append(
            'proxy_cookie_flags "~^(?i)(?!__Host-|__Secure-|__Http-)" nosecure samesite=lax;'
        )
    if not base and not here:
        return lines
    below = f"^{literal(base)}(?<cp_rest>/.*)$"
    lines += [
        f'proxy_cookie_path {pattern("^/$")} "/";',
        f'proxy_cookie_path {pattern(below)} {quoted(here)[:-1]}$cp_rest";',
        f"proxy_cookie_path {pattern(f'^{literal(base)}$')} {quoted(here or '/')};",
        f'proxy_cookie_path {pattern("^/")} "/";' if base else "",
    ]
    return [line for line in lines if line]


def route_losses(plan: Plan, route: RoutePlan) -> list[Loss]:
    """Return what the engine cannot express about a route."""
    rules = route.route.response_headers
    where = plan.places.in_route(route.route, "response_headers")
    written = [name for name, _ in rules.set if name.lower() in _OWN_RESPONSE_FIELDS]
    removed = rules.remove & {b"server", b"date", b"content-type"}
    found = [
        *(Loss(where, f"response_headers: {as_text(name)} {_WRITTEN}") for name in written),
        *(Loss(where, f"response_headers: {as_text(name)} {_REMOVED}") for name in removed),
        *field_losses(plan.places, route.route, lambda _, value: _fits(value), _LONG),
        *authority_losses(plan.places, route.route),
        *passthrough_losses(plan.places, route.route, "nginx"),
    ]
    if len(plan.schemes) > 1 and route.route.cookies == "auto":
        words = "cookies: they lose Secure on the https listener, too"
        found.append(Loss(plan.places.of("listen"), words))
    return found
