"""Short ways to build policies and requests for tests."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from corsproxy.config.without_file import Quick, quick_policy
from corsproxy.core.messages import ClientHead, Field, Framing, RequestHead, UpstreamHead
from corsproxy.core.origins import OriginSet, parse_origin_pattern
from corsproxy.core.policy import CorsRules, Listed, Policy, Route, UpstreamAddress
from corsproxy.core.source import Source

FILE = "corsproxy.yaml"
PAGE = "http://localhost:5173"


def origins(*texts: str, line: int = 3) -> OriginSet:
    """An allowlist as if written in block style from `line` on."""
    entries = [
        parse_origin_pattern(text, Source(FILE, line + index, 7))
        for index, text in enumerate(texts)
    ]
    return OriginSet(entries, Source(FILE, line, 5))


def listed(*names: str, line: int = 9) -> Listed:
    if names == ("*",):
        return Listed((), any=True, source=Source(FILE, line, 18))
    return Listed(names, source=Source(FILE, line, 18))


def rules(*allow_origins: str, **changes: Any) -> CorsRules:
    return replace(CorsRules(origins(*(allow_origins or (PAGE,)))), **changes)


def upstream(text: str = "http://api.test:9000", base: bytes = b"") -> UpstreamAddress:
    scheme, _, authority = text.partition("://")
    host, _, port = authority.partition(":")
    if scheme == "https":
        return UpstreamAddress("https", host, int(port or 443), base)
    return UpstreamAddress("http", host, int(port or 80), base)


def route(path: bytes = b"/", cors: CorsRules | None = None, **changes: Any) -> Route:
    name = path.strip(b"/").decode() or "default"
    source = Source(FILE, 1, 1)
    return replace(Route(name, path, upstream(), cors or rules(), source=source), **changes)


def policy(*routes: Route, default: CorsRules | None = None, **changes: Any) -> Policy:
    routes = routes or (route(cors=default),)
    return replace(Policy(tuple(routes), default or rules()), **changes)


def request(
    method: str = "GET",
    target: bytes = b"/",
    fields: Sequence[Field] = (),
    *,
    origin: str | bytes | None = None,
    host: bytes | None = b"localhost:8010",
    minor_version: int = 1,
    client: str = "127.0.0.1",
    secure: bool = False,
) -> RequestHead:
    lines: list[Field] = [] if host is None else [(b"Host", host)]
    if origin is not None:
        value = origin.encode() if isinstance(origin, str) else origin
        lines.append((b"Origin", value))
    return RequestHead(
        method,
        target,
        [*lines, *fields],
        minor_version=minor_version,
        client=client,
        secure=secure,
    )


def request_with(head: RequestHead, fields: Sequence[Field]) -> RequestHead:
    """Return the request with other fields."""
    return RequestHead(
        head.method,
        head.target,
        fields,
        minor_version=head.minor_version,
        client=head.client,
        secure=head.secure,
        is_http2=head.is_http2,
    )


def response_with(head: ClientHead, fields: Sequence[Field]) -> ClientHead:
    """Return the response with other fields."""
    return ClientHead(head.status, head.reason, fields, head.framing)


def preflight(
    method: bytes = b"PUT",
    headers: bytes | None = None,
    target: bytes = b"/",
    origin: str | bytes = PAGE,
) -> RequestHead:
    fields: list[Field] = [(b"Access-Control-Request-Method", method)]
    if headers is not None:
        fields.append((b"Access-Control-Request-Headers", headers))
    return request("OPTIONS", target, fields, origin=origin)


def response(
    status: int = 200,
    fields: Sequence[Field] = ((b"Content-Length", b"2"),),
    framing: Framing = Framing.LENGTH,
) -> UpstreamHead:
    return UpstreamHead(status, b"OK", fields, framing)


def said(head: UpstreamHead | None) -> tuple[object, ...] | None:
    """What a response's head says, to be compared."""
    return None if head is None else (head.status, head.reason, head.fields, head.framing)


def values(fields: Sequence[Field], name: bytes) -> list[bytes]:
    """Every value of the field `name`, in order."""
    return [value for key, value in fields if key.lower() == name.lower()]


def grants(fields: Sequence[Field]) -> list[bytes]:
    return [name for name, _ in fields if name.lower().startswith(b"access-control-")]


def policy_for_url(upstream: str, allow_origins: Sequence[str]) -> Policy:
    """The policy of `corsproxy UPSTREAM --allow-origin …`."""
    return quick_policy(Quick(upstream, tuple(allow_origins)))
