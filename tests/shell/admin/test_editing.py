import os
import threading
from pathlib import Path

import pytest

from corsproxy.config.problems import ConfigError
from corsproxy.core.advice.remedies import Remedy
from corsproxy.core.page_call import PageCall
from corsproxy.core.source import Source
from corsproxy.shell.admin.editing import read_and_edit

FILE = "upstream: http://api.test\ncors:\n  allow_origins: [http://localhost:5173]\n"
REMEDY = Remedy("allow_methods", "PURGE", Source("corsproxy.yaml", 2, 1))


def test_the_edit_is_of_the_file_as_it_is_now(tmp_path: Path) -> None:
    file = tmp_path / "corsproxy.yaml"
    file.write_text(FILE)
    origin = Remedy("allow_origins", "http://localhost:3000", Source("corsproxy.yaml", 3, 18))
    edit = read_and_edit(str(file), (origin,)).edit
    assert edit.before == FILE.encode()
    assert edit.after == FILE.replace("5173]", "5173, http://localhost:3000]").encode()


def test_with_the_call_the_edit_has_everything_that_it_lacks(tmp_path: Path) -> None:
    file = tmp_path / "corsproxy.yaml"
    file.write_text(FILE)
    call = PageCall("http://localhost:5173", "/", "PURGE", ("x-a", "x-b"), True)
    way = read_and_edit(str(file), (REMEDY,), call)
    for entry in ("PURGE", "x-a, x-b", "allow_credentials: true"):
        assert entry in way.edit.after.decode()
    assert len(way.commands) == 3


@pytest.mark.parametrize("meanwhile", ["empty", "gone"])
def test_a_file_that_is_being_saved_is_read_when_it_is_whole(
    tmp_path: Path, meanwhile: str
) -> None:
    file = tmp_path / "corsproxy.yaml"
    if meanwhile == "empty":
        file.write_text("")
    saving = threading.Timer(0.05, file.write_text, [FILE])
    saving.start()
    assert read_and_edit(str(file), (REMEDY,)).edit.before == FILE.encode()
    saving.join()


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "corsproxy.yaml"
    os.mkfifo(pipe)
    with pytest.raises(FileNotFoundError):
        read_and_edit(str(pipe), (REMEDY,))


def test_a_broken_file_has_no_edit(tmp_path: Path) -> None:
    file = tmp_path / "corsproxy.yaml"
    file.write_text("nonsense: 1\n")
    os.utime(file, (0, 0))
    with pytest.raises(ConfigError):
        read_and_edit(str(file), (REMEDY,))
