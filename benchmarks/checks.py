"""Correctness before speed: what a peer must answer to be measured at all.

A peer that serves errors, truncated bodies or no grant can be very fast. Each job is checked over
the same path and with the same fields as its load.
"""

import hashlib
import http.client
import json
import os
import socket
from enum import StrEnum
from typing import NamedTuple

from benchmarks.peer import ORIGIN, Peer, Site

SECONDS = 30.0
UNLISTED = "https://unlisted.example"
UPLOAD_BYTES = 64 << 20
BROWSER_FIELDS = {
    "Connection": "keep-alive",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/142.0.0.0 Safari/537.36",
    "Accept": "application/json",
    "Accept-Language": "en-GB,en;q=0.9,de;q=0.8",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Referer": f"{ORIGIN}/",
    "Sec-CH-UA": '"Chromium";v="142", "Not_A Brand";v="99"',
    "Sec-CH-UA-Mobile": "?0",
    "Sec-CH-UA-Platform": '"Linux"',
    "Sec-Fetch-Dest": "empty",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Site": "cross-site",
}
"""What a browser sends with a page's request, besides Host and Origin."""
CHUNK_BYTES = 1 << 20


class DisqualifiedError(Exception):
    """The peer does not do the job; the message says what it did instead."""


class Strictness(StrEnum):
    """What a peer does with a request from an unlisted origin."""

    REFUSES = "refuses it"
    WITHHOLDS = "forwards it, without a grant"
    FIXED = "forwards it, and grants the listed origin"
    GRANTS = "grants it"


class Reply(NamedTuple):
    """A response: its grant, its length and the digest of its body."""

    status: int
    fields: dict[str, str]
    length: int
    digest: str
    start: bytes

    @property
    def granted_origin(self) -> str | None:
        return self.fields.get("access-control-allow-origin")


