"""A file to start from."""

from pathlib import Path

from tests.process import finished


async def test_the_file_it_writes_passes_check(tmp_path: Path) -> None:
    code, out, err = await finished("init", cwd=tmp_path)
    assert (code, err) == (0, "")
    assert out.startswith("Wrote corsproxy.yaml.")
    assert await finished("check", "--strict", cwd=tmp_path) == (
        0,
        "corsproxy.yaml: no problems\n",
        "",
    )


async def test_a_file_that_exists_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "corsproxy.yaml").write_text("mine")
    code, out, err = await finished("init", cwd=tmp_path)
    assert (code, out) == (1, "")
    assert "exists already and was left as it is" in err
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
