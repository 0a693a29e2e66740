"""HAR files: what they say about calls to this proxy."""

import json
from collections.abc import Collection
from typing import Any

import pytest
from hypothesis import given

from corsproxy.config.learning.har import read_har
from corsproxy.config.learning.hosts import HostSeen
from corsproxy.config.learning.observations import Observation
from corsproxy.core.page_call import PageCall
from tests.config.learning.test_json_log import JSON

PAGE = "http://localhost:5173"
PROXY = "http://localhost:8010"


def entry(
    url: str,
    method: str = "GET",
    reason: str | None = None,
    *,
    status: int = 200,
    error: str | None = None,
    **headers: str,
) -> dict[str, Any]:
    asked = {"Origin": PAGE, **{name.replace("_", "-"): value for name, value in headers.items()}}
    answered = {} if reason is None else {"Corsproxy-Reason": reason}
    return {
        "startedDateTime": "2026-11-29T10:11:12.000Z",
        "request": {
            "method": method,
            "url": url,
            "headers": [{"name": name, "value": value} for name, value in asked.items()],
        },
        "response": {
            "status": status,
            "_error": error,
            "headers": [{"name": name, "value": value} for name, value in answered.items()],
        },
    }


def har(*entries: object) -> str:
    return json.dumps({"log": {"entries": entries}})


def read(*entries: object, servers: Collection[str] = ()) -> list[Observation]:
    return [each.call for each in read_har(har(*entries), servers) if each.call is not None]


def test_a_refused_host_is_that_of_the_url() -> None:
    [found] = read_har(har(entry("http://api.test:8010/a", reason="host-not-allowed", status=421)))
    assert found.host == HostSeen("api.test", True, "2026-11-29T10:11:12.000Z")


def test_the_reason_is_the_evidence() -> None:
    preflight = entry(
        f"{PROXY}/users?x",
        "OPTIONS",
        "header-not-allowed; at=corsproxy.yaml:4:5",
        Access_Control_Request_Method="PUT",
        Access_Control_Request_Headers="x-a, x-b",
    )
    [found] = read(preflight)
    call = PageCall(PAGE, "/users", "PUT", ("x-a", "x-b"))
    assert found == Observation(call, True, "2026-11-29T10:11:12.000Z")


def test_an_answer_with_cookies_that_the_browser_kept() -> None:
    refused = entry(f"{PROXY}/a", reason="origin-not-allowed")
    kept = entry(f"{PROXY}/b", status=0, error="net::ERR_FAILED", Cookie="a=b")
    other = entry("https://elsewhere.test/b", status=0, error="net::ERR_FAILED", Cookie="a=b")
    assert [(each.call.target, each.call.credentials) for each in read(refused, kept, other)] == [
        ("/a", False),
        ("/b", True),
    ]


KEPT = "net::ERR_FAILED"


def answered(found: dict[str, Any], **more: str) -> dict[str, Any]:
    """The entry with headers of the answer."""
    lines = [{"name": name.replace("_", "-"), "value": value} for name, value in more.items()]
    found["response"]["headers"] += lines
    return found


@pytest.mark.parametrize(
    ("more", "credentials"),
    [
        ({"Access_Control_Allow_Origin": PAGE}, True),
        ({"Access_Control_Allow_Origin": PAGE, "Access_Control_Allow_Credentials": "true"}, False),
        ({"Access_Control_Allow_Origin": "http://localhost:1"}, False),
        ({}, False),
    ],
)
def test_an_answer_for_the_page_that_the_browser_kept(
    more: dict[str, str], *, credentials: bool
) -> None:
    kept = entry(f"{PROXY}/b", error=KEPT, Sec_Fetch_Mode="cors")
    [found] = read(answered(kept, **more), servers=[PROXY])
    assert found.refused is found.call.credentials is credentials


def preflight(reason: str | None = None) -> dict[str, Any]:
    asked = {"Access_Control_Request_Method": "PUT", "Access_Control_Request_Headers": "x-a"}
    return entry(f"{PROXY}/a", "OPTIONS", reason, status=204, **asked)


def unsent() -> dict[str, Any]:
    found = entry(f"{PROXY}/a", "PUT", status=0, error=KEPT)
    found["request"]["headers"] = []  # as nothing was sent
    return found


@pytest.mark.parametrize(
    ("reasons", "expected"),
    [
        ([None], [(True, True)]),
        (["header-not-allowed"], [(True, False)]),
        (["header-not-allowed", None], [(True, False), (True, True)]),
    ],
)
def test_a_call_that_was_held_back_after_its_preflight(
    reasons: list[str | None], expected: list[tuple[bool, bool]]
) -> None:
    entries = [each for reason in reasons for each in (unsent(), preflight(reason))]
    found = read(*entries, servers=[PROXY])
    assert [(each.refused, each.call.credentials) for each in found] == expected
    assert all(each.call.headers == ("x-a",) for each in found)


def test_a_call_that_followed_its_preflight_needs_nothing() -> None:
    found = read(preflight(), entry(f"{PROXY}/a", "PUT"), servers=[PROXY])
    assert not any(each.refused for each in found)


def test_calls_to_other_servers_are_ignored() -> None:
    assert read(entry("https://elsewhere.test/a", status=403)) == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"log": {"entries": 1}}', "[" * 100_000])
def test_an_invalid_har_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_har(text)


@given(JSON, JSON, JSON)
def test_arbitrary_entries_raise_nothing_else(one: object, other: object, third: object) -> None:
    read(one, {"request": other, "response": third}, {"request": {"url": one, "headers": [other]}})
