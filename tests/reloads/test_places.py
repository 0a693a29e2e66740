"""Files in unusual places, changed in unusual ways: the running command notices each change."""

import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from programs.reloads.editors import WAYS, Save, replace, swap_config_map, write_over
from tests.fakes import get
from tests.peers import RawPeer, answers
from tests.process import FREE_PORTS, started
from tests.running import OK, Running, file_for

LOOKS_OFTEN = """
from corsproxy.shell.run import reload
reload.POLL_SECONDS = 0.05
from corsproxy.cli.main import main
main()
"""


def origin(number: int) -> str:
    """As long for each number below 1000."""
    return f"https://app{number:03}.example.com"


class Watched:
    """A running command, and the file that it watches."""

    def __init__(self, proxy: Running, upstream: RawPeer) -> None:
        self._proxy = proxy
        self._upstream = upstream
        self._number = 0

    def next_text(self) -> str:
        """The content of another version, as long as that of the one before."""
        self._number += 1
        return file_for(self._upstream, origin(self._number), more="log: {requests: none}\n")

    async def taken(self) -> None:
        """Wait for the word that the file was read, and see that it is what counts."""
        await self._proxy.command.event("reloaded")
        await self.in_force()

    async def in_force(self) -> None:
        """The last version counts, and no other."""
        for number in range(self._number + 2):
            reply = await self._proxy.ask(get("/", origin=origin(number)))
            assert (reply.grant is not None) == (number == self._number), number

    async def failed(self, reason: str) -> None:
        """Wait for the word that the file cannot be used."""
        event = await self._proxy.command.event("reload-failed")
        assert reason in event["reason"]
        await self.in_force()

    async def refused(self) -> None:
        await self._proxy.command.event("reload-refused")
        await self.in_force()


@asynccontextmanager
async def watched(path: Path, publish: Save = write_over) -> AsyncIterator[Watched]:
    """The command with the file at `path`, published in one of the ways."""
    async with RawPeer(answers(OK)) as upstream:
        first = file_for(upstream, origin(0), more="log: {requests: none}\n")
        publish(path, first)
        arguments = ("-c", str(path), *FREE_PORTS)
        async with started(*arguments, program=("-c", LOOKS_OFTEN)) as command:
            proxy = Running(command, await command.event("ready"))
            here = Watched(proxy, upstream)
            await here.in_force()
            yield here


async def test_every_way_to_save_after_every_other(tmp_path: Path) -> None:
    path = tmp_path / "corsproxy.yaml"
    async with watched(path) as here:
        for before in WAYS.values():
            for after in WAYS.values():
                for save in (before, after):
                    save(path, here.next_text())
                    await here.taken()


async def test_a_file_disappears_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "corsproxy.yaml"
    async with watched(path) as here:
        same = path.read_text()
        path.unlink()
        await here.failed("no such file")
        path.write_text(same)
        await here.taken()
        path.unlink()
        await here.failed("no such file")
        path.write_text(here.next_text())
        await here.taken()


def hide(path: Path) -> None:
    """No permission for anybody but root, for whom there is none to lack."""
    path.chmod(0)


def become_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def become_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def become_endless(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def become_loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def lose_target(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere.yaml")


UNREADABLE: dict[str, tuple[Callable[[Path], None], str]] = {
    "directory": (become_directory, "not a regular file"),
    "pipe": (become_pipe, "not a regular file"),
    "device": (become_endless, "not a regular file"),
    "loop": (become_loop, "too many levels of symbolic links"),
    "dangling": (lose_target, "no such file"),
}
if os.getuid() != 0:
    UNREADABLE["forbidden"] = (hide, "permission denied")


async def test_a_file_becomes_readable_again(tmp_path: Path) -> None:
    path = tmp_path / "corsproxy.yaml"
    async with watched(path) as here:
        for spoil, reason in UNREADABLE.values():
            spoil(path)
            await here.failed(reason)
            if path.is_dir():
                path.rmdir()
            replace(path, here.next_text())
            await here.taken()


async def test_a_file_that_is_emptied_and_filled(tmp_path: Path) -> None:
    path = tmp_path / "corsproxy.yaml"
    async with watched(path) as here:
        same = path.read_text()
        for broken in ("", same[: len(same) // 2], same + same, "\0" * 100):
            write_over(path, broken)
            await here.refused()
            write_over(path, same)
            await here.taken()


async def test_a_directory_that_is_replaced(tmp_path: Path) -> None:
    """As a deployment, or `git stash`, replaces it: with a file that is older than the old one."""
    directory = tmp_path / "config"
    directory.mkdir()
    path = directory / "corsproxy.yaml"
    async with watched(path) as here:
        for number in range(2):
            new = tmp_path / f"new{number}"
            new.mkdir()
            (new / path.name).write_text(here.next_text())
            os.utime(new / path.name, (10**9, 10**9))
            directory.rename(tmp_path / f"old{number}")
            new.rename(directory)
            await here.taken()


async def test_a_link_to_a_directory_is_switched(tmp_path: Path) -> None:
    link = tmp_path / "current"
    (tmp_path / "release0").mkdir()
    link.symlink_to("release0")
    async with watched(link / "corsproxy.yaml") as here:
        for number in (1, 2):
            release = tmp_path / f"release{number}"
            release.mkdir()
            (release / "corsproxy.yaml").write_text(here.next_text())
            turned = tmp_path / "turned"
            turned.symlink_to(release.name)
            turned.replace(link)
            await here.taken()
            shutil.rmtree(tmp_path / f"release{number - 1}")


async def test_a_kubelet_volume(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    mount = tmp_path / "mount"
    mount.symlink_to(volume)
    async with watched(mount / "corsproxy.yaml", swap_config_map) as here:
        for _ in range(3):
            swap_config_map(mount / "corsproxy.yaml", here.next_text())
            await here.taken()


async def test_a_link_to_the_file_and_the_file_behind_it(tmp_path: Path) -> None:
    path, behind = tmp_path / "corsproxy.yaml", tmp_path / "shared" / "allowlist.yaml"
    behind.parent.mkdir()
    path.symlink_to(behind)
    async with watched(path) as here:
        for save in (write_over, replace):
            save(behind, here.next_text())
            await here.taken()
        other = tmp_path / "other.yaml"
        other.write_text(here.next_text())
        path.unlink()
        path.symlink_to(other)
        await here.taken()


@pytest.mark.parametrize("save", [write_over, replace])
async def test_neither_size_nor_time_need_to_change(tmp_path: Path, save: Save) -> None:
    """As with rsync --times, and where the clock is set back."""
    path = tmp_path / "corsproxy.yaml"
    async with watched(path) as here:
        before = path.stat()
        for _ in range(3):
            text = here.next_text()
            assert len(text.encode()) == before.st_size
            save(path, text)
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
            await here.taken()


async def test_a_time_in_the_future_and_one_long_ago(tmp_path: Path) -> None:
    path = tmp_path / "corsproxy.yaml"
    async with watched(path) as here:
        for time in (2**33, 0, 10**9):
            write_over(path, here.next_text())
            os.utime(path, (time, time))
            await here.taken()
