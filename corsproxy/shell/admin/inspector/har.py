"""Exchanges as HAR 1.2, the archive format of DevTools.

It describes one hop, the browser's: what the browser sent to this proxy and what it got. A
preflight is its own entry. The proxy's own findings are under `_corsproxy`.
"""

import base64
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from corsproxy import __version__
from corsproxy.core.messages import Fields
from corsproxy.shell.admin.inspector.decoding import as_text, decode
from corsproxy.shell.admin.inspector.exchanges import Body, Direction, Exchange, value_of
from corsproxy.shell.admin.inspector.rows import outcome_of, url_of
from corsproxy.shell.admin.inspector.secrets import Redactor, text_of

Har = dict[str, object]

_OPCODES = {"text": 1, "binary": 2, "close": 8, "ping": 9, "pong": 10}


def har(exchanges: Iterable[Exchange], redactor: Redactor) -> Har:
    """Return the archive of `exchanges`; `redactor` replaces their secrets."""
    return {
        "log": {
            "version": "1.2",
            "creator": {"name": "corsproxy", "version": __version__},
            "pages": [],
            "entries": [_entry(exchange, redactor) for exchange in exchanges],
        }
    }


def _entry(exchange: Exchange, redactor: Redactor) -> Har:
    wait, receive = _timings(exchange)
    entry: Har = {
        "startedDateTime": _iso(exchange.started),
        "time": wait + receive,
        "request": _request(exchange, redactor),
        "response": _response(exchange, redactor),
        "cache": {},
        "timings": {
            "blocked": -1,
            "dns": -1,
            "connect": -1,
            "ssl": -1,
            "send": 0,
            "wait": wait,
            "receive": receive,
        },
        "_resourceType": _resource_type(exchange),
        "_corsproxy": _remarks(exchange, redactor),
    }
    if exchange.messages and exchange.status == 101:
        entry["_webSocketMessages"] = _messages(exchange, redactor)
    return entry


def _request(exchange: Exchange, redactor: Redactor) -> Har:
    request = exchange.request
    url = text_of(redactor.target(url_of(exchange)))
    found: Har = {
        "method": request.method,
        "url": url,
        "httpVersion": request.protocol,
        "cookies": _cookies(redactor.fields(request.fields), b"cookie"),
        "headers": _headers(redactor.fields(request.fields)),
        "queryString": _pairs(url.partition("?")[2]),
        "headersSize": -1,
        "bodySize": exchange.request_body.size,
    }
    if exchange.request_body.size:
        mime_type = text_of(value_of(request.fields, b"content-type") or b"")
        text, encoding = _content(exchange.request_body, request.fields, redactor)
        posted: Har = {"mimeType": mime_type, "params": [], "text": text}
        if encoding:
            posted["_encoding"] = encoding
        found["postData"] = posted
    return found


def _response(exchange: Exchange, redactor: Redactor) -> Har:
    head = exchange.answered
    if head is None:
        return _no_response(exchange)
    fields = redactor.fields(head.fields)
    content: Har = {
        "size": exchange.answer_body.size,
        "mimeType": text_of(value_of(head.fields, b"content-type") or b"") or "x-unknown",
    }
    if exchange.answer_body.size:
        text, encoding = _content(exchange.answer_body, head.fields, redactor)
        content["text"] = text
        if encoding:
            content["encoding"] = encoding
        if not exchange.answer_body.is_whole:
            content["comment"] = "truncated: the inspector keeps only the beginning of each body"
    return {
        "status": head.status,
        "statusText": text_of(head.reason),
        "httpVersion": "HTTP/2" if exchange.request.is_http2 else "HTTP/1.1",
        "cookies": _cookies(fields, b"set-cookie"),
        "headers": _headers(fields),
        "content": content,
        "redirectURL": text_of(value_of(fields, b"location") or b""),
        "headersSize": -1,
        "bodySize": exchange.answer_body.size,
    }


def _no_response(exchange: Exchange) -> Har:
    return {
        "status": 0,
        "statusText": "",
        "httpVersion": "",
        "cookies": [],
        "headers": [],
        "content": {"size": 0, "mimeType": "x-unknown"},
        "redirectURL": "",
        "headersSize": -1,
        "bodySize": -1,
        "_error": exchange.error or "not answered yet",
    }


def _content(body: Body, fields: Fields, redactor: Redactor) -> tuple[str, str]:
    """Return the text, and its encoding: "base64" or ""."""
    decoded = decode(body, fields)
    content_type = text_of(value_of(fields, b"content-type") or b"").lower()
    if not decoded.failure and as_text(decoded.data, content_type) is not None:
        hidden = redactor.body(decoded.data, content_type)
        return as_text(hidden, content_type) or "", ""
    return base64.b64encode(decoded.data).decode("ascii"), "base64"


def _headers(fields: Fields) -> list[Har]:
    return [{"name": text_of(name), "value": text_of(value)} for name, value in fields]


def _pairs(query: str) -> list[Har]:
    if not query:
        return []
    found = parse_qsl(query, keep_blank_values=True)
    return [{"name": name, "value": value} for name, value in found]


def _cookies(fields: Fields, name: bytes) -> list[Har]:
    found: list[Har] = []
    for key, value in fields:
        if key.lower() != name:
            continue
        pairs = value.split(b";")
        for pair in pairs[:1] if name == b"set-cookie" else pairs:
            cookie, _, content = pair.strip().partition(b"=")
            found.append({"name": text_of(cookie), "value": text_of(content)})
    return found


def _timings(exchange: Exchange) -> tuple[float, float]:
    """Return the milliseconds that the browser waited, and received."""
    begun, answered, ended = exchange.clock, exchange.answered_at, exchange.ended
    if not answered:
        return _ms(ended - begun) if ended else 0.0, 0.0
    return _ms(answered - begun), _ms(max((ended or answered) - answered, 0.0))


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _resource_type(exchange: Exchange) -> str:
    if exchange.is_preflight:
        return "preflight"
    if exchange.status == 101:
        return "websocket"
    content_type = exchange.answer_value(b"content-type") or b""
    return "eventsource" if content_type.startswith(b"text/event-stream") else "fetch"


def _remarks(exchange: Exchange, redactor: Redactor) -> Har:
    verdict = exchange.verdict
    outcome = outcome_of(exchange)
    remarks: Har = {
        "outcome": None if outcome is None else str(outcome.word),
        "error": exchange.error,
    }
    if verdict is not None:
        remarks |= {
            "code": str(verdict.code),
            "kind": str(verdict.kind),
            "allowed": verdict.allowed,
            "route": verdict.route,
            "at": None if verdict.at is None else str(verdict.at),
            "browserError": verdict.browser_error,
        }
    if exchange.sent is not None:
        remarks["upstreamUrl"] = text_of(redactor.target(exchange.upstream_url))
    if exchange.is_preflight:
        remarks["preflightFor"] = text_of(exchange.value(b"access-control-request-method") or b"")
    return {key: value for key, value in remarks.items() if value is not None}


def _messages(exchange: Exchange, redactor: Redactor) -> Sequence[Har]:
    found: list[Har] = []
    for message in exchange.messages:
        is_text = message.kind == "text"
        data = redactor.body(message.data, "application/json") if is_text else message.data
        found.append(
            {
                "type": "send" if message.direction is Direction.TO_UPSTREAM else "receive",
                "time": message.at,
                "opcode": _OPCODES.get(message.kind, 1),
                "data": data.decode("utf-8", "replace")
                if is_text
                else base64.b64encode(data).decode("ascii"),
            }
        )
    return found
