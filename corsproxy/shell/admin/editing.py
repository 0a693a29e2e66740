"""The edit that allows a refused call, computed from the current file.

The terminal and the inspector write exactly the edit that they show, or nothing.
"""

import os
import stat
import time
from collections.abc import Sequence
from contextlib import suppress

from corsproxy.config.editing.calls import Way, allow_call, allow_remedies
from corsproxy.config.editing.edits import File
from corsproxy.config.problems import ConfigError
from corsproxy.config.yaml.source_text import MAX_BYTES
from corsproxy.core.advice.remedies import Remedy
from corsproxy.core.page_call import PageCall
from corsproxy.shell.feed.clock import utc_day

# How long a broken or missing file may be one that an editor is writing.
_SAVING_SECONDS = 0.5
_POLL_SECONDS = 0.02


def read_and_edit(file: str, remedies: Sequence[Remedy], call: PageCall | None = None) -> Way:
    """Return the edit that `remedies` ask for; if the call is known, everything that it lacks.
    Blocks: call it in a thread.

    Editors truncate a file before they write it, or rename it away. So a file that is broken
    or missing, and was touched just now, gets half a second to become complete.

    Raises ConfigError, EditError and OSError.
    """
    give_up = time.monotonic() + _SAVING_SECONDS
    while True:
        try:
            return _edit(current_file(file), remedies, call)
        except (ConfigError, FileNotFoundError):
            if time.monotonic() > give_up or not _is_being_saved(file):
                raise
        time.sleep(_POLL_SECONDS)


def _is_being_saved(file: str) -> bool:
    """Whether the file changed a moment ago, or is missing."""
    try:
        found = os.stat(file)
    except FileNotFoundError:
        return True
    is_recent = abs(time.time() - found.st_mtime) < _SAVING_SECONDS
    return is_recent and stat.S_ISREG(found.st_mode)


def _edit(current: File, remedies: Sequence[Remedy], call: PageCall | None) -> Way:
    if call is not None:
        with suppress(ValueError):  # a browser would not make this call
            way = allow_call(current, call)
            if way is not None:
                return way
    return allow_remedies(current, remedies)


def current_file(file: str) -> File:
    """Return the file as it is now. Blocks. Raises OSError."""
    if not os.path.isfile(file):
        # Opening a pipe would wait for a writer.
        raise FileNotFoundError(0, "there is no regular file of that name")
    with open(file, "rb") as source:
        # One byte over the limit, so that the reader sees that the file is too large.
        content = source.read(MAX_BYTES + 1)
    directory = os.path.dirname(os.path.abspath(file))
    return File(content, file, os.environ, directory, utc_day())
