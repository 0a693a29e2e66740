"""Routes. Refused values are in broken/routes.txt."""

import pytest

from corsproxy.config.reader import read_policy
from corsproxy.core.decision import decide
from corsproxy.core.policy import Route
from corsproxy.core.verdicts import Code
from tests.config.reading import MINIMAL, NAME, codes_of, policy_of, problems_of, route_of
from tests.policies import PAGE, request


def test_a_route_has_defaults() -> None:
    route = route_of()
    assert route == Route(
        "/api",
        b"/api",
        route.upstream,
        route.cors,
        source=route.source,
        upstream_source=route.upstream_source,
    )
    assert str(route.upstream) == "https://api.example.com"
    assert route.source == (NAME, 4, 5)


def test_every_key_of_a_route_is_read() -> None:
    route = route_of(
        "name: shop", "strip_path: true", "preserve_host: true", "origin: remove", "cookies: keep"
    )
    assert (route.name, route.strip_path, route.preserve_host) == ("shop", True, True)
    assert (route.origin, route.cookies) == ("remove", "keep")


@pytest.mark.parametrize(
    ("lines", "origin"),
    [
        ((), "rewrite"),
        (("preserve_host: true",), "keep"),
        (("cors: passthrough",), "keep"),
        (("preserve_host: true", "origin: rewrite"), "rewrite"),
    ],
)
def test_origin_is_kept_where_the_upstream_is_to_see_the_client(
    lines: tuple[str, ...], origin: str
) -> None:
    assert route_of(*lines).origin == origin


def test_the_short_form_is_the_route_at_the_root() -> None:
    (route,) = policy_of(MINIMAL).routes
    assert (route.name, route.path, route.source) == ("/", b"/", (NAME, 1, 11))
    assert str(route.upstream) == "https://api.example.com"


def test_the_short_form_takes_requests_of_no_other_route() -> None:
    policy = policy_of(f"{MINIMAL}routes:\n  - {{path: /b, upstream: 'http://b'}}\n")
    assert [(route.path, str(route.upstream)) for route in policy.routes] == [
        (b"/b", "http://b"),
        (b"/", "https://api.example.com"),
    ]


def test_routes_keep_the_order_of_the_file() -> None:
    routes = "".join(f"  - {{path: /{name}, upstream: 'http://a'}}\n" for name in "cab")
    policy = policy_of(f"cors: {{allow_origins: ['http://localhost:1']}}\nroutes:\n{routes}")
    assert [route.path for route in policy.routes] == [b"/c", b"/a", b"/b"]


def test_a_route_may_be_named_by_its_path() -> None:
    assert route_of("name: /api").name == "/api"


def test_a_broken_route_does_not_hide_the_others_problems() -> None:
    text = """\
routes:
  - upstream: nothing here
    cors: {max_age: 5}
  - path: b
    strip_path: maybe
    cors: {allow_origins: [https://a/]}
limits: {body: much}
"""
    assert codes_of(text) == [
        "missing-key",
        "bad-upstream",
        "missing-key",
        "missing-key",
        "bad-path",
        "wrong-type",
        "origin-trailing-slash",
        "bad-size",
    ]


@pytest.mark.parametrize(
    ("upstream", "listen", "is_self"),
    [
        ("http://localhost:8010", "localhost:8010", True),
        ("http://127.0.0.1:8010", "localhost:8010", True),
        ("http://[::1]:8010", "0.0.0.0:8010", True),
        ("http://api:8010", "api:8010", True),
        ("http://localhost:8020", "localhost:8010", False),
        ("http://api:8010", "localhost:8010", False),
        ("http://10.0.0.1:8010", "0.0.0.0:8010", False),
        ("unix:/run/a.sock", "localhost:8010", False),
    ],
)
def test_an_upstream_that_is_this_proxy_is_a_warning(
    upstream: str, listen: str, is_self: bool
) -> None:
    text = (
        f"upstream: '{upstream}'\nlisten: '{listen}'\ncors: {{allow_origins: ['http://a.test']}}\n"
    )
    assert codes_of(text) == (["upstream-is-self"] if is_self else [])


@pytest.mark.parametrize("tls", ["tls: {ca_file: dev.pem}", "tls:\n  ca_file: dev.pem"])
def test_a_key_beside_the_short_form_is_answered_with_its_route(tls: str) -> None:
    rules = "cors: {allow_origins: [http://localhost:5173]}\n"
    [problem] = problems_of(f"upstream: https://localhost:8443\n{tls}\n{rules}")
    written = problem.help.partition("`routes: ")[2].removesuffix("`")
    written = written.replace("...", "{ca_file: dev.pem}")
    [route] = policy_of(f"routes: {written}\n{rules}").routes
    assert (route.path, str(route.upstream)) == (b"/", "https://localhost:8443")
    assert (route.tls.ca_file or "").endswith("/dev.pem")


SHORTER = "{path: /a, upstream: http://one.test}"


@pytest.mark.parametrize(
    ("path", "beside", "warned"),
    [
        ("/a;v=1", SHORTER, True),
        ("/a;v=1", "", False),
        ("/a;v=1/b", SHORTER, False),
        ("/a", "", False),
        ("/a-v=1", SHORTER, False),
    ],
)
def test_a_path_that_every_request_is_refused_for_is_warned_of(
    path: str, beside: str, warned: bool
) -> None:
    items = ", ".join(
        [*([beside] if beside else []), f'{{path: "{path}", upstream: http://b.test}}']
    )
    text = f"cors: {{allow_origins: [{PAGE}]}}\nroutes: [{items}]\n"
    reading = read_policy(text, "corsproxy.yaml", {}, "/")
    assert [problem.code for problem in reading.warnings] == ["unreachable-path"] * warned
    for target in (path, f"{path}/more"):
        verdict = decide(reading.policy, request(target=target.encode())).verdict
        assert (verdict.code is Code.AMBIGUOUS_PATH) == warned
