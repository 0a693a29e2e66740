"""The rows of the table as JSON: what is shown of an exchange before it is opened."""

from corsproxy.core.advice.remedies import is_mendable
from corsproxy.core.outcome.call import Call, read_call
from corsproxy.core.outcome.outcome import Outcome
from corsproxy.core.outcome.outcome import outcome_of as outcome_of_call
from corsproxy.core.verdicts import Kind
from corsproxy.shell.admin.inspector.exchanges import Exchange
from corsproxy.shell.admin.inspector.ring import Row
from corsproxy.shell.admin.inspector.secrets import Redactor, text_of

Json = dict[str, object]


def row_as_json(row: Row, redactor: Redactor, *, mended: bool = False) -> Json:
    """Return a row; `mended` says that the policy in force would let its call through. Members
    that do not apply are left out."""
    exchange = row.main
    verdict, outcome = exchange.verdict, outcome_of(exchange)
    request = exchange.request
    found: Json = {
        "id": row.id,
        "change": row.change,
        "at": round(exchange.started * 1000),
        "method": page_method_of(row),
        "path": text_of(redactor.target(request.target)),
        "host": text_of(exchange.value(b"host") or b""),
        "origin": _origin_of(exchange),
        "status": exchange.status,
        "outcome": None if outcome is None else str(outcome.word),
        "state": "over" if exchange.is_over else "open",
        "size": exchange.answer_body.size,
        "preflight": _preflight_of(row),
        "protocol": protocol_of(exchange),
        "stream": is_stream(exchange),
        "replay": exchange.replay_of,
        "error": exchange.error,
        "mended": mended or None,
    }
    if exchange.ended:
        found["ms"] = round((exchange.ended - exchange.clock) * 1000, 2)
    if verdict is not None:
        found |= {
            "route": verdict.route,
            "code": str(verdict.code),
            "kind": str(verdict.kind),
            "allowed": verdict.allowed,
            "mendable": is_mendable(verdict) or None,
        }
    return {key: value for key, value in found.items() if value is not None}


def outcome_of(exchange: Exchange) -> Outcome | None:
    """Return what the browser lets the page do with the response. None if that is not known
    yet, if no page on another origin asked, and for a preflight that passed."""
    if exchange.is_over or exchange.client_head is None:
        return exchange.outcome
    call, head = call_of(exchange), exchange.client_head
    return None if call is None else outcome_of_call(call, head.status, head.fields)


def is_unread(exchange: Exchange) -> bool:
    """Whether the received bytes could not be read as a request."""
    return exchange.verdict is not None and exchange.verdict.kind is Kind.UNREADABLE


def protocol_of(exchange: Exchange) -> str | None:
    """Return the protocol of the request; None if it was not a request."""
    return None if is_unread(exchange) else exchange.request.protocol


def call_of(exchange: Exchange) -> Call | None:
    """Return the browser's call behind the request; None if there is none."""
    request = exchange.request
    return read_call(request, exchange.value(b"host") or b"", request.secure)


def is_stream(exchange: Exchange) -> bool:
    """Whether it is a WebSocket, another tunnel, or a stream of events."""
    if exchange.status == 101:
        return True
    content_type = exchange.answer_value(b"content-type") or b""
    return content_type.lower().startswith(b"text/event-stream")


def _preflight_of(row: Row) -> str | None:
    """Return the state of the preflight: "alone", "passed" before the call, or None."""
    if row.preflight is None:
        return None
    return "alone" if row.call is None else "passed"


def _origin_of(exchange: Exchange) -> str | None:
    origin = exchange.value(b"origin")
    return None if origin is None else text_of(origin)


def page_method_of(row: Row) -> str:
    """Return the method that the page's script asked for."""
    exchange = row.main
    if not exchange.is_preflight:
        return exchange.request.method
    asked = exchange.value(b"access-control-request-method") or b""
    return text_of(asked) or exchange.request.method


def asked_headers_of(row: Row) -> list[str]:
    """Return the names of the headers for which the page needed permission, as far as a
    preflight tells."""
    preflight = row.preflight
    if preflight is None:
        return []
    asked = preflight.value(b"access-control-request-headers") or b""
    return [name.strip() for name in asked.decode("latin-1").split(",") if name.strip()]


def url_of(exchange: Exchange) -> bytes:
    """Return the URL that the browser requested from this proxy."""
    request = exchange.request
    scheme = b"https" if request.secure else b"http"
    host = exchange.value(b"host") or b"localhost"
    return scheme + b"://" + host + request.target
