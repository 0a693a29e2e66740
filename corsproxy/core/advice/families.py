"""Protocols that need several headers: where one call is refused, others will be too.

A tus client first creates an upload and later continues it, with other headers, and reads
still others from the answers. Naming all of them at once takes one edit instead of four.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from corsproxy.core.cors import refused_headers
from corsproxy.core.policy import CorsRules


class Family(NamedTuple):
    """What the calls of one protocol need."""

    name: str
    request_headers: tuple[str, ...]
    response_headers: tuple[str, ...]
    """The response headers that its clients read."""


_TUS: Final = Family(
    "tus",
    (
        "tus-resumable", "upload-length", "upload-metadata", "upload-offset",
        "upload-defer-length", "upload-concat", "x-http-method-override", "content-type",
    ),
    ("location", "tus-resumable", "upload-length", "upload-metadata", "upload-offset"),
)  # fmt: skip
_S3: Final = Family(
    "S3",
    (
        "authorization", "amz-sdk-invocation-id", "amz-sdk-request", "content-md5", "content-type",
        "x-amz-checksum-algorithm", "x-amz-checksum-crc32", "x-amz-checksum-mode",
        "x-amz-checksum-type", "x-amz-content-sha256", "x-amz-date",
        "x-amz-sdk-checksum-algorithm", "x-amz-security-token", "x-amz-user-agent",
    ),
    ("etag", "x-amz-request-id", "x-amz-version-id"),
)  # fmt: skip
_CONNECT: Final = Family(
    "Connect and gRPC-Web",
    (
        "connect-protocol-version", "connect-timeout-ms", "content-type", "grpc-timeout",
        "x-grpc-web", "x-user-agent",
    ),
    ("grpc-message", "grpc-status", "grpc-status-details-bin"),
)  # fmt: skip
# Recognised by a header that no other call has.
_FAMILIES: Final[dict[str, Family]] = {
    "tus-resumable": _TUS,
    "x-amz-content-sha256": _S3,
    "x-amz-date": _S3,
    "connect-protocol-version": _CONNECT,
    "x-grpc-web": _CONNECT,
}


def is_handshake(target: bytes) -> bool:
    """Whether a request begins a session of Engine.IO, on which socket.io is built."""
    query = target.partition(b"?")[2]
    return b"EIO=" in query and b"transport=polling" in query and b"sid=" not in query


def family_of(names: Sequence[str]) -> Family | None:
    """Return the family of a call that asks for these headers, given in lower case."""
    return next((_FAMILIES[name] for name in names if name in _FAMILIES), None)


def missing_headers(family: Family, rules: CorsRules) -> list[str]:
    """Return the request headers of the family that the rules refuse."""
    names = [name.encode("ascii") for name in family.request_headers]
    return [name.decode("ascii") for name in refused_headers(rules, names)]


def needs_of(method: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return the response headers without which the client that makes this call cannot go on.

    `names` are the request headers that the call asks for, in lower case. Of other families no
    client depends on a single header.
    """
    if "tus-resumable" not in names:
        return ()
    if method == "HEAD":
        return ("upload-offset", "upload-length")  # tus 1.0.0, "HEAD"
    if "upload-length" in names or "upload-defer-length" in names:
        # "Creation", and "Creation With Upload", whose content has a type.
        return ("location", "upload-offset") if "content-type" in names else ("location",)
    return ("upload-offset",) if "upload-offset" in names else ()


def missing_exposed(names: Sequence[str], rules: CorsRules) -> list[str]:
    """Return those of the response headers that pages cannot read."""
    if rules.expose_headers.any:
        return []
    return [name for name in names if name not in rules.expose_headers.names]
