"""A page on localhost and httpbin behind gunicorn, with nothing configured."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import ClassVar

import pytest
from aiohttp import ClientSession
from playwright.async_api import Browser

from tests.browser.chromium import OpenTab, Tab
from tests.browser.proxy import RunningProxy, proxy, proxy_with_file
from tests.browser.scopes import fresh, shared

WITH_AND_WITHOUT = pytest.mark.parametrize("credentials", ["omit", "include"])


@shared
async def api(httpbin_url: str) -> AsyncIterator[RunningProxy]:
    async with proxy(httpbin_url) as running:
        yield running


@fresh
async def tab(open_tab: OpenTab, page_port: int) -> Tab:
    return await open_tab(f"http://localhost:{page_port}")


def sent(method: str, value: object) -> dict[str, object]:
    headers = {"content-type": "application/json"}
    return {"method": method, "headers": headers, "body": json.dumps(value)}


@WITH_AND_WITHOUT
async def test_get_reads_status_body_and_every_header(
    tab: Tab, api: RunningProxy, credentials: str
) -> None:
    reading = await tab.fetch(f"{api.url}/get?a=1&a=%2F", {"credentials": credentials})
    assert reading.status == 200
    assert json.loads(reading.text)["args"] == {"a": ["1", "/"]}
    assert "gunicorn" in reading.headers["server"]
    assert not any(name.startswith("access-control-") for name in reading.headers)


@WITH_AND_WITHOUT
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_json_arrives_with_every_method(
    tab: Tab, api: RunningProxy, method: str, credentials: str
) -> None:
    init = {**sent(method, {"é": [1]}), "credentials": credentials}
    reading = await tab.fetch(f"{api.url}/{method.lower()}", init)
    assert reading.status == 200
    assert json.loads(reading.text)["json"] == {"é": [1]}


async def test_the_api_sees_its_own_host_and_origin(
    tab: Tab, api: RunningProxy, httpbin_url: str
) -> None:
    reading = await tab.fetch(f"{api.url}/post", sent("POST", {}))
    seen = json.loads(reading.text)["headers"]
    assert seen["Host"] == httpbin_url.removeprefix("http://")
    assert seen["Origin"] == httpbin_url
    assert not [name for name in seen if name.startswith("Sec-Fetch")]


async def test_an_upload_arrives_whole(tab: Tab, api: RunningProxy) -> None:
    body = "x" * 300_000
    reading = await tab.fetch(f"{api.url}/post", {"method": "POST", "body": body})
    assert json.loads(reading.text)["data"] == body


async def test_cookies_are_set_sent_and_deleted_across_redirects(
    tab: Tab, api: RunningProxy
) -> None:
    include = {"credentials": "include"}
    for path, cookies in (
        ("/cookies/set?flavour=oat&size=2", {"flavour": "oat", "size": "2"}),
        ("/cookies", {"flavour": "oat", "size": "2"}),
        ("/cookies/delete?size", {"flavour": "oat"}),
    ):
        reading = await tab.fetch(f"{api.url}{path}", include)
        assert reading.url == f"{api.url}/cookies"
        assert json.loads(reading.text) == {"cookies": cookies}


async def test_without_credentials_no_cookie_is_kept_or_sent(tab: Tab, api: RunningProxy) -> None:
    omit, include = {"credentials": "omit"}, {"credentials": "include"}
    for path, init in (
        ("/cookies/set?flavour=oat", omit),
        ("/cookies", include),  # nothing was kept
        ("/cookies", omit),
    ):
        reading = await tab.fetch(f"{api.url}{path}", init)
        assert json.loads(reading.text) == {"cookies": {}}
    await tab.fetch(f"{api.url}/cookies/set?flavour=oat", include)
    reading = await tab.fetch(f"{api.url}/cookies", omit)
    assert json.loads(reading.text) == {"cookies": {}}


@WITH_AND_WITHOUT
@pytest.mark.parametrize("status", [204, 304, 404, 418, 500, 503])
async def test_every_status_can_be_read(
    tab: Tab, api: RunningProxy, status: int, credentials: str
) -> None:
    reading = await tab.fetch(f"{api.url}/status/{status}", {"credentials": credentials})
    assert reading.status == status


@WITH_AND_WITHOUT
@pytest.mark.parametrize(
    ("path", "key", "coding"),
    [("gzip", "gzipped", "gzip"), ("deflate", "deflated", "deflate"), ("brotli", "brotli", "br")],
)
async def test_a_compressed_body_is_still_what_the_browser_decodes(
    tab: Tab, api: RunningProxy, path: str, key: str, coding: str, credentials: str
) -> None:
    reading = await tab.fetch(f"{api.url}/{path}", {"credentials": credentials})
    assert json.loads(reading.text)[key] is True
    assert reading.headers["content-encoding"] == coding


@WITH_AND_WITHOUT
async def test_a_chunked_body_comes_whole(tab: Tab, api: RunningProxy, credentials: str) -> None:
    reading = await tab.fetch(f"{api.url}/stream/20", {"credentials": credentials})
    assert [json.loads(line)["id"] for line in reading.text.splitlines()] == list(range(20))


@WITH_AND_WITHOUT
async def test_bytes_come_untouched(
    tab: Tab, api: RunningProxy, httpbin_url: str, credentials: str
) -> None:
    path = "/bytes/100000?seed=1"
    async with ClientSession() as client, client.get(httpbin_url + path) as response:
        expected = await response.read()
    reading = await tab.fetch(api.url + path, {"credentials": credentials})
    assert len(expected) == 100_000
    assert reading.body == expected


@WITH_AND_WITHOUT
@pytest.mark.parametrize("target", ["/get?from=redirect", "{upstream}/get?from=redirect"])
async def test_redirects_stay_inside_the_proxy(
    tab: Tab, api: RunningProxy, httpbin_url: str, target: str, credentials: str
) -> None:
    url = target.format(upstream=httpbin_url)
    init = {"credentials": credentials}
    reading = await tab.fetch(f"{api.url}/redirect-to?url={url}", init)
    assert reading.url == f"{api.url}/get?from=redirect"
    assert json.loads(reading.text)["args"] == {"from": "redirect"}


async def test_a_redirect_that_keeps_the_method_keeps_the_body(tab: Tab, api: RunningProxy) -> None:
    """The browser repeats the request, preflighted as the first one was."""
    reading = await tab.fetch(
        f"{api.url}/redirect-to?url=/put&status_code=307", sent("PUT", {"kept": True})
    )
    assert reading.url == f"{api.url}/put"
    assert json.loads(reading.text)["json"] == {"kept": True}


class TestBasicAuthentication:
    """What becomes of a 401 that asks for a password depends on the browser, too.

    Without credentials the script reads it at once. With `credentials: "include"` Chromium
    shows its "Sign in" dialog over the page if the page and the proxy are one site, as on
    localhost; `fetch` waits. Cancel lets the script read the 401; a password is sent with
    a second request, and the script reads what that one got. Calls to another site bring
    up no dialog: the script reads the 401 at once.
    """

    PATH = "/basic-auth/ada/secret"
    READ: ClassVar = {"authenticated": True, "user": "ada"}
    INCLUDE: ClassVar = {"credentials": "include"}

    @pytest.mark.parametrize("path", [PATH, "/status/401"])
    async def test_a_401_can_be_read(self, tab: Tab, api: RunningProxy, path: str) -> None:
        reading = await tab.fetch(api.url + path, {"credentials": "omit"})
        assert reading.status == 401
        assert reading.headers["www-authenticate"].startswith("Basic")

    @pytest.mark.parametrize("path", [PATH, "/status/401"])
    async def test_a_401_can_be_read_by_who_cancels_the_dialog(
        self, tab: Tab, api: RunningProxy, path: str
    ) -> None:
        async with tab.cancelling_sign_in() as asked:
            reading = await tab.fetch(api.url + path, self.INCLUDE)
        assert reading.status == 401
        assert reading.headers["www-authenticate"].startswith("Basic")
        assert asked == [api.url]

    async def test_a_401_for_another_site_can_be_read_without_a_dialog(
        self, open_tab: OpenTab, page_port: int, api: RunningProxy
    ) -> None:
        tab = await open_tab(f"http://127.0.0.1:{page_port}")
        assert (await tab.fetch(api.url + self.PATH, self.INCLUDE)).status == 401

    @WITH_AND_WITHOUT
    async def test_an_authorization_header_is_let_through(
        self, tab: Tab, api: RunningProxy, credentials: str
    ) -> None:
        headers = {"authorization": "Basic YWRhOnNlY3JldA=="}
        init = {"credentials": credentials, "headers": headers}
        reading = await tab.fetch(api.url + self.PATH, init)
        assert json.loads(reading.text) == self.READ

    @pytest.mark.parametrize(("password", "status"), [("secret", 200), ("guess", 401)])
    async def test_a_password_typed_into_the_dialog_is_let_through(
        self, browser: Browser, page_port: int, api: RunningProxy, password: str, status: int
    ) -> None:
        async with await browser.new_context(
            http_credentials={"username": "ada", "password": password, "origin": api.url}
        ) as typing:
            tab = await Tab.open(typing, f"http://localhost:{page_port}/")
            reading = await tab.fetch(api.url + self.PATH, self.INCLUDE)
            assert reading.status == status
            if status == 200:
                assert json.loads(reading.text) == self.READ


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "app.localhost", "[::1]"])
async def test_every_page_on_this_machine_may_call(
    open_tab: OpenTab, page_port: int, api: RunningProxy, host: str
) -> None:
    page = await open_tab(f"http://{host}:{page_port}")
    reading = await page.fetch(f"{api.url}/get")
    assert reading.status == 200


@WITH_AND_WITHOUT
async def test_the_allowlist_decides_and_not_what_the_api_grants(
    open_tab: OpenTab,
    tmp_path: Path,
    httpbin_url: str,
    page_port: int,
    unlisted_port: int,
    credentials: str,
) -> None:
    """httpbin itself grants every page everything."""
    init = {"credentials": credentials}
    cors = {"allow_origins": [f"http://localhost:{page_port}"], "allow_credentials": True}
    listed = await open_tab(f"http://localhost:{page_port}")
    unlisted = await open_tab(f"http://localhost:{unlisted_port}")
    assert (await unlisted.fetch(f"{httpbin_url}/get", init)).ok
    async with proxy_with_file(tmp_path, {"upstream": httpbin_url, "cors": cors}) as running:
        assert (await listed.fetch(f"{running.url}/get", init)).ok
        reading = await unlisted.fetch(f"{running.url}/get", init)
        assert reading.error == "TypeError"
        failure = await unlisted.cors_failure(f"{running.url}/get")
    assert failure.error == "MissingAllowOriginHeader"
