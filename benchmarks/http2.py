"""The cost of a request over HTTP/2, compared with other servers: processor time, with h2load.

    python -m benchmarks.http2 [WHEEL]

Needs h2load (nghttp2-client) and nginx. Envoy, Caddy, hypercorn and granian are measured if they
are on the PATH or beside the interpreter (`make .venv/engines.stamp`). nginx is the upstream of
those that forward; hypercorn and granian answer themselves. WHEEL is the directory of an unpacked
wheel, to measure corsproxy compiled. All run at once and are measured in turn, so that a busy
machine affects each the same. Processor time is compared, not requests per second, because it
depends less on that.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from shutil import which
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

from trustme import CA

REQUESTS = 5_000
ROUNDS = 6
TICKS = os.sysconf("SC_CLK_TCK")
UPSTREAM, FIRST_PORT = 18_100, 18_101
FIELDS = (
    "origin: http://localhost:5173",
    "referer: http://localhost:5173/",
    "accept: */*",
    "accept-language: en",
    "user-agent: Mozilla/5.0 (X11; Linux x86_64)",
)
NGINX = """daemon off; master_process off; pid {name}.pid; error_log {name}.log;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 100000000;
  client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f;
  uwsgi_temp_path u; scgi_temp_path s;
  upstream back {{ server 127.0.0.1:{upstream}; keepalive 64; }}
  server {{ {server} }} }}
"""
ANSWER = (
    'listen 127.0.0.1:{port}; default_type application/json; location / {{ return 200 "{body}"; }}'
)
FORWARD = (
    "listen 127.0.0.1:{port} ssl http2; ssl_certificate cert.pem; ssl_certificate_key key.pem;"
    " location / {{ proxy_pass http://back; proxy_http_version 1.1;"
    ' proxy_set_header Connection ""; }}'
)
CADDY = """{{ admin off
auto_https off
}}
:{port} {{ tls cert.pem key.pem
reverse_proxy :{upstream}
}}
"""
ENVOY = """static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    filter_chains:
    - transport_socket:
        name: tls
        typed_config:
          "@type": {types}.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context:
            alpn_protocols: [h2, http/1.1]
            tls_certificates:
            - {{certificate_chain: {{filename: cert.pem}}, private_key: {{filename: key.pem}}}}
      filters:
      - name: http
        typed_config:
          "@type": {types}.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: http
          http_filters:
          - name: router
            typed_config: {{"@type": {types}.filters.http.router.v3.Router}}
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes: [{{match: {{prefix: /}}, route: {{cluster: a}}}}]
  clusters:
  - name: a
    load_assignment:
      cluster_name: a
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {upstream}}}}}}}
"""
ENVOY_TYPES = "type.googleapis.com/envoy.extensions"
ASGI = """BODY = b"x" * 1024
HEAD = [(b"content-type", b"application/json"), (b"content-length", b"1024")]
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": HEAD})
        await send({"type": "http.response.body", "body": BODY})
