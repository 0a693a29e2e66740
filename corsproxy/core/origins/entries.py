"""Reading an entry of `allow_origins`, and saying why it cannot be used."""

import re
from typing import Final

from corsproxy.core.origins.grammar import is_ambiguous, read_pattern
from corsproxy.core.origins.hosts import (
    MAX_HOST_LENGTH,
    MAX_LABEL_LENGTH,
    ends_in_number,
    has_true_names,
    is_registry_suffix,
)
from corsproxy.core.origins.origin import DEFAULT_PORTS, MAX_LENGTH, SCHEME
from corsproxy.core.origins.pattern import OriginPattern, OriginPatternError
from corsproxy.core.origins.repair import (
    INVISIBLE,
    PUNCTUATION,
    TYPOGRAPHIC_QUOTES,
    Parts,
    looks_like_regex,
    repair,
    take_apart,
)
from corsproxy.core.source import DEFAULT, Source

_MESSAGES: Final = {
    "empty": "the entry is empty: write an origin, such as https://app.example.com",
    "too-long": "the entry is longer than any origin: the limit is 512 characters, 253 for "
    "the host and 63 for each of its labels",
    "several-origins": "one entry names one origin: write each as an entry of its own",
    "whitespace": "an origin cannot contain white space or control characters: remove them",
    "punctuation": "an entry is the origin alone: remove the quotes or commas around it",
    "typographic-quotes": "typographic quotes are a part of the text: remove them, or write "
    "straight quotes",
    "regex": "entries are not regular expressions: write https://*.example.com for "
    "subdomains, https://pr-*.example.com for part of a name, http://localhost:* for any port",
    "missing-scheme": "an origin starts with its scheme: write http:// or https:// before "
    "the host",
    "scheme-separator": "a scheme is followed by a colon and two slashes: write ://",
    "scheme-wildcard": "the scheme cannot be a wildcard: write the http and the https origin "
    "as two entries",
    "scheme": "this is not a scheme: write http://, https:// or another scheme in lower case",
    "websocket-scheme": "the origin is the page's, and no page is on ws:// or wss://: write "
    "http:// or https://",
    "file-path": "a page opened from a file sends the origin null, in some web views file://, "
    "but never a path",
    "upper-case": "origins are compared byte by byte and browsers send them in lower case: "
    "write it in lower case",
    "userinfo": "an origin carries no user name and no password: remove what precedes the @",
    "trailing-slash": "an origin ends with its host or port: remove the trailing slash",
    "path": "an origin has no path, and allows every page of its site: remove the path",
    "query": "an origin has no query: remove the ? and what follows it",
    "fragment": "an origin has no fragment: remove the # and what follows it",
    "default-port": "browsers leave the scheme's default port out: remove it",
    "port": "a port is a number from 1 to 65535 without leading zeros, or * for any: correct it",
    "missing-host": "the host is missing: write it after the ://",
    "exact-scheme": "only http and https origins may have wildcards: write the exact origin, "
    "as the browser's request shows it",
    "too-wide": "this allows anyone's site: name a domain of your own after the *, or "
    'write "*" alone to allow every origin',
    "ambiguous-wildcard": "this may mean the subdomains of a domain or the ends of its name: "
    "write a dot after the * for subdomains",
    "wildcard-place": "a * stands for the first labels (https://*.example.com), for a part of "
    "the first label (https://pr-*.example.com) or for the port, and at most once in the "
    "host: move it",
    "address-wildcard": "an IP address has no wildcards: write each address, with :* for any port",
    "unicode-host": "browsers send internationalised names in punycode: write it that way",
    "punycode": "no name has this form in punycode, and browsers refuse it: correct what follows "
    "the xn--",
    "trailing-dot": "a host with a trailing dot is another host to browsers: remove the dot",
    "empty-label": "the host has an empty label: remove the surplus dot",
    "ip-address": "browsers send IP addresses in their shortest usual form, IPv6 in brackets and "
    "without a zone: write it that way",
    "host": "hosts consist of letters, digits, hyphens, underscores and dots: correct it",
}  # fmt: skip

_LEADING_DOT: Final = (
    "a host cannot start with a dot: write *. before the domain for its subdomains"
)


