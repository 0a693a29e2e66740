"""A user's way through an application: log in, be known, and never be led to another host."""

import ssl
from typing import Any, NamedTuple

from aiohttp import ClientResponse, ClientSession, CookieJar, TCPConnector

MOST_REDIRECTS = 5


class Walk(NamedTuple):
    """What came of it: statuses and paths, which are the same with and without the proxy."""

    login: list[tuple[int, str]]
    user: str | None
    slash: list[tuple[int, str]]
    forged: int
    """The status of a login that comes without the token."""


async def walk(base: str, origin: str, tls: ssl.SSLContext | None = None) -> Walk:
    """Go as a page on `origin` does, which knows the application as `base`.

    Fails where a redirect leads to another host than that of `base`, or does not end.
    """
    connector = TCPConnector(ssl=tls if tls is not None else True)
    jar = CookieJar(unsafe=True)
    async with ClientSession(connector=connector, cookie_jar=jar) as session:
        browser = _Browser(session, base, origin)
        token = await (await browser.get("/token/")).json(content_type=None)
        form = {"user": "ada", "csrfmiddlewaretoken": token["token"]}
        form["authenticity_token"] = token["token"]
        login = await browser.follow("POST", "/login/", form)
        user = await (await browser.get("/me/")).json(content_type=None)
        slash = await browser.follow("GET", "/me")
        forged = await browser.send("POST", "/login/", {"user": "eve"})
        return Walk(login, user["user"], slash, forged.status)


class _Browser:
    def __init__(self, session: ClientSession, base: str, origin: str) -> None:
        self._session, self._base, self._origin = session, base, origin

    async def send(
        self, method: str, path: str, form: dict[str, str] | None = None
    ) -> ClientResponse:
        headers = {"Origin": self._origin, "Referer": f"{self._origin}/"}
        url = f"{self._base}{path}"
        options: dict[str, Any] = {"headers": headers, "data": form, "allow_redirects": False}
        async with self._session.request(method, url, **options) as response:
            await response.read()
            return response

    async def get(self, path: str) -> ClientResponse:
        response = await self.send("GET", path)
        assert response.status == 200, (path, response.status, await response.text())
        return response

    async def follow(
        self, method: str, path: str, form: dict[str, str] | None = None
    ) -> list[tuple[int, str]]:
        """Return the statuses and paths of a call and of the redirects that it meets."""
        went = []
        for _ in range(MOST_REDIRECTS):
            response = await self.send(method, path, form)
            went.append((response.status, path))
            location = response.headers.get("Location")
            if location is None:
                return went
            if not location.startswith("/"):
                assert location.startswith(f"{self._base}/"), (self._base, location)
                location = location.removeprefix(self._base)
            method, path, form = "GET", location, None
        raise AssertionError(f"redirected for ever: {went}")
