"""Observed calls, distinguished and counted."""

import pytest

from corsproxy.config.learning.observations import (
    Observation,
    Seen,
    observed_call,
    refused_calls,
    text_of,
)
from corsproxy.config.reader import read_policy
from corsproxy.core.page_call import PageCall

PAGE = "http://localhost:5173"
ROUTES = (
    f"cors: {{allow_origins: [{PAGE}]}}\n"
    "routes: [{path: /a, upstream: 'http://a.test', cors: {expose_headers: [location]}},"
    " {path: /b, upstream: 'http://b.test'}]"
)
POLICY = read_policy(ROUTES, "corsproxy.yaml", {}, "/").policy


def test_calls_of_one_route_are_counted_together() -> None:
    calls = [PageCall(PAGE, target) for target in ("/a/1", "/a/2", "/b", "/elsewhere")]
    observations = [Observation(call, True, f"t{i}") for i, call in enumerate(calls)]
    observations.append(Observation(calls[0], False, "t9"))
    assert refused_calls(POLICY, observations) == {
        PageCall(PAGE, "/a"): Seen(2, "t1"),
        PageCall(PAGE, "/b"): Seen(1, "t2"),
    }


def test_an_answer_that_its_client_cannot_read_counts_as_refused() -> None:
    creates = PageCall(PAGE, "/a", "POST", ("tus-resumable", "upload-length"))
    sends = PageCall(PAGE, "/b", "PATCH", ("tus-resumable", "upload-offset"))
    observations = [Observation(call, False, "t") for call in (creates, sends)]
    assert list(refused_calls(POLICY, observations)) == [sends]


@pytest.mark.parametrize(
    ("origin", "path", "method"),
    [
        ("https://a.test/", "/", "GET"),
        (None, "/", "GET"),
        (PAGE, "a", "GET"),
        (PAGE, ["/"], "GET"),
        (PAGE, "/", None),
    ],
)
def test_impossible_calls_are_ignored(origin: object, path: object, method: object) -> None:
    assert observed_call(origin, path, method) is None


def test_names_are_in_lower_case_and_sorted_without_the_query_of_the_path() -> None:
    assert observed_call(PAGE, "/a?token=x", "PUT", ["X-B", 5, "x-a"]) == PageCall(
        PAGE, "/a", "PUT", ("x-a", "x-b")
    )


def test_only_strings_are_texts() -> None:
    assert (text_of("a"), text_of(None), text_of(["a"])) == ("a", "", "")
