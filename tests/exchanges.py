"""Routes, requests and bodies to ask an upstream with."""

import asyncio
from collections.abc import Sequence

from corsproxy.core.messages import Field, Framing, UpstreamRequest
from corsproxy.core.policy import Limits, Route, Timeouts, Tls, UpstreamAddress
from corsproxy.shell.streams.seams import RequestBody
from corsproxy.shell.upstream.upstream import Upstream, UpstreamResponse

LIMITS = Limits()


def make_route(
    port: int = 0,
    *,
    host: str = "127.0.0.1",
    socket_path: str | None = None,
    tls: Tls | None = None,
    timeouts: Timeouts | None = None,
) -> Route:
    """A route to `host`; to an https one where `tls` is given."""
    return Route(
        name="r",
        path=b"/",
        upstream=UpstreamAddress(
            "http" if tls is None else "https",
            "" if socket_path is not None else host,
            port,
            socket_path=socket_path,
        ),
        cors="passthrough",
        timeout=timeouts or Timeouts(),
        tls=tls or Tls(),
    )


def make_request(
    method: str = "GET",
    target: bytes = b"/",
    *fields: Field,
    repeatable: bool | None = None,
    upgrade: bool = False,
) -> UpstreamRequest:
    """A request without content."""
    if repeatable is None:
        repeatable = method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS")
    lines = ((b"Host", b"api.test"), *fields)
    return UpstreamRequest(
        method, target, lines, Framing.NONE, repeatable=repeatable, upgrade=upgrade
    )


def make_upload(length: int | None, method: str = "POST") -> UpstreamRequest:
    """A request with content: of `length` bytes, or chunked."""
    if length is None:
        field, framing = (b"Transfer-Encoding", b"chunked"), Framing.CHUNKED
    else:
        field, framing = (b"Content-Length", b"%d" % length), Framing.LENGTH
    lines = ((b"Host", b"api.test"), field)
    return UpstreamRequest(method, b"/", lines, framing, repeatable=False)


class Body:
    """A RequestBody: the first piece has arrived, the others come when `more` is set."""

    def __init__(self, *pieces: bytes, arrived: int = 1, failure: Exception | None = None) -> None:
        """`failure` is raised after the last piece, in place of an end."""
        self._pieces = list(pieces)
        self._arrived = arrived
        self._failure = failure
        self.more = asyncio.Event()
        self.reads = 0
        """How often `read` was called."""

    @property
    def at_end(self) -> bool:
        return not self._pieces and self._failure is None and self._arrived >= 0

    def take(self) -> bytes:
        taken = b"".join(self._pieces[: self._arrived])
        del self._pieces[: self._arrived]
        return taken

    async def read(self, most: int = 0) -> bytes:
        self.reads += 1
        await self.more.wait()
        if self._pieces:
            return self._pieces.pop(0)
        if self._failure is not None:
            raise self._failure
        return b""


class EndlessBody:
    """A RequestBody of `size` bytes in pieces of 64 KiB, always at hand but the first."""

    def __init__(self, size: int) -> None:
        self.left = size

    @property
    def at_end(self) -> bool:
        return self.left == 0

    def take(self) -> bytes:
        return b""

    async def read(self, most: int = 0) -> bytes:
        # As with a socket, other things happen between two reads.
        await asyncio.sleep(0)
        size = min(self.left, 64 * 1024)
        self.left -= size
        return b"u" * size


async def ask(
    upstream: Upstream,
    route: Route,
    request: UpstreamRequest | None = None,
    body: RequestBody | None = None,
    limits: Limits = LIMITS,
) -> UpstreamResponse:
    """Send a request, a plain GET by default."""
    return await upstream.send(route, request or make_request(), body, limits)


async def content(response: UpstreamResponse) -> bytes:
    """Read a response's content to its proper end."""
    pieces = []
    while lent := await response.read():
        pieces.append(bytes(lent))
    assert response.at_end
    return b"".join(pieces)


async def fetch(upstream: Upstream, route: Route, requests: Sequence[bytes]) -> list[bytes]:
    """GET several targets one after another; returns their contents."""
    return [await content(await ask(upstream, route, make_request("GET", t))) for t in requests]
