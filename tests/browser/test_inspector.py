"""The inspector in a real Chromium, driven as a person would."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.browser.chromium import OpenTab, Tab
from tests.browser.inspected import Inspected, View, call, inspected
from tests.browser.scopes import fresh, shared
from tests.running import ask, port_of

HERE = Path(__file__)
TOO_FAINT = HERE.with_name("contrast.js").read_text()
HAR = json.loads((HERE.parents[1] / "shell/admin/inspector/har.schema.json").read_text())
DOCUMENTATION = (HERE.parents[2] / "docs/inspector.md").read_text()
SECRET = "hunter2-Correct-Horse-9f8e"


@shared
async def running(
    page_port: int, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Inspected]:
    directory = tmp_path_factory.mktemp("inspected")
    async with inspected(directory, f"http://localhost:{page_port}") as found:
        yield found


@fresh
async def where(running: Inspected) -> AsyncIterator[Inspected]:
    """The running one, with its file as it was afterwards."""
    content = running.file.read_text()
    yield running
    running.file.write_text(content)


@fresh
async def view(context: BrowserContext, where: Inspected) -> AsyncIterator[View]:
    opened = await View.open(context, where)
    await opened.page.evaluate(
        "fetch('/inspector/clear', {method: 'POST', body: '{}',"
        " headers: {'Content-Type': 'application/json'}})"
    )
    await expect(opened.rows).to_have_count(0)
    yield opened
    assert opened.complaints == []


@fresh
async def open_tab(context: BrowserContext, view: View) -> OpenTab:
    """Open a page behind the inspector: Chromium draws a hidden page once a second, and each
    click on it would wait for two drawings."""

    async def open_(origin: str) -> Tab:
        tab = await Tab.open(context, f"{origin}/")
        await view.page.bring_to_front()
        return tab

    return open_


# From a refused call to a passing one.


@pytest.mark.parametrize(
    ("init", "before", "after"),
    [
        ({"method": "DELETE"}, "[GET, POST, PUT]", "[GET, POST, PUT, DELETE]"),
        ({"headers": {"x-new": "1"}}, "x-hostile]", "x-hostile, x-new]"),
    ],
    ids=["method", "header"],
)
async def test_two_clicks(
    open_tab: OpenTab,
    page_port: int,
    where: Inspected,
    view: View,
    init: dict[str, Any],
    before: str,
    after: str,
) -> None:
    content = where.file.read_text()
    tab = await open_tab(f"http://localhost:{page_port}")
    assert not await call(tab, f"{where.url}/plain", **init)
    await view.button("Allow").click()
    dialog = view.page.get_by_role("dialog")
    await expect(dialog).to_contain_text(f"+  {after.rpartition('[')[0]}")
    assert where.file.read_text() == content
    await dialog.get_by_role("button", name="Write").click()
    await expect(dialog).to_have_count(0)
    await expect(view.button("Undo")).to_be_visible()
    assert where.file.read_text() == content.replace(before, after)
    await expect(view.row("allowed now")).to_have_count(1)
    await expect(view.button("Allow")).to_have_count(0)
    await expect(view.rows).to_be_focused()
    assert await call(tab, f"{where.url}/plain", **init)
    await view.button("Undo").click()
    await expect(view.button("Undo")).to_have_count(0)
    await expect(view.row("allowed now")).to_have_count(0)
    assert where.file.read_text() == content
    assert not await call(tab, f"{where.url}/plain", **init)


async def test_an_origin_is_allowed_with_the_keyboard(
    open_tab: OpenTab, unlisted_port: int, where: Inspected, view: View
) -> None:
    content = where.file.read_text()
    origin = f"http://localhost:{unlisted_port}"
    tab = await open_tab(origin)
    assert not await call(tab, f"{where.url}/plain")
    await expect(view.rows).to_have_count(1)
    keys = view.page.keyboard
    await keys.press("j")
    await expect(view.rows).to_have_attribute("aria-selected", "true")
    await keys.press("Enter")
    await expect(view.page.get_by_role("tabpanel")).to_contain_text("origin-not-allowed")
    await keys.press("a")
    await expect(view.page.get_by_role("dialog")).to_contain_text(origin)
    await keys.press("Enter")
    await expect(view.button("Undo")).to_be_visible()
    assert await call(tab, f"{where.url}/plain")
    changed = where.file.read_text()
    assert changed == content.replace("  # the app\n", f"  # the app\n    - {origin}\n")
    await view.button("Undo").press("Enter")
    await expect(view.button("Undo")).to_have_count(0)
    assert where.file.read_text() == content


async def test_an_edit_made_meanwhile_is_shown_before_writing(
    open_tab: OpenTab, page_port: int, where: Inspected, view: View
) -> None:
    tab = await open_tab(f"http://localhost:{page_port}")
    assert not await call(tab, f"{where.url}/plain", method="DELETE")
    await view.button("Allow").click()
    await expect(view.button("Write")).to_be_visible()
    by_hand = where.file.read_text().replace("PUT]", "PUT, PATCH]")
    where.file.write_text(by_hand)
    await view.button("Write").click()
    dialog = view.page.get_by_role("dialog")
    await expect(dialog).to_contain_text("[GET, POST, PUT, PATCH, DELETE]")
    assert where.file.read_text() == by_hand
    await view.button("Write").click()
    await expect(dialog).to_have_count(0)
    assert where.file.read_text() == by_hand.replace("PATCH]", "PATCH, DELETE]")
    where.file.write_text(
        where.file.read_text().replace("PATCH, DELETE", "DELETE, PATCH") + "# mine"
    )
    await view.button("Undo").click()
    await expect(dialog).to_contain_text("edited since")
    await expect(dialog).to_contain_text("-  allow_methods: [GET, POST, PUT, DELETE, PATCH]")
    await view.button("Write").click()
    await expect(view.button("Undo")).to_have_count(0)
    assert where.file.read_text() == by_hand + "# mine"


async def test_undo_is_offered_until_the_last_change_is_gone(
    open_tab: OpenTab, page_port: int, where: Inspected, view: View
) -> None:
    content = where.file.read_text()
    tab = await open_tab(f"http://localhost:{page_port}")
    bar = view.page.locator("#last-change")
    for method in ("DELETE", "PATCH"):
        assert not await call(tab, f"{where.url}/plain", method=method)
        await view.button("Allow").click()
        await view.button("Write").click()
        await expect(bar).to_contain_text(f"Allowed: method {method}")
    where.file.write_text(content.replace("PUT]", "PUT, DELETE]"))  # by hand
    await expect(bar).to_contain_text("Allowed: method DELETE")
    await view.button("Undo").click()
    await expect(bar).to_be_hidden()
    assert where.file.read_text() == content


async def test_what_cannot_be_edited_has_no_button_or_says_why(
    open_tab: OpenTab, page_port: int, where: Inspected, view: View
) -> None:
    sandboxed = b"GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\n\r\n"
    assert (await ask(port_of(where.url), sandboxed)).status == 403
    await expect(view.row("null", "origin-not-allowed")).to_have_count(1)
    await expect(view.button("Allow")).to_have_count(0)
    await view.page.get_by_role("link", name="Allowlist").click()
    refused = view.page.get_by_role("table", name="Refused")
    await expect(refused).to_contain_text("no entry would allow it")
    await view.page.get_by_role("link", name="Live").click()
    tab = await open_tab(f"http://localhost:{page_port}")
    assert not await call(tab, f"{where.url}/plain", method="DELETE")
    await view.button("Allow").click()
    await view.button("Write").click()
    await expect(view.button("Undo")).to_be_visible()
    where.file.write_text(where.file.read_text().replace("max_age", "max_ages"))
    await view.page.evaluate(KEEP_DETAILS)
    await view.button("Undo").click()
    style, told = await asyncio.wait_for(view.page.evaluate("() => window.told"), 30)
    assert style == "pre-wrap"
    line, under = re.findall(r"^.* \| (.*(?:max_ages|\^{8}).*)$", told, re.MULTILINE)[:2]
    assert line.index("max_ages") == under.index("^^^^^^^^")


# The message goes away by itself: what it has below its sentence is kept as soon as it is there.
KEEP_DETAILS = """() => {
  window.told = new Promise((done) => new MutationObserver(() => {
    const details = document.querySelector("#toast pre");
    if (details) done([getComputedStyle(details).whiteSpace, details.innerText]);
  }).observe(document.getElementById("toast"), { childList: true, subtree: true }));
}"""


async def test_what_a_person_edits_while_the_diff_is_shown_is_never_overwritten(
    open_tab: OpenTab, page_port: int, where: Inspected, view: View
) -> None:
    content = where.file.read_text()
    tab = await open_tab(f"http://localhost:{page_port}")
    assert not await call(tab, f"{where.url}/plain", method="DELETE")
    for by_hand, told in (
        (content + "nonsense: 1\n", re.compile("left as it is: it has problems of its own")),
        # It depends on whether the proxy has reloaded the file by then.
        (
            content.replace("PUT]", "PUT, DELETE]"),
            re.compile("DELETE: allowed already|The current allowlist allows it"),
        ),
    ):
        where.file.write_text(content)
        await view.button("Allow").click()
        await expect(view.button("Write")).to_be_visible()
        where.file.write_text(by_hand)
        await view.button("Write").click()
        await expect(view.page.get_by_text(told)).to_be_visible()
        await expect(view.page.get_by_role("dialog")).to_have_count(0)
        assert where.file.read_text() == by_hand
    await expect(view.row("allowed now")).to_have_count(1)


async def test_without_a_file_it_allows_until_the_proxy_stops(
    context: BrowserContext, tmp_path: Path
) -> None:
    async with inspected(tmp_path, "", "{api}") as where:
        view = await View.open(context, where)
        called = b"GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: https://foreign.example\r\n\r\n"
        assert (await ask(port_of(where.url), called)).status == 403
        await view.button("Allow").click()
        await view.button("Allow until stopped").click()
        await expect(view.button("Undo")).to_be_visible()
        assert (await ask(port_of(where.url), called)).status == 200
        await view.button("Undo").click()
        await expect(view.button("Undo")).to_have_count(0)
        assert (await ask(port_of(where.url), called)).status == 403
        assert not where.file.exists()
        assert view.complaints == []


# What it shows.


async def test_preflight_and_call_share_a_row_and_pending_calls_show(
    open_tab: OpenTab, page_port: int, where: Inspected, view: View
) -> None:
    tab = await open_tab(f"http://localhost:{page_port}")
    assert await call(tab, f"{where.url}/one", method="PUT")
    assert await call(tab, f"{where.url}/status/404")
    await expect(view.rows).to_have_count(2)
    row = view.row("/one", "PUT", "200", "readable")
    await expect(row).to_have_count(1)
    await expect(row.get_by_role("img", name="after a preflight")).to_be_visible()
    await expect(view.row("/status/404")).to_contain_text("404")
    assert not await call(tab, f"{where.url}/leaving")
    await tab.fetch(f"{where.url}/unread", {"mode": "no-cors"})
    for path, told in (
        ("/unread", "and the page cannot read the response"),
        ("/status/404", "allowed, and the upstream answered 404"),
        ("/leaving", "allowed, but the redirect leads out of the proxy"),
    ):
        await view.row(path).click()
        await expect(view.page.locator(".verdict")).to_contain_text(told)


async def test_the_tabs(open_tab: OpenTab, page_port: int, where: Inspected, view: View) -> None:
    tab = await open_tab(f"http://localhost:{page_port}")
    body = json.dumps({"user": "ada", "password": SECRET, "big": 12345678901234567890123})
    init = {
        "method": "POST", "body": body, "credentials": "include",
        "headers": {"Content-Type": "application/json", "Authorization": f"Bearer {SECRET}"},
    }  # fmt: skip
    assert await call(tab, f"{where.url}/echo?api_key={SECRET}", **init)
    await view.row("/echo").click()
    panel = view.page.get_by_role("tabpanel")
    await expect(panel).to_contain_text(f"origin http://localhost:{page_port}: allowed by")
    await expect(panel).to_contain_text("corsproxy.yaml:4:7")
    headers = await view.tab("Headers")
    await expect(headers.get_by_role("table", name="Response headers").first).to_contain_text(
        "Access-Control-Allow-Origin"
    )
    await expect(await view.tab("Body")).to_contain_text("12345678901234567890123")
    await expect(await view.tab("Timing")).to_contain_text("Waiting")
    await expect(await view.tab("Messages")).to_contain_text("Not a stream")
    assert SECRET not in await view.page.content()


async def test_a_secret_is_shown_on_request(
    open_tab: OpenTab, page_port: int, where: Inspected, view: View
) -> None:
    tab = await open_tab(f"http://localhost:{page_port}")
    init = {"headers": {"Authorization": f"Bearer {SECRET}"}}
    got: list[str] = []

    async def keep(response: Any) -> None:
        if "/inspector/" in response.url and "events" not in response.url:
            got.append(await response.text())

    view.page.on("response", keep)
    assert await call(tab, f"{where.url}/plain", **init)
    await view.row("/plain").click()
    panel = await view.tab("Headers")
    row = panel.get_by_role("row", name="Authorization Bearer").first
    await expect(row).to_be_visible()
    assert SECRET not in await view.page.content() + "".join(got)
    # The secret's own response may still be on its way when the page closes.
    view.page.remove_listener("response", keep)
    await row.get_by_role("button", name="Reveal").click()
    await expect(panel).to_contain_text(SECRET)


async def test_messages_of_both_kinds_of_streams(
    open_tab: OpenTab, page_port: int, where: Inspected, view: View
) -> None:
    tab = await open_tab(f"http://localhost:{page_port}")
    await tab.page.evaluate(TALK, where.url)
    await view.row("/socket").click()
    panel = await view.tab("Messages")
    await expect(panel.locator("tbody tr")).to_have_count(8)
    await expect(panel).to_contain_text("echo hello")
    await expect(panel).to_contain_text("1000")
    await view.row("/events").click()
    await expect(panel.locator("tbody tr")).to_have_count(5)
    await expect(panel).to_contain_text("tick")
    filter_ = view.page.get_by_label("Filter")
    await filter_.fill("is:stream -socket")
    await expect(view.rows).to_have_count(1)


TALK = """async (url) => {
  const source = new EventSource(url + "/events");
  let events = 0;
  await new Promise((done) => {
    source.addEventListener("tick", () => { if (++events === 5) done(); });
  });
  source.close();
  const socket = new WebSocket(url.replace("http", "ws") + "/socket");
  let heard = 0;
  const all = new Promise((done) => { socket.onmessage = () => { if (++heard === 3) done(); }; });
  await new Promise((opened) => { socket.onopen = opened; });
  socket.send("hello");
  socket.send("<img src=x onerror=pwned()> ".repeat(200));
  socket.send(new Uint8Array([0, 1, 2, 255]));
  await all;
  const closed = new Promise((done) => { socket.onclose = done; });
  socket.close(1000, "bye");
  await closed;
}"""


# What it does.


async def test_the_filter_stays(
    open_tab: OpenTab, page_port: int, where: Inspected, view: View
) -> None:
    tab = await open_tab(f"http://localhost:{page_port}")
    for path in ("/a", "/b", "/status/404", "/status/500"):
        assert await call(tab, f"{where.url}{path}")
    await expect(view.rows).to_have_count(4)
    for text, count in (("status:4xx", 1), ("-status:2xx", 2), ("path:/status/*", 2), ("/b", 1),
                        ("method:GET outcome:readable", 4), ("status:40", 0),
                        (f"origin:http://localhost:{page_port} route:/", 4)):  # fmt: skip
        await view.page.get_by_label("Filter").fill(text)
        await expect(view.rows).to_have_count(count)
    documented = re.findall(r"(?m)^\| `\w+:` \| .* \| `(\S+)` \|$", DOCUMENTATION)
    assert len(documented) == 10
    assert await view.page.evaluate(MISTAKES, documented) == []
    told = view.page.locator("#filter-mistakes")
    await expect(told).to_be_hidden()
    for text, says in (("-stauts:500", "no key stauts:"), ("stauts:500", "Did you mean status:?"),
                       ("is:open", "Nothing is is:open. Known are stream,"),
                       ("outcome:bad", "Nothing is outcome:bad.")):  # fmt: skip
        await view.page.get_by_label("Filter").fill(text)
        await expect(told).to_contain_text(says)
        await expect(view.page.get_by_label("Filter")).to_have_attribute("aria-invalid", "true")
    await view.page.get_by_label("Filter").fill("status:4xx")
    await view.page.reload()
    await expect(view.page.get_by_label("Filter")).to_have_value("status:4xx")
    await expect(view.rows).to_have_count(1)


MISTAKES = """async (texts) => {
  const { mistakes } = await import("/inspector/filter.js");
  return texts.flatMap(mistakes);
}"""


async def test_pause_clear_and_help(
    open_tab: OpenTab, page_port: int, where: Inspected, view: View
) -> None:
    tab = await open_tab(f"http://localhost:{page_port}")
    keys = view.page.keyboard
    await keys.press("p")
    assert await call(tab, f"{where.url}/held")
    await expect(view.page.get_by_role("status").first).to_contain_text("1 call · paused")
    await expect(view.rows).to_have_count(0)
    await keys.press("p")
    await expect(view.rows).to_have_count(1)
    await keys.press("x")
    await expect(view.rows).to_have_count(0)
    await keys.press("?")
    await expect(view.page.get_by_role("dialog")).to_contain_text("replay it")
    await keys.press("Escape")
    await keys.press("/")
    await expect(view.page.get_by_label("Filter")).to_be_focused()


async def test_a_row_that_changes_while_it_is_clicked_opens(
    open_tab: OpenTab, page_port: int, where: Inspected, view: View
) -> None:
    tab = await open_tab(f"http://localhost:{page_port}")
    url = where.url.replace("http", "ws")
    await tab.page.evaluate(
        "(url) => new Promise((done) => { (socket = new WebSocket(url)).onopen = done; })",
        f"{url}/socket",
    )
    time = view.row("/socket").locator("td.time")
    await expect(time).to_have_text("running")
    await time.hover()
    await view.page.mouse.down()
    await tab.page.evaluate("() => socket.close()")
    await expect(time).not_to_have_text("running")
    await view.page.mouse.up()
    await expect(view.button("Replay")).to_be_visible()


async def test_replay(open_tab: OpenTab, page_port: int, where: Inspected, view: View) -> None:
    tab = await open_tab(f"http://localhost:{page_port}")
    assert await call(tab, f"{where.url}/again")
    await view.row("/again").click()
    await view.button("Replay").click()
    await expect(view.row("/again", "replay")).to_have_count(1)
    assert await call(tab, f"{where.url}/echo", method="POST", body="once")
    await view.row("/echo").click()
    await view.button("Replay").click()
    await expect(view.page.get_by_role("dialog")).to_contain_text("POST may change something")
    await expect(view.row("/echo")).to_have_count(1)
    await view.button("Send").click()
    await expect(view.row("/echo")).to_have_count(2)
    body = await view.tab("Body")
    await expect(body).to_contain_text("once")
    await view.row("/again").last.click()
    more = view.page.locator("summary", has_text="More")
    menu = view.page.locator("details.more")
    for closing in ("Escape", "Tab"):
        await more.press("Enter")
        await view.page.keyboard.press("End")
        await expect(view.button("Send differently…")).to_be_focused()
        await view.page.keyboard.press(closing)
        await expect(menu).not_to_have_attribute("open", "")
    await more.click()
    await view.page.get_by_label("Filter").click()
    await expect(menu).not_to_have_attribute("open", "")
    await more.click()
    await view.button("Send differently…").click()
    await expect(menu).not_to_have_attribute("open", "")
    await view.page.keyboard.press("Escape")
    await expect(more).to_be_focused()
    await more.click()
    await view.button("Send differently…").click()
    await view.page.get_by_label("As a page on").fill("https://other.example")
    await view.button("Send").click()
    await expect(view.row("https://other.example", "blocked")).to_have_count(1)


async def test_copies_har_and_comparison(
    open_tab: OpenTab, context: BrowserContext, page_port: int, where: Inspected, view: View
) -> None:
    await context.grant_permissions(["clipboard-read", "clipboard-write"], origin=where.admin)
    tab = await open_tab(f"http://localhost:{page_port}")
    init = {"method": "PUT", "headers": {"Authorization": f"Bearer {SECRET}"}}
    assert await call(tab, f"{where.url}/one", **init)
    assert await call(tab, f"{where.url}/other")
    await view.row("/one").click()
    await view.button("Copy as curl").click()
    await expect(view.page.get_by_text("Copied as curl command.")).to_be_visible()
    copied = await view.page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("curl ")
    assert f"'{where.url}/one'" in copied
    assert SECRET not in copied
    async with view.page.expect_download() as saving:
        await view.button("HAR").click()
    archive = json.loads(read(await (await saving.value).path()))
    jsonschema.validate(archive, HAR)
    methods = [entry["request"]["method"] for entry in archive["log"]["entries"]]
    assert methods == ["OPTIONS", "PUT", "GET"]
    assert SECRET not in json.dumps(archive)
    await view.button("Compare").click()
    await view.row("/other").click()
    dialog = view.page.get_by_role("dialog")
    await expect(dialog.get_by_role("row", name="Path /one /other")).to_be_visible()


def read(path: Path) -> str:
    return path.read_text()


async def test_the_allowlist(
    open_tab: OpenTab, page_port: int, unlisted_port: int, where: Inspected, view: View
) -> None:
    tab = await open_tab(f"http://localhost:{page_port}")
    assert await call(tab, f"{where.url}/plain", method="PUT")
    other = await open_tab(f"http://localhost:{unlisted_port}")
    assert not await call(other, f"{where.url}/plain")
    await view.page.get_by_role("link", name="Allowlist").click()
    entries = view.page.get_by_role("table", name="Entries of /")
    row = entries.get_by_role("row", name=re.compile(rf"localhost:{page_port}"))
    await expect(row).to_contain_text("corsproxy.yaml:4:7")
    await expect(view.page.get_by_role("table", name="Refused")).to_contain_text(
        f"http://localhost:{unlisted_port}"
    )
    await view.page.set_viewport_size({"width": 768, "height": 800})
    assert await view.page.evaluate(BROKEN_NAMES) == []
    await view.page.get_by_role("link", name="Live").click()
    await view.row("PUT").click()
    await view.page.set_viewport_size({"width": 1280, "height": 800})
    await expect(await view.tab("Headers")).to_contain_text("Access-Control-Allow-Origin")
    assert await view.page.evaluate(BROKEN_NAMES) == []


# Names in origins that are broken into two lines; those with hyphens may be, and other texts.
BROKEN_NAMES = """() => {
  const codes = document.querySelectorAll(
    ".entries [data-label=Origin] code, .routes .wide code, .fields td");
  return [...codes].flatMap((code) => {
    const range = document.createRange();
    const texts = [...code.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE);
    return texts.filter((node) => {
      range.selectNodeContents(node);
      return /^([a-z]+:\\/\\/)?[\\w.:]*$/.test(node.data) && range.getClientRects().length > 1;
    }).map((node) => node.data);
  });
}"""


async def test_eight_tabs_are_live_at_once(
    context: BrowserContext, open_tab: OpenTab, page_port: int, where: Inspected, view: View
) -> None:
    """HTTP/1.1 has six connections for a host: one stream a tab would be too many."""
    tab = await open_tab(f"http://localhost:{page_port}")
    views = [view, *[await View.open(context, where) for _ in range(7)]]
    assert await call(tab, f"{where.url}/live")
    for each in views:
        await expect(each.row("/live")).to_have_count(1)
    await view.page.close()  # the one that read the stream
    assert await call(tab, f"{where.url}/later")
    for each in views[1:]:
        await expect(each.row("/later")).to_have_count(1)


FILTERS = ("users/99", "status:4xx method:PUT -path:*7*", "origin:*5173 is:error")


async def test_ten_thousand_rows_are_filtered_at_once(view: View) -> None:
    await view.page.evaluate(
        """async () => {
          const { compile } = await import("/inspector/filter.js");
          const { Store } = await import("/inspector/store.js");
          const store = new Store();
          const rows = Array.from({ length: 10000 }, (_, id) => ({
            id: id + 1, change: id + 1, method: ["GET", "PUT"][id % 2], path: `/v1/users/${id}?q=a`,
            origin: "http://localhost:5173", status: [200, 404, 500][id % 3], outcome: "readable",
            route: "api", host: "localhost:8010", state: "over" }));
          store.take({ epoch: "e", change: 10000, oldest: 1, cleared: 0, rows, state: {} });
          window.filtered = (text) => {
            const passes = compile(text);
            return store.counts(passes).shown + store.newest(passes, 500).length;
          };
        }"""
    )
    devtools = await view.page.context.new_cdp_session(view.page)
    await devtools.send("Performance.enable", {"timeDomain": "threadTicks"})

    async def spent() -> float:
        """The milliseconds for which the page's thread has run: other processes do not count."""
        found = (await devtools.send("Performance.getMetrics"))["metrics"]
        return next(1000 * float(each["value"]) for each in found if each["name"] == "ThreadTime")

    for text in FILTERS:
        before = await spent()
        assert await view.page.evaluate("(text) => filtered(text)", text)
        assert await spent() - before < 50


