"""What may stand in `allow_methods`, `allow_headers` and `expose_headers`.

Names that browsers never ask about, or never grant, have no effect (Fetch, "forbidden
request-header", "forbidden response-header name", "forbidden method"): they are refused,
because their author expects one.
"""

from collections.abc import Callable

from corsproxy.config.mistakes import BadValueError
from corsproxy.config.spelling import shown
from corsproxy.core.fields import (
    CORS_FIELD_PREFIX,
    FORBIDDEN_RESPONSE_HEADERS,
    is_forbidden_request_header,
    is_token,
)
from corsproxy.core.methods import FORBIDDEN_METHODS, KNOWN_METHODS, NORMALIZED_METHODS

_COOKIE_HINT = "remove it: `allow_credentials: true` is what lets cookies through"

Checked = tuple[str, BadValueError | None]
"""A name as the rules hold it, and a warning about it."""


def _method(text: str) -> Checked:
    if not is_token(text.encode("utf-8", "replace")):
        raise BadValueError(
            "bad-method", f"{shown(text)} is not a method", "write a method name, such as `PATCH`"
        )
    upper = text.upper()
    if upper in FORBIDDEN_METHODS:
        help = "no page can send it, and this proxy never forwards it: remove it"
        raise BadValueError("forbidden-method", f"{upper} cannot be allowed", help)
    if "*" in text:
        raise BadValueError(
            "bad-method", "the only wildcard for methods is `*` alone", "name each method"
        )
    if upper in NORMALIZED_METHODS:
        return upper, None
    if text in KNOWN_METHODS:
        return text, None
    if upper not in KNOWN_METHODS:
        help = "it is answered with 501, allowed or not: remove it, or use a registered method"
        message = f"this proxy does not forward the method {shown(text)}"
        return text, BadValueError("method-unknown", message, help)
    help = (
        f"write {shown(upper)}: methods are compared byte by byte, and sent as scripts write them"
    )
    return text, BadValueError(
        "method-case", f"{shown(text)} is not the same method as {upper}", help, upper
    )


def _header_name(text: str) -> bytes:
    name = text.encode("utf-8", "replace").lower()
    bare = text.rstrip(":").strip()
    if not is_token(name):
        likely = bare if bare != text and is_token(bare.encode("utf-8", "replace")) else None
        help = "write its name alone, as in `X-Request-Id`"
        raise BadValueError("bad-header-name", f"{shown(text)} is not a header name", help, likely)
    if b"*" in name:
        help = 'name each header, or write `"*"` alone for all'
        raise BadValueError(
            "bad-header-name", f"{shown(text)}: header names cannot have wildcards", help
        )
    return name


def _request_header(text: str) -> Checked:
    name = _header_name(text)
    if name.startswith(CORS_FIELD_PREFIX):
        help = "it belongs to CORS itself, and no page sends it: remove it"
        raise BadValueError("forbidden-header", f"{shown(text)} needs no permission", help)
    if is_forbidden_request_header(name):
        help = "only the browser itself sends it, which needs no permission: remove it"
        if name in (b"cookie", b"cookie2", b"set-cookie"):
            help = _COOKIE_HINT
        raise BadValueError("forbidden-header", f"no page can set {shown(text)}", help)
    return name.decode("ascii"), None


def _exposed_header(text: str) -> Checked:
    name = _header_name(text)
    if name in FORBIDDEN_RESPONSE_HEADERS:
        help = _COOKIE_HINT
        raise BadValueError("forbidden-header", f"no page can read {shown(text)}", help)
    if name.startswith(CORS_FIELD_PREFIX):
        help = "it is for the browser, not for the page: remove it"
        raise BadValueError("forbidden-header", f"{shown(text)} cannot be exposed", help)
    return name.decode("ascii"), None


CHECKS: dict[str, Callable[[str], Checked]] = {
    "allow_methods": _method,
    "allow_headers": _request_header,
    "expose_headers": _exposed_header,
}
