"""Header rules. Refused values are in broken/headers.txt."""

import pytest

from corsproxy.config.header_rules import refused_name
from corsproxy.core.policy import HeaderRules
from tests.config.reading import codes_of, route_of, route_text


def test_names_stay_as_written_and_values_are_bytes() -> None:
    rules = route_of(
        "request_headers:",
        "  set:",
        "    X-Api-Key: abc",
        "    x-number: 010",
        "    X-Flag: true",
        '    X-Empty: ""',
        "    X-Text: 'größe: 5'",
        "  remove: [X-Debug, x-Other]",
        "response_headers: {remove: Server}",
    )
    assert rules.request_headers == HeaderRules(
        (
            (b"X-Api-Key", b"abc"),
            (b"x-number", b"010"),
            (b"X-Flag", b"true"),
            (b"X-Empty", b""),
            (b"X-Text", "größe: 5".encode()),
        ),
        frozenset({b"x-debug", b"x-other"}),
        rules.request_headers.source,
    )
    removed = rules.response_headers
    assert removed == HeaderRules((), frozenset({b"server"}), removed.source)


def test_non_utf8_bytes_from_the_environment_are_kept() -> None:
    route = route_of("request_headers: {set: {X-Raw: '${RAW}'}}", environ={"RAW": "\udcff"})
    assert route.request_headers.set == ((b"X-Raw", b"\xff"),)


@pytest.mark.parametrize(
    "name",
    [
        "Connection", "keep-alive", "Proxy-Authorization", "TE", "Trailer", "Transfer-Encoding",
        "Upgrade", "Host", "Content-Length", "Via", "Expect", "Access-Control-Allow-Origin",
        "access-control-request-method", "X Y", "X:", "", "Ü", "X-*", "X\n",
    ],
)  # fmt: skip
def test_rules_for_managed_or_invalid_names_are_refused(name: str) -> None:
    assert refused_name(name) is not None


@pytest.mark.parametrize(
    "name",
    ["Authorization", "Cookie", "Origin", "Referer", "X-Forwarded-For", "Vary", "Set-Cookie",
     "Cache-Control", "Content-Type", "Content-Security-Policy", "Sec-Fetch-Site"],
)  # fmt: skip
def test_rules_for_other_fields_are_accepted(name: str) -> None:
    assert refused_name(name) is None


@pytest.mark.parametrize(
    "value", ['"a\\nX-Evil: 1"', '"a\\r"', '"\\0"', '"\\x7f"', '" a"', '"a\\t"']
)
def test_a_value_cannot_end_its_line(value: str) -> None:
    assert codes_of(route_text(f"request_headers: {{set: {{X-A: {value}}}}}")) == [
        "bad-header-value"
    ]


def test_a_tab_inside_of_a_value_may_stay() -> None:
    route = route_of('request_headers: {set: {X-A: "a\\tb"}}')
    assert route.request_headers.set == ((b"X-A", b"a\tb"),)


@pytest.mark.parametrize("rules", ["{}", "{set: {}, remove: []}"])
def test_empty_rules_change_nothing(rules: str) -> None:
    empty = route_of(f"request_headers: {rules}").request_headers
    assert empty == HeaderRules(source=empty.source)
