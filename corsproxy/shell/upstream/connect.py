"""Dialling an upstream: names, several addresses, Unix sockets, TLS, a forward proxy.

Every failure becomes one UpstreamError with a sentence that people can act on. It names nothing
that the allowlist file does not.
"""

import asyncio
import os
import socket
import ssl
import time
from collections.abc import Callable
from typing import Final, TypeVar

from aiohappyeyeballs import start_connection

from corsproxy.core.policy import Tls, UpstreamAddress
from corsproxy.errors import StartError, UpstreamError, UpstreamFault
from corsproxy.http1.writer import RequestForm
from corsproxy.shell.streams.upstream_timings import UpstreamTimings
from corsproxy.shell.system.descriptors import EXHAUSTED
from corsproxy.shell.upstream.addresses import Addresses, Endpoint
from corsproxy.shell.upstream.forward_proxy import ForwardProxies, ForwardProxy, open_tunnel
from corsproxy.shell.upstream.handshake import handshake_timeout, secure
from corsproxy.shell.upstream.resolver import TTL_SECONDS, AddressInfo, Resolver
from corsproxy.shell.upstream.upstream_tls import TlsContexts

# RFC 8305, 8: how long to wait before the next address is tried.
_ATTEMPT_DELAY_SECONDS = 0.25
# A peer that has silently vanished is noticed after about this long, even in a tunnel, which
# has no timeout of its own.
_KEEPALIVE_SECONDS = 30

P = TypeVar("P", bound=asyncio.BufferedProtocol)


class Attempt:
    """One attempt to reach an upstream: the addresses to prefer, and its progress."""

    __slots__ = ("addresses", "endpoint", "first", "max_age", "timings")

    def __init__(
        self,
        addresses: Addresses,
        first: Endpoint | None,
        max_age: float,
        timings: UpstreamTimings | None = None,
    ) -> None:
        """`first` is tried before the other addresses; `max_age` is how many seconds old the
        look-up of a name may be."""
        self.addresses: Final = addresses
        self.first: Final = first
        self.max_age: Final = max_age
        self.endpoint: Endpoint | None = None
        """The address that was reached."""
        self.timings: Final = timings or UpstreamTimings()

    async def connect(self, infos: list[AddressInfo]) -> socket.socket:
        """Connect to the first address that accepts, starting the next one a little later (RFC
        8305). Raises OSError, and RuntimeError if uvloop does."""
        loop = asyncio.get_running_loop()
        self.addresses.update(infos, loop.time())
        order = self.addresses.in_order(self.first, loop.time())
        sock = await start_connection(order, happy_eyeballs_delay=_ATTEMPT_DELAY_SECONDS)
        self.endpoint = self.addresses.reached(order, sock.getpeername(), loop.time())
        return sock

    def failed(self) -> None:
        """Skip the address that was reached: the connection was unusable."""
        if self.endpoint is not None:
            self.addresses.shun(self.endpoint, asyncio.get_running_loop().time())


