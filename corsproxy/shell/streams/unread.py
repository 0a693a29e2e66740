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
