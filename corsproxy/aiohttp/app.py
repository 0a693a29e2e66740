"""`proxy_app`: the application, its lifetime, and its request handler."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from corsproxy.aiohttp.client import AiohttpExchange, leave_it_waiting
from corsproxy.aiohttp.policies import Policies, policies_of
from corsproxy.aiohttp.responses import Plain
from corsproxy.config.changes import Change
from corsproxy.config.problems import Problem, render
from corsproxy.core.policy import Limits, Policy
from corsproxy.shell.feed.clock import utc_day
from corsproxy.shell.feed.records import ExchangeRecord
from corsproxy.shell.listener.exchange import Exchange
from corsproxy.shell.listener.service import Service
from corsproxy.shell.run.reload import Reloader
from corsproxy.shell.upstream.bond import Bond
from corsproxy.shell.upstream.connect import Dialer
from corsproxy.shell.upstream.forward_proxy import ForwardProxies
from corsproxy.shell.upstream.pool import UpstreamPools

OnRecord = Callable[[ExchangeRecord], object]

_TAIL: Final = "/{path:.*}"
_LOOK_S: Final = 0.25
_SPARE: Final = 4096

logger = logging.getLogger("corsproxy")


def proxy_app(
    upstream: str | None = None,
    *,
    config: str | Path | None = None,
    reload: bool = False,
    on_record: OnRecord | None = None,
    **keys: Any,
) -> web.Application:
    """Return an application that proxies to `upstream`, or as the file `config` says.

    `keys` are those of a route; those of `cors:` may be given flat or as `cors={…}`. Their texts
    are taken as they are: a `$` begins no variable.

    Of a file's top level, `limits`, `allowed_hosts`, `trusted_proxies` and `via` apply. The file
    is read once, or with `reload` whenever it changes. `on_record` gets the record of each
    exchange, outcome included.

    Raises `corsproxy.ConfigError` for a configuration that is refused, OSError for a file that
    cannot be read, and TypeError unless either a URL or `config` is given.
    """
    policies = policies_of(upstream, config, keys)
    proxy = _Proxy(policies, on_record)
    app = web.Application(handler_args=_reading(policies.at("").limits))
    for path in ("", _TAIL):
        app.router.add_route("*", path, proxy.handle, expect_handler=leave_it_waiting)
    app.on_response_prepare.append(_leave_out)
    app.on_shutdown.append(proxy.shut_down)
    app.cleanup_ctx.append(proxy.life)
    if config is not None and reload:
        app.cleanup_ctx.append(_Watching(os.fspath(config), policies).life)
    return app


def _reading(limits: Limits) -> dict[str, Any]:
    """Return how aiohttp is to read requests, unless the application is mounted in another one:
    content as it is encoded, and more of a head than the core lets pass, because aiohttp's own
    refusals have no grant."""
    return {
        "auto_decompress": False,
        "max_line_size": limits.target + _SPARE,
        "max_field_size": limits.field + _SPARE,
    }


async def _leave_out(_: web.Request, response: web.StreamResponse) -> None:
    if isinstance(response, Plain):
        response.leave_out()


class _Records:
    """A `Journal` that passes records on."""

    def __init__(self, on_record: OnRecord) -> None:
        self._on_record = on_record

    def exchange(self, record: ExchangeRecord) -> None:
        self._on_record(record)


class _Running:
    """An exchange in progress."""

    def __init__(self, client: AiohttpExchange, exchange: Exchange) -> None:
        self.client = client
        self.exchange = exchange
        self.task: asyncio.Task[None] = asyncio.ensure_future(exchange.run())
        self._is_shutting_down = False

    async def over(self) -> None:
        """Wait for its end. If this is cancelled, as by a middleware, so is the exchange; the
        connection can still carry another response if none has begun."""
        try:
            await asyncio.wait((self.task,))
        except asyncio.CancelledError:
            self.client.let_go()
            self._cancel()
            await asyncio.wait((self.task,))
            raise

    def look_for_client(self) -> None:
        """Stop if the client has left."""
        if self.client.is_gone:
            self._cancel()

    def _cancel(self) -> None:
        if self._is_shutting_down:
            self.client.end("shutdown")
        self.task.cancel()

    def hang_up(self) -> None:
        """End what does not end by itself, because the application shuts down; with the protocol's
        own goodbye if it has one."""
        self._is_shutting_down = True
        if self.exchange.is_endless and not self.exchange.is_parting:
            self.client.end("shutdown")
            if not self.exchange.part():
                self.task.cancel()


class _Bonds:
    """The bond of each client connection. aiohttp does not say when a connection ends."""

    def __init__(self) -> None:
        self._by_transport: dict[asyncio.BaseTransport, Bond] = {}

    def of(self, transport: asyncio.BaseTransport | None) -> Bond:
        bond = Bond() if transport is None else self._by_transport.setdefault(transport, Bond())
        if transport is None:
            bond.end()
        return bond

    def end(self, *, all_of_them: bool = False) -> None:
        """End those whose client has left."""
        for transport, bond in list(self._by_transport.items()):
            if all_of_them or transport.is_closing():
                del self._by_transport[transport]
                bond.end()


class _Proxy:
    """The state shared by an application's requests."""

    def __init__(self, policies: Policies, on_record: OnRecord | None) -> None:
        self._policies = policies
        self._journal = None if on_record is None else _Records(on_record)
        self._upstream: UpstreamPools | None = None
        self._running: set[_Running] = set()
        self._bonds = _Bonds()
        self._is_draining = False

    async def life(self, _: web.Application) -> AsyncIterator[None]:
        """Keep connections to upstreams, and check whether clients are still there."""
        self._upstream = UpstreamPools(Dialer(ForwardProxies.of_environment(os.environ)))
        looking = asyncio.ensure_future(self._look_for_clients())
        yield
        looking.cancel()
        self._bonds.end(all_of_them=True)
        await self._upstream.close()

    async def _look_for_clients(self) -> None:
        # aiohttp tells a handler only on writing that its client has left.
        while True:
            await asyncio.sleep(_LOOK_S)
            for running in list(self._running):
                running.look_for_client()
            self._bonds.end()

    async def shut_down(self, _: web.Application) -> None:
        """End event streams and WebSockets, which would delay the shutdown."""
        self._is_draining = True
        for running in list(self._running):
            running.hang_up()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        service = self._service(self._policies.at(_prefix(request)))
        bond = self._bonds.of(request.transport)
        client = AiohttpExchange(request, bond, service.policy.limits.write_timeout)
        running = _Running(client, Exchange(client, service))
        self._running.add(running)
        try:
            await running.over()
            await client.close()
        finally:
            self._running.discard(running)
        return client.response or web.Response(status=499)

    def _service(self, policy: Policy) -> Service:
        if self._upstream is None:
            raise RuntimeError("the application has not started")
        service = Service(policy, self._upstream, self._journal)
        service.draining = self._is_draining
        return service


