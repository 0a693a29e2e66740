"""Dialling an upstream: names, several addresses, Unix sockets, TLS, a forward proxy.

Every way to fail comes out as one UpstreamError with a sentence that a person can act on
and that names nothing which the allowlist file does not.
"""

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from typing import TypeVar, cast

from aiohappyeyeballs import start_connection

from corsproxy.core.policy import Tls, UpstreamAddress
from corsproxy.errors import StartError, UpstreamError, UpstreamFault
from corsproxy.http1.request_form import RequestForm
from corsproxy.shell.system.descriptors import EXHAUSTED
from corsproxy.shell.upstream.forward_proxy import ForwardProxies, ForwardProxy, open_tunnel
from corsproxy.shell.upstream.handshake import handshake_error, handshake_timeout
from corsproxy.shell.upstream.rescue import TlsRescue
from corsproxy.shell.upstream.resolver import Resolver
from corsproxy.shell.upstream.upstream_tls import TlsContexts

# RFC 8305, 8: how long the next address waits for the one before it.
_ATTEMPT_DELAY_SECONDS = 0.25
# A peer that has vanished without a word is noticed after about this long, even in a
# tunnel, which has no bound of its own.
_KEEPALIVE_SECONDS = 30

P = TypeVar("P", bound=asyncio.BaseProtocol)


class DialMarks:
    """When a connection had come how far, by the loop's clock; 0 where it has not."""

    __slots__ = ("connected",)

    def __init__(self) -> None:
        self.connected = 0.0


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
    ) -> P:
        """Connect and return the protocol, connected; TLS is part of `timeout` seconds.

        Raises UpstreamError: DNS, UNREACHABLE, NO_DESCRIPTOR, TLS, CONNECT_TIMEOUT, PROXY_AUTH.
        """
        marks = DialMarks()
        try:
            async with asyncio.timeout(timeout):
                if address.socket_path is not None:
                    return await _dial_unix(address, make_protocol)
                return await self._dial_tcp(address, tls, make_protocol, marks)
        except TimeoutError:
            if timeout is not None and marks.connected:
                raise handshake_timeout(address, timeout) from None
            within = "" if timeout is None else f" within {timeout:g} s (timeout.connect)"
            raise UpstreamError(
                UpstreamFault.CONNECT_TIMEOUT, f"{address} could not be connected to{within}"
            ) from None

    async def _dial_tcp(
        self,
        address: UpstreamAddress,
        tls: Tls,
        make_protocol: Callable[[RequestForm], P],
        marks: DialMarks,
    ) -> P:
        proxy = self._forward_proxy(address)
        if address.scheme == "https":
            context = await self._tls_context(address, tls)
            sock = await self._connect(address, proxy)
            if proxy is not None:
                await _open_tunnel(sock, proxy, address)
            marks.connected = asyncio.get_running_loop().time()
            server_name = tls.server_name or address.host.rstrip(".")
            return await _secure(
                sock, context, server_name, address, lambda: make_protocol(RequestForm())
            )
        form = RequestForm()
        if proxy is not None:
            form = RequestForm(b"http://" + address.authority, proxy.fields)
        sock = await self._connect(address, proxy)
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
        context = self._tls_contexts.current(tls)
        if context is not None:
            return context
        try:
            return await asyncio.to_thread(self._tls_contexts.make, tls)
        except StartError as error:
            raise UpstreamError(UpstreamFault.TLS, f"{address}: {error}") from error

    async def _connect(self, address: UpstreamAddress, proxy: ForwardProxy | None) -> socket.socket:
        host, port = (address.host, address.port) if proxy is None else (proxy.host, proxy.port)
        whom = str(address) if proxy is None else f"the forward proxy {proxy}"
        try:
            addresses = await self._resolver.resolve(host, port)
        except socket.gaierror as error:
            raise UpstreamError(
                UpstreamFault.DNS, f"the name {host} of {whom} was not found: {_reason(error)}"
            ) from error
        try:
            sock = await start_connection(addresses, happy_eyeballs_delay=_ATTEMPT_DELAY_SECONDS)
        except BaseException as error:
            if not _is_out_of_descriptors(error):
                # Perhaps the upstream has moved.
                self._resolver.forget(host, port)
            # uvloop raises RuntimeError for some of what asyncio calls OSError.
            if isinstance(error, TimeoutError) or not isinstance(error, (OSError, RuntimeError)):
                raise
            raise _not_connected(whom, error) from error
        _keep_alive(sock)
        return sock


async def _secure(
    sock: socket.socket,
    context: ssl.SSLContext,
    server_name: str,
    address: UpstreamAddress,
    make_protocol: Callable[[], P],
) -> P:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_connection(make_protocol, sock=sock)
    try:
        secured = await loop.start_tls(transport, protocol, context, server_hostname=server_name)
        if secured is None:
            raise ConnectionResetError
    except BaseException as error:
        transport.abort()
        if isinstance(error, OSError) and not isinstance(error, TimeoutError):
            raise handshake_error(address, error) from error
        raise
    # start_tls leaves it to its caller to tell the protocol of its new transport.
    protocol.connection_made(secured)
    TlsRescue(transport, cast(asyncio.BufferedProtocol, transport.get_protocol()))
    return protocol


async def _dial_unix(address: UpstreamAddress, make_protocol: Callable[[RequestForm], P]) -> P:
    try:
        _, protocol = await asyncio.get_running_loop().create_unix_connection(
            lambda: make_protocol(RequestForm()), address.socket_path
        )
    except OSError as error:
        raise _not_connected(str(address), error) from error
    return protocol


async def _open_tunnel(sock: socket.socket, proxy: ForwardProxy, address: UpstreamAddress) -> None:
    try:
        await open_tunnel(sock, proxy, address)
    except BaseException as error:
        sock.close()
        if isinstance(error, OSError) and not isinstance(error, TimeoutError):
            raise UpstreamError(
                UpstreamFault.UNREACHABLE, f"the forward proxy {proxy} failed: {_reason(error)}"
            ) from error
        raise


def _keep_alive(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option in ("TCP_KEEPIDLE", "TCP_KEEPINTVL"):
        if hasattr(socket, option):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), _KEEPALIVE_SECONDS)


def _not_connected(whom: str, error: Exception) -> UpstreamError:
    if _is_out_of_descriptors(error):
        detail = "the proxy has too many open files to connect to anybody"
        return UpstreamError(UpstreamFault.NO_DESCRIPTOR, detail)
    detail = f"{whom} could not be connected to: {_reason(error)}"
    return UpstreamError(UpstreamFault.UNREACHABLE, detail)


def _is_out_of_descriptors(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in EXHAUSTED


def _reason(error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return (error.strerror or "no answer").lower()
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno).lower()
    # Several addresses, each with its own reason; the addresses are not for the answer.
    return "no address of it accepted the connection"
