"""`routes:` and the short form `upstream:` -> `Route`s.

A file with both has the short form's upstream as its route at "/": what no other route
takes goes there.
"""

import re
from typing import NamedTuple

from corsproxy.config.connections import TlsCheck, read_timeout, read_tls
from corsproxy.config.cors import Passthrough, read_cors
from corsproxy.config.findings import Findings, Value
from corsproxy.config.header_rules import read_header_rules
from corsproxy.config.mistakes import BadValueError
from corsproxy.config.paths import parse_path
from corsproxy.config.section import Section, as_section
from corsproxy.config.spelling import shown
from corsproxy.config.upstreams import parse_upstream
from corsproxy.config.yaml.nodes import Mapping, Node, Scalar, Sequence, kind_of
from corsproxy.core.origins.hosts import is_loopback
from corsproxy.core.policy import (
    CookiesMode,
    CorsRules,
    Documents,
    Forwarded,
    ListenAddress,
    OriginToUpstream,
    Policy,
    Route,
    UpstreamAddress,
)
from corsproxy.core.routing import Target, is_ambiguous

_EXAMPLE = "{path: /api, upstream: https://api.example.com}"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

_ORIGIN_WORDS: dict[str, OriginToUpstream] = {
    "upstream": "rewrite", "replace": "rewrite", "true": "rewrite", "change": "rewrite",
    "preserve": "keep", "pass": "keep", "original": "keep", "false": "keep",
    "strip": "remove", "drop": "remove", "delete": "remove", "none": "remove", "off": "remove",
}  # fmt: skip
_COOKIE_WORDS: dict[str, CookiesMode] = {
    "rewrite": "auto", "true": "auto", "on": "auto", "default": "auto",
    "pass": "keep", "preserve": "keep", "false": "keep", "off": "keep", "none": "keep",
}  # fmt: skip
_FORWARDED_WORDS: dict[str, Forwarded] = {
    "true": "on", "yes": "on", "always": "on", "public": "on", "default": "auto",
    "false": "off", "no": "off", "never": "off", "none": "off", "remove": "off",
}  # fmt: skip
_DOCUMENT_WORDS: dict[str, Documents] = {
    "true": "sandbox", "on": "sandbox", "sandboxed": "sandbox", "isolate": "sandbox",
    "auto": "keep", "false": "keep", "off": "keep", "none": "keep", "pass": "keep",
}  # fmt: skip


class Surroundings(NamedTuple):
    """What a route is read in."""

    findings: Findings
    cors: CorsRules | Passthrough
    """The rules that routes take over."""
    directory: str
    """Absolute; where relative paths start."""
    listen: tuple[ListenAddress, ...]
    used: list[CorsRules | Passthrough]
    """Every route's rules, those of broken routes included; filled as routes are read."""
    check_tls: TlsCheck


def read_routes(top: Section, around: Surroundings) -> tuple[Route, ...]:
    """Return every route of the file, the short form's included."""
    routes: list[Route] = []
    if not top.lacks("routes"):
        node = top.get("routes", f"write a list of routes, such as `- {_EXAMPLE}`")
        if node is not None:
            routes = _read_list(node, around)
    if not top.lacks("upstream"):
        value = top.value("upstream", "write `https://api.example.com`")
        if value is not None:
            _add_short_form(value, routes, around)
    elif top.lacks("routes"):
        help = "write `upstream: https://api.example.com`"
        message = "the file names no upstream"
        around.findings.error("missing-key", _first_key(top.node), message, help)
    return tuple(routes)


def _first_key(node: Mapping) -> Scalar | Mapping:
    return node.entries[0].key if node.entries else node


def _read_list(node: Node, around: Surroundings) -> list[Route]:
    findings = around.findings
    if not isinstance(node, Sequence):
        help = f"write a list: start each route with `- `, such as `- {_EXAMPLE}`"
        findings.error("wrong-type", node, f"`routes` is {kind_of(node)}, not a list", help)
        return []
    if not node.items:
        help = f"write a route, such as `{_EXAMPLE}`, or remove the key"
        findings.error("empty-list", node, "`routes` holds no route", help)
    routes: list[Route] = []
    names: dict[str, int] = {}
    paths: dict[bytes, int] = {}
    for index, item in enumerate(node.items):
        section = as_section(findings, item, "route", f"routes[{index}]", _EXAMPLE)
        route = None if section is None else _Reader(section, around).read()
        if section is None or route is None:
            continue
        line = route.source.line
        if route.path in paths:
            message = f"`{section.path}`: another route has the path {shown(route.path.decode())}"
            help = f"it starts on line {paths[route.path]}; no request would reach this one"
            findings.error("duplicate-path", section.raw("path"), message, help)
        elif route.name in names:
            message = f"`{section.path}`: another route has the name {shown(route.name)}"
            help = f"it starts on line {names[route.name]}; give each its own"
            findings.error("duplicate-name", section.raw("name"), message, help)
        paths.setdefault(route.path, line)
        names.setdefault(route.name, line)
        routes.append(route)
    return routes


def _add_short_form(value: Value, routes: list[Route], around: Surroundings) -> None:
    for route in routes:
        if route.path == b"/":
            message = "`upstream` is the route at `/`, and there is another one"
            help = f"it starts on line {route.source.line}: keep that one, and remove this line"
            around.findings.error("duplicate-path", value.node, message, help)
            return
    source = around.findings.source(value.node)
    around.used.append(around.cors)
    upstream = _upstream(around, value, "upstream")
    if upstream is not None:
        origin: OriginToUpstream = "keep" if around.cors == "passthrough" else "rewrite"
        routes.append(
            Route(
                "/",
                b"/",
                upstream,
                around.cors,
                origin=origin,
                source=source,
                upstream_source=source,
                is_short=True,
            )
        )


