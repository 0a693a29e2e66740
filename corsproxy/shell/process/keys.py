"""Single-letter commands typed at a terminal, each ended by Enter."""

import asyncio
import os
from collections.abc import Callable, Mapping

# A process in the background that reads from its terminal is stopped by the kernel; how
# long to wait before looking whether it is in the foreground again, in seconds.
_BACKGROUND_PAUSE = 1.0
_LONGEST_LINE = 4096


class Keys:
    """Reads lines from a terminal and calls what is bound to their letter."""

    def __init__(self, descriptor: int, actions: Mapping[str, Callable[[], None]]) -> None:
        self._descriptor = descriptor
        self._actions = actions
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Listen from now on."""
        self._loop.add_reader(self._descriptor, self._readable)

    def stop(self) -> None:
        """Listen no more. May be called any number of times."""
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._descriptor)

    def _readable(self) -> None:
        if not self._in_foreground():
            self._loop.remove_reader(self._descriptor)
            self._pause = self._loop.call_later(_BACKGROUND_PAUSE, self.start)
            return
        try:
            line = os.read(self._descriptor, _LONGEST_LINE)
        except OSError:
            line = b""
        if not line:
            self.stop()
            return
        action = self._actions.get(line.strip().decode("ascii", "replace").lower())
        if action is not None:
            action()

    def _in_foreground(self) -> bool:
        try:
            return os.tcgetpgrp(self._descriptor) == os.getpgrp()
        except OSError:
            return True
