import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.shell.admin.inspector.secrets import OpenRedactor, Redactor, text_of
from tests.inspecting import KEY, redactor

MARK = re.compile(r"\[redacted:([0-9a-f]{16})\]")
SECRET = b"hunter2-Correct-Horse-9f8e7d"
JWT = b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        (b"Cookie", b"session=%b; theme=%b", [b"session=", b"; theme="]),
        (b"Set-Cookie", b"id=%b; Path=/; HttpOnly", [b"id=", b"; Path=/; HttpOnly"]),
        (b"Authorization", b"Bearer %b", [b"Bearer "]),
        (b"authorization", b"%b", []),
        (b"Proxy-Authorization", b"Basic %b", [b"Basic "]),
        (b"X-Api-Key", b"%b", []),
        (b"X-Auth-Token", b"%b", []),
        (b"X-CSRF-Token", b"%b", []),
        (b"Location", b"https://app.example.com/#access_token=%b&x=1", [b"&x=1"]),
        (b"Referer", b"https://ada:%b@example.com/?code=%b", [b"https://", b"@example.com/"]),
        (b"Sec-WebSocket-Protocol", b"chat, " + JWT, [b"chat, "]),
        (b"X-Anything", b"see Bearer %b", [b"see Bearer "]),
        (b"X-Anything", b"and " + JWT, [b"and "]),
    ],
)
def test_fields_keep_what_is_no_secret(name: bytes, value: bytes, kept: list[bytes]) -> None:
    value = value.replace(b"%b", SECRET)
    same, shown = redactor().field(name, value)
    assert same == name
    assert SECRET not in shown
    assert JWT not in shown
    assert all(part in shown for part in kept)
    assert MARK.search(shown.decode()) is not None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"Access-Control-Allow-Credentials", b"true"),
        (b"Access-Control-Allow-Headers", b"authorization, x-api-key"),
        (b"Content-Type", b"application/json; charset=utf-8"),
        (b"Location", b"/users?page=2#top"),
        (b"Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ=="),
        (b"User-Agent", b"Mozilla/5.0 (X11; Linux x86_64)"),
    ],
)
def test_other_fields_stay_as_they_are(name: bytes, value: bytes) -> None:
    assert redactor().field(name, value) == (name, value)


@pytest.mark.parametrize(
    "target",
    [
        b"/cb?code=%b&state=%b",
        b"/x?a=1&access_token=%b",
        b"/x?api%%5Fkey=%b",
        b"/x?sig=%b#id_token=%b",
        b"/files/" + JWT,
    ],
)
def test_targets(target: bytes) -> None:
    shown = redactor().target(target.replace(b"%b", SECRET).replace(b"%%", b"%"))
    assert SECRET not in shown
    assert JWT not in shown


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b'{"user": "ada", "password": "%b"}', "application/json"),
        (b'{"tokens": {"access_token" : "%b", "refresh_token":"%b"', "application/json"),
        (b'{"code": "%b"}', "application/json"),
        (b'{"pin_token": 99887766554433}', "application/json"),
        (b"user=ada&password=%b&client_secret=%b", "application/x-www-form-urlencoded"),
        (b"SAMLResponse=%b", "application/x-www-form-urlencoded"),
        (
            b'--b\r\nContent-Disposition: form-data; name="password"\r\n\r\n%b\r\n--b--\r\n',
            "multipart/form-data; boundary=b",
        ),
        (b"<a href='/x?token=%b'>" + JWT, "text/html"),
    ],
)
def test_bodies(content: bytes, content_type: str) -> None:
    shown = redactor().body(content.replace(b"%b", SECRET), content_type)
    for secret in (SECRET, JWT, b"99887766554433"):
        assert secret not in shown


def test_json_stays_json() -> None:
    content = b'{"password": "a \\"b\\" c", "api_key": 12345678, "name": "Ada", "n": [1, 2]}'
    shown = json.loads(redactor().body(content, "application/json"))
    assert (shown["name"], shown["n"]) == ("Ada", [1, 2])
    assert all(MARK.fullmatch(shown[name]) for name in ("password", "api_key"))


@pytest.mark.parametrize(
    "content", [b'{"code": "origin-not-allowed", "status": 403}', b'{"code": 404, "state": "NEW"}']
)
def test_codes_that_are_words_are_no_secrets(content: bytes) -> None:
    assert redactor().body(content, "application/problem+json") == content


def test_equal_secrets_have_equal_marks_and_other_runs_others() -> None:
    one, other = redactor(), redactor()
    assert one.mark(SECRET) == other.mark(SECRET) != one.mark(SECRET + b"!")
    assert Redactor(b"another key").mark(SECRET) != one.mark(SECRET)


def test_secrets_can_be_looked_up_by_mark() -> None:
    one = redactor()
    _, shown = one.field(b"Authorization", b"Bearer " + SECRET)
    mark = MARK.search(shown.decode())
    assert mark is not None
    assert one.found[mark[1]] == SECRET.decode()


def test_the_open_one_replaces_nothing() -> None:
    assert OpenRedactor(KEY).field(b"Cookie", b"a=b; c") == (b"Cookie", b"a=b; c")


@given(st.binary(max_size=300), st.sampled_from(["application/json", "multipart/form-data", ""]))
def test_arbitrary_bytes_raise_nothing(content: bytes, content_type: str) -> None:
    one = redactor()
    one.body(content, content_type)
    one.target(content)
    for name in (b"Cookie", b"Set-Cookie", b"Authorization", b"Location", b"X"):
        one.field(name, content)


@given(st.binary(max_size=50))
def test_bytes_are_always_text(data: bytes) -> None:
    assert isinstance(text_of(data), str)
