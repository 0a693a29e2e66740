"""`python -m programs.reloads.upstream`: answers with the version that the proxy has sent.

Prints its port. Responses below /slow are delayed, so that reloads happen meanwhile.
"""

import asyncio
import random
import re

_VERSION = re.compile(rb"\r\nX-Version: ([0-9]+)\r\n")
_END = b"\r\n\r\n"
_SLOW_SECONDS = (0.02, 0.4)


class _Answers(asyncio.Protocol):
    """One connection; its requests have no content and come one at a time."""

    def __init__(self) -> None:
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._received.endswith(_END):
            return
        head, self._received = self._received, b""
        found = _VERSION.search(head)
        version = found[1] if found else b"?"
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(version), version)
        if head.startswith(b"GET /slow"):
            loop = asyncio.get_running_loop()
            loop.call_later(random.uniform(*_SLOW_SECONDS), self._send, answer)
        else:
            self._send(answer)

    def _send(self, answer: bytes) -> None:
        assert self._transport is not None
        self._transport.write(answer)


async def _main() -> None:
    server = await asyncio.get_running_loop().create_server(_Answers, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main())
