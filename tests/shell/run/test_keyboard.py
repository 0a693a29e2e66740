"""Commands typed at a terminal."""

import asyncio
import os
import pty
import select
import tty
from collections.abc import Iterator
from functools import partial

import pytest

from corsproxy.shell.run.keyboard import Keys
from tests.peers import until


class Typing:
    """A terminal, and what the keys did."""

    def __init__(self) -> None:
        self.ours, self.theirs = pty.openpty()
        tty.setraw(self.theirs)
        self.pressed: list[str] = []
        self.unknown: list[str] = []
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
    keys = Keys(terminal.theirs, actions, terminal.unknown.append)
    keys.start()
    return keys


async def test_a_letter_and_enter_call_what_is_bound(terminal: Typing) -> None:
    keys = listening(terminal)
    terminal.type(b"h\n")
    await until(lambda: terminal.pressed == ["h"])
    terminal.type(b" Q \n")
    await until(lambda: terminal.pressed == ["h", "q"])
    keys.stop()


async def test_unknown_input_is_reported(terminal: Typing) -> None:
    keys = listening(terminal)
    terminal.type(b"\n")
    for text, told in ((b"zzz\n", "zzz"), (b"\xff\xfe\n", "\ufffd\ufffd"), (b"\x1b[A\n", "[a")):
        terminal.type(text)
        await until(partial(terminal.unknown.__contains__, told))
    terminal.type(b"x" * 5000 + b"\n")
    await until(lambda: not _readable(terminal.theirs))
    terminal.type(b"h\n")
    await until(lambda: terminal.pressed == ["h"])
    # In short, and without what would drive a terminal; an empty line is nothing.
    assert terminal.unknown[:3] == ["zzz", "\ufffd\ufffd", "[a"]
    assert max(map(len, terminal.unknown)) <= 16
    keys.stop()


async def test_a_closed_terminal_stops_the_listening(terminal: Typing) -> None:
    listening(terminal)
    terminal.close()
    loop = asyncio.get_running_loop()
    await until(lambda: not loop.remove_reader(terminal.theirs))
    assert terminal.pressed == []


async def test_a_question_gets_the_next_line_and_nothing_else_does(terminal: Typing) -> None:
    keys = listening(terminal)
    answer = asyncio.ensure_future(keys.answer())
    await until(lambda: keys._asked is not None)
    terminal.type(b" Q \n")
    assert await answer == "q"
    assert terminal.pressed == []
    terminal.type(b"h\n")
    await until(lambda: terminal.pressed == ["h"])
    keys.stop()


async def test_a_question_at_a_closed_terminal_gets_an_empty_answer(
    terminal: Typing,
) -> None:
    keys = listening(terminal)
    first = asyncio.ensure_future(keys.answer())
    await until(lambda: keys._asked is not None)
    second = asyncio.ensure_future(keys.answer())
    assert await first == ""
    terminal.close()
    assert await second == ""
    keys.stop()


async def test_a_cancelled_question_loses_no_line(terminal: Typing) -> None:
    keys = listening(terminal)
    answer = asyncio.ensure_future(keys.answer())
    await until(lambda: keys._asked is not None)
    answer.cancel()
    terminal.type(b"h\n")
    await until(lambda: terminal.pressed == ["h"])
    keys.stop()


def _readable(descriptor: int) -> bool:
    return bool(select.select([descriptor], [], [], 0)[0])