class Dialer:
    """Makes connections to upstreams."""

    def __init__(
        self, forward_proxies: ForwardProxies | None = None, resolver: Resolver | None = None
    ) -> None:
        self._forward_proxies = ForwardProxies({}) if forward_proxies is None else forward_proxies
        self._resolver = Resolver() if resolver is None else resolver
        self._tls_contexts = TlsContexts()

    async def dial(
        self,
        address: UpstreamAddress,
        tls: Tls,
        timeout: float | None,
        make_protocol: Callable[[RequestForm], P],
        attempt: Attempt,
    ) -> P:
        """Connect and return the protocol, connected; TLS is part of `timeout` seconds.

        Raises UpstreamError: DNS, UNREACHABLE, NO_DESCRIPTOR, TLS, CONNECT_TIMEOUT, PROXY_AUTH.
        """
        try:
            async with asyncio.timeout(timeout):
                if address.socket_path is not None:
                    return await _dial_unix(address, make_protocol, attempt)
                return await self._dial_tcp(address, tls, make_protocol, attempt)
        except TimeoutError:
            if timeout is not None and attempt.timings.connected:
                raise handshake_timeout(address, timeout) from None
            within = "" if timeout is None else f" within {timeout:g} s (timeout.connect)"
            raise UpstreamError(
                UpstreamFault.CONNECT_TIMEOUT, f"no connection to {address}{within}"
            ) from None

    async def _dial_tcp(
        self,
        address: UpstreamAddress,
        tls: Tls,
        make_protocol: Callable[[RequestForm], P],
        attempt: Attempt,
    ) -> P:
        proxy = self._forward_proxy(address)
        if address.scheme == "https":
            context = await self._tls_context(address, tls)
            sock = await self._connect(address, proxy, attempt)
            if proxy is not None:
                await _open_tunnel(sock, proxy, address)
            attempt.timings.connected = time.perf_counter()
            server_name = tls.server_name or address.host.rstrip(".")
            try:
                protocol = await secure(
                    sock, context, server_name, address, make_protocol(RequestForm())
                )
            except BaseException:
                attempt.failed()
                raise
            attempt.timings.secured = time.perf_counter()
            return protocol
        form = RequestForm()
        if proxy is not None:
            form = RequestForm(b"http://" + address.authority, proxy.fields)
        sock = await self._connect(address, proxy, attempt)
        attempt.timings.connected = time.perf_counter()
        _, protocol = await asyncio.get_running_loop().create_connection(
            lambda: make_protocol(form), sock=sock
        )
        return protocol

    def _forward_proxy(self, address: UpstreamAddress) -> ForwardProxy | None:
        try:
            return self._forward_proxies.for_upstream(address)
        except StartError as unusable:
            raise UpstreamError(UpstreamFault.UNREACHABLE, f"{address}: {unusable}") from None

    async def _tls_context(self, address: UpstreamAddress, tls: Tls) -> ssl.SSLContext:
        try:
            return await self._tls_contexts.get(tls)
        except StartError as error:
            raise UpstreamError(UpstreamFault.TLS, f"{address}: {error}") from error

    async def look_up(self, address: UpstreamAddress, within: float) -> list[AddressInfo]:
        """Return what the name to connect to resolved to at most `within` seconds ago.

        Raises UpstreamError DNS.
        """
        if address.socket_path is not None:
            return [_socket_file(address.socket_path)]
        host, port, whom = self._next_hop(address, self._forward_proxy(address))
        try:
            return await self._resolver.resolve(host, port, within)
        except socket.gaierror as error:
            raise UpstreamError(
                UpstreamFault.DNS, f"the name {host} of {whom} was not found: {reason_of(error)}"
            ) from error

    async def _connect(
        self, address: UpstreamAddress, proxy: ForwardProxy | None, attempt: Attempt
    ) -> socket.socket:
        host, port, whom = self._next_hop(address, proxy)
        infos = await self.look_up(address, attempt.max_age)
        try:
            sock = await attempt.connect(infos)
        except BaseException as error:
            if not _is_out_of_descriptors(error):
                # The upstream may have moved.
                self._resolver.forget(host, port)
            # uvloop raises RuntimeError for some errors that asyncio raises as OSError.
            if isinstance(error, TimeoutError) or not isinstance(error, (OSError, RuntimeError)):
                raise
            if _is_out_of_descriptors(error) or not await self._has_moved(address, infos):
                raise _not_connected(whom, error) from error
            try:
                sock = await attempt.connect(await self.look_up(address, attempt.max_age))
            except (OSError, RuntimeError) as again:
                raise _not_connected(whom, again) from again
        _keep_alive(sock)
        return sock

    async def _has_moved(self, address: UpstreamAddress, infos: list[AddressInfo]) -> bool:
        """Whether the name no longer resolves to `infos`."""
        found = await self.look_up(address, TTL_SECONDS)
        return {info[4] for info in found} != {info[4] for info in infos}

    def _next_hop(
        self, address: UpstreamAddress, proxy: ForwardProxy | None
    ) -> tuple[str, int, str]:
        """Return the host and the port to connect to, and their name for messages."""
        if proxy is None:
            return address.host, address.port, str(address)
        return proxy.host, proxy.port, f"the forward proxy {proxy}"


async def _dial_unix(
    address: UpstreamAddress, make_protocol: Callable[[RequestForm], P], attempt: Attempt
) -> P:
    try:
        _, protocol = await asyncio.get_running_loop().create_unix_connection(
            lambda: make_protocol(RequestForm()), address.socket_path
        )
    except OSError as error:
        raise _not_connected(str(address), error) from error
    now = asyncio.get_running_loop().time()
    attempt.addresses.update([_socket_file(address.socket_path or "")], now)
    attempt.endpoint = attempt.addresses.turn(now)
    return protocol


def _socket_file(path: str) -> AddressInfo:
    """Return a Unix socket in the form of an address."""
    return (0, socket.SOCK_STREAM, 0, "", (path, 0))


async def _open_tunnel(sock: socket.socket, proxy: ForwardProxy, address: UpstreamAddress) -> None:
    try:
        await open_tunnel(sock, proxy, address)
    except BaseException as error:
        sock.close()
        if isinstance(error, OSError) and not isinstance(error, TimeoutError):
            raise UpstreamError(
                UpstreamFault.UNREACHABLE, f"the forward proxy {proxy} failed: {reason_of(error)}"
            ) from error
        raise


def _keep_alive(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option in ("TCP_KEEPIDLE", "TCP_KEEPINTVL"):
        if hasattr(socket, option):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), _KEEPALIVE_SECONDS)


def _not_connected(whom: str, error: Exception) -> UpstreamError:
    if _is_out_of_descriptors(error):
        detail = "the proxy has too many open files to make another connection"
        return UpstreamError(UpstreamFault.NO_DESCRIPTOR, detail)
    detail = f"cannot connect to {whom}: {reason_of(error)}"
    return UpstreamError(UpstreamFault.UNREACHABLE, detail)


def _is_out_of_descriptors(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in EXHAUSTED


def reason_of(error: BaseException) -> str:
    """Return why no connection was made, in a few words that name no address."""
    if isinstance(error, socket.gaierror):
        return (error.strerror or "no answer").lower()
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno).lower()
    # Several addresses, each with its own reason; the response must not name the addresses.
    return "no address of it accepted the connection"
