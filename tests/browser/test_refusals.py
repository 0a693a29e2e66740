"""Refused pages read nothing, and Chromium's reason is ours."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.browser.chromium import CorsFailure, OpenTab, Tab, fetch_from
from tests.browser.proxy import RunningProxy, proxy_with_file
from tests.browser.scopes import fresh
from tests.browser.servers import RecordingUpstream


@fresh
async def api(
    tmp_path: Path, upstream: RecordingUpstream, page_port: int
) -> AsyncIterator[RunningProxy]:
    cors = {
        "allow_origins": [f"http://localhost:{page_port}"],
        "allow_methods": ["GET", "PUT"],
        "allow_headers": ["content-type", "x-api-version"],
        "expose_headers": ["x-total-count"],
        "allow_credentials": True,
    }
    async with proxy_with_file(tmp_path, {"upstream": upstream.url, "cors": cors}) as running:
        yield running


@fresh
async def listed(open_tab: OpenTab, page_port: int) -> Tab:
    return await open_tab(f"http://localhost:{page_port}")


@fresh
async def unlisted(open_tab: OpenTab, unlisted_port: int) -> Tab:
    return await open_tab(f"http://localhost:{unlisted_port}")


async def test_the_listed_page_reads_and_sees_the_exposed_header(
    listed: Tab, api: RunningProxy
) -> None:
    reading = await listed.fetch(f"{api.url}/items")
    assert reading.status == 200
    assert reading.headers["x-total-count"] == "3"
    assert "x-request-id" not in reading.headers


@pytest.mark.parametrize(
    ("init", "error"),
    [
        ({}, "MissingAllowOriginHeader"),
        ({"method": "POST", "body": "a=1"}, "MissingAllowOriginHeader"),
        ({"credentials": "include"}, "MissingAllowOriginHeader"),
        ({"method": "PUT"}, "PreflightMissingAllowOriginHeader"),
        ({"headers": {"x-api-version": "2"}}, "PreflightMissingAllowOriginHeader"),
    ],
)
async def test_an_unlisted_page_reads_nothing_and_has_no_effect(
    unlisted: Tab,
    api: RunningProxy,
    upstream: RecordingUpstream,
    init: dict[str, object],
    error: str,
) -> None:
    url = f"{api.url}/items"
    reading = await unlisted.fetch(url, init)
    assert reading.error == "TypeError"
    assert (await unlisted.cors_failure(url)).error == error
    logged = await api.logged("/items")
    assert logged["browser_error"] == error
    assert logged["code"] == "origin-not-allowed"
    assert upstream.received == []


@pytest.mark.parametrize("mode", ["no-cors", "cors"])
async def test_an_unlisted_page_has_no_effect_in_any_fetch_mode(
    unlisted: Tab, api: RunningProxy, upstream: RecordingUpstream, mode: str
) -> None:
    init = {"method": "POST", "mode": mode, "credentials": "include", "body": "delete=everything"}
    reading = await unlisted.fetch(f"{api.url}/items", init)
    assert not reading.body
    assert upstream.received == []


@pytest.mark.parametrize(
    ("init", "failure", "code"),
    [
        (
            {"method": "DELETE"},
            CorsFailure("MethodDisallowedByPreflightResponse", "DELETE"),
            "method-not-allowed",
        ),
        (
            {"method": "patch"},
            CorsFailure("MethodDisallowedByPreflightResponse", "patch"),
            "method-not-allowed",
        ),
        (
            {"headers": {"X-Debug": "1"}},
            CorsFailure("HeaderDisallowedByPreflightResponse", "x-debug"),
            "header-not-allowed",
        ),
        (
            {"method": "PUT", "headers": {"x-api-version": "2", "authorization": "Bearer t"}},
            CorsFailure("HeaderDisallowedByPreflightResponse", "authorization"),
            "header-not-allowed",
        ),
    ],
)
async def test_chromium_names_the_culprit_as_the_log_does(
    listed: Tab,
    api: RunningProxy,
    upstream: RecordingUpstream,
    init: dict[str, object],
    failure: CorsFailure,
    code: str,
) -> None:
    url = f"{api.url}/items/1"
    assert (await listed.fetch(url, init)).error == "TypeError"
    assert await listed.cors_failure(url) == failure
    logged = await api.logged("/items/1")
    assert logged["method"] == "OPTIONS"
    assert logged["browser_error"] == failure.error
    assert logged["code"] == code
    assert logged["at"].partition("corsproxy.yaml:")[2], "the line of the file"
    assert upstream.received == []


async def test_a_sandboxed_frame_is_not_allowed(
    listed: Tab, api: RunningProxy, upstream: RecordingUpstream
) -> None:
    frame = await listed.page.evaluate_handle(
        """() => new Promise((resolve) => {
          const frame = document.createElement("iframe");
          frame.sandbox = "allow-scripts";
          frame.srcdoc = "<!doctype html><title>sandboxed</title>";
          frame.onload = () => resolve(frame);
          document.body.append(frame);
        })"""
    )
    element = frame.as_element()
    assert element is not None
    inside = await element.content_frame()
    assert inside is not None
    assert await inside.evaluate("self.origin") == "null"
    reading = await fetch_from(inside, f"{api.url}/items")
    assert reading.error == "TypeError"
    assert (await api.logged("/items"))["code"] == "origin-not-allowed"
    assert upstream.received == []


async def test_a_session_cookie_goes_with_every_later_call(
    listed: Tab, api: RunningProxy, upstream: RecordingUpstream
) -> None:
    """The upstream's cookie is Secure, SameSite=None and for another domain."""
    include = {"credentials": "include"}
    assert (await listed.fetch(f"{api.url}/login", {"method": "POST", **include})).ok
    reading = await listed.fetch(f"{api.url}/me", include)
    assert json.loads(reading.text)["cookie"] == "session=s-1"
    put = {"method": "PUT", "headers": {"content-type": "application/json"}, "body": "{}"}
    reading = await listed.fetch(f"{api.url}/me", {**put, **include})
    assert json.loads(reading.text)["cookie"] == "session=s-1"
    assert await listed.page.evaluate("document.cookie") == ""
    anonymous = await listed.fetch(f"{api.url}/me")
    assert json.loads(anonymous.text)["cookie"] is None


async def test_opening_a_link_is_not_a_cors_request(
    listed: Tab, api: RunningProxy, upstream: RecordingUpstream
) -> None:
    response = await listed.page.goto(f"{api.url}/items")
    assert response is not None
    assert response.status == 200
    assert len(upstream.saw("/items")) == 1
