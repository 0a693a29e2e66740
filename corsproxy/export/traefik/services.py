"""Services, and the connections to them."""

from corsproxy.export.plan import Plan, RoutePlan
from corsproxy.export.yaml_text import Node, Noted


def services(plan: Plan) -> dict[str, object]:
    """Return the upstream of each route."""
    return {route.id: Noted(route.note, _service(route)) for route in plan.routes}


def _service(route: RoutePlan) -> Node:
    upstream = route.route.upstream
    url = route.origin if upstream.socket_path is None else "http://127.0.0.1:9"
    balancer: Node = {
        "passHostHeader": route.route.preserve_host,
        "servers": [{"url": url}],
        "responseForwarding": {"flushInterval": "-1ms"},
        "serversTransport": route.id,
    }
    return {"loadBalancer": balancer}


def transports(plan: Plan) -> dict[str, object]:
    """Return the timeouts and the TLS settings of each route."""
    return {route.id: _transport(route) for route in plan.routes}


def _transport(route: RoutePlan) -> Node:
    times, tls = route.route.timeout, route.route.tls
    node: Node = {
        "disableHTTP2": True,
        "forwardingTimeouts": {
            "dialTimeout": _seconds(times.connect),
            "responseHeaderTimeout": _seconds(times.response),
        },
    }
    if route.route.upstream.scheme != "https":
        return node
    node["serverName"] = tls.server_name or route.route.upstream.host
    if not tls.verify:
        node["insecureSkipVerify"] = True
    elif tls.ca_file is not None:
        node["rootCAs"] = [tls.ca_file]
    if tls.cert_file is not None:
        node["certificates"] = [
            {"certFile": tls.cert_file, "keyFile": tls.key_file or tls.cert_file}
        ]
    return node


def _seconds(value: float | None) -> str:
    return "0s" if value is None else f"{round(value * 1000)}ms"
