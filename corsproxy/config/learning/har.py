"""Observations in a HAR file (HTTP Archive 1.2), as a browser's DevTools export it.

A call was refused where the answer says so (`Corsproxy-Reason`), or where the browser kept
an answer of the same proxy from the page and names its own error.
"""

import json
from collections.abc import Iterator
from urllib.parse import urlsplit

from corsproxy.config.learning.observations import Observation, observed_call, text_of
from corsproxy.core.verdicts import Code

_REASON = "corsproxy-reason"
_ALLOWLIST = (
    Code.ORIGIN_NOT_ALLOWED,
    Code.ORIGIN_EXPIRED,
    Code.METHOD_NOT_ALLOWED,
    Code.HEADER_NOT_ALLOWED,
    Code.CREDENTIALS_NOT_ALLOWED,
)


def is_har(document: object) -> bool:
    """Whether parsed JSON is a HAR file."""
    log = document.get("log") if isinstance(document, dict) else None
    return isinstance(log, dict) and isinstance(log.get("entries"), list)


def read_har(text: str) -> list[Observation]:
    """Return the observations in a HAR file. Raises ValueError where it is none."""
    try:
        document = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not is_har(document):
        raise ValueError("it has no log.entries")
    entries = [_Entry(each) for each in document["log"]["entries"] if isinstance(each, dict)]
    proxies = {entry.server for entry in entries if entry.reason}
    return [found for entry in entries for found in entry.observations(proxies)]


class _Entry:
    """One request and its response; whatever is missing or of another type counts as empty."""

    def __init__(self, entry: dict[str, object]) -> None:
        request, response = _mapping(entry.get("request")), _mapping(entry.get("response"))
        try:
            url = urlsplit(text_of(request.get("url")))
            self.server = f"{url.scheme}://{url.netloc}"
            self._path = url.path or "/"
        except ValueError:
            self.server, self._path = "", ""
        self._method = text_of(request.get("method"))
        self._asked = _headers(request.get("headers"))
        self._error = text_of(response.get("_error"))
        self._status = response.get("status")
        self._when = text_of(entry.get("startedDateTime"))
        self._has_cookie = "cookie" in self._asked or bool(request.get("cookies"))
        self.reason = _headers(response.get("headers")).get(_REASON, "").partition(";")[0]

    @property
    def _is_preflight(self) -> bool:
        return self._method == "OPTIONS" and "access-control-request-method" in self._asked

    def observations(self, proxies: set[str]) -> Iterator[Observation]:
        """Yield what the entry tells, where it is about one of the proxies."""
        if self.server not in proxies:
            return
        refused = self.reason in _ALLOWLIST
        # The browser shows no answer where it keeps it, and names no more than that.
        kept = not self.reason and self._status == 0 and self._error == "net::ERR_FAILED"
        method, headers = self._method, ""
        if self._is_preflight:
            method = self._asked["access-control-request-method"]
            headers = self._asked.get("access-control-request-headers", "")
        names = [name.strip() for name in headers.split(",")]
        call = observed_call(
            self._asked.get("origin"),
            self._path,
            method,
            names,
            credentials=kept and self._has_cookie and not self._is_preflight,
        )
        if call is not None:
            yield Observation(call, refused or call.credentials, self._when)


def _mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _headers(value: object) -> dict[str, str]:
    lines = [_mapping(each) for each in value] if isinstance(value, list) else []
    return {text_of(line.get("name")).lower(): text_of(line.get("value")) for line in lines}
