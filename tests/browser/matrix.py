"""Allowlists, pages and calls in all combinations, and ambiguous paths.

Pages are on origins that Chromium can open.
"""

from collections.abc import Iterator, Mapping, Sequence
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
    Spec(("null", "http://127.0.0.1:{page}"), ("DELETE", "patch", "OPTIONS"), ("*",), ("*",)),
    Spec(("http://localhost:{page}",), forward=True),
)
ORIGINS = (
    "http://localhost:{page}",
    "http://localhost:{other}",
    "http://127.0.0.1:{page}",
    "http://[::1]:{page}",
    "http://app.localhost:{page}",
    "http://pr-7.localhost:{page}",
    "null",
)
JSON = ("content-type", "application/json")
_METHODS = ("GET", "get", "HEAD", "POST", "put", "PATCH", "patch", "DELETE", "PROPFIND", "OPTIONS")
_UNKNOWN_METHOD = "CHANGE"
_HEADERS: Sequence[tuple[tuple[str, str], ...]] = (
    (("content-type", "text/plain;charset=utf-8"),),
    (("content-type", "application/x-www-form-urlencoded"), ("accept-language", "de-CH, en")),
    (("content-type", "multipart/form-data; boundary=(x)"),),
    (JSON,),
    (("x-api-version", "2"),),
    (("X-Api-Version", "2"), ("Authorization", "Bearer t")),
    (("authorization", "Bearer t"), ("x-csrf", "1")),
    (("accept", "text/html;level=(1)"),),
    (("accept", "a" * 129),),
    (("accept-language", "en_US"), ("content-language", "de")),
    (("range", "bytes=0-9"),),
    (("range", "bytes=-9"),),
    tuple((name, "x" * 100) for name in ("accept", "accept-language", "x-one", "x-two")),
)
CALLS = (
    *(Request("", method) for method in (*_METHODS, _UNKNOWN_METHOD)),
    *(Request("", "POST", headers) for headers in _HEADERS),
    Request("", include=True),
    Request("", "POST", (JSON,), include=True),
    Request("", "PUT", (JSON,), include=True),
    Request("", "DELETE", include=True),
)

# Where a path leads, as it is written in `fetch` and as the browser sends it (WHATWG URL).
PATHS = {
    "/shape": "/shape",
    "/shape/": "/shape/",
    "/shape//x": "/shape//x",
    "/shape/x?a=1&a=2": "/shape/x?a=1&a=2",
    "/shape/x?up=/../..": "/shape/x?up=/../..",
    "/shape/inner": "/shape/inner",
    "/shape/inner/x": "/shape/inner/x",
    "/shape/innermost": "/shape/innermost",
    "/shape/./x": "/shape/x",
    "/shape/inner/../x": "/shape/x",
    "/shape/%2e%2E/other/x": "/other/x",
    "/shape/../../../other/x": "/other/x",
    "/shape\\inner\\x": "/shape/inner/x",
    "/shape/..%2fother": "/shape/..%2fother",
    "/shape/%2e%2e%5cother": "/shape/%2e%2e%5cother",
    "/shape/..;/other": "/shape/..;/other",
    "/shape/.../x": "/shape/.../x",
    "/shape/grüße": "/shape/gr%C3%BC%C3%9Fe",
    "/shape/a b": "/shape/a%20b",
    "/shape/{x}'": "/shape/%7Bx%7D'",
    "/shape/%zz": "/shape/%zz",
    "/shape/100%": "/shape/100%",
    "/shape/%00": "/shape/%00",
    "/%73hape/x": "/%73hape/x",
    "/Shape/x": "/Shape/x",
    "/shapes/x": "/shapes/x",
    "/shape;x": "/shape;x",
    "//shape/x": "//shape/x",
    "/": "/",
    "/nothing/here": "/nothing/here",
    "/shape/" + "x" * 9000: "/shape/" + "x" * 9000,
    "/granted/by/upstream": "/granted/by/upstream",
}
PATH_CALLS = (
    Request(""),
    Request("", "PUT", (JSON,), include=True),
    Request("", "DELETE"),
)
PATH_ORIGINS = ("http://localhost:{page}", "http://localhost:{other}")
SHAPE = Spec(("http://localhost:{page}",), ("GET", "PUT"), expose=("*",), credentials=True)
WITHOUT_FILE = Spec(
    ("http://localhost:*", "http://*.localhost:*", "http://127.0.0.1:*", "http://[::1]:*"),
    ("*",),
    ("*",),
    ("*",),
    credentials=True,
)
ELSEWHERE = Spec(("http://localhost:{other}",))


