"""Which fields authenticate a connection rather than a request.

NTLM and Negotiate log a user in on the connection that carries the handshake: the next request on
it is that user's, whatever its sender (RFC 4559, 5 and 6). As in HAProxy, the beginning of a
scheme's name decides, which covers Nego2 and its successors. In doubt a field counts.
"""

import re
from collections.abc import Iterable
from typing import Final

from corsproxy.core.messages import Fields

AUTHORIZATION: Final = b"authorization"

_SCHEME: Final = re.compile(rb"[ \t]*(?:ntlm|nego)", re.IGNORECASE)
# RFC 9110, 11.6.1: challenges and their parameters share one list; a parameter has a "=".
_CHALLENGE: Final = re.compile(
    rb"(?:^|,)[ \t]*(?:ntlm|nego)[!#$%&'*+\-.^_`|~0-9a-z]*+(?![ \t]*=)", re.IGNORECASE
)
_QUOTED: Final = re.compile(rb'"(?:[^"\\]|\\.)*"')


def is_asked_for(authorizations: Iterable[bytes]) -> bool:
    """Whether a request with these values of Authorization is part of such a handshake."""
    return any(_SCHEME.match(value) for value in authorizations)


def is_offered(fields: Fields) -> bool:
    """Whether a response with these fields offers such a handshake, or completes one."""
    return any(_offers(name.lower(), value) for name, value in fields)


def _offers(name: bytes, value: bytes) -> bool:
    if name == b"persistent-auth":
        return True
    if name != b"www-authenticate":
        return False
    return _CHALLENGE.search(_QUOTED.sub(b"", value)) is not None
