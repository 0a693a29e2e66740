"""A response head as a field section (RFC 9113, 8.3.2), without what only HTTP/1.1 has."""

from functools import lru_cache
from typing import Final

from corsproxy.core.messages import ClientHead, Field

# RFC 9113, 8.2.2. Trailers are not passed on, so they are not announced either.
_DROPPED: Final = frozenset(
    {
        b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade",
        b"trailer", b"te", b"http2-settings",
    }
)  # fmt: skip


def response_fields(head: ClientHead, date: bytes) -> list[Field]:
    """Return the fields of a final response; `date` is added if it has none."""
    fields: list[Field] = [(b":status", b"%d" % head.status)]
    for field in head.fields:
        lowered = _lowered(field[0])
        if lowered is not None:
            fields.append((lowered, field[1]))
    if not head.is_dated:
        fields.append((b"date", date))
    return fields


@lru_cache(maxsize=1024)
def _lowered(name: bytes) -> bytes | None:
    """Return the name in lower case; None if HTTP/2 does not allow the field."""
    lowered = name.lower()
    return None if lowered in _DROPPED else lowered
