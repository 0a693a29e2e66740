"""What a browser would make of a running deployment's answers to a page's call.

Nothing is sent here. `call_live` is a generator: it yields each request to send, receives the
head of the response, and returns the judgement. Only safe methods are used: a call with another
method is judged by its preflight.
"""

from collections.abc import Generator
from typing import NamedTuple

from corsproxy.core.browser import Obstacle, check_preflight, check_response
from corsproxy.core.fields import split_list
from corsproxy.core.messages import Field, Fields, ResponseHead
from corsproxy.core.page_call import PageCall

_SAFE_METHODS = frozenset({"GET", "HEAD"})
# RFC 9111, 4.2.2: answers that a cache may keep without being told.
_CACHEABLE = frozenset({200, 203, 204, 206, 300, 301, 308, 404, 410, 414})


class Asking(NamedTuple):
    """A request to send."""

    method: str
    target: str
    fields: list[Field]


class Judgement(NamedTuple):
    """What became of a call."""

    obstacle: Obstacle | None
    """What keeps the page from the answer; None: it may read it."""
    by: str
    """`preflight`, or the method of the call: whose answer decided."""
    status: int
    grant: str | None
    """Access-Control-Allow-Origin of the answer that decided."""
    varies: bool
    """Whether caches learn that the answer depends on the origin, or do not store it."""

    @property
    def allowed(self) -> bool:
        return self.obstacle is None


Dialogue = Generator[Asking, ResponseHead, Judgement]


def call_live(call: PageCall) -> Dialogue:
    """Make the call, as far as that is safe."""
    origin = (b"Origin", call.origin.encode("utf-8"))
    method, safe = call.normalized_method, call.normalized_method in _SAFE_METHODS
    if call.needs_preflight or not safe:
        answer = yield Asking("OPTIONS", call.target, [origin, *call.preflight_fields])
        obstacle = check_preflight(call, answer)
        if obstacle is not None or not safe:
            return _judged("preflight", answer, obstacle)
    answer = yield Asking(method, call.target, [origin])
    return _judged(method, answer, check_response(call, answer))


def _judged(by: str, answer: ResponseHead, obstacle: Obstacle | None) -> Judgement:
    grants = _values(answer.fields, b"access-control-allow-origin")
    grant = ", ".join(value.decode("latin-1") for value in grants) if grants else None
    kept = by != "preflight" and answer.status in _CACHEABLE
    vary = {name.lower() for name in split_list(_values(answer.fields, b"vary"))}
    varies = not kept or bool(vary & {b"origin", b"*"})
    return Judgement(obstacle, by, answer.status, grant, varies)


def _values(fields: Fields, name: bytes) -> list[bytes]:
    return [value for line, value in fields if line.lower() == name]


def lacks_vary(one: Judgement, other: Judgement) -> Judgement | None:
    """Return the answer that a cache could give to the wrong page, because the grants for two
    origins differ (Fetch, "CORS protocol and HTTP caches"); None if there is none."""
    if one.grant == other.grant:
        return None
    return next((each for each in (one, other) if not each.varies), None)
