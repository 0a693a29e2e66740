"""What a refused entry was probably meant to be.

Guesses freely, because a guess is only ever shown, and only if the grammar accepts it.
"""

import re
from typing import NamedTuple

from corsproxy.core.origins.grammar import read_pattern
from corsproxy.core.origins.hosts import (
    canonical_ipv4,
    canonical_ipv6,
    ends_in_number,
    is_ipv4,
    is_loopback,
    is_public_suffix,
    to_punycode,
)
from corsproxy.core.origins.origin import DEFAULT_PORTS

PUNCTUATION = ",;\"'`<>"
"""What surrounds an origin that was copied together with it."""

TYPOGRAPHIC_QUOTES = (
    "\u201c\u201d\u201e\u201f\u2018\u2019\u201a\u201b\u00ab\u00bb\u2039\u203a\u00b4\u2032\u2033"
)
"""What word processors and chats make of straight quotes. To YAML, they are letters."""

INVISIBLE = re.compile(
    r"[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    r"\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]"
)
"""Invisible characters (Unicode, Default_Ignorable_Code_Point), and that no host has
in a browser: its URL parser drops some of them and refuses the others."""

_SCHEME = re.compile(r"([^:/?#@\[\]]*)://(.*)", re.DOTALL)
_MANGLED_SCHEME = re.compile(r"(https?)(?::/?|/{1,2})(?=[^/])(.*)", re.DOTALL | re.IGNORECASE)
_REGEX_CLASS = re.compile(r"(?:\\[dwS]|\[[^\]:]*\])[*+]")
# An IPv6 address has its bracket at the start of the host, and no hyphen.
_IS_REGEX = re.compile(r"[\\^$(){}|]|https\?|\[\^?[A-Za-z0-9]-[A-Za-z0-9]|(?<=[\w-])\[[^\]:]*\]")
_REGEX_ANY = re.compile(r"\.[*+]\??")


class Parts(NamedTuple):
    """An entry taken apart without a judgement: every part as written."""

    scheme: str | None
    separated: bool
    """Whether "://", and no third slash, follows the scheme."""
    userinfo: str | None
    host: str
    port: str | None
    tail: str
    """From the first "/", "?", "#" or backslash of what follows the scheme."""


def take_apart(text: str) -> Parts:
    scheme, separated, rest = _split_scheme(text)
    end = re.search(r"[/?#\\]", rest)
    tail = rest[end.start() :] if end else ""
    userinfo, at, authority = rest[: len(rest) - len(tail)].rpartition("@")
    host, port = _split_port(authority)
    return Parts(scheme, separated, userinfo if at else None, host, port, tail)


def _split_scheme(text: str) -> tuple[str | None, bool, str]:
    found = _SCHEME.fullmatch(text)
    if found:
        rest = found[2].lstrip("/") if found[1].lower() in DEFAULT_PORTS else found[2]
        return found[1], rest == found[2], rest
    found = _MANGLED_SCHEME.fullmatch(text)
    if found:
        return found[1], False, found[2]
    return None, False, text.removeprefix("//")


def _split_port(authority: str) -> tuple[str, str | None]:
    if "[" in authority:
        address, bracket, port = authority.partition("]")
        return address + bracket, port[1:] if port.startswith(":") else None
    if canonical_ipv6(authority):
        return authority, None
    host, colon, port = authority.partition(":")
    return host, port if colon else None


def repair(text: str) -> str | None:
    """An acceptable entry that `text` may have been meant to be, or None."""
    text = INVISIBLE.sub("", text).strip().strip(PUNCTUATION + TYPOGRAPHIC_QUOTES)
    if "://" in text:
        text = re.sub(r"[\s\x00-\x1f\x7f]", "", text)
    if text.lower() == "null":
        return "null"
    if looks_like_regex(text):
        text = _without_regex(text)
    parts = take_apart(text)
    if (parts.scheme or "").lower() == "file":
        # What web views send; for a path, browsers send null, and which is meant is unknown.
        return "file://" if text.lower() == "file://" else None
    candidate = _put_together(parts)
    return candidate if read_pattern(candidate) is not None else None


def _put_together(parts: Parts) -> str:
    host, port = _repair_host(parts.host), parts.port
    if host.isascii() and host.isdigit() and port is None:
        host, port = "localhost", host  # a port alone
    host = host or ("" if parts.separated else "localhost")
    scheme = (parts.scheme or "").lower()
    if not scheme and port is None and not is_loopback(host) and "." not in host:
        return host  # a word; no address
    if scheme in ("", "*", "ws", "wss"):
        local = is_loopback(host) or is_ipv4(host)
        scheme = "http" if scheme == "ws" or (local and scheme in ("", "*")) else "https"
    if port and port != "*":
        port = port.lstrip("0") or port
        if port == str(DEFAULT_PORTS.get(scheme)):
            port = None
    return f"{scheme}://{host}" + (f":{port}" if port else "")


def _repair_host(host: str) -> str:
    if host.startswith("[") or ":" in host:
        address = canonical_ipv6(re.sub(r"%.*", "", host.strip("[]")))
        return f"[{address}]" if address else host
    is_suffix = host.startswith(".")
    host = re.sub(r"\.{2,}", ".", to_punycode(host).strip("."))
    if is_suffix and host and "*" not in host and not ends_in_number(host):
        # In other products' lists: a domain's subdomains. Not where anyone can have one.
        return f".{host}" if is_public_suffix(host) else f"*.{host}"
    if "*" in host:
        return _repair_wildcard(host)
    if ends_in_number(host) and "." in host:
        return canonical_ipv4(host) or host
    return host


def _repair_wildcard(host: str) -> str:
    missing_dot = re.fullmatch(r"\*([^*.-][^*.]*\.[^*.]+)", host)
    if missing_dot:
        return f"*.{missing_dot[1]}"
    parent = host[host.rindex("*") :].partition(".")[2]
    if host.count("*") == 1 and "*" in host.partition(".")[0]:
        return host
    # A wildcard in the middle widens to all subdomains; not where anyone can have one.
    return f"*.{parent}" if parent and not is_public_suffix(parent) else host


def looks_like_regex(text: str) -> bool:
    after_scheme = text.partition("://")[2]
    return (
        _IS_REGEX.search(text) is not None
        or re.match(r"\.[*+]", after_scheme) is not None
        or ".+" in after_scheme
    )


def _without_regex(text: str) -> str:
    text = text.removeprefix("/").removesuffix("/").removeprefix("^").removesuffix("$")
    text = text.replace("\\/", "/")
    text = _REGEX_CLASS.sub("*", text)
    text = text.replace("\\", "").replace("https?", "https")
    text = re.sub(r"\(\?:|[()]", "", _REGEX_ANY.sub("*", text))
    return re.sub(r"\?(?=[a-z:])|\?$", "", text)
