"""The browser's half of CORS: whether it lets a script read what a server answered.

Fetch's checks in Fetch's order, applied to a server's own answers, to say what would have
happened without this proxy. The browser reports the first one that fails; each has Chromium's
name (CDP, Network.CorsError).
"""

import re
from typing import NamedTuple

from corsproxy.core.fields import is_token
from corsproxy.core.messages import Fields, ResponseHead
from corsproxy.core.methods import CORS_SAFELISTED_METHODS
from corsproxy.core.page_call import PageCall

REDIRECTS = frozenset({301, 302, 303, 307, 308})
"""Fetch, "redirect status"."""

_SERIALIZED_ORIGIN = re.compile(r"[a-z][a-z0-9+.\-]*://.+")
_LONGEST_SHOWN = 80


class Obstacle(NamedTuple):
    """The check that fails."""

    error: str
    """Chromium's name for it."""
    sentence: str
    """What is wrong with the answer; no full stop."""
    parameter: str = ""
    """What Chromium names as the culprit: the method, the header, the wrong value."""


def check_preflight(call: PageCall, answer: ResponseHead) -> Obstacle | None:
    """Return the check that keeps the browser from sending the call after the preflight; None
    if all pass (Fetch, "CORS-preflight fetch")."""
    if answer.status in REDIRECTS:
        sentence = f"it redirects ({answer.status}), and a preflight must not be redirected"
        return Obstacle("PreflightDisallowedRedirect", sentence)
    obstacle = check_response(call, answer)
    if obstacle is not None:
        return obstacle._replace(error=f"Preflight{obstacle.error}")
    if not 200 <= answer.status <= 299:
        sentence = f"its status is {answer.status}, and a preflight needs one from 200 to 299"
        return Obstacle("PreflightInvalidStatus", sentence)
    methods = _names(answer.fields, b"access-control-allow-methods")
    if methods is None:
        return _malformed("InvalidAllowMethodsPreflightResponse", "Access-Control-Allow-Methods")
    names = _names(answer.fields, b"access-control-allow-headers")
    if names is None:
        return _malformed("InvalidAllowHeadersPreflightResponse", "Access-Control-Allow-Headers")
    return _check_method(call, methods) or _check_headers(call, names)


def check_response(call: PageCall, answer: ResponseHead) -> Obstacle | None:
    """Return the check that keeps the answer from the script; None if all pass (Fetch, "CORS
    check")."""
    allowed = _value(answer.fields, b"access-control-allow-origin")
    if allowed is None:
        sentence = "it has no Access-Control-Allow-Origin"
        return Obstacle("MissingAllowOriginHeader", sentence)
    if allowed == "*":
        if not call.credentials:
            return None
        sentence = "its Access-Control-Allow-Origin is *, which never goes with credentials"
        return Obstacle("WildcardOriginNotAllowed", sentence)
    if allowed != call.origin:
        return _wrong_origin(call, answer.fields, allowed)
    if not call.credentials:
        return None
    credentials = _value(answer.fields, b"access-control-allow-credentials")
    if credentials == "true":
        return None
    found = "missing" if credentials is None else _shown(credentials)
    sentence = f"its Access-Control-Allow-Credentials is {found}, and only true lets them through"
    return Obstacle("InvalidAllowCredentials", sentence, credentials or "")


def _wrong_origin(call: PageCall, fields: Fields, allowed: str) -> Obstacle:
    lines = len(_lines(fields, b"access-control-allow-origin"))
    if re.search("[ ,]", allowed):
        how = f"is there {lines} times" if lines > 1 else "names several"
        sentence = f"Access-Control-Allow-Origin {how} ({_shown(allowed)}); browsers take one value"
        return Obstacle("MultipleAllowOriginValues", sentence, allowed)
    sentence = f"its Access-Control-Allow-Origin is {_shown(allowed)}, not {call.origin}"
    if not _SERIALIZED_ORIGIN.match(allowed):
        return Obstacle("InvalidAllowOriginValue", sentence, allowed)
    return Obstacle("AllowOriginMismatch", sentence, allowed)


def _malformed(error: str, field: str) -> Obstacle:
    return Obstacle(error, f"its {field} is not a list of names")


def _check_method(call: PageCall, methods: list[str]) -> Obstacle | None:
    method = call.normalized_method
    if method in methods or method in CORS_SAFELISTED_METHODS:
        return None
    if "*" in methods and not call.credentials:
        return None
    why = " (with credentials, * is not a wildcard)" if "*" in methods else ""
    sentence = f"its Access-Control-Allow-Methods does not name {method}{why}"
    return Obstacle("MethodDisallowedByPreflightResponse", sentence, method)


def _check_headers(call: PageCall, names: list[str]) -> Obstacle | None:
    allowed = {name.lower() for name in names}
    for name in call.asked_headers:
        # Fetch, "CORS non-wildcard request-header name".
        by_wildcard = "*" in allowed and not call.credentials and name != "authorization"
        if name in allowed or by_wildcard:
            continue
        why = ""
        if "*" in allowed:
            why = " (with credentials, * is not a wildcard)"
            if not call.credentials:
                why = " (by the standard, * does not stand for it; Chromium still lets it)"
        sentence = f"its Access-Control-Allow-Headers does not name {name}{why}"
        return Obstacle("HeaderDisallowedByPreflightResponse", sentence, name)
    return None


def _lines(fields: Fields, name: bytes) -> list[str]:
    return [value.decode("latin-1").strip(" \t") for line, value in fields if line.lower() == name]


def _value(fields: Fields, name: bytes) -> str | None:
    """Fetch, "get" on a header list: the values of all lines as one."""
    lines = _lines(fields, name)
    return ", ".join(lines) if lines else None


def _names(fields: Fields, name: bytes) -> list[str] | None:
    """Fetch, "extract header list values"; None is a failure, no line means no names."""
    members = [
        member for line in _lines(fields, name) for part in line.split(",")
        if (member := part.strip(" \t"))
    ]  # fmt: skip
    return members if all(is_token(member.encode("latin-1")) for member in members) else None


def _shown(value: str) -> str:
    if not value:
        return "empty"
    return value if len(value) <= _LONGEST_SHOWN else f"{value[:_LONGEST_SHOWN]}…"
