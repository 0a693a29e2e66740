"""Rules that contradict each other. Most cases are in broken/credentials.txt."""

from typing import NamedTuple

import pytest

from corsproxy.config.contradictions import check_list, check_rules
from corsproxy.config.problems import Severity
from corsproxy.core.origins import OriginSet, parse_origin_pattern
from corsproxy.core.policy import CorsRules
from corsproxy.core.source import Source
from tests.config.reading import codes_of

REFUSED = ("error", "public-suffix-with-credentials")


class Reported(NamedTuple):
    severity: Severity
    code: str
    at: int


class Reports(list[Reported]):
    def __call__(
        self, severity: Severity, code: str, source: Source, message: str, help: str = ""
    ) -> None:
        assert message
        assert help
        self.append(Reported(severity, code, source.line))


def origins(*texts: str) -> OriginSet:
    return OriginSet(
        (parse_origin_pattern(text, Source("f", line, 3)) for line, text in enumerate(texts, 1)),
        Source("f", 1, 1),
    )


def judged(text: str, credentials: bool) -> list[tuple[str, str]]:
    reports = Reports()
    check_rules(CorsRules(origins(text), credentials=credentials), reports)
    return [(report.severity, report.code) for report in reports]


@pytest.mark.parametrize(
    ("text", "with_credentials", "without"),
    [
        ("*", ("error", "wildcard-with-credentials"), None),
        ("null", ("error", "null-with-credentials"), ("warning", "null-origin")),
        ("https://*.com", REFUSED, ("warning", "public-suffix")),
        ("https://*.co.uk", REFUSED, ("warning", "public-suffix")),
        ("https://*.github.io", REFUSED, ("warning", "public-suffix")),
        ("https://pr-*.vercel.app", REFUSED, None),
        ("http://example.com", ("warning", "insecure-with-credentials"), None),
        ("http://*.example.com", ("warning", "insecure-with-credentials"), None),
        ("http://10.0.0.1:3000", ("warning", "insecure-with-credentials"), None),
        ("https://*.shop.github.io", None, None),
        ("https://*.example.com:*", None, None),
        ("https://example.com", None, None),
        ("http://localhost:*", None, None),
        ("http://*.localhost:*", None, None),
        ("http://127.5.6.7:8080", None, None),
        ("http://[::1]:8080", None, None),
        ("chrome-extension://abc", None, None),
        ("capacitor://localhost", None, None),
    ],
)  # fmt: skip
def test_insecure_origins_with_credentials_are_reported(
    text: str, with_credentials: tuple[str, str] | None, without: tuple[str, str] | None
) -> None:
    for credentials, expected in ((True, with_credentials), (False, without)):
        assert judged(text, credentials) == ([] if expected is None else [expected])


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["http://a.test", "http://a.test"], [("duplicate-entry", 2)]),
        (["https://*.a.test", "https://b.a.test"], [("subsumed-entry", 2)]),
        (["https://b.a.test", "https://*.a.test"], [("subsumed-entry", 1)]),
        (["https://*.a.test", "https://a.test"], []),
        (["https://*.a.test", "http://b.a.test"], []),
        (["https://*.a.test", "https://b.a.test:8443"], []),
        (["https://*.a.test:*", "https://*.a.test"], [("subsumed-entry", 2)]),
        (["https://*.b.a.test", "https://*.a.test"], [("subsumed-entry", 1)]),
        (["https://pr-*.a.test", "https://*.a.test"], [("subsumed-entry", 1)]),
        (["https://pr-*.a.test", "https://p*.a.test"], [("subsumed-entry", 1)]),
        (["https://pr-*.a.test", "https://*-x.a.test"], []),
        (["http://localhost:*", "http://localhost:3000"], [("subsumed-entry", 2)]),
        (["http://localhost:*", "http://localhost"], [("subsumed-entry", 2)]),
        (["*", "https://a.test"], [("wildcard-not-alone", 2)]),
        (["https://a.test", "null", "*"], [("wildcard-not-alone", 1), ("wildcard-not-alone", 2)]),
        (["*", "*"], [("duplicate-entry", 2)]),
        (["http://0.0.0.0:3000"], [("unspecified-address", 1)]),
        (["file://"], [("file-origin", 1)]),
        (["htps://a.test"], [("scheme-typo", 1)]),
        (["htttp://a.test"], [("scheme-typo", 1)]),
        (["hhtp://a.test"], [("scheme-typo", 1)]),
        (["httpss://a.test"], [("scheme-typo", 1)]),
        (["ttps://a.test"], [("scheme-typo", 1)]),
        (["capacitor://localhost", "tauri://localhost", "ionic://localhost", "app://a"], []),
        (["chrome-extension://abcdefghijklmnop", "moz-extension://a-b"], []),
        (["http://[::]:3000"], [("unspecified-address", 1)]),
        (["http://localhost:3000"], []),
        (["http://127.0.0.1:3000"], []),
        (["http://localhost:3000", "http://127.0.0.1:3000"], []),
        (["http://localhost:3000", "http://127.0.0.1:*"], []),
        (
            ["http://localhost:3000", "http://127.0.0.1:8000"],
            [("loopback-twin", 1), ("loopback-twin", 2)],
        ),
        (["null", "https://a.test", "chrome-extension://abc"], []),
    ],
)  # fmt: skip
def test_pointless_entries_are_reported(texts: list[str], expected: list[tuple[str, int]]) -> None:
    reports = Reports()
    check_list(origins(*texts), reports)
    assert sorted((report.at, report.code) for report in reports) == sorted(
        (at, code) for code, at in expected
    )


def test_many_wildcards_are_not_compared_with_each_other() -> None:
    texts = [f"https://*.a{number}.test" for number in range(60)]
    reports = Reports()
    check_list(origins(*texts, "https://*.b.a1.test", "https://x.a2.test"), reports)
    assert [report.at for report in reports] == [62]


def test_a_contradiction_is_reported_at_the_inner_mapping() -> None:
    above = 'cors: {allow_origins: "*"}\n'
    routes = "routes:\n  - path: /\n    upstream: http://a\n    cors: {allow_credentials: true}\n"
    for text in (above + routes, routes + above):
        assert codes_of(text) == ["wildcard-with-credentials"]


def test_an_inherited_contradiction_is_reported_once() -> None:
    routes = "".join(f"  - {{path: /{number}, upstream: 'http://a'}}\n" for number in range(5))
    text = f'cors: {{allow_origins: "*", allow_credentials: true}}\nroutes:\n{routes}'
    assert codes_of(text) == ["wildcard-with-credentials"]
