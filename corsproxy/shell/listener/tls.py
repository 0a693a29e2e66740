"""TLS between a client's socket and what speaks HTTP on it.

What it promises: a handshake has a bound and a place among the connections; what was sent
arrives although the client still sends, because the end is said in both layers while its bytes
are read on; a connection that is cut has no close_notify, so that nothing cut looks complete.

The event loops' own TLS transports have none of the three, and keep 256 KiB for each connection.
To HTTP this is an `asyncio.Transport`, to the socket's transport a protocol.
"""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from typing import Any, Final, Protocol, cast

from corsproxy.shell.streams.deadline import Deadline
from corsproxy.shell.streams.piece import ReadBuffer

_SPEAKS_HTTPS: Final = b"This port speaks https: begin the address with https://\n"
_TO_PLAIN_HTTP: Final = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n"
    b"Connection: close\r\n\r\n%b" % (len(_SPEAKS_HTTPS), _SPEAKS_HTTPS)
)
_LAST_WORDS_S: Final = 1.0


class Stage(Enum):
    """How far a connection has come."""

    HANDSHAKE = "handshake"
    OPEN = "open"
    DEAF = "deaf"
    """What arrives is thrown away: there is nobody to read it, or no key."""


class Lobby(Protocol):
    """Who counts the connections that are no clients yet."""

    def entered(self, connection: "TlsConnection") -> None:
        """A handshake begins."""
        ...

    def left(self, connection: "TlsConnection") -> None:
        """It is over, one way or the other."""
        ...


