"""The log of exchanges: which are written, and the JSON objects for programs.

The JSON names are an interface, which `deploy/OPERATING.md` describes. Members that do not apply
are left out. Every value is escaped, and credentials in queries are replaced. Of the headers,
only those are shown that say who called and what was asked.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from json.encoder import encode_basestring_ascii as quoted
from typing import Protocol

from corsproxy.core.fields import split_list
from corsproxy.core.outcome.outcome import is_lost
from corsproxy.core.policy import LogRequests
from corsproxy.core.verdicts import Kind, Verdict
from corsproxy.shell.feed.clock import timestamp
from corsproxy.shell.feed.quoting import printable, redacted
from corsproxy.shell.feed.records import ExchangeRecord, Journal

_MAX_VALUE = 512
_MAX_DETAIL = 512
_MAX_ASKED = 64
_MAX_LOCATION = 2048

# Fields that describe the request, by name; `X-Request-Id` is not a standard, but is widely used.
_REQUEST_FIELDS = {
    b"host": "host",
    b"user-agent": "user_agent",
    b"x-request-id": "request_id",
    b"access-control-request-method": "asked_method",
}

# W3C Trace Context: version, trace-id, parent-id, flags.
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}.*")


class Lines(Protocol):
    """The form of log lines."""

    def exchange(self, record: ExchangeRecord) -> str:
        """Return the line, or lines, newline included."""
        ...


class LineJournal:
    """Counts every exchange, and writes lines for those that are to be logged."""

    def __init__(
        self, write: Callable[[str], None], lines: Lines, requests: LogRequests, counts: Journal
    ) -> None:
        """`write` takes whole lines and must neither block nor raise. `counts` counts."""
        self._write = write
        self._lines = lines
        self._counts = counts
        self.requests = requests
        """Which exchanges are written; may be changed at any time."""
        self.listeners: list[Journal] = []
        """Other receivers of every record."""
        self.quiet = False
        """Whether successful exchanges are left out."""

    def exchange(self, record: ExchangeRecord) -> None:
        """Take the record of a finished exchange."""
        self._counts.exchange(record)
        if self.wants(record):
            self._write(self._lines.exchange(record))
        for listener in self.listeners:
            listener.exchange(record)

    def wants(self, record: ExchangeRecord) -> bool:
        """Whether the exchange gets a line."""
        if self.requests == "none":
            return False
        if _is_denied(record):
            return True
        return self.requests == "all" and (not self.quiet or _has_failed(record))


def _is_denied(record: ExchangeRecord) -> bool:
    """Whether the proxy refused it, or the browser keeps it from the page."""
    return not record.verdict.allowed or is_lost(record.outcome)


def _has_failed(record: ExchangeRecord) -> bool:
    """Whether the upstream, or the proxy, could not answer it."""
    return record.verdict.facts.status >= 500 or record.detail is not None


class JsonLines:
    """One JSON object per exchange."""

    def exchange(self, record: ExchangeRecord) -> str:
        verdict, request = record.verdict, record.request
        if verdict.subject:
            verdict = verdict.replace(subject="")
        client = record.client
        line = (
            f'{{"ts": "{timestamp(record.started)}", "level": "{_level(record)}",'
            f' "event": "request", "method": {quoted(request.method)},'
            f' "path": {_quoted_path(request.target)}, "status": {record.status},'
            f' "duration_ms": {record.duration_s * 1000:.3f},'
            f' "client": {quoted(client)}, {_verdict_members(verdict)}{_outcome_members(record)},'
            f' "bytes_in": {record.received}, "bytes_out": {record.sent}'
        )
        if client != record.peer:
            line += f', "peer": {quoted(record.peer)}'
        line += _request_members(record) + _upstream_members(record)
        if record.error is not None:
            line += f', "error": {quoted(record.error)}'
        if record.detail is not None:
            line += f', "detail": {quoted(record.detail[:_MAX_DETAIL])}'
        return line + "}\n"


def _outcome_members(record: ExchangeRecord) -> str:
    outcome = record.outcome
    if outcome is None:
        return ""
    members = f', "outcome": "{outcome.word}"'
    if outcome.error is not None:
        members += f', "browser_error": "{outcome.error}"'
    if outcome.location is not None:
        members += f', "location": {_quoted_path(outcome.location[:_MAX_LOCATION])}'
    return members


def _level(record: ExchangeRecord) -> str:
    """Return the level of its line: "error" for a failure of the upstream, or our own."""
    if record.status >= 500:
        return "error"
    return "warning" if not record.verdict.allowed or is_lost(record.outcome) else "info"


def _request_members(record: ExchangeRecord) -> str:
    """Return the members that say who called, and from where."""
    members = ""
    for name, key in _REQUEST_FIELDS.items():
        value = record.value(name)
        if value is not None:
            members += f', "{key}": {_quoted_value(value)}'
    origin, trace = record.origin, _trace_id(record.traceparent)
    if origin is not None:
        members += f', "origin": {_quoted_value(origin)}'
    if record.verdict.kind is Kind.PREFLIGHT:
        asked = split_list(record.values(b"access-control-request-headers"))
        names = ", ".join(_quoted_value(name) for name in asked[:_MAX_ASKED])
        members += f', "asked_headers": [{names}]'
    if trace is not None:
        members += f', "trace_id": "{trace}"'
    return members


def _upstream_members(record: ExchangeRecord) -> str:
    if record.forward is None:
        return ""
    upstream = record.forward.route.upstream
    url = upstream.origin + record.forward.request.target
    members = f', "upstream_url": {_quoted_path(url)}'
    if record.upstream_s is not None:
        members += f', "upstream_ms": {record.upstream_s * 1000:.3f}'
    return members


# Pages repeat their requests, and a policy makes few distinct verdicts without the subject, which
# the client chooses. A cache hit costs a tenth of the work.


@lru_cache(maxsize=512)
def _quoted_path(target: bytes) -> str:
    return quoted(printable(redacted(target)))


@lru_cache(maxsize=256)
def _quoted_short(value: bytes) -> str:
    return quoted(printable(value))


def _quoted_value(value: bytes) -> str:
    # Cut before caching: clients choose its length.
    return _quoted_short(value[:_MAX_VALUE])


@lru_cache(maxsize=1024)
def _verdict_members(verdict: Verdict) -> str:
    members = {
        "route": verdict.route,
        "kind": str(verdict.kind),
        "decision": "allowed" if verdict.allowed else "refused",
        "code": str(verdict.code),
        "at": None if verdict.at is None else str(verdict.at),
    }
    return ", ".join(f'"{key}": {quoted(value)}' for key, value in members.items() if value)


def _trace_id(traceparent: bytes | None) -> str | None:
    if traceparent is None:
        return None
    match = _TRACEPARENT.fullmatch(traceparent)
    return None if match is None else match[1].decode("ascii")
