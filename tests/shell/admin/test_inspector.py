"""The inspector's parts together, over a socket: what its page gets and what it may do."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession, CookieJar, web

from corsproxy.config.editing.edits import File
from corsproxy.core.policy import Policy
from corsproxy.core.refusals import refuse_unread
from corsproxy.shell.admin.inspector.assembly import Inspection, inspection
from corsproxy.shell.admin.inspector.exchanges import Direction, Exchange, Message
from corsproxy.shell.admin.inspector.replay import Listener
from corsproxy.shell.admin.inspector.ring import Ring
from tests.inspecting import captured, preflight
from tests.peers import until
from tests.policies import PAGE, policy

CONFIG = """\
upstream: http://api.test:9000
cors:
  allow_origins:
    - http://localhost:5173  # the app
  allow_methods: [GET, POST]
"""
SECRET = "hunter2-Correct-Horse"


class Page:
    """What a page's script can ask the inspector, as a browser would send it."""

    def __init__(self, url: str, session: ClientSession, parts: Inspection, file: Path) -> None:
        self.url = url
        self._session = session
        self._parts = parts
        self.file = file
        self.notes: list[str] = []
        """What people at the terminal are told."""

    @property
    def ring(self) -> Ring:
        ring: Ring = self._parts.capture.ring
        return ring

    def add(self, exchange: Exchange) -> None:
        """Have it in the table."""
        self.ring.add(exchange)
        self.ring.settle()

    async def get(self, path: str, **headers: str) -> ClientResponse:
        sent = {"Sec-Fetch-Site": "same-origin", **headers}
        return await self._session.get(f"{self.url}{path}", headers=sent, allow_redirects=False)

    async def ask(self, path: str) -> Any:
        response = await self.get(f"/inspector/{path}")
        assert response.status == 200, await response.text()
        return await response.json()

    async def post(self, path: str, content: object, **headers: str) -> ClientResponse:
        sent = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/json", **headers}
        return await self._session.post(
            f"{self.url}/inspector/{path}", data=json.dumps(content), headers=sent
        )

    async def do(self, path: str, content: object = None) -> Any:
        response = await self.post(path, content or {})
        assert response.status == 200, await response.text()
        return await response.json()


def read(file: Path) -> Policy:
    return File(file.read_bytes(), file.name, {}, "/", "2026-01-01").reading.policy


@pytest.fixture
async def page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> AsyncIterator[Page]:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "corsproxy.yaml"
    file.write_text(CONFIG)
    async with serving(unused_tcp_port, file, "corsproxy.yaml", read(file)) as opened:
        yield opened


class serving:  # noqa: N801 - used as a function
    def __init__(self, port: int, file: Path, name: str | None, by: Policy) -> None:
        self._port, self._file, self._name, self._policy = port, file, name, by

    async def __aenter__(self) -> Page:
        async def reload() -> None:
            self._parts.policies.adopt(read(self._file))

        async def adopt(adopted: Policy) -> None:
            self._parts.policies.adopt(adopted)

        self._parts = inspection(
            self._policy,
            admin_port=self._port,
            listener=Listener("127.0.0.1", 9),
            file=self._name,
            adopt=adopt,
            reload=reload,
            note=lambda text: opened.notes.append(text),
        )
        application = web.Application()
        self._parts.inspector.add_to(application)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._session = ClientSession(cookie_jar=CookieJar(unsafe=True))
        opened = Page(f"http://127.0.0.1:{self._port}", self._session, self._parts, self._file)
        answer = await opened.get(f"/?token={self._parts.token}", **{"Sec-Fetch-Site": "none"})
        assert (answer.status, answer.headers["Location"]) == (303, "/")
        return opened

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()
        await self._runner.cleanup()


# Who gets in.

GETS = ["/", "/inspector/main.js", "/inspector/rows", "/inspector/rows/1", "/inspector/events",
        "/inspector/allowlist"]  # fmt: skip
POSTS = ["rows/1/reveal", "rows/1/copy", "rows/1/replay", "rows/1/edit", "rows/1/write", "undo",
         "clear", "har"]  # fmt: skip