class Pair(NamedTuple):
    """One call under one allowlist."""

    written: str
    """The URL's path and query as the script writes them. Unique."""
    sent: str
    """The same as the browser sends them."""
    spec: Spec | None
    """None where the path decides under which allowlist the call is."""
    request: Request


def _on(spec: Spec, page: int, other: int) -> Spec:
    return spec._replace(origins=tuple(o.format(page=page, other=other) for o in spec.origins))


def specs(page: int, other: int) -> list[Spec]:
    return [_on(spec, page, other) for spec in SPECS]


def pairs(page: int, other: int) -> list[Pair]:
    """Every call from every origin under every allowlist."""
    combined = [
        (number, spec, call._replace(origin=origin.format(page=page, other=other)))
        for number, spec in enumerate(specs(page, other))
        for origin in ORIGINS
        for call in CALLS
    ]
    return [
        Pair(f"/{number}/call-{index}", f"/{number}/call-{index}", spec, request)
        for index, (number, spec, request) in enumerate(combined)
    ]


def stray_pairs(page: int, other: int) -> Iterator[Pair]:
    """Calls that a route's shape or a trap in the path decides about."""
    combined = [
        (written, sent, call._replace(origin=origin.format(page=page, other=other)))
        for origin in PATH_ORIGINS
        for call in PATH_CALLS
        for written, sent in PATHS.items()
    ]
    for index, (written, sent, request) in enumerate(combined):
        mark = f"{'&' if '?' in written else '?'}stray={index}"
        yield Pair(written + mark, sent + mark, None, request)


def pairs_without_file(page: int, other: int) -> list[Pair]:
    """Every call from every origin under what `corsproxy URL` allows."""
    combined = [
        call._replace(origin=origin.format(page=page, other=other))
        for origin in ORIGINS
        for call in CALLS
    ]
    return [
        Pair(f"/call-{index}", f"/call-{index}", WITHOUT_FILE, request)
        for index, request in enumerate(combined)
    ]


def own_pairs(origin: str) -> Iterator[Pair]:
    """Calls from a page of the proxy's own origin, under each of the allowlists."""
    for number in range(len(SPECS)):
        for index, call in enumerate(CALLS):
            path = f"/{number}/own-{index}"
            yield Pair(path, path, None, call._replace(origin=origin, same_origin=True))


def allowlist(upstream: str, page: int, other: int) -> Mapping[str, object]:
    """The file with a route for each of the allowlists, and routes of different shapes."""
    routes: list[Mapping[str, object]] = [
        {"name": f"r{number}", "path": f"/{number}", "upstream": upstream, "cors": spec.yaml()}
        for number, spec in enumerate(specs(page, other))
    ]
    routes += [
        {"name": "shape", "path": "/shape", "upstream": upstream},
        {
            "name": "inner",
            "path": "/shape/inner",
            "upstream": f"{upstream}/base",
            "strip_path": True,
        },
        {
            "name": "elsewhere",
            "path": "/other",
            "upstream": upstream,
            "cors": _on(ELSEWHERE, page, other).yaml(),
        },
        {"name": "granted", "path": "/granted", "upstream": upstream, "cors": "passthrough"},
    ]
    return {"cors": _on(SHAPE, page, other).yaml(), "routes": routes}
