"""Two byte streams joined into a tunnel, as after a 101."""

import asyncio

from corsproxy.errors import CorsproxyError
from corsproxy.shell.upstreams.upstream import ByteStream


async def splice(a: ByteStream, b: ByteStream) -> tuple[int, int]:
    """Carry bytes both ways until both directions have ended.

    Returns how many bytes went from `a` to `b` and from `b` to `a`. The end of one
    direction is passed on while the other goes on; a connection that is dropped takes
    the other with it. There is no bound on silence: that is the endpoints' affair.
    Cancelling it drops both.
    """
    onward, back = _Flow(a, b), _Flow(b, a)
    flows = (asyncio.ensure_future(onward.carry()), asyncio.ensure_future(back.carry()))
    try:
        await asyncio.gather(*flows)
    except BaseException as failure:
        a.abort()
        b.abort()
        for flow in flows:
            flow.cancel()
        await asyncio.wait(flows)
        if not isinstance(failure, (CorsproxyError, OSError)):
            raise
    return onward.carried, back.carried


class _Flow:
    """One direction, and how far it has come."""

    def __init__(self, source: ByteStream, sink: ByteStream) -> None:
        self._source = source
        self._sink = sink
        self.carried = 0

    async def carry(self) -> None:
        while data := await self._source.read():
            await self._sink.write(data)
            self.carried += len(data)
        self._sink.write_eof()
