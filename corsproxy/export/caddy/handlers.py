"""The handles: refusals, preflights, and each route's way to its upstream and back."""

from corsproxy.export import expressions, steps
from corsproxy.export import plan as planned
from corsproxy.export.caddy.decision import NAMES, ORIGIN, asks_for
from corsproxy.export.caddy.text import expression, placed, token, value
from corsproxy.export.layout import Lines, as_text, block, comment, is_text
from corsproxy.export.losses import Loss, authority_losses, field_losses, passthrough_losses
from corsproxy.export.plan import Cors, Plan, RoutePlan, at
from corsproxy.export.steps import Echo, Value

# Browsers accept cookies with these name prefixes only with Secure.
_UNPREFIXED = (
    r"(?:[^_;]|_(?:[^_;]|_(?:[^HhSs;]|[Hh][^OoTt;]|[Ss][^Ee;]|[Hh][Oo][^Ss;]|[Hh][Tt][^Tt;]"
    r"|[Ss][Ee][^Cc;])))"
)
_STRANGE = ("+", "-")


def handlers(plan: Plan) -> Lines:
    """Return the handles, preceded by the grants."""
    lines = [comment("The grant, on every response except those to preflights.")]
    lines += _grants(plan)
    for cors in plan.cors:
        lines += _preflight(cors)
    for status, text in steps.TEXTS.items():
        lines += _handle(f"refuse-{status}", [f"respond {token(text)} {status}"])
    for route in plan.routes:
        note = comment(route.note)
        lines += [note, *_handle(route.id, _forward(plan, route, vouched=False))]
        if route.cors is not None:
            lines += _handle(f"{route.id}-vouched", _forward(plan, route, vouched=True))
    return lines


def _handle(way: str, body: Lines) -> Lines:
    name = f"go_{way.replace('-', '_')}"
    return [f"@{name} vars {{cp_go}} {way}", *block(f"handle @{name}", body)]


def _grants(plan: Plan) -> Lines:
    """Return the headers of an actual response. A passthrough gets none: its own are kept."""
    lines: Lines = []
    for cors in plan.cors:
        name = cors.id
        lines.append(f"@granted_{name} vars {{cp_grant}} {name}-granted")
        lines += [f"header @granted_{name} {field} {_written(given)}"
                  for field, given in steps.actual_grant(cors.rules)]  # fmt: skip
        if not cors.is_any:
            lines.append(f"@varying_{name} vars {{cp_grant}} {name}-granted {name}-refused")
            lines.append(f"header @varying_{name} +Vary Origin")
    return lines


def _written(given: Value) -> str:
    if given is Echo.ORIGIN:
        return ORIGIN
    return "*" if given is Echo.PRESENT else value(str(given))


def _preflight(cors: Cors) -> Lines:
    rules, name = cors.rules, cors.id
    step = next(step for step in steps.steps(rules) if step.status == 204 and not step.fits)
    body = [f"header {field} {_written(given)}"
            for field, given in step.fields if given not in (Echo.NAMES, Echo.LISTED)]  # fmt: skip
    if rules.request_headers.any:
        body += [*block(f"@{name}_asks", [f"vars {{cp_{name}_names}} yes",
                                          "header Access-Control-Request-Headers *"]),
                 f"header @{name}_asks Access-Control-Allow-Headers {NAMES}"]  # fmt: skip
    else:
        added = map(asks_for, steps.unlisted_safelisted(rules))
        listed = placed(steps.allow_headers(rules)) + "".join(f"{{{each}}}" for each in added)
        body.append(f"header Access-Control-Allow-Headers {token(listed)}")
    if rules.max_age is not None:
        body += [
            f"@{name}_fits vars {{cp_{name}_fits}} yes",
            f"header @{name}_fits Access-Control-Max-Age {rules.max_age}",
        ]
    if step.vary:
        body.append(f"header Vary {value(step.vary)}")
    note = comment(f"{at(cors.source)}: preflights of {name}")
    return [note, *_handle(f"{name}-preflight", [*body, "respond 204"])]


