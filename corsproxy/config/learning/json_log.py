"""Observations in this proxy's own log: JSON lines, as `--log-format json` writes them."""

import json

from corsproxy.config.learning.observations import Observation, observed_call, text_of
from corsproxy.core.advice.families import is_handshake
from corsproxy.core.verdicts import Code

_REFUSED = frozenset(
    {
        Code.ORIGIN_NOT_ALLOWED,
        Code.ORIGIN_EXPIRED,
        Code.ORIGIN_FORWARDED,
        Code.METHOD_NOT_ALLOWED,
        Code.HEADER_NOT_ALLOWED,
        Code.CREDENTIALS_NOT_ALLOWED,
    }
)
# How every browser begins its User-Agent.
_BROWSERS = "Mozilla/"
_KINDS = frozenset({"preflight", "actual", "websocket"})


def read_log_line(line: str) -> Observation | None:
    """Return what one line tells of a page's call; None for every other line."""
    if not line.lstrip().startswith("{"):
        return None
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or record.get("event") != "request":
        return None
    kind = text_of(record.get("kind"))
    if kind not in _KINDS:
        return None
    method, headers = record.get("method"), record.get("asked_headers", [])
    if kind == "preflight":
        method = record.get("asked_method")
    # The browser's own check, and the one that only an actual answer meets.
    is_allowed = text_of(record.get("code")) == Code.ORIGIN_ALLOWED
    is_first = kind == "preflight" or is_handshake(text_of(record.get("path")).encode())
    # Other programs ask, too, and stop there.
    is_browser = text_of(record.get("user_agent")).startswith(_BROWSERS)
    credentials = text_of(record.get("browser_error")).endswith("InvalidAllowCredentials")
    call = observed_call(
        record.get("origin"), record.get("path"), method, headers, credentials=credentials
    )
    if call is None:
        return None
    refused = text_of(record.get("code")) in _REFUSED or credentials
    awaits = is_allowed and is_first and is_browser and not refused
    return Observation(call, refused, text_of(record.get("ts")), awaits)