def parse_origin_pattern(text: str, source: Source = DEFAULT) -> OriginPattern:
    """The entry that `text` is; `source` is where it is written.

    Raises OriginPatternError, with the reason and, where there is a likely one, the
    corrected entry.
    """
    pattern = read_pattern(text, source)
    if pattern is not None:
        return pattern
    reason = _refused_as_text(text)
    if reason is not None:
        raise OriginPatternError(reason, _MESSAGES[reason])
    invisible = INVISIBLE.search(text)
    if invisible is not None:
        place = f"character {invisible.start() + 1} of the entry"
        message = f"{place} is invisible (U+{ord(invisible[0]):04X}): remove it"
        raise OriginPatternError("invisible-character", message, repair(text))
    parts = take_apart(text)
    reason = (
        _refused_form(text)
        or _refused_scheme(parts)
        or _refused_tail(parts)
        or _refused_authority(parts)
        or _refused_wildcard(parts)
        or _refused_host(parts)
    )
    message = _MESSAGES[reason]
    if reason == "empty-label" and parts.host.startswith("."):
        message = _LEADING_DOT
    raise OriginPatternError(reason, message, repair(text))


def _refused_as_text(text: str) -> str | None:
    """Reasons for which no correction can be guessed."""
    if not text.strip():
        return "empty"
    if len(text) > MAX_LENGTH:
        return "too-long"
    pieces = [piece for piece in re.split(r"[\s,;]+", text) if re.search(r"[.:]", piece)]
    return "several-origins" if len(pieces) > 1 or text.count("://") > 1 else None


def _refused_form(text: str) -> str | None:
    if re.search(r"[\s\x00-\x1f\x7f]", text):
        return "whitespace"
    bare = text.strip(PUNCTUATION)
    if bare != bare.strip(TYPOGRAPHIC_QUOTES):
        return "typographic-quotes"
    if text != bare:
        return "punctuation"
    if text.lower() == "null":
        return "upper-case"
    return "regex" if looks_like_regex(text) else None


def _refused_scheme(parts: Parts) -> str | None:
    if parts.scheme is None or parts.scheme == "":
        return "missing-scheme"
    if not parts.separated:
        return "scheme-separator"
    scheme = parts.scheme.lower()
    if "*" in scheme:
        return "scheme-wildcard"
    if re.fullmatch(SCHEME, scheme) is None:
        return "scheme"
    if scheme in ("ws", "wss"):
        return "websocket-scheme"
    if scheme == "file":
        return "file-path" if parts.scheme == scheme else "upper-case"
    return "upper-case" if scheme != parts.scheme else None


def _refused_tail(parts: Parts) -> str | None:
    match parts.tail[:1]:
        case "":
            return None
        case "?":
            return "query"
        case "#":
            return "fragment"
        case _:
            return "trailing-slash" if parts.tail == "/" else "path"


def _refused_authority(parts: Parts) -> str | None:
    scheme, host, port = parts.scheme, parts.host, parts.port
    if parts.userinfo is not None:
        return "userinfo"
    if not host:
        return "missing-host"
    if scheme not in DEFAULT_PORTS:
        return "exact-scheme" if "*" in host + (port or "") else _refused_port(parts)
    return _refused_port(parts)


def _refused_port(parts: Parts) -> str | None:
    port = parts.port
    if port is None or port == "*":
        return None
    if not re.fullmatch(r"[1-9][0-9]{0,4}", port) or int(port) > 65535:
        return "port"
    return "default-port" if int(port) == DEFAULT_PORTS.get(parts.scheme or "") else None


def _refused_wildcard(parts: Parts) -> str | None:
    if "*" not in parts.host:
        return None
    label, _, parent = parts.host.lower().partition(".")
    if not parts.host.strip("*."):
        return "too-wide"
    if re.fullmatch(r"[0-9*]+(?:\.[0-9*]+){2,3}", parts.host) or ":" in parent:
        return "address-wildcard"
    if "*" in parent or label.count("*") > 1:
        return "wildcard-place"
    if ends_in_number(parent):
        return "address-wildcard"
    prefix, _, suffix = label.partition("*")
    if is_ambiguous(prefix, suffix, parent):
        return "ambiguous-wildcard"
    return "too-wide" if label != "*" and is_registry_suffix(parent) else None


def _refused_host(parts: Parts) -> str:
    host = parts.host
    if host.startswith("[") or ":" in host:
        return "ip-address"
    if not host.isascii():
        return "unicode-host"
    if host != host.lower() and parts.scheme in DEFAULT_PORTS:
        return "upper-case"
    if host.endswith("."):
        return "trailing-dot"
    labels = host.split(".")
    if "" in labels:
        return "empty-label"
    if len(host) > MAX_HOST_LENGTH or max(map(len, labels)) > MAX_LABEL_LENGTH:
        return "too-long"
    if ends_in_number(host):
        return "ip-address"
    return "host" if has_true_names(host) else "punycode"
