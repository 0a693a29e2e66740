"""The proxy under test: the installed command in a separate process."""

import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from tests.browser.programs import Program, running

ARGUMENTS = ("--listen=localhost:0", "--admin=off", "--log-format=json")


class RunningProxy(NamedTuple):
    """A proxy that is ready, and its log."""

    port: int
    program: Program
    scheme: str = "http"
    plain_port: int = 0
    """Of a second listener, which speaks http."""

    @property
    def url(self) -> str:
        return f"{self.scheme}://localhost:{self.port}"

    async def logged(self, path: str, method: str = "") -> Mapping[str, str]:
        """Return the log's line about a request for `path`; waits for it."""

        def wanted(line: str) -> bool:
            event = _event(line)
            return event.get("path") == path and method in ("", event.get("method"))

        return _event(await self.program.until(wanted))


@asynccontextmanager
async def proxy(
    *arguments: str, environ: Mapping[str, str] | None = None
) -> AsyncIterator[RunningProxy]:
    """Run `corsproxy` with `arguments` on a free port, and stop it as a user would."""
    command = [sys.executable, "-m", "corsproxy", *arguments, *ARGUMENTS]
    async with running(command, environ=environ) as program:
        ready = _event(await program.until(lambda line: _event(line).get("event") == "ready"))
        urls = ready["listen"]
        port, *other = (int(url.rpartition(":")[2]) for url in urls)
        yield RunningProxy(port, program, urls[0].partition(":")[0], *other)
        assert await program.stop() == 0, "\n".join(program.lines)


@asynccontextmanager
async def proxy_with_file(
    directory: Path,
    content: Mapping[str, object],
    *arguments: str,
    environ: Mapping[str, str] | None = None,
) -> AsyncIterator[RunningProxy]:
    """Run `corsproxy` with an allowlist file that says `content` (JSON is YAML)."""
    file = directory / "corsproxy.yaml"
    file.write_text(json.dumps(content, indent=2))
    async with proxy("--config", str(file), *arguments, environ=environ) as running_proxy:
        yield running_proxy


def _event(line: str) -> dict[str, str]:
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}
