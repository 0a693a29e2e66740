"""Envoy's routes: one for each step of the plan; the first that matches decides."""

from collections.abc import Iterable, Sequence

from corsproxy.core.guard import DOT_SEGMENT
from corsproxy.export import expressions, steps
from corsproxy.export import plan as planned
from corsproxy.export.layout import as_text, is_text
from corsproxy.export.paths import Mapping
from corsproxy.export.plan import Cors, Plan, RoutePlan, at
from corsproxy.export.steps import Asker, Echo, Fields, Step
from corsproxy.export.yaml_text import Node, Noted

ORIGIN = "%DYNAMIC_METADATA(corsproxy:origin)%"
_NAMES = "access-control-request-headers"
_QUERY = r"(?:\?.*)?"


def routes(plan: Plan) -> list[object]:
    """Return every route, in order."""
    found: list[object] = [*_refusals(plan)]
    for route in plan.routes:
        if plan.is_ambiguous_possible and route.path != "/":
            found += _ambiguous(plan, route)
        origins = plan.cors_of(route).rules.origins.source
        note = f"{route.note}, for the origins of {at(origins)}"
        listed = (
            [forward(plan, route, None)]
            if route.cors is None
            else _of_route(plan, route, route.cors)
        )
        found.append(Noted(note, listed[0]))
        found += listed[1:]
    if not plan.takes_everything:
        found += [node for step in steps.preflight_steps(plan.default.rules)
                  for node in _answers(plan.default, step, {"prefix": "/"})]  # fmt: skip
        found += _refused(plan, 404, [])
    return found


def _of_route(plan: Plan, route: RoutePlan, cors: Cors) -> list[Node]:
    found: list[Node] = []
    for step in steps.steps(cors.rules):
        if step.status is None:
            found += forward(plan, route, step)
        else:
            found += _answers(cors, step, _path(route.taken))
    return found


def _path(expression: str) -> Node:
    if expression == ".*":
        return {"prefix": "/"}
    return {"safe_regex": {"regex": expression}}


def matches(name: str, expression: str, *, invert: bool = False, or_missing: bool = False) -> Node:
    """Return a matcher for a field; the expression must match the whole value."""
    node: Node = {"name": name, "string_match": {"safe_regex": {"regex": expression}}}
    if invert:
        node["invert_match"] = True
    if or_missing:
        node["treat_missing_header_as_empty"] = True
    return node


def _asker(cors: Cors, step: Step) -> Node:
    match step.asker:
        case Asker.ALLOWED:
            return {"headers": _allowed(cors)}
        case Asker.ABSENT:
            return {"headers": [{"name": "origin", "string_match": {"exact": ""},
                                 "treat_missing_header_as_empty": True}]}  # fmt: skip
        case Asker.SAME:
            own = {"filter": "corsproxy", "path": [{"key": "own"}],
                   "value": {"string_match": {"exact": "yes"}}}  # fmt: skip
            return {"dynamic_metadata": [own]}
        case Asker.REST:
            return {}


def _allowed(cors: Cors) -> list[Node]:
    found = [matches("origin", cors.origin)]
    if cors.has_wildcards:
        found.append(matches("origin", f".{{0,{cors.longest}}}"))
    return found


def _condition(cors: Cors, step: Step, path: Node) -> Node:
    node = {**path, **_asker(cors, step)}
    headers = [*node.pop("headers", [])]
    if step.preflight:
        rules = cors.rules
        headers += [
            {"name": ":method", "string_match": {"exact": "OPTIONS"}},
            matches("origin", ".+"),
            {"name": "access-control-request-method", "present_match": True},
        ]
        if step.fits:
            allowed = f"(?i:{expressions.allowed_headers(rules)})"
            headers += [
                matches("access-control-request-method", expressions.allowed_methods(rules)),
                matches(_NAMES, allowed, or_missing=True),
            ]
    if step.upgrade:
        headers.append({"name": "upgrade", "present_match": True})
    return {**node, "headers": headers} if headers else node


def _answers(cors: Cors, step: Step, path: Node) -> list[Node]:
    """Return the routes of a response: one for each case that its fields depend on."""
    condition = _condition(cors, step, path)
    if step.status != 204:
        return [_answer(condition, step, step.fields)]
    variants: list[tuple[list[Node], str]] = []
    if cors.rules.request_headers.any:
        names = f"(?i:{expressions.allowed_headers(cors.rules)})"
        variants = [([matches(_NAMES, names)], f"%REQ({_NAMES})%"), ([], "")]
    else:
        listed = steps.allow_headers(cors.rules)
        added = steps.unlisted_safelisted(cors.rules)
        for name in added:
            asked = rf"(?i:(?:.*[\t ,])?{name}(?:[\t ,].*)?)"
            more = ", ".join([listed, *added] if listed else added)
            variants.append(([matches(_NAMES, asked)], formatted(more)))
        variants.append(([], formatted(listed)))
    found = []
    for headers, value in variants:
        fields = tuple((name, value if given in (Echo.NAMES, Echo.LISTED) else given)
                       for name, given in step.fields)  # fmt: skip
        narrowed = {**condition, "headers": [*condition.get("headers", []), *headers]}
        found.append(_answer(narrowed, step, fields, raw=True))
    return found


