"""The browser's half of CORS, written from the Fetch standard and nothing else.

It shares no code with the package: what the proxy sends is judged here as a browser
would judge it. Failures carry the names that Chromium gives them (CDP,
Network.CorsError), so that the same words can be compared with a real one.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

Lines = Sequence[tuple[bytes, bytes]]

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_SAFELISTED_METHODS = frozenset({"GET", "HEAD", "POST"})
_NORMALIZED_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"})
_SAFELISTED_RESPONSE_NAMES = frozenset(
    {
        "cache-control",
        "content-language",
        "content-length",
        "content-type",
        "expires",
        "last-modified",
        "pragma",
    }
)
_FORBIDDEN_RESPONSE_NAMES = frozenset({"set-cookie", "set-cookie2"})
_SIMPLE_CONTENT_TYPES = frozenset(
    {"application/x-www-form-urlencoded", "multipart/form-data", "text/plain"}
)
# Fetch, "CORS-unsafe request-header byte".
_UNSAFE_BYTES = frozenset('"():<>?@[\\]{}\x7f') | {chr(n) for n in range(0x20) if n != 0x09}
_LANGUAGE_VALUE = re.compile(r"[0-9A-Za-z *,\-.;=]*")
_RANGE_VALUE = re.compile(r"bytes=[0-9]+-[0-9]*")


class Request(NamedTuple):
    """A `fetch()` from a page: what the script asked for."""

    origin: str
    """The page's origin, serialised; "null" for an opaque one."""
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    include: bool = False
    """Whether the credentials mode is "include"."""
    same_origin: bool = False
    """Whether the page is of the origin that it calls: then nothing here is CORS."""


class Blocked(NamedTuple):
    """A network error: the script gets a TypeError and nothing else."""

    error: str
    """Chromium's name for the check that failed."""
    parameter: str = ""
    """What Chromium names as the culprit: the method, the header, the wrong value."""


def method_sent(request: Request) -> str:
    """Fetch, "normalize a method"."""
    upper = request.method.upper()
    return upper if upper in _NORMALIZED_METHODS else request.method


def unsafe_header_names(headers: Sequence[tuple[str, str]]) -> list[str]:
    """Fetch, "CORS-unsafe request-header names": sorted, in lower case, once each."""
    unsafe: set[str] = set()
    possibly_unsafe: set[str] = set()
    safelist_size = 0
    for name, value in headers:
        if _is_safelisted(name.lower(), value):
            possibly_unsafe.add(name.lower())
            safelist_size += len(value)
        else:
            unsafe.add(name.lower())
    if safelist_size > 1024:
        unsafe |= possibly_unsafe
    return sorted(unsafe)


def _is_safelisted(name: str, value: str) -> bool:
    if len(value) > 128:
        return False
    if name == "accept":
        return not set(value) & _UNSAFE_BYTES
    if name in ("accept-language", "content-language"):
        return _LANGUAGE_VALUE.fullmatch(value) is not None
    if name == "content-type":
        essence = value.split(";")[0].strip().lower()
        return not set(value) & _UNSAFE_BYTES and essence in _SIMPLE_CONTENT_TYPES
    return name == "range" and _RANGE_VALUE.fullmatch(value) is not None


def needs_preflight(request: Request) -> bool:
    """Fetch, "HTTP fetch": whether the browser asks before it sends the request."""
    if request.same_origin:
        return False
    if method_sent(request) not in _SAFELISTED_METHODS:
        return True
    return bool(unsafe_header_names(request.headers))


def preflight_fields(request: Request) -> list[tuple[bytes, bytes]]:
    """Fetch, "CORS-preflight fetch": the CORS fields of the OPTIONS request."""
    fields = [
        (b"Origin", request.origin.encode()),
        (b"Access-Control-Request-Method", method_sent(request).encode()),
    ]
    names = unsafe_header_names(request.headers)
    if names:
        fields.append((b"Access-Control-Request-Headers", ",".join(names).encode()))
    return fields