# Who may not.


ATTACK = """async ([admin, row]) => {
  const tried = [];
  const attempt = async (what, act) => {
    try { tried.push([what, await act()]); } catch (error) { tried.push([what, "refused"]); }
  };
  const read = (response) => response.text();
  for (const path of ["/", "/inspector/rows", "/inspector/rows/" + row, "/inspector/main.js"]) {
    await attempt("read " + path, () => fetch(admin + path, { credentials: "include" }).then(read));
    await attempt("blind " + path, async () => {
      const response = await fetch(admin + path, { credentials: "include", mode: "no-cors" });
      return response.type === "opaque" ? "refused" : read(response);
    });
  }
  for (const type of ["text/plain", "application/json"]) {
    for (const act of ["rows/" + row + "/write", "undo", "clear", "rows/" + row + "/replay"]) {
      await attempt("post " + act, async () => {
        const options = { method: "POST", credentials: "include", mode: "no-cors", body: "{}" };
        if (type !== "text/plain") {
          options.mode = "cors"; options.headers = { "Content-Type": type };
        }
        const response = await fetch(admin + "/inspector/" + act, options);
        return response.type === "opaque" ? "refused" : read(response);
      });
    }
  }
  await attempt("script", () => new Promise((done) => {
    const script = document.createElement("script");
    script.onload = () => done("ran"); script.onerror = () => done("refused");
    script.src = admin + "/inspector/main.js"; document.head.append(script);
  }));
  await attempt("events", () => new Promise((done) => {
    const source = new EventSource(admin + "/inspector/events", { withCredentials: true });
    source.onmessage = () => done("read");
    source.onerror = () => { source.close(); done("refused"); };
  }));
  await attempt("frame", async () => {
    const frame = document.createElement("iframe");
    frame.src = admin + "/"; document.body.append(frame);
    await new Promise((done) => { frame.onload = done; });
    try { return frame.contentDocument.body.textContent; } catch { return "refused"; }
  });
  return tried.filter(([, got]) => got !== "refused");
}"""


