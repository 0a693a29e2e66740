"""Cookies, redirects and links of an https API work on http://localhost, and stay there."""

import json
from collections.abc import AsyncIterator, Mapping

import pytest

from tests.browser.chromium import OpenTab, Tab
from tests.browser.proxy import RunningProxy, proxy_with_file
from tests.browser.scopes import fresh, shared
from tests.browser.shop import ACCOUNTS, BASE, MANY, NAME, PAGES, Shop, shop

INCLUDE = {"credentials": "include"}
EVERYWHERE = {"dotted", "own", "__Host-id", "strict", "dated", "quoted", "elsewhere"} | {
    f"many{number}" for number in range(MANY)
}


@shared
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningProxy]:
    directory = tmp_path_factory.mktemp("shop")
    async with shop(directory) as behind, proxy_with_file(directory, rules(behind)) as running:
        yield running


def rules(behind: Shop) -> Mapping[str, object]:
    """The file for the shop, whose routes are all different."""
    tls = {"ca_file": behind.ca_file, "server_name": NAME}
    routes = [
        {"path": "/shop", "upstream": behind.url + BASE, "strip_path": True, "tls": tls},
        {"path": "/auth", "upstream": behind.url + ACCOUNTS, "tls": tls},
        {"path": BASE, "upstream": behind.url, "tls": tls},
        {
            "path": "/kept",
            "upstream": behind.url + BASE,
            "strip_path": True,
            "tls": tls,
            "cookies": "keep",
        },
    ]
    cors = {
        "allow_origins": ["http://localhost:*", "https://localhost:*"],
        "allow_credentials": True,
        "expose_headers": "*",
    }
    return {"cors": cors, "routes": routes}


@fresh
async def tab(open_tab: OpenTab, page_port: int) -> Tab:
    return await open_tab(f"http://localhost:{page_port}")


async def cookies_at(tab: Tab, url: str) -> Mapping[str, str]:
    """The cookies that the upstream gets for a call to `url`."""
    reading = await tab.fetch(url, INCLUDE)
    found: dict[str, str] = json.loads(reading.text)["cookies"]
    return found


async def log_in(tab: Tab, url: str) -> None:
    assert (await tab.fetch(f"{url}/login", {"method": "POST", **INCLUDE})).ok


async def test_a_login_over_https_lasts_on_http_localhost(tab: Tab, api: RunningProxy) -> None:
    """Forty cookies of one answer, each with what a browser would drop it for here."""
    await log_in(tab, f"{api.url}/shop")
    found = await cookies_at(tab, f"{api.url}/shop/me")
    assert found.keys() == EVERYWHERE | {"session", "__Secure-token"}
    assert found["session"] == "s-1"
    assert found["__Host-id"] == "h-1"
    assert found["quoted"].strip('"') == "a b, c"
    assert [found[f"many{number}"] for number in range(MANY)] == [f"m-{n}" for n in range(MANY)]


async def test_a_cookie_goes_where_its_path_leads(tab: Tab, api: RunningProxy) -> None:
    """Under the route's own prefix, or everywhere where this route has nothing of it."""
    await log_in(tab, f"{api.url}/shop")
    assert "cart" in await cookies_at(tab, f"{api.url}/shop/cart/items")
    assert "cart" not in await cookies_at(tab, f"{api.url}/shop/carts")
    elsewhere = await cookies_at(tab, f"{api.url}/auth/me")
    assert elsewhere.keys() >= EVERYWHERE
    assert not elsewhere.keys() & {"session", "cart", "__Secure-token"}


async def test_a_route_that_strips_nothing_keeps_the_paths(tab: Tab, api: RunningProxy) -> None:
    await log_in(tab, f"{api.url}{BASE}")
    assert "session" in await cookies_at(tab, f"{api.url}{BASE}/me")
    assert "session" not in await cookies_at(tab, f"{api.url}/shop/me")


