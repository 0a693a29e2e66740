"""Takes an earlier edit back out of a file that may have been edited since.

A pure function like `edits.allow`. It removes exactly the text that the edit wrote, wherever
that is now, and keeps every other byte. The result is read again: it must not differ from the
current file by more than the edit did.
"""

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from corsproxy.config.changes import changes
from corsproxy.config.editing.edits import Edit, File
from corsproxy.config.editing.splices import EditError, Splice, spliced
from corsproxy.config.problems import ConfigError
from corsproxy.core.policy import Policy

_WORD = re.compile(r"\n|[^\S\n]+|[,\[\]{}]|[^\s,\[\]{}]+")
_LETTER, _ANY = re.compile(r"\w"), re.compile(r".", re.DOTALL)
_MOST_IN_WORDS = 20_000
"""Characters of changed lines; more are not compared word by word, which would take long."""

_EDITED = "the lines that were added have been edited or removed since"
_BY_HAND = "edit the file by hand"


class _Shared(NamedTuple):
    """A range of one text, and where another text has the same."""

    start: int
    end: int
    at: int


def take_back(file: File, before: bytes, after: bytes, summary: str) -> Edit:
    """Return the edit that takes back from `file` what turned `before` into `after`.

    Parts of it that are gone already are no obstacle; parts that have been changed are.
    Raises ConfigError if the file has problems of its own, and EditError if nothing can be
    taken back without touching what others have written.
    """
    current = file.reading.policy
    text, written = file.content.decode("utf-8"), after.decode("utf-8")
    splices = _splices(before.decode("utf-8"), written, text)
    try:
        changed = file.having(spliced(text, splices).encode("utf-8"))
    except ValueError as error:  # they overlap
        raise EditError(_EDITED, _BY_HAND) from error
    try:
        result = changed.reading.policy
    except ConfigError as error:
        reason = "without it the file would be refused"
        raise EditError(reason, _BY_HAND, error.problems) from error
    meant = _differences(file.having(after).reading.policy, file.having(before).reading.policy)
    if not _differences(current, result) <= meant:
        raise EditError(_EDITED, _BY_HAND)
    return Edit(file.content, changed, summary)


def _differences(one: Policy, other: Policy) -> set[tuple[str, str]]:
    """Return what differs, wherever it is: routes may have come or gone since."""
    return {(change.sign, change.what) for change in changes(one, other)}


def _splices(before: str, after: str, now: str) -> list[Splice]:
    kept = list(_shared(after, now))
    found = []
    for start, end, replaced in _written(before, after):
        at = _place(start, end, kept)
        if at is None:
            at = _moved(after[start:end], now)
        if at is not None:
            found.append(Splice(at, at + end - start, replaced))
        elif not _is_gone(after, start, end, kept):
            raise EditError(_EDITED, _BY_HAND)
    if not found:
        raise EditError(_EDITED, _BY_HAND)
    return found


def _written(before: str, after: str) -> Iterator[tuple[int, int, str]]:
    """Yield each range of `after` that the edit wrote, with the text that was there before."""
    end = at = 0
    for same in (*_shared(after, before), _Shared(len(after), len(after), len(before))):
        if same.start > end or same.at > at:
            yield end, same.start, before[at : same.at]
        end, at = same.end, same.at + same.end - same.start


def _is_gone(text: str, start: int, end: int, kept: Sequence[_Shared]) -> bool:
    """Whether nothing of the range is left but signs that could be others'."""
    own = _LETTER if _LETTER.search(text, start, end) else _ANY
    return start < end and not any(
        own.search(text, max(start, same.start), min(end, same.end)) for same in kept
    )


def _place(start: int, end: int, kept: Sequence[_Shared]) -> int | None:
    """Return where the range is now; None if it is no longer in one piece."""
    for same in kept:
        if same.start <= start and end <= same.end:
            return same.at + start - same.start
    return None


def _moved(text: str, now: str) -> int | None:
    """Return where an entry is now that has been moved in its list; None unless it is in one
    place. The first of a list has its comma behind it."""
    entry = text.lstrip(", ")
    for each in (text, entry + text.removesuffix(entry)):
        if _LETTER.search(text) and now.count(each) == 1:
            return now.index(each)
    return None


def _shared(one: str, other: str) -> Iterator[_Shared]:
    """Yield what two texts share, in order; adjacent ranges are joined."""
    start = at = i = j = 0
    for is_same, left, right in _compared(one, other):
        if not is_same:
            if i > start:
                yield _Shared(start, i, at)
            start, at = i + len(left), j + len(right)
        i, j = i + len(left), j + len(right)
    if i > start:
        yield _Shared(start, i, at)


_Parts = Iterator[tuple[bool, str, str]]


def _compared(one: str, other: str) -> _Parts:
    """Compare line by line, and lines that differ word by word."""
    for is_same, left, right in _aligned(one.splitlines(True), other.splitlines(True)):
        if is_same or len(left) + len(right) > _MOST_IN_WORDS:
            yield is_same, left, right
        else:
            yield from _aligned(_WORD.findall(left), _WORD.findall(right))


def _aligned(ones: Sequence[str], others: Sequence[str]) -> _Parts:
    for tag, i, j, k, m in SequenceMatcher(None, ones, others).get_opcodes():
        yield tag == "equal", "".join(ones[i:j]), "".join(others[k:m])
