"""Everything that the page shows about one row, as JSON.

Texts are plain text, never markup. Secrets are replaced by marks: see `secrets`.
"""

from collections import defaultdict, deque
from typing import Any

from corsproxy.core.messages import Fields
from corsproxy.core.policy import Policy
from corsproxy.shell.admin.inspector.decoding import as_text, decode
from corsproxy.shell.admin.inspector.exchanges import (
    AnsweredHead,
    Body,
    Exchange,
    Message,
    value_of,
)
from corsproxy.shell.admin.inspector.ring import Row
from corsproxy.shell.admin.inspector.rows import Json, protocol_of, row_as_json, url_of
from corsproxy.shell.admin.inspector.secrets import Redactor, text_of
from corsproxy.shell.admin.inspector.set_cookies import about_set_cookies
from corsproxy.shell.admin.inspector.why import why


def details(
    row: Row, redactor: Redactor, decided_by: Policy | None, policy: Policy, *, mended: bool = False
) -> Json:
    """Return the details of a row; `decided_by` and `policy` are as in `why`, `mended` as in
    `row_as_json`."""
    exchange = row.main
    target = exchange.request.target
    found: Json = {
        "row": row_as_json(row, redactor, mended=mended),
        "url": text_of(redactor.target(url_of(exchange))),
        "why": _masked(why(row, decided_by, policy), target, redactor.target(target)),
        "headers": headers_of(exchange, redactor),
        "body": _bodies(exchange, redactor),
        "timing": timing_of(exchange),
        "messages": [_message(each, redactor) for each in exchange.messages],
        "request_is_whole": exchange.request_body.is_whole,
    }
    if exchange.sent is not None:
        found["upstream_url"] = text_of(redactor.target(exchange.upstream_url))
    if row.preflight is not None and row.call is not None:
        found["preflight"] = headers_of(row.preflight, redactor)
    return found


def _masked(found: Any, target: bytes, masked: bytes) -> Any:
    """Return an explanation with `masked` in place of the target wherever it is quoted."""
    if target == masked:
        return found
    if isinstance(found, dict):
        return {name: _masked(value, target, masked) for name, value in found.items()}
    if isinstance(found, list):
        return [_masked(each, target, masked) for each in found]
    if isinstance(found, str):
        return found.replace(target.decode("latin-1"), masked.decode("latin-1"))
    return found


# Headers.


def headers_of(exchange: Exchange, redactor: Redactor) -> Json:
    """Return the heads of both directions: received, changed by the proxy, sent."""
    request = exchange.request
    browser = redactor.fields(request.fields)
    upstream = None if exchange.sent is None else redactor.fields(exchange.sent.fields)
    return {
        "request": {
            "line": " ".join(
                part
                for part in (
                    request.method,
                    text_of(redactor.target(request.target)),
                    protocol_of(exchange),
                )
                if part
            ),
            "fields": compared(browser, browser if upstream is None else upstream),
            "forwarded": upstream is not None,
        },
        "response": _response(exchange, redactor),
    }


def _response(exchange: Exchange, redactor: Redactor) -> Json:
    got, came = exchange.answered, exchange.upstream_answer
    if got is None:
        return {"line": "", "fields": [], "from_upstream": came is not None}
    fields = redactor.fields(got.fields)
    sent = fields if came is None else redactor.fields(came.fields)
    return {
        "line": _status_line(got),
        "upstream_line": None if came is None else _status_line(came),
        "fields": compared(sent, fields),
        "from_upstream": came is not None,
        "cookies": about_set_cookies(
            _set_cookies(sent) if came is not None else [], _set_cookies(fields), exchange
        ),
    }


def _set_cookies(fields: Fields) -> list[str]:
    return [text_of(value) for name, value in fields if name.lower() == b"set-cookie"]


def _status_line(head: AnsweredHead) -> str:
    return f"{head.status} {text_of(head.reason)}".rstrip()


