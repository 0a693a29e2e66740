"""The log reports what Chromium did with a call, and Chromium's name for it."""

import json
import os
import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from playwright.async_api import Browser

from tests.browser.outcomes import PAGE, Lines, Made, Said, Seen, Watch, obedient_upstream
from tests.browser.proxy import RunningProxy, proxy_with_file
from tests.browser.servers import SANDBOXED

# `make outcomes CALLS=2000` makes more of them.
GENERATED = int(os.environ.get("CALLS", "60"))

INCLUDE = (("credentials", "include"),)
NO_CORS = (("mode", "no-cors"),)
PUT = (("method", "PUT"),)
CORP = "Cross-Origin-Resource-Policy"
GRANT = ("Access-Control-Allow-Origin", PAGE)
ANYONE = ("Access-Control-Allow-Origin", "*")
CREDENTIALS = ("Access-Control-Allow-Credentials", "true")


def headers(*names: str) -> tuple[tuple[str, object], ...]:
    return (("headers", dict.fromkeys(names, "1")),)


def to(location: str, status: int = 302, *more: tuple[str, str]) -> Said:
    return Said(status, (("Location", location), *more))


# Routes: `listed` allows the pages, `login` with credentials, `anyone` is "*", `narrow` allows
# no header and no method of its own, `other` none of the pages, `through` neither but forwards,
# and on `own` the upstream answers CORS itself.
KINDS: Sequence[Made] = (
    Made("listed"),
    Made("listed", init=INCLUDE),
    Made("login", init=INCLUDE),
    Made("anyone"),
    Made("anyone", init=INCLUDE),
    Made("other"),
    Made("other", init=NO_CORS),
    Made("other", init=(*NO_CORS, ("method", "POST"))),
    Made("through"),
    Made("through", init=INCLUDE),
    Made("listed", Said(404)),
    Made("listed", Said(500)),
    Made("listed", init=PUT),
    Made("narrow", init=PUT),
    Made("narrow", init=headers("x-a")),
    Made("narrow", init=headers("x-a", "x-b", "x-c")),
    Made("other", init=PUT),
    Made("listed", to("https://sso.example.invalid/login")),
    Made("listed", to("https://sso.example.invalid/login"), init=INCLUDE),
    Made("login", to("https://sso.example.invalid/login", 307), init=INCLUDE),
    Made("listed", to("/listed//{number}")),
    Made("listed", to("/other//{number}")),
    Made("listed", to("//elsewhere.example.invalid/", 301)),
    Made("listed", to("http://u:p@elsewhere.example.invalid/")),
    Made("listed", to("app://callback")),
    Made("listed", to("data:text/plain,x")),
    Made("listed", to("http://[/")),
    Made("listed", Said(302)),
    Made("listed", to("https://sso.example.invalid/", 201)),
    Made("other", to("https://sso.example.invalid/")),
    Made("listed", Said(200, ((CORP, "same-origin"),)), init=NO_CORS),
    Made("listed", Said(200, ((CORP, "same-site"),)), init=NO_CORS),
    Made("listed", Said(200, ((CORP, "cross-origin"),)), init=NO_CORS),
    Made("listed", Said(200, ((CORP, "Same-Origin"),)), init=NO_CORS),
    Made("listed", Said(200, ((CORP, "same-origin"),))),
    Made("listed", to("https://cdn.example.invalid/"), init=NO_CORS),
    Made("listed", to("app://x"), init=NO_CORS),
    Made("listed", to("data:image/png,x"), init=NO_CORS),
    Made("listed", Said(200, ((CORP, "same-origin"),)), kind="img"),
    Made("listed", kind="img"),
    Made("listed", kind="img-cors"),
    Made("other", kind="img-cors"),
    Made("listed", kind="script"),
    Made("listed", kind="xhr"),
    Made("listed", kind="xhr", init=INCLUDE),
    Made("login", kind="xhr", init=INCLUDE),
    Made("listed", Said(200, (("Content-Type", "text/event-stream"),)), kind="events"),
    Made("other", Said(200, (("Content-Type", "text/event-stream"),)), kind="events"),
    Made(
        "listed",
        Said(200, (("Content-Type", "text/event-stream"),)),
        kind="events",
        init=INCLUDE,
    ),
    Made("listed", Said(101), kind="websocket"),
    Made("listed", Said(404), kind="websocket"),
    Made("other", Said(101), kind="websocket"),
    Made("own"),
    Made("own", Said(200, (GRANT,))),
    Made("own", Said(200, (GRANT,)), init=INCLUDE),
    Made("own", Said(200, (GRANT, CREDENTIALS)), init=INCLUDE),
    Made("own", Said(200, (ANYONE,)), init=INCLUDE),
    Made("own", Said(200, (GRANT, GRANT))),
    Made("own", Said(200, (("Access-Control-Allow-Origin", "junk"),))),
    Made("own", Said(200, (("Access-Control-Allow-Origin", "http://x.example"),))),
    Made("own", Said(200, (GRANT,)), Said(403, (GRANT,)), init=PUT),
    Made("own", Said(200, (GRANT,)), Said(204, (GRANT,)), init=PUT),
    Made("own", Said(200, (GRANT,)), to("/own//{number}", 302, GRANT), init=PUT),
    Made(
        "own",
        Said(200, (GRANT,)),
        Said(204, (GRANT, ("Access-Control-Allow-Methods", "a b"))),
        init=PUT,
    ),
    Made(
        "own",
        Said(200, (GRANT,)),
        Said(204, (GRANT, ("Access-Control-Allow-Methods", "PUT"))),
        init=PUT,
    ),
)


