"""What a cluster does with the manifests: it ends pods, and scrapes them by name."""

import asyncio
import json
import socket
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from tests.browser.programs import program, running
from tests.fakes import Client, CutShortError, get
from tests.peers import DEADLINE_SECONDS, RawPeer, answers
from tests.process import finished, started
from tests.running import OK, ask, port_of
from tests.test_deploy import DEPLOY, image_environment, pod, sidecar, sidecar_manifest

# The manifest's seconds, made shorter.
SCALE = 0.2

API = """
import http.server, sys
class Api(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
print("port", server.server_port, flush=True)
server.serve_forever()
"""


class Clients:
    """Requests without a pause, on new connections and on kept ones, as a Service spreads them."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.statuses: Counter[int] = Counter()
        self.may_send = asyncio.Event()
        self.may_send.set()

    async def send(self) -> None:
        kept: Client | None = None
        while self.may_send.is_set():
            client = kept or Client(*await asyncio.open_connection("127.0.0.1", self._port))
            await client.send(get("/", origin=None))
            try:
                reply = await client.reply()
            except CutShortError:
                self.statuses[0] += 1
                kept = None
                continue
            self.statuses[reply.status] += 1
            kept = client if reply.value("Connection") is None else None
            if kept is None:
                await client.close()
        if kept is not None:
            await kept.close()


async def test_a_terminating_pod_loses_no_request(tmp_path: Path) -> None:
    """In the kubelet's order: the hooks of both containers run; when its hook is over, the API
    gets SIGTERM; when the API has ended, its sidecar does. Meanwhile the pod's address goes out
    of the Service, but only after the readiness probe has failed."""
    (api,) = pod(sidecar_manifest("Deployment"))["containers"]
    async with running([sys.executable, "-c", API]) as upstream:
        port = (await upstream.until(lambda line: line.startswith("port "))).split()[1]
        config = sidecar_manifest("ConfigMap")["data"]["corsproxy.yaml"]
        (tmp_path / "corsproxy.yaml").write_text(config.replace(":8080", f":{port}"))
        of_image = {
            name: value
            for name, value in image_environment().items()
            if name in ("CORSPROXY_DRAIN_DELAY", "CORSPROXY_SHUTDOWN_GRACE")
        }
        flags = ("-l", "127.0.0.1:0", "--admin", "127.0.0.1:0")
        async with started(*flags, cwd=tmp_path, env=of_image) as proxy:
            ready = await proxy.event("ready")
            clients = Clients(port_of(ready["listen"][0]))
            sending = [asyncio.create_task(clients.send()) for _ in range(4)]
            drain: list[str] = sidecar()["lifecycle"]["preStop"]["exec"]["command"][1:]
            code, _, complaint = await finished(*drain, ready["admin"])
            assert (code, complaint) == (0, "")
            readiness = await ask(port_of(ready["admin"]), get("/readyz", origin=None))
            assert readiness.status == 503
            await asyncio.sleep(SCALE * api["lifecycle"]["preStop"]["sleep"]["seconds"] / 2)
            clients.may_send.clear()
            await asyncio.gather(*sending)
            await upstream.stop()
            began = time.monotonic()
            proxy.process.terminate()
            assert await proxy.exit_code() == 0
    assert time.monotonic() - began < 4, "the drain delay was not skipped"
    assert clients.statuses.keys() == {200}
    assert clients.statuses.total() > 50


def test_the_hook_of_the_api_outlasts_the_readiness_probe() -> None:
    (api,) = pod(sidecar_manifest("Deployment"))["containers"]
    probe = sidecar()["readinessProbe"]
    noticed = probe["periodSeconds"] * probe["failureThreshold"]
    assert api["lifecycle"]["preStop"]["sleep"]["seconds"] >= 2 * noticed


async def test_prometheus_scrapes_by_name(tmp_path: Path) -> None:
    """With the alert rules loaded, and the Host that a name makes."""
    name = socket.gethostname()
    arguments = ("-l", "127.0.0.1:0", "--admin", "0.0.0.0:0")
    async with RawPeer(answers(OK)) as upstream:
        url = f"http://127.0.0.1:{upstream.port}"
        async with started(url, *arguments) as proxy:
            ready = await proxy.event("ready")
            stranger = get(origin="https://evil.example")
            assert (await ask(port_of(ready["listen"][0]), stranger)).status == 403
            admin = port_of(ready["admin"])
            async with prometheus(tmp_path, f"{name}:{admin}") as api:
                await until_asked(api, "corsproxy_refusals_total", "1")
                found = await until_asked(api, 'up{job="corsproxy"}', "1")
                assert found["instance"] == f"{name}:{admin}"
                groups = (await asked(api, "rules"))["groups"]
    loaded = {rule["name"] for group in groups for rule in group["rules"]}
    rules = yaml.safe_load((DEPLOY / "prometheus/rules.yaml").read_text())
    assert loaded == {rule["alert"] for group in rules["groups"] for rule in group["rules"]}


@asynccontextmanager
async def prometheus(directory: Path, target: str) -> AsyncIterator[str]:
    """Debian's Prometheus with the example's configuration, but for target and interval."""
    config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yaml").read_text())
    config["global"]["scrape_interval"] = "500ms"
    config["rule_files"] = [str(DEPLOY / "prometheus/rules.yaml")]
    config["scrape_configs"][0]["static_configs"] = [{"targets": [target]}]
    file = directory / "prometheus.yaml"
    file.write_text(yaml.safe_dump(config))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [
        program("prometheus"),
        f"--config.file={file}",
        f"--storage.tsdb.path={directory / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    async with running(command) as server:
        await server.until(lambda line: "Server is ready" in line)
        yield f"http://127.0.0.1:{port}/api/v1"


async def asked(api: str, path: str) -> dict[str, Any]:
    def read() -> dict[str, Any]:
        with urllib.request.urlopen(f"{api}/{path}") as response:
            found: dict[str, Any] = json.load(response)["data"]
            return found

    return await asyncio.to_thread(read)


async def until_asked(api: str, query: str, value: str) -> Mapping[str, str]:
    """Wait until the query has this value; return its labels."""
    escaped = quote(query)
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            for each in (await asked(api, f"query?query={escaped}"))["result"]:
                if each["value"][1] == value:
                    labels: Mapping[str, str] = each["metric"]
                    return labels
            await asyncio.sleep(0.1)
