"""Entries with a last day: what they allow on which day, and what is said about it."""

import pytest

from corsproxy.config.dates import day_after, days_left, parse_day
from corsproxy.config.mistakes import BadValueError
from corsproxy.config.problems import ConfigError, Problem
from corsproxy.config.reader import read_policy
from corsproxy.core.answers import Answer
from corsproxy.core.decision import Forward, decide
from corsproxy.core.policy import Policy
from corsproxy.core.verdicts import Code
from tests.policies import request

DEMO = "https://pr-12.example.com"
FILE = f"""\
upstream: https://api.example.com
cors:
  allow_origins:
    - http://localhost:5173
    - {{origin: {DEMO}, until: 2026-12-31, reason: demo}}
"""


def policy_on(day: str | None, text: str = FILE) -> tuple[Policy, tuple[Problem, ...]]:
    reading = read_policy(text, "corsproxy.yaml", {}, "/etc", day=day)
    return reading.policy, reading.warnings


@pytest.mark.parametrize("day", ["2026-11-29", "2026-12-31"])
def test_an_entry_is_valid_to_the_end_of_its_last_day(day: str) -> None:
    policy, _ = policy_on(day)
    decision = decide(policy, request(fields=[(b"Origin", DEMO.encode())]))
    assert isinstance(decision, Forward)
    assert decision.verdict.code is Code.ORIGIN_ALLOWED


@pytest.mark.parametrize("day", ["2027-01-01", "2031-05-05", None])
def test_from_the_day_after_it_is_refused_at_its_line(day: str | None) -> None:
    policy, _ = policy_on(day)
    answer = decide(policy, request(fields=[(b"Origin", DEMO.encode())]))
    assert isinstance(answer, Answer)
    assert (answer.head.status, answer.verdict.code) == (403, Code.ORIGIN_EXPIRED)
    assert answer.verdict.reason.startswith("origin-expired; at=corsproxy.yaml:5:")
    assert answer.verdict.browser_error == "MissingAllowOriginHeader"


def test_a_preflight_of_an_expired_origin_is_refused_likewise() -> None:
    policy, _ = policy_on("2027-01-01")
    fields = [(b"Origin", DEMO.encode()), (b"Access-Control-Request-Method", b"PUT")]
    answer = decide(policy, request("OPTIONS", fields=fields))
    assert isinstance(answer, Answer)
    assert (answer.head.status, answer.verdict.code) == (403, Code.ORIGIN_EXPIRED)
    assert all(not name.lower().startswith(b"access-control-") for name, _ in answer.head.fields)


def test_another_entry_may_still_allow_an_expired_origin() -> None:
    text = FILE + "    - https://pr-*.example.com\n"
    policy, _ = policy_on("2027-01-01", text)
    assert isinstance(decide(policy, request(fields=[(b"Origin", DEMO.encode())])), Forward)


@pytest.mark.parametrize(
    ("day", "code", "words"),
    [
        ("2026-12-23", None, ""),
        ("2026-12-24", "origin-expires", "in 7 days"),
        ("2026-12-30", "origin-expires", "tomorrow"),
        ("2026-12-31", "origin-expires", "today"),
        ("2027-01-01", "origin-expired", "expired after 2026-12-31"),
    ],
)
def test_a_warning_starts_a_week_before(day: str, code: str | None, words: str) -> None:
    _, warnings = policy_on(day)
    assert [warning.code for warning in warnings] == ([] if code is None else [code])
    for warning in warnings:
        assert words in warning.message
        assert (warning.severity, warning.source.line) == ("warning", 5)


EXPIRED_OTHER = FILE.replace(f"origin: {DEMO}", 'origin: "https://*.example.com"')


@pytest.mark.parametrize(
    ("text", "words", "help"),
    [
        (FILE, "it is refused", "give it a later `until`, or remove the entry"),
        (
            FILE + "    - https://pr-*.example.com\n",
            "but `https://pr-*.example.com` on line 6 still allows it",
            f"remove this entry; to refuse `{DEMO}`, narrow `https://pr-*.example.com`",
        ),
        (
            FILE + f"    - {DEMO}\n",
            f"but `{DEMO}` on line 6 still allows it",
            f"remove this entry; to refuse `{DEMO}`, remove the one on line 6 as well",
        ),
        (
            FILE.replace("http://localhost:5173", '"*"'),
            "but `*` on line 4 still allows it",
            f"remove this entry; to refuse `{DEMO}`, narrow `*`",
        ),
        (
            EXPIRED_OTHER + '    - "https://*.com:*"\n',
            "but `https://*.com:*` on line 6 still allows it",
            "remove this entry; to refuse `https://*.example.com`, narrow `https://*.com:*`",
        ),
        (EXPIRED_OTHER + f"    - {DEMO}\n", "it is refused", "give it a later"),
        (
            FILE + "    - {origin: https://pr-*.example.com, until: 2026-12-31}\n",
            "it is refused",
            "give it a later",
        ),
    ],
)  # fmt: skip
def test_the_warning_of_an_expired_entry_names_the_one_that_still_allows_it(
    text: str, words: str, help: str
) -> None:
    _, warnings = policy_on("2027-01-01", text)
    found = next(each for each in warnings if each.code == "origin-expired")
    assert words in found.message
    assert help in found.help


def test_no_refused_entry_is_named_as_the_one_that_still_allows_an_expired_one() -> None:
    text = FILE + '    - "https://*.com"\n  allow_credentials: true\n'
    with pytest.raises(ConfigError) as refused:
        policy_on("2027-01-01", text)
    assert [each.code for each in refused.value.problems] == [
        "origin-expired",
        "public-suffix-with-credentials",
    ]
    assert "it is refused" in refused.value.problems[0].message


@pytest.mark.parametrize("text", ["2027-02-29", "2027-1-1", "20270101", "2027-W01-1", "soon", ""])
def test_invalid_dates_are_refused(text: str) -> None:
    with pytest.raises(BadValueError):
        parse_day(text)


def test_day_arithmetic_follows_the_calendar() -> None:
    assert day_after("2028-02-28") == "2028-02-29"
    assert day_after("2026-12-31") == "2027-01-01"
    assert days_left("2027-01-01", "2026-12-25") == 7
