"""How a TLS connection with a client begins: a handshake has a bound, and a place among the
connections."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Final, Protocol

from corsproxy.shell.streams.deadline import Deadline
from corsproxy.shell.streams.piece import ReadBuffer
from corsproxy.shell.streams.tls import TlsConnection

_LAST_WORDS_S: Final = 1.0
# RFC 8446, 6.2: Chromium, Firefox and curl each have another word for it.
_DISTRUST: Final = frozenset(
    {
        "SSLV3_ALERT_CERTIFICATE_UNKNOWN", "TLSV1_ALERT_UNKNOWN_CA",
        "SSLV3_ALERT_BAD_CERTIFICATE", "SSLV3_ALERT_CERTIFICATE_EXPIRED",
    }
)  # fmt: skip


class Lobby(Protocol):
    """Who counts the connections that are no clients yet."""

    loop: asyncio.AbstractEventLoop
    buffer: ReadBuffer
    """Takes every read."""

    def entered(self, connection: TlsConnection) -> None:
        """A handshake begins."""
        ...

    def left(self, connection: TlsConnection) -> None:
        """It is over, one way or the other."""
        ...

    def answer_in_plain(self, received: bytes, client: str) -> bytes:
        """Return what to say to a client that has sent `received` where TLS is spoken; empty
        unless it is HTTP."""
        ...


class ClientHandshake:
    """The handshake of a client; a `shell.streams.tls.Handshake`."""

    def __init__(
        self,
        lobby: Lobby,
        make: Callable[[str | None], asyncio.BufferedProtocol],
        timeout: float,
        distrusted: Callable[[], None],
    ) -> None:
        """`make` returns what speaks the protocol that was agreed on by ALPN (RFC 7301), None
        where none was; the handshake may take `timeout` seconds. `distrusted` is told where the
        client refuses the certificate."""
        self._lobby = lobby
        self._make = make
        self._timeout = timeout
        self._distrusted = distrusted
        self._deadline: Deadline | None = None

    def space(self) -> memoryview:
        return self._lobby.buffer.space()

    def began(self, connection: TlsConnection) -> None:
        self._end_in(self._timeout, connection)
        self._lobby.entered(connection)

    def agreed(self, connection: TlsConnection) -> asyncio.BufferedProtocol:
        self._leave(connection)
        return self._make(connection.protocol)

    def failed(self, connection: TlsConnection, error: ssl.SSLError) -> None:
        if error.reason in _DISTRUST:
            self._distrusted()
        peer = connection.get_extra_info("peername")
        client = peer[0] if isinstance(peer, tuple) else ""
        connection.end_with(self._lobby.answer_in_plain(connection.last_read, client))
        self._end_in(_LAST_WORDS_S, connection)

    def lost(self, connection: TlsConnection, error: Exception | None) -> None:
        self._leave(connection)

    def _end_in(self, seconds: float, connection: TlsConnection) -> None:
        if self._deadline is None:
            self._deadline = Deadline(self._lobby.loop, connection.abort)
        self._deadline.set(seconds)

    def _leave(self, connection: TlsConnection) -> None:
        if self._deadline is not None:
            self._deadline.stop()
        self._lobby.left(connection)
