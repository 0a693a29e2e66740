"""The client's end of a tunnel: its connection as bytes, after a 101."""

from typing import Final

from corsproxy.shell.listener.wire import Wire
from corsproxy.shell.streams.body_buffer import BodyBuffer


class ClientStream:
    """The `ByteStream` of a client whose connection has switched protocols."""

    __slots__ = ("_arriving", "_wire", "received", "sent")

    def __init__(self, wire: Wire, arriving: BodyBuffer) -> None:
        self._wire: Final = wire
        self._arriving: Final = arriving
        self.received = 0
        self.sent = 0

    async def read(self) -> bytes:
        data = bytes(await self._arriving.read())
        self.received += len(data)
        return data

    async def write(self, data: bytes) -> None:
        self.push(data)
        await self._wire.drained()

    def push(self, data: bytes) -> None:
        self._wire.send(data)
        self.sent += len(data)

    def write_eof(self) -> None:
        """Close the sending side, or both where one side alone cannot be closed."""
        if not self._wire.write_eof():
            self._wire.close()

    def abort(self) -> None:
        self._wire.abort()