@pytest.mark.parametrize("path", GETS)
async def test_without_the_cookie_nothing_is_read(page: Page, path: str) -> None:
    page.add(captured(content=SECRET.encode()))
    async with ClientSession() as stranger, stranger.get(page.url + path) as response:
        text = await response.text()
        assert (response.status, "token" in text, SECRET in text) == (401, True, False)
        assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", GETS)
async def test_a_rebound_name_reads_nothing(page: Page, path: str) -> None:
    response = await page.get(path, Host="rebound.example")
    assert response.status == 421
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Content-Type": "text/plain"},
        {"Host": "rebound.example"},
        {"Cookie": "corsproxy-inspector-8011=guess"},
    ],
    ids=lambda each: next(iter(each)),
)
async def test_no_other_page_does_anything(page: Page, path: str, headers: dict[str, str]) -> None:
    page.add(captured(origin="https://new.example"))
    if "Cookie" in headers:
        page._session.cookie_jar.clear()
    response = await page.post(path, {}, **headers)
    assert response.status in (401, 403, 415, 421)
    assert page.file.read_text() == CONFIG
    assert len(page.ring) == 1


@pytest.mark.parametrize("path", [f"/inspector/{path}" for path in POSTS])
async def test_nothing_is_done_by_get(page: Page, path: str) -> None:
    page.add(captured())
    assert (await page.get(path)).status in (404, 405)


async def test_a_wrong_token_opens_nothing_and_takes_nothing_away(page: Page) -> None:
    assert (await page.get("/?token=wrong")).status == 200
    page._session.cookie_jar.clear()
    assert (await page.get("/?token=wrong")).status == 401


@pytest.mark.parametrize(
    "path", ["/", "/inspector/main.js", "/inspector/rows", "/inspector/none.js"]
)
async def test_every_response_is_no_store_with_a_strict_csp(page: Page, path: str) -> None:
    headers = (await page.get(path)).headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "'unsafe" not in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert not [name for name in headers if name.lower().startswith("access-control-")]


@pytest.mark.parametrize(
    "data", [b"[]", b"{", b"", b"[" * 60_000, b"\xff", b'"' + b"x" * 70_000 + b'"']
)
async def test_a_body_other_than_a_json_object_is_refused(page: Page, data: bytes) -> None:
    headers = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/json"}
    response = await page._session.post(f"{page.url}/inspector/har", data=data, headers=headers)
    assert response.status == 422


# What it reads.


async def test_rows(page: Page) -> None:
    page.add(preflight("PUT", b"/v1/users?token=" + SECRET.encode()))
    page.add(captured("PUT", b"/v1/users?token=" + SECRET.encode(), content=b"{}"))
    page.add(captured(origin="https://evil.example"))
    found = await page.ask("rows")
    first, second = found["rows"]
    assert (first["method"], first["status"], first["outcome"]) == ("PUT", 200, "readable")
    assert (first["preflight"], first["route"], first["ms"], first["size"]) == (
        "passed", "default", 12.0, 2,
    )  # fmt: skip
    assert SECRET not in json.dumps(found)
    assert (second["status"], second["outcome"], second["allowed"], second["code"]) == (
        403, "blocked", False, "origin-not-allowed",
    )  # fmt: skip


async def test_a_malformed_request_is_a_row_without_actions(page: Page) -> None:
    exchange = captured("", b"\x16\x03\x01" + b"\xff" * 9, origin=None)
    exchange.verdict = refuse_unread(policy(), exchange.request.target).verdict
    page.add(exchange)
    (row,) = (await page.ask("rows"))["rows"]
    assert (row["method"], row["kind"], row.get("protocol")) == ("", "unreadable", None)
    for path, content in (("copy", {"as": "curl"}), ("replay", {"confirmed": True}), ("edit", {})):
        assert "reason" in await page.do(f"rows/{exchange.row}/{path}", content)
    assert (await page.ask(f"rows/{exchange.row}"))["why"]["code"] == "bad-request"
    assert (await page.do("har", {"ids": [exchange.row]}))["log"]["entries"] == []


