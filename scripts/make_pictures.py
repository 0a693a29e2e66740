"""Draw the README's pictures of the terminal and the inspector from a real run, light and dark.

    scripts/make_pictures.py

Starts an API without CORS and the proxy at a terminal of 84 columns, makes the calls of a page,
presses the keys that allow the refused one, and turns the terminal's output into SVG. Then it
makes a few more calls, and takes screenshots of the inspector with Debian's Chromium.
"""

import html
import http.server
import json
import os
import pty
import re
import select
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from fcntl import ioctl
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple

from playwright.sync_api import Browser, sync_playwright

PROJECT = Path(__file__).resolve().parent.parent
IMAGES = PROJECT / "docs" / "images"
PAGE = "http://localhost:5173"
COLUMNS, ROWS = 84, 60
DEADLINE_S = 20.0

FILE = """\
upstream: http://localhost:{port}
cors:
  allow_origins: [http://localhost:5173]
"""

FAILURES = {"/v1/orders/9000": 404, "/v1/reports/today": 503}
"""Paths that the API answers with an error."""

_SGR = re.compile(r"\x1b\[([0-9;]*)m")
_OTHER = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\x07")


AS_PAGE = {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"}
JSON = {"Content-Type": "application/json"}
CALLS: Sequence[tuple[str, str, dict[str, str]]] = (
    ("GET", "/v1/users", {}),
    ("GET", "/v1/users/7", {}),
    ("GET", "/v1/users/7/avatar", {}),
    ("PUT", "/v1/users/7", JSON),
    ("GET", "/v1/session", {"Cookie": "session=1"}),
    ("GET", "/v1/orders?page=1&size=50", {}),
    ("GET", "/v1/orders?page=2&size=50", {}),
    ("GET", "/v1/orders/9000", {}),
    ("DELETE", "/v1/orders/8412", {}),
    ("POST", "/v1/search", {"Content-Type": "text/plain"}),
    ("GET", "/v1/reports/today", {}),
    ("GET", "/v1/users/me", {}),
    ("GET", "/v1/users", {"Origin": "http://localhost:3000"}),
)
"""What the page calls for the screenshots, with the fields it adds."""


class Theme(NamedTuple):
    """The colours of a picture."""

    background: str
    text: str
    colors: dict[str, str]


THEMES = {
    "light": Theme(
        "#ffffff",
        "#24292f",
        {
            "2": "#6e7781", "31": "#cf222e", "32": "#116329", "33": "#9a6700", "35": "#8250df",
            "36": "#0a6b83", "34": "#0550ae",
        },
    ),
    "dark": Theme(
        "#0d1117",
        "#e6edf3",
        {
            "2": "#8b949e", "31": "#ff7b72", "32": "#56d364", "33": "#e3b341", "35": "#bc8cff",
            "36": "#56d4dd", "34": "#79c0ff",
        },
    ),
}  # fmt: skip


class Api(http.server.BaseHTTPRequestHandler):
    """An API without CORS."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer with a little JSON, and fail where `FAILURES` says so."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b'{"users": []}'
        self.send_response(FAILURES.get(self.path, 200))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815 - the names that http.server looks for

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


class Terminal:
    """A program at a terminal, and all its output so far."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        self._descriptor, theirs = pty.openpty()
        ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.shown = ""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "corsproxy", *arguments],
            cwd=directory,
            env={**os.environ, "PYTHONPATH": str(PROJECT), "TERM": "xterm-256color"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)

    def wait_for(self, text: str) -> None:
        """Read until `text` is shown."""
        deadline = time.monotonic() + DEADLINE_S
        while text not in _SGR.sub("", self.shown):
            ready, _, _ = select.select([self._descriptor], [], [], 0.2)
            if ready:
                self.shown += os.read(self._descriptor, 65536).decode("utf-8", "replace")
            elif time.monotonic() > deadline:
                raise TimeoutError(f"{text!r} is not shown:\n{self.shown}")

    def press(self, key: str) -> None:
        """Type a line."""
        os.write(self._descriptor, f"{key}\n".encode())

    def close(self) -> None:
        """End the program."""
        self._process.terminate()
        self._process.wait()
        os.close(self._descriptor)


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def call(port: int, method: str, headers: dict[str, str], path: str = "/v1/users") -> None:
    """Send a request as a browser would for a page."""
    url = f"http://localhost:{port}{path}"
    request = urllib.request.Request(url, method=method, headers={"Origin": PAGE, **headers})
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as response:
            response.read()
    except urllib.error.HTTPError as error:
        error.read()


