"""Editing the allowlist from the command line."""

import asyncio
import itertools
import shlex
from pathlib import Path

import pytest

from tests.process import finished

FILE = "corsproxy.yaml"

BEFORE = """\
# Which pages may call.
upstream: https://api.example.com
cors:
  allow_origins:
    - http://localhost:5173  # development
"""
AFTER = f"{BEFORE}    - https://app.example.com\n"
DIFF = """\
--- a/corsproxy.yaml
+++ b/corsproxy.yaml
@@ -3,3 +3,4 @@
 cors:
   allow_origins:
     - http://localhost:5173  # development
+    - https://app.example.com
"""
ORIGIN = ("origin", "https://app.example.com")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / FILE).write_bytes(BEFORE.encode())
    return tmp_path


async def test_an_origin_is_added_and_shown(directory: Path) -> None:
    result = await finished("allow", *ORIGIN, cwd=directory)
    words = "corsproxy.yaml: + origin https://app.example.com on route /\n"
    assert result == (0, DIFF + words, "")
    assert (directory / FILE).read_text() == AFTER
    assert (await finished("check", cwd=directory))[0] == 0


@pytest.mark.parametrize("more", ["/", "/app"])
async def test_a_refusal_suggests_a_command_that_works(directory: Path, more: str) -> None:
    given = ("allow", "origin", f"{ORIGIN[1]}{more}", "-c", FILE)
    code, _, err = await finished(*given, cwd=directory)
    command = f"corsproxy allow origin {ORIGIN[1]} -c {FILE}"
    assert code == 1
    assert err.endswith(f"\n  run: {command}\n")
    assert (await finished(*shlex.split(command)[1:], cwd=directory))[0] == 0
    assert (directory / FILE).read_text() == AFTER


async def test_it_makes_the_edit_that_explain_proposes(directory: Path) -> None:
    call = ("explain", "--origin", ORIGIN[1], "/")
    assert (await finished(*call, cwd=directory))[0] == 1
    await finished("allow", *ORIGIN, cwd=directory)
    assert (await finished(*call, cwd=directory))[0] == 0


async def test_a_dry_run_writes_nothing(directory: Path) -> None:
    code, out, err = await finished("allow", *ORIGIN, "--dry-run", cwd=directory)
    assert (code, err) == (0, "")
    assert out.startswith(DIFF)
    assert out.endswith("(not written)\n")
    assert (directory / FILE).read_text() == BEFORE


async def test_an_already_allowed_value_is_reported(directory: Path) -> None:
    result = await finished("allow", "origin", "http://localhost:5173", cwd=directory)
    assert result == (0, "http://localhost:5173: allowed already (corsproxy.yaml:5:7)\n", "")
    assert (directory / FILE).read_text() == BEFORE


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("method", "QUERY"), "  allow_methods: [GET, HEAD, POST, PUT, PATCH, DELETE, QUERY]"),
        (("header", "X-Name"), "  allow_headers: [content-type, authorization, X-Name]"),
        (("credentials",), "  allow_credentials: true"),
        (("host", "proxy.test"), "allowed_hosts: [proxy.test]"),
    ],
)
async def test_every_kind_has_its_key(
    directory: Path, arguments: tuple[str, ...], line: str
) -> None:
    code, _, err = await finished("allow", *arguments, cwd=directory)
    assert (code, err) == (0, "")
    assert line in (directory / FILE).read_text().splitlines()


async def test_a_route_is_named_by_a_flag(tmp_path: Path) -> None:
    text = "routes:\n- path: /a\n  upstream: http://a.test\n- path: /b\n  upstream: http://b.test\n"
    (tmp_path / "routes.yaml").write_text(text)
    arguments = ("allow", *ORIGIN, "-c", "routes.yaml", "--route", "/b")
    code, out, _ = await finished(*arguments, cwd=tmp_path)
    assert code == 0
    assert out.endswith("routes.yaml: + origin https://app.example.com on route /b\n")
    added = "  cors:\n    allow_origins: [https://app.example.com]\n"
    assert (tmp_path / "routes.yaml").read_text() == text + added


async def test_unchanged_routes_are_named(directory: Path) -> None:
    with (directory / FILE).open("a") as more:
        more.write("routes: [{path: /a, upstream: http://a.test, cors: {allow_origins: []}}]\n")
    _, out, _ = await finished("allow", *ORIGIN, cwd=directory)
    assert out.endswith("Not changed, because they set their own list: /a. See --route.\n")


async def test_a_bad_value_is_refused_with_the_fix(directory: Path) -> None:
    code, out, err = await finished("allow", "origin", "https://app.test/", cwd=directory)
    assert (code, out) == (1, "")
    assert "an origin ends with its host or port" in err
    assert " + https://app.test\n" in err
    assert "corsproxy: corsproxy.yaml was left as it is\n" in err
    assert (directory / FILE).read_text() == BEFORE


async def test_all_bad_values_are_refused_at_once(directory: Path) -> None:
    values = ("https://app.test/", "https://ok.test", "https://B.test")
    code, _, err = await finished("allow", "origin", *values, "--dry-run", cwd=directory)
    assert code == 1
    assert " + https://app.test\n" in err
    assert " + https://b.test\n" in err
    fixed = "https://app.test https://ok.test https://b.test"
    assert err.endswith(f"run: corsproxy allow origin {fixed} --dry-run\n")
    assert (directory / FILE).read_text() == BEFORE


