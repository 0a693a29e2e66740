"""What a reload tells about the difference between two policies."""

from dataclasses import replace
from typing import Any

import pytest

from corsproxy.config.changes import changes
from corsproxy.config.reader import read_policy
from corsproxy.core.origins import OriginSet, parse_origin_pattern
from corsproxy.core.policy import (
    CorsRules,
    HeaderRules,
    Limits,
    Listed,
    ListenAddress,
    Log,
    Policy,
    Route,
    Timeouts,
    Tls,
    UpstreamAddress,
)
from corsproxy.core.source import Source


def rules(*origins: str, **attributes: Any) -> CorsRules:
    return CorsRules(OriginSet(map(parse_origin_pattern, origins)), **attributes)


def route(path: str = "/", *origins: str, **attributes: Any) -> Route:
    attributes.setdefault("cors", rules(*(origins or ("http://localhost:5173",))))
    attributes.setdefault("upstream", UpstreamAddress("https", "api.example.com", 443))
    return Route(path.strip("/") or "default", path.encode(), **attributes)


def policy(*routes: Route, **attributes: Any) -> Policy:
    return Policy(routes or (route(),), attributes.pop("default_cors", rules()), **attributes)


def words(before: Policy, after: Policy) -> list[str]:
    return [str(change) for change in changes(before, after)]


def test_nothing_changed() -> None:
    assert words(policy(), policy()) == []


def test_a_file_whose_lines_moved_has_no_changes() -> None:
    text = "upstream: http://a.test\ncors: {allow_origins: [], max_age: 5}\n"
    more = "routes: [{path: /b, upstream: 'http://b.test', request_headers: {set: {X-A: a}}}]\n"
    before, after = (
        read_policy(start + text + more, "corsproxy.yaml", {}, "/").policy for start in ("", "\n\n")
    )
    assert changes(before, after) == ()


def test_the_place_of_a_rule_does_not_count() -> None:
    moved = Source("corsproxy.yaml", 40, 2)
    after = policy(
        route(cors=replace(rules("http://localhost:5173"), source=moved)),
        listen=(ListenAddress("localhost", 8010, moved),),
    )
    assert words(policy(), after) == []


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (
            route("/shop"),
            route("/shop", "http://localhost:5173", "https://app.example.com"),
            ["+ origin https://app.example.com on route shop"],
        ),
        (
            route("/shop", "https://a.example", "https://b.example"),
            route("/shop", "https://b.example"),
            ["- origin https://a.example on route shop"],
        ),
        (
            route(cors=rules(methods=Listed(("GET",)))),
            route(cors=rules(methods=Listed((), any=True))),
            ['+ method "*" on route default', "- method GET on route default"],
        ),
        (
            route(cors=rules(request_headers=Listed(("x-a",)))),
            route(cors=rules(request_headers=Listed(("x-a", "x-b")))),
            ["+ header x-b on route default"],
        ),
        (
            route(cors=rules(expose_headers=Listed(("x-a",)))),
            route(cors=rules()),
            ["- exposed header x-a on route default"],
        ),
        (
            route(cors=rules(credentials=True, max_age=600)),
            route(cors=rules(unlisted_origins="forward")),
            [
                "~ allow_credentials false (was true) on route default",
                "~ max_age none (was 600) on route default",
                "~ unlisted_origins forward (was block) on route default",
            ],
        ),
        (route(), route(cors="passthrough"), ["~ cors passthrough on route default"]),
        (
            route(),
            route(upstream=UpstreamAddress("http", "localhost", 3000, b"/v2")),
            ["~ upstream http://localhost:3000/v2 (was https://api.example.com) on route default"],
        ),
        (
            route(),
            route(strip_path=True, cookies="keep", timeout=Timeouts(response=None)),
            [
                "~ strip_path true (was false) on route default",
                "~ cookies keep (was auto) on route default",
                "~ timeout.response none (was 60) on route default",
            ],
        ),
        (
            route(),
            route(tls=Tls(verify=False, ca_file="/ca.pem")),
            [
                "~ tls.verify false (was true) on route default",
                "~ tls.ca_file /ca.pem (was none) on route default",
            ],
        ),
    ],
)
def test_a_route_that_changed(before: Route, after: Route, expected: list[str]) -> None:
    assert words(policy(before), policy(after)) == expected


