"""Whether two policies say the same, wherever it is written."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import cache
from operator import attrgetter
from typing import Any, Final

from corsproxy.core.origins import OriginPattern, OriginSet
from corsproxy.core.policy import Policy
from corsproxy.core.source import Source

_PLAIN: Final = frozenset({str, bytes, int, float, bool, type(None)})


def same_but_places(one: Policy, other: Policy) -> bool:
    """Whether all that differs is the lines that the rules are written on.

    Every field of every part counts, those of later versions included.
    """
    return _same(one, other, set())


_Pairs = set[tuple[int, int]]
"""Lists of origins that were found to be the same: many routes share one."""


def _same(one: Any, other: Any, known: _Pairs) -> bool:
    kind = type(one)
    if kind is not type(other):
        return False
    if kind in _PLAIN:
        return bool(one == other)
    if isinstance(one, Source):
        return True
    if isinstance(one, tuple):
        return _same_parts(one, other, known)
    pair = id(one), id(other)
    if pair in known:
        return True
    parts = _parts(one.__class__)
    if parts is None:
        return bool(one == other)
    same = _same_parts(parts(one), parts(other), known)
    if same and kind is OriginSet:
        known.add(pair)
    return same


def _same_parts(ones: tuple[Any, ...], others: tuple[Any, ...], known: _Pairs) -> bool:
    """Compare part by part; most are not only equal but the same object."""
    if len(ones) != len(others):
        return False
    for one, other in zip(ones, others, strict=True):  # `all` takes twice as long
        if one is other or (type(one) is OriginPattern and one == other):
            continue  # written on the same line, as most entries are
        if not _same(one, other, known):
            return False
    return True


@cache
def _parts(kind: Any) -> Callable[[Any], tuple[Any, ...]] | None:
    """What takes apart the values of a type; None where they have no parts."""
    if kind is OriginSet:
        return attrgetter("patterns", "expired")
    names = [each.name for each in fields(kind) if each.compare] if is_dataclass(kind) else []
    # With one name, attrgetter returns no tuple: the class adds nothing to what is told apart.
    return attrgetter("__class__", *names) if names else None
