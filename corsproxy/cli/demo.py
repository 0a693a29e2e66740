"""`corsproxy demo`: an API without CORS, a page that calls it, and the proxy between them.

Everything runs in this process on free ports and leaves nothing behind. The proxy is the
real one: configuration, decisions, server and upstream connections.
"""

import asyncio
import logging
import signal
from contextlib import suppress

import click
from aiohttp import web

from corsproxy.cli.ending import leave
from corsproxy.cli.failures import Exit, starting
from corsproxy.cli.inspecting import inspector_address
from corsproxy.cli.process import run
from corsproxy.cli.terminal import wants_color
from corsproxy.core.policy import ListenAddress, Policy
from corsproxy.demo.allowlist import DemoAllowlist
from corsproxy.demo.observations import ExchangeObserver, Observations
from corsproxy.demo.pages import Pages, Places
from corsproxy.demo.shop import Shop
from corsproxy.shell.admin.inspector.assembly import Inspection, inspection
from corsproxy.shell.admin.inspector.replay import Listener
from corsproxy.shell.feed.ansi import Style, paint
from corsproxy.shell.feed.layout import terminal_width
from corsproxy.shell.listener.server import ProxyServer
from corsproxy.shell.system.binding import BACKLOG, Bound, Listeners, bind_all
from corsproxy.shell.upstream.pool import UpstreamPools

# A page on localhost and an API on 127.0.0.1 are different sites, so a direct call does not
# carry the API's cookies, as with any real API.
_ADDRESSES = {
    "page": ListenAddress("localhost", 0),
    "elsewhere": ListenAddress("localhost", 0),
    "api": ListenAddress("127.0.0.1", 0),
    "proxy": ListenAddress("localhost", 0),
}
_INSPECTOR = ListenAddress("localhost", 0)
_GRACE_S = 0.5


@click.command()
def command() -> None:
    """Show corsproxy in action: an API without CORS, a page that calls it, and the proxy.

    Open the page in a browser: it makes each call directly and through the proxy, and
    shows the results. Ctrl+C stops everything.
    """
    with starting():
        listeners = bind_all([*_ADDRESSES.values()], _INSPECTOR)
    # Faults that a page causes in the demo's servers show on the page, not in the terminal.
    logging.getLogger("aiohttp").setLevel(logging.CRITICAL)
    # The loop is not closed: after that a second signal would give a traceback.
    run(lambda: _run(listeners))
    leave(Exit.OK)


async def _run(listeners: Listeners) -> None:
    """Run the four parts and the inspector until a signal says stop."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    bound = dict(zip(_ADDRESSES, listeners.proxy, strict=True))
    places = Places(**{name: each.url for name, each in bound.items()})
    observations = Observations()
    pools = UpstreamPools()
    allowlist = DemoAllowlist(places.api, places.page, places.elsewhere)
    server = ProxyServer(allowlist.policy, pools, ExchangeObserver(observations))

    inspected = _inspection(server, listeners, bound["proxy"])

    def use(policy: Policy) -> None:
        server.policy = policy
        inspected.policies.adopt(policy)

    allowlist.on_change(use)
    address = inspector_address(listeners, inspected.token) or ""
    pages = _runner(Pages(places, observations, allowlist, address).application())
    inspector = _runner(_inspector(inspected))
    shop = _runner(Shop().application(observations))
    try:
        await _serve(pages, bound["page"], bound["elsewhere"])
        await _serve(shop, bound["api"])
        if listeners.admin is not None:
            await _serve(inspector, listeners.admin)
        listening = [
            await server.loop.create_server(server, sock=each, backlog=BACKLOG)
            for each in bound["proxy"].sockets
        ]
        click.echo(_banner(places, address, color=wants_color("stdout"), width=terminal_width()))
        await stop.wait()
        for each in listening:
            each.close()
    finally:
        await pages.cleanup()
        await inspector.cleanup()
        await server.drain(_GRACE_S)
        await pools.close()
        await shop.cleanup()


def _inspection(server: ProxyServer, listeners: Listeners, proxy: Bound) -> Inspection:
    """Return an inspector that sees every exchange of the proxy."""

    async def adopt(policy: Policy) -> None:
        server.policy = policy
        begun.policies.adopt(policy)

    async def reload() -> None:
        """Do nothing: there is no file."""

    begun = inspection(
        server.policy,
        admin_port=0 if listeners.admin is None else listeners.admin.address.port,
        listener=Listener.of(proxy),
        file=None,
        adopt=adopt,
        reload=reload,
        note=click.echo,
    )
    server.service.observer = begun.capture
    return begun


def _inspector(begun: Inspection) -> web.Application:
    application = web.Application()
    begun.inspector.add_to(application)
    return application


def _runner(application: web.Application) -> web.AppRunner:
    return web.AppRunner(application, access_log=None, shutdown_timeout=_GRACE_S)


async def _serve(runner: web.AppRunner, *bound: Bound) -> None:
    await runner.setup()
    for each in bound:
        for socket in each.sockets:
            await web.SockSite(runner, socket).start()


_URL_WIDTH = 24
_NOTE_AT = 16 + _URL_WIDTH + 2


def _banner(places: Places, inspector: str, *, color: bool, width: int) -> str:
    arrow = paint("➜", Style.GREEN, color=color)
    rows = (
        ("Open", places.page, "a page that calls the API both ways"),
        ("Inspector", inspector, "each call as it happens"),
        ("API", places.api, "sends no CORS headers: browsers block its responses"),
        ("Proxy", places.proxy, "the same API, for the page above"),
        ("Unlisted", places.elsewhere, "a page that the allowlist does not name"),
    )
    lines = ["", f"  {paint('CORSPROXY demo', Style.BOLD, Style.GREEN, color=color)}", ""]
    for label, url, note in rows:
        name = paint(f"{label + ':':<11}", Style.BOLD, color=color)
        said = paint(note, Style.DIM, color=color)
        if _NOTE_AT + len(note) <= width and len(url) <= _URL_WIDTH:
            lines.append(f"  {arrow}  {name}{url:<{_URL_WIDTH}}  {said}")
        else:
            lines += [f"  {arrow}  {name}{url}", f"{'':16}{said}"]
    lines += ["", f"  {paint('Press Ctrl+C to stop', Style.DIM, color=color)}", ""]
    return "\n".join(lines)
