"""Whether two policies say the same, wherever it is written."""

from dataclasses import fields, is_dataclass

from corsproxy.core.origins import OriginSet
from corsproxy.core.policy import Policy
from corsproxy.core.source import Source


def same_but_places(one: Policy, other: Policy) -> bool:
    """Whether all that differs is the lines that the rules are written on.

    Every field of every part counts, those of later versions included.
    """
    return _without_places(one) == _without_places(other)


def _without_places(value: object) -> object:
    if isinstance(value, Source):
        return None
    if isinstance(value, OriginSet):
        return tuple(map(_without_places, (value.patterns, value.expired)))
    if is_dataclass(value):
        return (
            type(value),
            *(_without_places(getattr(value, each.name)) for each in fields(value) if each.compare),
        )
    if isinstance(value, tuple):
        return (type(value), *map(_without_places, value))
    return value
