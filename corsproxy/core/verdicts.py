"""Verdicts: what was decided about a request, and why, under stable codes.

One `Verdict` is made per exchange. The log line, the `Corsproxy-Reason` field, the body
of an error and `corsproxy explain` all read it, so they cannot disagree. `FACTS` is the
single table of what each code means: its status, its words and the name that Chromium
gives the same failure.
"""

import re
from enum import StrEnum
from typing import Final, NamedTuple

from corsproxy.core.source import DEFAULT, Source
from corsproxy.errors import UpstreamCause

# Names as a list, of a length that fits a field: clients choose how many they ask for.
_SEVERAL_NAMES: Final = re.compile(
    r"(?=.{3,1024}$)[!#-'*+.^-z|~0-9A-Z-]+(?:, [!#-'*+.^-z|~0-9A-Z-]+)+"
)


class Kind(StrEnum):
    """What a request is to CORS (Fetch, "HTTP requests")."""

    NO_ORIGIN = "no-origin"
    PREFLIGHT = "preflight"
    ACTUAL = "actual"
    SAME_ORIGIN = "same-origin"  # carries an Origin, which is this proxy's own
    WEBSOCKET = "websocket"
    UNREADABLE = "unreadable"  # refused before it could be classified


class Code(StrEnum):
    """Why. Codes are part of the interface: added, never renamed."""

    # Forwarded, or a preflight that was granted.
    ORIGIN_ALLOWED = "origin-allowed"
    NO_ORIGIN = "no-origin"
    SAME_ORIGIN = "same-origin"
    PASSTHROUGH = "passthrough"
    ORIGIN_FORWARDED = "origin-unlisted-forwarded"
    LOCAL_OPTIONS = "options-answered"

    # Refused by the allowlist.
    ORIGIN_NOT_ALLOWED = "origin-not-allowed"
    ORIGIN_EXPIRED = "origin-expired"
    METHOD_NOT_ALLOWED = "method-not-allowed"
    HEADER_NOT_ALLOWED = "header-not-allowed"
    CREDENTIALS_NOT_ALLOWED = "credentials-not-allowed"
    CREDENTIALS_WITH_WILDCARD = "credentials-with-wildcard"

    # Refused by the guard.
    HOST_NOT_ALLOWED = "host-not-allowed"
    BAD_REQUEST = "bad-request"
    BAD_TARGET = "bad-target"
    AMBIGUOUS_PATH = "ambiguous-path"
    BAD_FRAMING = "bad-framing"
    TRANSFER_CODING = "transfer-coding-not-implemented"
    METHOD_REFUSED = "method-refused"
    METHOD_NOT_IMPLEMENTED = "method-not-implemented"
    NO_ROUTE = "no-route"
    EXPECTATION_FAILED = "expectation-failed"
    BODY_TOO_LARGE = "body-too-large"
    TARGET_TOO_LONG = "target-too-long"
    FIELDS_TOO_LARGE = "fields-too-large"
    VERSION_NOT_SUPPORTED = "version-not-supported"
    LOOP = "loop-detected"

    # The listener's own limits and states.
    HEAD_TIMEOUT = "head-timeout"
    BODY_TIMEOUT = "body-timeout"
    CONNECTIONS_FULL = "connections-full"
    DRAINING = "draining"
    INTERNAL = "internal-error"

    # The upstream's failures; the values are those of errors.UpstreamFault.
    UPSTREAM_UNREACHABLE = "upstream-unreachable"
    UPSTREAM_DNS = "upstream-name-not-found"
    UPSTREAM_TLS = "upstream-tls-failed"
    UPSTREAM_CLOSED = "upstream-closed"
    UPSTREAM_MALFORMED = "upstream-malformed"
    UPSTREAM_HEAD_TOO_LARGE = "upstream-head-too-large"
    UPSTREAM_CONNECT_TIMEOUT = "upstream-connect-timeout"
    UPSTREAM_RESPONSE_TIMEOUT = "upstream-response-timeout"
    UPSTREAM_IDLE_TIMEOUT = "upstream-idle-timeout"
    UPSTREAM_TRUNCATED = "upstream-truncated"
    UPSTREAM_BUSY = "upstream-busy"
    NO_DESCRIPTOR = "no-descriptor"
    UPSTREAM_PROXY_AUTH = "upstream-proxy-authentication"
    CONNECTION_AUTH = "connection-authentication"


ORIGIN_REFUSED: Final = (Code.ORIGIN_NOT_ALLOWED, Code.ORIGIN_EXPIRED, Code.ORIGIN_FORWARDED)
"""What the allowlist says of an origin that no entry allows."""

