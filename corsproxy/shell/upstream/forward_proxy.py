"""The forward proxy between this program and its upstreams, if the network has one.

`HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` have no standard; they are read like curl does.
Loopback upstreams are always reached directly.
"""

import asyncio
import ipaddress
import os
import socket
from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Self
from urllib.parse import unquote_to_bytes, urlsplit

from corsproxy.core.messages import Field
from corsproxy.core.policy import UpstreamAddress
from corsproxy.errors import StartError, UpstreamError, UpstreamFault

_MAX_HEAD = 16 * 1024


class ForwardProxy(NamedTuple):
    """A proxy to send requests through."""

    host: str
    port: int
    authorization: bytes = b""
    """The value of Proxy-Authorization; empty sends none."""

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields that the proxy needs in each request that it reads."""
        return ((b"Proxy-Authorization", self.authorization),) if self.authorization else ()

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class ForwardProxies:
    """Which upstream is reached through which proxy."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        """`settings` is what `urllib.request.getproxies` returns; empty for none. An unusable value
        matters only if an upstream needs it."""
        self._direct = [part.strip().lower() for part in settings.get("no", "").split(",")]
        self._proxies = {
            scheme: _read(f"{scheme.upper()}_PROXY", settings[scheme])
            for scheme in ("http", "https")
            if settings.get(scheme)
        }

    @classmethod
    def of_environment(cls, environ: Mapping[str, str]) -> Self:
        """Read the variables; those in lower case take precedence."""
        names = {"http": "http_proxy", "https": "https_proxy", "no": "no_proxy"}
        settings = {
            key: environ.get(name) or environ.get(name.upper(), "") for key, name in names.items()
        }
        return cls(settings)

    def check(self, addresses: Iterable[UpstreamAddress]) -> None:
        """Raise StartError if one of the upstreams needs a proxy that cannot be used."""
        for address in addresses:
            self.for_upstream(address)

    def for_upstream(self, address: UpstreamAddress) -> ForwardProxy | None:
        """Return the proxy for an upstream, None if it is reached directly.

        Raises StartError if it cannot be used.
        """
        proxy = self._proxies.get(address.scheme)
        if proxy is None or address.socket_path is not None or _is_loopback(address.host):
            return None
        if any(_covers(entry, address) for entry in self._direct):
            return None
        if isinstance(proxy, StartError):
            raise proxy
        return proxy


async def open_tunnel(sock: socket.socket, proxy: ForwardProxy, address: UpstreamAddress) -> None:
    """Have `proxy`, to which `sock` is connected, connect it to `address`.

    RFC 9110, 9.3.6. Raises OSError, and UpstreamError if the proxy refuses.
    """
    loop = asyncio.get_running_loop()
    host = f"[{address.host}]" if ":" in address.host else address.host
    authority = f"{host}:{address.port}".encode("ascii")
    lines = [b"CONNECT %b HTTP/1.1" % authority, b"Host: " + authority]
    lines += [b"%b: %b" % field for field in proxy.fields]
    await loop.sock_sendall(sock, b"\r\n".join((*lines, b"\r\n")))
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        received = await loop.sock_recv(sock, _MAX_HEAD)
        head += received
        if not received or len(head) > _MAX_HEAD:
            raise UpstreamError(
                UpstreamFault.UNREACHABLE, f"the forward proxy {proxy} did not answer CONNECT"
            )
    status = head[9:12] if head.startswith(b"HTTP/1.") else b""
    if status == b"407":
        raise UpstreamError(
            UpstreamFault.PROXY_AUTH, f"the forward proxy {proxy} asks for a name and a password"
        )
    if not (status.isdigit() and status.startswith(b"2")):
        answer = f"status {status.decode()}" if status.isdigit() else "something that is not HTTP"
        raise UpstreamError(
            UpstreamFault.UNREACHABLE, f"the forward proxy {proxy} answered CONNECT with {answer}"
        )


def _read(name: str, value: str) -> ForwardProxy | StartError:
    try:
        return _parse(name, value)
    except StartError as unusable:
        return unusable


def _parse(name: str, value: str) -> ForwardProxy:
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        host, port = parts.hostname, parts.port
        (host or "").encode("idna")  # as the resolver will
    except ValueError:
        raise StartError(f"{name} is not a URL such as http://proxy:3128") from None
    if parts.scheme != "http" or not host:
        raise StartError(f"{name} must be an http:// URL: other kinds of proxy are not supported")
    authorization = b""
    if parts.username is not None:
        credentials = b"%b:%b" % (
            unquote_to_bytes(os.fsencode(parts.username)),
            unquote_to_bytes(os.fsencode(parts.password or "")),
        )
        authorization = b"Basic " + b64encode(credentials)
    return ForwardProxy(host, 80 if port is None else port, authorization)


def _covers(entry: str, address: UpstreamAddress) -> bool:
    """Whether an entry of NO_PROXY matches `address`: a name with its subdomains, an address, a
    network, any of them with a port, or `*`."""
    if entry in ("*", address.host, f"{address.host}:{address.port}"):
        return True
    if "/" in entry:
        try:
            return ipaddress.ip_address(address.host) in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    name = entry.removeprefix("*").removeprefix(".").removesuffix(f":{address.port}")
    return bool(name) and f".{address.host}".endswith(f".{name}")


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
