"""Express with cookie sessions, and a server action of Next.js in its production build."""

import re

from aiohttp import ClientSession, CookieJar, FormData

from tests.browser.proxy import proxy
from tests.frameworks import servers
from tests.frameworks.test_python import known
from tests.frameworks.walk import walk
from tests.policies import PAGE


async def test_express_logs_in_as_without_the_proxy() -> None:
    async with servers.express() as url, proxy(url) as running:
        through = await walk(running.url, PAGE)
        assert through == await walk(url, url)
        assert known(through), through


async def act(base: str, origin: str) -> tuple[int, str, str]:
    """Submit the page's form, which calls a server action: status, Location, the page after it."""
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as session:
        page = await (await session.get(base)).text()
        action = re.search(r'name="(\$ACTION_ID_[^"]+)"', page)
        assert action is not None, page
        form = FormData()
        form.add_field(action[1], "", content_type="")
        url, headers = f"{base}/", {"Origin": origin}
        async with session.post(
            url, data=form(), headers=headers, allow_redirects=False
        ) as response:
            location = response.headers.get("Location", "").removeprefix(base)
            status = response.status
        me = await (await session.get(f"{base}/me")).text()
        return status, location, re.sub(r"<[^>]*>", "", me).partition("session: ")[2][:3]


async def test_a_server_action_of_next_works() -> None:
    async with servers.next_js() as url, proxy(url) as running:
        # The page itself is opened through the proxy, too.
        for origin in (running.url, PAGE):
            assert await act(running.url, origin) == await act(url, url)
        assert await act(running.url, running.url) == (303, "/me", "s-1")