CALL_REFUSED: Final = frozenset(
    {
        *ORIGIN_REFUSED,
        Code.METHOD_NOT_ALLOWED,
        Code.HEADER_NOT_ALLOWED,
        Code.CREDENTIALS_NOT_ALLOWED,
    }
)
"""What it says of a call that an entry is missing for: the browser keeps the response."""


class CodeFacts(NamedTuple):
    """What a code means."""

    status: int
    """Of the answer that this proxy makes; 0 where the upstream's answer is passed on."""
    title: str
    browser_error: str | None = None
    """Chromium's name for it (CDP, Network.CorsError); None where the browser sees an
    ordinary response."""


FACTS: dict[Code, CodeFacts] = {
    Code.ORIGIN_ALLOWED: CodeFacts(0, "The origin is allowed"),
    Code.NO_ORIGIN: CodeFacts(0, "The request names no origin"),
    Code.SAME_ORIGIN: CodeFacts(0, "The page is on this proxy's own origin"),
    Code.PASSTHROUGH: CodeFacts(0, "The upstream answers CORS itself"),
    Code.ORIGIN_FORWARDED: CodeFacts(
        0, "The origin is not allowed; forwarded without a grant", "MissingAllowOriginHeader"
    ),
    Code.LOCAL_OPTIONS: CodeFacts(204, "OPTIONS was answered by this proxy"),
    Code.ORIGIN_NOT_ALLOWED: CodeFacts(
        403, "The origin is not allowed", "MissingAllowOriginHeader"
    ),
    Code.ORIGIN_EXPIRED: CodeFacts(
        403, "The origin is no longer allowed", "MissingAllowOriginHeader"
    ),
    Code.METHOD_NOT_ALLOWED: CodeFacts(
        204, "The method is not allowed", "MethodDisallowedByPreflightResponse"
    ),
    Code.HEADER_NOT_ALLOWED: CodeFacts(
        204, "A request header is not allowed", "HeaderDisallowedByPreflightResponse"
    ),
    Code.CREDENTIALS_NOT_ALLOWED: CodeFacts(
        0, "Credentials are not allowed", "InvalidAllowCredentials"
    ),
    Code.CREDENTIALS_WITH_WILDCARD: CodeFacts(
        0, 'Credentials never go with the "*" policy', "WildcardOriginNotAllowed"
    ),
    Code.HOST_NOT_ALLOWED: CodeFacts(421, "The Host is not allowed"),
    Code.BAD_REQUEST: CodeFacts(400, "The request is not valid HTTP"),
    Code.BAD_TARGET: CodeFacts(400, "The request target is not acceptable"),
    Code.AMBIGUOUS_PATH: CodeFacts(400, "The path can be read as another route's"),
    Code.BAD_FRAMING: CodeFacts(400, "The length of the request is ambiguous"),
    Code.TRANSFER_CODING: CodeFacts(501, "The transfer coding is not implemented"),
    Code.METHOD_REFUSED: CodeFacts(405, "The method is never forwarded"),
    Code.METHOD_NOT_IMPLEMENTED: CodeFacts(501, "The method is not known here"),
    Code.NO_ROUTE: CodeFacts(404, "No route takes this path"),
    Code.EXPECTATION_FAILED: CodeFacts(417, "The expectation is not supported"),
    Code.BODY_TOO_LARGE: CodeFacts(413, "The request body is too large"),
    Code.TARGET_TOO_LONG: CodeFacts(414, "The request target is too long"),
    Code.FIELDS_TOO_LARGE: CodeFacts(431, "The request headers are too large"),
    Code.VERSION_NOT_SUPPORTED: CodeFacts(505, "The HTTP version is not supported"),
    Code.LOOP: CodeFacts(508, "The request came back to this proxy"),
    Code.HEAD_TIMEOUT: CodeFacts(408, "The request head took too long"),
    Code.BODY_TIMEOUT: CodeFacts(408, "The request body took too long"),
    Code.CONNECTIONS_FULL: CodeFacts(503, "Too many connections"),
    Code.DRAINING: CodeFacts(503, "The proxy is stopping"),
    Code.INTERNAL: CodeFacts(500, "A fault in the proxy"),
    Code.UPSTREAM_UNREACHABLE: CodeFacts(502, "The upstream cannot be reached"),
    Code.UPSTREAM_DNS: CodeFacts(502, "The upstream's name cannot be resolved"),
    Code.UPSTREAM_TLS: CodeFacts(502, "TLS with the upstream failed"),
    Code.UPSTREAM_CLOSED: CodeFacts(502, "The upstream closed the connection"),
    Code.UPSTREAM_MALFORMED: CodeFacts(502, "The upstream's reply is not valid HTTP"),
    Code.UPSTREAM_HEAD_TOO_LARGE: CodeFacts(502, "The upstream's headers are too large"),
    Code.UPSTREAM_CONNECT_TIMEOUT: CodeFacts(504, "Connecting to the upstream took too long"),
    Code.UPSTREAM_RESPONSE_TIMEOUT: CodeFacts(504, "The upstream took too long to answer"),
    Code.UPSTREAM_IDLE_TIMEOUT: CodeFacts(504, "The upstream stopped sending"),
    Code.UPSTREAM_TRUNCATED: CodeFacts(502, "The upstream's reply ended early"),
    Code.UPSTREAM_BUSY: CodeFacts(503, "The upstream is busy"),
    Code.NO_DESCRIPTOR: CodeFacts(503, "The proxy can open no more connections"),
    Code.UPSTREAM_PROXY_AUTH: CodeFacts(502, "The upstream asked for proxy authentication"),
    Code.CONNECTION_AUTH: CodeFacts(502, "The login belongs to a connection that many share"),
}


