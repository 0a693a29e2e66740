"""Paths as expressions: which route takes one, which others it could be read as, its mapping."""

from typing import NamedTuple

from corsproxy.core.policy import Policy, Route
from corsproxy.core.routing import Target, upstream_target
from corsproxy.export.expressions import literal

_QUERY = r"(\?.*)?"
# What some servers treat as the end of a segment, and what they drop before it.
_SEPARATOR = r"(?:[/\\]|%(?:2[Ff]|5[Cc]))"
_PARAMETERS = r"(?:(?:;|%3[Bb])[^/?]*)?"


class Mapping(NamedTuple):
    """The path that the upstream gets: an expression with one group, and what to put before
    that group's text."""

    expression: str
    prefix: str

    @property
    def alone(self) -> str | None:
        """An expression for the only path that it maps; None if it maps all below one."""
        path = self.expression.removesuffix(_QUERY)
        return None if path == self.expression else path


def taken(route: Route) -> str:
    """Return an expression for the paths, without query, that a route takes literally."""
    return ".*" if route.path == b"/" else literal(_text(route.path)) + "(?:/.*)?"


def read_as(route: Route) -> str:
    """Return an expression for the paths that a back end may read as the route's: with encoded
    characters, doubled slashes, backslashes or parameters."""
    gap = f"(?:{_PARAMETERS}{_SEPARATOR})+"
    segments = _text(route.path).strip("/").split("/")
    path = "".join(gap + "".join(map(_loosely, segment)) for segment in segments)
    return f"{path}{_PARAMETERS}(?:{_SEPARATOR}.*)?"


def _loosely(character: str) -> str:
    code = f"{ord(character):02x}"
    encoded = "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in code)
    return f"(?:{literal(character)}|%{encoded})"


def may_be_ambiguous(policy: Policy) -> bool:
    """Whether a path could be read as another route's."""
    return len(policy.routes) > 1 or any(route.path != b"/" for route in policy.routes)


def mappings(route: Route) -> tuple[Mapping, ...]:
    """Return what the upstream gets, as the router itself says; the first expression that
    matches the target, query included, decides."""
    path = b"" if route.path == b"/" else route.path
    shown = literal(_text(path))
    alone = _text(upstream_target(route, Target(route.path, b"", None)))
    slash = _text(upstream_target(route, Target(path + b"/", b"", None)))
    below = _text(upstream_target(route, Target(path + b"/-", b"", None)))[:-2]
    found = [Mapping(f"{shown}/{_QUERY}", slash), Mapping(rf"{shown}(/.*)", below)]
    if path:
        found.insert(0, Mapping(shown + _QUERY, alone))
    if slash == below + "/":
        del found[-2]
        if path and alone == below:
            return (Mapping(rf"{shown}(.*)", below),)
    return tuple(found)


def _text(path: bytes) -> str:
    return path.decode("ascii")
