"""Finding and reading the allowlist file."""

import os
from pathlib import Path

import pytest

from corsproxy.cli.failures import Exit, Failure
from corsproxy.cli.files import default_file, mount_warnings, opened, read, read_bytes
from corsproxy.config.yaml.source_text import MAX_BYTES

FILE = b"upstream: https://api.example.com\ncors:\n  allow_origins: [http://localhost:5173]\n"


def test_a_pipe_is_read_but_not_waited_for_without_end(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(Failure, match="nothing was written to this pipe") as caught:
        opened(str(pipe), 0).__enter__()
    assert caught.value.exit_code == Exit.USAGE
    writer = os.open(pipe, os.O_RDWR)
    try:
        os.write(writer, FILE)
        with opened(str(pipe)) as source:
            os.close(writer)
            writer = -1
            assert source.read() == FILE
    finally:
        if writer >= 0:
            os.close(writer)


def test_the_default_is_the_file_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CORSPROXY_CONFIG", raising=False)
    with pytest.raises(Failure, match=r"there is no corsproxy\.yaml in this directory") as caught:
        default_file("write one")
    assert caught.value.exit_code == Exit.USAGE
    assert caught.value.help == "write one"
    (tmp_path / "corsproxy.yaml").touch()
    assert default_file("") == "corsproxy.yaml"
    monkeypatch.setenv("CORSPROXY_CONFIG", "/etc/corsproxy/corsproxy.yaml")
    assert default_file("") == "/etc/corsproxy/corsproxy.yaml"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing.yaml", "no such file or directory"),
        ("", "no such file or directory"),
        ("directory", "is a directory"),
        ("file/inside", "not a directory"),
        ("nul\0byte", "embedded null byte"),
        ("x" * 300, "file name too long"),
        ("loop", "too many levels of symbolic links"),
    ],
    ids=["missing", "empty", "directory", "inside a file", "NUL", "too long", "loop"],
)
def test_an_unreadable_file_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "directory").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(Failure, match=reason) as caught:
        read_bytes(name)
    assert caught.value.exit_code == Exit.USAGE


def test_an_endless_file_is_not_read_to_its_end() -> None:
    assert len(read_bytes("/dev/zero")) == MAX_BYTES + 1


def test_a_pipe_is_read_to_its_end() -> None:
    reader, writer = os.pipe()
    os.write(writer, FILE)
    os.close(writer)
    assert read_bytes(f"/dev/fd/{reader}") == FILE
    os.close(reader)


def test_relative_paths_start_at_the_file_and_not_at_its_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "..data"
    target.mkdir()
    text = (
        FILE
        + b"routes:\n  - path: /a\n    upstream: https://a.example\n    tls: {ca_file: ca.pem}\n"
    )
    text = text.replace(b"upstream: https://api.example.com\n", b"")
    (target / "corsproxy.yaml").write_bytes(text)
    (tmp_path / "corsproxy.yaml").symlink_to("..data/corsproxy.yaml")
    monkeypatch.chdir(tmp_path)
    policy = read(text, "corsproxy.yaml", {}).policy
    assert policy.routes[0].tls.ca_file == str(tmp_path / "ca.pem")


def test_a_file_mounted_by_itself_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = str(tmp_path / "corsproxy.yaml")
    assert mount_warnings(file) == ()
    monkeypatch.setattr(os.path, "ismount", lambda path: path == file)
    (warning,) = mount_warnings(file)
    assert (warning.severity, warning.code) == ("warning", "mounted-file")
