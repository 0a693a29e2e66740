"""The demo in a real browser: its calls and edits do what it says."""

import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from tests.browser.programs import running
from tests.browser.scopes import fresh, shared
from tests.peers import until

CALLS = 10
TOO_FAINT = Path(__file__).with_name("contrast.js").read_text()


@shared
async def demo_url() -> AsyncIterator[str]:
    async with running([sys.executable, "-m", "corsproxy", "demo"]) as demo:
        line = await demo.until(lambda line: "Open:" in line)
        match = re.search(r"http://localhost:\d+", line)
        assert match is not None
        yield match[0]
        assert await demo.stop() == 0
        assert not [line for line in demo.lines if "Traceback" in line]


@fresh
async def complaints(context: BrowserContext) -> list[str]:
    """What the console says besides the refusals that the demo is about."""
    heard: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        expected = ("blocked by CORS policy", "net::ERR_FAILED", "status of 404", "status of 500")
        if message.type in ("error", "warning") and not any(e in message.text for e in expected):
            heard.append(message.text)

    context.on("console", listen)
    context.on("weberror", lambda error: heard.append(str(error.error)))
    return heard


@fresh
async def demo(context: BrowserContext, demo_url: str, complaints: list[str]) -> Page:
    """A demo to use."""
    return await opened(context, demo_url)


@shared
async def shown(browser: Browser, demo_url: str) -> AsyncIterator[Page]:
    """A demo to look at."""
    async with await browser.new_context() as context:
        yield await opened(context, demo_url)


async def opened(context: BrowserContext, demo_url: str) -> Page:
    page = await context.new_page()
    await page.goto(demo_url)
    await expect(page.locator("body")).to_have_attribute("data-state", "done")
    return page


async def test_every_call_fails_directly_and_works_through_the_proxy(
    demo: Page, complaints: list[str]
) -> None:
    await expect(demo.get_by_role("status").first).to_have_text(
        f"Read: 0 of {CALLS} directly, {CALLS} of {CALLS} through corsproxy. Refused on purpose: 3."
    )
    assert complaints == []


async def test_the_first_screen_says_what_it_does(shown: Page) -> None:
    direct, proxied = shown.locator(".card").nth(0), shown.locator(".card").nth(1)
    await expect(direct).to_contain_text("Blocked by the browser")
    await expect(direct).to_contain_text("TypeError: Failed to fetch")
    await expect(direct).to_contain_text("No 'Access-Control-Allow-Origin' header is present")
    await expect(proxied).to_contain_text("200 OK")
    await expect(proxied).to_contain_text("Desk lamp")
    await expect(proxied).to_contain_text("x-total-count")
    await expect(proxied).to_contain_text("Allowed by corsproxy.yaml:6:7")


@pytest.mark.parametrize(
    ("call", "outcome"),
    [
        ("Send JSON", "201"),
        ("Use the session", '200 { "user": "ada", "orders": 7 }'),
        ("Listen to events", "200 5 events"),
        ("Read a 404", '404 { "error": "no such product"'),
        ("Read a 500", '500 { "error": "the report database is down" }'),
    ],
)
async def test_a_row_tells_both_outcomes(shown: Page, call: str, outcome: str) -> None:
    row = shown.locator("details.row", has_text=call).first
    text = " ".join((await row.locator("summary").inner_text()).split())
    assert "blocked" in text
    assert outcome in text


@pytest.mark.parametrize(
    ("index", "code", "line", "console"),
    [
        (0, "method-not-allowed", 7, "Method DELETE is not allowed"),
        (1, "header-not-allowed", 8, "Request header field x-debug is not allowed"),
        (2, "origin-not-allowed", 6, "No 'Access-Control-Allow-Origin' header"),
    ],
)
async def test_a_refusal_names_its_line_and_its_edit(
    shown: Page, index: int, code: str, line: int, console: str
) -> None:
    card = shown.locator(".refusal").nth(index)
    await expect(card).to_contain_text(code)
    await expect(card).to_contain_text(f"corsproxy.yaml:{line}:")
    await expect(card).to_contain_text(console)
    await expect(card).to_contain_text("The API was not asked.")
    marked = shown.locator("#yaml li").nth(line - 1)
    await expect(marked.locator(".badge")).to_have_text(str(index + 1))
    await card.hover()
    await expect(marked).to_have_class(re.compile("pointed"))


async def test_an_edit_allows_the_call_at_once_and_is_taken_back(demo: Page) -> None:
    for index in range(3):
        card = demo.locator(".refusal").nth(index)
        await card.get_by_role("button", name="Allow it and call again").click()
        await expect(card).to_contain_text("allowed by your edit")
    await expect(demo.locator("#yaml .changed")).to_have_count(3)
    await demo.get_by_role("button", name="Undo the edits").click()
    await expect(demo.locator(".refusal", has_text="not-allowed")).to_have_count(3)


async def test_the_unlisted_page_alone_reads_nothing(demo: Page, context: BrowserContext) -> None:
    async with context.expect_page() as opened:
        await demo.get_by_role("link", name="Open it by itself").click()
    page = await opened.value
    await expect(page.get_by_role("status")).to_contain_text("could read nothing")


async def test_the_page_and_the_inspector_stand_side_by_side(
    demo: Page, context: BrowserContext
) -> None:
    await demo.get_by_role("button", name="Side by side with the inspector").click()
    # Chromium reports the two in either order, and at first without an address.
    await until(lambda: sum(each.url == demo.url for each in context.pages) == 2)
    await until(lambda: len(context.pages) == 3)
    first, second = context.pages[1:]
    page, inspector = (first, second) if first.url == demo.url else (second, first)
    await expect(page.locator("body")).to_have_attribute("data-state", "done")
    rows = inspector.locator("tr[data-exchange]")
    await expect(rows.filter(has_text="blocked").first).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
async def test_nothing_sticks_out_and_every_text_has_contrast(
    shown: Page, width: int, scheme: str
) -> None:
    await shown.set_viewport_size({"width": width, "height": 800})
    await shown.emulate_media(
        color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce"
    )
    assert await shown.evaluate("document.documentElement.scrollWidth") <= width
    assert await shown.evaluate(TOO_FAINT) == []


async def test_the_page_can_be_used_without_a_pointer(demo: Page) -> None:
    unnamed = await demo.evaluate(
        """() => [...document.querySelectorAll("button, a, summary, iframe, img")]
             .filter((e) => !(e.textContent.trim() || e.title || e.alt === ""))
             .map((e) => e.outerHTML)"""
    )
    assert unnamed == []
    row = demo.locator("details.row").first
    await row.locator("summary").focus()
    await demo.keyboard.press("Enter")
    await expect(row).to_have_attribute("open", "")
