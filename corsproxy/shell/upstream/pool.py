"""All upstreams, for the server: `UpstreamPools` is a `shell.upstream.upstream.Upstream`.

Each upstream has its own connections, kept while idle, and its addresses take turns. A request
is sent twice only if that is safe (RFC 9110, 9.2.2; RFC 9112, 9.3.1), and one that cannot be
repeated never gets a connection that is about to close.
"""

import asyncio
import time
from collections.abc import Coroutine
from typing import Final, NamedTuple

from corsproxy.core.messages import UpstreamRequest
from corsproxy.core.policy import Limits, Route, Timeouts, Tls, UpstreamAddress
from corsproxy.errors import UpstreamError, UpstreamFault
from corsproxy.shell.streams.piece import ReadBuffer
from corsproxy.shell.streams.seams import RequestBody
from corsproxy.shell.streams.upstream_timings import UpstreamTimings
from corsproxy.shell.upstream.addresses import Addresses, Endpoint
from corsproxy.shell.upstream.bond import Bond
from corsproxy.shell.upstream.connect import Attempt, Dialer
from corsproxy.shell.upstream.http1 import Http1Connection
from corsproxy.shell.upstream.http1_response import Http1Response
from corsproxy.shell.upstream.idle import IdleConnections
from corsproxy.shell.upstream.request_limit import RequestLimit, WaitingRoom
from corsproxy.shell.upstream.resolver import TTL_SECONDS, AddressInfo

# A name is not looked up more often than this, whatever `limits.upstream_max_age` says.
_LEAST_LOOK_UP_SECONDS: Final = 1.0


class PoolFigures(NamedTuple):
    """The state of one upstream's connections, for the metrics."""

    upstream: str
    open: int
    idle: int
    in_flight: int
    waiting: int  # requests waiting for one in flight to end
    connects: int  # total, as the next two
    failed_connects: int
    retries: int  # requests sent a second time


class UpstreamPool:
    """The connections to one upstream; an `http1.Keeper`."""

    def __init__(
        self,
        address: UpstreamAddress,
        tls: Tls,
        dialer: Dialer,
        buffer: ReadBuffer,
        room: WaitingRoom,
    ) -> None:
        """`buffer` and `room` are shared by all pools."""
        self._address = address
        self._tls = tls
        self._dialer = dialer
        self._buffer = buffer
        self._room = room
        self._loop = asyncio.get_running_loop()
        self._turns = RequestLimit()
        self._open: set[Http1Connection] = set()
        self._idle = IdleConnections()
        self._addresses = Addresses()
        self._looking: asyncio.Task[list[AddressInfo]] | None = None
        self._look_up_at = 0.0
        self._connects = 0
        self._failed_connects = 0
        self._retries = 0

    def figures(self) -> PoolFigures:
        """Return the current counters."""
        return PoolFigures(
            upstream=str(self._address),
            open=len(self._open),
            idle=len(self._idle),
            in_flight=self._turns.in_flight,
            waiting=self._turns.waiting,
            connects=self._connects,
            failed_connects=self._failed_connects,
            retries=self._retries,
        )

    async def send(
        self,
        request: UpstreamRequest,
        body: RequestBody | None,
        timeouts: Timeouts,
        limits: Limits,
        bond: Bond | None = None,
        timings: UpstreamTimings | None = None,
    ) -> Http1Response:
        """Send a request and wait for the final head, as `Upstream.send`."""
        if not self._turns.enter(limits):
            await self._queue(request, limits)
        now = self._loop.time()
        endpoint = self._addresses.turn(now)
        connection = None
        if endpoint is not None:
            if now >= self._look_up_at:
                self._look_up(limits, now)
            connection = self._take(endpoint, request.repeatable, limits, bond, now)
        if connection is not None:
            if timings is not None:
                timings.sending = time.perf_counter()
            response = self._start(connection, request, body, timeouts, limits, bond, now)
            try:
                await response.arrival()
            except UpstreamError as error:
                stale = error.fault is UpstreamFault.CLOSED and not response.touched
                if not (stale and request.repeatable):
                    raise
            except BaseException:
                response.abort()
                raise
            else:
                return response
            self._retries += 1
            if not self._turns.enter(limits):
                await self._queue(request, limits)
        try:
            size = self._room.enter(request.fields)
        except UpstreamError:
            self._turns.leave()
            raise
        try:
            connection = await self._connect(endpoint, timeouts, limits, timings)
        finally:
            self._room.leave(size)
        if timings is not None:
            timings.sending = time.perf_counter()
        now = self._loop.time()
        response = self._start(connection, request, body, timeouts, limits, bond, now)
        try:
            await response.arrival()
        except BaseException:
            response.abort()
            raise
        return response

    async def _queue(self, request: UpstreamRequest, limits: Limits) -> None:
        """Wait for a turn."""
        size = self._room.enter(request.fields)
        try:
            await self._turns.queue(limits)
        finally:
            self._room.leave(size)

    async def close(self) -> None:
        """Close the idle connections now and the others when their exchange is over."""
        if self._looking is not None:
            self._looking.cancel()
        await self._idle.close()

    def exchange_over(self, connection: Http1Connection, *, reusable: bool) -> None:
        if reusable:
            self._idle.keep(connection)
        self._turns.leave()

    def lost(self, connection: Http1Connection) -> None:
        if connection in self._open:
            self._open.discard(connection)
            self._buffer.leave()
        self._idle.lost(connection)

    def _start(
        self,
        connection: Http1Connection,
        request: UpstreamRequest,
        body: RequestBody | None,
        timeouts: Timeouts,
        limits: Limits,
        bond: Bond | None,
        now: float,
    ) -> Http1Response:
        try:
            content = b"" if body is None else body.take()
            return connection.start(request, content, body, timeouts, limits, bond, now)
        except BaseException:
            self._turns.leave()
            connection.drop()
            raise

    def _take(
        self, endpoint: Endpoint, repeatable: bool, limits: Limits, bond: Bond | None, now: float
    ) -> Http1Connection | None:
        """Return an idle connection for a request of `bond`, preferably one to `endpoint`."""
        former, max_age = self._addresses.former, limits.upstream_max_age
        connection = None
        if bond is not None:
            connection = self._idle.take_bound(bond, now, max_age)
        if connection is None:
            connection = self._idle.take(endpoint, repeatable, now)
        if connection is None and former:
            connection = self._idle.take_former(former, repeatable, now, max_age)
        return connection

    def _look_up(self, limits: Limits, now: float) -> None:
        """Look the name up again, without waiting, so that a moved upstream is found under load."""
        every = min(TTL_SECONDS, max(limits.upstream_max_age, _LEAST_LOOK_UP_SECONDS))
        self._look_up_at = now + every
        if self._looking is None:
            self._looking = self._loop.create_task(self._dialer.look_up(self._address, every))
            self._looking.add_done_callback(self._looked_up)

    def _looked_up(self, looking: asyncio.Task[list[AddressInfo]]) -> None:
        self._looking = None
        # If the name is not found, the known addresses stay.
        if not looking.cancelled() and looking.exception() is None:
            self._addresses.update(looking.result(), self._loop.time())

    async def _connect(
        self,
        endpoint: Endpoint | None,
        timeouts: Timeouts,
        limits: Limits,
        timings: UpstreamTimings | None,
    ) -> Http1Connection:
        """Return a new connection. If that fails, end the turn that was taken for it."""
        self._connects += 1
        if timings is not None:
            timings.connecting = time.perf_counter()
        attempt = Attempt(self._addresses, endpoint, limits.upstream_max_age, timings)
        # In an asyncio task, because it uses timeouts.
        dialling = self._loop.create_task(
            self._dialer.dial(
                self._address,
                self._tls,
                timeouts.connect,
                lambda form: Http1Connection(self, self._buffer, form),
                attempt,
            )
        )
        try:
            connection = await dialling
        except BaseException:
            self._failed_connects += 1
            self._turns.leave()
            if dialling.done() and not dialling.cancelled() and dialling.exception() is None:
                dialling.result().drop()  # it arrived too late
            raise
        connection.endpoint = attempt.endpoint
        if not connection.usable:
            self._turns.leave()
            raise await connection.unused()
        self._open.add(connection)
        self._buffer.join()
        return connection


