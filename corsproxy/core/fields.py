"""Field names and values: the grammar, the standards' lists, one-pass reading.

Facts that the code rests on (RFC 9110, 5; RFC 9112, 5):

* A field section is an ordered list of lines; names compare without case, values are
  bytes and may hold obs-text (0x80-0xFF). Nothing here decodes them.
* Only fields defined as lists may be joined with commas; `Set-Cookie` must never be.
* Fields that an intermediary manages can also come under look-alike names
  (`X_Forwarded_For`), which CGI-style upstreams read as the real one. `managed_names`
  maps both to one key, so that a look-alike never slips past.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar, cast

from corsproxy.core.messages import Boxed, Field, Fields

T = TypeVar("T")

# RFC 9110, 5.6.2: token.
_IN_TOKEN: Final = bytes(
    byte in b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    for byte in range(256)
)
# RFC 9110, 5.5: field-content, obs-text included; no CTL but HTAB, no outer whitespace.
_FIELD_VALUE: Final = re.compile(
    rb"(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?"
)
_FORBIDDEN_IN_VALUE: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")

# What a `NameTable` remembers: so many names, of so many bytes at most.
_MOST_NAMES: Final = 4096
_LONGEST_NAME: Final = 64
_LOWER: Final = bytes.maketrans(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZ_.",
    b"abcdefghijklmnopqrstuvwxyz--",
)

_AS_CGI: Final = bytes.maketrans(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZ_",
    b"abcdefghijklmnopqrstuvwxyz-",
)

# RFC 9110, 7.6.1, with the fields that older peers send; Proxy-* belong to one hop (11.7).
HOP_BY_HOP: Final = frozenset(
    {
        b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authentication-info",
        b"proxy-authorization", b"proxy-connection", b"te", b"trailer", b"transfer-encoding",
        b"upgrade",
    }
)  # fmt: skip

# Fetch, "CORS-safelisted response-header name".
CORS_SAFELISTED_RESPONSE_HEADERS: Final = frozenset(
    {
        b"cache-control", b"content-language", b"content-length", b"content-type", b"expires",
        b"last-modified", b"pragma",
    }
)  # fmt: skip

# Fetch, "CORS-safelisted request-header": the names that may appear in
# Access-Control-Request-Headers only because of their value.
CORS_SAFELISTED_REQUEST_HEADERS: Final = frozenset(
    {b"accept", b"accept-language", b"content-language", b"range"}
)

# Fetch, "forbidden response-header name".
FORBIDDEN_RESPONSE_HEADERS: Final = frozenset({b"set-cookie", b"set-cookie2"})

# Fetch, "forbidden request-header": script can never set these.
FORBIDDEN_REQUEST_HEADERS: Final = frozenset(
    {
        b"accept-charset", b"accept-encoding", b"access-control-request-headers",
        b"access-control-request-method", b"connection", b"content-length", b"cookie", b"cookie2",
        b"date", b"dnt", b"expect", b"host", b"keep-alive", b"origin", b"referer", b"set-cookie",
        b"te", b"trailer", b"transfer-encoding", b"upgrade", b"via",
    }
)  # fmt: skip
FORBIDDEN_REQUEST_HEADER_PREFIXES: Final = (b"proxy-", b"sec-")

CORS_FIELD_PREFIX: Final = b"access-control-"


def is_token(value: bytes) -> bool:
    """Whether `value` is a token: a field name, a method (RFC 9110, 5.6.2)."""
    # Compiled, a loop over a few bytes takes a tenth of what a regular expression does.
    for at in range(len(value)):
        if not _IN_TOKEN[value[at]]:
            return False
    return value != b""


def is_field_value(value: bytes) -> bool:
    """Whether `value` may stand in a field line as it is (RFC 9110, 5.5)."""
    return _FIELD_VALUE.fullmatch(value) is not None


def is_safe_value(value: bytes) -> bool:
    """Whether `value` holds none of the bytes that can end or corrupt a field line."""
    return _FORBIDDEN_IN_VALUE.search(value) is None


def is_forbidden_request_header(name: bytes) -> bool:
    """Whether script can never set the field `name`, given in lower case (Fetch)."""
    return name in FORBIDDEN_REQUEST_HEADERS or name.startswith(FORBIDDEN_REQUEST_HEADER_PREFIXES)


def split_list(values: Iterable[bytes]) -> list[bytes]:
    """Return the members of a `#token`-like list over all its lines, empty ones dropped.

    RFC 9110, 5.6.1.2: a recipient must accept empty members.
    """
    return [
        member for value in values for part in value.split(b",") if (member := part.strip(b" \t"))
    ]


class NameTable(dict[bytes, T]):
    """What a field's name means, by the name as received.

    Peers send the same few spellings again and again, so each is judged once and
    remembered, up to bounds that no peer can push: neither by many names nor by long ones.
    """

    def __init__(self, judge: Callable[[bytes], T], most: int = _MOST_NAMES) -> None:
        """`judge` is asked about every name that is not remembered; `most` names are."""
        super().__init__()
        self._judge = judge
        self._most = most

    def __missing__(self, name: bytes) -> T:
        meaning = self._judge(name)
        if len(self) < self._most and len(name) <= _LONGEST_NAME:
            self[name] = meaning
        return meaning


def managed_names(names: frozenset[bytes], prefix: bytes = b"\n") -> NameTable[bytes | None]:
    """Return a table for `partition`: a managed name in lower case, b"" for a look-alike
    of one, None for every other name. Names that begin with `prefix` are managed too; no
    name begins with the default."""
    # Looking up the same object takes half as long as looking up an equal one.
    objects = {name: name for name in names}

    def judge(name: bytes) -> bytes | None:
        key = name.translate(_LOWER)
        if key not in objects and not key.startswith(prefix):
            return None
        return objects.get(key, key) if key == name.lower() else b""

    return NameTable(judge)


_PASSED_TOO: Final = frozenset({b"authorization", b"cookie"})


def partition(
    fields: Fields, table: NameTable[bytes | None]
) -> tuple[list[Field], dict[bytes, list[bytes]]]:
    """Read a field section once: (the lines to pass on, the managed values by name).

    The managed values are in order, under their lower-case name. Look-alikes of managed
    names are in neither: they are dropped. Authorization and Cookie, where they are managed, are
    in both.
    """
    passed: list[Boxed] = []
    found: dict[bytes, list[bytes]] = {}
    for line in cast("Sequence[Boxed]", fields):
        key = table[line[0]]
        if key is None:
            passed.append(line)
            continue
        if key in _PASSED_TOO:
            passed.append(line)
        if key in found:
            found[key].append(line[1])
        elif key:
            found[key] = [line[1]]
    return cast("list[Field]", passed), found


def without(fields: Iterable[Field], names: frozenset[bytes]) -> list[Field]:
    """Return the lines whose lower-case name is not in `names`."""
    return [line for line in fields if line[0].lower() not in names]


def as_cgi(name: bytes) -> bytes:
    """Return a name as CGI tells names apart: in one case, and "_" is "-" (RFC 3875, 4.1.18).

    What a rule says of X-Admin holds for X_Admin, because to such an upstream both are one.
    """
    return name.translate(_AS_CGI)


def replaced(
    fields: Iterable[Field], lines: Sequence[Field], removed: Iterable[bytes]
) -> list[Field]:
    """Return `fields` with every line of the names in `removed` deleted, and `lines` put in
    the place of all lines of their names. Names are matched `as_cgi`."""
    names = frozenset([as_cgi(name) for name in removed] + [as_cgi(name) for name, _ in lines])
    return [*(line for line in fields if as_cgi(line[0]) not in names), *lines]
