"""Commands typed at a terminal."""

import asyncio
import os
import pty
import select
import tty
from collections.abc import Iterator

import pytest

from corsproxy.shell.process.keys import Keys
from tests.peers import until


class Typing:
    """A terminal, and what the keys did."""

    def __init__(self) -> None:
        self.ours, self.theirs = pty.openpty()
        tty.setraw(self.theirs)
        self.pressed: list[str] = []
        self.open = True

    def type(self, text: bytes) -> None:
        os.write(self.ours, text)

    def close(self) -> None:
        if self.open:
            os.close(self.ours)
            self.open = False


@pytest.fixture
def terminal() -> Iterator[Typing]:
    terminal = Typing()
    yield terminal
    terminal.close()
    os.close(terminal.theirs)


def listening(terminal: Typing) -> Keys:
    actions = {key: lambda key=key: terminal.pressed.append(key) for key in "hq"}
    keys = Keys(terminal.theirs, actions)
    keys.start()
    return keys


async def test_a_letter_and_enter_call_what_is_bound(terminal: Typing) -> None:
    keys = listening(terminal)
    terminal.type(b"h\n")
    await until(lambda: terminal.pressed == ["h"])
    terminal.type(b" Q \n")
    await until(lambda: terminal.pressed == ["h", "q"])
    keys.stop()


async def test_anything_else_is_ignored(terminal: Typing) -> None:
    keys = listening(terminal)
    for text in (b"\n", b"zzz\n", b"\xff\xfe\n", b"\x1b[A\n"):
        terminal.type(text)
    terminal.type(b"x" * 5000 + b"\n")
    await until(lambda: not _readable(terminal.theirs))
    terminal.type(b"h\n")
    await until(lambda: terminal.pressed == ["h"])
    keys.stop()


async def test_a_terminal_that_closes_is_listened_to_no_more(terminal: Typing) -> None:
    listening(terminal)
    terminal.close()
    loop = asyncio.get_running_loop()
    await until(lambda: not loop.remove_reader(terminal.theirs))
    assert terminal.pressed == []


def _readable(descriptor: int) -> bool:
    return bool(select.select([descriptor], [], [], 0)[0])
