"""Who may see the inspector: a browser with the token from the terminal.

Requests from pages on other origins, from a name rebound to this address, or from other users
of this machine are refused. The token comes once in the URL, and then lives in a cookie that
scripts cannot read. Cookies are not separated by port: any server on this host may have set
one of the same name, so one good cookie among several is enough.
"""

import hmac
import secrets
from collections.abc import Iterable

from aiohttp import web
from multidict import CIMultiDictProxy

from corsproxy.core.cookies import INSPECTOR_COOKIE

COOKIE_PREFIX = INSPECTOR_COOKIE.decode("ascii")
"""Followed by the port. The proxy removes such cookies from the requests it forwards."""

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            "connect-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""On every response of the inspector."""

_OPEN_IT = "Open the address that corsproxy printed when it started: it holds a token.\n"


def new_token() -> str:
    return secrets.token_urlsafe(24)


class Admission:
    """Decides about requests to the inspector."""

    def __init__(self, token: str, port: int) -> None:
        self.token = token
        self.cookie = f"{COOKIE_PREFIX}{port}"
        suffix = "" if port == 80 else f":{port}"
        self._hosts = frozenset(f"{name}{suffix}" for name in _LOOPBACK)

    def check_host(self, headers: CIMultiDictProxy[str]) -> None:
        """Raises web.HTTPException if Host is not a name of this machine: anyone can point a name
        at this address."""
        hosts = headers.getall("Host", [])
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            raise refusal(web.HTTPMisdirectedRequest, "The inspector is on localhost.\n")

    def is_token(self, text: str) -> bool:
        return hmac.compare_digest(text.encode("utf-8", "replace"), self.token.encode("ascii"))

    def check_read(self, headers: CIMultiDictProxy[str]) -> None:
        """Raises web.HTTPException unless the inspector's own page asks.

        A browser too old for Sec-Fetch-Site is trusted if it has the cookie: the cookie is not
        sent from other sites (SameSite=Strict), and no page can read the response.
        """
        self.check_host(headers)
        self.check_cookie(headers)
        if headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
            raise refusal(web.HTTPForbidden, "Only the inspector's own page gets this.\n")

    def check_write(self, headers: CIMultiDictProxy[str]) -> None:
        """Raises web.HTTPException unless the request states that it is from the page."""
        self.check_host(headers)
        self.check_cookie(headers)
        if headers.get("Sec-Fetch-Site") != "same-origin":
            raise refusal(web.HTTPForbidden, "Only the inspector's own page may do this.\n")
        content_type = headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if content_type != "application/json":
            raise refusal(web.HTTPUnsupportedMediaType, "Only application/json.\n")

    def check_cookie(self, headers: CIMultiDictProxy[str]) -> None:
        """Raises web.HTTPException unless one of the cookies holds the token."""
        if not any(self.is_token(value) for value in self._cookies(headers.getall("Cookie", []))):
            raise refusal(web.HTTPUnauthorized, _OPEN_IT)

    def _cookies(self, lines: Iterable[str]) -> Iterable[str]:
        """Yield the value of every cookie with the inspector's name, wherever it comes from."""
        for line in lines:
            for pair in line.split(";"):
                name, _, value = pair.strip().partition("=")
                if name == self.cookie:
                    yield value

    def set_cookie(self) -> str:
        """Return the Set-Cookie value that lets the browser in until it is closed."""
        return f"{self.cookie}={self.token}; Path=/; HttpOnly; SameSite=Strict"


def refusal(status: type[web.HTTPException], text: str) -> web.HTTPException:
    """Return a plain-text response with the headers that every response has."""
    return status(headers=HEADERS, text=text)
