"""Requests to the admin listener: bytes in, the little that is read of them out. No I/O.

llhttp reads the syntax, with none of its leniencies. Content is read by nobody: what comes
with some is the last request of its connection.
"""

from http import HTTPStatus
from typing import NamedTuple

import httptools

_LONGEST_HEAD = 16 * 1024
# Of a request behind which comes something else than another request, or may.
_LAST = frozenset({b"transfer-encoding", b"upgrade"})


class RefusedRequestError(Exception):
    """What arrived is no request that can be answered; `status` is the answer's."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status)
        self.status = status


class AdminRequest(NamedTuple):
    """A request whose head has arrived."""

    method: str
    target: bytes
    hosts: tuple[bytes, ...]
    """The values of its Host fields."""
    accept: str
    """Its Accept field, "" where there is none or more than one."""
    minor_version: int
    keep_alive: bool
    """Whether another request may follow it on the connection."""


class AdminRequests:
    """The requests of one connection. The `on_` methods are llhttp's callbacks."""

    def __init__(self) -> None:
        self._target = b""
        self._fields: dict[bytes, list[bytes]] = {}
        self._received = 0  # of a head that has not ended
        self._read: list[AdminRequest] = []
        self._llhttp = httptools.HttpRequestParser(self)

    def feed(self, data: bytes) -> list[AdminRequest]:
        """Return the requests whose heads end in `data`; behind one that is not to be kept
        alive, feed nothing more.

        Raises RefusedRequestError.
        """
        self._read = []
        self._received += len(data)
        try:
            self._llhttp.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if not self._read:
                raise RefusedRequestError(HTTPStatus.BAD_REQUEST) from None
            # What was asked before is answered, and nothing behind it.
            self._read[-1] = self._read[-1]._replace(keep_alive=False)
        if self._received > _LONGEST_HEAD:
            raise RefusedRequestError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        return self._read

    def on_url(self, part: bytes) -> None:
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        # llhttp leaves the white space behind a value.
        self._fields.setdefault(name.lower(), []).append(value.rstrip(b" \t"))

    def on_headers_complete(self) -> None:
        target, self._target = self._target, b""
        fields, self._fields = self._fields, {}
        self._received = 0
        accept = fields.get(b"accept", [])
        is_last = not _LAST.isdisjoint(fields) or fields.get(b"content-length", [b"0"]) != [b"0"]
        self._read.append(
            AdminRequest(
                self._llhttp.get_method().decode("ascii"),
                target,
                tuple(fields.get(b"host", ())),
                accept[0].decode("latin-1") if len(accept) == 1 else "",
                0 if self._llhttp.get_http_version() == "1.0" else 1,
                keep_alive=self._llhttp.should_keep_alive() and not is_last,
            )
        )
