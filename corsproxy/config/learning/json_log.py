"""Observations in this proxy's own log: JSON lines, as `--log-format json` writes them."""

import json

from corsproxy.config.learning.hosts import Request, host_seen
from corsproxy.config.learning.observations import Observation, observed_call, text_of
from corsproxy.core.advice.families import is_handshake
from corsproxy.core.verdicts import CALL_REFUSED, Code

# How every browser begins its User-Agent.
_BROWSERS = "Mozilla/"
_KINDS = frozenset({"preflight", "actual", "websocket"})


def read_log_line(line: str) -> dict[str, object] | None:
    """Return a line of this proxy's log as an object; None for every other line."""
    if not line.lstrip().startswith("{"):
        return None
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and isinstance(record.get("event"), str) else None


def request_in(record: dict[str, object]) -> Request | None:
    """Return what a line tells of a request; None if it is about something else."""
    if record.get("event") != "request":
        return None
    refused = record.get("code") == Code.HOST_NOT_ALLOWED
    host = host_seen(text_of(record.get("host")), text_of(record.get("ts")), refused=refused)
    return Request(host, _call_in(record))


def _call_in(record: dict[str, object]) -> Observation | None:
    kind = text_of(record.get("kind"))
    if kind not in _KINDS:
        return None
    method, headers = record.get("method"), record.get("asked_headers", [])
    if kind == "preflight":
        method = record.get("asked_method")
    # The browser's own check, and the one that only an actual answer meets.
    credentials = text_of(record.get("browser_error")).endswith("InvalidAllowCredentials")
    call = observed_call(
        record.get("origin"), record.get("path"), method, headers, credentials=credentials
    )
    if call is None:
        return None
    refused = text_of(record.get("code")) in CALL_REFUSED or credentials
    awaits = not refused and _is_first(kind, record)
    return Observation(call, refused, text_of(record.get("ts")), awaits)


def _is_first(kind: str, record: dict[str, object]) -> bool:
    """Whether a browser sends another request after this one, if it may."""
    if text_of(record.get("code")) != Code.ORIGIN_ALLOWED:
        return False
    # Other programs ask, too, and stop there.
    if not text_of(record.get("user_agent")).startswith(_BROWSERS):
        return False
    target = text_of(record.get("path")).encode("utf-8", "replace")
    return kind == "preflight" or is_handshake(target)
