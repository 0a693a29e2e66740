"""What the browser lets a page make of a response, call by call."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.core.messages import Field
from corsproxy.core.outcome.call import Mode, read_call
from corsproxy.core.outcome.outcome import Outcome, Word, outcome_of
from corsproxy.core.outcome.outlook import Outlook
from corsproxy.core.request_context import RequestContext
from tests.policies import policy, request

PAGE = "http://localhost:5173"
HOST = b"localhost:8010"
GRANT = (b"Access-Control-Allow-Origin", PAGE.encode())
CREDENTIALS = (b"Access-Control-Allow-Credentials", b"true")
ANYONE = (b"Access-Control-Allow-Origin", b"*")
COOKIE = (b"Cookie", b"a=b")


def metadata(mode: str, site: str = "same-site") -> list[Field]:
    return [(b"Sec-Fetch-Mode", mode.encode()), (b"Sec-Fetch-Site", site.encode())]


CORS = metadata("cors")
NO_CORS = metadata("no-cors")


def outcome(
    fields: list[Field],
    response: list[Field],
    status: int = 200,
    *,
    origin: str | None = PAGE,
    method: str = "GET",
    secure: bool = False,
) -> Outcome | None:
    asked = request(method, fields=fields, origin=origin)
    found = Outlook(asked, HOST, secure).outcome(status, response)
    call = read_call(asked, HOST, secure)
    assert found == (None if call is None else outcome_of(call, status, response))
    return found


def word(*arguments: Any, **changes: Any) -> str | None:
    found = outcome(*arguments, **changes)
    return None if found is None else str(found.word)


@pytest.mark.parametrize("status", [200, 204, 400, 401, 404, 500, 502])
def test_with_a_grant_every_status_is_readable(status: int) -> None:
    assert word(CORS, [GRANT], status) == "readable"


@pytest.mark.parametrize(
    ("fields", "response", "error"),
    [
        (CORS, [], "MissingAllowOriginHeader"),
        (CORS, [GRANT, GRANT], "MultipleAllowOriginValues"),
        (CORS, [(GRANT[0], b"http://x.example")], "AllowOriginMismatch"),
        ([*CORS, COOKIE], [GRANT], "InvalidAllowCredentials"),
        ([*CORS, COOKIE], [ANYONE], "WildcardOriginNotAllowed"),
        ([], [], "MissingAllowOriginHeader"),
    ],
)
def test_what_the_cors_check_blocks(fields: list[Field], response: list[Field], error: str) -> None:
    found = outcome(fields, response)
    assert found is not None
    assert (found.word, found.error) == (Word.BLOCKED, error)
    assert found.sentence


@pytest.mark.parametrize(
    "grant",
    [
        [],
        [GRANT],
        [ANYONE],
        [GRANT, CREDENTIALS],
        [ANYONE, CREDENTIALS],
        [(GRANT[0], b"http://x.example"), CREDENTIALS],
        [GRANT, (CREDENTIALS[0], b"True")],
    ],
)
@pytest.mark.parametrize("fields", [CORS, [*CORS, COOKIE], metadata("cors", "same-origin"), []])
def test_what_is_known_beforehand_is_what_comes(fields: list[Field], grant: list[Field]) -> None:
    asked = request(fields=fields, origin=PAGE)
    call = read_call(asked, HOST, False)
    assert call is not None
    expected = outcome_of(call, 200, grant)
    assert Outlook(asked, HOST, False, grant).outcome(200, grant) == expected
    found = RequestContext(policy(), asked).found
    assert Outlook(asked, HOST, False, grant, found).outcome(200, grant) == expected


def test_a_cookie_proves_credentials() -> None:
    assert word([*CORS, COOKIE], [GRANT, CREDENTIALS]) == "readable"
    assert word(CORS, [GRANT]) == "readable"


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        (b"https://login.example.com/?to=1", ("leaves", None)),
        (b"//login.example.com/", ("leaves", None)),
        (b"\\\\login.example.com/", ("leaves", None)),
        (b"https://localhost:8010/", ("leaves", None)),
        (b"http://localhost:8011/", ("leaves", None)),
        (b"/login", ("readable", None)),
        (b"login", ("readable", None)),
        (b"?x", ("readable", None)),
        (b"", ("readable", None)),
        (b"http:login", ("readable", None)),
        (b"http://LOCALHOST:8010/x", ("readable", None)),
        (b"http://u:p@login.example.com/", ("blocked", "RedirectContainsCredentials")),
        (b"http://u@localhost:8010/", ("blocked", "RedirectContainsCredentials")),
        (b"http://[/", ("blocked", "ERR_INVALID_REDIRECT")),
        (b"http://a b/", ("leaves", None)),
        (b"http://a%20b/", ("leaves", None)),
        (b"http://a%zb/", ("blocked", "ERR_INVALID_REDIRECT")),
        (b"http://256.1.1.1/", ("blocked", "ERR_INVALID_REDIRECT")),
        (b"http://?x", ("blocked", "ERR_INVALID_REDIRECT")),
        (b"http://localhost:99999/", ("blocked", "ERR_INVALID_REDIRECT")),
        (b"data:text/plain,x", ("blocked", "ERR_UNSAFE_REDIRECT")),
        (b"file:///etc/passwd", ("blocked", "ERR_UNSAFE_REDIRECT")),
        (b"myapp://callback", ("blocked", "CorsDisabledScheme")),
    ],
)
def test_where_a_redirect_leads(location: bytes, expected: tuple[str, str | None]) -> None:
    found = outcome(CORS, [GRANT, (b"Location", location)], 302)
    assert found is not None
    assert (found.word, found.error) == expected


def test_a_redirect_that_leaves_names_its_target() -> None:
    found = outcome(CORS, [GRANT, (b"Location", b"//sso.example.com?to=x")], 307)
    assert found is not None
    assert found.location == b"http://sso.example.com?to=x"


def test_a_redirect_without_a_grant_is_blocked_before_it_is_followed() -> None:
    found = outcome(CORS, [(b"Location", b"https://sso.example.com/")], 302)
    assert found is not None
    assert found.error == "MissingAllowOriginHeader"


def test_a_location_is_followed_from_a_redirect_only() -> None:
    assert word(CORS, [GRANT, (b"Location", b"https://elsewhere.example/")], 201) == "readable"


def test_a_call_of_the_proxys_own_page_has_an_outcome_where_it_leaves() -> None:
    own = metadata("cors", "same-origin")
    assert word(own, []) is None
    assert word(own, [(b"Location", b"/login")], 302) is None
    assert word(own, [(b"Location", b"https://sso.example.com/")], 302) == "leaves"


CORP = b"Cross-Origin-Resource-Policy"


@pytest.mark.parametrize(
    ("site", "policy", "expected"),
    [
        ("same-site", b"same-origin", ("blocked", "NotSameOrigin")),
        ("cross-site", b"same-origin", ("blocked", "NotSameOrigin")),
        ("same-site", b"same-site", ("opaque", None)),
        ("same-site", b"cross-origin", ("opaque", None)),
        ("same-site", b"Same-Origin", ("opaque", None)),
        ("same-site", b"nonsense", ("opaque", None)),
        ("cross-site", b"cross-origin", ("opaque", None)),
        ("cross-site", b"same-site", ("unknown", None)),
        ("same-origin", b"same-origin", (None, None)),
    ],
)
def test_resource_policies(
    site: str, policy: bytes, expected: tuple[str | None, str | None]
) -> None:
    found = outcome(metadata("no-cors", site), [(CORP, policy)], origin=None)
    assert (found and found.word, found and found.error) == expected


@pytest.mark.parametrize(
    ("referer", "secure", "error"),
    [
        (b"http://127.0.0.1:5173/", False, "NotSameSite"),
        (b"https://localhost:5173/", False, None),
        (b"https://elsewhere.example/", False, "NotSameSite"),
        (b"http://localhost:5173/", True, "NotSameSite"),
    ],
)
def test_same_site_is_compared_without_the_scheme_where_the_page_is_the_safer(
    referer: bytes, secure: bool, error: str | None
) -> None:
    fields = [*metadata("no-cors", "cross-site"), (b"Referer", referer)]
    found = outcome(fields, [(CORP, b"same-site")], origin=None, secure=secure)
    assert found is not None
    assert found.error == error


def test_a_refused_no_cors_call_is_opaque() -> None:
    assert word(NO_CORS, [], 403, method="POST") == "opaque"
    assert word(NO_CORS, [], 403, origin=None) == "opaque"


def test_no_cors_redirects() -> None:
    out = [(b"Location", b"https://cdn.example.com/x.png")]
    assert word(NO_CORS, out, 302, origin=None) == "leaves"
    assert word(NO_CORS, [(b"Location", b"/x.png")], 302, origin=None) == "opaque"
    assert word(NO_CORS, [(b"Location", b"app:x")], 302, origin=None) == "blocked"
    assert word(NO_CORS, [(CORP, b"same-origin"), *out], 302, origin=None) == "blocked"


PREFLIGHT = [*CORS, (b"Access-Control-Request-Method", b"PUT")]
METHODS = (b"Access-Control-Allow-Methods", b"PUT")


@pytest.mark.parametrize(
    ("response", "status", "error"),
    [
        ([GRANT, METHODS], 204, None),
        ([ANYONE, METHODS], 200, None),
        ([], 403, "PreflightMissingAllowOriginHeader"),
        ([GRANT, METHODS], 403, "PreflightInvalidStatus"),
        ([GRANT, METHODS], 302, "PreflightDisallowedRedirect"),
        ([GRANT], 204, "MethodDisallowedByPreflightResponse"),
    ],
)
def test_preflights(response: list[Field], status: int, error: str | None) -> None:
    found = outcome(PREFLIGHT, response, status, method="OPTIONS")
    if error is None:
        assert found is None
    else:
        assert found is not None
        assert (found.word, found.error) == (Word.BLOCKED, error)


def test_a_header_that_is_refused_is_named_in_the_sentence() -> None:
    asked = [*PREFLIGHT, (b"Access-Control-Request-Headers", b"x-a")]
    found = outcome(asked, [GRANT, METHODS], 204, method="OPTIONS")
    assert found is not None
    assert found.sentence == (
        "Request header field x-a is not allowed by Access-Control-Allow-Headers in preflight"
        " response."
    )


HANDSHAKE = [(b"Upgrade", b"websocket"), (b"Sec-WebSocket-Key", b"x")]


def test_handshakes() -> None:
    assert word(HANDSHAKE, [], 101) == "readable"
    refused = outcome(HANDSHAKE, [], 403)
    assert refused == Outcome(
        Word.BLOCKED,
        sentence="Error during WebSocket handshake: Unexpected response code: 403",
    )
    assert word(HANDSHAKE, [], 101, origin=None) is None


@pytest.mark.parametrize(
    ("fields", "origin"),
    [
        ([], None),
        (metadata("navigate", "cross-site"), PAGE),
        (metadata("navigate", "none"), None),
        ([], "http://localhost:8010"),
        (metadata("cors", "same-origin"), "http://localhost:8010"),
    ],
)
def test_only_cross_origin_calls_have_an_outcome(fields: list[Field], origin: str | None) -> None:
    assert outcome(fields, [], origin=origin) is None


def test_opaque_origins() -> None:
    assert word(CORS, [(GRANT[0], b"null")], origin="null") == "readable"
    assert word(CORS, [GRANT], origin="null") == "blocked"


LINES = st.lists(
    st.tuples(
        st.sampled_from(
            [b"Access-Control-Allow-Origin", b"Location", b"Set-Cookie", CORP, b"Vary"]
        ),
        st.one_of(st.binary(max_size=20), st.sampled_from([b"*", PAGE.encode(), b"http://u:@["])),
    ),
    max_size=4,
)


@given(
    fields=st.lists(
        st.tuples(
            st.sampled_from(
                [b"Origin", b"Cookie", b"Sec-Fetch-Mode", b"Sec-Fetch-Site", b"Referer",
                 b"Access-Control-Request-Method", b"Sec-WebSocket-Key"]
            ),
            st.one_of(
                st.binary(max_size=20), st.sampled_from([b"cors", b"no-cors", b"cross-site"])
            ),
        ),
        max_size=6,
    ),
    response=LINES,
    status=st.sampled_from([101, 200, 204, 302, 307, 403]),
    method=st.sampled_from(["GET", "OPTIONS"]),
)  # fmt: skip
def test_every_answer_has_at_most_one_outcome(
    fields: list[Field], response: list[Field], status: int, method: str
) -> None:
    found = outcome(fields, response, status, method=method, origin=None)
    if found is not None:
        assert (found.location is not None) == (found.word is Word.LEAVES)
        assert bool(found.hangs_on) == (found.word is Word.UNKNOWN)
        assert found.error is None or found.word is Word.BLOCKED


def test_modes_are_what_browsers_call_them() -> None:
    assert [str(mode) for mode in Mode] == ["cors", "no-cors", "preflight", "websocket"]
