"""The admin application: its responses, and who gets them."""

import sys
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from corsproxy.shell.admin.controls import Phase
from corsproxy.shell.admin.figures import Snapshot
from corsproxy.shell.system.packages import installing
from tests.policies import policy
from tests.shell.admin.running import Admin, serving


@pytest.fixture
async def admin() -> AsyncIterator[Admin]:
    async with serving() as running:
        yield running


async def test_liveness_asks_for_nothing_else(admin: Admin) -> None:
    admin.phase = Phase.DRAINING
    assert (await admin.ask("/livez")).status == 200


@pytest.mark.parametrize("path", ["/readyz", "/healthz", "/readyz?verbose"])
@pytest.mark.parametrize(
    ("phase", "status"), [(Phase.STARTING, 503), (Phase.READY, 200), (Phase.DRAINING, 503)]
)
async def test_readiness_follows_the_run(
    admin: Admin, path: str, phase: Phase, status: int
) -> None:
    admin.phase = phase
    reply = await admin.ask(path)
    assert (reply.status, reply.content.decode()) == (status, f"{phase}\n")


async def test_head_has_no_content(admin: Admin) -> None:
    reply = await admin.ask("/readyz", "HEAD")
    assert (reply.status, reply.value("Content-Length")) == (200, "6")


async def test_metrics_are_the_prometheus_text(admin: Admin) -> None:
    reply = await admin.ask("/metrics")
    assert reply.status == 200
    assert str(reply.value("Content-Type")).startswith("text/plain")
    assert b"corsproxy_build_info" in reply.content


async def test_metrics_without_the_package_say_what_to_install(
    admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "corsproxy.shell.admin.metrics", raising=False)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    reply = await admin.ask("/metrics")
    assert reply.status == 501
    assert installing("prometheus_client").encode() in reply.content


@pytest.mark.parametrize(
    "host", ["localhost", "app.localhost:8011", "127.0.0.1", "[::1]:8011", "10.1.2.3:8011"]
)
async def test_local_host_names_are_answered(admin: Admin, host: str) -> None:
    assert (await admin.ask("/livez", host=host)).status == 200


@pytest.mark.parametrize("host", ["evil.example", "0.0.0.0:8011", "[::]", "localhost.evil.example"])
async def test_other_host_names_are_refused(admin: Admin, host: str) -> None:
    reply = await admin.ask("/metrics", host=host)
    assert reply.status == 421
    assert b"allowed_hosts" in reply.content


async def test_an_allowed_host_is_answered(admin: Admin) -> None:
    admin.policy = policy(allowed_hosts=frozenset({"proxy.svc"}))
    assert (await admin.ask("/livez", host="proxy.svc:8011")).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
async def test_probes_are_only_read(admin: Admin, method: str) -> None:
    reply = await admin.ask("/livez", method)
    assert reply.status == 405
    assert set(str(reply.value("Allow")).replace(" ", "").split(",")) == {"GET", "HEAD"}


async def test_draining_is_asked_for_by_post_and_repeatable(admin: Admin) -> None:
    for times in (1, 2):
        reply = await admin.ask("/drain", "POST", "Content-Length: 0")
        assert (reply.status, reply.content, admin.drained) == (202, b"draining\n", times)
    assert (await admin.ask("/drain")).status == 405
    assert admin.drained == 2


# Pages


PAGES = [
    "Origin: http://localhost:5173",
    "Origin: null",
    "Origin: http://localhost:8011",
    "Sec-Fetch-Site: cross-site",
    "Sec-Fetch-Site: same-site",
    "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Site: cross-site",
]


@pytest.mark.parametrize("line", PAGES)
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/livez"), ("GET", "/metrics"), ("POST", "/drain"), ("OPTIONS", "/metrics")],
)
@pytest.mark.parametrize("is_loopback", [True, False])
async def test_a_page_on_another_origin_is_refused(
    line: str, method: str, path: str, is_loopback: bool
) -> None:
    async with serving(is_loopback=is_loopback) as admin:
        reply = await admin.ask(path, method, line, host="localhost:8011")
    assert (reply.status, admin.drained) == (403, 0)


@pytest.mark.parametrize("site", ["none", "same-origin"])
async def test_a_url_typed_into_a_browser_is_answered(admin: Admin, site: str) -> None:
    assert (await admin.ask("/metrics", "GET", f"Sec-Fetch-Site: {site}")).status == 200


# Names


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
@pytest.mark.parametrize("host", ["proxy.shop.svc:8011", "evil.example", "[::]", "prometheus"])
async def test_beyond_loopback_probes_answer_to_any_name(path: str, host: str) -> None:
    async with serving(is_loopback=False) as admin:
        assert (await admin.ask(path, host=host)).status == 200


# Other pages beside the probes


def mount(app: web.Application) -> None:
    async def page(request: web.Request) -> web.Response:
        return web.Response(text="mounted", headers={"Content-Security-Policy": "own"})

    app.add_routes([web.get("/", page), web.post("/", page)])


async def test_pages_can_be_mounted_and_have_fields_of_their_own() -> None:
    async with serving(mount=mount) as admin:
        reply = await admin.ask("/")
        assert (reply.status, reply.content) == (200, b"mounted")
        assert reply.value("Content-Security-Policy") == "own"
        assert (await admin.ask("/livez")).status == 200


async def test_mounted_pages_are_for_loopback_only() -> None:
    async with serving(is_loopback=False, mount=mount) as admin:
        assert (await admin.ask("/")).status == 404


@pytest.mark.parametrize(
    ("lines", "host", "status"),
    [
        (["Origin: http://localhost:8011", "Sec-Fetch-Site: same-origin"], "localhost:8011", 200),
        (["Origin: http://localhost:8010"], "localhost:8011", 403),
        (["Origin: https://localhost:8011"], "localhost:8011", 403),
        (["Origin: http://evil.example"], "evil.example", 421),
    ],
)
async def test_a_mounted_page_may_ask_its_own_origin(
    lines: list[str], host: str, status: int
) -> None:
    async with serving(mount=mount) as admin:
        assert (await admin.ask("/", "POST", *lines, host=host)).status == status


async def test_an_unknown_path_names_the_known_ones(admin: Admin) -> None:
    reply = await admin.ask("/")
    assert reply.status == 404
    assert b"/metrics" in reply.content


async def test_it_does_not_reveal_its_server_software(admin: Admin) -> None:
    reply = await admin.ask("/livez")
    assert reply.value("Server") == "corsproxy"
    assert reply.value("Cache-Control") == "no-store"


async def test_a_fault_is_logged_and_reveals_nothing(
    admin: Admin, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken() -> Snapshot:
        raise RuntimeError("hunter2")

    monkeypatch.setattr(admin, "snapshot", broken)
    reply = await admin.ask("/metrics")
    assert (reply.status, reply.content) == (500, b"This cannot be answered.\n")
    assert "fault in the admin listener" in caplog.text
