"""core/advice/upstream_causes.py: what to do where it is known why an upstream fails."""

import pytest

from corsproxy.core.advice.hints import hint_for
from corsproxy.core.advice.upstream_causes import ADVICE
from corsproxy.core.policy import Policy
from corsproxy.core.source import Source
from corsproxy.core.verdicts import Code, Kind, Verdict
from corsproxy.errors import UpstreamCause
from tests.policies import policy, route


def hint(cause: UpstreamCause, found: Policy) -> str:
    verdict = Verdict(Kind.ACTUAL, Code.UPSTREAM_TLS, True, "default", cause=cause)
    text = hint_for(verdict, found)
    assert text is not None
    return text


FLAGS = policy(route(source=Source("UPSTREAM")))
FILE = policy(route())


@pytest.mark.parametrize("cause", UpstreamCause)
def test_each_cause_has_its_advice(cause: UpstreamCause) -> None:
    assert cause in ADVICE
    for found in (FLAGS, FILE):
        words = hint(cause, found)
        # No full stop follows what is copied.
        assert words.endswith(".") != (": corsproxy " in words)
        assert "{" not in hint(cause, found).replace("{ca", "").replace("{cert", "").replace(
            "{server", ""
        ).replace("{verify", "")


def test_a_self_signed_certificate_has_three_ways_out() -> None:
    words = hint(UpstreamCause.UNTRUSTED, FLAGS)
    assert all(each in words for each in ("--insecure", "--ca-file", "SSL_CERT_FILE"))
    words = hint(UpstreamCause.UNTRUSTED, FILE)
    assert all(each in words for each in ("verify: false", "ca_file", "SSL_CERT_FILE"))
    assert "--" not in words


def test_no_tls_at_all_is_another_matter() -> None:
    assert "http://" in hint(UpstreamCause.NOT_TLS, FLAGS)
    assert "ca" not in hint(UpstreamCause.NOT_TLS, FLAGS).split()
