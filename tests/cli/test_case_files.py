"""Saving explained calls as cases."""

from pathlib import Path

import pytest

from tests.process import finished

PAGE = "http://localhost:5173"
FILE = f"""\
upstream: https://api.example.com
cors:
  allow_origins: [{PAGE}]
  allow_headers: [x-a, content-type]
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "corsproxy.yaml").write_text(FILE)
    return tmp_path


async def test_a_call_is_saved_as_a_case(directory: Path) -> None:
    arguments = ("explain", "--save-case", "tests/corsproxy.test.yaml", "--origin", PAGE)
    (directory / "tests").mkdir()
    assert (await finished(*arguments, "--method", "PURGE", "/a", cwd=directory))[0] == 1
    code, _, err = await finished(*arguments, "--header", "content-type", "/a", cwd=directory)
    assert (code, err) == (0, "\ntests/corsproxy.test.yaml: 1 case added\n")
    assert (directory / "tests" / "corsproxy.test.yaml").read_text() == (
        'config: "../corsproxy.yaml"\n'
        "cases:\n"
        f'  - {{origin: {PAGE}, request: "PURGE /a", expect: method-not-allowed}}\n'
        f'  - {{origin: {PAGE}, request: "GET /a", headers: [content-type], expect: allowed}}\n'
    )
    code, out, _ = await finished("test", "tests/corsproxy.test.yaml", cwd=directory)
    assert code == 0, out


async def test_a_case_is_saved_once_and_contradicts_no_other(directory: Path) -> None:
    arguments = ("explain", "--save-case", "t.yaml", "--origin", PAGE)
    await finished(*arguments, "--method", "PURGE", "--header", "x-a", "/a", cwd=directory)
    before = (directory / "t.yaml").read_text()
    same = (*arguments, "--method", "PURGE", "--header", "X-A", "/a")
    code, _, err = await finished(*same, cwd=directory)
    assert (code, err) == (1, "\nt.yaml: the case is on line 3 already\n")
    (directory / "t.yaml").write_text(before.replace("method-not-allowed", "allowed"))
    code, _, err = await finished(*same, cwd=directory)
    assert code == 2
    assert "t.yaml:3 expects allowed of this call, and it is method-not-allowed" in err
    assert len((directory / "t.yaml").read_text().splitlines()) == 3


async def test_a_file_that_cannot_be_written_is_named(directory: Path) -> None:
    arguments = ("explain", "--save-case", "nowhere/t.yaml", "--origin", PAGE, "/a")
    code, _, err = await finished(*arguments, cwd=directory)
    assert code == 2
    assert err.endswith("corsproxy: cannot write nowhere/t.yaml: no such file or directory\n")


async def test_a_case_is_not_added_to_a_broken_file(directory: Path) -> None:
    (directory / "t.yaml").write_text("cases: [")
    arguments = ("explain", "--save-case", "t.yaml", "--origin", PAGE, "/a")
    code, _, err = await finished(*arguments, cwd=directory)
    assert code == 2
    assert "t.yaml" in err
    assert (directory / "t.yaml").read_text() == "cases: ["
