"""A lower bound for proxies in Python: programs that do the minimum, and are not proxies.

Both keep connections and add the grant to every response. They decide nothing, check nothing and
know neither errors nor limits. MODE=carry copies bytes and looks for one line end. MODE=parse has
llhttp parse both messages, and writes both heads anew.
"""

import asyncio
import os
from typing import cast

import httptools
import uvloop

GRANT = f"Access-Control-Allow-Origin: {os.environ['ORIGIN']}".encode()
UPSTREAM_PORT = int(os.environ["UPSTREAM"].rpartition(":")[2])
idle: list["Upstream"] = []


class Upstream(asyncio.Protocol):
    """A connection to the upstream, with the client that it answers."""

    client: "Client"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, _: Exception | None) -> None:
        if self in idle:
            idle.remove(self)

    def ask(self, client: "Client", request: bytes) -> None:
        self.client = client
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        idle.append(self)
        self.client.transport.write(data.replace(b"\r\n", b"\r\n%b\r\n" % GRANT, 1))


class ParsedUpstream(Upstream):
    """The same, with parsed responses."""

    def ask(self, client: "Client", request: bytes) -> None:
        self.fields: list[bytes] = [GRANT]
        self.content: list[bytes] = []
        self.parser = httptools.HttpResponseParser(self)
        super().ask(client, request)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append(b"%b: %b" % (name, value))

    def on_body(self, data: bytes) -> None:
        self.content.append(data)

    def on_message_complete(self) -> None:
        idle.append(self)
        start = b"HTTP/1.1 %d -" % self.parser.get_status_code()
        head = b"\r\n".join((start, *self.fields, b"", b""))
        self.client.transport.write(b"".join((head, *self.content)))


class Client(asyncio.Protocol):
    """A client's connection."""

    upstream = Upstream

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.forward(data)

    def forward(self, request: bytes) -> None:
        if idle:
            idle.pop().ask(self, request)
        else:
            self.dialling = asyncio.ensure_future(self.dial(request))

    async def dial(self, request: bytes) -> None:
        loop = asyncio.get_running_loop()
        _, upstream = await loop.create_connection(self.upstream, "127.0.0.1", UPSTREAM_PORT)
        upstream.ask(self, request)


class ParsedClient(Client):
    """The same, with parsed requests."""

    upstream = ParsedUpstream

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_begin(self) -> None:
        self.fields: list[bytes] = []

    def on_url(self, target: bytes) -> None:
        self.target = target

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append(b"%b: %b" % (name, value))

    def on_message_complete(self) -> None:
        start = b"%b %b HTTP/1.1" % (self.parser.get_method(), self.target)
        self.forward(b"\r\n".join((start, *self.fields, b"", b"")))


async def main() -> None:
    """Serve until the end."""
    client = {"carry": Client, "parse": ParsedClient}[os.environ["MODE"]]
    loop = asyncio.get_running_loop()
    server = await loop.create_server(client, "127.0.0.1", int(os.environ["PORT"]))
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
