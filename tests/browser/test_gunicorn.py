"""A page on localhost and an API behind gunicorn, with nothing configured."""

import json
from collections.abc import AsyncIterator
from typing import ClassVar

import pytest
from playwright.async_api import Browser

from tests.browser.chromium import OpenTab, Tab
from tests.browser.proxy import RunningProxy, proxy
from tests.browser.scopes import fresh, shared


@shared
async def api(gunicorn_url: str) -> AsyncIterator[RunningProxy]:
    async with proxy(gunicorn_url) as running:
        yield running


@fresh
async def tab(open_tab: OpenTab, page_port: int) -> Tab:
    return await open_tab(f"http://localhost:{page_port}")


def sent(method: str, value: object) -> dict[str, object]:
    headers = {"content-type": "application/json"}
    return {"method": method, "headers": headers, "body": json.dumps(value)}


async def test_get_reads_status_body_and_every_header(tab: Tab, api: RunningProxy) -> None:
    reading = await tab.fetch(f"{api.url}/echo?a=1&a=%2F")
    assert reading.status == 200
    assert json.loads(reading.text)["args"] == {"a": ["1", "/"]}
    assert "gunicorn" in reading.headers["server"]
    assert not any(name.startswith("access-control-") for name in reading.headers)


async def test_the_api_sees_its_own_host_and_origin(
    tab: Tab, api: RunningProxy, gunicorn_url: str
) -> None:
    reading = await tab.fetch(f"{api.url}/echo", sent("POST", {}))
    seen = json.loads(reading.text)["headers"]
    assert seen["Host"] == gunicorn_url.removeprefix("http://")
    assert seen["Origin"] == gunicorn_url
    assert not [name for name in seen if name.startswith("Sec-Fetch")]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_json_arrives_with_every_method(tab: Tab, api: RunningProxy, method: str) -> None:
    reading = await tab.fetch(f"{api.url}/echo", sent(method, {"é": [1]}))
    assert reading.status == 200
    echo = json.loads(reading.text)
    assert echo["method"] == method
    assert json.loads(echo["data"]) == {"é": [1]}


async def test_an_upload_arrives_whole(tab: Tab, api: RunningProxy) -> None:
    body = "x" * 300_000
    reading = await tab.fetch(f"{api.url}/echo", {"method": "POST", "body": body})
    assert json.loads(reading.text)["data"] == body


async def test_cookies_are_set_and_sent_across_a_redirect(tab: Tab, api: RunningProxy) -> None:
    include = {"credentials": "include"}
    reading = await tab.fetch(f"{api.url}/cookies/set?flavour=oat", include)
    assert reading.url == f"{api.url}/cookies"
    assert json.loads(reading.text) == {"cookies": {"flavour": "oat"}}
    without = await tab.fetch(f"{api.url}/cookies")
    assert json.loads(without.text) == {"cookies": {}}


@pytest.mark.parametrize("status", [204, 304, 401, 404, 418, 500, 503])
async def test_every_status_can_be_read(tab: Tab, api: RunningProxy, status: int) -> None:
    reading = await tab.fetch(f"{api.url}/status/{status}")
    assert reading.status == status


async def test_a_compressed_body_is_still_what_the_browser_decodes(
    tab: Tab, api: RunningProxy
) -> None:
    reading = await tab.fetch(f"{api.url}/gzip")
    assert json.loads(reading.text)["gzipped"] is True


async def test_a_chunked_body_comes_whole(tab: Tab, api: RunningProxy) -> None:
    reading = await tab.fetch(f"{api.url}/stream/20")
    assert [json.loads(line)["id"] for line in reading.text.splitlines()] == list(range(20))


async def test_bytes_come_untouched(tab: Tab, api: RunningProxy) -> None:
    first = await tab.fetch(f"{api.url}/bytes/100000?seed=1")
    again = await tab.fetch(f"{api.url}/bytes/100000?seed=1")
    assert len(first.body) == 100_000
    assert first.body == again.body


@pytest.mark.parametrize("target", ["/echo?from=redirect", "{upstream}/echo?from=redirect"])
async def test_redirects_stay_inside_the_proxy(
    tab: Tab, api: RunningProxy, gunicorn_url: str, target: str
) -> None:
    url = target.format(upstream=gunicorn_url)
    reading = await tab.fetch(f"{api.url}/redirect-to?url={url}")
    assert reading.url == f"{api.url}/echo?from=redirect"
    assert json.loads(reading.text)["args"] == {"from": ["redirect"]}


class TestBasicAuthentication:
    PATH = "/basic-auth/ada/secret"
    READ: ClassVar = {"authenticated": True, "user": "ada"}

    async def test_a_401_can_be_read(self, tab: Tab, api: RunningProxy) -> None:
        reading = await tab.fetch(api.url + self.PATH, {"credentials": "omit"})
        assert reading.status == 401
        assert reading.headers["www-authenticate"].startswith("Basic")

    @pytest.mark.parametrize("credentials", ["omit", "include"])
    async def test_an_authorization_header_is_let_through(
        self, tab: Tab, api: RunningProxy, credentials: str
    ) -> None:
        headers = {"authorization": "Basic YWRhOnNlY3JldA=="}
        init = {"credentials": credentials, "headers": headers}
        reading = await tab.fetch(api.url + self.PATH, init)
        assert json.loads(reading.text) == self.READ

    async def test_a_password_that_the_browser_knows_is_let_through(
        self, browser: Browser, page_port: int, api: RunningProxy
    ) -> None:
        async with await browser.new_context(
            http_credentials={"username": "ada", "password": "secret", "origin": api.url}
        ) as knowing:
            tab = await Tab.open(knowing, f"http://localhost:{page_port}/")
            reading = await tab.fetch(api.url + self.PATH, {"credentials": "include"})
            assert json.loads(reading.text) == self.READ


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "app.localhost", "[::1]"])
async def test_every_page_on_this_machine_may_call(
    open_tab: OpenTab, page_port: int, api: RunningProxy, host: str
) -> None:
    page = await open_tab(f"http://{host}:{page_port}")
    reading = await page.fetch(f"{api.url}/echo")
    assert reading.status == 200