async def test_a_page_on_another_origin_reads_and_does_nothing(
    open_tab: OpenTab, page_port: int, where: Inspected, view: View
) -> None:
    """On another port of the same host, which is where cookies go all the same."""
    tab = await open_tab(f"http://localhost:{page_port}")
    assert not await call(tab, f"{where.url}/plain", method="DELETE")
    await expect(view.rows).to_have_count(1)
    row = int(await view.rows.get_attribute("data-exchange") or 0)
    content = where.file.read_text()
    assert await tab.page.evaluate(ATTACK, [where.admin, row]) == []
    assert where.file.read_text() == content
    await expect(view.rows).to_have_count(1)


async def test_the_cookie_is_not_forwarded_and_a_stale_one_is_harmless(
    open_tab: OpenTab, context: BrowserContext, page_port: int, where: Inspected, view: View
) -> None:
    name = f"corsproxy-inspector-{where.port}"
    tab = await open_tab(f"http://localhost:{page_port}")
    await tab.page.evaluate("document.cookie = 'own=1; path=/'")
    assert await call(tab, f"{where.url}/plain", credentials="include")
    assert where.api.cookies
    assert not [cookie for cookie in where.api.cookies if "corsproxy-inspector" in cookie]
    assert "own=1" in where.api.cookies[-1]
    await context.add_cookies([
        {"name": name, "value": "stale", "domain": "localhost", "path": "/inspector"},
    ])  # fmt: skip
    await view.page.reload()
    await expect(view.row("/plain")).to_have_count(1)
    await view.row("/plain").click()
    await expect(view.page.get_by_role("tabpanel")).to_contain_text("allowed")


