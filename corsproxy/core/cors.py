"""The server's half of the CORS protocol (Fetch, "CORS protocol").

Who may read what is decided here and nowhere else: `judge_origin` finds the entry that
allows an origin, `judge_preflight` runs the browser's checks in the browser's order,
and a `Grant` is every Access-Control-* field that a response may carry. No entry, no
grant: every path that is not an explicit yes leaves the fields out.
"""

from collections.abc import Sequence
from typing import Final

from corsproxy.core.fields import (
    CORS_FIELD_PREFIX,
    CORS_SAFELISTED_REQUEST_HEADERS,
    CORS_SAFELISTED_RESPONSE_HEADERS,
    FORBIDDEN_RESPONSE_HEADERS,
    is_token,
    split_list,
)
from corsproxy.core.messages import Field
from corsproxy.core.origins import OriginPattern
from corsproxy.core.policy import CorsRules
from corsproxy.core.source import Source
from corsproxy.core.verdicts import Code

ALLOW_ORIGIN: Final = b"Access-Control-Allow-Origin"

# More names than any page asks for; far below what could cost time.
MAX_REQUESTED_HEADERS: Final = 256
MAX_REQUESTED_HEADERS_BYTES: Final = 16 * 1024
_MOST_NAMED: Final = 64

PREFLIGHT_VARY: Final[Field] = (
    b"Vary",
    b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
)


# Every response that is sent has it.
_ADDED_LATER: Final[Field] = (b"Date", b"")


class Grant:
    """The Access-Control-* fields of a response, and what the grant depends on."""

    __slots__ = ("expose_all", "fields", "varies")

    def __init__(self, fields: tuple[Field, ...], varies: bool, expose_all: bool = False) -> None:
        self.fields: Final = fields
        self.varies: Final = varies
        """Whether the response must say `Vary: Origin`: its grant, even none, depends on
        the origin (Fetch, "CORS protocol and HTTP caches")."""
        self.expose_all: Final = expose_all
        """Whether the names of the response's own fields are still to be exposed."""


NO_GRANT: Final = Grant((), varies=True)
NOTHING_TO_SAY: Final = Grant((), varies=False)
"""For a route whose upstream answers CORS itself."""


class OriginJudgement:
    """What the allowlist says about the origin of one request."""

    __slots__ = ("grant", "pattern", "value")

    def __init__(self, value: bytes | None, pattern: OriginPattern | None, grant: Grant) -> None:
        self.value: Final = value
        """The received Origin; None where there is none, b"" where there are several."""
        self.pattern: Final = pattern
        """The entry that allows it."""
        self.grant: Final = grant
        """What an actual response to it carries."""


def judge_origin(rules: CorsRules, origins: Sequence[bytes] | None) -> OriginJudgement:
    """Find the entry that allows the request's origin, from its Origin field lines.

    An empty value is no origin. Browsers send at most one line: several are an origin
    that nothing but `"*"` allows.
    """
    value = None
    if origins:
        value = b"" if len(origins) > 1 else origins[0] or None
    expose_all = rules.expose_headers.any
    anyone = rules.origins.any
    if anyone is not None:
        # A constant grant, so it is sent to everybody and nothing varies.
        fields = ((ALLOW_ORIGIN, b"*"), *rules.actual_fields)
        return OriginJudgement(value, anyone, Grant(fields, False, expose_all))
    pattern = rules.origins.match(value) if value else None
    if value is None or pattern is None:
        return OriginJudgement(value, None, NO_GRANT)
    allowed: tuple[Field, ...] = ((ALLOW_ORIGIN, value),)
    if rules.actual_fields:
        allowed += rules.actual_fields
    return OriginJudgement(value, pattern, Grant(allowed, True, expose_all))


class PreflightJudgement:
    """The answer to a preflight from an allowed origin."""

    __slots__ = ("at", "code", "fields", "subject")

    def __init__(self, code: Code, at: Source, subject: bytes, fields: list[Field]) -> None:
        self.code: Final = code
        """ORIGIN_ALLOWED, METHOD_NOT_ALLOWED or HEADER_NOT_ALLOWED."""
        self.at: Final = at
        """The entry that allowed, or the list that did not."""
        self.subject: Final = subject
        """The method or the headers, as a list, that are not allowed; empty where all is."""
        self.fields: Final = fields
        """Access-Control-* fields and Vary, with the true lists in either case."""


