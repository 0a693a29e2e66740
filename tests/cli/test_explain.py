"""The decision in words."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.peers import RawPeer, answers
from tests.process import finished

PAGE = "http://localhost:5173"
FILE = f"""\
upstream: https://api.example.com
cors:
  allow_origins:
    - {PAGE}
"""


TWO_ROUTES = f"""\
cors: {{allow_origins: [{PAGE}]}}
routes:
  - {{path: /a, upstream: "http://a.test", cors: {{allow_methods: [PUT]}}}}
  - {{path: /b, upstream: "http://b.test", cors: {{allow_methods: [PUT]}}}}
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "corsproxy.yaml").write_text(FILE)
    return tmp_path


async def test_an_allowed_call(directory: Path) -> None:
    code, out, err = await finished("explain", "--origin", PAGE, "/v1/users", cwd=directory)
    assert (code, err) == (0, "")
    assert "allowed: origin-allowed" in out
    assert "(corsproxy.yaml:4:7)" in out
    assert f"Access-Control-Allow-Origin: {PAGE}" in out


async def test_a_refused_call_says_what_would_allow_it(directory: Path) -> None:
    arguments = ("--origin", PAGE, "--method", "PURGE", "--header", "X-A", "/v1/users")
    code, out, _ = await finished("explain", *arguments, cwd=directory)
    assert code == 1
    assert "refused: method-not-allowed" in out
    assert 'Add "PURGE" to allow_methods' in out


async def test_json(directory: Path) -> None:
    arguments = ("explain", "--json", "--origin", "https://evil.example", "/")
    code, out, _ = await finished(*arguments, cwd=directory)
    assert code == 1
    found = json.loads(out)
    assert (found["allowed"], found["code"]) == (False, "origin-not-allowed")


async def test_another_file(directory: Path) -> None:
    (directory / "corsproxy.yaml").rename(directory / "other.yaml")
    arguments = ("explain", "-c", "other.yaml", "--origin", PAGE, "/")
    code, out, _ = await finished(*arguments, cwd=directory)
    assert code == 0
    assert "other.yaml:4:7" in out


async def test_the_policy_of_a_url(tmp_path: Path) -> None:
    arguments = ("explain", "--origin", PAGE, "--method", "PURGE", "--credentials")
    url = ("https://api.example.com", "/x")
    code, out, _ = await finished(*arguments, *url, cwd=tmp_path)
    assert code == 0, out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["/"], "--origin"),
        (["--origin", PAGE], "PATH"),
        (["--origin", PAGE, "no-slash"], "path must start with /"),
        (["--origin", PAGE, "--method", "CONNECT", "/"], "never let a script send CONNECT"),
        (["--origin", PAGE, "--method", "A B", "/"], "is not a method"),
        (["--origin", PAGE, "--header", "a:b", "/"], "is not a header name"),
        (["--origin", PAGE, "-c", "x.yaml", "https://api.example.com", "/"], "mutually exclusive"),
        (["--origin", PAGE, "ftp://x", "/"], "UPSTREAM"),
        (["--origin", PAGE, "https://api.example.com/v1?a=b#c"], "on the proxy: use /v1?a=b\n"),
        (["--origin", PAGE, "http://127.0.0.1:8010/v1?a#c"], "on the proxy: use /v1?a\n"),
        (["--origin", PAGE, "https://a.test/v1"], ": https://a.test /v1 (and corsproxy.yaml is"),
        (["--origin", PAGE, "-c", "x.yaml", "https://a.test/v1"], ": https://a.test /v1\n"),
        (["--origin", PAGE, "https://[api/v1"], ": https://[api /v1"),
        (["--origin", PAGE, "https://a.test"], "PATH is a path on the proxy"),
        (["--origin", PAGE, "https://api.example.com", "/", "/"], "unexpected argument"),
        (["--origin", PAGE, "-c", "missing.yaml", "/"], "cannot read missing.yaml"),
        (
            ["--origin", "x", "--header", "a:b", "--header", "cookie", "--method", "A B", "y"],
            "Error: 'A B' is not a method; the path must start with / and be percent-encoded",
        ),
        (
            ["--origin", "x", "--header", "a:b", "--header", "cookie", "/"],
            "no value; browsers never let a script set cookie: it needs no permission; 'x' is not",
        ),
        (
            ["--origin", "x\udcff", "--header", "a\udcff", "--method", "A\udcff", "/"],
            r"Error: 'A\udcff' is not a method; 'a\udcff' is not a header name: give one",
        ),
        (["--origin", PAGE, "--unsafe", "/"], "--unsafe goes with --ask-upstream"),
    ],
)
async def test_a_question_that_makes_no_sense_is_a_usage_error(
    directory: Path, arguments: list[str], sentence: str
) -> None:
    code, out, err = await finished("explain", *arguments, cwd=directory)
    assert (code, out) == (2, "")
    assert sentence in err
    assert "Traceback" not in err


