"""Only the bytes that a browser would send are an origin."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.core.origins import MAX_LENGTH, Origin, parse_origin
from tests.core.origins.strategies import near_origins, origins

LONGEST_HOST = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])


@pytest.mark.parametrize(
    ("value", "origin"),
    [
        (b"https://example.com", Origin("https", "example.com", None)),
        (b"http://localhost:3000", Origin("http", "localhost", 3000)),
        (b"http://example.com:443", Origin("http", "example.com", 443)),
        (b"https://example.com:80", Origin("https", "example.com", 80)),
        (b"https://example.com:65535", Origin("https", "example.com", 65535)),
        (b"http://127.0.0.1:8080", Origin("http", "127.0.0.1", 8080)),
        (b"http://[::1]:8080", Origin("http", "[::1]", 8080)),
        (b"http://[2001:db8::1]", Origin("http", "[2001:db8::1]", None)),
        (b"http://[::ffff:102:304]", Origin("http", "[::ffff:102:304]", None)),
        (b"https://xn--rsum-bpad.com", Origin("https", "xn--rsum-bpad.com", None)),
        (b"https://xn--owa9dqa7c2a.gr", Origin("https", "xn--owa9dqa7c2a.gr", None)),
        (b"https://xn--an-t5a.com", Origin("https", "xn--an-t5a.com", None)),
        (b"http://my_app.localhost:3000", Origin("http", "my_app.localhost", 3000)),
        (b"https://-a-.example.com", Origin("https", "-a-.example.com", None)),
        (b"https://1and1.com", Origin("https", "1and1.com", None)),
        (b"https://0xg.com.0xg", Origin("https", "0xg.com.0xg", None)),
        (b"chrome-extension://abcdefgh", Origin("chrome-extension", "abcdefgh", None)),
        (
            b"moz-extension://11111111-2222-3333-4444-555555555555",
            Origin("moz-extension", "11111111-2222-3333-4444-555555555555", None),
        ),
        (b"safari-web-extension://E5F1-AA", Origin("safari-web-extension", "E5F1-AA", None)),
        (b"capacitor://localhost", Origin("capacitor", "localhost", None)),
        (b"app://obsidian.md", Origin("app", "obsidian.md", None)),
        (b"ionic://localhost:8080", Origin("ionic", "localhost", 8080)),
        (f"https://{LONGEST_HOST}".encode(), Origin("https", LONGEST_HOST, None)),
    ],
)
def test_what_browsers_send_is_an_origin(value: bytes, origin: Origin) -> None:
    assert parse_origin(value) == origin
    assert str(origin).encode() == value


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"null",
        b"*",
        b"file://",
        b"https://",
        b"https:///",
        b"https:/example.com",
        b"//example.com",
        b"example.com",
        b"localhost:3000",
        b"https://example.com/",
        b"https://example.com/path",
        b"https://example.com?q",
        b"https://example.com#f",
        b"https://user@example.com",
        b"https://user:pass@example.com",
        b" https://example.com",
        b"https://example.com ",
        b"https://example.com\r\nX: y",
        b"https://example.com\n",
        b"https://example.com\x00",
        b"https://example.com,https://example.org",
        b"https://example.com https://example.org",
        b"HTTPS://example.com",
        b"https://EXAMPLE.com",
        b"https://xn--f",
        b"https://www.xn--wca.example",
        b"https://example.com:443",
        b"http://example.com:80",
        b"https://example.com:",
        b"https://example.com:0",
        b"https://example.com:080",
        b"https://example.com:65536",
        b"https://example.com:99999",
        b"https://example.com:100000",
        b"https://example.com:8o",
        b"https://example.com:*",
        b"https://*.example.com",
        b"https://example.com.",
        b"https://example..com",
        b"https://.example.com",
        b"https://exa%6dple.com",
        b"https://ex\xc3\xa4mple.com",
        b"https://ex\xe4mple.com",
        b"https://example.com\\",
        b"https://1.2.3",
        b"https://1.2.3.4.5",
        b"https://01.2.3.4",
        b"https://256.1.1.1",
        b"https://0x7f.1",
        b"https://example.0x",
        b"https://2130706433",
        b"https://x]",
        b"https://[",
        b"https://[::1",
        b"https://[]",
        b"http://[0:0:0:0:0:0:0:1]",
        b"http://[::0001]",
        b"http://[::ABCD]",
        b"http://[::ffff:1.2.3.4]",
        b"http://[fe80::1%25eth0]",
        b"http://[1:2]",
        b"ws://localhost:3000",
        b"wss://example.com",
        b"1http://example.com",
        b"http+://",
        b"chrome-extension://",
        b"chrome-extension://abc/",
        b"chrome-extension://abc:0",
        b"chrome-extension://abc:65536",
        b"Chrome-extension://abc",
        b"https://" + b"a" * 64 + b".com",
        b"https://" + b"a." * 126 + b"aa",
        b"https://" + b"a" * MAX_LENGTH,
        b"x" * 65 + b"://host",
    ],
)
def test_anything_else_is_none(value: bytes) -> None:
    assert parse_origin(value) is None


@given(st.binary() | near_origins())
def test_no_bytes_raise_and_what_is_accepted_is_byte_exact(value: bytes) -> None:
    origin = parse_origin(value)
    assert origin is None or str(origin).encode("ascii") == value


@given(origins())
def test_every_serialized_origin_is_parsed_to_itself(origin: Origin) -> None:
    assert parse_origin(str(origin).encode("ascii")) == origin