def judge_preflight(
    rules: CorsRules,
    origin: bytes,
    pattern: OriginPattern,
    requested_method: bytes,
    requested_headers: Sequence[bytes],
) -> PreflightJudgement:
    """Decide a preflight whose origin `pattern` allows.

    `requested_headers` are the lines of Access-Control-Request-Headers. What is not
    allowed is answered with the true lists, because then the browser's console names
    the culprit; a refusal of the whole preflight would hide it (Fetch, "CORS-preflight
    fetch").
    """
    names, malformed = _requested_names(requested_headers)
    code, at, subject = Code.ORIGIN_ALLOWED, pattern.source, b""
    if requested_method not in rules.allowed_methods:
        code, at, subject = Code.METHOD_NOT_ALLOWED, rules.methods.source, requested_method
    else:
        refused = refused_headers(rules, names) if malformed is None else [malformed]
        if refused:
            code, at = Code.HEADER_NOT_ALLOWED, rules.request_headers.source
            subject = b", ".join(refused[:_MOST_NAMED])
    varies = rules.origins.any is None
    fields: list[Field] = [(ALLOW_ORIGIN, origin if varies else b"*"), *rules.credentials_fields]
    methods = _granted_methods(rules, requested_method)
    if methods:
        fields.append((b"Access-Control-Allow-Methods", methods))
    headers = _granted_headers(rules, names)
    if headers:
        fields.append((b"Access-Control-Allow-Headers", headers))
    if code is Code.ORIGIN_ALLOWED:
        fields += rules.max_age_fields
    if varies:
        fields.append(PREFLIGHT_VARY)
    return PreflightJudgement(code, at, subject, fields)


def _requested_names(lines: Sequence[bytes]) -> tuple[list[bytes], bytes | None]:
    """Return the requested names in lower case, and what makes the list malformed."""
    members = split_list(lines)
    if len(members) > MAX_REQUESTED_HEADERS:
        return [], b""
    size = 0
    names: dict[bytes, None] = {}
    for member in members:
        size += len(member)
        if size > MAX_REQUESTED_HEADERS_BYTES:
            return [], b""
        # Never echoed: one malformed name in Access-Control-Allow-Headers makes the
        # browser refuse the whole preflight.
        if not is_token(member):
            return [], member
        names[member.lower()] = None
    return list(names), None


def _granted_methods(rules: CorsRules, requested: bytes) -> bytes:
    if not rules.methods.any:
        return rules.allow_methods_value
    return requested if requested in rules.allowed_methods else b""


def _granted_headers(rules: CorsRules, names: Sequence[bytes]) -> bytes:
    """Return the configured names and the requested ones that are safelisted by name:
    the browser asks for those only where their value is unusual, and then wants them."""
    if rules.request_headers.any:
        return b", ".join(names)
    value = rules.allow_headers_value
    for name in names:
        if name in CORS_SAFELISTED_REQUEST_HEADERS and name not in split_list([value]):
            value = value + b", " + name if value else name
    return value


def refused_headers(rules: CorsRules, names: Sequence[bytes]) -> list[bytes]:
    """Return those of the lower-case `names` that a preflight may not ask for."""
    if rules.request_headers.any:
        return []
    allowed = rules.allowed_request_headers
    return [name for name in names if name not in allowed]


def exposable_names(fields: Sequence[Field]) -> bytes:
    """Return the Access-Control-Expose-Headers value for everything a response carries.

    Names that are always exposed and names that never can be are left out (Fetch,
    "CORS-exposed header-name list"). A list of names works with credentials, where "*"
    would be an ordinary name.
    """
    names: dict[bytes, None] = {}
    for field in fields:
        name = field[0].lower()
        if (
            name not in CORS_SAFELISTED_RESPONSE_HEADERS
            and name not in FORBIDDEN_RESPONSE_HEADERS
            and not name.startswith(CORS_FIELD_PREFIX)
        ):
            names[name] = None
    return b", ".join(names)


def merge_vary(values: Sequence[bytes]) -> bytes:
    """Return one Vary value: the members that were there, and Origin once.

    "*" already covers it and stays as it is (RFC 9110, 12.5.5).
    """
    members = split_list(values)
    if b"*" not in members and all(member.lower() != b"origin" for member in members):
        members.append(b"Origin")
    return b", ".join(members)


def add_grant(fields: list[Field], vary: Sequence[bytes], grant: Grant) -> None:
    """Append the grant to a response's fields, and the one Vary line that it needs.

    `fields` must be free of Access-Control-* and Vary lines; `vary` are the values of
    the Vary lines that the response came with.
    """
    if grant.varies:
        fields.append((b"Vary", merge_vary(vary) if vary else b"Origin"))
    else:
        fields += [(b"Vary", value) for value in vary]
    if grant.expose_all:
        exposed = exposable_names([*fields, _ADDED_LATER])
        fields.append((b"Access-Control-Expose-Headers", exposed))
    fields += grant.fields
