"""Both files: the static one with the entry points, the dynamic one with the rest."""

from corsproxy.core.policy import ListenAddress
from corsproxy.export.layout import Lines, comment
from corsproxy.export.losses import EVERYWHERE, Loss, exposing_losses, field_losses
from corsproxy.export.plan import Plan, bracketed
from corsproxy.export.traefik.middlewares import is_usable, middlewares
from corsproxy.export.traefik.routers import routers
from corsproxy.export.traefik.services import services, transports
from corsproxy.export.yaml_text import Node, dump

VERSIONS = "Traefik 3.7.15"
DYNAMIC = "dynamic.yml"

ALWAYS = (
    *EVERYWHERE,
    "Traefik 3.7 or newer; fields whose names CGI cannot tell from others are dropped",
    ("preflights of listed origins are answered with 200, without Vary, with Expose-Headers;"
    " Max-Age is on those that fail, too"),
    "an empty Access-Control-Request-Method does not make a preflight: the request is forwarded",
    "if one of several Origin lines is allowed, the request is forwarded",
    ("origin: rewrite is not possible: the upstream sees the Origin, Referer and Sec-Fetch-* of the"
    " page"),
    "Location, Content-Location, Refresh, Link and Set-Cookie are not mapped",
    ("percent-encoded letters and digits are decoded before routing, not refused;"
    " other percent-encoding gets upper-case digits"),
    ("paths with %2F, %5C or dot segments are refused with 400, without a grant; so are doubled"
    " slashes where a base or strip_path replaces a part of the path"),
    "requests that Traefik refuses before its routers, and its own 502 and 504, may carry no grant",
    "pages of this host are recognized by Sec-Fetch-Site, or by names and ports of the file",
    "X-Forwarded-For is kept as Traefik makes it; timeout.idle and limits are Traefik's own",
    "hosts of more than 241 characters match no wildcard",
    "without an Origin the grant of \"*\" is sent, too; a refused preflight carries no grant",
)  # fmt: skip


def write(plan: Plan) -> tuple[Lines, list[Loss]]:
    """Return both documents, and their losses besides ALWAYS."""
    names = {address: f"web{number}" for number, address in enumerate(plan.listen, 1)}
    static = {
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
        "log": {"level": "WARN"},
        "entryPoints": {
            entry: point
            for address, name in names.items()
            for entry, point in _entry_points(name, address).items()
        },
        "providers": {"file": {"filename": DYNAMIC, "watch": True}},
    }
    http: Node = {
        "routers": routers(plan),
        "middlewares": middlewares(plan),
        "services": services(plan),
    }
    found = transports(plan)
    if found:
        http["serversTransports"] = found
    dynamic: Node = {"http": http}
    tls = plan.policy.listener_tls
    if "https" in plan.schemes and tls is not None:
        files = {"certFile": tls.cert_file, "keyFile": tls.key_file}
        protocols = ["h2", "http/1.1"] if plan.policy.http2 else ["http/1.1"]
        dynamic["tls"] = {"certificates": [files],
                          "stores": {"default": {"defaultCertificate": files}},
                          "options": {"default": {"alpnProtocols": protocols}}}  # fmt: skip
    lines = [
        comment("The static configuration: `traefik --configFile=static.yml`."),
        *dump(static),
        "---",
        comment(f"The dynamic configuration: {DYNAMIC}, where the static one looks for it."),
        *dump(dynamic),
    ]
    return lines, _losses(plan)


def _entry_points(name: str, address: ListenAddress) -> dict[str, Node]:
    found = {}
    for number, host in enumerate(map(bracketed, address.hosts)):
        # An alias such as X_Forwarded_For: CGI cannot tell it from the real one.
        http: Node = {"sanitizePath": False, "aliasHeadersStrategy": "delete"}
        if address.https:
            http["tls"] = {}
        found[f"{name}{'-v6' if number else ''}"] = {
            "address": f"{host}:{address.port}",
            "http": http,
            "transport": {"respondingTimeouts": {"idleTimeout": "75s"}},
        }
    return found


def _losses(plan: Plan) -> list[Loss]:
    found = [loss for cors in plan.cors for loss in exposing_losses(cors.rules)]
    why = "is left out: its value is empty or not UTF-8"
    for route in plan.routes:
        if route.route.origin == "remove":
            place = plan.places.in_route(route.route, "origin")
            found.append(Loss(place, "origin: remove: the upstream still sees the page's"))
        if route.route.upstream.socket_path is not None:
            place = plan.places.in_route(route.route, "upstream")
            found.append(Loss(place, "upstream: Traefik does not support Unix sockets: 502"))
        if not route.forwards_client:
            place = plan.places.in_route(route.route, "forwarded")
            found.append(Loss(place, "forwarded: off: X-Forwarded-For is still sent"))
        if route.sandboxes:
            place = plan.places.in_route(route.route, "documents")
            found.append(Loss(place, "documents: sandbox also applies to fetched responses"))
        found += field_losses(plan.places, route.route, lambda _, value: is_usable(value), why)
    return found
