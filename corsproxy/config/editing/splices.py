"""Changes of a text at places in it: everything between them stays, byte for byte."""

from collections.abc import Iterable
from typing import NamedTuple

from corsproxy.config.problems import Problem
from corsproxy.errors import CorsproxyError

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class EditError(CorsproxyError):
    """A change that is not made, because what it would change beside is not known.

    `reason` is one sentence without a full stop, `help` what to do instead; `problems`
    are what the reader would say about the changed file.
    """

    def __init__(self, reason: str, help: str = "", problems: Iterable[Problem] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.help = help
        self.problems = tuple(problems)


class Splice(NamedTuple):
    """The text from offset `start` up to `end` becomes `text`; offsets in code points."""

    start: int
    end: int
    text: str


def insertion(offset: int, text: str) -> Splice:
    return Splice(offset, offset, text)


def spliced(text: str, splices: Iterable[Splice]) -> str:
    """Return `text` with the splices made.

    They may come in any order and must not overlap; at one offset, the first given
    comes first.
    """
    parts: list[str] = []
    end = 0
    for splice in sorted(splices, key=lambda splice: splice[:2]):
        if splice.start < end:
            raise ValueError("splices overlap")
        parts += text[end : splice.start], splice.text
        end = splice.end
    return "".join((*parts, text[end:]))


def spliced_bytes(data: bytes, splices: Iterable[Splice]) -> bytes:
    """Return a UTF-8 file with the splices made; a byte order mark in it is not counted."""
    mark = data[:3] if data.startswith(_BYTE_ORDER_MARK) else b""
    text = data[len(mark) :].decode("utf-8")
    return mark + spliced(text, splices).encode("utf-8")
