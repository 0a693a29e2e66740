"""Middlewares: grants, fields removed and added, and refusals."""

from corsproxy.export import plan as planned
from corsproxy.export import steps
from corsproxy.export.layout import is_text
from corsproxy.export.paths import Mapping
from corsproxy.export.plan import NOTHING, Cors, Plan, RoutePlan, at
from corsproxy.export.steps import Echo, Fields
from corsproxy.export.traefik.routers import is_constant
from corsproxy.export.yaml_text import Node, Noted


def middlewares(plan: Plan) -> dict[str, object]:
    """Return the middlewares by the names that routers use."""
    found: dict[str, object] = {}
    for cors in plan.cors:
        note = f"{at(cors.source)}: the grant of {cors.id}"
        if is_constant(cors):
            found[f"grant-{cors.id}"] = Noted(note, _constant(steps.actual_grant(cors.rules)))
            for step in steps.preflight_steps(cors.rules):
                name = f"preflight-{cors.id}" + ("-fits" if step.fits else "")
                found[name] = _constant(step.fields, _listed(cors))
        else:
            found[f"grant-{cors.id}"] = Noted(note, {"headers": _grant(cors)})
    found["vary"] = Noted(
        "Adds Vary: Origin, and grants nothing.",
        {"headers": {"accessControlAllowOriginListRegex": [NOTHING], "addVaryHeader": True}},
    )
    found["vary-refused"] = Noted(
        "The same for preflights, which the one above would answer itself.",
        {"headers": {"customResponseHeaders": {"Vary": steps.ORIGIN_ONLY}}},
    )
    found["vary-preflight"] = Noted(
        "For preflights whose origin is refused.",
        {"headers": {"customResponseHeaders": {"Vary": steps.PREFLIGHT}}},
    )
    for status in sorted({*steps.TEXTS, 204, 502}):
        found[f"refuse-{status}"] = {
            "ipAllowList": {"sourceRange": ["255.255.255.255/32"], "rejectStatusCode": status}
        }
    for route in plan.routes:
        found |= _of_route(plan, route)
    return found


def _listed(cors: Cors) -> str:
    """Names safelisted by Fetch are always included: Traefik cannot tell whether they are asked
    for."""
    names = cors.rules.request_headers.names
    return ", ".join([*names, *steps.unlisted_safelisted(cors.rules)])


def _constant(fields: Fields, listed: str = "") -> Node:
    """Return fields that are the same for every request."""
    values = {name: "*" if value is Echo.PRESENT else listed if value is Echo.LISTED else value
              for name, value in fields}  # fmt: skip
    return {"headers": {"customResponseHeaders": values}}


def _grant(cors: Cors) -> Node:
    rules = cors.rules
    node: Node = {}
    if cors.is_any:
        node["accessControlAllowOriginList"] = ["*"]
    else:
        node["accessControlAllowOriginListRegex"] = [f"^(?:{cors.origin})$"]
        node["addVaryHeader"] = True
    methods = steps.allow_methods(rules)
    if methods:
        node["accessControlAllowMethods"] = methods.split(", ")
    node["accessControlAllowHeaders"] = (
        ["*"] if rules.request_headers.any else _listed(cors).split(", ")
    )
    exposed = ["*"] if rules.expose_headers.any else [*rules.expose_headers.names]
    if exposed:
        node["accessControlExposeHeaders"] = exposed
    if rules.credentials:
        node["accessControlAllowCredentials"] = True
    if rules.max_age is not None:
        node["accessControlMaxAge"] = rules.max_age
    return node


def _of_route(plan: Plan, route: RoutePlan) -> dict[str, object]:
    asked, answered = route.route.request_headers, route.route.response_headers
    to_upstream = dict.fromkeys(planned.FORWARDING_FIELDS, "")
    to_upstream |= {name.decode("ascii"): "" for name in sorted(asked.remove)}
    to_upstream |= {name.decode("ascii"): value.decode("utf-8") for name, value in asked.set
                    if is_usable(value)}  # fmt: skip
    if route.forwards_host:
        del to_upstream["X-Forwarded-Host"], to_upstream["X-Forwarded-Proto"]
    if plan.via is not None:
        to_upstream["Via"] = plan.via
    to_upstream["X-Replaced-Path"] = ""
    stripped = [*plan.removed_from_responses, *(planned.GRANT_FIELDS if route.cors else ())]
    to_client = dict.fromkeys(map(str.title, stripped), "")
    to_client |= {name.decode("ascii"): "" for name in sorted(answered.remove)}
    to_client |= {name.decode("ascii"): value.decode("utf-8") for name, value in answered.set
                  if is_usable(value)}  # fmt: skip
    if route.sandboxes:
        to_client["Content-Security-Policy"] = planned.SANDBOX
    headers = {"customRequestHeaders": to_upstream, "customResponseHeaders": to_client}
    found: dict[str, object] = {f"{route.id}-fields": Noted(route.note, {"headers": headers})}
    if route.cors is not None and route.route.origin != "keep":
        own = {"Origin": route.origin}
        own |= dict.fromkeys(("Referer", *planned.SEC_FETCH_FIELDS), "")
        if route.route.origin == "remove":
            own["Origin"] = ""
        found[f"{route.id}-own-origin"] = {"headers": {"customRequestHeaders": own}}
    for number, mapping in enumerate(route.mappings, 1):
        found[f"{route.id}-path-{number}"] = {"replacePathRegex": _mapped(mapping)}
    return found


def _mapped(mapping: Mapping) -> Node:
    """Match without the query, which is not part of what is replaced."""
    prefix = mapping.prefix.replace("$", "$$")
    if mapping.alone is not None:
        return {"regex": f"^{mapping.alone}$", "replacement": prefix}
    return {"regex": f"^{mapping.expression}$", "replacement": f"{prefix}$1"}


def is_usable(value: bytes) -> bool:
    """Whether a field can be set to a value: an empty one deletes it."""
    return value != b"" and is_text(value)