def scene(directory: Path, api: int) -> str:
    """Return the terminal's output while a call is refused, and then allowed."""
    (directory / "corsproxy.yaml").write_text(FILE.format(port=api), "utf-8")
    port = free_port()
    terminal = Terminal(directory, "-p", str(port), "--admin", "off")
    try:
        terminal.wait_for(str(port))
        asks = {
            "Access-Control-Request-Method": "PUT",
            "Access-Control-Request-Headers": "content-type,x-trace-id",
        }
        call(port, "OPTIONS", asks)
        terminal.wait_for("BLOCKED")
        terminal.wait_for("corsproxy allow header x-trace-id")
        terminal.press("a")
        terminal.wait_for("[y/N]")
        terminal.press("y")
        terminal.wait_for("reloaded")
        call(port, "OPTIONS", asks)
        call(port, "PUT", {"Content-Type": "application/json", "X-Trace-Id": "1"})
        terminal.wait_for("200")
        return terminal.shown.replace(str(port), "8010")
    finally:
        terminal.close()


def take_screenshots(directory: Path, api: int) -> None:
    """Take screenshots of the inspector with a few calls, the refused one opened."""
    (directory / "corsproxy.yaml").write_text(FILE.format(port=api), "utf-8")
    port = free_port()
    command = [sys.executable, "-m", "corsproxy", "--inspect", "--log-format", "json"]
    process = subprocess.Popen(
        [*command, "-p", str(port), "--admin", "127.0.0.1:0"],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        address = next(
            json.loads(line)["inspector"] for line in process.stdout if '"ready"' in line
        )
        for method, path, more in CALLS:
            if method in ("PUT", "DELETE"):
                call(port, "OPTIONS", {"Access-Control-Request-Method": method}, path)
            call(port, method, {**AS_PAGE, **more}, path)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
            )
            for scheme in THEMES:
                _photograph(browser, address, scheme)
            browser.close()
    finally:
        process.terminate()
        process.wait()


def _photograph(browser: Browser, address: str, scheme: str) -> None:
    dark: Literal["dark", "light"] = "dark" if scheme == "dark" else "light"
    page = browser.new_page(color_scheme=dark, viewport={"width": 1180, "height": 640})
    page.goto(address)
    page.locator("tr[data-exchange]").first.click()
    page.get_by_role("button", name="Allow", exact=True).last.wait_for()
    page.screenshot(path=IMAGES / f"inspector-{scheme}.png")
    page.close()


def lines_of(shown: str) -> Iterator[list[tuple[str, frozenset[str]]]]:
    """Yield each line as pieces of text with their attributes."""
    attributes: set[str] = set()
    for line in shown.splitlines():
        pieces: list[tuple[str, frozenset[str]]] = []
        position = 0
        text = _OTHER.sub(lambda found: found[0] if found[0].endswith("m") else "", line)
        for found in _SGR.finditer(text):
            pieces.append((text[position : found.start()], frozenset(attributes)))
            position = found.end()
            for code in (found[1] or "0").split(";"):
                attributes.clear() if code in ("", "0") else attributes.add(code)
        pieces.append((text[position:], frozenset(attributes)))
        yield [piece for piece in pieces if piece[0]]


def svg(command: str, shown: str, theme: Theme) -> str:
    """Return the picture."""
    lines = [[(f"$ {command}", frozenset({"1"}))], *lines_of(shown.strip("\r\n"))]
    height, width, step = 24 + 18 * len(lines), 24 + 8.43 * COLUMNS, 18
    rows = []
    for number, pieces in enumerate(lines):
        spans = "".join(_span(text, attributes, theme) for text, attributes in pieces)
        rows.append(f'<text x="12" y="{26 + step * number}" xml:space="preserve">{spans}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}"'
        f' viewBox="0 0 {width:.0f} {height}" role="img">\n'
        "<title>corsproxy refuses a call, says why, and allows it</title>\n"
        f'<rect width="100%" height="100%" rx="8" fill="{theme.background}"/>\n'
        f'<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace"'
        f' font-size="14" fill="{theme.text}">\n' + "\n".join(rows) + "\n</g>\n</svg>\n"
    )


def _span(text: str, attributes: frozenset[str], theme: Theme) -> str:
    color = next((theme.colors[code] for code in attributes if code in theme.colors), None)
    style = (f' fill="{color}"' if color else "") + (
        ' font-weight="bold"' if "1" in attributes else ""
    )
    escaped = html.escape(text, quote=False)
    return f"<tspan{style}>{escaped}</tspan>" if style else escaped


def main() -> None:
    """Draw both pictures."""
    api = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=api.serve_forever, daemon=True).start()
    with TemporaryDirectory() as directory:
        shown = scene(Path(directory), api.server_address[1])
        IMAGES.mkdir(parents=True, exist_ok=True)
        take_screenshots(Path(directory), api.server_address[1])
    api.shutdown()
    shown = re.sub(r"localhost:\d{5}", "localhost:3000", shown)
    for name, theme in THEMES.items():
        (IMAGES / f"terminal-{name}.svg").write_text(svg("corsproxy", shown, theme), "utf-8")


if __name__ == "__main__":
    main()
