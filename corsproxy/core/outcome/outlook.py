"""What is to be expected of the responses to one request.

Nearly every response to a page's allowed call has the same outcome, because its grant is
this proxy's and known before the response comes.
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
    """What the page behind a request gets of any response to it. Immutable."""

    __slots__ = ("_is_usual", "_usual", "call")

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
        call = read_call(request, authority, secure, found)
        self.call: Final = call
        """The page's call; None where no page made the request."""
        usual: Outcome | None = None
        is_usual = call is None
        if call is not None and call.mode is Mode.CORS and grant is not None:
            is_usual = True
            passes = call.is_cross_origin and _passes(call, grant)
            usual = READABLE if passes else outcome_of(call, 200, grant)
        self._is_usual: Final = is_usual
        self._usual: Final = usual

    def outcome(self, status: int, fields: Fields) -> Outcome | None:
        """Return what the page gets of a response, as `outcome_of` says it."""
        if self._is_usual and status not in REDIRECTS:
            return self._usual
        return None if self.call is None else outcome_of(self.call, status, fields)

    def of(self, response: ClientHead | None) -> Outcome | None:
        """Return the outcome of a response as it is sent; of none there is none."""
        return None if response is None else self.outcome(response.status, response.fields)


def _passes(call: Call, grant: Sequence[Field]) -> bool:
    """Whether the grant is one that plainly passes the CORS check; the others are looked at more
    closely."""
    if not grant or grant[0][0] != ALLOW_ORIGIN:
        return False
    allowed = grant[0][1]
    if not call.credentials:
        return allowed == call.origin or allowed == b"*"
    return allowed == call.origin and len(grant) > 1 and grant[1] == _CREDENTIALS