def ask(
    site: Site,
    path: str,
    method: str = "GET",
    origin: str = ORIGIN,
    fields: dict[str, str] | None = None,
    upload_bytes: int = 0,
) -> Reply:
    """Send one request to a peer and read the whole response.

    Raises DisqualifiedError if there is none.
    """
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=SECONDS)
    headers = {"Origin": origin, **(fields or {})}
    body = None
    if upload_bytes:
        headers["Content-Length"] = str(upload_bytes)
        headers["Content-Type"] = "application/octet-stream"
        piece = os.urandom(CHUNK_BYTES)
        body = (piece for _ in range(upload_bytes // CHUNK_BYTES))
    try:
        connection.request(method, path, body=body, headers=headers)
        response = connection.getresponse()
        digest = hashlib.sha256()
        length = 0
        start = b""
        while chunk := response.read(CHUNK_BYTES):
            start = start or chunk[:1024]
            length += len(chunk)
            digest.update(chunk)
    except (OSError, http.client.HTTPException) as error:
        raise DisqualifiedError(f"{method} {path}: {str(error) or type(error).__name__}") from error
    finally:
        connection.close()
    received = {name.lower(): value for name, value in response.getheaders()}
    return Reply(response.status, received, length, digest.hexdigest(), start)


def check_download(
    peer: Peer,
    site: Site,
    path: str,
    expected: str,
    length: int,
    fields: dict[str, str] | None = None,
) -> Reply:
    """Check that the body arrives complete and unchanged, with the grant; `expected` is its digest.

    Raises DisqualifiedError.
    """
    reply = ask(site, peer.path(site, path), fields=fields)
    _require(reply.status == 200, f"GET {path} answered {reply.status}")
    _require(reply.length == length, f"GET {path}: {reply.length} of {length} bytes")
    _require(reply.digest == expected, f"GET {path}: the body was changed")
    _require_grant(peer, reply)
    return reply


def check_varied(peer: Peer, site: Site, path: str, expected: str, length: int) -> None:
    """Check the same with a browser's fields, a query, and a field that the upstream repeats.
    Raises DisqualifiedError.
    """
    own = "5a1c83e2-91b7-4c1e-a6d0-00000000beef"
    fields = BROWSER_FIELDS | {"X-Correlation-Id": own}
    reply = check_download(peer, site, f"{path}?page=1&per_page=20", expected, length, fields)
    _require(
        reply.fields.get("x-correlation-id") == own,
        f"GET {path}: X-Correlation-Id did not reach the upstream and come back",
    )


def check_upload(peer: Peer, site: Site, path: str) -> None:
    """Check that every byte of an upload reaches the upstream. Raises DisqualifiedError."""
    reply = ask(site, peer.path(site, path), "POST", upload_bytes=UPLOAD_BYTES)
    _require(reply.status == 200, f"POST {path} answered {reply.status}")
    try:
        received = json.loads(reply.start)["received"]
    except (ValueError, KeyError, TypeError) as error:
        raise DisqualifiedError(f"POST {path} answered {reply.start[:80]!r}") from error
    _require(received == UPLOAD_BYTES, f"POST {path}: upstream got {received} bytes")
    _require_grant(peer, reply)


def check_preflight(peer: Peer, site: Site, path: str) -> None:
    """Check that a preflight gets the response that a browser needs. Raises DisqualifiedError."""
    reply = ask(
        site,
        peer.path(site, path),
        "OPTIONS",
        fields={
            "Access-Control-Request-Method": "PUT",
            "Access-Control-Request-Headers": "authorization,content-type",
        },
    )
    _require(200 <= reply.status <= 299, f"the preflight was answered with {reply.status}")
    _require_grant(peer, reply)
    methods = reply.fields.get("access-control-allow-methods", "")
    _require("PUT" in methods or methods == "*", f"the preflight allows only {methods!r}")
    names = reply.fields.get("access-control-allow-headers", "").lower()
    _require(
        names == "*" or ("authorization" in names and "content-type" in names),
        f"the preflight allows only the fields {names!r}",
    )


def check_websocket(peer: Peer, site: Site, path: str) -> None:
    """Check that a handshake reaches the upstream and comes back. Raises DisqualifiedError."""
    try:
        open_websocket(peer, site, path).close()
    except OSError as error:
        raise DisqualifiedError(f"WebSocket: {error}") from error


def open_websocket(peer: Peer, site: Site, path: str) -> socket.socket:
    """Shake hands and return the connection. Raises OSError if that fails."""
    connection = socket.create_connection(("127.0.0.1", site.port), SECONDS)
    connection.sendall(
        f"GET {peer.path(site, path)} HTTP/1.1\r\nHost: 127.0.0.1:{site.port}\r\n"
        f"Origin: {ORIGIN}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    head = b""
    while b"\r\n\r\n" not in head:
        received = connection.recv(4096)
        if not received:
            break
        head += received
    if not head.startswith(b"HTTP/1.1 101"):
        connection.close()
        status_line = head.partition(b"\r\n")[0].decode(errors="replace")
        raise OSError(f"the handshake was answered with {status_line!r}")
    return connection


def observe_strictness(peer: Peer, site: Site, path: str) -> Strictness:
    """Return what the peer does with an unlisted origin, in a request and in a preflight."""
    target = peer.path(site, path)
    actual = ask(site, target, origin=UNLISTED)
    preflight = ask(
        site, target, "OPTIONS", UNLISTED, fields={"Access-Control-Request-Method": "PUT"}
    )
    grants = {actual.granted_origin, preflight.granted_origin}
    if grants & {"*", UNLISTED}:
        return Strictness.GRANTS
    if actual.status in (401, 403):
        return Strictness.REFUSES
    return Strictness.FIXED if ORIGIN in grants else Strictness.WITHHOLDS


def _require_grant(peer: Peer, reply: Reply) -> None:
    if peer.family != "none":
        granted = reply.granted_origin
        _require(granted in (ORIGIN, "*"), f"the origin was not granted but {granted!r}")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise DisqualifiedError(message)