async def test_an_unread_file_is_mentioned(directory: Path) -> None:
    arguments = ("explain", "--json", "--origin", "http://localhost:1", "https://a.test", "/")
    code, out, err = await finished(*arguments, cwd=directory)
    assert (code, json.loads(out)["allowed"]) == (0, True)
    assert err == "corsproxy.yaml is not read: the command line names an upstream.\n"


async def test_the_path_that_is_proposed_is_that_of_the_route(tmp_path: Path) -> None:
    routes = "[{path: /api, upstream: 'https://a.test/v2', strip_path: true, cors: passthrough}]"
    (tmp_path / "corsproxy.yaml").write_text(f"routes: {routes}\n")
    url = "https://a.test:443/v2/users"
    code, _, err = await finished("explain", "--origin", PAGE, url, cwd=tmp_path)
    assert code == 2
    assert err.endswith("use /api/users\n")


async def test_a_broken_file_is_a_finding(directory: Path) -> None:
    (directory / "corsproxy.yaml").write_text("upstream: [")
    code, _, err = await finished("explain", "--origin", PAGE, "/", cwd=directory)
    assert code == 1
    assert "corsproxy: corsproxy.yaml is refused: " in err


async def test_arguments_cannot_control_the_terminal(directory: Path) -> None:
    origin = "http://\x1b[31mx"
    _, out, _ = await finished("explain", "--origin", origin, "/", cwd=directory)
    assert "\x1b" not in out


async def test_colours(directory: Path) -> None:
    arguments = ("explain", "--origin", PAGE, "/")
    _, out, _ = await finished(*arguments, cwd=directory, env={"FORCE_COLOR": "1"})
    assert "\x1b[32m✓\x1b[0m path /" in out


@pytest.mark.parametrize(
    ("file", "call"),
    [
        (FILE, ("--origin", "http://localhost:3000", "/")),
        (FILE, ("--origin", PAGE, "--method", "PURGE", "/")),
        (FILE, ("--origin", PAGE, "--header", "X-A", "/")),
        (FILE, ("--origin", PAGE, "--credentials", "/")),
        (
            TWO_ROUTES,
            ("--origin", PAGE, "--method", "PATCH", "/b/x"),
        ),
    ],
    ids=["origin", "method", "header", "credentials", "a route's own list"],
)
async def test_the_edit_that_is_shown_allows_the_call(
    tmp_path: Path, file: str, call: tuple[str, ...]
) -> None:
    (tmp_path / "corsproxy.yaml").write_text(file)
    code, out, _ = await finished("explain", "--json", *call, cwd=tmp_path)
    assert code == 1
    shown = json.loads(out)["edit"]
    code, out, _ = await finished("explain", *call, cwd=tmp_path)
    assert all(line in out for line in shown)
    (tmp_path / "edit.diff").write_text("\n".join(shown) + "\n")
    patch = await asyncio.create_subprocess_exec("patch", "-p1", "-i", "edit.diff", cwd=tmp_path)
    assert await patch.wait() == 0
    code, out, _ = await finished("explain", *call, cwd=tmp_path)
    assert code == 0, out


GRANTED = b"HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: 0\r\n\r\n"
TWICE = GRANTED.replace(b"\r\n\r\n", b"\r\nAccess-Control-Allow-Origin: \x1b[31m\xff\r\n\r\n")