async def test_details(page: Page) -> None:
    exchange = captured(
        "POST",
        fields=[(b"Cookie", b"s=" + SECRET.encode()), (b"X-Kept", b"1")],
        upstream=[(b"Set-Cookie", b"a=b; Domain=api.test; Secure"), (b"X-Gone", b"1"),
                  (b"X-Same", b"1")],
        answer=[(b"Set-Cookie", b"a=b"), (b"X-Same", b"1"), (b"Vary", b"Origin")],
        content=b'{"password": "' + SECRET.encode() + b'"}',
    )  # fmt: skip
    page.add(exchange)
    found = await page.ask(f"rows/{exchange.row}")
    assert SECRET not in json.dumps(found)
    changes = {field["name"]: field["change"] for field in found["headers"]["response"]["fields"]}
    assert changes == {
        "Set-Cookie": "changed", "X-Gone": "removed", "X-Same": "kept", "Vary": "added",
        "Date": "added",
    }  # fmt: skip
    asked = {field["name"]: field["change"] for field in found["headers"]["request"]["fields"]}
    assert (asked["Host"], asked["Origin"], asked["X-Kept"]) == ("changed", "changed", "kept")
    (cookie,) = found["headers"]["response"]["cookies"]
    assert cookie["name"] == "a"
    assert any("Domain=api.test" in remark for remark in cookie["remarks"])
    assert [span["name"] for span in found["timing"]] == ["Queue", "Waiting", "Receiving"]
    assert found["why"]["steps"][-1]["passed"]


async def test_no_detail_has_the_secrets_of_the_target(page: Page) -> None:
    target = b"/v1/users?page=2&access_token=" + SECRET.encode()
    leaving = [(b"Location", b"https://login.example/?code=" + SECRET.encode())]
    for exchange in (
        captured(target=target),
        captured(target=target, origin="https://evil.example"),
        captured(target=target, origin=None),
        captured(target=target, status=500),
        captured(target=target, status=302, upstream=leaving, answer=leaving),
        captured("POST", target, [(b"Cookie", b"a=" + SECRET.encode())]),
        preflight("DELETE", target),
        preflight("POST", target, b"content-type"),
    ):
        page.add(exchange)
        found = await page.ask(f"rows/{exchange.row}")
        assert SECRET not in json.dumps(found)
        text = found["why"]["steps"][0]["text"]
        assert "/v1/users" not in text or found["row"]["path"] in text


async def test_why_is_what_explain_says(page: Page) -> None:
    exchange = preflight("DELETE", by=read(page.file))
    exchange.generation = 1
    page.add(exchange)
    why = (await page.ask(f"rows/{exchange.row}"))["why"]
    assert (why["code"], why["at"]) == ("method-not-allowed", "corsproxy.yaml:5:18")
    assert [step["passed"] for step in why["steps"]] == [True, True, False]
    assert why["browser_error"] == "MethodDisallowedByPreflightResponse"
    assert "Method DELETE is not allowed" in why["console"]


async def test_a_refused_websocket_has_no_name_of_a_cors_error(page: Page) -> None:
    upgrade = [
        (b"Connection", b"Upgrade"),
        (b"Upgrade", b"websocket"),
        (b"Sec-WebSocket-Version", b"13"),
        (b"Sec-WebSocket-Key", b"a" * 22 + b"=="),
    ]
    exchange = captured(fields=upgrade, origin="https://evil.example")
    page.add(exchange)
    why = (await page.ask(f"rows/{exchange.row}"))["why"]
    assert (why["kind"], why["code"]) == ("websocket", "origin-not-allowed")
    assert "Error during WebSocket handshake" in why["console"]
    assert "browser_error" not in why


async def test_messages(page: Page) -> None:
    exchange = captured(status=101)
    for kind, data in (("text", b'{"token": "%b"}' % SECRET.encode()), ("binary", b"\0\1"),
                       ("close", b"\x03\xe8bye")):  # fmt: skip
        exchange.note(Message(1.0, Direction.TO_CLIENT, kind, data, len(data)))
    page.add(exchange)
    messages = (await page.ask(f"rows/{exchange.row}"))["messages"]
    assert SECRET not in json.dumps(messages)
    assert [message.get("text", message.get("hex")) for message in messages][1:] == [
        "00 01", "1000 bye",
    ]  # fmt: skip


