"""Comparing what two files allow."""

import json
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
    code, _, err = await finished("diff", "none.yaml", "new.yaml", cwd=directory)
    assert code == 2
    assert "cannot read none.yaml" in err
    assert "new.yaml:1:8" in err
    assert (await finished("diff", "-", "-", cwd=directory))[0] == 2
