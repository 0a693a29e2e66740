import gzip
import sys
import zlib
from importlib import import_module
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.core.messages import Field
from corsproxy.shell.admin.inspector.decoding import (
    MOST_DECODED,
    as_text,
    charset_of,
    decode,
)
from corsproxy.shell.admin.inspector.exchanges import Body
from corsproxy.shell.system.packages import installing

TEXT = b'{"name": "Ada"}' * 20


def body(data: bytes) -> Body:
    made = Body()
    made.add(data)
    return made


def coded(coding: bytes) -> list[Field]:
    return [(b"Content-Encoding", coding)]


def bare_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


@pytest.mark.parametrize(
    ("coding", "data"),
    [
        (b"gzip", gzip.compress(TEXT, mtime=0)),
        (b"x-gzip", gzip.compress(TEXT, mtime=0)),
        (b"GZIP, identity", gzip.compress(TEXT, mtime=0)),
        (b"deflate", zlib.compress(TEXT)),
        (b"deflate", bare_deflate(TEXT)),
        (b"deflate, gzip", gzip.compress(zlib.compress(TEXT), mtime=0)),
        (b"identity", TEXT),
    ],
)
def test_codings_are_undone(coding: bytes, data: bytes) -> None:
    decoded = decode(body(data), coded(coding))
    assert (decoded.data, decoded.failure, decoded.is_cut) == (TEXT, "", False)


def test_what_was_cut_off_is_read_as_far_as_it_goes() -> None:
    made = Body()
    random = Random(1).randbytes(40_000)
    made.add(gzip.compress(random, mtime=0))
    decoded = decode(made, coded(b"gzip"))
    assert decoded.is_cut
    assert random.startswith(decoded.data)
    assert len(decoded.data) > 10_000


def test_a_bomb_is_cut() -> None:
    decoded = decode(body(gzip.compress(bytes(12_000_000), mtime=0)), coded(b"gzip"))
    assert (len(decoded.data), decoded.is_cut) == (MOST_DECODED, True)


@pytest.mark.parametrize(
    ("coding", "words"),
    [(b"gzip", "not valid gzip"), (b"compress", "compress cannot be decoded here")],
)
def test_what_cannot_be_decoded_says_so(coding: bytes, words: str) -> None:
    decoded = decode(body(TEXT), coded(coding))
    assert words in decoded.failure
    assert decoded.data == TEXT


BROTLI = b"\x8b\x03\x80Ada\x2c Ada\x03"
ZSTANDARD = bytes.fromhex("28b52ffd20084100004164612c20416461")


@pytest.mark.parametrize(
    ("coding", "data", "package"),
    [(b"br", BROTLI, "brotli"), (b"zstd", ZSTANDARD, "backports.zstd")],
)
def test_what_browsers_ask_for_is_decoded_where_its_package_is(
    monkeypatch: pytest.MonkeyPatch, coding: bytes, data: bytes, package: str
) -> None:
    assert decode(body(data), coded(coding)).data == b"Ada, Ada"
    for module in ("brotli", "compression.zstd", "backports.zstd"):
        monkeypatch.setitem(sys.modules, module, None)
    decoded = decode(body(data), coded(coding))
    assert (decoded.data, decoded.install) == (data, installing(package, newer=True))
    assert package in decoded.failure


def test_a_bomb_of_brotli_is_cut() -> None:
    brotli = import_module("brotli")
    decoded = decode(body(brotli.compress(bytes(12_000_000))), coded(b"br"))
    assert (len(decoded.data), decoded.is_cut) == (MOST_DECODED, True)


@given(
    st.binary(max_size=400),
    st.sampled_from([b"gzip", b"deflate", b"br", b"zstd", b"gzip, deflate"]),
)
def test_arbitrary_bytes_raise_nothing(data: bytes, coding: bytes) -> None:
    decode(body(data), coded(coding))


@pytest.mark.parametrize(
    ("data", "content_type", "text"),
    [
        ("é".encode(), "text/plain", "é"),
        (b"\xe9", "text/plain; charset=iso-8859-1", "é"),
        (b"\xe9", "text/plain; charset=utf_16_be_but_not", "\ufffd"),
        (b"\xff\xfeA\0", 'text/plain; charset="UTF-16"', "A"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "image/png", None),
        (b"\x01\x02\x03\x04", "application/octet-stream", None),
        (b"", "", ""),
    ],
)
def test_text_is_distinguished_from_binary(
    data: bytes, content_type: str, text: str | None
) -> None:
    assert as_text(data, content_type) == text


def test_charsets() -> None:
    assert charset_of("text/html; a=b; Charset=Latin1 ") == "latin1"
    assert charset_of("text/html") == ""


@given(st.binary(max_size=60), st.sampled_from(["utf-16", "shift_jis", "big5", "rot13", "idna"]))
def test_no_charset_raises(data: bytes, charset: str) -> None:
    as_text(data, f"text/plain; charset={charset}")
