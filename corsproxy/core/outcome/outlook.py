"""What is to be expected of the responses to one request.

Nearly every response to a page's allowed call has the same outcome, because its grant is
this proxy's and known before the response comes.
"""

from collections.abc import Sequence
from typing import Final

from corsproxy.core.browser import REDIRECTS
from corsproxy.core.cors import ALLOW_ORIGIN
from corsproxy.core.messages import ClientHead, Field, Fields, RequestHead
from corsproxy.core.outcome.call import Call, Mode, is_cross_origin, read_call
from corsproxy.core.outcome.outcome import READABLE, Outcome, outcome_of

_CREDENTIALS: Final = (b"Access-Control-Allow-Credentials", b"true")
_CORS: Final = [b"cors"]


class Outlook:
    """What the page behind a request gets of any response to it. Immutable."""

    __slots__ = ("_authority", "_found", "_grant", "_request", "_secure")

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
        self._found: Final = found

    @property
    def call(self) -> Call | None:
        """The page's call; None where no page made the request."""
        return read_call(self._request, self._authority, self._secure, self._found)

    def outcome(self, status: int, fields: Fields) -> Outcome | None:
        """Return what the page gets of a response, as `outcome_of` says it."""
        if status not in REDIRECTS and self._is_plainly_readable():
            return READABLE
        call = self.call
        if call is None:
            return None
        if call.mode is Mode.CORS and self._grant is not None and status not in REDIRECTS:
            return outcome_of(call, 200, self._grant)
        return outcome_of(call, status, fields)

    def _is_plainly_readable(self) -> bool:
        """Whether a page of another site has made a cors-mode call that its grant plainly
        permits, as most do. The others are looked at more closely."""
        found, grant = self._found, self._grant
        if found is None or not grant or b"upgrade" in found or self._request.method == "OPTIONS":
            return False
        origins = found.get(b"origin")
        if origins is None or len(origins) != 1 or found.get(b"sec-fetch-mode", _CORS) != _CORS:
            return False
        origin = origins[0]
        return _passes(origin, b"cookie" in found, grant) and is_cross_origin(
            found, origin, self._authority, self._secure
        )

    def of(self, response: ClientHead | None) -> Outcome | None:
        """Return the outcome of a response as it is sent; of none there is none."""
        return None if response is None else self.outcome(response.status, response.fields)


def _passes(origin: bytes, credentials: bool, grant: Sequence[Field]) -> bool:
    """Whether the grant is one that plainly passes the CORS check; the others are looked at more
    closely."""
    if not origin or grant[0][0] != ALLOW_ORIGIN:
        return False
    allowed = grant[0][1]
    if not credentials:
        return allowed == origin or allowed == b"*"
    return allowed == origin and len(grant) > 1 and grant[1] == _CREDENTIALS
