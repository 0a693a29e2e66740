"""The decision about a request, as maps: `{cp_go}` names the handle that acts on it."""

from collections.abc import Iterable

from corsproxy.core.guard import DOT_SEGMENT
from corsproxy.export import expressions, steps
from corsproxy.export.caddy.text import map_block, value
from corsproxy.export.layout import Lines, block, comment
from corsproxy.export.plan import Cors, Plan, at
from corsproxy.export.steps import Asker, Step

ORIGIN = "{http.request.header.Origin}"
HOST = "{http.request.hostport}"
METHOD = "{http.request.header.Access-Control-Request-Method}"
NAMES = "{http.request.header.Access-Control-Request-Headers}"
_SITE = "{http.request.header.Sec-Fetch-Site}"


def decision(plan: Plan) -> Lines:
    """Return the maps; each uses only those before it."""
    return [*_refused(plan), *_routes(plan), *_origins(plan), *_who(), *_go(plan)]


def _refused(plan: Plan) -> Lines:
    named = "|".join(expressions.named_hosts(plan.policy.allowed_hosts))
    well_formed = f"^{expressions.WELL_FORMED_HOST}$"
    hosts = [(well_formed, '""')] if plan.policy.any_host else [
        (f"^(?i:(?:{expressions.UNSPECIFIED}){expressions.PORT})$", "421"),
        (f"^(?i:(?:{named}){expressions.PORT})$", '""'),
        (well_formed, "421"),
    ]  # fmt: skip
    path = "{http.request.orig_uri}"
    return [
        comment("Refused for every origin."),
        *map_block(path, "cp_path", '""', [
            ("^(?:(?i:https?)://[^/?]*)?([^?]*)", "${1}"),
        ]),
        *map_block("{http.request.method}", "cp_method", "501", [
            ("^(?i:CONNECT|TRACE|TRACK)$", "405"),
            (f"^(?:{expressions.forwarded_methods()})$", '""'),
        ]),
        comment(f"{at(plan.policy.allowed_hosts_source)}: allowed_hosts"),
        *map_block(HOST, "cp_host", "400", [("^$", '""'), *hosts]),
        *map_block("{cp_path}", "cp_dots", '""', [(f"(?i:{DOT_SEGMENT})", "400")]),
        *map_block(path, "cp_bytes", '""', [(r"[#\x{80}-\x{10FFFF}]", "400")]),
    ]  # fmt: skip


def _routes(plan: Plan) -> Lines:
    taken = [(f"^{route.taken}$", route.id, at(route.route.source)) for route in plan.routes]
    lines = [
        comment("The route with the longest path that is a prefix on whole segments."),
        *map_block("{cp_path}", "cp_route", "none", taken),
    ]
    refused = "{cp_method}{cp_host}{cp_dots}{cp_bytes}"
    if plan.is_ambiguous_possible:
        read_as = [(f"^{route.read_as}$", route.id) for route in plan.routes]
        pairs = [(f"^{name} {name}$", '""') for name in [*(r.id for r in plan.routes), "none"]]
        lines += [
            comment("The route that an upstream which decodes or merges could read it as."),
            *map_block("{cp_path}", "cp_read_as", "none", read_as),
            *map_block("{cp_route} {cp_read_as}", "cp_ambiguous", "400", pairs),
        ]
        refused += "{cp_ambiguous}"
    return [*lines, *map_block(refused, "cp_refused", '""', [("^([0-9]{3})", "${1}")])]


def _origins(plan: Plan) -> Lines:
    lines: Lines = []
    for cors in plan.cors:
        lines.append(comment(f"{at(cors.rules.origins.source)}: the origins of {cors.id}"))
        if cors.is_any:
            lines += map_block(ORIGIN, f"cp_{cors.id}_origin", "yes", [])
            continue
        entries = [(f"^(?:{each})$", "yes", at(source)) for each, _, source in cors.origins]
        long = [(f"^(?s:.{{{cors.longest + 1}}})", "no")]
        lines += map_block(ORIGIN, f"cp_{cors.id}_origin", "no", [*long, *entries])
    lists = " ".join(f"{{cp_{cors.id}_origin}}" for cors in plan.cors)
    ways = [(route.id, plan.cors_of(route)) for route in plan.routes]
    keys = [(rf"^{route}(?: [a-z]+){{{plan.cors.index(cors)}}} yes", "yes")
            for route, cors in (*ways, ("none", plan.default))]  # fmt: skip
    return [
        *lines,
        comment("Whether the route's list allows the origin."),
        *map_block(f"{{cp_route}} {lists}", "cp_granted", "no", keys),
    ]


