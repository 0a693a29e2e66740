"""Routers: one for each step of the plan; a higher priority comes first."""

from collections.abc import Iterable

from corsproxy.core.guard import DOT_SEGMENT
from corsproxy.core.methods import FORWARDED_METHODS
from corsproxy.export import steps
from corsproxy.export.plan import Cors, Plan, RoutePlan, at
from corsproxy.export.steps import Asker, Step
from corsproxy.export.traefik import rules
from corsproxy.export.yaml_text import Node, Noted

_HIGHEST = 100_000


def is_constant(cors: Cors) -> bool:
    """Whether the grant is the same for everybody. Then it needs no CORS middleware, which reads
    Origin again in the response phase, so that Origin could not be rewritten."""
    return cors.is_any and not cors.rules.request_headers.any


class _Routers:
    """Collects routers, each with a lower priority than the one before."""

    def __init__(self) -> None:
        self.found: dict[str, object] = {}

    def add(self, rule: str, chain: Iterable[str], service: str, note: str = "") -> None:
        number = len(self.found) + 1
        node: Node = {
            "rule": rule,
            "priority": _HIGHEST - number,
            "middlewares": list(chain),
            "service": service,
        }
        self.found[f"router-{number:04}"] = Noted(note, node) if note else node


def routers(plan: Plan) -> dict[str, object]:
    """Return every router, in order."""
    collected = _Routers()
    _guards(plan, collected)
    for route in plan.routes:
        if plan.is_ambiguous_possible and route.path != "/":
            _refused(plan, collected, 400, rules.read_as(route), "read as another route's")
        _of_route(plan, route, collected)
    if not plan.takes_everything:
        for step in steps.preflight_steps(plan.default.rules):
            if not step.fits:
                _answer(plan, plan.default, step, "PathPrefix(`/`)", collected)
        _refused(plan, collected, 404, "", "no route takes it")
    return collected.found


def _guards(plan: Plan, collected: _Routers) -> None:
    known = rules.methods(sorted(FORWARDED_METHODS))
    _refused(plan, collected, 405, rules.methods(["CONNECT", "TRACE", "TRACK"]), "never forwarded")
    _refused(plan, collected, 501, f"!({known})", "not known")
    if not plan.policy.any_host:
        note = f"{at(plan.policy.allowed_hosts_source)}: allowed_hosts"
        _refused(plan, collected, 421, f"!({rules.hosts(plan)})", note)
    dots = f"PathRegexp({rules.text(f'(?i:{DOT_SEGMENT})')})"
    _refused(plan, collected, 400, dots, "dot segments")


def _refused(plan: Plan, collected: _Routers, status: int, rule: str, note: str) -> None:
    """Add the routers of a refusal, with the grant of the route that takes the path. A grant's
    middleware answers preflights itself, so those come first."""
    refuse = f"refuse-{status}"
    service = plan.routes[0].id
    collected.add(rules.joined(rules.PREFLIGHT, rule), ["vary-refused", refuse], service, note)
    takers = [(plan.cors_of(route), route.taken) for route in plan.routes]
    for cors, path in [*takers, (plan.default, ".*")]:
        collected.add(
            rules.joined(rules.path_of(path), rule), [f"grant-{cors.id}", refuse], service
        )
        if path == ".*":
            return


def _of_route(plan: Plan, route: RoutePlan, collected: _Routers) -> None:
    note = route.note
    path = rules.path_of(route.taken)
    if route.cors is None:
        for where, way in _ways(route):
            collected.add(where, way, route.id, note)
        return
    for step in steps.steps(route.cors.rules):
        if step.fits and not is_constant(route.cors):
            continue
        if step.preflight or step.status is not None:
            _answer(plan, route.cors, step, path, collected, note)
        else:
            grant = f"grant-{route.cors.id}" if step.fields else "vary"
            own = [f"{route.id}-own-origin"] if _rewrites(route, route.cors, step) else []
            for where, way in _ways(route):
                rule = rules.joined(where, rules.step_rule(plan, route.cors, step))
                collected.add(rule, [grant, *way, *own], route.id, note)
        note = ""


def _rewrites(route: RoutePlan, cors: Cors, step: Step) -> bool:
    """Whether the upstream sees its own Origin: only if no grant depends on the page's."""
    if route.route.origin == "keep" or not step.vouched:
        return False
    if route.route.origin == "rewrite" and step.asker is Asker.ABSENT:
        return False
    return is_constant(cors) or not step.fields


def _answer(
    plan: Plan, cors: Cors, step: Step, path: str, collected: _Routers, note: str = ""
) -> None:
    """Add the router of a response; the grant itself answers a preflight that is granted."""
    rule = rules.joined(path, rules.step_rule(plan, cors, step))
    if step.status == 204 and is_constant(cors):
        name = f"preflight-{cors.id}" + ("-fits" if step.fits else "")
        collected.add(rule, [name, "refuse-204"], plan.routes[0].id, note)
        return
    granted = step.status == 204
    chain = (
        [f"grant-{cors.id}"]
        if granted
        else [f"vary-{'preflight' if step.preflight else 'refused'}"]
    )
    status = 403 if granted else step.status
    collected.add(rule, [*chain, f"refuse-{status}"], plan.routes[0].id, note)


def _ways(route: RoutePlan) -> list[tuple[str, list[str]]]:
    """Return what lies between a grant and the upstream, for each path with its own mapping: the
    rule for the path, and the middlewares."""
    if route.route.upstream.socket_path is not None:
        return [(rules.path_of(route.taken), ["refuse-502"])]
    found = []
    for number, mapping in enumerate(route.mappings, 1):
        where = rules.path_of(mapping.alone or route.taken)
        is_same = mapping.alone is None and mapping.prefix == route.client_prefix
        way = [] if is_same else [f"{route.id}-path-{number}"]
        found.append((where, [*way, f"{route.id}-fields"]))
    return found