async def test_a_secret_is_sent_on_request(page: Page) -> None:
    exchange = captured(fields=[(b"Authorization", f"Bearer {SECRET}".encode())])
    page.add(exchange)
    text = json.dumps(await page.ask(f"rows/{exchange.row}"))
    mark = text.partition("[redacted:")[2][:16]
    assert await page.do(f"rows/{exchange.row}/reveal", {"mark": mark}) == {"value": SECRET}
    assert (await page.post(f"rows/{exchange.row}/reveal", {"mark": "0" * 16})).status == 404


async def test_the_allowlist_view_shows_the_use_of_entries(page: Page) -> None:
    usage, by = page._parts.capture.usage, read(page.file)
    for exchange in (preflight("POST", headers=b"content-type", by=by), captured("POST", by=by),
                     captured(by=by), preflight("DELETE", by=by),
                     captured(origin="https://new.example", by=by),
                     captured(origin="http://localhost:3000", by=by),
                     captured(origin="null", by=by)):  # fmt: skip
        page.add(exchange)
        usage.add(exchange)
    found = await page.ask("allowlist")
    entries = {
        (entry["kind"], entry["value"]): (entry["calls"], entry["preflights"])
        for entry in found["routes"][0]["entries"]
    }
    assert entries["origin", PAGE] == (2, 1)
    assert (entries["method", "POST"], entries["method", "GET"]) == ((1, 1), (1, 0))
    assert entries["header", "content-type"] == (0, 1)
    assert {each["kind"] for each in found["refusals"] if each["origin"] == "null"} == {None}
    refused = {
        (each["code"], each["origin"]): each["proposed"]
        for each in found["refusals"]
        if each["kind"] is not None
    }
    assert refused == {
        ("method-not-allowed", PAGE): True,
        ("origin-not-allowed", "https://new.example"): False,
        ("origin-not-allowed", "http://localhost:3000"): True,
    }
    assert "+    - http://localhost:3000" in found["learnt"]["diff"]
    assert "+  allow_methods: [GET, POST, DELETE]" in found["learnt"]["diff"]
    (other, null) = found["learnt"]["others"]
    assert null["reason"] == "any page can have the origin null"
    assert (other["origin"], other["times"]) == ("https://new.example", 1)


async def test_uses_follow_an_entry_to_its_new_line(page: Page) -> None:
    page._parts.capture.usage.add(captured(by=read(page.file)))
    page.file.write_text("# a line more\n" + CONFIG)
    page._parts.policies.adopt(read(page.file))
    entry = (await page.ask("allowlist"))["routes"][0]["entries"][0]
    assert (entry["at"], entry["calls"]) == ("corsproxy.yaml:5:7", 1)


# What its buttons do.


async def test_allow_writes_the_shown_edit_and_undo_reverts_it(page: Page) -> None:
    exchange = preflight("DELETE", by=read(page.file))
    exchange.generation = 1
    page.add(exchange)
    page._parts.capture.usage.add(exchange)
    edit = await page.do(f"rows/{exchange.row}/edit")
    assert "+  allow_methods: [GET, POST, DELETE]" in edit["diff"]
    assert page.file.read_text() == CONFIG
    written = await page.do(f"rows/{exchange.row}/write", {"known": edit["known"]})
    assert written["written"]
    assert page.file.read_text() == CONFIG.replace("[GET, POST]", "[GET, POST, DELETE]")
    assert (await page.ask("rows"))["state"]["undo"] == written["summary"]
    why = (await page.ask(f"rows/{exchange.row}"))["why"]
    assert (why["is_old"], why["now"]["allowed"]) == (True, True)
    assert (await page.ask("rows"))["rows"][0]["mended"]
    assert (await page.ask("allowlist"))["refusals"][0]["mended"]
    again = await page.do(f"rows/{exchange.row}/edit")
    assert (again["possible"], again["allowed"]) == (False, True)
    assert "repeat the call" in again["reason"]
    assert (await page.do("undo"))["undone"]
    assert "mended" not in (await page.ask("rows"))["rows"][0]
    assert page.file.read_text() == CONFIG
    assert not (await page.do("undo"))["undone"]


