"""A request as aiohttp's parser hands it over.

Its own class is declared as a tuple and is none, which compiled code finds out. So what
is read of it is named here.
"""

from collections.abc import Mapping
from typing import Protocol

from aiohttp.http import HttpVersion


class RequestMessage(Protocol):
    """What the proxy reads of an `aiohttp.http.RawRequestMessage`."""

    @property
    def method(self) -> str: ...

    @property
    def path(self) -> str:
        """The request target; bytes outside of UTF-8 as surrogate escapes."""
        ...

    @property
    def version(self) -> HttpVersion: ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The fields by name, whatever its case."""
        ...

    @property
    def raw_headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """The field lines: names and values as they were received."""
        ...

    @property
    def should_close(self) -> bool:
        """Whether the client wants the connection to end behind the answer."""
        ...

    @property
    def upgrade(self) -> bool:
        """Whether it asks to switch protocols."""
        ...
