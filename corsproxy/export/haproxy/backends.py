"""A route's way to its upstream and back."""

from corsproxy.export import plan as planned
from corsproxy.export.expressions import literal
from corsproxy.export.haproxy.text import anchored, formatted, milliseconds, quoted
from corsproxy.export.layout import Lines, as_text, comment, indented
from corsproxy.export.losses import Loss, authority_losses
from corsproxy.export.plan import Plan, RoutePlan

_UNSAFE_PREFIX = "(?!(?i:__host-|__secure-|__http-))"
_ATTRIBUTES = "[^;]*(?:;.*?)??"
_LINKS = ("Location", "Content-Location")


def backend(plan: Plan, route: RoutePlan) -> Lines:
    """Return the backend of a route."""
    return [
        comment(route.note),
        f"backend {route.id}",
        *indented(
            [
                f"timeout connect {milliseconds(route.route.timeout.connect)}",
                f"timeout server {milliseconds(route.longest_wait)}",
                "http-request disable-l7-retry unless { method GET HEAD OPTIONS PUT DELETE }",
                *_to_upstream(plan, route),
                *_target(route),
                *_to_client(plan, route),
                _server(route),
            ]
        ),
    ]


def _server(route: RoutePlan) -> str:
    address, tls = route.route.upstream, route.route.tls
    line = f"server upstream {quoted(_place(route))}"
    if route.named:
        line += " resolvers system init-addr last,libc,none"
    if address.scheme != "https":
        return line
    name = tls.server_name or address.host
    line += f" ssl sni {quoted(f'str({name})')} alpn http/1.1"
    if not tls.verify:
        return f"{line} verify none"
    line += f" verify required verifyhost {quoted(name)}"
    line += f" ca-file {quoted(tls.ca_file) if tls.ca_file else '@system-ca'}"
    return line + (f" crt {quoted(tls.cert_file)}" if tls.cert_file else "")


def _place(route: RoutePlan) -> str:
    socket_path = route.route.upstream.socket_path
    return route.address if socket_path is None else f"unix@{socket_path}"


def _to_upstream(plan: Plan, route: RoutePlan) -> Lines:
    rules = route.route.request_headers
    lines = [
        "acl vouched var(txn.vouched) -m bool",
        "http-request del-header '^(?:forwarded|x[-_.]real[-_.]ip|x[-_.]forwarded[-_.].*)$' -m reg",
        *(f"http-request del-header {name}" for name in planned.HOP_FIELDS),
        ("http-request del-header Upgrade if { req.fhdr(upgrade) -m reg -i"
        " '(?:^|[\\t ,])(?:h2c|http|tls)(?:[/\\t ,]|$)' }"),
        "http-request del-header access-control-request- -m beg unless { method OPTIONS }",
    ]  # fmt: skip
    if route.sandboxes:
        lines.append("http-request set-var(txn.dest) req.fhdr(sec-fetch-dest)")
    if route.route.origin == "remove":
        lines += [f"http-request del-header {name}" for name in ("Origin", "Referer")]
        lines.append("http-request del-header sec-fetch- -m beg")
    elif route.route.origin == "rewrite" and route.cors is not None:
        lines += [
            "http-request set-var(txn.page) req.fhdr(referer),field(1,/,3)",
            (
                "http-request replace-header Referer '^[^/]*//[^/]*/?(.*)$'"
                f" {formatted(route.origin + '/')[:-1]}\\1' if vouched"
                " { var(txn.page),strcmp(txn.origin) eq 0 }"
            ),
            f"http-request set-header Origin {formatted(route.origin)} if vouched",
            "http-request del-header sec-fetch- -m beg if vouched",
        ]
    if not route.route.preserve_host:
        lines.append(f"http-request set-header Host {formatted(route.authority)}")
    if route.forwards_client:
        lines.append("http-request set-header X-Forwarded-For '%[src]'")
    if route.forwards_host:
        lines += [
            "http-request set-header X-Forwarded-Host '%[var(txn.self),field(3,/)]'",
            "http-request set-header X-Forwarded-Proto http unless { ssl_fc }",
            "http-request set-header X-Forwarded-Proto https if { ssl_fc }",
        ]
    names = sorted({*rules.remove, *(name.lower() for name, _ in rules.set)})
    lines += [f"http-request del-header {_like(name)} -m reg" for name in names]
    lines += [f"http-request set-header {quoted(as_text(name))} {formatted(as_text(value))}"
              for name, value in rules.set]  # fmt: skip
    if plan.via is not None:
        lines.append(f"http-request add-header Via {formatted(plan.via)}")
    return lines