def generated(count: int, seed: int) -> list[Made]:
    """Calls of every kind, put together at random."""
    draw = random.Random(seed)
    locations = (
        "/listed//{number}", "/login//{number}", "/other//{number}", "",
        "https://sso.example.invalid/", "//elsewhere.example.invalid", "app:x", "data:,x",
        "http://u@localhost/", "http://[", "http://a b/", "\\\\elsewhere.example.invalid/",
        "https:elsewhere.example.invalid", "http:///elsewhere.example.invalid/",
    )  # fmt: skip
    grants = ((), (GRANT,), (ANYONE,), (GRANT, CREDENTIALS), (GRANT, GRANT),
              (("Access-Control-Allow-Origin", ""),),
              (GRANT, ("Access-Control-Allow-Credentials", "True")))  # fmt: skip
    methods = ((), (("Access-Control-Allow-Methods", "PUT, DELETE"),),
               (("Access-Control-Allow-Methods", "*"), ("Access-Control-Allow-Headers", "*")),
               (("Access-Control-Allow-Headers", "x-a, x-b"),))  # fmt: skip

    def said() -> Said:
        fields: Lines = draw.choice(grants)
        if draw.random() < 0.3:
            fields += ((CORP, draw.choice(("same-origin", "same-site", "cross-origin", "x"))),)
        if draw.random() < 0.4:
            status = draw.choice((301, 302, 303, 307, 308, 300))
            return Said(status, (*fields, ("Location", draw.choice(locations))))
        return Said(draw.choice((200, 200, 201, 204, 400, 401, 404, 500, 503)), fields)

    def init() -> tuple[tuple[str, object], ...]:
        mode = draw.random()
        if mode < 0.2:
            return (*NO_CORS, ("method", draw.choice(("GET", "POST", "HEAD"))))
        found: tuple[tuple[str, object], ...] = draw.choice(((), INCLUDE))
        found += draw.choice(((), PUT, (("method", "POST"),), (("method", "DELETE"),)))
        return found + draw.choice(((), (), headers("x-a"), headers("x-a", "x-b")))

    return [
        Made(
            draw.choice(("listed", "login", "anyone", "narrow", "other", "through", "own")),
            said(),
            Said(draw.choice((204, 204, 200, 403)), (*draw.choice(grants), *draw.choice(methods))),
            draw.choice(("fetch", "fetch", "fetch", "xhr", "img")),
            init(),
        )
        for _ in range(count)
    ]


KEPT = {"origin": "keep", "cookies": "keep"}


