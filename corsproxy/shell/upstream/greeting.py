"""Checks once, when the proxy starts, whether the upstreams can be reached.

It only connects, TLS included, and sends no request, so it has no effect there.
"""

import asyncio
import time
from collections.abc import AsyncIterator

from corsproxy.core.advice.hints import hint_for
from corsproxy.core.policy import Policy, Route
from corsproxy.core.verdicts import Code, Kind, Verdict
from corsproxy.errors import UpstreamError
from corsproxy.shell.upstream.addresses import Addresses
from corsproxy.shell.upstream.connect import Attempt, Dialer

_MOST = 4


class _Silent(asyncio.BufferedProtocol):
    """Says nothing."""

    def __init__(self) -> None:
        self._buffer = memoryview(bytearray(16 * 1024))
        self._transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def hang_up(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.close()


async def greetings(policy: Policy, dialer: Dialer) -> AsyncIterator[tuple[str, bool]]:
    """Yield a sentence about each upstream, and whether it answers; only the first few of many."""
    routes = {str(route.upstream.site): route for route in policy.routes}
    for route in list(routes.values())[:_MOST]:
        begun = time.perf_counter()
        try:
            attempt = Attempt(Addresses(), None, policy.limits.upstream_max_age)
            silent = await dialer.dial(
                route.upstream, route.tls, route.timeout.connect, lambda _: _Silent(), attempt
            )
            silent.hang_up()
        except UpstreamError as error:
            yield _silence(policy, route, error), False
        else:
            milliseconds = (time.perf_counter() - begun) * 1000
            yield f"{route.upstream} accepts connections ({milliseconds:.0f} ms)", True


def _silence(policy: Policy, route: Route, error: UpstreamError) -> str:
    """Return what is wrong, and what to do about it."""
    code = Code(error.fault)
    verdict = Verdict(Kind.NO_ORIGIN, code, True, route.name, route.source, cause=error.cause)
    hint = hint_for(verdict, policy)
    detail = error.detail
    if str(route.upstream) not in detail:
        detail = f"{route.upstream} does not answer: {detail}"
    return detail if hint is None else f"{detail.rstrip('.')}. {hint}"
