"""Comparing what two files allow."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.process import environment, finished

OLD = """\
upstream: https://api.example.com
cors:
  allow_origins: [http://localhost:5173]
  allow_methods: [PUT, DELETE]
"""
NEW = """\
upstream: https://api.example.com
cors:
  allow_origins:
    - http://localhost:5173
    - https://app.example.com
  allow_methods: [PUT]
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "old.yaml").write_text(OLD)
    (tmp_path / "new.yaml").write_text(NEW)
    return tmp_path


async def test_each_difference_has_the_line_of_its_file(directory: Path) -> None:
    code, out, err = await finished("diff", "old.yaml", "new.yaml", cwd=directory)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "route /",
        "  + origin https://app.example.com  new.yaml:5:7",
        "  - method DELETE                   old.yaml:4:18",
    ]


async def test_json_is_a_list_of_differences(directory: Path) -> None:
    code, out, _ = await finished("diff", "--format", "json", "old.yaml", "new.yaml", cwd=directory)
    assert code == 0
    assert json.loads(out)[0] == {
        "change": "allowed",
        "route": "/",
        "kind": "origin",
        "value": "https://app.example.com",
        "at": "new.yaml:5:7",
    }


async def test_only_wider_changes_fail_and_only_with_no_wider(directory: Path) -> None:
    arguments = ("diff", "--no-wider", "--format", "github")
    code, out, _ = await finished(*arguments, "old.yaml", "new.yaml", cwd=directory)
    assert code == 1
    assert out.startswith("::error file=new.yaml,line=5,col=7,")
    assert "\n::notice file=old.yaml,line=4," in out
    (directory / "new.yaml").write_text(OLD.replace(", DELETE", ""))
    assert (await finished(*arguments, "old.yaml", "new.yaml", cwd=directory))[0] == 0


async def test_annotations_underline_what_is_there_and_read_well(directory: Path) -> None:
    (directory / "old.yaml").write_text(
        "upstream: http://a.test\n"
        "cors:\n"
        "  allow_origins: [{origin: https://a.test, until: 2099-01-01}]\n"
    )
    (directory / "new.yaml").write_text(
        "upstream: http://a.test\n"
        "cors:\n"
        "  allow_origins: [https://a.test]\n"
        "  allow_credentials: true\n"
        "  allow_headers: [authorization]\n"
        "  expose_headers: [x-a]\n"
        "  max_age: 60\n"
    )
    arguments = ("diff", "--format", "github")
    code, out, _ = await finished(*arguments, "old.yaml", "new.yaml", cwd=directory)
    assert (code, told(out)) == (
        0,
        [
            "3 19-33 origin https://a.test is allowed without end instead of until 2099-01-01",
            "6 19-20 response header x-a is newly exposed",
            "4 22-26 credentials are newly allowed",
            "7 12-14 max_age: 60 is newly set",
            "3 3-16 header content-type is no longer allowed",
            "3 3-16 max_age: none is no longer set",
        ],
    )
    code, out, _ = await finished(*arguments, "new.yaml", "old.yaml", cwd=directory)
    assert "allowed until 2099-01-01 instead of without end" in told(out)[-4]


def told(out: str) -> list[str]:
    """Of each annotation the line, the columns, and the sentence without its route."""
    return [
        re.sub(
            r"::\w+ file=.*,line=(\d+),col=(\d+),endColumn=(\d+),.*::(.*) on .*",
            r"\1 \2-\3 \4",
            line,
        )
        for line in out.splitlines()
    ]


async def test_without_no_wider_nothing_is_an_error(directory: Path) -> None:
    arguments = ("diff", "--format", "github", "old.yaml", "new.yaml")
    code, out, _ = await finished(*arguments, cwd=directory)
    assert (code, out.partition(" ")[0]) == (0, "::warning")


async def test_the_same_rules_in_another_layout_are_the_same(directory: Path) -> None:
    (directory / "new.yaml").write_text(OLD.replace("[PUT, DELETE]", "\n  - DELETE\n  - put"))
    code, out, _ = await finished("diff", "old.yaml", "new.yaml", cwd=directory)
    assert (code, out) == (0, "no difference in what is allowed\n")


def test_a_shell_can_hand_over_the_output_of_a_command(directory: Path) -> None:
    command = f"{sys.executable} -m corsproxy diff --format json <(cat old.yaml) new.yaml"
    ended = subprocess.run(
        ["bash", "-c", command], cwd=directory, env=environment(), capture_output=True, text=True
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert json.loads(ended.stdout)[0]["value"] == "https://app.example.com"


async def test_a_broken_file_is_refused_with_its_problems(directory: Path) -> None:
    (directory / "new.yaml").write_text("cors: {allow_orgins: []}")
    code, out, err = await finished("diff", "old.yaml", "new.yaml", cwd=directory)
    assert (code, out) == (1, "")
    assert "new.yaml:1:8" in err
    arguments = ("--format", "github", "old.yaml", "new.yaml")
    code, out, err = await finished("diff", *arguments, cwd=directory)
    assert (code, err) == (1, "corsproxy: new.yaml is refused: 2 errors\n")
    assert "\n::error file=new.yaml,line=1,col=8,endColumn=20,title=unknown-key::" in out
    code, _, err = await finished("diff", "none.yaml", "new.yaml", cwd=directory)
    assert code == 2
    assert "cannot read none.yaml" in err
    assert "new.yaml:1:8" in err
    assert (await finished("diff", "-", "-", cwd=directory))[0] == 2
