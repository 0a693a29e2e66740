"""Comparing policies by their meaning."""

from dataclasses import replace

import pytest

from corsproxy.config.editing.comparison import same_but_places
from corsproxy.config.reader import read_policy
from corsproxy.core.policy import CorsRules, Policy

TEXT = """\
upstream: https://a.test
cors:
  allow_origins: [https://b.test, https://c.test]
routes:
  - path: /x
    upstream: https://x.test
    response_headers: {set: {X-A: b}}
"""


def policy(text: str, name: str = "corsproxy.yaml") -> Policy:
    return read_policy(text, name, {}, "/etc").policy


def test_places_do_not_count() -> None:
    moved = policy(
        TEXT.replace("upstream: https://a.test\n", "# moved\n\nupstream: https://a.test\n")
    )
    assert moved != policy(TEXT)
    assert same_but_places(moved, policy(TEXT))
    assert same_but_places(policy(TEXT, "other.yaml"), policy(TEXT))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("https://a.test", "https://a.test:444"),
        ("https://b.test, https://c.test", "https://b.test"),
        ("https://b.test, https://c.test", "https://c.test, https://b.test"),
        ("https://b.test", "https://*.b.test"),
        ("path: /x", "path: /y"),
        ("X-A: b", "X-A: c"),
        ("X-A: b", "x-A: b"),
        ("{set", "{remove: [X-B], set"),
        ("cors:", "cors:\n  allow_credentials: true"),
        ("cors:", "limits: {body: 5}\ncors:"),
        ("cors:", "via: false\ncors:"),
    ],
)
def test_all_other_differences_count(old: str, new: str) -> None:
    assert not same_but_places(policy(TEXT), policy(TEXT.replace(old, new)))


def test_a_passthrough_is_no_rules() -> None:
    one = policy(TEXT)
    assert isinstance(one.routes[0].cors, CorsRules)
    routes = (replace(one.routes[0], cors="passthrough"), *one.routes[1:])
    assert not same_but_places(one, replace(one, routes=routes))
