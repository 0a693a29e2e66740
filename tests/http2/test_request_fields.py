"""Which requests are well-formed, and what of HTTP/1.1 they become."""

import pytest

from corsproxy.core.messages import Field
from corsproxy.http2.request_fields import MalformedRequestError, check_trailers, read_request
from tests.http2.frames import GET, POST


def without(name: bytes) -> list[Field]:
    return [field for field in GET if field[0] != name]


def instead(name: bytes, value: bytes) -> list[Field]:
    return [(name, value) if field[0] == name else field for field in GET]


MALFORMED: dict[str, list[Field]] = {
    "8.2.1: an upper-case name": [*GET, (b"X-A", b"1")],
    "8.2.1: a space in a name": [*GET, (b"x a", b"1")],
    "8.2.1: an empty name": [*GET, (b"", b"1")],
    "8.2.1: a colon in a name": [*GET, (b"x:a", b"1")],
    "8.2.1: 8 bits in a name": [*GET, (b"x\xe4", b"1")],
    "8.2.1: a line break in a value": [*GET, (b"x-a", b"1\r\nx-b: 2")],
    "8.2.1: a bare LF in a value": [*GET, (b"x-a", b"1\nx")],
    "8.2.1: NUL in a value": [*GET, (b"x-a", b"1\0")],
    "8.2.1: a control in a value": [*GET, (b"x-a", b"1\x7f2")],
    "8.2.1: a value with a blank before it": [*GET, (b"x-a", b" 1")],
    "8.2.1: a value with a blank behind it": [*GET, (b"x-a", b"1\t")],
    "8.2.2: connection": [*GET, (b"connection", b"close")],
    "8.2.2: keep-alive": [*GET, (b"keep-alive", b"timeout=5")],
    "8.2.2: proxy-connection": [*GET, (b"proxy-connection", b"close")],
    "8.2.2: transfer-encoding": [*GET, (b"transfer-encoding", b"chunked")],
    "8.2.2: upgrade": [*GET, (b"upgrade", b"websocket")],
    "8.2.2: te": [*GET, (b"te", b"gzip")],
    "8.3: a pseudo-header behind a field": [(b"x-a", b"1"), *GET],
    "8.3: an unknown pseudo-header": [(b":protocol", b"websocket"), *GET],
    "8.3: a response's pseudo-header": [(b":status", b"200"), *GET],
    "8.3: a repeated pseudo-header": [*GET, (b":path", b"/b")],
    "8.3.1: no method": without(b":method"),
    "8.3.1: no scheme": without(b":scheme"),
    "8.3.1: no path": without(b":path"),
    "8.3.1: an empty path": instead(b":path", b""),
    "8.3.1: no authority and no host": without(b":authority"),
    "8.3.1: another host": [*GET, (b"host", b"other")],
    "8.3.1: userinfo": instead(b":authority", b"user@localhost"),
    "8.5: CONNECT with a path": instead(b":method", b"CONNECT"),
    "a method that begins a request line": instead(b":method", b"GET /x"),
    "a method that ends a line": instead(b":method", b"GET\r\n"),
    "an empty method": instead(b":method", b""),
    "a space in a path": instead(b":path", b"/a HTTP/1.1"),
    "a line break in a path": instead(b":path", b"/a\r\nx-a: 1"),
    "8 bits in a path": instead(b":path", b"/\xe4"),
    "a relative path": instead(b":path", b"a"),
    "an absolute URL as a path": instead(b":path", b"http://other/"),
    "an asterisk that is no OPTIONS": instead(b":path", b"*"),
    "another scheme": instead(b":scheme", b"http://x"),
    "a scheme of another kind": instead(b":scheme", b"ftp"),
    "a path in the authority": instead(b":authority", b"localhost/x"),
    "a blank in the authority": instead(b":authority", b"localhost x"),
    "a line break in the authority": instead(b":authority", b"localhost\r\nx-a: 1"),
    "an empty authority": instead(b":authority", b""),
    "a length that is no number": [*GET, (b"content-length", b"+5")],
    "two lengths": [*GET, (b"content-length", b"0"), (b"content-length", b"0")],
    "two hosts": [*GET, (b"host", b"localhost"), (b"host", b"localhost")],
}


@pytest.mark.parametrize("fields", MALFORMED.values(), ids=MALFORMED)
def test_what_is_malformed_is_refused(fields: list[Field]) -> None:
    with pytest.raises(MalformedRequestError):
        read_request(fields, has_ended=True)


def test_the_host_is_the_authority() -> None:
    same = [*GET, (b"host", b"localhost")]
    for fields in (GET, same, [*without(b":authority"), (b"host", b"localhost")]):
        assert read_request(fields, has_ended=True).fields == ((b"Host", b"localhost"),)


def test_8_bits_in_a_value_pass() -> None:
    value = b"caf\xe9 \t\xff"
    assert read_request([*GET, (b"x-a", value)], has_ended=True).fields[-1] == (b"x-a", value)


def test_a_length_is_written_anew() -> None:
    request = read_request([*POST, (b"content-length", b"007")], has_ended=False)
    assert request.length == 7
    assert request.fields[-1] == (b"content-length", b"7")


def test_options_may_be_about_the_server() -> None:
    fields = [(b":method", b"OPTIONS"), *GET[1:3], (b":path", b"*")]
    assert read_request(fields, has_ended=True).target == b"*"


def test_connect_has_its_authority_for_a_target() -> None:
    fields = [(b":method", b"CONNECT"), (b":authority", b"a.test:443")]
    assert read_request(fields, has_ended=False).target == b"a.test:443"


@pytest.mark.parametrize("field", [(b":path", b"/"), (b"X-A", b"1"), (b"te", b"\n"),
                                   (b"transfer-encoding", b"chunked")])  # fmt: skip
def test_malformed_trailers_are_refused(field: Field) -> None:
    check_trailers([(b"x-checksum", b"1")])
    with pytest.raises(MalformedRequestError):
        check_trailers([field])
