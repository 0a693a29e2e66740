"""TLS between a socket and what speaks HTTP on it, for both legs.

What it promises: what was sent arrives although the peer still sends, because the end is said in
both layers while the peer's bytes are read on; a connection that is cut has no close_notify, so
that nothing cut looks complete; and what a server said before it reset the connection is heard,
even where a write meets the reset first.

The event loops' own TLS transports have none of the three, raise an exception for each read, and
keep 256 KiB for each connection. To HTTP this is an `asyncio.Transport`, to the socket's
transport a protocol; small writes are gathered as in `shell.streams.gathered`.
"""

import asyncio
import ssl
from contextlib import suppress
from enum import Enum
from typing import Any, Final, Protocol, cast

from corsproxy.shell.streams.gathered import AT_ONCE
from corsproxy.shell.streams.unread import unread


class Stage(Enum):
    """How far a connection has come."""

    HANDSHAKE = "handshake"
    OPEN = "open"
    DEAF = "deaf"
    """What arrives is thrown away: it has no reader, or no key."""


_HANDSHAKE: Final = Stage.HANDSHAKE
_OPEN: Final = Stage.OPEN
_DEAF: Final = Stage.DEAF


class Handshake(Protocol):
    """Who waits for the handshake of a connection, and knows what comes then."""

    def space(self) -> memoryview:
        """Return where the handshake's reads go."""
        ...

    def began(self, connection: "TlsConnection") -> None:
        """The handshake begins."""
        ...

    def agreed(self, connection: "TlsConnection") -> asyncio.BufferedProtocol:
        """It has succeeded: return what speaks on the connection from now on."""
        ...

    def failed(self, connection: "TlsConnection", error: ssl.SSLError) -> None:
        """It has failed: end the connection."""
        ...

    def lost(self, connection: "TlsConnection", error: Exception | None) -> None:
        """The connection was lost before `agreed`, perhaps behind `failed`."""
        ...


