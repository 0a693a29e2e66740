"""An API over TLS that uses its own address in cookies, redirects and links.

Its certificate is for NAME, its paths start with BASE or ACCOUNTS, and it does not know of a proxy.
"""

import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import trustme
from aiohttp import web

from tests.browser.servers import serving

NAME = "api.example.com"
BASE = "/v2"
ACCOUNTS = "/id"
MANY = 30
PAGES = 3

COOKIES = (
    f"session=s-1; Domain={NAME}; Path={BASE}; Secure; HttpOnly; SameSite=None",
    f"dotted=d-1; domain=.{NAME}; path=/; secure; samesite=none",
    "own=p-1; Path=/; Secure; SameSite=None; Partitioned",
    "__Host-id=h-1; Path=/; Secure; SameSite=None",
    f"__Secure-token=t-1; Domain={NAME}; Path={BASE}; Secure",
    f"cart=c-1; Path={BASE}/cart; Max-Age=3600",
    "strict=x-1; Path=/; SameSite=Strict; Secure",
    "dated=e-1; Expires=Wed, 09 Jun 2049 10:18:14 GMT; Path=/; Secure",
    'quoted="a b, c"; Path=/; Secure',
    f"elsewhere=w-1; Path={ACCOUNTS}; Secure",
    *(f"many{number}=m-{number}; Domain={NAME}; Path=/; Secure" for number in range(MANY)),
)


class Shop(NamedTuple):
    """Where it is."""

    url: str
    ca_file: str


class _Shop:
    def __init__(self) -> None:
        self.url = ""

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path
        if path.endswith("/login"):
            return _json({"welcome": True}, [("Set-Cookie", cookie) for cookie in COOKIES])
        if path.endswith("/logout"):
            gone = f"session=; Domain={NAME}; Path={BASE}; Secure; Max-Age=0"
            return _json({}, [("Set-Cookie", gone)])
        if path == f"{BASE}/pages":
            return self._page(int(request.query["page"]))
        if path.startswith(f"{BASE}/hop/"):
            return self._hop(int(path.rpartition("/")[2]), await request.text())
        if path == f"{BASE}/orders":
            place = [("Location", f"{self.url}{BASE}/orders/7")]
            place.append(("Content-Location", f"{BASE}/orders/7?as=created"))
            return _json({"id": 7}, place, 201)
        if path == f"{BASE}/refreshing":
            return _json({}, [("Refresh", f"0; url={self.url}{BASE}/arrived")])
        seen = {"path": request.raw_path, "method": request.method, "body": await request.text()}
        return _json({**seen, "cookies": dict(request.cookies)})

    def _page(self, number: int) -> web.Response:
        def at(page: int) -> str:
            return f"{self.url}{BASE}/pages?page={page}"

        links = [f'<{BASE}/pages?page=1>; rel="first"', f'<{at(PAGES)}>; rel="last"; title="a, b"']
        if number < PAGES:
            links.append(f'<{at(number + 1)}>; rel="next"')
        links.append('<https://docs.example.net/pages>; rel="help"')
        return _json({"page": number}, [("Link", ", ".join(links))])

    def _hop(self, number: int, body: str) -> web.Response:
        """A chain of redirects: an absolute URL, a path, a relative path, another route."""
        steps = {
            1: (307, f"{self.url}{BASE}/hop/2?from=1"),
            2: (308, f"{BASE}/hop/3"),
            3: (307, "4"),
            4: (307, f"//{self.url.partition('//')[2]}{ACCOUNTS}/auth/done#top"),
        }
        status, target = steps[number]
        return _json({"body": body}, [("Location", target)], status)


def _json(data: object, fields: list[tuple[str, str]] = [], status: int = 200) -> web.Response:  # noqa: B006 - never changed
    response = web.Response(text=json.dumps(data), content_type="application/json", status=status)
    for name, value in fields:
        response.headers.add(name, value)
    return response


@asynccontextmanager
async def shop(directory: Path) -> AsyncIterator[Shop]:
    """Serve it; its authority's certificate is a file in `directory`."""
    authority = trustme.CA()
    ca_file = directory / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(NAME).configure_cert(tls)
    served = _Shop()
    async with serving(served.handle, tls) as port:
        served.url = f"https://127.0.0.1:{port}"
        yield Shop(served.url, str(ca_file))
