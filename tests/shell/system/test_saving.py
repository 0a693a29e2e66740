"""Replacing a file's content."""

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from corsproxy.shell.system.saving import SaveError, save

OLD, NEW = b"old: 1\n", b"new: 22\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "corsproxy.yaml"
    path.write_bytes(OLD)
    return path


def names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir())


def test_the_content_is_replaced_and_nothing_is_left_behind(file: Path) -> None:
    before = file.stat().st_ino
    save(str(file), NEW, known=OLD)
    assert file.read_bytes() == NEW
    assert names(file.parent) == [file.name]
    assert file.stat().st_ino != before


def test_a_reader_that_has_the_old_file_open_keeps_the_whole_of_it(file: Path) -> None:
    with file.open("rb") as reader:
        save(str(file), NEW, known=OLD)
        assert reader.read() == OLD


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o777])
def test_the_mode_stays(file: Path, mode: int) -> None:
    file.chmod(mode)
    save(str(file), NEW, known=OLD)
    assert stat.S_IMODE(file.stat().st_mode) == mode


def test_the_owner_stays(file: Path) -> None:
    before = file.stat()
    if os.getuid() == 0:
        os.chown(file, 1234, 1235)
        before = file.stat()
    save(str(file), NEW, known=OLD)
    assert (file.stat().st_uid, file.stat().st_gid) == (before.st_uid, before.st_gid)


def test_links_are_followed_to_the_file(file: Path) -> None:
    link = file.parent / "link.yaml"
    link.symlink_to("other.yaml")
    (file.parent / "other.yaml").symlink_to(file.name)
    save(str(link), NEW, known=OLD)
    assert link.is_symlink()
    assert file.read_bytes() == NEW
    assert not file.is_symlink()


def test_hard_links_get_the_new_content(file: Path) -> None:
    other = file.parent / "other.yaml"
    other.hardlink_to(file)
    save(str(file), NEW, known=OLD)
    assert other.read_bytes() == NEW
    assert other.samefile(file)


def test_a_relative_path_is_one_of_this_directory(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    save(file.name, NEW, known=OLD)
    assert file.read_bytes() == NEW


@pytest.mark.parametrize("content", [b"old: 2\n", OLD + b"more\n", b"", OLD[:-1]])
def test_a_concurrent_edit_is_not_overwritten(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(SaveError, match="it has been changed"):
        save(str(file), NEW, known=OLD)
    assert file.read_bytes() == content
    assert names(file.parent) == [file.name]


def refusing(number: int) -> Callable[[str, str], None]:
    """A rename that fails as on a mount point."""

    def replace(source: str, target: str) -> None:
        assert Path(source).read_bytes() == NEW
        assert Path(source).parent == Path(target).parent
        raise OSError(number, os.strerror(number), source, None, target)

    return replace


@pytest.mark.parametrize("number", [errno.EBUSY, errno.EXDEV])
@pytest.mark.parametrize("old", [OLD, OLD * 100])
def test_a_mount_point_is_written_over(file: Path, number: int, old: bytes) -> None:
    file.write_bytes(old)
    before = file.stat().st_ino
    save(str(file), NEW, known=old, replace=refusing(number))
    assert file.read_bytes() == NEW
    assert file.stat().st_ino == before
    assert names(file.parent) == [file.name]


def test_a_file_that_changes_just_before_it_is_written_over_stays(file: Path) -> None:
    def replace(source: str, target: str) -> None:
        Path(target).write_bytes(b"theirs\n")
        raise OSError(errno.EBUSY, "busy")

    with pytest.raises(SaveError, match="it has been changed") as caught:
        save(str(file), NEW, known=OLD, replace=replace)
    assert caught.value.help == "run the command again"
    assert file.read_bytes() == b"theirs\n"


def test_a_full_disk_leaves_the_old_file(file: Path) -> None:
    with pytest.raises(SaveError, match="cannot be written: no space left on device"):
        save(str(file), NEW, known=OLD, replace=refusing(errno.ENOSPC))
    assert file.read_bytes() == OLD
    assert names(file.parent) == [file.name]


def test_an_interrupt_leaves_the_old_file(file: Path) -> None:
    def replace(source: str, target: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save(str(file), NEW, known=OLD, replace=replace)
    assert file.read_bytes() == OLD
    assert names(file.parent) == [file.name]


def test_a_read_only_file_stays(file: Path) -> None:
    file.chmod(0o444)
    with pytest.raises(SaveError, match=r"^it is read-only$"):
        save(str(file), NEW, known=OLD)
    assert file.read_bytes() == OLD


def test_a_read_only_volume_says_where_the_file_comes_from(tmp_path: Path) -> None:
    """The layout that the kubelet writes."""
    data = tmp_path / "..2026_01_31"
    data.mkdir()
    (data / "corsproxy.yaml").write_bytes(OLD)
    (data / "corsproxy.yaml").chmod(0o444)
    (tmp_path / "..data").symlink_to(data.name)
    (tmp_path / "corsproxy.yaml").symlink_to("..data/corsproxy.yaml")
    with pytest.raises(SaveError, match="from a ConfigMap or a Secret: change it there"):
        save(str(tmp_path / "corsproxy.yaml"), NEW, known=OLD)


@pytest.mark.parametrize("name", ["missing.yaml", "missing/corsproxy.yaml"])
def test_a_missing_file_is_not_created(tmp_path: Path, name: str) -> None:
    with pytest.raises(SaveError):
        save(str(tmp_path / name), NEW, known=OLD)
    assert names(tmp_path) == []


def test_only_regular_files_are_written(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(SaveError, match="not a regular file"):
            save(str(path), NEW, known=OLD)


def test_extended_attributes_stay(file: Path) -> None:
    try:
        os.setxattr(file, "user.note", b"kept")
    except OSError:
        return  # a file system that has none
    save(str(file), NEW, known=OLD)
    assert os.getxattr(file, "user.note") == b"kept"