class Pages(NamedTuple):
    """Pages of several origins, as the policies list them."""

    port: int

    @property
    def of_same_site(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def urls(self) -> dict[str, str]:
        """By origin."""
        near, far = self.of_same_site, f"http://127.0.0.1:{self.port}"
        return {near: near, far: far, "null": f"{near}{SANDBOXED}"}


def allowlist(upstream: str, pages: Pages) -> dict[str, object]:
    listed = {"allow_origins": list(pages.urls)}
    # A sandboxed page has no origin of its own, and no list gives it credentials.
    with_credentials = [each for each in pages.urls if each != "null"]
    rules: dict[str, object] = {
        "listed": listed,
        "login": {"allow_origins": with_credentials, "allow_credentials": True},
        "anyone": {"allow_origins": ["*"], "allow_headers": ["*"]},
        "narrow": {**listed, "allow_methods": ["GET"], "allow_headers": []},
        "other": {"allow_origins": ["https://other.example"]},
        "through": {"allow_origins": ["https://other.example"], "unlisted_origins": "forward"},
        "own": "passthrough",
    }
    routes = [
        {"name": name, "path": f"/{name}", "upstream": upstream, "cors": cors, **KEPT}
        for name, cors in rules.items()
    ]
    return {"routes": routes}


async def disagreements(
    browser: Browser, running: RunningProxy, pages: Pages, calls: Sequence[Made]
) -> tuple[list[str], set[Seen]]:
    """Make every call from every page; returns where log and Chromium differ, and what was
    seen."""
    context = await browser.new_context()
    home = f"http://localhost:{running.port}"
    cookies = Said(
        200,
        (("Set-Cookie", "near=1; Path=/"), ("Set-Cookie", "far=1; Path=/; SameSite=None; Secure")),
    )
    page = await context.new_page()
    await page.goto(home + Made("login", cookies).path(0, ""))
    await page.close()
    expected: dict[str, tuple[Made, str, Seen]] = {}
    for origin, url in pages.urls.items():
        watch = await Watch.open(context, url)
        # Chromium sends no cookie from another site, and an empty jar proves nothing.
        own = [call for call in calls if origin == pages.of_same_site or not call.is_credentialed]
        made = [
            (call, home + call.path(len(expected) + place, origin))
            for place, call in enumerate(own)
        ]
        for start in range(0, len(made), 20):
            batch = made[start : start + 20]
            for (call, target), seen in zip(batch, await watch.call(batch), strict=True):
                expected[target.rpartition("/")[2]] = (call, origin, seen)
        await watch.page.close()
    await context.close()
    differences = await _differences(running, expected)
    return differences, {seen for _, _, seen in expected.values()}


async def _differences(
    running: RunningProxy, expected: Mapping[str, tuple[Made, str, Seen]]
) -> list[str]:
    """What the log says otherwise; waits for the lines of calls that end late."""
    told: dict[str, tuple[str, str | None]] = {}
    read = 0

    def wrong() -> list[str]:
        nonlocal read
        lines = running.program.lines[read:]
        read += len(lines)
        for event in map(_event, lines):
            if "outcome" in event:
                number = event["path"].partition("?")[0].rpartition("/")[2]
                told[number] = (event["outcome"], event.get("browser_error"))
        return [
            number
            for number, (_, _, seen) in expected.items()
            if not _agree(seen, *told.get(number, ("", None)))
        ]

    with suppress(AssertionError):
        await running.program.until(lambda _: not wrong())
    return [f"{expected[each]}, {told.get(each)}" for each in wrong()]


def _agree(seen: Seen, word: str, error: str | None) -> bool:
    # A page may be of the same site but for its scheme, and that nothing says.
    if word == "unknown":
        return True
    # A preflight carries no cookie, so it may be for a call without credentials.
    if seen.error in ("PreflightInvalidAllowCredentials", "PreflightWildcardOriginNotAllowed"):
        return word in ("", "blocked")
    return word == seen.word and seen.error in (None, error)


def _event(line: str) -> dict[str, str]:
    return json.loads(line) if line.startswith("{") else {}


async def test_the_log_agrees_with_chromium_for_each_kind_of_call(
    browser: Browser, tmp_path: Path, page_port: int
) -> None:
    pages = Pages(page_port)
    assert len(set(map(str, KINDS))) > 60
    async with (
        obedient_upstream() as upstream,
        proxy_with_file(tmp_path, allowlist(upstream, pages)) as running,
    ):
        found, kinds = await disagreements(browser, running, pages, KINDS)
    assert not found, f"{len(found)}\n" + "\n".join(found[:20])
    assert {each.word for each in kinds} == {"readable", "blocked", "leaves", "opaque"}
    assert len({each.error for each in kinds}) > 12


async def test_the_log_agrees_with_chromium_for_random_calls(
    browser: Browser, tmp_path: Path, page_port: int
) -> None:
    pages = Pages(page_port)
    async with (
        obedient_upstream() as upstream,
        proxy_with_file(tmp_path, allowlist(upstream, pages)) as running,
    ):
        found, _ = await disagreements(browser, running, pages, generated(GENERATED, seed=1))
    assert not found, f"{len(found)}\n" + "\n".join(found[:20])
