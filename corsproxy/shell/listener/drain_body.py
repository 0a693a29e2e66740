"""What is left of a request's content when its answer has been sent.

It must be read before the next request can be, or the connection must end: otherwise it
would be taken for a request (RFC 9112, 9.3).
"""

from corsproxy.http1.request_message import RequestMessage
from corsproxy.shell.listener.content import Content
from corsproxy.shell.listener.faults import BodyRefusedError
from corsproxy.shell.listener.wire import LINGER_S, Wire

_AT_MOST = 1024 * 1024


def can_keep(message: RequestMessage, content: Content, status: int, *, forwarded: bool) -> bool:
    """Return whether the connection may outlast content that is still arriving.

    `forwarded` content may still be wanted by the upstream, unless it has refused.
    """
    if message.expects and not content.received:
        # Nobody can know whether a client that was not told to continue goes on.
        return False
    if forwarded:
        return status < 400
    length = message.length
    return length is None or length - content.received <= _AT_MOST


async def drain_body(wire: Wire, content: Content) -> bool:
    """Read the rest and forget it; returns whether that was possible within bounds."""
    budget = _AT_MOST
    wire.reading.set(LINGER_S)
    try:
        while budget >= 0 and not content.at_end:
            budget -= len(await content.read())
    except BodyRefusedError:
        return False
    finally:
        wire.reading.clear()
    return budget >= 0
