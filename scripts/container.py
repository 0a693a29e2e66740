"""Run a built image as Kubernetes would, and measure it; `check_image.py` starts this module.

No container engine is needed: new namespaces, a read-only bind mount and setpriv give the process
what a kubelet would: PID 1, its own network, the image's user, no capabilities, no new privileges,
a read-only root file system, and a ConfigMap mounted as a directory, whose content is swapped by
renaming a symbolic link.
"""

import http.client
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

DEADLINE_S = 30.0

CONFIG = """\
upstream: http://127.0.0.1:9000
cors:
  allow_origins: [{origin}]
"""


class CheckError(Exception):
    """The image breaks a promise; the message says which."""


class Image(NamedTuple):
    """What the image says about running it, and where its files are mounted."""

    root: str
    environment: list[str]
    directory: str
    user: str
    entrypoint: list[str]
    command: list[str]
    health: list[str]


class Upstream(http.server.BaseHTTPRequestHandler):
    """An API without CORS."""

    def do_GET(self) -> None:
        """Answer every path the same."""
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        """Do not log: the output is the report."""


def measure(image: Image, work: Path) -> None:
    """Run the image in the namespaces of this process, and check its promises."""
    run("ip", "link", "set", "lo", "up")
    mounted = work / "config"
    publish(mounted, CONFIG.format(origin="https://app.example.com"))
    root = work / "root"
    prepare_root(image, root, mounted)
    upstream = http.server.ThreadingHTTPServer(("127.0.0.1", 9000), Upstream)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    log = work / "output"
    with log.open("wb") as output:
        began = time.monotonic()
        command = confined(image, root, image.entrypoint + image.command)
        container = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        wait_for(lambda: status("/readyz", port=8011) == 200, container, "ready")
        show("start to ready", milliseconds_since(began))
        process = first_child(container.pid)
        check_process(image, process)
        check_answers()
        check_health(image, root)
        check_reload(mounted, container)
        check_stop(process, container)
    except CheckError as error:
        raise CheckError(f"{error}\n{log.read_text()[-2000:]}") from error
    finally:
        end(container)


def end(container: subprocess.Popen[bytes]) -> None:
    """Stop everything: a process started by unshare outlives it once its user has changed."""
    if container.poll() is None:
        os.kill(first_child(container.pid), signal.SIGKILL)
        container.wait()


def publish(directory: Path, text: str) -> None:
    """Write the configuration as the kubelet writes a ConfigMap: new directory, renamed link."""
    directory.mkdir(exist_ok=True)
    version = directory / f"..{time.time_ns()}"
    version.mkdir()
    (version / "corsproxy.yaml").write_text(text)
    (directory / "..new").symlink_to(version.name)
    (directory / "..new").rename(directory / "..data")
    file = directory / "corsproxy.yaml"
    if not file.is_symlink():
        file.symlink_to("..data/corsproxy.yaml")


def prepare_root(image: Image, root: Path, config: Path) -> None:
    """Mount the image read-only, with what every engine provides and the configuration in it."""
    (Path(image.root) / "etc/hosts").touch()
    root.mkdir(exist_ok=True)
    run("mount", "--bind", image.root, str(root))
    run("mount", "-o", "remount,bind,ro", str(root))
    run("mount", "--rbind", "/dev", f"{root}/dev")
    run("mount", "--bind", "/etc/hosts", f"{root}/etc/hosts")
    run("mount", "--bind", str(config), f"{root}/etc/corsproxy")
    run("mount", "-o", "remount,bind,ro", f"{root}/etc/corsproxy")


def confined(image: Image, root: Path, command: Sequence[str]) -> list[str]:
    """The command that runs one of the image's commands as PID 1 without privileges."""
    user, _, group = image.user.partition(":")
    return [
        *("unshare", "--mount", "--pid", "--ipc", "--fork", "--"),
        *("sh", "-ec", 'mount -t proc proc "$0/proc"; exec chroot "$0" "$@"', str(root)),
        *("setpriv", "--reuid", user, "--regid", group, "--clear-groups", "--no-new-privs"),
        *("--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all"),
        *("env", "-i", f"--chdir={image.directory}", *image.environment),
        *command,
    ]