def test_header_values_are_never_shown() -> None:
    old = HeaderRules(((b"X-Api-Key", b"old-secret"), (b"X-Gone", b"1")), frozenset({b"referer"}))
    new = HeaderRules(((b"X-Api-Key", b"new-secret"), (b"X-New", b"2")), frozenset({b"cookie"}))
    assert words(policy(route(request_headers=old)), policy(route(request_headers=new))) == [
        "~ request_headers.set X-Api-Key on route default",
        "+ request_headers.set X-New on route default",
        "- request_headers.set X-Gone on route default",
        "+ request_headers.remove cookie on route default",
        "- request_headers.remove referer on route default",
    ]


def test_added_and_removed_routes() -> None:
    assert words(policy(route("/a"), route("/b")), policy(route("/b"), route("/c"))) == [
        "- route a at /a",
        "+ route c at /c to https://api.example.com",
    ]


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        (2, "on routes 0 and 1"),
        (3, "on routes 0, 1 and 2"),
        (5, "on 5 routes"),
        (6, "on every route"),
    ],
)
def test_one_change_on_many_routes_is_one_line(changed: int, where: str) -> None:
    before = [route(f"/{number}") for number in range(6)]
    after = [
        route(f"/{number}", *(["https://app.example"] if number < changed else []))
        for number in range(6)
    ]
    found = words(policy(*before), policy(*after))
    assert found[0] == f"+ origin https://app.example {where}"


def test_the_default_policy_is_reported_once() -> None:
    before = policy(route("/a"), default_cors=rules("http://localhost:5173"))
    wider = rules("http://localhost:5173", "https://app.example")
    both = policy(route("/a", cors=wider), default_cors=wider)
    assert words(before, both) == ["+ origin https://app.example on route a"]
    only_default = policy(route("/a"), default_cors=wider)
    assert words(before, only_default) == ["+ origin https://app.example by default"]


def test_listeners_need_a_restart() -> None:
    after = policy(listen=(ListenAddress("0.0.0.0", 80), ListenAddress("::", 80)), admin=None)
    found = changes(policy(), after)
    assert all(change.needs_restart for change in found)
    assert [str(change) for change in found] == [
        "~ listen 0.0.0.0:80, [::]:80 (was localhost:8010): takes effect at the next start",
        "~ admin off (was localhost:8011): takes effect at the next start",
    ]


def test_the_rest_of_the_file() -> None:
    after = policy(
        allowed_hosts=frozenset({"shop.test"}),
        limits=Limits(body=1024, head_timeout=2.5),
        log=Log(format="json", requests="denied"),
        shutdown_grace=20.0,
        via=None,
    )
    assert words(policy(), after) == [
        "+ allowed host shop.test",
        "~ limits.head_timeout 2.5 (was 10)",
        "~ limits.body 1024 (was none)",
        "~ log.format json (was auto): takes effect at the next start",
        "~ log.requests denied (was all)",
        "~ shutdown_grace 20 (was 10)",
        "~ via false (was true)",
    ]


def test_removing_narrows_and_adding_does_not() -> None:
    wide = policy(route("/", "https://a.example", "https://b.example"))
    narrow = policy(route("/", "https://a.example"))
    assert [change.narrows for change in changes(wide, narrow)] == [True]
    assert [change.narrows for change in changes(narrow, wide)] == [False]


def test_ten_thousand_origins_are_compared_at_once() -> None:
    many = [f"https://app{number}.example" for number in range(10_000)]
    before, after = policy(route("/", *many)), policy(route("/", *many[1:], "https://new.example"))
    assert words(before, after) == [
        "+ origin https://new.example on route default",
        "- origin https://app0.example on route default",
    ]