def _answer(condition: Node, step: Step, fields: Fields, *, raw: bool = False) -> Node:
    status = step.status or 500
    reply: Node = {"status": status}
    if status in steps.TEXTS:
        reply["body"] = {"inline_string": steps.TEXTS[status] + "\n"}
    added = _added(fields, raw=raw)
    if step.vary:
        added.append(_field("vary", step.vary))
    return {"match": condition, "direct_response": reply, "response_headers_to_add": added}


def _added(fields: Fields, *, raw: bool = False) -> list[Node]:
    found = []
    for name, value in fields:
        if value is Echo.ORIGIN:
            found.append(_field(name, ORIGIN))
        elif isinstance(value, str) and value:
            is_names = name == "Access-Control-Allow-Headers"
            found.append(_field(name, value if raw and is_names else formatted(value)))
    return found


def formatted(text: str) -> str:
    """Escape percent signs for a text in which Envoy replaces commands."""
    return text.replace("%", "%%")


def _field(name: str, value: str) -> Node:
    return {"header": {"key": name.lower(), "value": value},
            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}  # fmt: skip


def _refusals(plan: Plan) -> list[object]:
    policy = plan.policy
    named = expressions.named_hosts(policy.allowed_hosts)
    method, host = ":method", ":authority"
    unspecified = f"(?i:(?:{expressions.UNSPECIFIED}){expressions.PORT})"
    listed = f"(?i:(?:{'|'.join(named)}){expressions.PORT})"
    found: list[object] = [
        *_refused(plan, 405, [matches(method, "(?i:CONNECT|TRACE|TRACK)")]),
        *_refused(plan, 501, [matches(method, expressions.forwarded_methods(), invert=True)]),
        *_refused(plan, 400, [matches(host, expressions.WELL_FORMED_HOST, invert=True)]),
    ]
    if not policy.any_host:
        hosts = [*_refused(plan, 421, [matches(host, unspecified)]),
                 *_refused(plan, 421, [matches(host, listed, invert=True)])]  # fmt: skip
        note = f"{at(policy.allowed_hosts_source)}: allowed_hosts"
        found += [Noted(note, hosts[0]), *hosts[1:]]
    dots = DOT_SEGMENT.replace("(?:$|", r"(?:$|\?|")
    return [
        *found,
        *_refused(plan, 400, [matches(":path", f"(?i:[^?]*{dots}.*)")]),
        *_refused(plan, 400, [matches(":path", ".*#.*")]),
    ]


def _refused(plan: Plan, status: int, headers: Sequence[Node]) -> list[Node]:
    """Return the routes of a refusal, with the grant of the route that takes the path."""
    found = []
    for cors, path in _groups(plan):
        for step in steps.refusal(cors.rules, status):
            condition = _condition(cors, step, path)
            condition = {**condition, "headers": [*headers, *condition.get("headers", [])]}
            if not condition["headers"]:
                del condition["headers"]
            found.append(_answer(condition, step, step.fields))
    return found


def _groups(plan: Plan) -> Iterable[tuple[Cors, Node]]:
    """Yield the policies by path; neighbouring routes with the same policy are merged."""
    grouped: list[tuple[Cors, list[str]]] = []
    for route in plan.routes:
        cors = plan.cors_of(route)
        if grouped and grouped[-1][0] is cors:
            grouped[-1][1].append(route.taken)
        else:
            grouped.append((cors, [route.taken]))
    if not plan.takes_everything:
        grouped.append((plan.default, [".*"]))
    for cors, paths in grouped:
        yield cors, {"prefix": "/"} if ".*" in paths else _path("|".join(paths))


def _ambiguous(plan: Plan, route: RoutePlan) -> list[Node]:
    """Match what may be read as a path of this route, but is literally another route's."""
    return _refused(
        plan,
        400,
        [
            matches(":path", route.read_as + _QUERY),
            matches(":path", route.taken + _QUERY, invert=True),
        ],
    )


