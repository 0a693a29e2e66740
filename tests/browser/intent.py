"""The meaning of an allowlist, read without the package.

A `Spec` is an allowlist in its smallest form. `permits` answers one question, from the
documentation alone: may this page read this response?
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tests.browser.model import Request, method_sent, unsafe_header_names

ANY = "*"
# They need no entry: a page may send them with harmless values in any case.
ALWAYS_ALLOWED_HEADERS = frozenset({"accept", "accept-language", "content-language", "range"})
# Methods are compared by case; what is not registered for HTTP is not forwarded, and so `*` does
# not stand for it.
REGISTERED_METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"}
)
ALWAYS_ALLOWED_METHODS = frozenset({"GET", "HEAD", "POST"})
ALWAYS_READABLE = frozenset(
    {
        "cache-control",
        "content-language",
        "content-length",
        "content-type",
        "expires",
        "last-modified",
        "pragma",
    }
)


class Spec(NamedTuple):
    """An allowlist; `("*",)` means every name, "*" among the origins means every origin."""

    origins: tuple[str, ...]
    methods: tuple[str, ...] = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
    headers: tuple[str, ...] = ("content-type", "authorization")
    expose: tuple[str, ...] = ()
    credentials: bool = False
    forward: bool = False
    """Whether requests of unlisted pages reach the upstream all the same."""

    def yaml(self) -> Mapping[str, object]:
        """The `cors:` mapping of the file that says the same."""
        return {
            "allow_origins": list(self.origins),
            "allow_methods": _listed(self.methods),
            "allow_headers": _listed(self.headers),
            "expose_headers": _listed(self.expose),
            "allow_credentials": self.credentials,
            "unlisted_origins": "forward" if self.forward else "block",
        }


def _listed(names: Sequence[str]) -> str | list[str]:
    return ANY if ANY in names else list(names)


def allows_origin(spec: Spec, origin: str) -> bool:
    return any(_matches(entry, origin) for entry in spec.origins)


def _matches(entry: str, origin: str) -> bool:
    """Each `*` by its place: a whole entry, a port, leading labels, part of one label."""
    if entry in (ANY, origin):
        return True
    expression = re.escape(entry).replace(re.escape("://*."), r"://([a-z0-9_-]+\.)+")
    expression = re.sub(r":\\\*$", r"(:[1-9][0-9]*)?", expression)
    expression = expression.replace(re.escape("*"), r"[a-z0-9-]+")
    return re.fullmatch(expression, origin) is not None


def allows_method(spec: Spec, method: str) -> bool:
    if ANY in spec.methods:
        return method in REGISTERED_METHODS
    return method in ALWAYS_ALLOWED_METHODS or method in spec.methods


def allows_header(spec: Spec, name: str) -> bool:
    return ANY in spec.headers or name in ALWAYS_ALLOWED_HEADERS or name in spec.headers


def permits(spec: Spec, request: Request) -> bool:
    """Whether the page may read the answer to `request`."""
    return (
        allows_origin(spec, request.origin)
        and (spec.credentials or not request.include)
        and allows_method(spec, method_sent(request))
        and all(allows_header(spec, name) for name in unsafe_header_names(request.headers))
    )


def readable(spec: Spec, present: frozenset[str]) -> frozenset[str]:
    """Which of the response headers `present` a page that may read sees."""
    if ANY in spec.expose:
        shown = frozenset(name for name in present if not name.startswith("access-control-"))
    else:
        shown = present & (ALWAYS_READABLE | frozenset(spec.expose))
    return shown - {"set-cookie", "set-cookie2"}