def _forward(plan: Plan, route: RoutePlan, *, vouched: bool) -> Lines:
    rewrites = route.route.origin == "rewrite" and vouched
    body = [
        "@reading not method OPTIONS",
        *(f"request_header @reading -{name}" for name in planned.ASKING_FIELDS),
    ]
    if rewrites:
        page, own = "{http.request.header.Referer}", value(f"{route.origin}/")
        body += [
            (
                f'@page expression `{page} == {ORIGIN} || {page}.startsWith({ORIGIN} + "/")'
                f' || {page}.startsWith({ORIGIN} + "?")`'
            ),
            f"request_header @page Referer {expression('^[^/]*//[^/?]*/?')} {own}",
        ]
    if route.sandboxes:
        names = "|".join(planned.NAVIGATIONS)
        body += [
            f"@navigation header_regexp Sec-Fetch-Dest ^({names})$",
            f"header @navigation +Content-Security-Policy {value(planned.SANDBOX)}",
        ]
    body += [
        f"header {name.decode('ascii')} {value(as_text(given))}"
        for name, given in route.route.response_headers.set
        if is_usable(name, given)
    ]
    body += _targets(route)
    return [
        *body,
        *block(f"reverse_proxy {_place(route)}", _up(plan, route, rewrites=rewrites),
               _down(plan, route), ["flush_interval -1"], _transport(route)),
    ]  # fmt: skip


def _targets(route: RoutePlan) -> Lines:
    """Replace only the path's beginning, so that the bytes of the rest stay as they are."""
    (*special, general) = route.mappings
    lines: Lines = []
    for number, mapping in enumerate(special):
        name = f"{route.id}_path_{number}"
        lines.append(f"@{name} vars_regexp {{cp_path}} {expression(f'^{mapping.alone}$')}")
        lines += block(f"handle @{name}", [(f"uri path_regexp {expression('^.*$')} "
                                           f"{token(_literal(mapping.prefix))}")])  # fmt: skip
    if general.prefix != route.client_prefix:
        # `(/.*)` and `(.*)` begin after the part of the path that is replaced.
        path = general.expression.rpartition("(")[0]
        name = f"{route.id}_rest"
        rewriting = f"uri path_regexp {expression(f'^{path}')} {token(_literal(general.prefix))}"
        if special:
            lines += block("handle", [rewriting])
        else:
            lines.append(rewriting)
    return lines


def _literal(text: str) -> str:
    """Escape a text for use as a replacement."""
    return text.replace("$", "$$")


def _place(route: RoutePlan) -> str:
    socket_path = route.route.upstream.socket_path
    return route.address if socket_path is None else token(f"unix/{socket_path}")


def is_usable(name: bytes, given: bytes) -> bool:
    """Whether a field can be written in a Caddyfile."""
    is_strange = name.decode("ascii").startswith(_STRANGE) or b"`" in name
    return is_text(given) and not is_strange


def _up(plan: Plan, route: RoutePlan, *, rewrites: bool) -> Lines:
    rules = route.route.request_headers
    host = "{http.request.hostport}" if route.route.preserve_host else value(route.authority)
    lines = [f"header_up Host {host}"]
    removed = [*planned.FORWARDING_FIELDS, "Keep-Alive", "Proxy-Connection", "Proxy-Authorization"]
    removed += ["X_Forwarded_*", "X_Real_IP"]
    if route.route.origin == "remove":
        removed += ["Origin", "Referer", *planned.SEC_FETCH_FIELDS]
    elif rewrites:
        lines.append(f"header_up Origin {value(route.origin)}")
        removed += planned.SEC_FETCH_FIELDS
    if route.forwards_host:
        removed = [name for name in removed if name not in ("X-Forwarded-Host",
                                                            "X-Forwarded-Proto")]  # fmt: skip
        lines += ["header_up X-Forwarded-Host {http.request.hostport}",
                  "header_up X-Forwarded-Proto {http.request.scheme}"]  # fmt: skip
    if route.forwards_client:
        lines.append("header_up X-Forwarded-For {http.request.remote.host}")
    else:
        removed.append("X-Forwarded-For")
    if plan.via is not None:
        lines.append(f"header_up +Via {value(plan.via)}")
    lines += [f"header_up -{name}" for name in removed]
    lines += [f"header_up -{name.decode('ascii')}" for name in sorted(rules.remove)
              if is_usable(name, b"")]  # fmt: skip
    return lines + [f"header_up {name.decode('ascii')} {value(as_text(given))}"
                    for name, given in rules.set if is_usable(name, given)]  # fmt: skip


