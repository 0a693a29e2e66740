"""How back ends may interpret a path.

This proxy matches paths byte by byte. Servers behind it may decode them (RFC 3986, 2.4), merge
slashes, turn backslashes into slashes and drop parameters (RFC 3986, 3.3); each server does
some of this. Paths are decoded once, with or without the separators. Case is not folded.
"""

import re
from typing import Final
from urllib.parse import unquote_to_bytes

_PARAMETERS: Final = re.compile(rb";[^/]*")
_SLASHES: Final = re.compile(rb"//+")
_UNEVEN: Final = re.compile(rb"[;\\]|//")
_ENCODED_SEPARATOR: Final = re.compile(rb"%(?=2f|5c)", re.IGNORECASE)


def path_readings(path: bytes) -> set[bytes]:
    """Return every path that a back end may read `path` as, itself included."""
    found = _respelt({path})
    for each in tuple(found):
        if each.find(b"%") >= 0:
            found.add(unquote_to_bytes(each))
            if _ENCODED_SEPARATOR.search(each) is not None:
                found.add(unquote_to_bytes(_ENCODED_SEPARATOR.sub(b"%25", each)))
    return _respelt(found)


def _respelt(paths: set[bytes]) -> set[bytes]:
    """Return the paths, and what servers make of them without decoding.

    A backslash may end a parameter or be part of it: both orders are tried.
    """
    uneven = {path for path in paths if _UNEVEN.search(path) is not None}
    if not uneven:
        return paths
    uneven |= {_PARAMETERS.sub(b"", path) for path in uneven}
    uneven |= {path.replace(b"\\", b"/") for path in uneven}
    uneven |= {_PARAMETERS.sub(b"", path) for path in uneven}
    return paths | uneven | {_SLASHES.sub(b"/", path) for path in uneven}
