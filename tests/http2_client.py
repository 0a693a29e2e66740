"""An HTTP/2 client for tests: requests with the h2 library, or frames by hand."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

import h2.config
import h2.connection
import h2.errors
import h2.events

from corsproxy.core.messages import Field
from corsproxy.http2.frames import FrameType
from tests.fakes import Proxy
from tests.peers import DEADLINE_SECONDS
from tests.policies import PAGE


def request_fields(
    path: str = "/", method: str = "GET", fields: Sequence[Field] = (), origin: str | None = PAGE
) -> list[Field]:
    origins = [] if origin is None else [(b"origin", origin.encode())]
    return [
        (b":method", method.encode()),
        (b":scheme", b"https"),
        (b":authority", b"localhost"),
        (b":path", path.encode()),
        *origins,
        *fields,
    ]


class H2Reply(NamedTuple):
    """A response."""

    status: int
    fields: list[Field]
    content: bytes

    def value(self, name: str) -> str | None:
        values = [value for key, value in self.fields if key == name.encode()]
        assert len(values) <= 1, f"{name} is repeated"
        return values[0].decode("latin-1") if values else None

    @property
    def grant(self) -> str | None:
        return self.value("access-control-allow-origin")


class ResetError(Exception):
    """The stream ended with RST_STREAM."""

    def __init__(self, code: int) -> None:
        super().__init__(f"reset with {code}")
        self.code = code


class GoneError(Exception):
    """The connection ended."""


class H2Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        config = h2.config.H2Configuration(
            header_encoding=None, validate_outbound_headers=False, normalize_outbound_headers=False
        )
        self.h2 = h2.connection.H2Connection(config)
        self.h2.initiate_connection()
        self.goaway: int | None = None
        """The error code of GOAWAY."""
        self.last_stream: int | None = None
        self._heads: dict[int, tuple[int, list[Field]]] = {}
        self._content: dict[int, bytearray] = {}
        self.ended: dict[int, int | None] = {}  # with the code of a reset
        self.interim: list[int] = []
        self._unread = b""
        self.is_raw = False
        """Whether frames are sent by hand, of which the library knows nothing."""
        self.is_reading = True
        """Whether content that arrives opens the windows again."""

    @property
    def is_closing(self) -> bool:
        """Whether what is sent goes nowhere."""
        return self._writer.is_closing()

    async def flush(self) -> None:
        self._writer.write(self.h2.data_to_send())
        await self._writer.drain()

    async def send_raw(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def ask(
        self,
        path: str = "/",
        method: str = "GET",
        fields: Sequence[Field] = (),
        *,
        content: bytes | None = None,
        ends: bool = True,
        origin: str | None = PAGE,
    ) -> int:
        """Send a request, whole unless `ends` is false; returns its stream."""
        stream = self.h2.get_next_available_stream_id()
        head = request_fields(path, method, fields, origin)
        self.h2.send_headers(stream, head, end_stream=content is None and ends)
        if content is not None:
            await self.send(stream, content, ends=ends)
        await self.flush()
        return stream

    async def send(self, stream: int, content: bytes, *, ends: bool = False) -> None:
        """Send content, as the windows open."""
        at = 0
        while at < len(content):
            room = min(self.h2.local_flow_control_window(stream), 16_384)
            if room <= 0:
                await self.flush()
                await self.receive()
                continue
            self.h2.send_data(stream, content[at : at + room])
            at += room
        if ends:
            self.h2.end_stream(stream)
        await self.flush()

    async def cancel(self, stream: int) -> None:
        self.h2.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)
        await self.flush()

    async def receive(self) -> None:
        """Read once. Raises GoneError."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            data = b""
            with suppress(ConnectionError, ssl.SSLError):
                data = await self._reader.read(65536)
        if not data:
            raise GoneError
        self._unread += data
        while len(self._unread) >= 9:
            end = 9 + int.from_bytes(self._unread[:3])
            if len(self._unread) < end:
                break
            frame, self._unread = self._unread[:end], self._unread[end:]
            self._take_frame(frame)
        with suppress(ConnectionError):
            await self.flush()

    def _take_frame(self, frame: bytes) -> None:
        if frame[3] == FrameType.GOAWAY:
            # Behind it, the library would refuse what still comes on open streams.
            self.last_stream = int.from_bytes(frame[9:13])
            self.goaway = int.from_bytes(frame[13:17])
        elif not self.is_raw:
            for event in self.h2.receive_data(frame):
                self._take(event)

    def _take(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.ResponseReceived():
                fields = [(bytes(name), bytes(value)) for name, value in event.headers or []]
                self._heads[event.stream_id or 0] = (int(fields[0][1]), fields[1:])
            case h2.events.InformationalResponseReceived():
                self.interim.append(int(dict(event.headers or [])[b":status"]))
            case h2.events.DataReceived():
                stream = event.stream_id or 0
                self._content.setdefault(stream, bytearray()).extend(event.data or b"")
                if self.is_reading and event.flow_controlled_length:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, stream)
            case h2.events.StreamEnded():
                self.ended.setdefault(event.stream_id or 0, None)
            case h2.events.StreamReset():
                self.ended.setdefault(event.stream_id or 0, int(event.error_code or 0))
            case _:
                pass

    async def head(self, stream: int) -> tuple[int, list[Field]]:
        while stream not in self._heads:
            self._raise_if_reset(stream)
            await self.receive()
        return self._heads[stream]

    async def content(self, stream: int, size: int) -> bytes:
        """Wait for `size` bytes of content."""
        while len(self._content.get(stream, b"")) < size:
            self._raise_if_reset(stream)
            await self.receive()
        return bytes(self._content[stream])

    async def reply(self, stream: int) -> H2Reply:
        """Wait for a whole response. Raises ResetError and GoneError."""
        while stream not in self.ended:
            await self.receive()
        self._raise_if_reset(stream)
        status, fields = self._heads[stream]
        return H2Reply(status, fields, bytes(self._content.get(stream, b"")))

    def _raise_if_reset(self, stream: int) -> None:
        code = self.ended.get(stream)
        if code is not None:
            raise ResetError(code)

    async def until_gone(self) -> None:
        """Read until the connection ends."""
        with suppress(GoneError):
            while True:
                await self.receive()

    async def get(self, path: str = "/", fields: Sequence[Field] = ()) -> H2Reply:
        return await self.reply(await self.ask(path, fields=fields))

    async def close(self) -> None:
        self._writer.close()
        with suppress(ConnectionError, ssl.SSLError):
            await self._writer.wait_closed()


@asynccontextmanager
async def connected(proxy: Proxy) -> AsyncIterator[H2Client]:
    """A client of `proxy`, whose clients must offer h2."""
    async with connected_to("127.0.0.1", proxy.port, proxy.trusting) as client:
        yield client


@asynccontextmanager
async def connected_to(
    host: str, port: int, trusting: ssl.SSLContext | None
) -> AsyncIterator[H2Client]:
    opened = await asyncio.open_connection(
        host, port, ssl=trusting, server_hostname="localhost", limit=2**20
    )
    client = H2Client(*opened)
    await client.flush()
    try:
        yield client
    finally:
        await client.close()
