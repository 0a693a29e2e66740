"""The smallest change, and the sentences around it."""

import pytest

from corsproxy.core.remedies import hint_for, remedy_for
from corsproxy.core.source import DEFAULT, Source
from corsproxy.core.verdicts import Code, Kind, Verdict
from tests.policies import FILE, rules

AT = Source(FILE, 4, 5)


def refused(code: Code, subject: str, at: Source | None = AT) -> Verdict:
    return Verdict(Kind.ACTUAL, code, False, "default", at, subject)


@pytest.mark.parametrize(
    ("code", "subject", "sentence"),
    [
        (
            Code.ORIGIN_NOT_ALLOWED,
            "https://a.test",
            'add "https://a.test" to allow_origins (corsproxy.yaml:4:5)',
        ),
        (Code.METHOD_NOT_ALLOWED, "PURGE", 'add "PURGE" to allow_methods (corsproxy.yaml:4:5)'),
        (Code.HEADER_NOT_ALLOWED, "x-a", 'add "x-a" to allow_headers (corsproxy.yaml:4:5)'),
        (
            Code.CREDENTIALS_NOT_ALLOWED,
            "credentials",
            "set allow_credentials: true (corsproxy.yaml:4:5)",
        ),
        (Code.HOST_NOT_ALLOWED, "a.test", 'add "a.test" to allowed_hosts (corsproxy.yaml:4:5)'),
    ],
)
def test_remedy_names_key_value_and_place(code: Code, subject: str, sentence: str) -> None:
    remedy = remedy_for(refused(code, subject))
    assert remedy is not None
    assert remedy.sentence == sentence


@pytest.mark.parametrize(
    ("code", "subject"),
    [
        (Code.ORIGIN_NOT_ALLOWED, "null"),
        (Code.ORIGIN_NOT_ALLOWED, ""),
        (Code.HOST_NOT_ALLOWED, "0.0.0.0"),
        (Code.METHOD_NOT_ALLOWED, "CONNECT"),
        (Code.METHOD_NOT_ALLOWED, "a b"),
        (Code.HEADER_NOT_ALLOWED, "x a"),
        (Code.BAD_TARGET, "x"),
        (Code.UPSTREAM_DNS, ""),
    ],
)
def test_what_no_entry_can_allow_has_no_remedy(code: Code, subject: str) -> None:
    assert remedy_for(refused(code, subject)) is None


def test_without_a_file_the_flag_is_named() -> None:
    verdict = refused(Code.ORIGIN_NOT_ALLOWED, "https://a.test", Source("--allow-origin"))
    remedy = remedy_for(verdict)
    assert remedy is not None
    assert remedy.sentence == "start corsproxy with --allow-origin https://a.test"


def test_key_that_only_a_file_has_points_to_the_file() -> None:
    remedy = remedy_for(refused(Code.HOST_NOT_ALLOWED, "a.test", DEFAULT))
    assert remedy is not None
    assert "corsproxy init" in remedy.sentence


def test_malformed_origin_is_said_to_be_one() -> None:
    hint = hint_for(refused(Code.ORIGIN_NOT_ALLOWED, ""), rules())
    assert hint is not None
    assert "well-formed" in hint


def test_opaque_origin_is_explained() -> None:
    hint = hint_for(refused(Code.ORIGIN_NOT_ALLOWED, "null"), rules())
    assert hint is not None
    assert "sandboxed" in hint


def test_hint_begins_like_a_sentence_or_with_an_origin() -> None:
    hint = hint_for(refused(Code.METHOD_NOT_ALLOWED, "PURGE"), rules())
    assert hint == 'Add "PURGE" to allow_methods (corsproxy.yaml:4:5).'
    near = hint_for(refused(Code.ORIGIN_NOT_ALLOWED, "http://localhost:1"), rules())
    assert near is not None
    assert near.startswith("http://localhost:5173 ")
