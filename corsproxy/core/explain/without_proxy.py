"""What would happen to a call without this proxy, judged by the upstream's own answers.

Nothing is sent here. `without_proxy` is a generator: it yields each request that the
browser would send, receives the answer, and returns the judgement.
"""

from collections.abc import Generator
from contextlib import suppress
from typing import NamedTuple

from corsproxy.core.browser import REDIRECTS, Obstacle, check_preflight, check_response
from corsproxy.core.fields import CORS_FIELD_PREFIX
from corsproxy.core.messages import Field, Framing, ResponseHead, UpstreamRequest
from corsproxy.core.origins import parse_origin
from corsproxy.core.origins.hosts import is_loopback
from corsproxy.core.page_call import PageCall
from corsproxy.core.policy import Policy, Route, Tls
from corsproxy.core.routing import Target, find_route, parse_target, upstream_target
from corsproxy.errors import UpstreamError

# RFC 9110, 9.2.1, and the registry of methods: what only reads.
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "PROPFIND", "QUERY", "REPORT", "SEARCH"})
# Fetch, "HTTP-network-or-cache fetch": a call without a body says so for these.
_WITH_LENGTH = frozenset({"POST", "PUT"})


class Asking(NamedTuple):
    """A request to send to a route's upstream."""

    route: Route
    request: UpstreamRequest


class Asked(NamedTuple):
    """A request that was sent, its answer, and the check that the browser makes of it."""

    what: str
    """`preflight` or the method of the call."""
    status: int
    grant: tuple[Field, ...]
    """The answer's Access-Control-* lines, as received."""
    obstacle: Obstacle | None
    location: bytes | None = None
    """Where a redirect leads, as received."""