HOSTILE = (
    "<script>window.pwned = 1</script>",
    "<img src=x onerror='window.pwned = 1'>",
    '"><svg onload=window.pwned=1>',
    "javascript:window.pwned=1",
    "{{constructor.constructor('window.pwned=1')()}}",
    "\u202eevil\u202c\u2066\u200b\u0007",
    "[redacted:0123456789abcdef]",
    "]]><!--",
)


async def test_captured_content_never_runs(
    open_tab: OpenTab, page_port: int, where: Inspected, view: View
) -> None:
    tab = await open_tab(f"http://localhost:{page_port}")
    for text in HOSTILE:
        header = text.encode("ascii", "ignore").decode() or "x"
        header = "".join(each for each in header if each.isprintable())
        init = {"method": "POST", "body": text,
                "headers": {"Content-Type": "text/html", "X-Hostile": header}}  # fmt: skip
        query = "".join(f"%{byte:02x}" if byte > 126 or byte < 33 else chr(byte)
                        for byte in text.encode())  # fmt: skip
        assert await call(tab, f"{where.url}/echo?{query}", **init)
    await tab.page.evaluate(TALK, where.url)
    await expect(view.rows).to_have_count(len(HOSTILE) + 2)
    found = await view.page.evaluate(LOOK_AT_EVERYTHING)
    assert found["looked"] == 5 * (len(HOSTILE) + 2)
    assert (found["pwned"], found["elements"], found["invisible"]) == (None, 0, 0)