def _who() -> Lines:
    own = (
        f'{_SITE} == "same-origin" || {_SITE} == "none" || {_SITE} == "" && '
        f'({ORIGIN} == "https://" + {HOST}.lowerAscii()'
        f' || {ORIGIN} + ":443" == "https://" + {HOST}.lowerAscii()'
        f' || {{http.request.scheme}} == "http" && ({ORIGIN} == "http://" + {HOST}.lowerAscii()'
        f' || {ORIGIN} + ":80" == "http://" + {HOST}.lowerAscii()))'
    )
    return [
        comment("Who asks: a page of this host, a page of another host, or no page."),
        f"@cp_own expression `{own}`",
        "vars cp_own no",
        "vars @cp_own cp_own yes",
        *map_block(ORIGIN, "cp_has_origin", "yes", [("^$", "no")]),
        *map_block("{cp_has_origin} {cp_granted} {http.vars.cp_own}", "cp_who", "rest", [
            ("^no ", "absent"), ("^yes yes ", "allowed"), ("^yes no yes$", "same"),
        ]),
        comment("Fetch: a preflight is OPTIONS with Origin and Access-Control-Request-Method."),
        *block("@cp_preflight", ["method OPTIONS", "header Access-Control-Request-Method *"]),
        "vars cp_asks no",
        "vars @cp_preflight cp_asks yes",
        *map_block("{cp_has_origin} {http.vars.cp_asks}", "cp_kind", "actual", [
            ("^yes yes$", "preflight"),
        ]),
        *map_block("{http.request.header.Upgrade}", "cp_upgrade", "yes", [("^$", "no")]),
    ]  # fmt: skip


def _go(plan: Plan) -> Lines:
    ways: list[tuple[str, str]] = [("^([0-9]+):", "refuse-${1}")]
    for route in plan.routes:
        if route.cors is None:
            ways.append((f"^:{route.id}:", route.id))
        else:
            ways += _ways(route.id, route.cors, steps.steps(route.cors.rules))
    ways += _ways("none", plan.default, steps.preflight_steps(plan.default.rules))
    return [
        comment("What to do: the name of the handle."),
        *map_block("{cp_refused}:{cp_route}:{cp_kind}:{cp_who}:{cp_upgrade}", "cp_go",
                   "refuse-404", ways),
        *_grant(plan),
        *_names(plan),
    ]  # fmt: skip


def _grant(plan: Plan) -> Lines:
    """A refusal on a route that answers CORS itself gets the default policy's grant."""
    default = plan.default.id
    ids = [(f"^{route.id}$", route.cors.id if route.cors else "pass") for route in plan.routes]
    return [
        comment("Which grant a response carries, if any."),
        *map_block("{cp_route}", "cp_cors", default, ids),
        *map_block("{cp_cors} {cp_go} {cp_granted}", "cp_grant", "none", [
            (r"^[^ ]+ c[0-9]+-preflight ", "none"),
            (r"^pass refuse-[0-9]+ yes$", f"{default}-granted"),
            (r"^pass refuse-", f"{default}-refused"),
            (r"^(c[0-9]+) [^ ]+ yes$", "${1}-granted"),
            (r"^(c[0-9]+) ", "${1}-refused"),
        ]),
    ]  # fmt: skip


def _ways(route: str, cors: Cors, listed: Iterable[Step]) -> list[tuple[str, str]]:
    found = []
    for step in listed:
        if step.fits:
            continue
        kind = "preflight" if step.preflight else "[a-z]+"
        key = f"^:{route}:{kind}:{steps.ASKERS[step.asker]}:{'yes' if step.upgrade else ''}"
        if step.status is None:
            is_own = step.vouched and step.asker is not Asker.ABSENT
            found.append((key, f"{route}-vouched" if is_own else route))
        else:
            answer = f"{cors.id}-preflight" if step.status == 204 else f"refuse-{step.status}"
            found.append((key, answer))
    return found


def _names(plan: Plan) -> Lines:
    """Return the maps of the header names that a preflight asks for."""
    lines = [comment("What preflights ask for.")]
    for name in steps.SAFELISTED:
        key = rf"(?i)^(?:.*[\t ,])?{name}(?:[\t ,].*)?$"
        lines += map_block(NAMES, asks_for(name), '""', [(key, value(f", {name}"))])
    for cors in plan.cors:
        allowed = f"(?i)^{expressions.allowed_headers(cors.rules)}$"
        methods = f"^(?:{expressions.allowed_methods(cors.rules)})$"
        lines += map_block(NAMES, f"cp_{cors.id}_names", "no", [(allowed, "yes")])
        lines += map_block(METHOD, f"cp_{cors.id}_method", "no", [(methods, "yes")])
        both = f"{{cp_{cors.id}_names}} {{cp_{cors.id}_method}}"
        lines += map_block(both, f"cp_{cors.id}_fits", "no", [("^yes yes$", "yes")])
    return lines


def asks_for(name: str) -> str:
    """Return the name of the map for a safelisted field."""
    return f"cp_asks_for_{name.replace('-', '_')}"
