"""The listener: one object for `loop.create_server`, and the end of all its connections.

server = ProxyServer(policy, upstream, journal)
listening = await asyncio.get_running_loop().create_server(server, sock=...)
server.policy = another          # a reload, between two requests
server.draining = True           # every response from now on closes its connection
listening.close()
await server.drain(policy.shutdown_grace)
"""

import asyncio
import ssl
from collections.abc import Callable

from corsproxy.core.policy import Policy
from corsproxy.core.refusals import as_far_as_read
from corsproxy.core.verdicts import Code
from corsproxy.http1.unfinished_head import HeadBudget
from corsproxy.shell.feed.records import Journal
from corsproxy.shell.listener.client_connection import ClientConnection
from corsproxy.shell.listener.http1_connection import Http1Connection
from corsproxy.shell.listener.refused_bytes import answer_bytes
from corsproxy.shell.listener.service import Service
from corsproxy.shell.listener.tls import ClientHandshake
from corsproxy.shell.streams.piece import ReadBuffer
from corsproxy.shell.streams.tls import TlsConnection
from corsproxy.shell.system.descriptors import affordable_clients, descriptor_limit
from corsproxy.shell.upstream.upstream import Upstream

_MOST_CONNECTIONS = 4096
# For all unfinished heads together. Without it, 4,000 clients that each stop just before the end
# of a head could take four times the memory that the manifests allow the whole process.
_MOST_IN_HEADS = 24 * 1024 * 1024
# A quarter more clients than the limit are told that there is no room; then it hangs up.
_STANDING_ROOM = 4
_LAST_WORDS_S = 1.0
_HTTP2 = "h2"
_SPEAKS_HTTPS = "This port speaks https: begin the address with https://."
_LOOK_S = 0.02
# Turns of the event loop until a request that has arrived on a new connection has been read: the
# connection would look idle, and the request would be lost.
_TURNS_TO_READ = 5
_WATCH_S = 0.5


def _is_served(connection: ClientConnection) -> bool:
    """Whether its client may still be reading its last answer."""
    return connection.is_ending or connection.has_unsent


def connections_limit(policy: Policy) -> int:
    """Return how many clients may be connected: the policy's limit or a default, but no
    more than the process has descriptors for."""
    wanted, descriptors = policy.limits.connections, descriptor_limit()
    if wanted is None:
        spare = _MOST_CONNECTIONS if descriptors is None else descriptors * 4 // 5 // 2
        wanted = max(1, min(_MOST_CONNECTIONS, spare))
    affordable = affordable_clients()
    return wanted if affordable is None else min(wanted, affordable)


