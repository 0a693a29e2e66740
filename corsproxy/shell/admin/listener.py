"""The admin listener: liveness, readiness, metrics. Never any CORS field.

It has a port of its own, so that it shadows no path of an upstream, and it is as
careful about who asks as the proxy is: a page whose name was rebound to this address
gets nothing (the Host check), and no page on another origin can read an answer. Its
connections are few, because each takes a descriptor that the proxy's clients need.

Four pages need no web framework, which would take more memory than all of them.
"""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from enum import StrEnum
from http import HTTPStatus
from typing import NamedTuple

from corsproxy.core.guard import check_host
from corsproxy.core.messages import ClientHead, Fields, Framing
from corsproxy.core.policy import Policy
from corsproxy.core.verdicts import FACTS
from corsproxy.http1.response_head import head_bytes
from corsproxy.shell.admin.figures import Snapshot
from corsproxy.shell.admin.requests import AdminRequest, AdminRequests, RefusedRequestError

# Probes and scrapes need a handful.
_MOST_CONNECTIONS = 32
# How long a client may take to say or to read something.
_PATIENCE_SECONDS = 30.0
_LINGERING_SECONDS = 1.0
_SHUTDOWN_SECONDS = 1.0
_READ_SIZE = 16 * 1024

_FIELDS: Fields = (
    (b"Cache-Control", b"no-store"),
    (b"Content-Security-Policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"Cross-Origin-Resource-Policy", b"same-origin"),
    (b"Server", b"corsproxy"),
    (b"X-Content-Type-Options", b"nosniff"),
)
_TEXT = "text/plain; charset=utf-8"
_PATHS = "/livez, /readyz, /healthz and /metrics"


class Phase(StrEnum):
    """Where a run is; /readyz says 200 in one of them only."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"


class _Page(NamedTuple):
    """What there is to answer."""

    status: HTTPStatus
    content: bytes
    content_type: str = _TEXT
    fields: Fields = ()


class AdminListener:
    """Answers on the admin address until `close`."""

    def __init__(
        self,
        *,
        phase: Callable[[], Phase],
        policy: Callable[[], Policy],
        snapshot: Callable[[], Awaitable[Snapshot]],
    ) -> None:
        self._phase = phase
        self._policy = policy
        self._snapshot = snapshot
        self._listening: list[asyncio.Server] = []
        self._open: dict[asyncio.StreamWriter, asyncio.Task[object] | None] = {}
        """Every connection, the oldest first, with the task that answers on it."""
        self._unasked: set[asyncio.StreamWriter] = set()
        """Those on which nobody waits for an answer."""
        self._closing = False

    async def start(self, sockets: Sequence[socket.socket]) -> None:
        """Accept connections on sockets that already listen."""
        for each in sockets:
            self._listening.append(await asyncio.start_server(self._attend, sock=each))

    async def close(self) -> None:
        """Stop listening and end every connection, behind the answer that it waits for."""
        self._closing = True
        for each in self._listening:
            each.close()
        for writer in self._unasked:
            writer.close()
        tasks = [task for task in self._open.values() if task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=_SHUTDOWN_SECONDS)
        for writer in self._open:
            writer.transport.abort()

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection. The oldest makes room for one too many, so that whoever
        holds them all keeps no probe away."""
        self._open[writer] = asyncio.current_task()
        if len(self._open) > _MOST_CONNECTIONS:
            oldest = next(iter(self._open))
            del self._open[oldest]
            oldest.transport.abort()
        try:
            await self._converse(reader, writer)
        except (OSError, TimeoutError):
            writer.transport.abort()
        finally:
            self._open.pop(writer, None)
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request after another. Raises OSError where the client has left, and
        TimeoutError where it says or reads nothing any more."""
        requests = AdminRequests()
        while data := await self._read(reader, writer):
            try:
                asked = requests.feed(data)
            except RefusedRequestError as refused:
                await _send(writer, _cannot_be_answered(refused.status), None)
                await _linger(reader, writer)
                return
            for request in asked:
                page = await self._page_or_fault(request)
                is_last = self._closing or not request.keep_alive
                await _send(writer, page, request, is_last=is_last)
                if is_last:
                    await _linger(reader, writer)
                    return

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        self._unasked.add(writer)
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                return await reader.read(_READ_SIZE)
        finally:
            self._unasked.discard(writer)

    async def _page_or_fault(self, request: AdminRequest) -> _Page:
        try:
            return await self._page(request)
        except Exception:
            logging.getLogger("corsproxy").exception("fault in the admin listener")
            return _cannot_be_answered(HTTPStatus.INTERNAL_SERVER_ERROR)

    async def _page(self, request: AdminRequest) -> _Page:
        refusal = check_host(self._policy(), request.hosts, request.minor_version)
        if refusal is not None:
            return _text(
                HTTPStatus(FACTS[refusal.code].status),
                f"{refusal.detail}\nAsk for localhost or an address, "
                "or add the name to allowed_hosts.",
            )
        if request.method not in ("GET", "HEAD"):
            page = _text(HTTPStatus.METHOD_NOT_ALLOWED, "Only GET and HEAD.")
            return page._replace(fields=((b"Allow", b"GET, HEAD"),))
        match request.target.partition(b"?")[0]:
            case b"/livez":
                return _text(HTTPStatus.OK, "ok")
            case b"/readyz" | b"/healthz":
                phase = self._phase()
                is_ready = phase is Phase.READY
                return _text(HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE, phase)
            case b"/metrics":
                return await self._metrics_page(request.accept)
            case _:
                return _text(HTTPStatus.NOT_FOUND, f"There is {_PATHS}.")

    async def _metrics_page(self, accept: str) -> _Page:
        try:
            from corsproxy.shell.admin.metrics import exposition
        except ImportError:
            sentence = "metrics need a package: pip install prometheus_client"
            return _text(HTTPStatus.NOT_IMPLEMENTED, sentence)
        content, content_type = exposition(await self._snapshot(), accept)
        return _Page(HTTPStatus.OK, content, content_type)


def _text(status: HTTPStatus, text: str) -> _Page:
    return _Page(status, f"{text}\n".encode())


def _cannot_be_answered(status: HTTPStatus) -> _Page:
    return _text(status, "This cannot be answered.")


async def _send(
    writer: asyncio.StreamWriter, page: _Page, request: AdminRequest | None, *, is_last: bool = True
) -> None:
    """Answer `request`, None where it could not be read. Raises OSError or TimeoutError where
    the client does not take the answer."""
    fields = [
        *_FIELDS,
        (b"Content-Type", page.content_type.encode("ascii")),
        (b"Content-Length", b"%d" % len(page.content)),
        *page.fields,
    ]
    head = ClientHead(page.status, page.status.phrase.encode("ascii"), fields, Framing.LENGTH)
    minor_version = 1 if request is None else request.minor_version
    is_head = request is not None and request.method == "HEAD"
    data = head_bytes(head, minor_version, keep_alive=not is_last)
    writer.write(data if is_head else data + page.content)
    async with asyncio.timeout(_PATIENCE_SECONDS):
        await writer.drain()


async def _linger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send no more, and read on for a while: closing at once would answer what is unread
    with a reset, which can destroy the answer (RFC 9112, 9.6). Raises OSError."""
    writer.write_eof()
    with suppress(TimeoutError):
        async with asyncio.timeout(_LINGERING_SECONDS):
            while await reader.read(_READ_SIZE):
                pass
