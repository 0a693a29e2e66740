"""Which requests are well-formed, and their translation to HTTP/1.1."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corsproxy.core.messages import Field
from corsproxy.http1.head_parser import parse_head
from corsproxy.http1.writer import serialize_fields
from corsproxy.http2.request_fields import (
    MalformedRequestError,
    RequestReader,
    check_trailers,
    read_request,
)
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
def test_malformed_requests_are_refused(fields: list[Field]) -> None:
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


@given(st.lists(st.tuples(st.sampled_from([*MALFORMED.values(), GET, POST]),
                          st.sampled_from([b"/", b"/a?b", b"/a b", b"a", b"", b"*"]),
                          st.booleans()), max_size=8))  # fmt: skip
def test_the_cache_changes_nothing(
    sent: list[tuple[list[Field], bytes, bool]],
) -> None:
    reader = RequestReader()
    for fields, path, ends in sent:
        section = [(name, path if name == b":path" else value) for name, value in fields]
        expected: object
        try:
            expected = read_request(section, has_ended=ends)
        except MalformedRequestError as error:
            expected = str(error)
        found: object
        try:
            found = reader.read(section, has_ended=ends)
        except MalformedRequestError as error:
            found = str(error)
        assert found == expected


def test_repeated_requests_share_their_fields() -> None:
    reader = RequestReader()
    first = reader.read(GET, has_ended=True)
    again = reader.read([*GET[:3], (b":path", b"/other")], has_ended=True)
    assert again.fields is first.fields
    assert again.target == b"/other"


# No smuggling: what is well-formed here is one request of HTTP/1.1, and the same one.

pieces = st.sampled_from(
    [b"a", b"/", b"GET", b" ", b"\r\n", b"\n", b"\r", b"\0", b":", b"\t", b"\x7f", b"\xe4",
     b"%0d%0a", b"HTTP/1.1", b"Host: x", b"#", b"?", b"\\", b"@", b"localhost", b";", b",", b"0",
     b"5", b"chunked", b"\x0b", b"\x85", b"\xa0", b"."]
)  # fmt: skip
texts = st.builds(b"".join, st.lists(pieces, max_size=4))
names = st.one_of(
    texts,
    st.sampled_from([b"x-a", b"content-length", b"transfer-encoding", b"host", b"connection",
                     b"cookie", b"te", b"expect", b"upgrade", b":path", b"trailer"]),
)  # fmt: skip


@st.composite
def sections(draw: st.DrawFn) -> list[Field]:
    """Field sections that are mostly right, and wrong in any one place."""
    section = [
        (name, draw(st.one_of(st.just(value), st.just(value), texts))) for name, value in GET
    ]
    return section + draw(st.lists(st.tuples(names, texts), max_size=4))


@settings(max_examples=500)
@given(sections(), st.booleans())
def test_a_well_formed_request_is_one_http1_request(section: list[Field], ends: bool) -> None:
    try:
        request = read_request(section, has_ended=ends)
    except MalformedRequestError:
        return
    if request.method not in ("GET", "POST", "OPTIONS"):
        return  # llhttp knows no others, and the core answers them
    line = request.method.encode() + b" " + request.target + b" HTTP/1.1\r\n"
    head = line + serialize_fields(request.fields) + b"\r\n"
    assert head.count(b"\r\n\r\n") == 1
    assert b"\n" not in head.replace(b"\r\n", b"")
    read = parse_head(head, "", False)
    assert (read.head.method, read.head.target) == (request.method, request.target)
    assert tuple(read.head.fields) == tuple(request.fields)
    assert read.length == (request.length or None)
    assert read.is_chunked == (not ends and request.length is None)
    assert not read.upgrade
    assert not read.should_close