LOOK_AT_EVERYTHING = """async () => {
  const found = { looked: 0, elements: 0, invisible: 0 };
  const seen = async (is) => { while (!is()) await new Promise(requestAnimationFrame); };
  const panel = document.getElementById("details");
  for (const row of document.querySelectorAll("tr[data-exchange]")) {
    panel.replaceChildren();
    row.click();
    await seen(() => panel.querySelector("h2") !== null);
    for (const name of ["Why", "Headers", "Body", "Timing", "Messages"]) {
      panel.querySelector(`#tab-${name}`).click();
      found.looked += 1;
      found.elements += document.querySelectorAll("main :is(script, svg, img, iframe)").length;
      found.invisible += /[\\u202a-\\u202e\\u2066-\\u2069\\u0007]/.test(document.body.innerText);
    }
  }
  await new Promise((done) => { setTimeout(done, 200); });
  found.pwned = window.pwned ?? null;
  return found;
}"""


# How it looks.


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_sticks_out_and_every_text_has_contrast(
    open_tab: OpenTab, page_port: int, where: Inspected, view: View, scheme: str
) -> None:
    tab = await open_tab(f"http://localhost:{page_port}")
    assert await call(tab, f"{where.url}/{'long/' * 40}?token={SECRET}")
    assert await call(tab, f"{where.url}/status/500")
    assert not await call(tab, f"{where.url}/plain", method="DELETE")
    page = view.page
    await page.emulate_media(
        color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce"
    )
    await expect(view.rows).to_have_count(3)
    for width in (390, 768, 1440, 2560):
        await page.set_viewport_size({"width": width, "height": 800})
        await fits(page, width)
        await view.row("DELETE").click()
        await expect(page.locator(".sheet .diff")).to_be_visible()
        await fits(page, width)
        await view.tab("Headers")
        await fits(page, width)
        await view.tab("Why")
        await page.keyboard.press("Escape")