async def test_the_upstream_can_be_asked_whether_the_proxy_is_needed(tmp_path: Path) -> None:
    question = ("explain", "--ask-upstream", "--origin", PAGE)
    async with RawPeer(answers(GRANTED)) as upstream:
        url = f"http://127.0.0.1:{upstream.port}"
        code, out, err = await finished(*question, url, "/x", cwd=tmp_path)
        assert (code, err) == (0, "")
        assert "this call works without the proxy.\n" in out
        code, out, _ = await finished(*question, "--json", "--credentials", url, "/x", cwd=tmp_path)
        assert code == 0
        found = json.loads(out)["without_proxy"]
        assert (found["allowed"], found["browser_error"]) == (False, "WildcardOriginNotAllowed")
        assert found["url"] == f"{url}/x"


async def test_without_the_flag_nothing_is_sent(tmp_path: Path) -> None:
    async with RawPeer(answers(GRANTED)) as upstream:
        url = f"http://127.0.0.1:{upstream.port}"
        _, out, _ = await finished("explain", "--json", "--origin", PAGE, url, "/", cwd=tmp_path)
        assert upstream.heads == []
    assert "without_proxy" not in json.loads(out)


async def test_an_upstream_cannot_control_the_terminal(tmp_path: Path) -> None:
    async with RawPeer(answers(TWICE)) as upstream:
        arguments = ("--ask-upstream", "--origin", PAGE, f"http://127.0.0.1:{upstream.port}", "/")
        code, out, err = await finished("explain", *arguments, cwd=tmp_path)
    assert (code, err) == (0, "")
    assert "\x1b" not in out


async def test_a_forward_proxy_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    arguments = ("explain", "--ask-upstream", "--origin", PAGE, "http://api.test", "/")
    code, _, err = await finished(*arguments, cwd=tmp_path, env={"HTTP_PROXY": "socks5://x:1"})
    assert code == 3
    assert err.startswith("corsproxy: ")
    assert "Traceback" not in err


async def test_an_edit_that_cannot_be_made_is_not_promised(tmp_path: Path) -> None:
    (tmp_path / "corsproxy.yaml").write_text(
        f"x-shared: &s {{allow_origins: [{PAGE}]}}\nupstream: http://a.test\ncors: *s\n"
    )
    question = ("explain", "--origin", "https://b.test", "/")
    code, out, _ = await finished(*question, cwd=tmp_path)
    assert code == 1
    assert "\ncorsproxy allow cannot make this edit: it is written under the anchor `&s`" in out
    _, out, _ = await finished(*question, "--json", cwd=tmp_path)
    found = json.loads(out)
    assert found["edit"] is None
    assert found["no_edit"].startswith("it is written under the anchor")


async def test_a_passthrough_upstream_can_be_asked(tmp_path: Path) -> None:
    async with RawPeer(answers(GRANTED)) as upstream:
        (tmp_path / "corsproxy.yaml").write_text(
            f"upstream: http://127.0.0.1:{upstream.port}\ncors: passthrough\n"
        )
        question = ("explain", "--origin", PAGE, "/")
        _, out, _ = await finished(*question, cwd=tmp_path)
        assert "--ask-upstream asks the upstream" in out
        code, out, _ = await finished(*question, "--ask-upstream", cwd=tmp_path)
    assert code == 0
    assert "this call works without the proxy" in out
    assert "the same answer decides through the proxy" in out


async def test_an_entry_that_expires_is_explained_for_a_day(directory: Path) -> None:
    origin = "https://pr-12.example.com"
    entry = f"    - {{origin: {origin}, until: 2099-12-31, reason: the demo}}\n"
    (directory / "corsproxy.yaml").write_text(FILE + entry)
    code, out, _ = await finished("explain", "--origin", origin, "/", cwd=directory)
    assert code == 0
    assert f"allowed by {origin} until 2099-12-31" in out
    arguments = ("explain", "--at", "2100-01-01", "--origin", origin, "/")
    code, out, _ = await finished(*arguments, cwd=directory)
    assert code == 1
    assert "refused: origin-expired" in out
    assert f"{origin} (the demo) expired after 2099-12-31  (corsproxy.yaml:5:" in out
    assert "give its entry a later `until` (corsproxy.yaml:5:" in out
    code, _, err = await finished("explain", "--at", "soon", "--origin", origin, "/", cwd=directory)
    assert code == 2
    assert "YYYY-MM-DD" in err
