"""The client's end of a tunnel: its connection as bytes, after a 101."""

from corsproxy.shell.listener.connection import Connection


class ClientStream:
    """The `ByteStream` of a client whose connection has switched protocols."""

    __slots__ = ("_connection", "_intake", "received", "sent")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._intake = connection.switch()
        self.received = 0
        self.sent = 0

    async def read(self) -> bytes:
        data = bytes(await self._intake.read())
        self.received += len(data)
        return data

    async def write(self, data: bytes) -> None:
        self.push(data)
        await self._connection.drained()

    def push(self, data: bytes) -> None:
        self._connection.send(data)
        self.sent += len(data)

    def write_eof(self) -> None:
        """Close the sending side, or both where one side alone cannot be closed."""
        if not self._connection.write_eof():
            self._connection.force_close()

    def abort(self) -> None:
        self._connection.abort()
