"""Allowlists and calls, every one with every other, on origins that Chromium can open."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tests.browser.intent import Spec
from tests.browser.model import Request

# {page} and {other} stand for two ports.
SPECS = (
    Spec(("http://localhost:{page}",)),
    Spec(("http://localhost:{page}", "http://127.0.0.1:{page}"), (), (), (), credentials=True),
    Spec(("http://localhost:*",), ("*",), ("*",), ("*",), credentials=True),
    Spec(
        ("http://*.localhost:{page}",),
        ("GET", "PUT", "PROPFIND"),
        ("x-api-version",),
        ("x-total-count",),
    ),
    Spec(("http://pr-*.localhost:{page}", "http://[::1]:{page}"), ("PATCH",), credentials=True),
    Spec(("*",), expose=("*",)),
    Spec(("*",), ("*",), ("*",)),
    Spec(("null", "http://127.0.0.1:{page}"), ("DELETE", "patch"), ("*",), ("*",)),
)
ORIGINS = (
    "http://localhost:{page}",
    "http://localhost:{other}",
    "http://127.0.0.1:{page}",
    "http://[::1]:{page}",
    "http://app.localhost:{page}",
    "http://pr-7.localhost:{page}",
)
JSON = ("content-type", "application/json")
CALLS = (
    Request(""),
    Request("", include=True),
    Request("", "HEAD"),
    Request("", "POST", (("content-type", "text/plain"),)),
    Request("", "POST", (JSON,)),
    Request("", "POST", (JSON,), include=True),
    Request("", "put"),
    Request("", "PUT", (JSON,), include=True),
    Request("", "PATCH"),
    Request("", "patch"),
    Request("", "DELETE", include=True),
    Request("", "PROPFIND"),
    Request("", "GET", (("x-api-version", "2"),)),
    Request("", "GET", (("authorization", "Bearer t"), ("x-csrf", "1"))),
    Request("", "GET", (("accept", "text/html;level=(1)"),)),
)


class Pair(NamedTuple):
    """One call under one allowlist."""

    path: str
    """Unique, and under the route that has the allowlist."""
    spec: Spec
    request: Request


def specs(page: int, other: int) -> list[Spec]:
    return [
        spec._replace(origins=tuple(o.format(page=page, other=other) for o in spec.origins))
        for spec in SPECS
    ]


def pairs(page: int, other: int) -> list[Pair]:
    """Every call from every origin under every allowlist."""
    combined = [
        (number, spec, call._replace(origin=origin.format(page=page, other=other)))
        for number, spec in enumerate(specs(page, other))
        for origin in ORIGINS
        for call in CALLS
    ]
    return [
        Pair(f"/{number}/call-{index}", spec, request)
        for index, (number, spec, request) in enumerate(combined)
    ]


def allowlist(upstream: str, page: int, other: int) -> Mapping[str, object]:
    """The file with a route for each of the allowlists."""
    routes: Sequence[Mapping[str, object]] = [
        {"name": f"r{number}", "path": f"/{number}", "upstream": upstream, "cors": spec.yaml()}
        for number, spec in enumerate(specs(page, other))
    ]
    return {"routes": routes}
