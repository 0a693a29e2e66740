"""The decision about a request: the map `$cp_go` names the location that acts on it."""

from collections.abc import Iterable

from corsproxy.core.guard import DOT_SEGMENT
from corsproxy.export import expressions, steps
from corsproxy.export.layout import Lines, comment
from corsproxy.export.nginx.text import map_block, pattern
from corsproxy.export.plan import Cors, Plan, at


def request_maps(plan: Plan) -> Lines:
    """Return the maps of what is refused for every origin, and of the route that takes the path."""
    named = "|".join(expressions.named_hosts(plan.policy.allowed_hosts))
    well_formed = pattern(f"^{expressions.WELL_FORMED_HOST}$")
    host = [(pattern(f"^(?:{expressions.UNSPECIFIED}){expressions.PORT}$", "~*"), "421")]
    if plan.policy.any_host:
        host = [(well_formed, '""')]
    host += [
        # nginx itself answers 400 to HTTP/1.1 without Host.
        ('""', '""'),
        (pattern(f"^(?:{named}){expressions.PORT}$", "~*"), '""'),
        (well_formed, "421"),
    ]
    return [
        comment("Refused for every origin."),
        *map_block("$request_uri", "$cp_path", '""', [(pattern("^(?<cp_cut>[^?]*)"), "$cp_cut")]),
        *map_block("$request_method", "$cp_method", "501", [
            (pattern("^(?i:CONNECT|TRACE|TRACK)$"), "405"),
            (pattern(f"^(?:{expressions.forwarded_methods()})$"), '""'),
        ]),
        comment(f"{at(plan.policy.allowed_hosts_source)}: allowed_hosts"),
        *map_block("$http_host", "$cp_host", "400", host),
        *map_block('"$host|$http_host"', "$cp_authority", "400", [
            (pattern(r"^(?<cp_name>[^|]+)\|\k<cp_name>(?::[0-9]*)?$", "~*"), '""'),
            (pattern(r"\|$"), '""'),
        ]),
        *map_block("$cp_path", "$cp_dots", '""', [(pattern(DOT_SEGMENT, "~*"), "400")]),
        *map_block("$request_uri", "$cp_bytes", '""', [(pattern(r"[#\x80-\xff]"), "400")]),
        *_routes(plan),
        *map_block(
            '"$cp_method$cp_host$cp_authority$cp_dots$cp_bytes$cp_ambiguous"', "$cp_refused", '""',
            [(pattern("^(?<cp_status>[0-9]{3})"), "$cp_status")],
        ),
    ]  # fmt: skip


def _routes(plan: Plan) -> Lines:
    found = [(pattern(f"^{route.taken}$"), route.id) for route in plan.routes]
    lines = [
        comment("The route with the longest path that is a prefix on whole segments."),
        *map_block("$cp_path", "$cp_route", "none", found),
    ]
    if not plan.is_ambiguous_possible:
        return [*lines, *map_block("$cp_path", "$cp_ambiguous", '""', [])]
    read_as = [(pattern(f"^{route.read_as}$"), route.id) for route in plan.routes]
    return [
        *lines,
        comment("The route that an upstream which decodes or merges could read it as."),
        *map_block("$cp_path", "$cp_read_as", "none", read_as),
        *map_block('"$cp_route $cp_read_as"', "$cp_ambiguous", "400", [
            (pattern(r"^(?<cp_taken>[a-z0-9]+) \k<cp_taken>$"), '""'),
        ]),
    ]  # fmt: skip


def origin_maps(plan: Plan) -> Lines:
    """Return the maps of the origins that the route's list allows."""
    lines: Lines = []
    for cors in plan.cors:
        lines.append(comment(f"{at(cors.rules.origins.source)}: the origins of {cors.id}"))
        if cors.is_any:
            lines += map_block("$http_origin", f"$cp_{cors.id}_origin", '"*"', [])
            continue
        entries: list[tuple[str, ...]] = []
        too_long = f"(?!.{{{cors.longest + 1}}})"
        for expression, _, source in cors.origins:
            key = pattern(rf"^{too_long}(?:{expression})$")
            entries.append((key, "$http_origin", at(source)))
        lines += map_block("$http_origin", f"$cp_{cors.id}_origin", '""', entries)
    ids = [(route.id, f"$cp_{plan.cors_of(route).id}_origin") for route in plan.routes]
    return [
        *lines,
        comment("The origin to grant, if it is on the route's list."),
        *map_block("$cp_route", "$cp_granted", f"$cp_{plan.default.id}_origin", ids),
        *map_block("$cp_granted", "$cp_is_granted", "1", [('""', "0")]),
    ]


