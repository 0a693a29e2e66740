"""Observations in a HAR file (HTTP Archive 1.2), as a browser's DevTools export it.

A call was refused where the answer says so (`Corsproxy-Reason`), or where the browser kept
an answer of the same proxy from the page and names its own error.
"""

import json
from collections.abc import Collection, Iterable, Iterator
from urllib.parse import urlsplit

from corsproxy.config.learning.hosts import HostSeen, Request, host_seen
from corsproxy.config.learning.observations import Observation, observed_call, text_of
from corsproxy.core.verdicts import CALL_REFUSED, Code

_REASON = "corsproxy-reason"
_ALLOWLIST = CALL_REFUSED - {Code.ORIGIN_FORWARDED}


class NotHarError(ValueError):
    """The text is no HAR file; `place` is where, as `:line:column`, if it is known."""

    def __init__(self, reason: str, place: str = "") -> None:
        super().__init__(reason)
        self.place = place


def is_har(document: object) -> bool:
    """Whether parsed JSON is a HAR file."""
    log = document.get("log") if isinstance(document, dict) else None
    return isinstance(log, dict) and isinstance(log.get("entries"), list)


def read_har(text: str, servers: Collection[str] = ()) -> list[Request]:
    """Return what is told by a HAR file of calls to this proxy: to one of `servers`
    (`http://localhost:8010`), or to where an answer names its reason. Raises NotHarError where
    the text is no HAR file."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        is_cut = error.pos >= len(text.rstrip())
        reason = "it ends too early" if is_cut else "it is not JSON from here on"
        raise NotHarError(reason, f":{error.lineno}:{error.colno}") from None
    except ValueError:  # Python reads no integer of more than 4,300 digits
        raise NotHarError("it has a number that is too long") from None
    except RecursionError:
        raise NotHarError("it is nested too deeply") from None
    if not is_har(document):
        raise NotHarError("it has no log.entries")
    entries = [_Entry(each) for each in document["log"]["entries"] if isinstance(each, dict)]
    proxies = {entry.server for entry in entries if entry.reason}.union(servers)
    return list(_requests([entry for entry in entries if entry.server in proxies]))


def _requests(entries: Iterable["_Entry"]) -> Iterator[Request]:
    """Yield what the entries tell; DevTools lists a call before its preflight."""
    unsent: dict[tuple[str, str], _Entry] = {}
    for entry in entries:
        found = entry.observation()
        if entry.is_unsent:
            unsent[entry.url, entry.method] = entry
        elif found is not None and entry.is_preflight:
            held = unsent.pop((entry.url, found.call.method), None)
            if held is not None and not found.refused:
                # The preflight passed here, and the browser held back the call.
                found = found._replace(call=found.call._replace(credentials=True), refused=True)
        yield Request(entry.host, found)


class _Entry:
    """One request and its response; whatever is missing or of another type counts as empty."""

    def __init__(self, entry: dict[str, object]) -> None:
        request, response = _mapping(entry.get("request")), _mapping(entry.get("response"))
        self.url = text_of(request.get("url")).partition("#")[0]
        try:
            url = urlsplit(self.url)
            self.server = f"{url.scheme}://{url.netloc}"
            self._path = url.path or "/"
        except ValueError:
            self.server, self._path = "", ""
        self.method = text_of(request.get("method"))
        self._asked = _headers(request.get("headers"))
        self._answered = _headers(response.get("headers"))
        self._when = text_of(entry.get("startedDateTime"))
        self._has_cookie = "cookie" in self._asked or bool(request.get("cookies"))
        self.reason = self._answered.get(_REASON, "").partition(";")[0]
        # The browser names no more than that where it keeps an answer from the page.
        self._is_kept = not self.reason and text_of(response.get("_error")) == "net::ERR_FAILED"
        self._has_answer = response.get("status") != 0

    @property
    def host(self) -> HostSeen | None:
        """The name by which the proxy was called."""
        name = self.server.partition("://")[2]
        return host_seen(name, self._when, refused=self.reason == Code.HOST_NOT_ALLOWED)

    @property
    def is_preflight(self) -> bool:
        return self.method == "OPTIONS" and "access-control-request-method" in self._asked

    @property
    def is_unsent(self) -> bool:
        """Whether the browser had to make a preflight first, and then held it back."""
        return self._is_kept and not self._has_answer and "origin" not in self._asked

    def observation(self) -> Observation | None:
        """Return what the entry tells by itself."""
        method, headers = self.method, ""
        if self.is_preflight:
            method = self._asked["access-control-request-method"]
            headers = self._asked.get("access-control-request-headers", "")
        names = [name.strip() for name in headers.split(",")]
        credentials = self._is_kept and not self.is_preflight and self._lacks_credentials
        call = observed_call(
            self._asked.get("origin"), self._path, method, names, credentials=credentials
        )
        if call is None:
            return None
        return Observation(call, self.reason in _ALLOWLIST or credentials, self._when)

    @property
    def _lacks_credentials(self) -> bool:
        """Whether the answer can have been kept for nothing else (Fetch, "CORS check")."""
        granted = self._answered.get("access-control-allow-origin")
        if granted is not None:
            return (
                granted == self._asked.get("origin")
                and self._asked.get("sec-fetch-mode") == "cors"
                and "access-control-allow-credentials" not in self._answered
            )
        return self._has_cookie and not self._has_answer


def _mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _headers(value: object) -> dict[str, str]:
    lines = [_mapping(each) for each in value] if isinstance(value, list) else []
    return {text_of(line.get("name")).lower(): text_of(line.get("value")) for line in lines}
