"""Who may see the inspector: a browser with the token from the terminal.

What a page on another origin, a name that was rebound to this address, or another user of
this machine can send is told from that here, and gets nothing. The token comes once in the
address, and then lives in a cookie that scripts cannot read. Cookies know no ports: any
server of this host may have set one of that name, so that one good one is enough.
"""

import hmac
import secrets
from collections.abc import Iterable

from aiohttp import web
from multidict import CIMultiDictProxy

from corsproxy.core.cookies import INSPECTOR_COOKIE

COOKIE_PREFIX = INSPECTOR_COOKIE.decode("ascii")
"""Behind it comes the port. The proxy takes such cookies out of what it forwards."""

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
"""On every answer of the inspector's."""

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
        """Raises web.HTTPException where the request is for another name than this machine's
        own: anyone can make a name point to this address."""
        hosts = headers.getall("Host", [])
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            raise refusal(web.HTTPMisdirectedRequest, "The inspector is on localhost.\n")

    def is_token(self, text: str) -> bool:
        return hmac.compare_digest(text.encode("utf-8", "replace"), self.token.encode("ascii"))

    def check_read(self, headers: CIMultiDictProxy[str]) -> None:
        """Raises web.HTTPException unless this is the inspector's own page that asks.

        A browser that is too old to say who asks is believed where it has the cookie: it
        comes from no other site (SameSite=Strict), and an answer is for no page to read.
        """
        self.check_host(headers)
        self.check_cookie(headers)
        if headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
            raise refusal(web.HTTPForbidden, "Only the inspector's own page gets this.\n")

    def check_write(self, headers: CIMultiDictProxy[str]) -> None:
        """Raises web.HTTPException unless it is the page, in so many words, that asks."""
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
        """Yield the values of every cookie with the inspector's name, wherever they are from."""
        for line in lines:
            for pair in line.split(";"):
                name, _, value = pair.strip().partition("=")
                if name == self.cookie:
                    yield value

    def set_cookie(self) -> str:
        """Return the value of Set-Cookie that lets the browser in. It ends with the browser."""
        return f"{self.cookie}={self.token}; Path=/; HttpOnly; SameSite=Strict"


def refusal(status: type[web.HTTPException], text: str) -> web.HTTPException:
    """Return an answer in plain words, with the headers that every answer has."""
    return status(headers=HEADERS, text=text)