def compared(before: Fields, after: Fields) -> list[Json]:
    """Return the field lines of both sides, paired by name, in the order received; added
    lines come last."""
    later: defaultdict[bytes, deque[bytes]] = defaultdict(deque)
    for name, value in after:
        later[name.lower()].append(value)
    pairs: list[tuple[bytes, bytes | None, bytes | None]] = []
    for name, value in before:
        waiting = later[name.lower()]
        if value in waiting:
            waiting.remove(value)
            pairs.append((name, value, value))
        else:
            pairs.append((name, value, None))
    # An unmatched line is paired with the first unmatched line of the other side.
    changed = [
        (name, old, later[name.lower()].popleft() if new is None and later[name.lower()] else new)
        for name, old, new in pairs
    ]
    added = []
    for name, value in after:
        waiting = later[name.lower()]
        if waiting and waiting[0] == value:
            waiting.popleft()
            added.append((name, None, value))
    return [_line(name, old, new) for name, old, new in [*changed, *added]]


def _line(name: bytes, before: bytes | None, after: bytes | None) -> Json:
    if before is None:
        change = "added"
    elif after is None:
        change = "removed"
    else:
        change = "kept" if before == after else "changed"
    found: Json = {"name": text_of(name), "change": change}
    if before is not None:
        found["before"] = text_of(before)
    if after is not None and after != before:
        found["after"] = text_of(after)
    return found


# Bodies.


def _bodies(exchange: Exchange, redactor: Redactor) -> Json:
    head = exchange.answered
    found: Json = {"request": body_of(exchange.request_body, exchange.request.fields, redactor)}
    if head is not None:
        found["response"] = body_of(exchange.answer_body, head.fields, redactor)
    return found


def body_of(body: Body, fields: Fields, redactor: Redactor) -> Json:
    """Return a body as text, with remarks about it."""
    content_type = text_of(value_of(fields, b"content-type") or b"")
    decoded = decode(body, fields)
    found: Json = {
        "size": body.size,
        "kept": len(body.kept),
        "let_go": body.is_let_go,
        "type": content_type,
        "coding": decoded.coding,
        "failure": decoded.failure,
        "install": decoded.install,
        "cut": decoded.is_cut,
    }
    lower = content_type.lower()
    if not decoded.failure and as_text(decoded.data, lower) is not None:
        found["text"] = as_text(redactor.body(decoded.data, lower), lower)
    return found


# Timing.


def timing_of(exchange: Exchange) -> list[Json]:
    """Return the phases of an exchange's time, in order."""
    begun, ended = exchange.clock, exchange.ended
    if exchange.sent is None:
        spans = [("Answering", begun, ended)]
    else:
        spans = [
            ("Queue", begun, exchange.connecting or exchange.sending),
            ("Connect", exchange.connecting, exchange.connected),
            ("TLS", exchange.secured and exchange.connected, exchange.secured),
            ("Waiting", exchange.sending, exchange.headed),
            ("Receiving", exchange.headed, ended),
        ]
    return [
        {
            "name": name,
            "from": round((first - begun) * 1000, 3),
            "to": round((last - begun) * 1000, 3),
        }
        for name, first, last in spans
        if first and last >= first
    ]


# Messages.


def _message(message: Message, redactor: Redactor) -> Json:
    found: Json = {
        "at": round(message.at * 1000, 1),
        "direction": str(message.direction),
        "kind": message.kind,
        "size": message.size,
        "id": message.id,
        "cut": message.size > len(message.data),
    }
    if message.kind == "close":
        found["text"] = _close_reason(message.data)
    else:
        text = as_text(redactor.body(message.data, "application/json"), "")
        if message.kind == "binary" or text is None:
            found["hex"] = message.data[:64].hex(" ")
        else:
            found["text"] = text
    return {key: value for key, value in found.items() if value not in ("", False)}


def _close_reason(data: bytes) -> str:
    """Return the status and reason of a close frame (RFC 6455, 5.5.1)."""
    if len(data) < 2:
        return "no status"
    status = int.from_bytes(data[:2], "big")
    return f"{status} {data[2:].decode('utf-8', 'replace')}".rstrip()
