"""The coding of field blocks, compared with another implementation of RFC 7541."""

from contextlib import suppress

import pytest
from hpack import Decoder, Encoder
from hypothesis import given
from hypothesis import strategies as st

from corsproxy.core.messages import Field
from corsproxy.http2.field_coding import FieldCodingError, FieldDecoder, FieldEncoder

names = st.sampled_from(
    [b":path", b"accept", b"x-a", b"set-cookie", b"authorization", b"cookie", b"a" * 200]
)
values = st.one_of(
    st.sampled_from([b"", b"/", b"GET", b"gzip, deflate", b"\xff\x80", b"v" * 300]),
    st.binary(max_size=60),
)
blocks = st.lists(st.lists(st.tuples(names, values), max_size=8), max_size=8)
MOST = 1_000_000


def fields_of(block: bytes, most: int = MOST) -> list[Field]:
    return FieldDecoder(most).decode(block)


@given(blocks, st.booleans(), st.integers(0, 4096))
def test_it_decodes_another_librarys_blocks(
    sections: list[list[Field]], huffman: bool, table_size: int
) -> None:
    encoder, decoder = Encoder(), FieldDecoder(MOST)
    for number, section in enumerate(sections):
        if number == 2:
            encoder.header_table_size = table_size
        block = encoder.encode(section, huffman=huffman)
        assert decoder.decode(block) == section


@given(blocks)
def test_another_library_decodes_its_blocks(sections: list[list[Field]]) -> None:
    encoder, decoder = FieldEncoder(), Decoder()
    for section in sections:
        read = decoder.decode(encoder.encode(section), raw=True)
        assert [tuple(field) for field in read] == section


def test_secrets_are_never_indexed() -> None:
    block = FieldEncoder().encode([(b"set-cookie", b"id=1")])
    [field] = Decoder().decode(block, raw=True)
    assert not field.indexable


@given(st.binary(max_size=100))
def test_every_block_is_read_or_refused(block: bytes) -> None:
    with suppress(FieldCodingError):
        fields_of(block)


@pytest.mark.parametrize(
    "block",
    [
        b"\x80",  # index 0
        b"\xbe",  # an entry of an empty table
        b"\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"\x3f\xe2\x1f",  # a table of 4,097 bytes
        b"\x82\x20",  # a change of size behind a field
        b"\x00\x05ab",
        b"\x00\x81\xff\x00",  # padding that is none (5.2)
        b"\x00\x84\xff\xff\xff\xff\x00",  # the code's end in a string (5.2)
        b"\x7f",
        b"\x40",
    ],
)
def test_errors_of_the_standard_are_errors(block: bytes) -> None:
    with pytest.raises(FieldCodingError):
        fields_of(block)


def test_fields_over_the_limit_are_decoded_and_dropped() -> None:
    decoder, encoder = FieldDecoder(200), Encoder()
    section = [(b"x-%d" % number, b"v" * 40) for number in range(20)]
    assert decoder.decode(encoder.encode(section)) == section[:2]
    assert decoder.is_too_large
    assert decoder.decode(encoder.encode(section[18:])) == section[18:]
    assert not decoder.is_too_large
