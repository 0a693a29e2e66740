"""The whole file: listeners, clusters, and everything around the routes."""

from corsproxy.core.origins.hosts import is_ipv4
from corsproxy.core.policy import ListenAddress, Tls, UpstreamAddress
from corsproxy.export.envoy.routes import routes
from corsproxy.export.envoy.script import SCRIPT
from corsproxy.export.layout import Lines, is_text
from corsproxy.export.losses import EVERYWHERE, Loss, authority_losses, field_losses
from corsproxy.export.plan import Plan, RoutePlan
from corsproxy.export.yaml_text import Block, Node, Noted, dump

VERSIONS = "Envoy 1.40.0"

ALWAYS = (
    *EVERYWHERE,
    "an unknown method is refused with 400, without a grant",
    "only WebSockets can be upgraded to; an upstream's refusal comes without body and grant",
    "requests refused before the routes (400, 431, a fragment in the path) carry no grant",
    "fields of the request whose names have underscores are dropped",
    "timeout.response and timeout.idle become one, the longer; it limits event streams, too",
    "Refresh and Link are not mapped",
    "hosts of more than 241 characters match no wildcard",
    "what response_headers sets is also on Envoy's own 502 and 504",
)

_TYPE = "type.googleapis.com/envoy."
_SYSTEM = "/etc/ssl/certs/ca-certificates.crt"
_HTTP = f"{_TYPE}extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"


def write(plan: Plan) -> tuple[Lines, list[Loss]]:
    """Return the bootstrap configuration, and its losses besides ALWAYS."""
    schemes = ("http", "https")
    grouped = [[each for each in plan.listen if each.scheme == scheme] for scheme in schemes]
    bootstrap = {
        "static_resources": {
            "listeners": [_listener(plan, group) for group in grouped if group],
            "clusters": [_cluster(plan, route) for route in plan.routes],
        },
        "layered_runtime": {
            "layers": [
                Noted(
                    "By default Envoy refuses regular expressions of more than 100 steps.",
                    {
                        "name": "regular expressions",
                        "static_layer": {"re2.max_program_size.error_level": 10_000_000},
                    },
                )
            ]
        },
    }
    losses = [loss for route in plan.routes for loss in _losses(plan, route)]
    if plan.policy.limits.body is not None:
        words = "limits.body: bodies are not limited"
        losses.append(Loss(plan.places.of("limits.body"), words))
    return dump(bootstrap), losses


def _sockets(address: ListenAddress) -> list[Node]:
    return [
        {"socket_address": {"address": host, "port_value": address.port}} for host in address.hosts
    ]


def _listener(plan: Plan, addresses: list[ListenAddress]) -> Node:
    first, *others = [socket for address in addresses for socket in _sockets(address)]
    chain: Node = {"filters": [{"name": "http", "typed_config": _http(plan)}]}
    tls = plan.policy.listener_tls
    if addresses[0].https and tls is not None:
        chain["transport_socket"] = {
            "name": "tls",
            "typed_config": {
                "@type": f"{_TYPE}extensions.transport_sockets.tls.v3.DownstreamTlsContext",
                "common_tls_context": {
                    "alpn_protocols": ["h2", "http/1.1"] if plan.policy.http2 else ["http/1.1"],
                    "tls_certificates": [
                        {
                            "certificate_chain": {"filename": tls.cert_file},
                            "private_key": {"filename": tls.key_file},
                        }
                    ],
                },
            },
        }
    return {
        "name": addresses[0].scheme,
        "address": first,
        **({"additional_addresses": [{"address": each} for each in others]} if others else {}),
        "filter_chains": [chain],
    }


def _http(plan: Plan) -> Node:
    limits = plan.policy.limits
    return {
        "@type": _HTTP,
        "stat_prefix": "corsproxy",
        "use_remote_address": True,
        "skip_xff_append": True,
        "generate_request_id": False,
        "preserve_external_request_id": True,
        "server_header_transformation": "PASS_THROUGH",
        "normalize_path": False,
        "merge_slashes": False,
        "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
        "max_request_headers_kb": 64,
        "request_headers_timeout": _seconds(limits.head_timeout),
        "stream_idle_timeout": "0s",
        "common_http_protocol_options": {
            "idle_timeout": _seconds(limits.keepalive_timeout),
            "max_headers_count": 128,
            "headers_with_underscores_action": "DROP_HEADER",
        },
        "http_protocol_options": {"accept_http_10": True},
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "http_filters": [
            {
                "name": "envoy.filters.http.lua",
                "typed_config": {
                    "@type": f"{_TYPE}extensions.filters.http.lua.v3.Lua",
                    "default_source_code": {"inline_string": Block(SCRIPT)},
                },
            },
            {
                "name": "envoy.filters.http.router",
                "typed_config": {
                    "@type": f"{_TYPE}extensions.filters.http.router.v3.Router",
                    "suppress_envoy_headers": True,
                },
            },
        ],
        "local_reply_config": {
            "mappers": [
                Noted(
                    "For an upstream that cannot be reached, Envoy answers 503.",
                    {
                        "filter": {"response_flag_filter": {"flags": ["UF", "UH", "UC", "UPE"]}},
                        "status_code": 502,
                    },
                )
            ]
        },
        "route_config": {
            "name": "corsproxy",
            "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes(plan)}],
        },
    }


def _seconds(value: float | None) -> str:
    return "0s" if value is None else f"{value:g}s"


def _cluster(plan: Plan, route: RoutePlan) -> object:
    address = route.route.upstream
    connect = route.route.timeout.connect
    cluster: Node = {
        "name": route.id,
        "type": "STRICT_DNS" if route.named else "STATIC",
        "connect_timeout": "3600s" if connect is None else f"{connect:g}s",
        "load_assignment": {
            "cluster_name": route.id,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _place(address)}}]}],
        },
        "circuit_breakers": {
            "thresholds": [{"max_requests": plan.policy.limits.in_flight,
                            "max_connections": plan.policy.limits.in_flight}]
        },
    }  # fmt: skip
    if address.scheme == "https":
        cluster["transport_socket"] = {
            "name": "tls",
            "typed_config": _tls(address, route.route.tls),
        }
    return Noted(route.note, cluster)


def _place(address: UpstreamAddress) -> Node:
    if address.socket_path is not None:
        return {"pipe": {"path": address.socket_path}}
    return {"socket_address": {"address": address.host, "port_value": address.port}}


def _tls(address: UpstreamAddress, tls: Tls) -> Node:
    name = tls.server_name or address.host
    context: Node = {"alpn_protocols": ["http/1.1"]}
    if tls.verify:
        is_address = ":" in name or is_ipv4(name)
        context["validation_context"] = {
            "trusted_ca": {"filename": tls.ca_file or _SYSTEM},
            "match_typed_subject_alt_names": [
                {"san_type": "IP_ADDRESS" if is_address else "DNS", "matcher": {"exact": name}}
            ],
        }
    if tls.cert_file is not None:
        context["tls_certificates"] = [
            {
                "certificate_chain": {"filename": tls.cert_file},
                "private_key": {"filename": tls.key_file or tls.cert_file},
            }
        ]
    return {
        "@type": f"{_TYPE}extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        "sni": name,
        "common_tls_context": context,
    }


def _losses(plan: Plan, route: RoutePlan) -> list[Loss]:
    why = "is left out: its value is not UTF-8"
    found = field_losses(plan.places, route.route, lambda _, value: is_text(value), why)
    return found + authority_losses(plan.places, route.route)
