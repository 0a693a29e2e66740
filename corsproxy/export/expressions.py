"""Regular expressions that every engine reads alike: RE2's syntax without lookaround.

They have no anchors: each engine adds its own.
"""

from collections.abc import Iterable

from corsproxy.core.methods import FORWARDED_METHODS
from corsproxy.core.origins import OriginPattern, PatternKind
from corsproxy.core.policy import CorsRules

LONGEST_ORIGIN = len("http://") + 253
"""The maximum length of an origin with a host name (RFC 1035: 253) and no port; with a port,
or under https, the host's own limit is stricter."""

_SPECIAL = "\\.[]{}()*+?^$|"  # the backslash first, because it escapes the others
_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PORTS_TO_65535 = (
    "[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]",
    "[1-9][0-9]{3}",
)
# Browsers omit the scheme's default port, so an origin with it is not valid.
_PORTS = {
    "http": ("[1-9][0-9]{2}", "[1-79][0-9]|8[1-9]", "[1-9]"),
    "https": ("[1-35-9][0-9]{2}|4[0-35-9][0-9]|44[0-24-9]", "[1-9][0-9]", "[1-9]"),
}
_LABEL = "[a-z0-9_-]{1,63}"
_LONGEST_LABEL = 63

IPV4 = (
    r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
    r"(?:\.(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])){3}"
)
UNSPECIFIED = r"0\.0\.0\.0|\[[0:.]*\]|\[[0:]*:ffff:[0:.]+\]"
"""Addresses through which browsers let any page reach this machine, in lower case."""
PORT = r"(?::[0-9]{0,5})?"
WELL_FORMED_HOST = rf"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+){PORT}"


def literal(text: str) -> str:
    """Return an expression for `text` itself."""
    for each in _SPECIAL:
        if each in text:
            text = text.replace(each, f"\\{each}")
    return text


def origin(pattern: OriginPattern) -> str:
    """Return an expression for the origins that an entry allows; not for `"*"`."""
    if pattern.kind in (PatternKind.NULL, PatternKind.EXACT):
        return literal(pattern.text)
    return f"{pattern.scheme}://{_host(pattern)}{_port(pattern)}"


def _host(pattern: OriginPattern) -> str:
    host = literal(pattern.host)
    if pattern.kind is PatternKind.SUBDOMAINS:
        return rf"(?:{_LABEL}\.)+{host}"
    if pattern.kind is PatternKind.LABEL:
        room = _LONGEST_LABEL - len(pattern.prefix) - len(pattern.suffix)
        return rf"{pattern.prefix}[a-z0-9-]{{1,{room}}}{pattern.suffix}\.{host}"
    return host


def _port(pattern: OriginPattern) -> str:
    if pattern.any_port:
        return f"(?::(?:{'|'.join((*_PORTS_TO_65535, *_PORTS[pattern.scheme]))}))?"
    return "" if pattern.port is None else f":{pattern.port}"


def named_hosts(names: Iterable[str], ipv6: str = r"\[[0-9a-f:.]+\]") -> list[str]:
    """Return expressions, in lower case, for these host names and those that are always allowed."""
    always = ("localhost", r"(?:[a-z0-9_-]+\.)+localhost", IPV4, ipv6)
    return [*map(literal, sorted(names)), *always]


def allowed_methods(rules: CorsRules) -> str:
    """Return an expression for the methods that a preflight may name."""
    return "|".join(literal(name.decode("ascii")) for name in sorted(rules.allowed_methods))


def forwarded_methods() -> str:
    """Return an expression for the methods that are forwarded at all."""
    return "|".join(literal(name) for name in sorted(FORWARDED_METHODS))


def allowed_headers(rules: CorsRules) -> str:
    """Return an expression for an Access-Control-Request-Headers whose names are all allowed, to
    be matched without case."""
    if rules.request_headers.any:
        return name_list(_NAME)
    names = sorted(name.decode("ascii") for name in rules.allowed_request_headers)
    return name_list("|".join(map(literal, names)))


def name_list(name: str) -> str:
    """Return an expression for a list whose members all match `name`; empty members are allowed
    (RFC 9110, 5.6.1.2)."""
    return rf"[\t ,]*(?:(?:{name})(?:[\t ]*,[\t ,]*|[\t ]*$))*"
