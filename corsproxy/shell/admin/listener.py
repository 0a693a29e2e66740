"""Connections to the admin application.

They are limited, because each takes a descriptor that the proxy's clients need. When there is
one too many, the oldest is closed, so a client that holds them all cannot lock out a probe.
Some descriptors are reserved, so proxy clients that use up all the others cannot either.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import cast

from aiohttp import web

from corsproxy.shell.system.descriptors import EXHAUSTED

# Probes and scrapes need only a few.
_MOST_CONNECTIONS = 32
# How long a client may take to send a request.
_PATIENCE_SECONDS = 30.0
_SHUTDOWN_SECONDS = 1.0
_SET_ASIDE = 4
_LONGEST_FIELD = 64 * 1024


class AdminListener:
    """Serves an application on sockets that already listen."""

    def __init__(self, app: web.Application) -> None:
        """Must be called while the event loop runs."""
        self._loop = asyncio.get_running_loop()
        self._runner = web.AppRunner(
            app,
            handle_signals=False,
            access_log=None,
            # It logs clients' mistakes; the application logs our own faults.
            logger=logging.Logger("aiohttp", logging.CRITICAL + 1),
            keepalive_timeout=_PATIENCE_SECONDS,
            # Cookies are not separated by port: browsers send those of every server on localhost.
            max_field_size=_LONGEST_FIELD,
            shutdown_timeout=_SHUTDOWN_SECONDS,
        )
        self._listening: list[socket.socket] = []
        self._open: dict[_Connection, None] = {}
        """Oldest first."""
        self._set_aside: list[int] = []

    async def start(self, sockets: Sequence[socket.socket]) -> None:
        """Accept connections."""
        await self._runner.setup()
        for each in sockets:
            each.setblocking(False)
            self._loop.add_reader(each.fileno(), self._accept, each)
            self._listening.append(each)
        self._set_more_aside()

    async def close(self) -> None:
        """Stop listening, and close every connection after its pending response."""
        for each in self._listening:
            self._loop.remove_reader(each.fileno())
            each.close()
        self._listening.clear()
        await self._runner.cleanup()
        for connection in list(self._open):
            connection.abort()
        for descriptor in self._set_aside:
            os.close(descriptor)
        self._set_aside.clear()

    def closed(self, connection: "_Connection") -> None:
        """Forget a connection that has been closed."""
        self._open.pop(connection, None)
        self._set_more_aside()

    def _accept(self, listener: socket.socket) -> None:
        """Accept a waiting connection."""
        server = self._runner.server
        client = self._accepted(listener)
        if client is None or server is None:
            # The event loop calls again while connections wait.
            return
        client.setblocking(False)
        while len(self._open) >= _MOST_CONNECTIONS:
            self._abort_oldest()
        connection = _Connection(self, server())
        self._open[connection] = None
        attached = self._loop.connect_accepted_socket(lambda: connection, client)
        connection.attaching = self._loop.create_task(attached)

    def _accepted(self, listener: socket.socket) -> socket.socket | None:
        self._set_more_aside()
        try:
            return listener.accept()[0]
        except OSError as error:
            if error.errno not in EXHAUSTED:
                return None
        if not self._set_aside:
            if self._open:
                self._abort_oldest()
            return None
        # At once, before the proxy's own listener can take the descriptor.
        os.close(self._set_aside.pop())
        with suppress(OSError):
            return listener.accept()[0]
        return None

    def _set_more_aside(self) -> None:
        with suppress(OSError):
            while len(self._set_aside) < _SET_ASIDE and self._listening:
                self._set_aside.append(os.open(os.devnull, os.O_RDONLY))

    def _abort_oldest(self) -> None:
        oldest = next(iter(self._open))
        del self._open[oldest]
        oldest.abort()


class _Connection(asyncio.Protocol):
    """Passes on what happens on a connection, and can abort it."""

    def __init__(self, listener: AdminListener, protocol: asyncio.Protocol) -> None:
        self._listener = listener
        self._protocol = protocol
        self._transport: asyncio.Transport | None = None
        self.attaching: asyncio.Task[object] | None = None

    def abort(self) -> None:
        """Abort it now, or as soon as it begins."""
        if self._transport is not None:
            self._transport.abort()
        elif self.attaching is not None:
            self.attaching.add_done_callback(lambda _: self.abort())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._protocol.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._protocol.connection_lost(exc)
        self._listener.closed(self)

    def data_received(self, data: bytes) -> None:
        self._protocol.data_received(data)

    def eof_received(self) -> bool | None:
        return self._protocol.eof_received()

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()
