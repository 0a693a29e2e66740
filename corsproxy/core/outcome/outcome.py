"""The outcome of a call: what the browser lets the page make of the response.

The browser's checks in its own order (Fetch, "HTTP fetch", "CORS check", "cross-origin
resource policy check"), over the request as it was received and the response as it was
sent. What cannot be known from here is taken as the most usual: redirects are followed,
and a call without a cookie was made without credentials.
"""

from enum import StrEnum
from typing import Final, NamedTuple

from corsproxy.core.browser import REDIRECTS, Obstacle, check_preflight, check_response
from corsproxy.core.messages import Fields, ResponseHead
from corsproxy.core.outcome.call import Call, Mode
from corsproxy.core.outcome.console import console_sentence
from corsproxy.core.outcome.redirect import Destination, destination
from corsproxy.core.page_call import PageCall


class Word(StrEnum):
    """The outcomes; part of the interface, like the codes of verdicts."""

    READABLE = "readable"
    BLOCKED = "blocked"
    LEAVES = "leaves"
    OPAQUE = "opaque"
    UNKNOWN = "unknown"


class Outcome(NamedTuple):
    """What becomes of one call."""

    word: Word
    error: str | None = None
    """Chromium's name for what blocks it; None if there is none, or it is not blocked."""
    sentence: str = ""
    """What Chromium's console says of it."""
    location: bytes | None = None
    """The target of a redirect away from this proxy: an absolute URL, without userinfo."""
    hangs_on: str = ""
    """What an unknown outcome depends on."""
    is_embedded: bool = False
    """Whether no script reads the response anyway (no-cors)."""


def is_lost(outcome: Outcome | None) -> bool:
    """Whether the page does not get what it asked for: the call is blocked, or redirected
    elsewhere. Elements (no-cors) may follow redirects anywhere."""
    return outcome is not None and (
        outcome.word is Word.BLOCKED or (outcome.word is Word.LEAVES and not outcome.is_embedded)
    )


READABLE: Final = Outcome(Word.READABLE)
OPAQUE: Final = Outcome(Word.OPAQUE)

# URL, "special scheme", and what Chromium keeps redirects from, whatever the mode.
_UNSAFE_SCHEMES: Final = frozenset(
    {b"about", b"blob", b"chrome", b"data", b"devtools", b"file", b"filesystem"}
)
# Fetch, "cross-origin resource policy internal check": compared with case, one value.
_CORP: Final = b"cross-origin-resource-policy"


def outcome_of(call: Call, status: int, fields: Fields) -> Outcome | None:
    """Return what the page gets of a response to `call`; None where the question does not
    arise: for a preflight that passes, and a same-origin call that is not redirected away."""
    match call.mode:
        case Mode.PREFLIGHT:
            return _of_preflight(call, status, fields)
        case Mode.WEBSOCKET:
            return _of_handshake(call, status)
        case Mode.NO_CORS:
            return _of_no_cors(call, status, fields)
        case Mode.CORS:
            return _of_cors(call, status, fields)


def _of_preflight(call: Call, status: int, fields: Fields) -> Outcome | None:
    obstacle = check_preflight(_page_call(call), ResponseHead(status, b"", fields))
    return None if obstacle is None else _blocked(obstacle.error, obstacle.parameter)


def _of_handshake(call: Call, status: int) -> Outcome | None:
    """WebSockets, "establish a WebSocket connection": only a 101 opens one."""
    if status == 101:
        return READABLE if call.is_cross_origin else None
    sentence = f"Error during WebSocket handshake: Unexpected response code: {status}"
    return Outcome(Word.BLOCKED, sentence=sentence)


def _of_cors(call: Call, status: int, fields: Fields) -> Outcome | None:
    location = _location(status, fields)
    target = None if location is None else destination(call.own, location)
    if location is not None and target is None:
        return _blocked("ERR_INVALID_REDIRECT")
    if call.is_cross_origin:
        obstacle = _check(call, status, fields)
        if obstacle is not None:
            return _blocked(obstacle.error, obstacle.parameter)
    if target is not None:
        return _of_redirect(call, target)
    return READABLE if call.is_cross_origin else None


def _of_no_cors(call: Call, status: int, fields: Fields) -> Outcome | None:
    if not call.is_cross_origin:
        return None
    location = _location(status, fields)
    target = None if location is None else destination(call.own, location)
    if location is not None and target is None:
        return _blocked("ERR_INVALID_REDIRECT")
    return (
        _check_resource_policy(call, fields)
        or (None if target is None else _of_redirect(call, target))
        or OPAQUE
    )


def _of_redirect(call: Call, target: Destination) -> Outcome | None:
    """Fetch, "HTTP-redirect fetch"."""
    is_cors = call.mode is Mode.CORS
    if target.scheme in _UNSAFE_SCHEMES:
        return _blocked("ERR_UNSAFE_REDIRECT")
    if not target.origin:
        return _blocked("CorsDisabledScheme" if is_cors else "ERR_UNKNOWN_URL_SCHEME")
    is_away = target.origin != call.own
    if target.has_userinfo and is_cors and (call.is_cross_origin or is_away):
        return _blocked("RedirectContainsCredentials")
    if is_away:
        return Outcome(Word.LEAVES, location=target.url, is_embedded=not is_cors)
    return (READABLE if is_cors else OPAQUE) if call.is_cross_origin else None


def _check(call: Call, status: int, fields: Fields) -> Obstacle | None:
    return check_response(_page_call(call), ResponseHead(status, b"", fields))


def _check_resource_policy(call: Call, fields: Fields) -> Outcome | None:
    """Fetch, "cross-origin resource policy check". Pages may be stricter about what they embed
    (Cross-Origin-Embedder-Policy), which requests do not show."""
    policies = [value for name, value in fields if name.lower() == _CORP]
    if policies == [b"same-origin"]:
        return _blocked("NotSameOrigin")
    if policies != [b"same-site"] or call.site == b"same-site":
        return None
    if call.own.startswith(b"http://") and not call.referer and call.origin is None:
        # Sites are compared without the scheme here, unlike in Sec-Fetch-Site.
        return Outcome(
            Word.UNKNOWN, hangs_on="whether the page is on https and otherwise of the same site"
        )
    return None if _is_secure_page_of_same_host(call) else _blocked("NotSameSite")


def _is_secure_page_of_same_host(call: Call) -> bool:
    """Whether the page's host is this proxy's, but on https instead of http."""
    page = call.origin or call.referer
    host = page.removeprefix(b"https://").partition(b"/")[0].partition(b":")[0]
    own = call.own.removeprefix(b"http://").partition(b":")[0]
    return page.startswith(b"https://") and host == own


def _location(status: int, fields: Fields) -> bytes | None:
    """Fetch, "location URL"; Chromium takes an empty one for none."""
    if status not in REDIRECTS:
        return None
    for name, value in fields:
        if name.lower() == b"location":
            return value or None
    return None


def _page_call(call: Call) -> PageCall:
    return PageCall(
        (call.origin or b"").decode("latin-1"),
        "/",
        call.asked_method.decode("latin-1") or "GET",
        tuple(name.decode("latin-1") for name in call.asked_headers),
        call.credentials and call.mode is Mode.CORS,
    )


def _blocked(error: str, parameter: str = "") -> Outcome:
    return Outcome(Word.BLOCKED, error, console_sentence(error, parameter))
