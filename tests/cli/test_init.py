"""A file to start from."""

import re
from importlib.resources import files
from pathlib import Path

import pytest

from corsproxy.config.reader import read_policy
from tests.process import finished

STARTER = files("corsproxy.config").joinpath("starter.yaml").read_text(encoding="utf-8")


async def test_the_file_it_writes_passes_check(tmp_path: Path) -> None:
    code, out, err = await finished("init", cwd=tmp_path)
    assert (code, err) == (0, "")
    assert out.startswith("Wrote corsproxy.yaml.")
    assert await finished("check", "--strict", cwd=tmp_path) == (
        0,
        "corsproxy.yaml: no problems\n",
        "",
    )


@pytest.mark.parametrize("line", re.findall(r"^ *#(?!routes)[a-z-].*$", STARTER, re.MULTILINE))
def test_every_line_of_it_may_be_uncommented(line: str) -> None:
    text = STARTER.replace(line, line.replace("#", "", 1))
    warnings = read_policy(text, "corsproxy.yaml", {}, "/").warnings
    # Any port of localhost makes the entry with one port needless.
    assert {warning.code for warning in warnings} <= {"subsumed-entry"}


def test_its_routes_may_be_uncommented() -> None:
    block = STARTER[STARTER.index("#routes:") :].partition("\n\n")[0]
    text = STARTER.replace(block, re.sub("^#", "", block, flags=re.MULTILINE))
    text = text.replace("\nupstream: https://api.example.com\n", "\n")
    policy = read_policy(text, "corsproxy.yaml", {}, "/").policy
    assert [route.path for route in policy.routes] == [b"/shop", b"/auth", b"/"]


async def test_the_variables_of_the_image_do_not_stop_it(tmp_path: Path) -> None:
    env = {"CORSPROXY_LISTEN": "0.0.0.0:8010", "CORSPROXY_DRAIN_DELAY": "5s"}
    assert (await finished("init", cwd=tmp_path, env=env))[0] == 0
    assert (tmp_path / "corsproxy.yaml").read_text() == STARTER


async def test_a_file_that_exists_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "corsproxy.yaml").write_text("mine")
    code, out, err = await finished("init", cwd=tmp_path)
    assert (code, out) == (1, "")
    assert "exists already and was left as it is" in err
    assert err.endswith(
        "corsproxy check corsproxy.yaml; to write another: corsproxy init -c NAME.yaml\n"
    )
    assert (tmp_path / "corsproxy.yaml").read_text() == "mine"


async def test_a_link_to_nowhere_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "corsproxy.yaml").symlink_to("elsewhere.yaml")
    assert (await finished("init", cwd=tmp_path))[0] == 1
    assert not (tmp_path / "elsewhere.yaml").exists()


async def test_another_name_may_be_chosen(tmp_path: Path) -> None:
    assert (await finished("init", "other.yaml", cwd=tmp_path))[0] == 0
    assert (tmp_path / "other.yaml").exists()


async def test_a_place_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    code, _, err = await finished("init", "no/such/corsproxy.yaml", cwd=tmp_path)
    assert code == 2
    assert err == "corsproxy: cannot write no/such/corsproxy.yaml: no such file or directory\n"


async def test_a_secret_in_the_file_is_no_surprise(tmp_path: Path) -> None:
    header = ("--header", "X-Api-Key: s3cret", "--header", "Authorization: Bearer s3cret")
    code, out, err = await finished("init", "https://a.test", *header, cwd=tmp_path)
    assert code == 0
    assert "corsproxy.yaml now holds the value of X-Api-Key, Authorization" in err
    assert 'write "${X_API_KEY}", "${AUTHORIZATION}" instead, and' in err
    assert "s3cret" not in out + err
    text = (tmp_path / "corsproxy.yaml").read_text()
    assert 'write "${X_API_KEY}", "${AUTHORIZATION}" instead.' in text
    (tmp_path / "corsproxy.yaml").write_text(text.replace("Bearer s3cret", "${AUTHORIZATION}"))
    code, _, err = await finished("check", cwd=tmp_path, env={"AUTHORIZATION": "Bearer s3cret"})
    assert (code, err) == (0, "")