def check_reachable(findings: Findings, policy: Policy) -> None:
    """Warn of routes that no request reaches: what leads there leads elsewhere as others read it,
    and is refused."""
    for route in policy.routes:
        if b";" in route.path and is_ambiguous(policy, Target(route.path, b"", None), route):
            path = shown(route.path.decode("ascii"))
            message = (
                f"every request for {path} is refused (`ambiguous-path`): an upstream that drops"
                " `;parameters` reads it as a path that this route does not take"
            )
            help = "remove the `;` and what follows, or have the route above it take these paths"
            findings.at("warning", "unreachable-path", route.source, message, help)


def _upstream(around: Surroundings, value: Value, path: str) -> UpstreamAddress | None:
    upstream = around.findings.parsed(parse_upstream, value, path)
    for address in around.listen:
        if upstream is not None and is_same_place(upstream, address):
            message = f"`{path}`: {address} is where this proxy itself listens"
            help = "name the API's own address, or listen on another port"
            around.findings.warning("upstream-is-self", value.node, message, help)
            break
    return upstream


def is_same_place(upstream: UpstreamAddress, address: ListenAddress) -> bool:
    """Whether requests to the upstream would come straight back, for all that is written."""
    if upstream.socket_path is not None or upstream.port != address.port:
        return False
    host = f"[{upstream.host}]" if ":" in upstream.host else upstream.host
    local = ("localhost", "127.0.0.1", "::1", "0.0.0.0", "::")  # noqa: S104
    return upstream.host == address.host or (is_loopback(host) and address.host in local)


class _Reader:
    """Reads one route."""

    def __init__(self, section: Section, around: Surroundings) -> None:
        self._section = section
        self._around = around
        self._findings = around.findings

    def read(self) -> Route | None:
        """Return the route; None where it lacks its path or its upstream."""
        section = self._section
        source = self._findings.source(section.node)
        path = self._path()
        upstream = self._upstream()
        cors = self._cors()
        self._around.used.append(cors)
        preserve_host = section.flag("preserve_host", False)
        origin = self._origin(cors, preserve_host)
        strip_path = section.flag("strip_path", False)
        cookies = section.choice("cookies", ("auto", "keep"), "auto", _COOKIE_WORDS)
        forwarded = section.choice("forwarded", ("auto", "on", "off"), "auto", _FORWARDED_WORDS)
        documents = section.choice("documents", ("keep", "sandbox"), "keep", _DOCUMENT_WORDS)
        request_headers = read_header_rules(section, "request_headers")
        response_headers = read_header_rules(section, "response_headers")
        timeout = read_timeout(section)
        tls = read_tls(section, upstream, self._around.directory, self._around.check_tls)
        name = self._name(path)
        if path is None or upstream is None:
            return None
        return Route(
            name,
            path,
            upstream,
            cors,
            strip_path,
            preserve_host,
            origin,
            cookies,
            forwarded,
            documents,
            request_headers,
            response_headers,
            timeout,
            tls,
            source,
            self._findings.source(section.raw("upstream")),
        )

    def _origin(self, cors: CorsRules | Passthrough, preserve_host: bool) -> OriginToUpstream:
        section = self._section
        default: OriginToUpstream = "keep" if preserve_host or cors == "passthrough" else "rewrite"
        origin = section.choice("origin", ("rewrite", "keep", "remove"), default, _ORIGIN_WORDS)
        if cors == "passthrough" and origin != "keep" and section.has("origin"):
            message = (
                f"`{section.where('origin')}`: the upstream answers CORS and must see who asks"
            )
            help = "write `keep`, or remove the key"
            node = section.raw("origin")
            self._findings.warning("passthrough-origin", node, message, help, "keep")
        return origin

    def _path(self) -> bytes | None:
        section = self._section
        if section.lacks("path"):
            help = "write `path: /` for all requests, or the prefix that it takes"
            message = f"`{section.path}` has no `path`"
            self._findings.error("missing-key", _first_key(section.node), message, help)
        return section.parsed("path", parse_path, "write `/`, or a prefix such as `/api`")

    def _upstream(self) -> UpstreamAddress | None:
        section = self._section
        if section.lacks("upstream"):
            help = "write `upstream: https://api.example.com`"
            message = f"`{section.path}` has no `upstream`"
            self._findings.error("missing-key", _first_key(section.node), message, help)
        value = section.value("upstream", "write `https://api.example.com`")
        if value is None:
            return None
        return _upstream(self._around, value, section.where("upstream"))

    def _cors(self) -> CorsRules | Passthrough:
        section, above = self._section, self._around.cors
        node = section.get("cors", "write `{allow_origins: […]}`, or the word `passthrough`")
        if node is None:
            return above
        return read_cors(self._findings, node, section.where("cors"), above)

    def _name(self, path: bytes | None) -> str:
        """Return the route's name: its path where it has none."""
        default = "" if path is None else path.decode("ascii")
        value = self._section.value("name")
        if value is None or value.text == default:
            return default
        if _NAME.fullmatch(value.text):
            return value.text
        help = (
            "it labels log lines and metrics: write letters, digits, `-`, `_` and `.`, at most 64"
        )
        likely = re.sub(r"[^A-Za-z0-9._-]+", "-", value.text).strip("-._")[:64] or None
        mistake = BadValueError(
            "bad-name", f"{shown(value.text)} is not a valid name", help, likely
        )
        self._findings.mistake(value, mistake, self._section.where("name"))
        return default
