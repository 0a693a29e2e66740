"""What had been received when a write failed.

An upstream that refuses an upload answers, closes with content unread, and so resets the
connection. The answer stays readable behind the reset, but the next write fails first,
and asyncio then closes the transport without reading on.
"""

import asyncio
import socket
from collections.abc import Iterator

# Reads of up to a buffer each: enough for any answer that explains a refusal.
_READS = 16
_READ_SIZE = 64 * 1024


def unread(transport: asyncio.BaseTransport, protocol: asyncio.BufferedProtocol) -> Iterator[int]:
    """Receive into the buffer of `protocol` once more for each size that is taken.

    Only for `connection_lost`, where the socket is still open.
    """
    borrowed = socket.socket(fileno=transport.get_extra_info("socket").fileno())
    try:
        for _ in range(_READS):
            received = borrowed.recv_into(protocol.get_buffer(_READ_SIZE))
            if not received:
                return
            yield received
    except OSError:
        return
    finally:
        borrowed.detach()


class TlsRescue(asyncio.BufferedProtocol):
    """Stands between a TCP transport and asyncio's TLS on it, only to do that for TLS."""

    def __init__(self, transport: asyncio.Transport, tls: asyncio.BufferedProtocol) -> None:
        self._transport = transport
        self._tls = tls
        transport.set_protocol(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        return memoryview(self._tls.get_buffer(sizehint))

    def buffer_updated(self, nbytes: int) -> None:
        self._tls.buffer_updated(nbytes)

    def eof_received(self) -> bool | None:
        return self._tls.eof_received()

    def pause_writing(self) -> None:
        self._tls.pause_writing()

    def resume_writing(self) -> None:
        self._tls.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            for received in unread(self._transport, self._tls):
                self._tls.buffer_updated(received)
        self._tls.connection_lost(exc)