def check_process(image: Image, process: int) -> None:
    """Check the identity and the privileges of the process."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    facts = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    user, _, group = image.user.partition(":")
    expected = {"Uid": user, "Gid": group, "CapEff": "0" * 16, "NoNewPrivs": "1"}
    for field, value in expected.items():
        if set(facts[field].split()) != {value}:
            raise CheckError(f"{field} of the process is {facts[field]}, not {value}")
    if facts["NSpid"].split()[-1] != "1":
        raise CheckError("the process is not PID 1 of its container")
    show("memory when idle", f"{int(facts['VmRSS'].split()[0]) / 1024:.1f} MiB resident")


def check_answers() -> None:
    """Check that the proxy listens where the image says, and decides as configured."""
    for origin, preflight, actual in (
        ("https://app.example.com", 204, 200),
        ("https://evil.example", 403, 403),
    ):
        got = status("/", origin=origin, method="OPTIONS"), status("/", origin=origin)
        if got != (preflight, actual):
            raise CheckError(f"{origin} got {got}, not {(preflight, actual)}")


def check_health(image: Image, root: Path) -> None:
    """Check that the image's own health check passes beside a ready proxy."""
    began = time.monotonic()
    command = confined(image, root, image.health)
    if subprocess.run(command, stdout=subprocess.DEVNULL).returncode != 0:
        raise CheckError("the health check fails beside a ready proxy")
    show("health check", milliseconds_since(began))


def check_reload(mounted: Path, container: subprocess.Popen[bytes]) -> None:
    """Check that a swapped ConfigMap goes live by itself."""
    origin = "https://new.example.com"
    publish(mounted, CONFIG.format(origin=origin))
    began = time.monotonic()
    wait_for(lambda: status("/", origin=origin) == 200, container, "live after the swap")
    show("ConfigMap swap to live", milliseconds_since(began))


def check_stop(process: int, container: subprocess.Popen[bytes]) -> None:
    """Check SIGTERM: not ready at once, still serving, then exit 0 within a pod's 30 seconds."""
    began = time.monotonic()
    os.kill(process, signal.SIGTERM)
    wait_for(lambda: status("/readyz", port=8011) == 503, container, "draining after SIGTERM")
    show("SIGTERM to not ready", milliseconds_since(began))
    if status("/", origin="https://new.example.com") != 200:
        raise CheckError("a request during the drain delay was not served")
    code = container.wait(DEADLINE_S)
    took = time.monotonic() - began
    show("SIGTERM to exit", f"{took:.1f} s, exit code {code}")
    if code != 0 or not 4 < took < 25:
        raise CheckError("an idle container should end with 0 after its drain delay of 5 s")


def status(path: str, *, port: int = 8010, method: str = "GET", origin: str | None = None) -> int:
    """The status of one request to the container; 0 if nothing answers."""
    fields = {} if origin is None else {"Origin": origin}
    if method == "OPTIONS":
        fields["Access-Control-Request-Method"] = "GET"
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path, headers=fields)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def wait_for(holds: Callable[[], bool], container: subprocess.Popen[bytes], what: str) -> None:
    """Poll until it holds.

    Raises: CheckError when the container ends first or the time is up.
    """
    end = time.monotonic() + DEADLINE_S
    while not holds():
        if container.poll() is not None:
            raise CheckError(f"ended with {container.returncode} before it was {what}")
        if time.monotonic() > end:
            raise CheckError(f"not {what} within {DEADLINE_S:.0f} s")
        time.sleep(0.005)


def first_child(process: int) -> int:
    """The process that unshare started: PID 1 of the container, by its number out here."""
    return int(Path(f"/proc/{process}/task/{process}/children").read_text().split()[0])


def run(*command: str) -> str:
    """The output of a command.

    Raises: CheckError with the end of its error output if it fails.
    """
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        complaint = (done.stdout + done.stderr)[-2000:]
        raise CheckError(f"{' '.join(command)[:200]} failed:\n{complaint}")
    return done.stdout


def milliseconds_since(began: float) -> str:
    """The time since a reading of the monotonic clock, for the report."""
    return f"{(time.monotonic() - began) * 1000:.0f} ms"


def show(what: str, value: str) -> None:
    """Print one line of the report."""
    print(f"{what:<24}{value}", flush=True)


if __name__ == "__main__":
    try:
        measure(Image(*json.loads(sys.argv[1])), Path(sys.argv[2]))
    except CheckError as error:
        sys.exit(f"image check: {error}")
