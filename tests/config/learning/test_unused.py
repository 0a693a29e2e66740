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
    return [f"{each.kind} {each.value} {each.at}" for each in unused(POLICY, observations)]


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