def _like(name: bytes) -> str:
    """Return an expression for a field name and the names that CGI maps to the same variable."""
    expression = literal(as_text(name)).replace("_", "-").replace("-", "[-_.]")
    return anchored(expression)


def _target(route: RoutePlan) -> Lines:
    lines = ["http-request set-var(txn.target) pathq"]
    before = ""
    for number, mapping in enumerate(route.mappings, 1):
        name = f"maps_{number}"
        prefix = mapping.prefix.replace("\\", "\\\\").replace("%", "%%")
        lines += [
            f"acl {name} var(txn.target) -m reg {anchored(mapping.expression)}",
            (f"http-request replace-pathq {quoted(f'^{mapping.expression}$')}"
            f" {quoted(prefix + chr(92) + '1')} if {before}{name}"),
        ]  # fmt: skip
        before += f"!{name} "
    return lines


def _to_client(plan: Plan, route: RoutePlan) -> Lines:
    rules = route.route.response_headers
    lines = [
        "http-response set-var(txn.answered) bool(true)",
        comment("Nothing from the upstream may bind browsers to this host."),
        *(f"http-response del-header {name}" for name in plan.removed_from_responses),
        *_redirects(route),
        *_cookies(route),
    ]
    names = sorted({*rules.remove, *(name.lower() for name, _ in rules.set)})
    lines += [f"http-response del-header {_like(name)} -m reg" for name in names]
    lines += [f"http-response set-header {quoted(as_text(name))} {formatted(as_text(value))}"
              for name, value in rules.set]  # fmt: skip
    if route.sandboxes:
        lines += [
            (
                f"http-response add-header Content-Security-Policy {quoted(planned.SANDBOX)}"
                f" if {{ var(txn.dest) -m str {' '.join(planned.NAVIGATIONS)} }}"
            ),
        ]
    return lines


def _redirects(route: RoutePlan) -> Lines:
    return [
        f"http-response replace-header {name} {quoted(expression)}"
        f" '%[var(txn.self)]{formatted(here)[1:-1]}\\1'"
        for name in _LINKS
        for rule in route.links
        for expression, here in planned.redirects(rule, route.route.upstream)
    ]


def _cookies(route: RoutePlan) -> Lines:
    """Secure is kept on prefixed names: browsers refuse them without it."""
    if route.route.cookies == "keep":
        return []
    base, here = route.cookie_paths
    insecure = "unless { ssl_fc }"
    start = f"^({_UNSAFE_PREFIX}{_ATTRIBUTES})"
    rules = [
        (f"^({_ATTRIBUTES});[ \\t]*(?i:domain)[ \\t]*(?:=[^;]*)?(;.*)?$", "\\1\\2", ""),
        (f"{start};[ \\t]*(?i:secure)[ \\t]*(?:=[^;]*)?(;.*)?$", "\\1\\2", insecure),
        (f"{start};[ \\t]*(?i:partitioned)[ \\t]*(?:=[^;]*)?(;.*)?$", "\\1\\2", insecure),
        (f"{start};([ \\t]*(?i:samesite)[ \\t]*=[ \\t]*)(?i:none)[ \\t]*(;.*)?$",
         "\\1;\\2Lax\\3", insecure),
    ]  # fmt: skip
    if base or here:
        path = f"^((?!(?i:__host-)){_ATTRIBUTES});([ \\t]*(?i:path)[ \\t]*=[ \\t]*)"
        if base:
            outside = f"(?!/[ \\t]*(?:;|$)|{literal(base)}(?:/|[ \\t]*(?:;|$)))/[^;]*"
            rules.append((f"{path}{outside}(;.*)?$", "\\1;\\2/\\3", ""))
        inside = f"{literal(base)}(/[^;]*[^; \\t]|)[ \\t]*(;.*)?$"
        if base:
            rules.append((f"{path}{literal(base)}/?[ \\t]*(;.*)?$", f"\\1;\\2{here or '/'}\\3", ""))
        rules.append((f"{path}{inside.replace('|)', ')')}", f"\\1;\\2{here}\\3\\4", ""))
    return [
        f"http-response replace-header Set-Cookie {quoted(expression)}"
        f" {quoted(replacement.replace('%', '%%'))} {condition}".rstrip()
        for expression, replacement, condition in rules
    ]


def route_losses(plan: Plan, route: RoutePlan) -> list[Loss]:
    """Return what the engine cannot express about a route."""
    tls = route.route.tls
    found = authority_losses(plan.places, route.route)
    if tls.cert_file is not None and tls.key_file not in (None, tls.cert_file):
        words = f"tls.key_file: HAProxy reads the key from {tls.cert_file}.key: link it there"
        found.append(Loss(plan.places.in_route(route.route, "tls"), words))
    return found
