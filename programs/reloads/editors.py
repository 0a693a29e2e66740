"""Ways to write a file's next content: those of editors, scripts and the kubelet."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

Save = Callable[[Path, str], None]


def replace(path: Path, text: str) -> None:
    """Replace the old file by a new one: `corsproxy allow`, sed -i and many editors."""
    saved = path.with_name(f".{path.name}.new")
    saved.write_text(text)
    saved.replace(path)


def move_away(path: Path, text: str) -> None:
    """Rename the old file to a backup, then write a new one: vim, Emacs."""
    path.replace(path.with_name(f"{path.name}~"))
    path.write_text(text)


def write_over(path: Path, text: str) -> None:
    """Truncate the file and write it: VS Code, nano, `>`, a bind mount."""
    path.write_text(text)


def swap_config_map(path: Path, text: str) -> None:
    """The kubelet's layout: file -> ..data/file, ..data -> a directory for each version."""
    volume = path.parent
    data, temporary = volume / "..data", volume / "..data_tmp"
    old = data.resolve() if data.is_symlink() else None
    number = 1 + (int(old.name.rpartition("_")[2]) if old is not None else 0)
    version = volume / f"..version_{number}"
    version.mkdir()
    (version / path.name).write_text(text)
    temporary.symlink_to(version.name)
    temporary.replace(data)
    link = os.path.join("..data", path.name)
    if not path.is_symlink() or os.readlink(path) != link:
        temporary.symlink_to(link)
        temporary.replace(path)
    if old is not None:
        shutil.rmtree(old)


WAYS: dict[str, Save] = {
    "replaced": replace,
    "moved away": move_away,
    "written over": write_over,
    "ConfigMap": swap_config_map,
}
