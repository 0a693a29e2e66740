"""Whether two policies say the same, wherever it is written."""

from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Final

from corsproxy.core.origins import OriginSet
from corsproxy.core.policy import Policy
from corsproxy.core.source import Source

_PLAIN: Final = frozenset({str, bytes, int, float, bool, type(None)})


def same_but_places(one: Policy, other: Policy) -> bool:
    """Whether all that differs is the lines that the rules are written on.

    Every field of every part counts, those of later versions included.
    """
    return _same(one, other)


def _same(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if type(one) in _PLAIN:
        return bool(one == other)
    if isinstance(one, Source):
        return True
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    names = _parts(one.__class__)
    return all(_same(getattr(one, name), getattr(other, name)) for name in names) and (
        bool(names) or bool(one == other)
    )


@cache
def _parts(kind: Any) -> tuple[str, ...]:
    """The parts by which values of a type are told apart; none where it has no parts."""
    if kind is OriginSet:
        return "patterns", "expired"
    return tuple(each.name for each in fields(kind) if each.compare) if is_dataclass(kind) else ()
