"""What a request over HTTP/2 costs, beside other servers: processor time, by h2load.

    python -m benchmarks.http2

Needs h2load (nghttp2-client) and nginx, and measures Caddy, hypercorn and granian where they are
on the PATH. nginx answers behind those that forward; hypercorn and granian answer themselves.
Processor time is compared and not requests per second: it depends less on what else a machine does.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from typing import NamedTuple

from trustme import CA

REQUESTS = 10_000
ROUNDS = 3
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
    """Whether its HTTP/1.1 is measured, too."""
    environ: Mapping[str, str] = {}


def peers(directory: Path) -> Iterator[tuple[Peer, int]]:
    tls = ("--certfile", "cert.pem", "--keyfile", "key.pem")
    port = FIRST_PORT
    config = f"listen: https://127.0.0.1:{port}\ntls: {{cert_file: cert.pem, key_file: key.pem}}\n"
    rules = "cors: {allow_origins: [http://localhost:5173]}\nlog: {requests: none}\nadmin: off\n"
    upstream = f"upstream: http://127.0.0.1:{UPSTREAM}\n"
    (directory / "corsproxy.yaml").write_text(upstream + rules + config)
    yield Peer("corsproxy", (sys.executable, "-m", "corsproxy"), http1=True), port
    port += 1
    nginx = NGINX.format(name="front", upstream=UPSTREAM, server=FORWARD.format(port=port))
    (directory / "front.conf").write_text(nginx)
    yield Peer("nginx", ("nginx", "-c", "front.conf", "-p", "."), http1=True), port
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
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), **peer.environ}
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(peer.command, cwd=directory, env=environ, stdout=quiet, stderr=quiet)
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
    """A process and all below it."""
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
    """The least microseconds for a request, of some rounds; None where any failed."""
    found = []
    for _ in range(ROUNDS):
        before = processor_time(family(pid))
        if not load(port, REQUESTS, http1=http1):
            return None
        found.append((processor_time(family(pid)) - before) / REQUESTS * 1e6)
    return min(found)


def main() -> None:
    with TemporaryDirectory() as name:
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
        with running(back, directory):
            for peer, port in peers(directory):
                if which(peer.command[0]) is not None:
                    report(peer, port, directory)


def report(peer: Peer, port: int, directory: Path) -> None:
    with running(peer, directory) as pid:
        deadline = time.monotonic() + 20
        while not load(port, 500, http1=False) and time.monotonic() < deadline:
            time.sleep(0.2)
        for http1 in (False, True) if peer.http1 else (False,):
            found = measure(pid, port, http1=http1)
            shown = "failed" if found is None else f"{found:.0f} µs"
            print(f"{peer.name:28} {'HTTP/1.1' if http1 else 'HTTP/2':9} {shown}")


if __name__ == "__main__":
    main()
