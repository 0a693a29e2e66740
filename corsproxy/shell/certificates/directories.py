"""Where a user's authorities are, by the rules of each operating system."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple


class Directories(NamedTuple):
    """The directories of one user."""

    data: Path
    """Ours."""
    mkcert: tuple[Path, ...]
    """Where mkcert may have its root; the first directory that has one is used."""
    home: Path


def directories_of(environ: Mapping[str, str], platform: str = sys.platform) -> Directories:
    """Return where to look, by the environment of a process on `platform`."""
    home = Path(environ.get("HOME") or environ.get("USERPROFILE") or os.path.expanduser("~"))
    data = _data_directory(environ, platform, home)
    named = environ.get("CAROOT")
    mkcert = ((Path(named),) if named else ()) + (data / "mkcert",)
    return Directories(data / "corsproxy", mkcert, home)


def _data_directory(environ: Mapping[str, str], platform: str, home: Path) -> Path:
    if platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    # On every other system mkcert looks at this variable first, and so do we.
    named = environ.get("XDG_DATA_HOME")
    if named and os.path.isabs(named):
        return Path(named)
    if platform == "darwin":
        return home / "Library" / "Application Support"
    return home / ".local" / "share"
