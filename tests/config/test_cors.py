"""`cors:` to rules: what is written, what is taken over, and where each rule comes from."""

import pytest

from corsproxy.core.policy import DEFAULT_METHODS, DEFAULT_REQUEST_HEADERS, CorsRules, Route
from tests.config.reading import NAME, policy_of, route_of

FULL = """\
upstream: https://api.example.com
cors:
  allow_origins:
    - http://localhost:5173
    - https://*.example.com
  allow_methods: [get, PATCH, QUERY]
  allow_headers: X-Id
  expose_headers:
    - X-Total
  allow_credentials: true
  max_age: 10m
  unlisted_origins: forward
"""


def rules_of(text: str) -> CorsRules:
    return policy_of(text).default_cors


def rules_in(route: Route) -> CorsRules:
    assert isinstance(route.cors, CorsRules)
    return route.cors


def test_every_key_is_a_rule() -> None:
    rules = rules_of(FULL)
    assert [pattern.text for pattern in rules.origins] == [
        "http://localhost:5173",
        "https://*.example.com",
    ]
    assert rules.methods.names == ("GET", "PATCH", "QUERY")
    assert rules.request_headers.names == ("x-id",)
    assert rules.expose_headers.names == ("x-total",)
    assert (rules.credentials, rules.max_age, rules.unlisted_origins) == (True, 600, "forward")


def test_every_rule_knows_where_it_is_written() -> None:
    rules = rules_of(FULL)
    places = {
        "mapping": (rules.source, 3, 3),
        "origins": (rules.origins.source, 4, 5),
        "first origin": (rules.origins.patterns[0].source, 4, 7),
        "second origin": (rules.origins.patterns[1].source, 5, 7),
        "methods": (rules.methods.source, 6, 18),
        "headers": (rules.request_headers.source, 7, 18),
        "exposed": (rules.expose_headers.source, 9, 5),
        "credentials": (rules.credentials_source, 10, 22),
    }
    for source, line, column in places.values():
        assert source == (NAME, line, column)


def test_a_text_is_a_list_of_one_and_both_are_at_its_place() -> None:
    rules = rules_of("upstream: http://a\ncors: {allow_origins: 'http://localhost:1'}\n")
    assert rules.origins.source == (NAME, 2, 23)
    assert rules.origins.patterns[0].source == (NAME, 2, 23)


def test_missing_keys_have_defaults_placed_at_the_mapping() -> None:
    rules = rules_of("upstream: http://a\ncors:\n  # first\n  allow_origins: http://localhost:1\n")
    assert (rules.methods.names, rules.methods.any) == (DEFAULT_METHODS, False)
    assert rules.request_headers.names == DEFAULT_REQUEST_HEADERS
    assert rules.expose_headers.names == ()
    assert (rules.credentials, rules.max_age, rules.unlisted_origins) == (False, None, "block")
    for source in (
        rules.methods.source,
        rules.request_headers.source,
        rules.expose_headers.source,
        rules.credentials_source,
    ):
        assert source == rules.source == (NAME, 4, 3)


def test_an_asterisk_is_every_name() -> None:
    rules = rules_of(
        """\
upstream: http://a
cors:
  allow_origins: "*"
  allow_methods: "*"
  allow_headers: ["*", Authorization]
  expose_headers: ["*"]
"""
    )
    assert rules.origins.any is not None
    assert (rules.methods.any, rules.methods.names) == (True, ())
    assert (rules.request_headers.any, rules.request_headers.names) == (True, ("authorization",))
    assert (rules.expose_headers.any, rules.expose_headers.names) == (True, ())


def test_empty_lists_are_empty() -> None:
    route = route_of("cors: {allow_origins: [], allow_methods: [], allow_headers: []}")
    rules = rules_in(route)
    assert (rules.origins.patterns, rules.methods.names, rules.request_headers.names) == (
        (),
        (),
        (),
    )


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("600", 600),
        ("10m", 600),
        ("24h", 86400),
        ("1d", 86400),
        ("none", None),
        ('"600"', 600),
    ],
)
def test_ages_are_whole_seconds(value: str, seconds: int | None) -> None:
    assert rules_in(route_of(f"cors: {{max_age: {value}}}")).max_age == seconds


def test_a_route_keeps_each_key_that_it_does_not_set() -> None:
    policy = policy_of(
        f"""\
{FULL.replace("upstream: https://api.example.com", "")}
routes:
  - path: /a
    upstream: https://api.example.com
  - path: /b
    upstream: https://api.example.com
    cors:
      allow_methods: [DELETE]
      max_age: 5
"""
    )
    first, second = (rules_in(route) for route in policy.routes)
    assert first is policy.default_cors
    assert second.origins is policy.default_cors.origins
    assert second.request_headers is policy.default_cors.request_headers
    assert second.credentials_source == policy.default_cors.credentials_source
    assert (second.credentials, second.unlisted_origins) == (True, "forward")
    # Lists replace.
    assert (second.methods.names, second.max_age) == (("DELETE",), 5)
    assert second.source == (NAME, 20, 7)


def test_max_age_none_removes_an_inherited_age() -> None:
    policy = policy_of(
        f"{FULL}routes:\n  - path: /a\n    upstream: https://api.example.com\n"
        "    cors: {max_age: none}\n"
    )
    assert rules_in(policy.routes[0]).max_age is None


def test_passthrough_is_for_a_route() -> None:
    route = route_of("cors: passthrough")
    assert (route.cors, route.origin) == ("passthrough", "keep")


def test_passthrough_above_is_for_every_route_without_rules_of_its_own() -> None:
    policy = policy_of(
        """\
upstream: https://api.example.com
cors: passthrough
routes:
  - path: /a
    upstream: https://api.example.com
    cors: {allow_origins: [http://localhost:1]}
"""
    )
    own, short = policy.routes
    assert rules_in(own).origins.patterns[0].text == "http://localhost:1"
    assert (short.cors, short.origin) == ("passthrough", "keep")
    assert policy.default_cors.origins.patterns == ()


def test_without_cors_no_origin_is_allowed() -> None:
    text = "# nothing\nroutes:\n  - path: /\n    upstream: http://a\n    cors: passthrough\n"
    rules = policy_of(text).default_cors
    assert rules.origins.patterns == ()
    assert rules.origins.match(b"http://localhost:1") is None
    assert rules.origins.source == rules.source == (NAME, 2, 1)


def test_rules_may_be_merged_from_anchors() -> None:
    policy = policy_of(
        """\
x-rules: &rules
  allow_origins: [http://localhost:1]
  max_age: 5
cors:
  <<: *rules
  max_age: 10
upstream: https://api.example.com
"""
    )
    rules = policy.default_cors
    assert (rules.max_age, rules.source) == (10, (NAME, 5, 3))
    assert rules.origins.patterns[0].source == (NAME, 2, 19)