async def test_what_has_been_mended_stays_so_when_the_policy_of_then_is_forgotten(
    page: Page,
) -> None:
    refused = preflight("DELETE", by=read(page.file))
    unread = captured("", b"/nonsense")
    unread.verdict = refuse_unread(policy(), b"/nonsense").verdict
    for exchange in (refused, unread):
        exchange.generation = 1
        page.add(exchange)
    edit = await page.do(f"rows/{refused.row}/edit")
    await page.do(f"rows/{refused.row}/write", {"known": edit["known"]})
    for _ in range(12):
        page._parts.policies.adopt(read(page.file))
    assert page._parts.policies.decided_by(1) is None
    first, second = (await page.ask("rows"))["rows"]
    assert first["mended"]
    assert "mended" not in second
    again = await page.do(f"rows/{refused.row}/edit")
    assert (again["possible"], again["allowed"]) == (False, True)


async def test_a_granted_preflight_without_a_call_names_credentials(page: Page) -> None:
    exchange = preflight("POST", headers=b"content-type", by=read(page.file))
    page.add(exchange)
    why = (await page.ask(f"rows/{exchange.row}"))["why"]
    assert "corsproxy allow credentials" in " ".join(why["hints"])
    edit = await page.do(f"rows/{exchange.row}/edit")
    assert "+  allow_credentials: true" in edit["diff"]
    page.add(captured("POST", by=read(page.file)))
    why = (await page.ask(f"rows/{exchange.row}"))["why"]
    assert "credentials" not in json.dumps(why)


async def test_concurrent_edits_survive(page: Page) -> None:
    exchange = preflight("DELETE", by=read(page.file))
    page.add(exchange)
    edit = await page.do(f"rows/{exchange.row}/edit")
    changed = CONFIG.replace("[GET, POST]", "[GET, POST, PUT]")
    page.file.write_text(changed)
    refused = await page.do(f"rows/{exchange.row}/write", {"known": edit["known"]})
    assert (refused["written"], refused["changed"]) == (False, True)
    assert "+  allow_methods: [GET, POST, PUT, DELETE]" in refused["diff"]
    assert page.file.read_text() == changed
    assert (await page.do(f"rows/{exchange.row}/write", {"known": refused["known"]}))["written"]
    by_hand = page.file.read_text() + "# mine\n"
    page.file.write_text(by_hand)
    found = await page.do("undo")
    assert (found["undone"], "left as it is" in found["reason"]) == (False, True)
    assert "-  allow_methods: [GET, POST, PUT, DELETE]" in found["diff"]
    assert page.file.read_text() == by_hand
    again = by_hand.replace("[GET,", "[HEAD, GET,")
    page.file.write_text(again)
    found = await page.do("undo", {"known": found["known"]})
    assert (found["undone"], page.file.read_text()) == (False, again)
    assert (await page.do("undo", {"known": found["known"]}))["undone"]
    assert page.file.read_text() == again.replace(", DELETE", "")


async def test_undo_goes_back_change_by_change(page: Page) -> None:
    contents = [CONFIG]
    for exchange in (preflight("DELETE"), preflight("POST", headers=b"x-new"),
                     captured(origin="https://new.example")):  # fmt: skip
        page.add(exchange)
        edit = await page.do(f"rows/{exchange.row}/edit")
        assert (await page.do(f"rows/{exchange.row}/write", {"known": edit["known"]}))["written"]
        contents.append(page.file.read_text())
    assert (await page.ask("rows"))["state"]["change"] == 3
    assert "new.example" in (await page.do("undo", {"change": 2}))["reason"]
    for number in (3, 2, 1):
        assert page.file.read_text() == contents[number]
        assert (await page.do("undo", {"change": number}))["undone"]
        assert "nothing to undo" in (await page.do("undo", {"change": number}))["reason"]
    assert page.file.read_text() == CONFIG
    assert (await page.ask("rows"))["state"]["undo"] is None


