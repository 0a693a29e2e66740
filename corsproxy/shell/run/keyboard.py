"""Single-letter commands typed at a terminal, each followed by Enter, and answers to questions.

Nothing here blocks: the event loop says when a line is ready. A process in the background
does not read, so the kernel has no reason to stop it.
"""

import asyncio
import os
from collections.abc import Callable, Mapping

# Seconds between checks whether the process is in the foreground again.
_BACKGROUND_PAUSE = 1.0
_LONGEST_LINE = 4096
_LONGEST_SHOWN = 16


class Keys:
    """Reads lines from a terminal and calls the function bound to each letter."""

    def __init__(
        self,
        descriptor: int,
        actions: Mapping[str, Callable[[], None]],
        unknown: Callable[[str], None],
    ) -> None:
        """`unknown` gets a shortened form of input that is not bound to anything."""
        self._descriptor = descriptor
        self._unknown = unknown
        self._actions = actions
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None
        self._asked: asyncio.Future[str] | None = None

    def start(self) -> None:
        """Start listening."""
        self._loop.add_reader(self._descriptor, self._readable)

    def stop(self) -> None:
        """Stop listening. May be called more than once."""
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._descriptor)
        self._answer("")

    async def answer(self) -> str:
        """Return the next line without running it as a command; "" if none will come."""
        self._answer("")
        self._asked = self._loop.create_future()
        return await self._asked

    def _readable(self) -> None:
        if not self._in_foreground():
            self._wait_for_foreground()
            return
        try:
            line = os.read(self._descriptor, _LONGEST_LINE)
        except OSError:
            # A process that has just gone into the background gets an error too (EIO).
            line = b""
            if not self._in_foreground():
                self._wait_for_foreground()
                return
        if not line:
            self.stop()
            return
        text = line.strip().decode("ascii", "replace").lower()
        if self._answer(text):
            return
        action = self._actions.get(text)
        if action is not None:
            action()
        elif text:
            self._unknown("".join(filter(str.isprintable, text[:_LONGEST_SHOWN])))

    def _answer(self, text: str) -> bool:
        """Give `text` to the pending question; False if there is none."""
        asked, self._asked = self._asked, None
        if asked is None or asked.done():
            return False
        asked.set_result(text)
        return True

    def _wait_for_foreground(self) -> None:
        self._loop.remove_reader(self._descriptor)
        self._pause = self._loop.call_later(_BACKGROUND_PAUSE, self.start)

    def _in_foreground(self) -> bool:
        try:
            return os.tcgetpgrp(self._descriptor) == os.getpgrp()
        except OSError:
            return True
