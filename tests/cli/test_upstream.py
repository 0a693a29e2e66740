"""The policy of a command line with an upstream."""

import click
import pytest

from corsproxy.cli.upstream import policy_of
from corsproxy.config.without_file import Quick


def test_a_url_makes_a_policy() -> None:
    policy = policy_of(Quick("https://api.example.com/v2", ("https://app.example.com",)))
    assert str(policy.routes[0].upstream) == "https://api.example.com/v2"
    assert policy.default_cors.origins.match(b"https://app.example.com") is not None
    assert policy.default_cors.origins.match(b"http://localhost:5173") is not None
    assert policy.default_cors.origins.match(b"https://evil.example") is None


@pytest.mark.parametrize("upstream", ["", "a b.example.com", "ftp://x", "https://", "http://a b"])
def test_an_invalid_url_is_a_usage_error(upstream: str) -> None:
    with pytest.raises(click.UsageError, match="UPSTREAM"):
        policy_of(Quick(upstream))


def test_every_bad_flag_is_named() -> None:
    with pytest.raises(click.UsageError) as caught:
        policy_of(Quick("https://", ("localhost:5173",)))
    assert "UPSTREAM: " in caught.value.message
    assert "--allow-origin: " in caught.value.message


def test_a_password_in_the_url_is_not_repeated() -> None:
    with pytest.raises(click.UsageError) as caught:
        policy_of(Quick("https://user:hunter2@api.example.com"))
    assert "hunter2" not in caught.value.message


def test_a_file_name_instead_of_a_url_is_recognised() -> None:
    with pytest.raises(click.UsageError, match=r"corsproxy -c \./shop\.yml"):
        policy_of(Quick("./shop.yml"))
