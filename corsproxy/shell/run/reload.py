"""Live reload: a changed file becomes the new policy, or changes nothing.

The path is checked twice a second. This catches an editor's rename, a truncate-and-write
and the swap of a ConfigMap's `..data` link alike, on every file system; inode
notifications would stop after the first rename. A broken file keeps the last good policy
in force and is reported once, with a caret. When the UTC day ends, the policy is compiled
again from the same text, because entries may have a last day.
"""

import asyncio
import errno
import os
import stat
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, Protocol

from corsproxy.config.changes import Change, changes
from corsproxy.config.contradictions import EXPIRED
from corsproxy.config.cors import EXPIRES
from corsproxy.config.problems import ConfigError, Problem
from corsproxy.config.reader import Reading
from corsproxy.config.yaml.source_text import MAX_BYTES
from corsproxy.core.policy import Policy
from corsproxy.errors import StartError
from corsproxy.shell.feed.clock import utc_day
from corsproxy.shell.run.background import in_background

# A saved edit is live within a second, reading included.
POLL_SECONDS = 0.5
# A file still being written reads differently a moment later.
SETTLE_SECONDS = 0.05
_SETTLE_READS = 10
# Editors that rename leave a gap; a file is missing only if it is gone for longer.
_MISSES = 3


class Stamp(NamedTuple):
    """What stat(2) reports about the file that the path leads to now."""

    modified_ns: int
    changed_ns: int
    """The inode's ctime; unlike the mtime, it cannot be set."""
    inode: int
    size: int
    device: int


class Look(NamedTuple):
    """A file's content and stamp, read while it was not changing."""

    stamp: Stamp
    content: bytes


class Reports(Protocol):
    """Reports reloads to the user."""

    def reloaded(self, file: str, changes: tuple[Change, ...]) -> None: ...

    def refused(self, file: str, problems: tuple[Problem, ...]) -> None: ...

    def failed(self, file: str, reason: str) -> None: ...

    def warned(self, problems: Sequence[Problem]) -> None: ...


def look(path: Path, known: Stamp | None) -> Look | None:
    """Read the file; None if its stamp is `known` or it keeps changing.

    Blocks for some 50 ms: call it in a thread. Raises OSError if it cannot be read.
    """
    found = os.stat(path)
    if not stat.S_ISREG(found.st_mode):
        # Opening a pipe would wait for a writer.
        raise OSError(errno.EINVAL, "Not a regular file")
    stamp = Stamp(found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_size, found.st_dev)
    if stamp == known:
        return None
    content = _read(path)
    for _ in range(_SETTLE_READS):
        time.sleep(SETTLE_SECONDS)
        again = _read(path)
        if again == content:
            return Look(stamp, content)
        content = again
    return None


def _read(path: Path) -> bytes:
    # One byte over the limit, so that the reader sees that the file is too large.
    with path.open("rb") as source:
        return source.read(MAX_BYTES + 1)


class Reloader:
    """Keeps a policy in step with its file."""

    def __init__(
        self,
        file: str,
        content: bytes,
        started_with: Reading,
        *,
        read: Callable[[bytes], Reading],
        adopt: Callable[[Policy, bytes], Awaitable[None]],
        reports: Reports,
        today: Callable[[], str] = utc_day,
    ) -> None:
        """`content` is the text that `started_with`, the running policy, was read from.

        `read` raises ConfigError if it refuses the content; it is called in a thread, because
        reading a large file takes too long to delay requests. `adopt` puts the policy and its
        content in force, or raises StartError and changes nothing.
        """
        self.file = file
        """The file's name, as the user gave it."""
        self._path = Path(os.path.abspath(file))
        self._content = content
        self._in_force = content  # the text of the running policy
        self._today = today
        self._day = today()
        self._policy = started_with.policy
        self._warnings = started_with.warnings
        self._read = read
        self._adopt = adopt
        self._reports = reports
        self._stamp: Stamp | None = None
        self._misses = 0
        self._taken = 0  # how many times new content was read
        self._lock = asyncio.Lock()
        self.succeeded = True
        """Whether the running policy matches the file."""
        self.succeeded_at = time.time()
        """When the running policy was read, in seconds since the epoch."""

    async def watch(self) -> None:
        """Check the file repeatedly, until cancelled."""
        while True:
            await self.check()
            await asyncio.sleep(POLL_SECONDS)

    async def check(self, *, forced: bool = False) -> None:
        """Check once; `forced` reads and reports even if nothing seems to have changed."""
        was_looking, taken = self._lock.locked(), self._taken
        async with self._lock:
            if was_looking and self._taken != taken:
                # Another check read and reported the file while this one waited.
                return
            await self._follow_the_date()
            known = None if forced else self._stamp
            try:
                seen = await asyncio.to_thread(look, self._path, known)
            except OSError as error:
                self._missed(error, forced)
                return
            if seen is None:
                return
            was_missing, self._misses = self._misses >= _MISSES, 0
            self._stamp = seen.stamp
            if seen.content != self._content or was_missing or forced:
                self._content = seen.content
                self._taken += 1
                await self._take(seen.content)

    def _missed(self, error: OSError, forced: bool) -> None:
        self._stamp = None
        self._misses += 1
        if self._misses == _MISSES or forced:
            self._misses = max(self._misses, _MISSES)
            self.succeeded = False
            self._reports.failed(self.file, (error.strerror or str(error)).lower())

    async def _follow_the_date(self) -> None:
        """On a new day, let entries expire, and warn about expired and expiring ones."""
        day = self._today()
        if day == self._day:
            return
        self._day = day
        is_current = self.succeeded
        adopted = await self._adopted(self._in_force)
        if adopted is None:
            return
        reading, found = adopted
        self.succeeded = is_current
        if found:
            self._reports.reloaded(self.file, found)
        self._warnings = reading.warnings
        self._reports.warned([w for w in reading.warnings if w.code in (EXPIRED, EXPIRES)])

    async def _take(self, content: bytes) -> None:
        adopted = await self._adopted(content)
        if adopted is None:
            return
        reading, found = adopted
        self._in_force = content
        self.succeeded_at = time.time()
        self._reports.reloaded(self.file, found)
        known = {(warning.code, warning.message) for warning in self._warnings}
        self._warnings = reading.warnings
        self._reports.warned([w for w in reading.warnings if (w.code, w.message) not in known])

    async def _adopted(self, content: bytes) -> tuple[Reading, tuple[Change, ...]] | None:
        """Put the policy in `content` in force. Returns the reading and the changes, or None
        after reporting why it was not adopted."""
        try:
            reading, found = await in_background(self._compare, content)
            # The listeners stay as they are, so the next file is compared with them.
            policy = replace(reading.policy, listen=self._policy.listen, admin=self._policy.admin)
            await self._adopt(policy, content)
        except ConfigError as error:
            self.succeeded = False
            self._reports.refused(self.file, error.problems)
            return None
        except StartError as error:
            self.succeeded = False
            self._reports.failed(self.file, str(error))
            return None
        except Exception as error:  # noqa: BLE001 - a fault must not end the watch
            self.succeeded = False
            self._reports.failed(self.file, f"a fault in the proxy: {error!r}")
            return None
        self._policy = policy
        self.succeeded = True
        return reading, found

    def _compare(self, content: bytes) -> tuple[Reading, tuple[Change, ...]]:
        try:
            reading = self._read(content)
        except ConfigError as error:
            problems = error.problems
        else:
            return reading, changes(self._policy, reading.policy)
        # Raise a new one: the traceback of the old one keeps everything read from the file
        # alive, and the garbage collector would stop every exchange to walk it.
        raise ConfigError(problems)