def cors_check(request: Request, fields: Lines) -> Blocked | None:
    """Fetch, "CORS check", for an actual response. None is success."""
    if request.same_origin:
        return None
    allowed = joined(fields, "access-control-allow-origin")
    if allowed is None:
        return Blocked("MissingAllowOriginHeader")
    if allowed == "*" and not request.include:
        return None
    if allowed == "*":
        return Blocked("WildcardOriginNotAllowed")
    if allowed != request.origin:
        return _wrong_origin(allowed)
    if request.include:
        credentials = joined(fields, "access-control-allow-credentials")
        if credentials != "true":
            return Blocked("InvalidAllowCredentials", credentials or "")
    return None


def _wrong_origin(allowed: str) -> Blocked:
    if re.search(r"[ ,]", allowed):
        return Blocked("MultipleAllowOriginValues", allowed)
    if not re.match(r"[a-z][a-z0-9+.\-]*://.", allowed):
        return Blocked("InvalidAllowOriginValue", allowed)
    return Blocked("AllowOriginMismatch", allowed)


def preflight_check(request: Request, status: int, fields: Lines) -> Blocked | None:
    """Fetch, "CORS-preflight fetch", step 7: what a preflight's answer allows."""
    failure = cors_check(request, fields)
    if failure is not None:
        return Blocked(f"Preflight{failure.error}", failure.parameter)
    if not 200 <= status <= 299:
        return Blocked("PreflightInvalidStatus")
    methods = _tokens(fields, "access-control-allow-methods")
    if methods is None:
        return Blocked("InvalidAllowMethodsPreflightResponse")
    if _tokens(fields, "access-control-allow-headers") is None:
        return Blocked("InvalidAllowHeadersPreflightResponse")
    method = method_sent(request)
    by_wildcard = "*" in methods and not request.include
    if method not in methods and method not in _SAFELISTED_METHODS and not by_wildcard:
        return Blocked("MethodDisallowedByPreflightResponse", method)
    refused = refused_header_names(request, fields)
    return Blocked("HeaderDisallowedByPreflightResponse", refused[0]) if refused else None


def refused_header_names(request: Request, fields: Lines) -> list[str]:
    """The request headers that a preflight's answer does not allow."""
    allowed = {name.lower() for name in _tokens(fields, "access-control-allow-headers") or ()}
    by_wildcard = "*" in allowed and not request.include
    return [
        name
        for name in unsafe_header_names(request.headers)
        if name not in allowed and not (by_wildcard and name != "authorization")
    ]


def readable_names(request: Request, fields: Lines) -> frozenset[str]:
    """Fetch, "CORS-exposed header-name list": the response headers that script sees."""
    present = {name.decode("latin-1").lower() for name, _ in fields}
    if request.same_origin:
        return frozenset(present - _FORBIDDEN_RESPONSE_NAMES)
    listed = _tokens(fields, "access-control-expose-headers") or []
    exposed = {name.lower() for name in listed}
    if "*" in listed and not request.include:
        exposed = set(present)
    return frozenset(present & (exposed | _SAFELISTED_RESPONSE_NAMES) - _FORBIDDEN_RESPONSE_NAMES)


def may_reuse(stored: Lines, first: Mapping[str, str], second: Mapping[str, str]) -> bool:
    """RFC 9111, 4.1: whether a stored response to `first` may answer `second`.

    Both are request fields by lower-case name.
    """
    members = [member.strip().lower() for member in (joined(stored, "vary") or "").split(",")]
    if "*" in members:
        return False
    return all(first.get(name) == second.get(name) for name in members)


def joined(fields: Lines, name: str) -> str | None:
    """Fetch, "get" on a header list: every line of that name, joined."""
    values = [
        value.decode("latin-1").strip(" \t")
        for line, value in fields
        if line.decode("latin-1").lower() == name
    ]
    return ", ".join(values) if values else None


def _tokens(fields: Lines, name: str) -> list[str] | None:
    """Fetch, "extract header list values" for `#token`; None is a failure."""
    value = joined(fields, name)
    if value is None:
        return []
    members = [member.strip(" \t") for member in value.split(",")]
    present = [member for member in members if member]
    return None if any(_TOKEN.fullmatch(member) is None for member in present) else present
