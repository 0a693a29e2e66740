"""Replace a file's content atomically: readers see the old content or the new, all of it.

This holds at any moment, for the reload of a running proxy too, and after a crash. Links are
followed; mode, owner and extended attributes are kept. A mount point or a file with several
hard links cannot be replaced and is overwritten in place: the only case in which a crash
could leave half of it.
"""

import errno
import os
import stat
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress

from corsproxy.errors import CorsproxyError

# Errors of renaming onto a mount point, or of creating a file in the directory.
_NOT_REPLACEABLE = frozenset({errno.EBUSY, errno.EXDEV, errno.EACCES, errno.EPERM, errno.EROFS})

Replace = Callable[[str, str], None]


class SaveError(CorsproxyError):
    """The file was left as it was. The message says why, as one sentence without a full stop."""

    help = "make the change above by hand"
    """What to do now, for a command that has shown the change."""


class ChangedError(SaveError):
    """The file no longer holds the content that the change was made from."""

    help = "run the command again"

    def __init__(self) -> None:
        super().__init__("it has been changed in the meantime")


def save(path: str, content: bytes, *, known: bytes, replace: Replace = os.replace) -> None:
    """Write `content` to the file that `path` leads to, which must still hold `known`.

    `replace` renames, as `os.replace` does. Raises ChangedError if the file no longer holds
    `known`, SaveError if it cannot be written.
    """
    try:
        file = os.path.realpath(path, strict=True)
        status = os.stat(file)
        _check_writable(file, status)
        _check_unchanged(file, known)
        if status.st_nlink > 1 or not _replace(file, status, content, known, replace):
            _write_over(file, content, known)
    except OSError as error:
        reason = error.strerror or str(error)
        raise SaveError(f"it cannot be written: {reason[:1].lower()}{reason[1:]}") from error


def _check_writable(file: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise SaveError("it is not a regular file")
    if status.st_mode & 0o222 and os.access(file, os.W_OK):
        return
    # The directory layout of volumes that the kubelet writes.
    volume = os.path.dirname(os.path.dirname(file))
    if os.path.lexists(os.path.join(volume, "..data")):
        raise SaveError("it is read-only, from a ConfigMap or a Secret: change it there")
    raise SaveError("it is read-only")


def _check_unchanged(file: str, known: bytes) -> None:
    with open(file, "rb") as source:
        if source.read(len(known) + 1) != known:
            raise ChangedError


def _replace(
    file: str, status: os.stat_result, content: bytes, known: bytes, replace: Replace
) -> bool:
    """Put a new file in place of the old one; False if that is not possible there."""
    directory, name = os.path.split(file)
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=directory)
    except OSError as error:
        if error.errno in _NOT_REPLACEABLE:
            return False
        raise
    try:
        with open(descriptor, "wb") as target:
            target.write(content)
            target.flush()
            if not _take_over(file, status, temporary):
                return False
            os.fsync(target.fileno())
        _check_unchanged(file, known)
        replace(temporary, file)
    except OSError as error:
        if error.errno in _NOT_REPLACEABLE:
            return False
        raise
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
    _sync_directory(directory)
    return True


def _take_over(file: str, status: os.stat_result, temporary: str) -> bool:
    """Copy mode, owner and attributes to the new file; False if this user may not."""
    if sys.platform != "win32":
        created = os.stat(temporary)
        if (created.st_uid, created.st_gid) != (status.st_uid, status.st_gid):
            try:
                os.chown(temporary, status.st_uid, status.st_gid)
            except PermissionError:
                return False
    os.chmod(temporary, stat.S_IMODE(status.st_mode))
    if sys.platform == "linux":
        names = list[str]()
        with suppress(OSError):  # not every file system has them
            names = os.listxattr(file)
        for name in names:
            with suppress(OSError):  # some can only be set by the system
                os.setxattr(temporary, name, os.getxattr(file, name))
    return True


def _write_over(file: str, content: bytes, known: bytes) -> None:
    _check_unchanged(file, known)
    with open(file, "r+b") as target:
        target.write(content)
        target.truncate()
        target.flush()
        os.fsync(target.fileno())


def _sync_directory(directory: str) -> None:
    """Make the rename durable; not every file system can."""
    if sys.platform == "win32":
        return
    with suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