class TlsConnection(asyncio.BufferedProtocol):
    """One TLS connection, from its first byte to its last."""

    __slots__ = (
        "_app", "_arrived", "_failure", "_handshake", "_has_rest", "_incoming", "_is_due",
        "_is_ending", "_is_paused", "_loop", "_outgoing", "_peer_ended", "_raw", "_read",
        "_said_end", "_space", "_stage", "_tls", "_unsent",
    )  # fmt: skip

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        context: ssl.SSLContext,
        handshake: Handshake,
        server_name: str | None = None,
    ) -> None:
        """`server_name` is what a client asks for and verifies; None makes it the server.

        Raises ValueError where no certificate can have that name.
        """
        self._loop = loop
        self._handshake: Handshake | None = handshake
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_name is None, server_name
        )
        # Declared for bytearrays alone, and for what it returns without one: mypyc believes that.
        self._read: Any = self._tls.read
        self._stage = _HANDSHAKE
        self._app: asyncio.BufferedProtocol | None = None
        self._raw: asyncio.Transport
        self._space: memoryview
        self._arrived = 0  # how much the last read of the handshake took
        self._failure: ssl.SSLError | None = None
        self._is_due = False  # whether the end of this turn will flush
        self._is_paused = False
        self._has_rest = False  # whether some of what has arrived has not been delivered
        self._is_ending = False  # whether nothing more may be written
        self._said_end = False
        self._peer_ended = False
        self._unsent = b""  # what waits for another handshake

    # The protocol of the socket's transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._raw = cast(asyncio.Transport, transport)
        if self._handshake is not None:
            self._handshake.began(self)
            self._shake_hands(self._handshake)

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None and not self._tls.server_side:
            for received in unread(self._raw, self):
                self._receive(received, to_the_end=True)
        self._stage = _DEAF
        app, self._app = self._app, None
        handshake, self._handshake = self._handshake, None
        if app is not None:
            app.connection_lost(self._failure or exc)
        elif handshake is not None:
            handshake.lost(self, self._failure or exc)

    def get_buffer(self, sizehint: int) -> memoryview:
        app = self._app
        if app is not None:
            self._space = cast(memoryview, app.get_buffer(sizehint))
        elif self._handshake is not None:
            self._space = self._handshake.space()
        return self._space

    def buffer_updated(self, nbytes: int) -> None:
        self._receive(nbytes, to_the_end=False)

    def eof_received(self) -> bool | None:
        if self._has_rest:
            self._deliver_rest(to_the_end=True)
        if self._stage is not _OPEN or self._app is None:
            # Behind close_notify, the application has chosen whether to write on.
            return self._peer_ended
        self._stage = _DEAF
        return self._app.eof_received()

    def pause_writing(self) -> None:
        if self._app is not None:
            self._app.pause_writing()

    def resume_writing(self) -> None:
        if self._app is not None:
            self._app.resume_writing()

    # The handshake.

    def _shake_hands(self, handshake: Handshake) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return
        except ssl.SSLError as error:
            self._stage = _DEAF
            self._failure = error.with_traceback(None)
            handshake.failed(self, error)
            return
        self._flush()
        self._handshake = None
        self._stage = _OPEN
        app = self._app = handshake.agreed(self)
        app.connection_made(cast(asyncio.Transport, self))

    # Reading.

    def _receive(self, nbytes: int, *, to_the_end: bool) -> None:
        """Take `nbytes` that were read; `to_the_end` even where the application has paused."""
        if self._stage is _DEAF:
            return
        self._incoming.write(self._space[:nbytes])
        handshake = self._handshake
        if handshake is None:
            # The application's, which TLS has just copied.
            self._deliver(self._space, to_the_end=to_the_end)
        else:
            self._arrived = nbytes
            self._shake_hands(handshake)
            if self._incoming.pending:
                self._deliver_rest(to_the_end=to_the_end)

    def _deliver_rest(self, *, to_the_end: bool = False) -> None:
        app = self._app
        if app is not None:
            self._deliver(cast(memoryview, app.get_buffer(-1)), to_the_end=to_the_end)

    def _deliver(self, space: memoryview, *, to_the_end: bool = False) -> None:
        """Give what has arrived to the application, as far as it takes it, through `space` at
        first."""
        self._has_rest = True
        while self._stage is _OPEN and (to_the_end or not self._is_paused):
            app = self._app
            if app is None:
                break
            size = self._read_into(space)
            if size:
                app.buffer_updated(size)
            if size < len(space):
                self._has_rest = False
                break
            space = cast(memoryview, app.get_buffer(-1))
        if self._failure is not None or self._peer_ended:
            self._end_reading()
        elif self._unsent:
            self._write_unsent()
        if self._is_ending and not self._has_rest:
            self._say_end()
        elif not self._is_due:
            self._flush()

    def _read_into(self, space: memoryview) -> int:
        """Decrypt into `space` what there is; returns how much that is."""
        size, most = 0, len(space)
        try:
            while size < most:
                read: int = self._read(most - size, space[size:] if size else space)
                if not read:
                    self._peer_ended = True
                    break
                size += read
                # OpenSSL reads no further than it must: to ask it once more would only raise.
                if size < most and not self._incoming.pending:
                    break
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            # So it is said where the end has been said already.
            self._peer_ended = True
        except ssl.SSLError as error:
            self._failure = error.with_traceback(None)
        return size

    def _end_reading(self) -> None:
        """Nothing more can be read: the peer sends no more (close_notify), or no TLS."""
        if self._stage is not _OPEN or self._app is None:
            return
        self._stage = _DEAF
        if self._failure is None:
            if not self._app.eof_received():
                self.close()
        elif not (self._said_end and self._tls.server_side):
            # Where a client was told the end, what was sent may still arrive.
            self._flush()
            self.abort()

    # The transport of the application.

    @property
    def protocol(self) -> str | None:
        """What was agreed on by ALPN (RFC 7301)."""
        return self._tls.selected_alpn_protocol()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name == "sslcontext":
            return self._tls.context
        if name == "ssl_object":
            return self._tls
        return self._raw.get_extra_info(name, default)

    def write(self, data: bytes | memoryview) -> None:
        raw = self._raw
        if self._is_ending or not data or raw.is_closing():
            return
        if self._unsent:
            self._unsent += data
            return
        try:
            self._tls.write(data)
        except ssl.SSLWantReadError:
            # A server of TLS 1.2 may want a new handshake at any time (RFC 5246, 7.4.1.1).
            self._unsent = bytes(data)
            self.pause_writing()
        except ssl.SSLError:
            self.abort()
            return
        if len(data) < AT_ONCE and not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._flush_due)
        elif len(data) >= AT_ONCE or self._outgoing.pending >= AT_ONCE:
            self._flush()

    def _flush_due(self) -> None:
        self._is_due = False
        self._flush()

    def _write_unsent(self) -> None:
        data, self._unsent = self._unsent, b""
        self.write(data)
        if not self._unsent:
            self.resume_writing()

    def _flush(self) -> None:
        if self._outgoing.pending and not self._raw.is_closing():
            self._raw.write(self._outgoing.read())

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        """Say the end, in TLS and in TCP; what arrives is read on (RFC 8446, 6.1)."""
        self._is_ending = True
        # What has arrived and is not decrypted yet, OpenSSL throws away with the key.
        if not self._has_rest:
            self._say_end()

    @property
    def last_read(self) -> bytes:
        """The bytes of the handshake that arrived last; to be asked for in `Handshake.failed`."""
        return bytes(self._space[: self._arrived]) if self._arrived else b""

    def end_with(self, words: bytes) -> None:
        """Send `words` as they are, or the alert where there are none, and then the end."""
        self._is_ending = self._said_end = True
        if words:
            self._raw.write(words)
        else:
            self._flush()
        self._end_sending()

    def _say_end(self) -> None:
        if not self._said_end:
            self._close_notify()
            self._end_sending()

    def _end_sending(self) -> None:
        try:
            self._raw.write_eof()
        except OSError:
            # A reset has arrived that has not been read yet.
            self._raw.abort()

    def _close_notify(self) -> None:
        self._is_ending = self._said_end = True
        # It says close_notify, and then that the peer's has not come.
        with suppress(ssl.SSLError):
            self._tls.unwrap()
        self._flush()

    def close(self) -> None:
        """Close behind what has been written, and read nothing more."""
        if self._raw.is_closing():
            return
        if self._handshake is not None:
            self._flush()
        elif not self._said_end:
            self._close_notify()
        self._stage = _DEAF
        self._raw.close()

    def abort(self) -> None:
        """Send what has been written, and drop the connection without another word."""
        self._stage = _DEAF
        self._flush()
        self._raw.abort()

    def is_closing(self) -> bool:
        return self._raw.is_closing()

    def is_reading(self) -> bool:
        return not self._is_paused and self._raw.is_reading()

    def pause_reading(self) -> None:
        self._is_paused = True
        self._raw.pause_reading()

    def resume_reading(self) -> None:
        self._is_paused = False
        self._raw.resume_reading()
        if self._has_rest:
            self._loop.call_soon(self._deliver_rest)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._raw.set_write_buffer_limits(high=high, low=low)

    def get_write_buffer_size(self) -> int:
        return self._raw.get_write_buffer_size() + self._outgoing.pending
