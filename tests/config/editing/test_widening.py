"""Allowing calls until the proxy stops."""

from corsproxy.config.editing.widening import widened
from corsproxy.core.advice.remedies import Remedy
from corsproxy.core.source import DEFAULT
from tests.policies import policy_for_url


def test_each_value_is_allowed_on_every_route() -> None:
    policy = policy_for_url("https://api.example.com", ())
    origin = Remedy("allow_origins", "https://app.example.com", DEFAULT)
    rules = widened(policy, origin).routes[0].cors
    assert not isinstance(rules, str)
    found = rules.origins.match(b"https://app.example.com")
    assert found is not None
    assert str(found.source) == "until stopped"
    host = Remedy("allowed_hosts", "proxy.test", DEFAULT)
    assert widened(policy, host).allowed_hosts == {"proxy.test"}
    names = Remedy("expose_headers", "etag, x-total-count", DEFAULT)
    assert widened(policy, names).default_cors.expose_headers.names[-2:] == (
        "etag",
        "x-total-count",
    )
