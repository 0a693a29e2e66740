"""HPACK, the compression of field blocks in HTTP/2 (RFC 7541).

The decoder keeps the peer's table, as it must. The encoder uses no table: a field always has
the same encoding, which is cached. Responses are a few bytes longer, but there is nothing to
synchronise, nothing that a peer can make us store, and no secret in a compression context.
"""

from functools import lru_cache
from typing import Final

from hpack.exceptions import HPACKDecodingError
from hpack.huffman_table import decode_huffman
from hpack.table import HeaderTable

from corsproxy.core.messages import Field

TABLE_SIZE: Final = 4096
"""The size that the peer's table may have here; also the initial value of both sides."""

_STATIC: Final[tuple[Field, ...]] = tuple(HeaderTable.STATIC_TABLE)
_STATIC_FIELDS: Final = {field: at for at, field in reversed(list(enumerate(_STATIC, 1)))}
_STATIC_NAMES: Final = {field[0]: at for at, field in reversed(list(enumerate(_STATIC, 1)))}
_ENTRY_OVERHEAD: Final = 32
_MOST_UPDATES: Final = 2
# No real number needs more octets than this.
_MOST_CONTINUED: Final = 5
_EMPTIES_TABLE: Final = b"\x20"
_NEVER_INDEXED: Final = frozenset({b"set-cookie", b"authorization", b"www-authenticate"})
_REMEMBERED: Final = 256


class FieldCodingError(Exception):
    """A block that cannot be decoded; neither can any later one."""


class FieldDecoder:
    """Decodes the blocks of one connection, in order."""

    def __init__(self, most: int) -> None:
        """Keep up to `most` bytes of fields per block, counted as SETTINGS_MAX_HEADER_LIST_SIZE
        says. The rest is decoded but dropped; otherwise the next block could not be decoded."""
        self.is_too_large = False
        """Whether fields of the last block were dropped."""
        self._most: Final = most
        self._entries: list[Field] = []  # newest last
        self._size = 0
        self._table_size = TABLE_SIZE

    def decode(self, block: bytes) -> list[Field]:
        """Return the fields. Raises FieldCodingError."""
        fields: list[Field] = []
        left, at, end = self._most, self._read_updates(block), len(block)
        self.is_too_large = False
        while at < end:
            octet = block[at]
            if octet & 0x80:
                index = octet & 0x7F
                at += 1
                if index == 0x7F:
                    index, at = _continued(block, at, index)
                field = self._entry(index)
            else:
                field, at = self._literal(block, at, octet)
            left -= len(field[0]) + len(field[1]) + _ENTRY_OVERHEAD
            if left >= 0:
                fields.append(field)
        self.is_too_large = left < 0
        return fields

    def _read_updates(self, block: bytes) -> int:
        """Read the table size updates that a block may begin with."""
        at = 0
        while at < len(block) and block[at] & 0xE0 == 0x20:
            size, at = _integer(block, at, 0x1F)
            if size > TABLE_SIZE or at > _MOST_UPDATES * (_MOST_CONTINUED + 1):
                raise FieldCodingError("a table size over the limit")
            self._table_size = size
            self._evict()
        return at

    def _literal(self, block: bytes, at: int, octet: int) -> tuple[Field, int]:
        if octet & 0xC0 == 0x40:
            index, at = _integer(block, at, 0x3F)
        elif octet & 0xE0 == 0x20:
            raise FieldCodingError("a change of the table's size between fields")
        else:
            index, at = _integer(block, at, 0x0F)
        if index:
            name = self._entry(index)[0]
        else:
            name, at = _string(block, at)
        value, at = _string(block, at)
        field = (name, value)
        if octet & 0xC0 == 0x40:
            self._entries.append(field)
            self._size += len(name) + len(value) + _ENTRY_OVERHEAD
            self._evict()
        return field, at

    def _entry(self, index: int) -> Field:
        if 0 < index <= len(_STATIC):
            return _STATIC[index - 1]
        at = index - len(_STATIC)
        if not 0 < at <= len(self._entries):
            raise FieldCodingError("an index without an entry")
        return self._entries[-at]

    def _evict(self) -> None:
        while self._size > self._table_size:
            name, value = self._entries.pop(0)
            self._size -= len(name) + len(value) + _ENTRY_OVERHEAD


def _integer(block: bytes, at: int, mask: int) -> tuple[int, int]:
    """Return the number that begins in the last bits of an octet, and where it ends (5.1)."""
    value = block[at] & mask
    at += 1
    return (value, at) if value < mask else _continued(block, at, value)


def _continued(block: bytes, at: int, value: int) -> tuple[int, int]:
    for shift in range(0, 7 * _MOST_CONTINUED, 7):
        if at >= len(block):
            raise FieldCodingError("a number without an end")
        octet = block[at]
        at += 1
        value += (octet & 0x7F) << shift
        if not octet & 0x80:
            return value, at
    raise FieldCodingError("a number that is too large")


def _string(block: bytes, at: int) -> tuple[bytes, int]:
    """Return the string literal that begins there, and where it ends (5.2)."""
    if at >= len(block):
        raise FieldCodingError("a string without an end")
    is_huffman = block[at] & 0x80
    length, at = _integer(block, at, 0x7F)
    end = at + length
    if end > len(block):
        raise FieldCodingError("a string without an end")
    data = block[at:end]
    if not is_huffman:
        return data, end
    return (_huffman(data) if length <= _REMEMBERED else _decode_huffman(data)), end


def _decode_huffman(data: bytes) -> bytes:
    try:
        return bytes(decode_huffman(data))
    except HPACKDecodingError as error:
        raise FieldCodingError("a string that is not in Huffman's code") from error


_huffman = lru_cache(maxsize=2048)(_decode_huffman)


class FieldEncoder:
    """Encodes the blocks of one connection."""

    __slots__ = ("_has_begun",)

    def __init__(self) -> None:
        self._has_begun = False

    def encode(self, fields: list[Field]) -> bytes:
        """Return a block. The first one sets the table size to 0, whatever size the peer allows
        (RFC 7541, 4.2)."""
        block = b"".join([_literal_field(field) for field in fields])
        if self._has_begun:
            return block
        self._has_begun = True
        return _EMPTIES_TABLE + block


def _literal_field(field: Field) -> bytes:
    if len(field[0]) + len(field[1]) <= _REMEMBERED:
        return _remembered_field(field)
    return _encode_field(field)


def _encode_field(field: Field) -> bytes:
    found = _STATIC_FIELDS.get(field)
    if found is not None:
        return bytes((0x80 | found,))
    name, value = field
    first = 0x10 if name in _NEVER_INDEXED else 0x00
    index = _STATIC_NAMES.get(name)
    if index is not None:
        return _number(index, first, 0x0F) + _plain_string(value)
    return bytes((first,)) + _plain_string(name) + _plain_string(value)


_remembered_field = lru_cache(maxsize=4096)(_encode_field)


def _plain_string(data: bytes) -> bytes:
    return _number(len(data), 0x00, 0x7F) + data


def _number(value: int, first: int, mask: int) -> bytes:
    if value < mask:
        return bytes((first | value,))
    octets = [first | mask]
    value -= mask
    while value >= 0x80:
        octets.append(value & 0x7F | 0x80)
        value >>= 7
    octets.append(value)
    return bytes(octets)
