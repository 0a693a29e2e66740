"""What is to be expected of the responses to one request, and to all that repeat it.

Nearly every response to a page's allowed call has the same outcome, because its grant is
ours and known before it comes. So this is worked out once, and only if somebody asks.
"""

from collections.abc import Sequence
from typing import Final

from corsproxy.core.browser import REDIRECTS
from corsproxy.core.cors import ALLOW_ORIGIN
from corsproxy.core.messages import ClientHead, Field, Fields, RequestHead
from corsproxy.core.outcome.call import Call, Mode, read_call
from corsproxy.core.outcome.outcome import READABLE, Outcome, outcome_of

_CREDENTIALS: Final = (b"Access-Control-Allow-Credentials", b"true")


class Outlook:
    """The call behind a request, read when it is first asked for."""

    __slots__ = (
        "_authority",
        "_call",
        "_found",
        "_grant",
        "_is_read",
        "_is_usual",
        "_request",
        "_secure",
        "_usual",
    )

    def __init__(
        self,
        request: RequestHead,
        authority: bytes,
        secure: bool,
        grant: Sequence[Field] | None = None,
        found: dict[bytes, list[bytes]] | None = None,
    ) -> None:
        """`authority` and `secure` say how the browser knows this proxy. `grant` are the
        Access-Control-* fields that every response will carry; None where that is not known.
        `found` is what a `RequestContext` has found of the request, so that it is not read again.
        """
        self._request: Final = request
        self._authority: Final = authority
        self._secure: Final = secure
        self._grant: Final = grant
        self._found = found
        self._is_read = False
        self._call: Call | None = None
        self._is_usual = False
        self._usual: Outcome | None = None

    @property
    def call(self) -> Call | None:
        """The page's call; None where there is none behind the request."""
        if not self._is_read:
            self._read()
        return self._call

    def outcome(self, status: int, fields: Fields) -> Outcome | None:
        """Return what the page gets of a response, as `outcome_of` says it."""
        if not self._is_read:
            self._read()
        if self._is_usual and status not in REDIRECTS:
            return self._usual
        call = self._call
        return None if call is None else outcome_of(call, status, fields)

    def of(self, response: ClientHead | None) -> Outcome | None:
        """Return the outcome of a response as it is sent; of none there is none."""
        return None if response is None else self.outcome(response.status, response.fields)

    def _read(self) -> None:
        call = read_call(self._request, self._authority, self._secure, self._found)
        self._call = call
        self._is_read = True
        self._found = None
        if call is None:
            self._is_usual = True
        elif call.mode is Mode.CORS and self._grant is not None:
            self._is_usual = True
            is_plain = call.is_cross_origin and _passes(call, self._grant)
            self._usual = READABLE if is_plain else outcome_of(call, 200, self._grant)


def _passes(call: Call, grant: Sequence[Field]) -> bool:
    """Whether the grant is one that plainly passes the CORS check; the others are looked at more
    closely."""
    if not grant or grant[0][0] != ALLOW_ORIGIN:
        return False
    allowed = grant[0][1]
    if not call.credentials:
        return allowed == call.origin or allowed == b"*"
    return allowed == call.origin and len(grant) > 1 and grant[1] == _CREDENTIALS