def forward(plan: Plan, route: RoutePlan, step: Step | None) -> list[Node]:
    """Return the routes to an upstream, one for each mapping of its paths. `step` is None if the
    upstream answers CORS itself."""
    vouched = step is not None and step.vouched and step.asker is not Asker.ABSENT
    told = {"filter_metadata": {"envoy.filters.http.lua": _script_parameters(route, step)}}
    found = []
    for mapping in route.mappings:
        condition = _path(mapping.alone or route.taken)
        if step is not None and route.cors is not None:
            condition = _condition(route.cors, step, condition)
        node: Node = {
            "match": condition,
            "route": _action(route, mapping),
            "metadata": told,
            "request_headers_to_remove": _removed_on_the_way(route, vouched=vouched),
            "request_headers_to_add": _added_on_the_way(plan, route, vouched=vouched),
            "response_headers_to_remove": _removed(plan, route),
            "response_headers_to_add": [
                *_ruled(route.route.response_headers.set),
                *(_added(step.fields) if step is not None else ()),
            ],
        }
        found.append({key: value for key, value in node.items() if value != []})
    return found


def _action(route: RoutePlan, mapping: Mapping) -> Node:
    longest = route.longest_wait or 0.0
    action: Node = {"cluster": route.id, "timeout": "0s", "idle_timeout": f"{longest:g}s"}
    if not route.route.preserve_host:
        action["host_rewrite_literal"] = route.authority
    if mapping.alone is None and mapping.prefix == route.client_prefix:
        return action
    action["regex_rewrite"] = {
        "pattern": {"regex": f"^{mapping.alone or mapping.expression}$"},
        "substitution": mapping.prefix + ("\\1" if mapping.alone is None else ""),
    }
    return action


def _script_parameters(route: RoutePlan, step: Step | None) -> Node:
    links = []
    for rule in route.links:
        link: Node = {"there": rule.upstream_prefix, "here": rule.client_prefix}
        if rule.site:
            scheme, _, authority = rule.site.partition("://")
            link |= {
                "scheme": scheme,
                "authority": authority,
                "own_scheme": route.route.upstream.scheme,
            }
        links.append(link)
    told: Node = {"links": links}
    if route.route.cookies == "auto":
        there, here = route.cookie_paths
        told["cookies"] = {"there": there, "here": here}
    if step is not None and step.vouched and route.route.origin == "rewrite":
        told["page"] = route.origin
    if step is not None and step.vary:
        told["varies"] = True
    if step is not None and ("Access-Control-Expose-Headers", Echo.PRESENT) in step.fields:
        told["exposes"] = True
    if route.cors is None:
        told["passthrough"] = True
    if route.sandboxes:
        told["sandbox"] = dict.fromkeys(planned.NAVIGATIONS, planned.SANDBOX)
    return told


def _removed_on_the_way(route: RoutePlan, *, vouched: bool) -> list[str]:
    rules, origin = route.route.request_headers, route.route.origin
    names = ["x-forwarded-proto", *planned.HOP_FIELDS]
    if origin == "remove":
        names += ["Origin", "Referer", *planned.SEC_FETCH_FIELDS]
    elif origin == "rewrite" and vouched:
        names += planned.SEC_FETCH_FIELDS
    names += [as_text(name) for name in sorted(rules.remove)]
    return list(dict.fromkeys(name.lower() for name in names if name.lower() != "te"))


def _added_on_the_way(plan: Plan, route: RoutePlan, *, vouched: bool) -> list[Node]:
    found = []
    if route.route.origin == "rewrite" and vouched:
        own = _field("origin", formatted(route.origin))
        found.append({**own, "append_action": "OVERWRITE_IF_EXISTS"})
    if route.forwards_client:
        found.append(_field("x-forwarded-for", "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%"))
    if route.forwards_host:
        found.append(_field("x-forwarded-host", "%REQ(:authority)%"))
        found.append(_field("x-forwarded-proto", "%DYNAMIC_METADATA(corsproxy:scheme)%"))
    if plan.via is not None:
        added = _field("via", formatted(plan.via))
        found.append({**added, "append_action": "APPEND_IF_EXISTS_OR_ADD"})
    return [*found, *_ruled(route.route.request_headers.set)]


def _ruled(fields: Iterable[tuple[bytes, bytes]]) -> list[Node]:
    return [
        {
            **_field(as_text(name), formatted(as_text(value))),
            **({} if value else {"keep_empty_value": True}),
        }
        for name, value in fields
        if is_text(value)
    ]


def _removed(plan: Plan, route: RoutePlan) -> list[str]:
    names = [*plan.removed_from_responses]
    if route.cors is not None:
        names += planned.GRANT_FIELDS
    names += [as_text(name) for name in sorted(route.route.response_headers.remove)]
    return list(dict.fromkeys(name.lower() for name in names))