@pytest.mark.parametrize(
    ("by_hand", "offered", "told"),
    [
        (CONFIG, None, "nothing to undo"),
        (CONFIG.replace("POST]", "POST]  # , DELETE"), None, "nothing to undo"),
        (CONFIG.replace("[GET, POST]", "[DELETE]"), 1, "Edit the file by hand."),
        (
            CONFIG.replace("[GET, POST]", '"*"'),
            1,
            "edited or removed since. Edit the file by hand.",
        ),
    ],
    ids=["removed", "commented", "the only one", "replaced"],
)
async def test_undo_is_offered_while_its_entry_is_in_force(
    page: Page, by_hand: str, offered: int | None, told: str
) -> None:
    exchange = preflight("DELETE")
    page.add(exchange)
    edit = await page.do(f"rows/{exchange.row}/edit")
    await page.do(f"rows/{exchange.row}/write", {"known": edit["known"]})
    page.file.write_text(by_hand)
    page._parts.policies.adopt(read(page.file))
    assert (await page.ask("rows"))["state"]["change"] == (offered or 0)
    found = await page.do("undo", {"change": 1})
    assert (found["undone"], told in found["reason"]) == (False, True)
    assert page.file.read_text() == by_hand


@pytest.mark.parametrize(
    ("by_hand", "told", "allowed"),
    [
        (CONFIG.replace("POST]", "POST, DELETE]"), "DELETE: allowed already", True),
        (CONFIG.replace("[GET, POST]", '"*"'), 'allowed already (by "*"', True),
        (CONFIG + "nonsense: 1\n", "unknown key `nonsense`", None),
        ("", "the file is empty", None),
        (None, "there is no regular file of that name", None),
    ],
    ids=["the same edit", "more than that", "a mistake", "emptied", "removed"],
)
async def test_what_a_person_does_to_the_file_before_write_stays(
    page: Page, by_hand: str | None, told: str, allowed: bool | None
) -> None:
    exchange = preflight("DELETE", by=read(page.file))
    page.add(exchange)
    edit = await page.do(f"rows/{exchange.row}/edit")
    page.file.unlink() if by_hand is None else page.file.write_text(by_hand)
    found = await page.do(f"rows/{exchange.row}/write", {"known": edit["known"]})
    assert (found["written"], found["possible"], found.get("allowed")) == (False, False, allowed)
    assert told in found["reason"]
    assert (page.file.read_text() if page.file.exists() else None) == by_hand
    assert not (await page.do("undo"))["undone"]


@pytest.mark.parametrize("broken", ["", "cors: [", CONFIG + "nonsense: 1\n"])
async def test_a_broken_file_is_left_alone(page: Page, broken: str) -> None:
    exchange = preflight("DELETE", by=read(page.file))
    page.add(exchange)
    page.file.write_text(broken)
    edit = await page.do(f"rows/{exchange.row}/edit")
    assert (edit["possible"], "left as it is" in edit["reason"]) == (False, True)
    assert page.file.read_text() == broken


async def test_a_call_that_no_entry_can_allow_has_no_edit(page: Page) -> None:
    exchange = captured(origin="null")
    page.add(exchange)
    edit = await page.do(f"rows/{exchange.row}/edit")
    assert edit == {"possible": False, "reason": "No entry of the allowlist would allow it."}


async def test_a_call_that_is_allowed_needs_no_edit(page: Page) -> None:
    exchange = captured(by=read(page.file))
    page.add(exchange)
    edit = await page.do(f"rows/{exchange.row}/edit")
    told = "The current allowlist allows it, and nothing needs to be added."
    assert edit == {"possible": False, "reason": told}


async def test_without_a_file_it_allows_until_the_end(tmp_path: Path, unused_tcp_port: int) -> None:
    async with serving(unused_tcp_port, tmp_path / "none", None, policy()) as page:
        exchange = captured(origin="https://new.example")
        page.add(exchange)
        edit = await page.do(f"rows/{exchange.row}/edit")
        assert edit["mode"] == "quick"
        copied = (await page.do(f"rows/{exchange.row}/copy", {"as": "explain"}))["text"]
        assert copied.endswith(f"-- {policy().routes[0].upstream} /v1/users")
        assert (await page.do(f"rows/{exchange.row}/write", {"known": edit["known"]}))["written"]
        assert (await page.ask(f"rows/{exchange.row}"))["why"]["now"]["allowed"]
        assert (await page.do("undo"))["undone"]
        assert not (await page.ask(f"rows/{exchange.row}"))["why"].get("now", {}).get("allowed")
        assert not page.file.exists()
        allowed, taken_back = page.notes
        assert allowed.startswith("origin https://new.example is allowed until the proxy stops")
        assert taken_back.startswith("origin https://new.example is no longer allowed")