class TlsConnection(asyncio.BufferedProtocol):
    """One TLS connection, from its first byte to its last."""

    __slots__ = (
        "_app",
        "_buffer",
        "_deadline",
        "_delivering",
        "_incoming",
        "_is_paused",
        "_lobby",
        "_loop",
        "_make",
        "_outgoing",
        "_raw",
        "_said_end",
        "_stage",
        "_timeout",
        "_tls",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        context: ssl.SSLContext,
        buffer: ReadBuffer,
        lobby: Lobby,
        make: Callable[[str | None], asyncio.BufferedProtocol],
        timeout: float,
    ) -> None:
        """`make` returns what speaks the protocol that was agreed on by ALPN (RFC 7301), None
        where none was; the handshake may take `timeout` seconds. `buffer` takes every read."""
        self._loop = loop
        self._buffer = buffer
        self._lobby = lobby
        self._make = make
        self._timeout = timeout
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._stage = Stage.HANDSHAKE
        self._app: asyncio.BufferedProtocol | None = None
        self._raw: asyncio.Transport | None = None
        self._deadline = Deadline(loop, self.abort)
        self._is_paused = False
        self._delivering = False
        self._said_end = False

    # The protocol of the socket's transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._raw = cast(asyncio.Transport, transport)
        self._deadline.set(self._timeout)
        self._lobby.entered(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._stage = Stage.DEAF
        self._deadline.stop()
        app, self._app = self._app, None
        if app is None:
            self._lobby.left(self)
        else:
            app.connection_lost(cast(Exception | None, exc))

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer.space()

    def buffer_updated(self, nbytes: int) -> None:
        if self._stage is Stage.DEAF:
            return
        self._incoming.write(self._buffer.lent(nbytes))
        if self._stage is Stage.HANDSHAKE:
            self._shake_hands()
        if self._stage is Stage.OPEN and not self._delivering:
            self._deliver()

    def eof_received(self) -> bool | None:
        if self._stage is not Stage.OPEN or self._app is None:
            return None
        self._stage = Stage.DEAF
        return self._app.eof_received()

    def pause_writing(self) -> None:
        if self._app is not None:
            self._app.pause_writing()

    def resume_writing(self) -> None:
        if self._app is not None:
            self._app.resume_writing()

    # The handshake.

    def _shake_hands(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return
        except ssl.SSLError as error:
            self._fail(error)
            return
        self._flush()
        self._deadline.stop()
        self._lobby.left(self)
        self._stage = Stage.OPEN
        self._app = self._make(self._tls.selected_alpn_protocol())
        self._app.connection_made(cast(asyncio.Transport, self))

    def _fail(self, error: ssl.SSLError) -> None:
        """End a connection that is not TLS, behind the alert that says so."""
        raw = self._raw
        if raw is None:
            return
        self._stage = Stage.DEAF
        if error.reason == "HTTP_REQUEST":
            raw.write(_TO_PLAIN_HTTP)
        else:
            self._flush()
        self._deadline.set(_LAST_WORDS_S)
        _end_sending(raw)

    # Reading.

    def _deliver(self) -> None:
        """Give what has arrived to the application, as far as it takes it."""
        self._delivering = True
        try:
            while self._stage is Stage.OPEN and not self._is_paused and self._app is not None:
                space = cast(memoryview, self._app.get_buffer(-1))
                size = self._read_into(space)
                if size:
                    self._app.buffer_updated(size)
                if size < len(space):
                    break
        finally:
            self._delivering = False
        self._flush()

    def _read_into(self, space: memoryview) -> int:
        """Decrypt into `space` what there is; returns how much that is."""
        size = 0
        try:
            while size < len(space):
                read = self._tls.read(len(space) - size, cast(bytearray, space[size:]))
                if not read:
                    self._loop.call_soon(self._client_ended)
                    break
                size += int(read)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self._loop.call_soon(self._client_ended)
        except ssl.SSLError:
            self._loop.call_soon(self._unreadable)
        return size

    def _client_ended(self) -> None:
        """The client sends no more (close_notify)."""
        if self._stage is not Stage.OPEN or self._app is None:
            return
        self._stage = Stage.DEAF
        if not self._app.eof_received():
            self.close()

    def _unreadable(self) -> None:
        """Nothing that follows can be read. What was sent may still arrive, so where the end
        has been said, the connection goes on without ears."""
        if self._stage is not Stage.OPEN:
            return
        self._stage = Stage.DEAF
        if not self._said_end:
            self._flush()
            self.abort()

    def _deliver_rest(self) -> None:
        if not self._delivering:
            self._deliver()

    # The transport of the application.

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name == "sslcontext":
            return self._tls.context
        if name == "ssl_object":
            return self._tls
        return default if self._raw is None else self._raw.get_extra_info(name, default)

    def write(self, data: bytes | memoryview) -> None:
        raw = self._raw
        if raw is None or self._said_end or not data or raw.is_closing():
            return
        try:
            self._tls.write(data)
        except ssl.SSLError:
            self.abort()
            return
        raw.write(self._outgoing.read())

    def _flush(self) -> None:
        if self._outgoing.pending and self._raw is not None:
            self._raw.write(self._outgoing.read())

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        """Say the end, in TLS and in TCP; what arrives is read on (RFC 8446, 6.1)."""
        self._say_end()
        if self._raw is not None:
            self._raw.write_eof()

    def _say_end(self) -> None:
        if self._said_end or self._stage is Stage.HANDSHAKE:
            return
        self._said_end = True
        # It says close_notify, and then that the client's has not come.
        with suppress(ssl.SSLError):
            self._tls.unwrap()
        self._flush()

    def close(self) -> None:
        """Close behind what has been written, and read nothing more."""
        if self._raw is None or self._raw.is_closing():
            return
        self._say_end()
        self._stage = Stage.DEAF
        self._raw.close()

    def abort(self) -> None:
        """Drop the connection without a word."""
        self._stage = Stage.DEAF
        if self._raw is not None:
            self._raw.abort()

    def is_closing(self) -> bool:
        return self._raw is None or self._raw.is_closing()

    def is_reading(self) -> bool:
        return not self._is_paused and self._raw is not None and self._raw.is_reading()

    def pause_reading(self) -> None:
        self._is_paused = True
        if self._raw is not None:
            self._raw.pause_reading()

    def resume_reading(self) -> None:
        self._is_paused = False
        if self._raw is not None:
            self._raw.resume_reading()
        # Some may have been decrypted, or have arrived, that nobody has taken.
        self._loop.call_soon(self._deliver_rest)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        if self._raw is not None:
            self._raw.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        return 0 if self._raw is None else self._raw.get_write_buffer_size()


def _end_sending(raw: asyncio.Transport) -> None:
    try:
        raw.write_eof()
    except OSError:
        raw.abort()
