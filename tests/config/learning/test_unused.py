"""Entries that allowed nothing."""

from corsproxy.config.learning.observations import Observation
from corsproxy.config.learning.unused import unused
from corsproxy.config.reader import read_policy
from corsproxy.core.page_call import PageCall

TEXT = """\
upstream: https://api.example.com
cors:
  allow_origins:
    - http://localhost:5173
    - https://*.example.com
    - https://old.example.net
  allow_methods: [PUT, DELETE]
  allow_headers: [x-a, x-b]
"""
POLICY = read_policy(TEXT, "corsproxy.yaml", {}, "/").policy


def found(*calls: PageCall, refused: bool = False) -> list[str]:
    observations = [Observation(call, refused, "") for call in calls]
    entries = unused(POLICY, observations, ()).entries
    return [f"{each.kind} {each.value} {each.at}" for each in entries]


def test_entries_that_no_call_matched() -> None:
    calls = PageCall("https://a.example.com", "/"), PageCall("http://localhost:5173", "/")
    assert found(*calls) == ["origin https://old.example.net corsproxy.yaml:6:7"]


def test_methods_and_headers_are_judged_by_preflights() -> None:
    calls = (
        PageCall("https://a.example.com", "/", "PUT", ("x-b",)),
        PageCall("http://localhost:5173", "/"),
        PageCall("https://old.example.net", "/"),
    )
    assert found(*calls) == [
        "method DELETE corsproxy.yaml:7:18",
        "header x-a corsproxy.yaml:8:18",
    ]


def test_refused_calls_use_no_entry() -> None:
    assert len(found(PageCall("http://localhost:5173", "/"), refused=True)) == 3


def test_hosts_and_expired_entries_are_judged() -> None:
    text = """\
allowed_hosts: [used.test, old.test]
upstream: https://api.example.com
cors:
  allow_origins: [{origin: https://over.test, until: 2026-11-28}]
"""
    policy = read_policy(text, "corsproxy.yaml", {}, "/", day="2026-11-29").policy
    entries = unused(policy, (), {"used.test"}).entries
    assert [f"{each.kind} {each.value} {each.at}" for each in entries] == [
        "host old.test corsproxy.yaml:1:16",
        "origin https://over.test corsproxy.yaml:4:28",
    ]


def test_keys_of_which_the_calls_tell_nothing_are_named() -> None:
    preflight = Observation(PageCall("http://localhost:5173", "/", "PUT"), False, "")
    assert unused(POLICY, (), ()).unjudged == ("allow_methods", "allow_headers")
    assert unused(POLICY, (preflight,), ()).unjudged == ()
    more = TEXT + "  expose_headers: [x-c]\n  allow_credentials: true\n"
    policy = read_policy(more, "corsproxy.yaml", {}, "/").policy
    keys = ("expose_headers", "allow_credentials")
    assert unused(policy, (preflight,), ()).unjudged == keys