async def test_a_method_in_another_case_is_proposed_and_not_written(directory: Path) -> None:
    code, out, err = await finished("allow", "method", "purge", cwd=directory)
    assert (code, out) == (1, "")
    assert "`purge` is not the same method as PURGE" in err
    assert " + PURGE\n" in err
    assert (directory / FILE).read_text() == BEFORE
    assert (await finished("allow", "method", "PURGE", cwd=directory))[0] == 0
    code, out, _ = await finished("allow", "method", "PURGE", cwd=directory)
    assert (code, "allowed already" in out) == (0, True)


@pytest.mark.parametrize("method", ["put", "Put", "PUT", "delete"])
async def test_methods_that_browsers_write_in_upper_case_are_the_same(
    directory: Path, method: str
) -> None:
    code, out, _ = await finished("allow", "method", method, cwd=directory)
    assert (code, "allowed already" in out) == (0, True)
    assert (directory / FILE).read_text() == BEFORE


async def test_no_advice_of_check_makes_a_duplicate(directory: Path) -> None:
    (directory / FILE).write_text(f"{BEFORE}  allow_methods: [purge]\n")
    assert (await finished("allow", "method", "PURGE", cwd=directory))[0] == 0
    code, out, _ = await finished("check", "--fix", cwd=directory)
    assert "remove it: PURGE is listed" in out
    assert code == 0
    assert "[purge, PURGE]" in (directory / FILE).read_text()


async def test_a_contradiction_is_refused(directory: Path) -> None:
    code, out, err = await finished("allow", "origin", "*", cwd=directory)
    assert (code, out) == (1, "")
    assert 'stands beside `"*"`' in err
    assert "with this entry the file would be refused" in err
    assert (directory / FILE).read_text() == BEFORE


async def test_a_risky_edit_is_made_with_a_warning(directory: Path) -> None:
    code, _, err = await finished("allow", "host", "*", cwd=directory)
    assert code == 0
    assert err.startswith("warning: `allowed_hosts`")
    assert 'allowed_hosts: ["*"]\n' in (directory / FILE).read_text()


async def test_a_file_with_problems_is_refused_with_them(directory: Path) -> None:
    (directory / FILE).write_text(BEFORE.replace("allow_origins", "allow_orgins"))
    code, out, err = await finished("allow", *ORIGIN, cwd=directory)
    assert (code, out) == (1, "")
    assert "--> corsproxy.yaml:4:3" in err


async def test_a_read_only_file_gets_its_diff_to_be_made_by_hand(directory: Path) -> None:
    (directory / FILE).chmod(0o444)
    code, out, err = await finished("allow", *ORIGIN, cwd=directory)
    assert (code, out) == (1, DIFF)
    assert "was left as it is: it is read-only\n  make the change above by hand\n" in err
    assert (directory / FILE).read_text() == BEFORE


async def test_a_link_stays_a_link(directory: Path) -> None:
    (directory / FILE).rename(directory / "real.yaml")
    (directory / FILE).symlink_to("real.yaml")
    assert (await finished("allow", *ORIGIN, cwd=directory))[0] == 0
    assert (directory / FILE).is_symlink()
    assert (directory / "real.yaml").read_text() == AFTER


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("origin",), "which origin? Give a VALUE."),
        (("colour", "red"), "'colour' is not one of"),
        (("credentials", "include"), "takes no VALUE"),
        (("host", "a.test", "--route", "/"), "leave out --route"),
        ((*ORIGIN, "-c", "missing.yaml"), "cannot read missing.yaml"),
    ],
)
async def test_a_wrong_call_is_exit_code_2(
    directory: Path, arguments: tuple[str, ...], why: str
) -> None:
    code, out, err = await finished("allow", *arguments, cwd=directory)
    assert (code, out) == (2, "")
    assert why in err


async def test_no_value_gets_a_traceback(directory: Path) -> None:
    others = itertools.cycle(("method", "header", "host"))
    for value in ("\udcff", "a\nb", "\x1b[31m", "https://ünïcödé.test", "x" * 100_000, "-", ""):
        for kind in ("origin", next(others)):
            code, out, err = await finished("allow", kind, "--", value, cwd=directory)
            assert code in (0, 1), err
            assert "Traceback" not in err
            assert "\x1b" not in out + err
        (directory / FILE).write_text(BEFORE)


async def test_variables_of_the_environment_are_filled_in(directory: Path) -> None:
    (directory / FILE).write_text(BEFORE.replace("http://localhost:5173", "${APP}"))
    env = {"APP": "https://app.example.com"}
    code, out, _ = await finished("allow", *ORIGIN, cwd=directory, env=env)
    assert (code, "allowed already" in out) == (0, True)


async def test_a_concurrent_edit_is_refused(directory: Path) -> None:
    calls = [("allow", "origin", f"https://app{n}.example.com") for n in range(4)]
    results = await asyncio.gather(*(finished(*call, cwd=directory) for call in calls))
    for code, _, err in results:
        assert code == 0 or err.endswith("in the meantime\n  run the command again\n")
