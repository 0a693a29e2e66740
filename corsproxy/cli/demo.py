"""`corsproxy demo`: an API without CORS, a page that calls it, and the proxy between them.

Everything runs in this process on free ports and leaves nothing behind. The proxy is the
real one: the file's reader, the decisions, the server and the connections to the API.
"""

import asyncio
import logging
import signal
from contextlib import suppress

import click
from aiohttp import web

from corsproxy.cli.failures import Exit, Failure
from corsproxy.cli.terminal import wants_color
from corsproxy.core.policy import ListenAddress, Policy
from corsproxy.demo.allowlist import DemoAllowlist
from corsproxy.demo.observations import ExchangeObserver, Observations
from corsproxy.demo.pages import Pages, Places
from corsproxy.demo.shop import Shop
from corsproxy.errors import StartError
from corsproxy.shell.feed.ansi import Style, paint
from corsproxy.shell.listener.server import ProxyServer
from corsproxy.shell.system.binding import BACKLOG, Bound, bind_all
from corsproxy.shell.upstream.pool import UpstreamPools

# A page on localhost and an API on 127.0.0.1 are two sites: directly, even the API's
# cookies stay away from the page, as they would from any other.
_ADDRESSES = {
    "page": ListenAddress("localhost", 0),
    "elsewhere": ListenAddress("localhost", 0),
    "api": ListenAddress("127.0.0.1", 0),
    "proxy": ListenAddress("localhost", 0),
}
_GRACE_S = 0.5


@click.command()
def command() -> None:
    """Show it all: an API without CORS, a page that calls it, and the proxy.

    Open the page in a browser: it makes each call directly and through the proxy, and
    shows what becomes of it. Ctrl+C ends everything.
    """
    try:
        bound = dict(zip(_ADDRESSES, bind_all([*_ADDRESSES.values()], None).proxy, strict=True))
    except StartError as error:
        raise Failure(str(error), Exit.NOT_STARTED) from None
    # What a page does to the demo's own servers is on the page, not in the terminal.
    logging.getLogger("aiohttp").setLevel(logging.CRITICAL)
    with suppress(KeyboardInterrupt):  # where the event loop has no signals
        asyncio.run(_run(bound))


async def _run(bound: dict[str, Bound]) -> None:
    """Run the four parts until a signal says stop."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    places = Places(**{name: each.url for name, each in bound.items()})
    observations = Observations()
    pools = UpstreamPools()
    allowlist = DemoAllowlist(places)
    server = ProxyServer(allowlist.policy, pools, ExchangeObserver(observations))

    def use(policy: Policy) -> None:
        server.policy = policy

    allowlist.on_change(use)
    pages = _runner(Pages(places, observations, allowlist).application())
    shop = _runner(Shop().application(observations))
    try:
        await _serve(pages, bound["page"], bound["elsewhere"])
        await _serve(shop, bound["api"])
        listening = [
            await server.loop.create_server(server, sock=each, backlog=BACKLOG)
            for each in bound["proxy"].sockets
        ]
        click.echo(_banner(places, color=wants_color("stdout")))
        await stop.wait()
        for each in listening:
            each.close()
    finally:
        await pages.cleanup()
        await server.drain(_GRACE_S)
        await pools.close()
        await shop.cleanup()


def _runner(application: web.Application) -> web.AppRunner:
    return web.AppRunner(application, access_log=None, shutdown_timeout=_GRACE_S)


async def _serve(runner: web.AppRunner, *bound: Bound) -> None:
    await runner.setup()
    for each in bound:
        for socket in each.sockets:
            await web.SockSite(runner, socket).start()


def _banner(places: Places, *, color: bool) -> str:
    arrow = paint("➜", Style.GREEN, color=color)
    rows = (
        ("Open", places.page, "a page that calls the API both ways"),
        ("API", places.api, "knows nothing of CORS: browsers keep its answers"),
        ("Proxy", places.proxy, "the same API, for the page above"),
        ("Unlisted", places.elsewhere, "a page that the allowlist does not name"),
    )
    lines = ["", f"  {paint('CORSPROXY demo', Style.BOLD, Style.GREEN, color=color)}", ""]
    for label, url, note in rows:
        name = paint(f"{label + ':':<10}", Style.BOLD, color=color)
        lines.append(f"  {arrow}  {name}{url:<24}  {paint(note, Style.DIM, color=color)}")
    lines += ["", f"  {paint('Ctrl+C stops it', Style.DIM, color=color)}", ""]
    return "\n".join(lines)
