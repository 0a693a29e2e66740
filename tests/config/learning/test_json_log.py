"""Log lines: those about a page's call, and all others."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.config.learning.hosts import HostSeen, Request
from corsproxy.config.learning.json_log import read_log_line, request_in
from corsproxy.config.learning.observations import Observation
from corsproxy.core.page_call import PageCall

PAGE = "http://localhost:5173"
CALL = {
    "ts": "2026-11-29T10:11:12.000Z",
    "event": "request",
    "kind": "actual",
    "method": "GET",
    "path": "/users?x",
    "origin": PAGE,
    "code": "origin-not-allowed",
}


def read_request(**changes: object) -> Request | None:
    record = read_log_line(json.dumps({**CALL, **changes}))
    return None if record is None else request_in(record)


def read(**changes: object) -> Observation | None:
    found = read_request(**changes)
    return None if found is None else found.call


def test_a_refused_call() -> None:
    assert read() == Observation(PageCall(PAGE, "/users"), True, "2026-11-29T10:11:12.000Z")


@pytest.mark.parametrize("kind", ["actual", "no-origin", "same-origin", "preflight"])
def test_a_refused_host(kind: str) -> None:
    found = read_request(code="host-not-allowed", kind=kind, host="API.test:8010")
    assert found is not None
    assert found.host == HostSeen("api.test", True, "2026-11-29T10:11:12.000Z")


@pytest.mark.parametrize("host", ["localhost:8010", "127.0.0.1", "[::1]:80", "0.0.0.0", "a b", ""])
def test_hosts_that_need_no_entry_are_not_noted(host: str) -> None:
    found = read_request(host=host)
    assert found is not None
    assert found.host is None


def test_a_preflight_describes_its_call() -> None:
    found = read(
        kind="preflight",
        method="OPTIONS",
        code="header-not-allowed",
        asked_method="PUT",
        asked_headers=["x-b", "x-a"],
    )
    assert found is not None
    assert found.call == PageCall(PAGE, "/users", "PUT", ("x-a", "x-b"))


def test_a_call_blocked_for_missing_credentials() -> None:
    found = read(code="origin-allowed", outcome="blocked", browser_error="InvalidAllowCredentials")
    assert found is not None
    assert found.refused
    assert found.call.credentials


BROWSER = {"code": "origin-allowed", "user_agent": "Mozilla/5.0 (X11) Chrome/156"}
PREFLIGHT = {**BROWSER, "kind": "preflight", "asked_method": "PUT"}
HANDSHAKE = {**BROWSER, "path": "/socket.io/?EIO=4&transport=polling&t=a"}


@pytest.mark.parametrize(
    ("changes", "awaits"),
    [
        (PREFLIGHT, True),
        ({**PREFLIGHT, "user_agent": "curl/8"}, False),
        ({**PREFLIGHT, "code": "method-not-allowed"}, False),
        (BROWSER, False),
        (HANDSHAKE, True),
        ({**HANDSHAKE, "path": f"{HANDSHAKE['path']}&sid=b"}, False),
        ({**HANDSHAKE, "browser_error": "InvalidAllowCredentials"}, False),
        ({**HANDSHAKE, "path": "/\ud800"}, False),
    ],
)
def test_after_what_a_browser_sends_more(changes: dict[str, object], *, awaits: bool) -> None:
    found = read(**changes)
    assert found is not None
    assert found.awaits is awaits


def test_allowed_calls_are_not_refusals() -> None:
    found = read(code="origin-allowed")
    assert found is not None
    assert not found.refused


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(
    st.dictionaries(
        st.sampled_from([*CALL, "asked_method", "browser_error", "user_agent", "host"]), JSON
    )
)
def test_arbitrary_members_raise_nothing(changes: dict[str, object]) -> None:
    read(**changes)


@given(st.text())
def test_arbitrary_lines_raise_nothing(line: str) -> None:
    read_log_line(line)
    read_log_line("{" + line)
