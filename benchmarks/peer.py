"""A peer: a program, its place on the stand, and how it is asked.

The list of peers is in `peers`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from benchmarks.cache import AUTHORITY, render

ORIGIN = "http://localhost:5173"
"""The one origin that every peer lists."""

Family = Literal["corsproxy", "server", "node", "python", "bound", "none"]


class Site(NamedTuple):
    """Where a peer listens, its upstream, and its files."""

    port: int
    upstream_port: int
    directory: Path
    log: bool = False
    """Whether each request is logged to standard output."""
    metrics: bool = True
    """Whether requests are counted, if there is a switch for it."""
    tls: bool = False
    """Whether the upstream speaks TLS; AUTHORITY signs its certificate."""
    inspector: bool = False
    """Whether there is an inspector that sees each request."""

    @property
    def scheme(self) -> str:
        return "https" if self.tls else "http"

    @property
    def upstream(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.upstream_port}"

    def if_tls(self, text: str) -> str:
        """Return `text` for a configuration if the upstream speaks TLS, else ""."""
        return text if self.tls else ""

    def render(self, name: str, **values: str) -> str:
        """Return the path of `configs/NAME`, filled in for this site."""
        common = {
            "PORT": str(self.port),
            "UPSTREAM": str(self.upstream_port),
            "DIRECTORY": str(self.directory),
            "ORIGIN": ORIGIN,
            "SCHEME": self.scheme,
            "AUTHORITY": str(AUTHORITY),
            "TLS": "",
        }
        return str(render(name, self.directory, common | values))


@dataclass(frozen=True)
class Peer:
    """A program that can do the job."""

    name: str
    family: Family
    about: str
    """How it is set up, in a few words for the reader of the results."""
    version: Callable[[], str]
    """Finds it, installs it if possible, and returns its version. Raises
    cache.MissingError."""
    command: Callable[[Site], list[str]]
    environment: dict[str, str] = field(default_factory=dict)
    websockets: bool = True
    tls: bool = False
    """Whether the configuration has an upstream over TLS."""
    can_log: bool = False
    """Whether the configuration has a switch for a request log."""
    can_count: bool = False
    """Whether it has one for metrics."""
    can_inspect: bool = False
    """Whether it has an inspector."""
    upstream_in_path: bool = False
    """Whether the request's path must start with the upstream's URL."""
    start_seconds: float = 20.0
    scenarios: frozenset[str] | None = None
    """The keys of the scenarios that it supports; None for all."""

    def excuse(self, scenario: str) -> str | None:
        """Say why the peer takes no part in a scenario; None if it does."""
        if self.scenarios is None or scenario in self.scenarios:
            return None
        return "does not apply"

    def path(self, site: Site, path: str) -> str:
        """Return the path that a client asks this peer for to get `path`."""
        return f"/{site.upstream}{path}" if self.upstream_in_path else path

    def env(self, site: Site) -> dict[str, str]:
        """Return the environment for configurations that are programs."""
        return {
            "PORT": str(site.port),
            "UPSTREAM": site.upstream,
            "ORIGIN": ORIGIN,
            "DIRECTORY": str(site.directory),
            **self.environment,
        }