class UpstreamPools:
    """Every upstream of the policy; a `shell.upstream.upstream.Upstream`.

    Made and used on one event loop. Pools are keyed by address and TLS settings, so they outlive a
    reload, which must call `forget_routes`.
    """

    def __init__(self, dialer: Dialer | None = None) -> None:
        self._dialer = Dialer() if dialer is None else dialer
        self._buffer = ReadBuffer()
        self._room = WaitingRoom()
        self._pools: dict[tuple[UpstreamAddress, Tls], UpstreamPool] = {}
        # Hashing an address costs more than everything else in finding its pool.
        self._by_route: dict[int, tuple[Route, UpstreamPool]] = {}

    def send(
        self,
        route: Route,
        request: UpstreamRequest,
        body: RequestBody | None,
        limits: Limits,
        bond: Bond | None = None,
        timings: UpstreamTimings | None = None,
    ) -> Coroutine[object, object, Http1Response]:
        """As `shell.upstream.upstream.Upstream.send`."""
        known = self._by_route.get(id(route))
        pool = self._remember(route) if known is None else known[1]
        return pool.send(request, body, route.timeout, limits, bond, timings)

    async def close(self) -> None:
        """Close every idle connection, and the others once their exchange is over."""
        for pool in self._pools.values():
            await pool.close()

    def forget_routes(self) -> None:
        """Drop references to a policy that is no longer in force."""
        self._by_route.clear()

    def figures(self) -> list[PoolFigures]:
        """Return the state of each upstream's connections."""
        return [pool.figures() for pool in self._pools.values()]

    def _remember(self, route: Route) -> UpstreamPool:
        key = (route.upstream, route.tls)
        pool = self._pools.get(key)
        if pool is None:
            pool = self._pools[key] = UpstreamPool(*key, self._dialer, self._buffer, self._room)
        # The route is kept with its pool: while it lives, its id cannot be reused.
        self._by_route[id(route)] = (route, pool)
        return pool