class Verdict:
    """What was decided about one request, and the rule that decided it. Immutable."""

    __slots__ = ("allowed", "at", "cause", "code", "kind", "route", "subject", "withheld")

    def __init__(
        self,
        kind: Kind,
        code: Code,
        allowed: bool,
        route: str | None = None,
        at: Source | None = None,
        subject: str = "",
        withheld: bool = False,
        cause: UpstreamCause | None = None,
    ) -> None:
        self.kind: Final = kind
        self.code: Final = code
        self.allowed: Final = allowed
        """Whether this proxy lets a page on the request's origin have what it asked for; True
        also for requests to which CORS does not apply."""
        self.route: Final = route
        """The route's name; None where no route was reached."""
        self.at: Final = at
        """The rule: the entry that allowed, the list that did not, the limit's key."""
        self.subject: Final = subject
        """What the rule was applied to and failed on: the origin, method, header or host."""
        self.withheld: Final = withheld
        """Whether the browser also keeps this error from the page, because its origin is not
        allowed."""
        self.cause: Final = cause
        """The cause of an upstream's failure, where it tells what to do about it."""

    def replace(
        self,
        *,
        kind: Kind | None = None,
        code: Code | None = None,
        allowed: bool | None = None,
        route: str | None = None,
        at: Source | None = None,
        subject: str | None = None,
        withheld: bool | None = None,
        cause: UpstreamCause | None = None,
    ) -> "Verdict":
        """Return a copy with these values; None keeps a value."""
        return Verdict(
            self.kind if kind is None else kind,
            self.code if code is None else code,
            self.allowed if allowed is None else allowed,
            self.route if route is None else route,
            self.at if at is None else at,
            self.subject if subject is None else subject,
            self.withheld if withheld is None else withheld,
            self.cause if cause is None else cause,
        )

    def _values(self) -> tuple[object, ...]:
        return (
            self.kind,
            self.code,
            self.allowed,
            self.route,
            self.at,
            self.subject,
            self.withheld,
            self.cause,
        )

    def __eq__(self, other: object) -> bool:
        return self._values() == other._values() if isinstance(other, Verdict) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        return f"Verdict{self._values()}"

    @property
    def facts(self) -> CodeFacts:
        return FACTS[self.code]

    @property
    def browser_error(self) -> str | None:
        """Chromium's name for this failure, or None where the browser reports none."""
        status, _, name = FACTS[self.code]
        if name is None and self.withheld:
            name = "MissingAllowOriginHeader"
        if self.kind is not Kind.PREFLIGHT:
            return name
        if name is None:
            # Fetch, "CORS-preflight fetch", step 7: an ok status.
            return "PreflightInvalidStatus" if status >= 300 else None
        return name if "Preflight" in name else f"Preflight{name}"

    @property
    def reason(self) -> str:
        """The value of Corsproxy-Reason: the code, the place where there is one, and the names
        where several headers are not allowed."""
        if self.at is None or self.at == DEFAULT:
            return str(self.code)
        at = str(self.at.without_directory)
        if not at.isprintable():
            # A file may have any name, a field value may not.
            at = "".join(each if each.isprintable() else "?" for each in at)
        several = self.code is Code.HEADER_NOT_ALLOWED and _SEVERAL_NAMES.fullmatch(self.subject)
        return f"{self.code}; at={at}" + (f'; names="{self.subject}"' if several else "")
