"""The grammar of `allow_origins`: what an entry may be, and nothing more.

No entry is normalised: what is accepted is what a browser sends, but for the `*`.
"""

import re

from corsproxy.core.origins.hosts import (
    ACE,
    DOMAIN,
    LABEL,
    MAX_HOST_LENGTH,
    MAX_LABEL_LENGTH,
    ends_in_number,
    is_registry_suffix,
    is_web_host,
)
from corsproxy.core.origins.origin import DEFAULT_PORTS, MAX_LENGTH, parse_origin
from corsproxy.core.origins.pattern import EXACT, OriginPattern, PatternKind
from corsproxy.core.source import DEFAULT, Source

# What most entries are, and nothing that could be a number: read without a parser.
_PLAIN = re.compile(rf"(https?)://((?:{LABEL}\.)*[a-z_-][a-z0-9_-]{{0,62}})")
_WILDCARD = re.compile(
    r"(?P<scheme>https?)://"
    r"(?:(?P<prefix>[a-z0-9_-]*)(?P<star>\*)(?P<suffix>[a-z0-9_-]*)\.)?"
    rf"(?P<host>\[[0-9a-f:]{{2,39}}\]|{DOMAIN})"
    r"(?::(?P<port>\*|[1-9][0-9]{0,4}))?"
)


def read_pattern(text: str, source: Source = DEFAULT) -> OriginPattern | None:
    """The entry that `text` is, or None if it is none. Never raises."""
    plain = _PLAIN.fullmatch(text)
    if plain is not None and len(text) <= MAX_HOST_LENGTH and ACE not in text:
        return OriginPattern(text, source, EXACT, plain[1], plain[2])
    match text:
        case "*":
            return OriginPattern(text, source, PatternKind.ANY)
        case "null":
            return OriginPattern(text, source, PatternKind.NULL)
        case "file://":  # what some web views send, against the URL standard
            return OriginPattern(text, source, PatternKind.EXACT, scheme="file")
        case _:
            pass
    if len(text) > MAX_LENGTH or not text.isascii():
        return None
    if "*" in text:
        return _read_wildcard(text, source)
    origin = parse_origin(text.encode("ascii"))
    return None if origin is None else OriginPattern(text, source, EXACT, *origin)


def _read_wildcard(text: str, source: Source) -> OriginPattern | None:
    found = _WILDCARD.fullmatch(text)
    if found is None:
        return None
    scheme, prefix, star, suffix, host, digits = found.groups(default="")
    any_port = digits == "*"
    port = int(digits) if digits and not any_port else None
    if not is_web_host(host) or (port and (port > 65535 or port == DEFAULT_PORTS[scheme])):
        return None
    if not star:
        kind = PatternKind.ANY_PORT
    elif host[0] == "[" or ends_in_number(host):
        return None
    elif found.end("host") - len(f"{scheme}://") > MAX_HOST_LENGTH:
        return None  # longer than any name, as its `*` stands for a character at least
    elif not prefix and not suffix:
        kind = PatternKind.SUBDOMAINS
    elif is_narrow(prefix, suffix, host):
        kind = PatternKind.LABEL
    else:
        return None
    return OriginPattern(text, source, kind, scheme, host, port, any_port, prefix, suffix)


def is_narrow(prefix: str, suffix: str, parent: str) -> bool:
    """Whether `<prefix>*<suffix>.<parent>` can only mean one thing, and not too much.

    `https://pr-*.com` is anyone's, and the author of `https://*example.com` may as
    well mean the subdomains of example.com.
    """
    if is_registry_suffix(parent) or len(prefix) + len(suffix) >= MAX_LABEL_LENGTH:
        return False
    return not is_ambiguous(prefix, suffix, parent)


def is_ambiguous(prefix: str, suffix: str, parent: str) -> bool:
    """Whether a missing dot after the `*` is as likely as a pattern for one label."""
    return not prefix and "." not in parent and re.fullmatch(rf"(?!-){LABEL}", suffix) is not None