"""


class Peer(NamedTuple):
    """A server under test."""

    name: str
    command: Sequence[str]
    http1: bool = False
    """Whether to measure its HTTP/1.1, too."""
    environ: Mapping[str, str] = {}


def found(program: str) -> str | None:
    """The path of a program; also looks among the engines that exports are tested on."""
    beside = Path(sys.executable).parent
    places = [str(beside), str(beside.parent / "engines" / "bin"), os.environ["PATH"], "/usr/sbin"]
    return which(program, path=os.pathsep.join(places))


def peers(directory: Path, wheel: str) -> Iterator[tuple[Peer, int]]:
    tls = ("--certfile", "cert.pem", "--keyfile", "key.pem")
    port = FIRST_PORT
    config = f"listen: https://127.0.0.1:{port}\ntls: {{cert_file: cert.pem, key_file: key.pem}}\n"
    rules = "cors: {allow_origins: [http://localhost:5173]}\nlog: {requests: none}\nadmin: off\n"
    upstream = f"upstream: http://127.0.0.1:{UPSTREAM}\n"
    (directory / "corsproxy.yaml").write_text(upstream + rules + config)
    command = (sys.executable, "-P", "-m", "corsproxy")
    yield Peer("corsproxy", command, http1=True, environ={"PYTHONPATH": wheel}), port
    port += 1
    nginx = NGINX.format(name="front", upstream=UPSTREAM, server=FORWARD.format(port=port))
    (directory / "front.conf").write_text(nginx)
    yield Peer("nginx", ("nginx", "-c", "front.conf", "-p", "."), http1=True), port
    port += 1
    envoy = ENVOY.format(port=port, upstream=UPSTREAM, types=ENVOY_TYPES)
    (directory / "envoy.yaml").write_text(envoy)
    options = ("-c", "envoy.yaml", "--concurrency", "1", "--use-dynamic-base-id")
    yield Peer("envoy", ("envoy", *options), http1=True), port
    port += 1
    (directory / "Caddyfile").write_text(CADDY.format(port=port, upstream=UPSTREAM))
    home = {"XDG_DATA_HOME": ".", "XDG_CONFIG_HOME": "."}
    yield Peer("caddy", ("caddy", "run"), http1=True, environ=home), port
    port += 1
    (directory / "hyper.toml").write_text("keep_alive_max_requests = 100000000\n")
    hypercorn = ("hypercorn", "-c", "hyper.toml", *tls, "-b", f"127.0.0.1:{port}", "app:app")
    yield Peer("hypercorn (answers itself)", (*hypercorn, "-k", "uvloop")), port
    port += 1
    certificate = ("--ssl-certificate", "cert.pem", "--ssl-keyfile", "key.pem")
    granian = ("granian", "--interface", "asgi", *certificate, "--port", str(port), "app:app")
    yield Peer("granian (answers itself)", granian), port


@contextmanager
def running(peer: Peer, directory: Path) -> Iterator[int]:
    environ = {**os.environ, "PYTHONPATH": str(directory), **peer.environ}
    quiet = subprocess.DEVNULL
    command = [found(peer.command[0]) or peer.command[0], *peer.command[1:]]
    process = subprocess.Popen(command, cwd=directory, env=environ, stdout=quiet, stderr=quiet)
    try:
        yield process.pid
    finally:
        for pid in reversed(family(process.pid)):
            end(pid)
        process.wait()


def end(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, 9)


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    found = children.read_text().split() if children.exists() else []
    return [pid, *(each for child in found for each in family(int(child)))]


def processor_time(pids: Sequence[int]) -> float:
    """Seconds that the processes have used."""
    stats = (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids)
    return sum(int(stat[11]) + int(stat[12]) for stat in stats) / TICKS


def load(port: int, requests: int, *, http1: bool) -> bool:
    """Send requests on 4 connections, 16 at a time on each; returns whether all succeeded."""
    fields = [part for field in FIELDS for part in ("-H", field)]
    protocol = ["--h1"] if http1 else []
    command = ["h2load", *protocol, "-n", str(requests), "-c", "4", "-m", "16", *fields]
    done = subprocess.run([*command, f"https://127.0.0.1:{port}/"], capture_output=True, text=True)
    return f"{requests} succeeded" in done.stdout


def measure(pid: int, port: int, *, http1: bool) -> float | None:
    """Microseconds per request; None if any failed."""
    before = processor_time(family(pid))
    if not load(port, REQUESTS, http1=http1):
        return None
    return (processor_time(family(pid)) - before) / REQUESTS * 1e6


def main(wheel: str) -> None:
    with TemporaryDirectory() as name, ExitStack() as running_peers:
        directory = Path(name)
        leaf = CA().issue_cert("localhost", "127.0.0.1")
        chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
        (directory / "cert.pem").write_bytes(chain)
        leaf.private_key_pem.write_to_path(str(directory / "key.pem"))
        (directory / "app.py").write_text(ASGI)
        answer = ANSWER.format(port=UPSTREAM, body="x" * 1024)
        (directory / "back.conf").write_text(
            NGINX.format(name="back", upstream=UPSTREAM, server=answer)
        )
        back = Peer("upstream", ("nginx", "-c", "back.conf", "-p", "."))
        running_peers.enter_context(running(back, directory))
        started = [
            (peer, port, running_peers.enter_context(running(peer, directory)))
            for peer, port in peers(directory, wheel)
            if found(peer.command[0]) is not None
        ]
        for _, port, _ in started:
            warm(port)
        report(started)


def warm(port: int) -> None:
    """Wait until it answers."""
    deadline = time.monotonic() + 60
    while not load(port, 500, http1=False) and time.monotonic() < deadline:
        time.sleep(0.2)


def report(started: Sequence[tuple[Peer, int, int]]) -> None:
    costs: dict[tuple[str, str], list[float]] = {}
    for _ in range(ROUNDS):
        for peer, port, pid in started:
            for http1 in (False, True) if peer.http1 else (False,):
                cost = measure(pid, port, http1=http1)
                each = costs.setdefault((peer.name, "HTTP/1.1" if http1 else "HTTP/2"), [])
                each += [] if cost is None else [cost]
    for (name, protocol), each in costs.items():
        shown = f"{min(each):.0f} µs, median {median(each):.0f} µs" if each else "failed"
        print(f"{name:28} {protocol:9} {shown}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else str(Path(__file__).parents[1]))