async def test_a_script_sees_no_cookie_that_is_for_http_only(tab: Tab, api: RunningProxy) -> None:
    """The page and the proxy are one host to cookies, whatever the port."""
    await log_in(tab, f"{api.url}{BASE}")
    seen = await tab.page.evaluate("document.cookie")
    assert "dotted=d-1" in seen
    assert "session" not in seen


async def test_a_logout_ends_the_session(tab: Tab, api: RunningProxy) -> None:
    await log_in(tab, f"{api.url}/shop")
    assert (await tab.fetch(f"{api.url}/shop/logout", {"method": "POST", **INCLUDE})).ok
    assert "session" not in await cookies_at(tab, f"{api.url}/shop/me")


async def test_an_unadapted_cookie_is_not_kept_by_the_browser(tab: Tab, api: RunningProxy) -> None:
    """`cookies: keep` passes on what makes a browser drop a cookie here."""
    await log_in(tab, f"{api.url}/kept")
    assert not (await cookies_at(tab, f"{api.url}/kept/me")).keys() & {"session", "dotted"}


_FOLLOW_NEXT = """async (first) => {
  const visited = [];
  for (let next = first; next && visited.length < 10; ) {
    const response = await fetch(next);
    visited.push([response.url, (await response.json()).page]);
    const found = /<([^>]*)>; rel="next"/.exec(response.headers.get("link"));
    next = found && new URL(found[1], response.url).href;
  }
  return visited;
}"""


@pytest.mark.parametrize("prefix", ["/shop", BASE])
async def test_pages_are_followed_to_the_last(tab: Tab, api: RunningProxy, prefix: str) -> None:
    visited = await tab.page.evaluate(_FOLLOW_NEXT, f"{api.url}{prefix}/pages?page=1")
    assert visited == [
        [f"{api.url}{prefix}/pages?page={number}", number] for number in range(1, PAGES + 1)
    ]


async def test_links_to_the_upstream_are_mapped_and_others_are_not(
    tab: Tab, api: RunningProxy
) -> None:
    reading = await tab.fetch(f"{api.url}/shop/pages?page=1")
    assert reading.headers["link"] == (
        '</shop/pages?page=1>; rel="first", '
        f'<{api.url}/shop/pages?page={PAGES}>; rel="last"; title="a, b", '
        f'<{api.url}/shop/pages?page=2>; rel="next", '
        '<https://docs.example.net/pages>; rel="help"'
    )


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
async def test_a_chain_of_redirects_stays_inside(tab: Tab, api: RunningProxy, method: str) -> None:
    """Absolute, path-absolute, relative and scheme-relative, from one route into another."""
    body = {} if method == "GET" else {"body": "kept", "headers": {"content-type": "text/x"}}
    init = {"method": method, **INCLUDE, **body}
    reading = await tab.fetch(f"{api.url}/shop/hop/1", init)
    assert reading.url.partition("#")[0] == f"{api.url}/auth/done"
    seen = json.loads(reading.text)
    assert seen["path"] == f"{ACCOUNTS}/auth/done"
    assert (seen["method"], seen["body"]) == (method, body.get("body", ""))


async def test_the_location_of_a_201_leads_to_the_proxy(tab: Tab, api: RunningProxy) -> None:
    reading = await tab.fetch(f"{api.url}/shop/orders", {"method": "POST"})
    assert reading.status == 201
    assert reading.headers["location"] == f"{api.url}/shop/orders/7"
    assert reading.headers["content-location"] == "/shop/orders/7?as=created"
    order = await tab.fetch(reading.headers["location"])
    assert json.loads(order.text)["path"] == f"{BASE}/orders/7"


async def test_a_refresh_leads_to_the_proxy(tab: Tab, api: RunningProxy) -> None:
    await tab.page.goto(f"{api.url}/shop/refreshing", wait_until="commit")
    await tab.page.wait_for_url(f"{api.url}/shop/arrived")
