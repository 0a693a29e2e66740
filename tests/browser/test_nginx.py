"""Files from nginx: ranges, revalidation and compression as the browser uses them."""

import gzip
from collections.abc import AsyncIterator

import pytest

from tests.browser import servers
from tests.browser.chromium import OpenTab, Tab
from tests.browser.proxy import RunningProxy, proxy_with_file
from tests.browser.scopes import fresh, shared

TEXT = "".join(f"line {number}\n" for number in range(20_000))


@shared
async def files(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningProxy]:
    directory = tmp_path_factory.mktemp("nginx")
    (directory / "files" / "sub").mkdir(parents=True)
    (directory / "files" / "text.txt").write_text(TEXT)
    (directory / "files" / "photo.bin").write_bytes(bytes(range(256)) * 4096)
    (directory / "files" / "archive.gz").write_bytes(gzip.compress(b"kept packed"))
    cors = {
        "allow_origins": ["http://localhost:*", "http://*.localhost:*"],
        "allow_headers": "*",
        "expose_headers": "*",
    }
    async with servers.nginx(directory) as url:
        # nginx compresses nothing for what it takes for a proxy.
        content = {"upstream": url, "via": False, "cors": cors}
        async with proxy_with_file(directory, content) as running:
            yield running


@fresh
async def tab(open_tab: OpenTab, page_port: int) -> Tab:
    return await open_tab(f"http://localhost:{page_port}")


async def test_a_compressed_file_arrives_as_it_was(tab: Tab, files: RunningProxy) -> None:
    reading = await tab.fetch(f"{files.url}/text.txt")
    assert reading.text == TEXT
    assert reading.headers["content-encoding"] == "gzip"


async def test_a_file_that_is_an_archive_stays_one(tab: Tab, files: RunningProxy) -> None:
    reading = await tab.fetch(f"{files.url}/archive.gz")
    assert gzip.decompress(reading.body) == b"kept packed"


async def test_a_megabyte_comes_byte_for_byte(tab: Tab, files: RunningProxy) -> None:
    reading = await tab.fetch(f"{files.url}/photo.bin")
    assert reading.body == bytes(range(256)) * 4096


@pytest.mark.parametrize("wanted", ["bytes=256-511", "bytes=-256"])
async def test_a_range_is_answered_with_a_part(tab: Tab, files: RunningProxy, wanted: str) -> None:
    """The first needs no preflight, the second does (Fetch, "no-CORS-safelisted range")."""
    reading = await tab.fetch(f"{files.url}/photo.bin", {"headers": {"range": wanted}})
    assert reading.status == 206
    assert reading.body == bytes(range(256))
    assert reading.headers["content-range"].endswith("/1048576")


async def test_a_range_beyond_the_end_can_be_read(tab: Tab, files: RunningProxy) -> None:
    init = {"headers": {"range": "bytes=9999999-"}}
    assert (await tab.fetch(f"{files.url}/photo.bin", init)).status == 416


async def test_a_304_lets_the_browser_use_its_copy(tab: Tab, files: RunningProxy) -> None:
    first = await tab.fetch(f"{files.url}/photo.bin")
    revalidated = await tab.fetch(f"{files.url}/photo.bin", {"cache": "no-cache"})
    assert revalidated.status == 200
    assert revalidated.body == first.body
    etag = first.headers["etag"]
    asked = await tab.fetch(f"{files.url}/photo.bin", {"headers": {"if-none-match": etag}})
    assert asked.status == 304


async def test_a_redirect_to_a_directory_stays_inside_the_proxy(
    tab: Tab, files: RunningProxy
) -> None:
    """nginx names itself in it: an absolute Location with its own port."""
    reading = await tab.fetch(f"{files.url}/sub")
    assert reading.url == f"{files.url}/sub/"
    assert reading.status == 403


async def test_a_cached_copy_is_not_another_pages(
    open_tab: OpenTab, tab: Tab, page_port: int, files: RunningProxy
) -> None:
    """Two origins of one site share the HTTP cache: Vary keeps their grants apart."""
    other = await open_tab(f"http://app.localhost:{page_port}")
    assert (await tab.fetch(f"{files.url}/text.txt")).ok
    assert (await other.fetch(f"{files.url}/text.txt", {"cache": "force-cache"})).ok
    assert (await tab.fetch(f"{files.url}/text.txt", {"cache": "force-cache"})).ok
