"""Where each operating system has a user's authorities."""

from pathlib import Path

import pytest

from corsproxy.shell.certificates.directories import directories_of


@pytest.mark.parametrize(
    ("platform", "environ", "data", "mkcert"),
    [
        ("linux", {"HOME": "/h"}, "/h/.local/share/corsproxy", ["/h/.local/share/mkcert"]),
        ("linux", {"HOME": "/h", "XDG_DATA_HOME": "/d"}, "/d/corsproxy", ["/d/mkcert"]),
        ("linux", {"HOME": "/h", "CAROOT": "/c"}, "/h/.local/share/corsproxy",
         ["/c", "/h/.local/share/mkcert"]),
        ("darwin", {"HOME": "/h"}, "/h/Library/Application Support/corsproxy",
         ["/h/Library/Application Support/mkcert"]),
        ("win32", {"USERPROFILE": "/u", "LOCALAPPDATA": "/l"}, "/l/corsproxy", ["/l/mkcert"]),
    ],
)  # fmt: skip
def test_places_follow_each_system(
    platform: str, environ: dict[str, str], data: str, mkcert: list[str]
) -> None:
    directories = directories_of(environ, platform)
    assert directories.data == Path(data)
    assert directories.mkcert == tuple(map(Path, mkcert))