async def fits(page: Page, width: int) -> None:
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    assert await page.evaluate(TOO_FAINT) == []
    # A time of "0.28 ms" is the longest of them.
    cut = await page.evaluate(
        """() => [...document.querySelectorAll("td.time, td.status, td.size")]
             .filter((e) => e.checkVisibility() && e.scrollWidth > e.clientWidth)
             .map((e) => e.textContent)"""
    )
    assert cut == []
    unnamed = await page.evaluate(
        """() => [...document.querySelectorAll("button, a, summary, input, [role=tab], [role=img]")]
             .filter((e) => e.checkVisibility())
             .filter((e) => !(e.textContent.trim() || e.ariaLabel || e.title || e.labels?.length))
             .map((e) => e.outerHTML)"""
    )
    assert unnamed == []


async def test_the_list_does_not_move_while_reading(
    open_tab: OpenTab, page_port: int, where: Inspected, view: View
) -> None:
    tab = await open_tab(f"http://localhost:{page_port}")
    for number in range(40):
        await tab.fetch(f"{where.url}/n/{number}")
    await expect(view.rows).to_have_count(40)
    await view.row("/n/30").click()
    before = await view.row("/n/30").bounding_box()
    for number in range(5):
        await tab.fetch(f"{where.url}/new/{number}")
    await expect(view.rows).to_have_count(45)
    assert await view.row("/n/30").bounding_box() == before
    await expect(view.page.get_by_role("button", name="5 newer")).to_be_visible()
    for key, path in (("End", "/n/0"), ("Home", "/new/4"), ("j", "/new/3")):
        await view.page.keyboard.press(key)
        await expect(view.row(path).first).to_be_focused()
        await expect(view.page.get_by_role("heading", name=path)).to_be_visible()


async def test_the_page_says_when_the_proxy_has_stopped(
    browser: Browser, tmp_path: Path, page_port: int
) -> None:
    context = await browser.new_context()
    async with inspected(tmp_path, f"http://localhost:{page_port}") as where:
        view = await View.open(context, where)
        await ask(port_of(where.url), b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await expect(view.rows).to_have_count(1)  # the page has begun to listen
    await expect(view.page.get_by_role("alert")).to_contain_text("does not answer")
    await context.close()