def decision(plan: Plan) -> Lines:
    """Return the maps of who asks, and of what to do with the request."""
    ways: list[tuple[str, str]] = [(pattern("^[0-9]"), "refuse-$cp_refused")]
    for route in plan.routes:
        if route.cors is None:
            ways.append((pattern(f"^:{route.id}:"), route.id))
            continue
        ways += _ways(route.id, route.cors, steps.steps(route.cors.rules))
    ways += _ways("none", plan.default, steps.preflight_steps(plan.default.rules))
    return [
        comment("Who asks: a page of this host, a page of another host, or no page."),
        *map_block("$http_origin", "$cp_has_origin", "1", [('""', "0")]),
        *_same(plan),
        *map_block('"$cp_has_origin$cp_is_granted$cp_same"', "$cp_who", "rest", [
            (pattern("^0"), "absent"), (pattern("^11"), "allowed"), (pattern("^101"), "same"),
        ]),
        comment("Fetch: a preflight is OPTIONS with Origin and Access-Control-Request-Method."),
        *map_block("$http_access_control_request_method", "$cp_asks", "1", [('""', "0")]),
        *map_block('"$request_method$cp_has_origin$cp_asks"', "$cp_kind", "actual", [
            ("OPTIONS11", "preflight"),
        ]),
        *_upgrade(),
        comment("What to do: the name of the location."),
        *map_block('"$cp_refused:$cp_route:$cp_kind:$cp_who:$cp_switches"', "$cp_go", "refuse-404",
                   ways),
    ]  # fmt: skip


def _ways(route: str, cors: Cors, listed: Iterable[steps.Step]) -> list[tuple[str, str]]:
    """Return the decisions of a route; its preflight location checks methods and headers."""
    return [
        (pattern(_key(route, step)), _way(route, cors, step)) for step in listed if not step.fits
    ]


def _key(route: str, step: steps.Step) -> str:
    kind = "preflight" if step.preflight else "[a-z]+"
    return f"^:{route}:{kind}:{steps.ASKERS[step.asker]}:{1 if step.upgrade else ''}"


def _way(route: str, cors: Cors, step: steps.Step) -> str:
    if step.status is None:
        return route
    if step.status == 204:
        return f"{cors.id}-preflight"
    return "refuse-preflight" if step.preflight else f"refuse-{step.status}"


def _same(plan: Plan) -> Lines:
    """Fetch Metadata is trusted either way; without it, Origin is compared with Host."""
    key = '"$scheme $http_sec_fetch_site|$http_host|$http_origin"'
    origin = r"(?=[a-z0-9._\[\]:/-]+$)"
    rules = [
        (pattern(r"^[a-z]+ (?:same-origin|none)\|"), "1"),
        (pattern(r"^[a-z]+ [^|]"), "0"),
        (pattern(rf"^[a-z]+ \|(?<cp_own>[^|]+?)(?::443)?\|{origin}https://(?i:\k<cp_own>)$"), "1"),
        (pattern(rf"^http \|(?<cp_own>[^|]+?)(?::80)?\|{origin}http://(?i:\k<cp_own>)$"), "1"),
    ]
    about = "Behind TLS only https pages are of this host." if "https" in plan.schemes else ""
    return [*([comment(about)] if about else []), *map_block(key, "$cp_same", "0", rules)]


def _upgrade() -> Lines:
    """h2c is never passed on: the requests after it would not be checked."""
    passed = (
        r"^GET:(?:[^:]*[\t ,])?upgrade(?:[\t ,][^:]*)?:"
        r"(?![^:]*(?<![^\t ,:])(?:h2c|http|tls)(?:[/\t ,]|$))(?<cp_protocol>[^\t ,].*)$"
    )
    return [
        *map_block('"$request_method:$http_connection:$http_upgrade"', "$cp_upgrade", '""', [
            (pattern(passed, "~*"), "$cp_protocol"),
        ]),
        *map_block("$cp_upgrade", "$cp_switches", "1", [('""', "0")]),
        *map_block("$cp_upgrade", "$cp_connection", "upgrade", [('""', '""')]),
    ]  # fmt: skip