def _prefix(request: web.Request) -> str:
    """Return the path under which the application is mounted."""
    resource = request.match_info.route.resource
    return "" if resource is None else resource.canonical.removesuffix("/{path}")


class _Watching:
    """Reads the file again whenever it changes."""

    def __init__(self, file: str, policies: Policies) -> None:
        self._file = file
        self._policies = policies

    async def life(self, _: web.Application) -> AsyncIterator[None]:
        content = self._policies.content
        reloader = Reloader(
            self._file,
            content,
            self._policies.read(content, utc_day()),
            read=lambda text: self._policies.read(text, utc_day()),
            adopt=self._adopt,
            reports=self,
        )
        watching = asyncio.ensure_future(reloader.watch())
        yield
        watching.cancel()

    async def _adopt(self, policy: Policy, content: bytes) -> None:
        self._policies.adopt(policy, content)

    def reloaded(self, file: str, changes: tuple[Change, ...]) -> None:
        logger.info("%s was read again: %d changes", file, len(changes))

    def refused(self, file: str, problems: tuple[Problem, ...]) -> None:
        text = "\n\n".join(map(render, problems))
        logger.error("%s is refused; still using the previous policy\n%s", file, text)

    def failed(self, file: str, reason: str) -> None:
        logger.error("%s cannot be used; still using the previous policy: %s", file, reason)

    def warned(self, problems: Sequence[Problem]) -> None:
        for problem in problems:
            logger.warning("%s", render(problem))