def _down(plan: Plan, route: RoutePlan) -> Lines:
    rules = route.route.response_headers
    removed = [*plan.removed_from_responses, *(planned.GRANT_FIELDS if route.cors else ())]
    removed += [name.decode("ascii") for name in sorted(rules.remove) if is_usable(name, b"")]
    removed += [name.decode("ascii") for name, given in rules.set if is_usable(name, given)]
    lines = [f"header_down -{name}" for name in dict.fromkeys(map(str.lower, removed))]
    self = "{http.request.scheme}://{http.request.hostport}"
    for rule in route.links:
        lines += [
            f"header_down Location {expression(found)} {token(self + _literal(here) + '$1')}"
            for found, here in planned.redirects(rule, route.route.upstream)
        ]
    return lines + _cookies(plan, route)


def _cookies(plan: Plan, route: RoutePlan) -> Lines:
    if route.route.cookies == "keep":
        return []
    attributes = "[^;]*(?:;.*?)??"
    rules = [(rf"^({attributes});[ \t]*(?i:domain)[ \t]*(?:=[^;]*)?(;.*)?$", "$1$2")]
    if "http" in plan.schemes:
        start = f"^({_UNPREFIXED}{attributes})"
        rules += [
            (rf"{start};[ \t]*(?i:secure)[ \t]*(?:=[^;]*)?(;.*)?$", "$1$2"),
            (rf"{start};[ \t]*(?i:partitioned)[ \t]*(?:=[^;]*)?(;.*)?$", "$1$2"),
            (rf"{start};[ \t]*(?i:samesite)[ \t]*=[ \t]*(?i:none)[ \t]*(;.*)?$",
             "$1; SameSite=Lax$2"),
        ]  # fmt: skip
    base, here = route.cookie_paths
    if base or here:
        start = rf"^({attributes});[ \t]*(?i:path)[ \t]*=[ \t]*"
        rules.append((rf"{start}{expressions.literal(base)}(/[^;]*[^;/ \t][^;]*)(;.*)?$",
                      f"$1; Path={_literal(here)}$2$3"))  # fmt: skip
    return [f"header_down Set-Cookie {expression(found)} {value(replacement)}"
            for found, replacement in rules]  # fmt: skip


def _transport(route: RoutePlan) -> Lines:
    times, tls = route.route.timeout, route.route.tls
    lines = []
    for name, seconds in (("dial_timeout", times.connect),
                          ("response_header_timeout", times.response),
                          ("read_timeout", times.idle)):  # fmt: skip
        if seconds is not None:
            lines.append(f"{name} {round(seconds * 1000)}ms")
    if route.route.upstream.scheme == "https":
        lines += ["tls", f"tls_server_name {token(tls.server_name or route.route.upstream.host)}"]
        if not tls.verify:
            lines.append("tls_insecure_skip_verify")
        elif tls.ca_file is not None:
            lines += block("tls_trust_pool file", [f"pem_file {token(tls.ca_file)}"])
        if tls.cert_file is not None:
            key = tls.key_file or tls.cert_file
            lines.append(f"tls_client_auth {token(tls.cert_file)} {token(key)}")
    return block("transport http", ["versions 1.1", "compression off", *lines])


def route_losses(plan: Plan, route: RoutePlan) -> list[Loss]:
    """Return what the engine cannot express about a route."""
    return [
        *field_losses(plan.places, route.route, is_usable, "is left out: Caddy cannot read it"),
        *authority_losses(plan.places, route.route),
        *passthrough_losses(plan.places, route.route, "Caddy"),
    ]