class WithoutProxy(NamedTuple):
    """The judgement. `text` is for people, `to_json` for programs."""

    url: str | None
    """What the page would have called; None if there is nothing to call."""
    allowed: bool | None
    """Whether the script could have read the answer; None if unknown."""
    summary: str
    asked: tuple[Asked, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def obstacle(self) -> Obstacle | None:
        """What the browser alone would have stopped at."""
        return next((each.obstacle for each in self.asked if each.obstacle is not None), None)

    def text(self) -> str:
        """Return lines for a terminal, without colour."""
        lines = ["Without the proxy" if self.url is None else f"Without the proxy, to {self.url}"]
        for each in self.asked:
            mark = "✓" if each.obstacle is None else "✗"
            without = "" if each.grant or each.obstacle is None else " without a grant"
            lines.append(f"  {mark} {each.what}: answered {each.status}{without}")
            lines += [f"      {name}: {value}" for name, value in _decoded(each.grant)]
        return "\n".join([*lines, "", self.summary, *self.notes])

    def to_json(self) -> dict[str, object]:
        """Return what `json.dumps` takes; keys are stable."""
        return {
            "url": self.url,
            "allowed": self.allowed,
            "browser_error": None if self.obstacle is None else self.obstacle.error,
            "summary": self.summary,
            "asked": [
                {
                    "what": each.what,
                    "status": each.status,
                    "passed": each.obstacle is None,
                    "why": None if each.obstacle is None else each.obstacle.sentence,
                    "fields": _decoded(each.grant),
                }
                for each in self.asked
            ],
            "notes": list(self.notes),
        }


Dialogue = Generator[Asking, ResponseHead, WithoutProxy]


def without_proxy(policy: Policy, call: PageCall, *, unsafe: bool = False) -> Dialogue:
    """Ask what the browser would ask, and return the judgement.

    `unsafe` lets the call itself be sent even if its method may change something; a preflight
    never does. The call goes without the script's headers, whose values are unknown, and
    without cookies. An UpstreamError thrown into the generator counts as an answer.
    """
    target = parse_target(call.target.encode("ascii"))
    route = None if target is None else find_route(policy, target.path)
    if target is None or route is None:
        return WithoutProxy(None, None, "No route takes the path: there is no upstream to ask.")
    if route.upstream.socket_path is not None:
        return WithoutProxy(None, False, "No browser reaches an upstream on a Unix socket.")
    url = route.upstream.origin + upstream_target(route, target)
    return (yield from _Inquiry(route, target, call, url.decode("ascii"), unsafe).run())


class _Inquiry:
    """One dialogue with an upstream that a browser could reach."""

    def __init__(
        self, route: Route, target: Target, call: PageCall, url: str, unsafe: bool
    ) -> None:
        self._route = route
        self._target = target
        self._call = call
        self._url = url
        self._unsafe = unsafe
        self._asked: list[Asked] = []

    def run(self) -> Dialogue:
        call = self._call
        method = call.normalized_method
        if call.origin == self._route.upstream.origin.decode("ascii"):
            return self._judged(
                True, "The page has the upstream's own origin, so CORS does not apply there."
            )
        try:
            if call.needs_preflight:
                answer = yield self._request("OPTIONS", call.preflight_fields)
                obstacle = check_preflight(call, answer)
                self._note("preflight", answer, obstacle)
                if obstacle is not None:
                    yield from self._call_of_the_proxy(method)
                    return self._blocked(
                        f"The browser alone would not have sent the {method}, because of the"
                        " preflight's answer"
                    )
            if method not in _SAFE_METHODS and not self._unsafe:
                return self._judged(
                    None,
                    f"It is unknown whether the script could read the response: {method} may"
                    " change something there, so it was not sent. --unsafe sends it.",
                )
            answer = yield self._request(method, [])
        except UpstreamError as error:
            return self._judged(None, f"The upstream could not be asked: {error.detail}.")
        obstacle = check_response(call, answer)
        self._note(method, answer, obstacle)
        if obstacle is not None:
            return self._blocked("The browser alone would have kept the answer from the script")
        if answer.status in REDIRECTS:
            summary = "It redirects, and the browser would go there: that answer decides."
            return self._judged(None, summary)
        return self._judged(
            True, "The browser alone would have let it through: this call works without the proxy."
        )

    def _call_of_the_proxy(self, method: str) -> Generator[Asking, ResponseHead, None]:
        """Ask what the browser alone would not: through the proxy, whose own answer the preflight
        gets, the call would be sent."""
        if self._route.cors == "passthrough" or method not in _SAFE_METHODS:
            return
        with suppress(UpstreamError):  # what the preflight was answered is known all the same
            answer = yield self._request(method, [])
            self._note(method, answer, check_response(self._call, answer))

    def _request(self, method: str, more: list[Field]) -> Asking:
        fields: list[Field] = [
            (b"Host", self._route.upstream.authority),
            (b"Accept", b"*/*"),
            (b"Origin", self._call.origin.encode("utf-8")),
            *more,
        ]
        if method in _WITH_LENGTH:
            fields.append((b"Content-Length", b"0"))
        target = upstream_target(self._route, self._target)
        return Asking(
            self._route, UpstreamRequest(method, target, fields, Framing.NONE, repeatable=False)
        )

    def _note(self, what: str, answer: ResponseHead, obstacle: Obstacle | None) -> None:
        grant = tuple(
            line for line in answer.fields if line[0].lower().startswith(CORS_FIELD_PREFIX)
        )
        location = None
        if answer.status in REDIRECTS:
            found = (value for name, value in answer.fields if name.lower() == b"location")
            location = next(found, None) or None
        self._asked.append(Asked(what, answer.status, grant, obstacle, location))

    def _blocked(self, beginning: str) -> WithoutProxy:
        obstacle = next((each.obstacle for each in self._asked if each.obstacle), None)
        reason = "" if obstacle is None else f": {obstacle.sentence} ({obstacle.error})"
        return self._judged(False, f"{beginning}{reason}.")

    def _judged(self, allowed: bool | None, summary: str) -> WithoutProxy:
        notes = self._notes()
        if self._route.cors == "passthrough" and self._asked and allowed is not None:
            notes.insert(0, self._through_proxy(allowed))
        return WithoutProxy(self._url, allowed, summary, tuple(self._asked), tuple(notes))

    def _through_proxy(self, allowed: bool) -> str:
        """What the same answer means when the proxy passes it on with its grant."""
        if self._route.origin != "keep":
            return (
                "On this route the upstream's response decides through the proxy, too. But the"
                " proxy sends another Origin (`origin`), and the response may differ."
            )
        effect = "it lets it through" if allowed else "the page is refused there"
        return f"On this route the same answer decides through the proxy: {effect} too."

    def _notes(self) -> list[str]:
        """What else there is to know about the call."""
        notes = []
        page, upstream = parse_origin(self._call.origin.encode("utf-8")), self._route.upstream
        is_secure = page is not None and page.scheme == "https"
        if is_secure and upstream.scheme == "http" and not is_loopback(upstream.host):
            notes.append("A page on https may not call plain http at all (mixed content).")
        last = self._asked[-1] if self._asked else None
        if last is not None and last.what != "preflight" and last.status in (401, 403):
            notes.append(
                f"It was asked without cookies and without the script's headers, and answered"
                f" {last.status}: with them, its response may differ."
            )
        if self._asked and self._route.tls != Tls():
            notes.append("It was asked with the route's `tls` settings, which no browser has.")
        return notes


def _decoded(fields: tuple[Field, ...]) -> list[tuple[str, str]]:
    return [(name.decode("ascii"), value.decode("latin-1")) for name, value in fields]