class ProxyServer:
    """Makes an `Http1Connection` for every client."""

    def __init__(self, policy: Policy, upstream: Upstream, journal: Journal | None = None) -> None:
        """Must be called while the event loop runs. `journal` None: no records are made."""
        self.loop = asyncio.get_running_loop()
        self.buffer = ReadBuffer()
        """The buffer for every read from a client."""
        self.heads = HeadBudget(_MOST_IN_HEADS)
        """The budget for all unfinished heads together."""
        self._connections: dict[ClientConnection, None] = {}  # in the order of their coming
        self.service = Service(policy, upstream, journal)
        self._limit = connections_limit(policy)
        self.handshakes: set[TlsConnection] = set()
        """Connections whose TLS handshake is not over."""
        self._watch: asyncio.TimerHandle | None = None

    @property
    def policy(self) -> Policy:
        """The policy in force; every exchange reads it once."""
        return self.service.policy

    @policy.setter
    def policy(self, policy: Policy) -> None:
        self.service.policy = policy
        for connection in self._connections:
            connection.forget()
        self._limit = connections_limit(policy)

    @property
    def draining(self) -> bool:
        """Whether every response is the last one on its connection."""
        return self.service.draining

    @draining.setter
    def draining(self, draining: bool) -> None:
        self.service.draining = draining

    def dismiss(self) -> None:
        """Send every client elsewhere, new ones soon after their first request. Nothing is lost."""
        self.service.draining = self.service.is_lame_duck = True
        for connection in self._connections:
            connection.dismiss()

    @property
    def clients(self) -> int:
        """How many are connected."""
        return len(self._connections)

    @property
    def weight(self) -> int:
        """How much memory clients take, in units of the least that one takes: some 8 KiB."""
        return len(self._connections) + (_MOST_IN_HEADS - self.heads.left) // 8192

    @property
    def in_flight(self) -> int:
        """How many exchanges are in progress."""
        return sum(connection.in_flight for connection in self._connections)

    def __call__(self) -> Http1Connection:
        return Http1Connection(self, self.service)

    def over_tls(
        self, context: Callable[[], ssl.SSLContext], distrusted: Callable[[], None]
    ) -> Callable[[], TlsConnection]:
        """Return what makes the same behind TLS; `context` is asked for each client, and
        `distrusted` told of each that refuses the certificate."""

        def make(protocol: str | None) -> asyncio.BufferedProtocol:
            if protocol != _HTTP2:
                return self()
            # Imported only when the first client speaks HTTP/2.
            from corsproxy.shell.listener.http2_connection import Http2Connection

            return Http2Connection(self, self.service)

        def accept() -> TlsConnection:
            timeout = self.policy.limits.head_timeout
            handshake = ClientHandshake(self, make, timeout, distrusted)
            return TlsConnection(self.loop, context(), handshake)

        return accept

    def entered(self, connection: TlsConnection) -> None:
        """A handshake begins. If there is no room, it is dropped: nothing can be said yet."""
        self.handshakes.add(connection)
        if len(self._connections) + len(self.handshakes) > self._most:
            connection.abort()

    def left(self, connection: TlsConnection) -> None:
        """A handshake is over."""
        self.handshakes.discard(connection)

    def answer_in_plain(self, received: bytes, client: str) -> bytes:
        """Return what to say to a client that has sent `received` where TLS is spoken; empty
        unless it is HTTP."""
        if not as_far_as_read(received).method:
            return b""
        return answer_bytes(self.service, received, client, Code.BAD_REQUEST, _SPEAKS_HTTPS)

    @property
    def _most(self) -> int:
        """The limit on clients, including those that are only told that there is no room."""
        return self._limit + self._limit // _STANDING_ROOM + 1

    @property
    def connections(self) -> list[ClientConnection]:
        """Every connection that is not over, the oldest first."""
        return list(self._connections)

    def opened(self, connection: ClientConnection) -> None:
        """A client has connected."""
        self._connections[connection] = None
        self.buffer.join()
        if self._watch is None:
            self._watch = self.loop.call_later(_WATCH_S, self._look_for_clients)
        if len(self._connections) > self._limit:
            connection.is_full = True
            if len(self._connections) > self._most:
                connection.abort()

    def closed(self, connection: ClientConnection) -> None:
        """A client's connection is closed, and its last exchange is over."""
        if connection in self._connections:
            del self._connections[connection]
            self.buffer.leave()

    def _look_for_clients(self) -> None:
        for connection in self.connections:
            connection.look_for_client()
        is_watching = bool(self._connections)
        again = self.loop.call_later(_WATCH_S, self._look_for_clients) if is_watching else None
        self._watch = again

    async def drain(self, grace: float) -> None:
        """End every connection: the idle ones now, the busy ones behind their response,
        and after `grace` seconds all that are left.

        Tunnels and event streams have no end of their own. They are ended as soon as
        nothing else is left to wait for; WebSockets have what is left of the time to answer
        that they are told so.
        """
        self.draining = True
        deadline = self.loop.time() + grace
        await self._until(min(grace, _LAST_WORDS_S), lambda: not self.handshakes)
        for _ in range(_TURNS_TO_READ):
            await asyncio.sleep(0)
        for connection in self.connections:
            if connection.is_idle and not connection.is_ending:
                connection.close()
            else:
                connection.leave()
        await self._until(grace, lambda: not any(each.is_awaited for each in self._connections))
        for connection in self.connections:
            connection.hang_up()
        patience = max(deadline - self.loop.time(), _LAST_WORDS_S)
        await self._until(patience, lambda: not any(each.is_parting for each in self._connections))
        for connection in self.connections:
            if connection.is_parting:
                connection.close()
        await self._until(_LAST_WORDS_S, lambda: not self._connections)
        patience = deadline - self.loop.time()
        await self._until(patience, lambda: not any(map(_is_served, self.connections)))
        for connection in self.connections:
            connection.abort("shutdown")
        for handshake in list(self.handshakes):
            handshake.abort()
        await self._until(_LAST_WORDS_S, lambda: not self._connections)
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    async def _until(self, seconds: float, is_done: Callable[[], bool]) -> None:
        """Poll for at most `seconds`: exchanges can end in many ways, and only this needs to
        know."""
        deadline = self.loop.time() + seconds
        while not is_done() and self.loop.time() < deadline:  # noqa: ASYNC110 - see above
            await asyncio.sleep(_LOOK_S)