@pytest.mark.parametrize("form", ["curl", "fetch", "explain", "test"])
async def test_copies_are_free_of_secrets_unless_asked(page: Page, form: str) -> None:
    exchange = captured(target=b"/?token=" + SECRET.encode())
    page.add(exchange)
    found = await page.do(f"rows/{exchange.row}/copy", {"as": form})
    assert SECRET not in found["text"]
    whole = await page.do(f"rows/{exchange.row}/copy", {"as": form, "secrets": True})
    assert SECRET in whole["text"]
    assert (await page.post(f"rows/{exchange.row}/copy", {"as": "perl"})).status == 422


async def test_a_har_has_the_rows_that_it_is_asked_for(page: Page) -> None:
    for exchange in (preflight("PUT"), captured("PUT"), captured(target=b"/other")):
        page.add(exchange)
    found = await page.do("har", {"ids": [1, 99, "x", True]})
    methods = [entry["request"]["method"] for entry in found["log"]["entries"]]
    assert methods == ["OPTIONS", "PUT"]


async def test_clearing(page: Page) -> None:
    page.add(captured())
    await page.do("clear")
    assert (await page.ask("rows"))["rows"] == []
    assert (await page.get("/inspector/rows/1")).status == 404


@pytest.mark.parametrize(
    ("asked", "reason", "asks"),
    [
        ({}, "may change something", True),
        ({"origin": "nonsense"}, "is not an origin", False),
        ({"origin": "https://new.example/path"}, "is not an origin", False),
    ],
)
async def test_an_unsafe_replay_asks_first(
    page: Page, asked: dict[str, str], reason: str, asks: bool
) -> None:
    exchange = captured("POST", body=b"{}")
    page.add(exchange)
    found = await page.do(f"rows/{exchange.row}/replay", asked)
    assert (found["sent"], found["asks"]) == (False, asks)
    assert reason in found["reason"]


# The feed.


async def events(page: Page, count: int, **headers: str) -> list[Any]:
    response = await page.get("/inspector/events", **headers)
    assert response.headers["Cache-Control"] == "no-store"
    found: list[Any] = []
    while len(found) < count:
        line = await asyncio.wait_for(response.content.readline(), 5)
        if line.startswith(b"data: "):
            found.append(json.loads(line.removeprefix(b"data: ")))
    response.close()
    return found


async def test_the_feed_begins_with_a_snapshot_and_continues(page: Page) -> None:
    page.add(captured())
    reading = asyncio.create_task(events(page, 2))
    await until(lambda: bool(page.ring._followers))
    page.add(captured(target=b"/second"))
    first, second = await reading
    assert [row["path"] for row in first["rows"]] == ["/v1/users"]
    assert [row["path"] for row in second["rows"]] == ["/second"]


async def test_a_returning_reader_gets_what_it_missed(page: Page) -> None:
    page.add(captured())
    (first,) = await events(page, 1)
    page.add(captured(target=b"/missed"))
    seen = f"{first['epoch']}-{first['change']}"
    (found,) = await events(page, 1, **{"Last-Event-ID": seen})
    assert [row["path"] for row in found["rows"]] == ["/missed"]


@pytest.mark.parametrize(
    "seen", ["other-1", "nonsense", "-", "epoch-\u00b2", "x-99999999999999999999"]
)
async def test_a_reader_from_another_run_gets_everything(page: Page, seen: str) -> None:
    page.add(captured())
    (found,) = await events(page, 1, **{"Last-Event-ID": seen})
    assert len(found["rows"]) == 1


async def test_a_reader_that_has_left_is_forgotten(page: Page) -> None:
    await events(page, 1)

    def is_left() -> bool:
        page.add(captured())
        return not page.ring._followers

    await until(is_left)
