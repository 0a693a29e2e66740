"""What is refused before CORS is asked: requests that are ambiguous, or that reach for
something this proxy must not be.

Framing that two parsers could read differently (RFC 9112, 6), names of hosts that this
listener is not (DNS rebinding), targets that could leave their route, methods that
belong to another role, loops. Each check returns None or a `Refusal`.
"""

import re
from collections.abc import Sequence
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final, NamedTuple

from corsproxy.core.fields import NameTable, split_list
from corsproxy.core.messages import Fields
from corsproxy.core.methods import FORBIDDEN_METHODS, FORWARDED_METHODS, KNOWN_METHODS
from corsproxy.core.origins import parse_origin
from corsproxy.core.policy import Limits, Policy, Route
from corsproxy.core.routing import Target, is_ambiguous, parse_target
from corsproxy.core.verdicts import Code

# A "." or ".." segment, its dots or its separators percent-encoded or not, or several
# times over, because some upstreams decode twice; "\" counts as a separator because
# browsers' URL parsers and many servers read it as one, and as an end also what some
# servers drop before they resolve segments: path parameters, a query or a fragment that
# was encoded, white space, NUL.
DOT_SEGMENT: Final = (
    r"(?:^|/|\\|%(?:25)*(?:2f|5c))(?:\.|%(?:25)*2e){1,2}"
    r"(?:$|/|\\|;|%(?:25)*(?:2f|5c|3b|3f|23|20|0[09ad]))"
)
_DOT_SEGMENT: Final = re.compile(DOT_SEGMENT.encode("ascii"), re.IGNORECASE)
# host[:port] as Host and the absolute-form have it (RFC 9110, 7.2), no userinfo.
_HOST: Final = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{0,5}))?")
# Longer than any name that can be resolved (RFC 1035, 2.3.4), and cheap to look at.
_LONGEST_HOST: Final = 255
# Clients choose what they send as Host, and send few that differ.
_MOST_HOSTS: Final = 256
_CONTROL: Final = re.compile(rb"[\x00-\x20\x7f]")
_NO_PATH: Final = "The request target is not a path."
_CONTENT_LENGTH: Final = re.compile(rb"[0-9]{1,18}")
_CODINGS: Final = frozenset(
    {b"gzip", b"x-gzip", b"compress", b"x-compress", b"deflate", b"identity"}
)


class Refusal(NamedTuple):
    """Why a request goes no further. `subject` has passed a strict grammar, or is empty."""

    code: Code
    detail: str
    subject: str = ""


class Host(NamedTuple):
    """A Host value that is well-formed."""

    name: str
    """In lower case, IPv6 in brackets, without the port."""
    port: int | None
    always_allowed: bool
    """localhost, *.localhost and IP literals: a name is needed for DNS rebinding."""
    unspecified: bool
    """0.0.0.0 and [::], which browsers let reach this machine from any page."""


def parse_host(value: bytes) -> Host | None:
    """Take a Host value apart; None where it is malformed."""
    return _HOSTS[value]


def _parse_host(value: bytes) -> Host | None:
    match = _HOST.fullmatch(value)
    if match is None or len(match[1]) > _LONGEST_HOST:
        return None
    name = match[1].decode("ascii").lower()
    port = int(match[2]) if match[2] else None
    if port is not None and port > 65535:
        return None
    if name.startswith("["):
        try:
            address = IPv6Address(name[1:-1])
        except AddressValueError:
            return None
        mapped = address.ipv4_mapped
        unspecified = int(address if mapped is None else mapped) == 0
        return Host(name, port, not unspecified, unspecified)
    try:
        unspecified = int(IPv4Address(name)) == 0
    except AddressValueError:
        local = name == "localhost" or name.endswith(".localhost")
        return Host(name, port, local, False)
    return Host(name, port, not unspecified, unspecified)


_HOSTS: Final = NameTable(_parse_host, _MOST_HOSTS)


def check_host(policy: Policy, hosts: Sequence[bytes], minor_version: int) -> Refusal | None:
    """Refuse a request whose Host is missing, ambiguous, or no name of this proxy.

    If an attacker rebinds a name to this address, pages of that name are same-origin with this
    proxy, and CORS protects nothing. Only Host gives them away.
    """
    if len(hosts) != 1:
        return None if not hosts and minor_version == 0 else _not_one_host(len(hosts))
    # Long values are not even cached as malformed.
    host = parse_host(hosts[0]) if len(hosts[0]) <= _LONGEST_HOST + len(":65535") else None
    if host is None:
        return Refusal(Code.BAD_REQUEST, "The Host field is not host[:port].")
    if host.always_allowed or policy.any_host or host.name in policy.allowed_hosts:
        return None
    if host.unspecified:
        detail = f"Host {host.name} is not a name of this proxy: use localhost instead."
    else:
        detail = f"Host {host.name} is not a name that this proxy answers to."
    return Refusal(Code.HOST_NOT_ALLOWED, detail, host.name)


def _not_one_host(count: int) -> Refusal:
    number = "more than one" if count else "no"
    return Refusal(Code.BAD_REQUEST, f"The request has {number} Host field.")


def check_framing(found: dict[bytes, list[bytes]], minor_version: int) -> Refusal | None:
    """Refuse a body whose length two parsers could read differently (RFC 9112, 6.1, 6.3)."""
    codings = found.get(b"transfer-encoding")
    lengths = found.get(b"content-length")
    if codings is not None:
        if minor_version == 0:
            return Refusal(Code.BAD_FRAMING, "HTTP/1.0 has no Transfer-Encoding.")
        if lengths is not None:
            return Refusal(
                Code.BAD_FRAMING, "The request has both Content-Length and Transfer-Encoding."
            )
        if len(codings) != 1 or codings[0].lower() != b"chunked":
            if any(member.lower() in _CODINGS for member in split_list(codings)):
                return Refusal(Code.TRANSFER_CODING, "Only the chunked transfer coding is known.")
            return Refusal(Code.BAD_FRAMING, "Transfer-Encoding is not exactly: chunked.")
    elif lengths is not None and (
        len(lengths) != 1 or _CONTENT_LENGTH.fullmatch(lengths[0]) is None
    ):
        return Refusal(Code.BAD_FRAMING, "Content-Length is not one decimal number.")
    return None


def check_method(method: str) -> Refusal | None:
    """Refuse the methods that would make this proxy a tunnel or an echo."""
    if method in FORWARDED_METHODS:
        return None
    if method.upper() in FORBIDDEN_METHODS:
        return Refusal(Code.METHOD_REFUSED, f"{method.upper()} is never forwarded.", method.upper())
    return _unknown(method)


def _unknown(method: str) -> Refusal:
    """Refuse as the parser does, so that `explain` says what really happens."""
    return Refusal(
        Code.METHOD_NOT_IMPLEMENTED, f"The method {method[:32]} is not known.", method[:32]
    )


def check_target(target: Target | None, received: bytes, hosts: Sequence[bytes]) -> Refusal | None:
    """Refuse targets that could leave their route, or that name another host."""
    if target is None:
        return Refusal(Code.BAD_TARGET, _NO_PATH)
    if target.is_plain and target.authority is None:
        return None
    misspelt = _misspelt(received)
    if misspelt is not None:
        return misspelt
    if _DOT_SEGMENT.search(target.path) is not None:
        return Refusal(Code.BAD_TARGET, "The request target has a dot segment.")
    if target.authority is not None and _differs(target.authority, hosts):
        return Refusal(Code.BAD_TARGET, "The request target names another host than Host.")
    return None


def _misspelt(target: bytes) -> Refusal | None:
    """Refuse a target with bytes that no URL has (RFC 3986, 2)."""
    # Bytes are searched with `find`, because `in` first tries whether they are a number.
    if target.find(b"#") >= 0:
        return Refusal(Code.BAD_TARGET, "The request target has a fragment.")
    if not target.isascii():
        return Refusal(Code.BAD_TARGET, "The request target has bytes that are not ASCII.")
    if _CONTROL.search(target) is not None:
        return Refusal(Code.BAD_TARGET, "The request target has a control character.")
    return None


def check_reading(policy: Policy, target: Target | None, route: Route | None) -> Refusal | None:
    """Refuse a path that the upstream may read as another route's than `route`."""
    if target is None or not is_ambiguous(policy, target, route):
        return None
    return Refusal(
        Code.AMBIGUOUS_PATH,
        "The path can be read as another route's: percent-encoding, doubled slashes, backslashes"
        " or parameters stand where that route's path would be.",
    )


def check_asterisk(method: str, target: bytes) -> Refusal | None:
    """Refuse the asterisk-form except with OPTIONS (RFC 9112, 3.2.4): appended to an
    upstream's base path it would name something else."""
    if target == b"*" and method != "OPTIONS":
        return Refusal(Code.BAD_TARGET, _NO_PATH)
    return None


def _differs(authority: bytes, hosts: Sequence[bytes]) -> bool:
    named = parse_host(authority)
    return named is None or len(hosts) != 1 or named != parse_host(hosts[0])


def check_expectation(found: dict[bytes, list[bytes]]) -> Refusal | None:
    """Refuse an Expect that is not 100-continue (RFC 9110, 10.1.1)."""
    for value in found.get(b"expect", ()):
        if value.lower() != b"100-continue":
            return Refusal(Code.EXPECTATION_FAILED, "Only Expect: 100-continue is supported.")
    return None


def check_loop(policy: Policy, found: dict[bytes, list[bytes]]) -> Refusal | None:
    """Refuse a request that carries this process's own pseudonym in Via (RFC 9110, 7.6.3)."""
    via = found.get(b"via", ())
    own = policy.pseudonym
    if own and any(own in member.split() for member in split_list(via)):
        return Refusal(
            Code.LOOP, "The upstream sent the request back here: it points at this proxy."
        )
    return None


def check_size(limits: Limits, target: bytes, fields: Fields) -> Refusal | None:
    """Refuse heads beyond the limits; sizes count names, values and four bytes per line."""
    if len(target) > limits.target:
        return Refusal(
            Code.TARGET_TOO_LONG, f"The request target has more than {limits.target} bytes."
        )
    if len(fields) > limits.fields:
        return Refusal(
            Code.FIELDS_TOO_LARGE, f"The request has more than {limits.fields} header fields."
        )
    total = 4 * len(fields)
    for name, value in fields:
        total += len(name) + len(value)
    # No line can be too long while all of them together are shorter than that.
    if total > limits.field and any(
        len(name) + len(value) + 4 > limits.field for name, value in fields
    ):
        return Refusal(Code.FIELDS_TOO_LARGE, f"A header field has more than {limits.field} bytes.")
    if total > limits.field_section:
        return Refusal(
            Code.FIELDS_TOO_LARGE,
            f"The header fields have more than {limits.field_section} bytes together.",
        )
    return None


def is_origin(value: bytes) -> bool:
    """Whether a received Origin is well-formed, and so may be shown to people."""
    return value == b"null" or parse_origin(value) is not None


_REQUEST_LINE: Final = re.compile(
    rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) (\S+) HTTP/([0-9]+\.[0-9]+)\r?$"
)


_TLS_HANDSHAKE: Final = b"\x16\x03"  # RFC 8446, 5.1: the beginning of each connection
_NO_REQUEST: Final = "What was sent is not an HTTP/1.1 request."
_WAS_TLS: Final = (
    "What was sent is a TLS handshake, and this port speaks plain http: call http://, or listen"
    " with https (--https)."
)


def diagnose(limits: Limits, received: bytes) -> Refusal:
    """Say why bytes did not become a request, so that the answer has the right status.

    Only a method that is a token is quoted; nothing else of the bytes is.
    """
    head = received.partition(b"\r\n\r\n")[0]
    lines = head.split(b"\n")
    first = lines[0]
    if len(first) > limits.target:
        return Refusal(
            Code.TARGET_TOO_LONG, f"The request target has more than {limits.target} bytes."
        )
    if (
        len(head) > limits.field_section
        or len(lines) > limits.fields
        or any(len(line) > limits.field for line in lines)
    ):
        return Refusal(
            Code.FIELDS_TOO_LARGE,
            f"The header fields have more than {limits.field} bytes in one,"
            f" {limits.field_section} bytes together, or are more than {limits.fields}.",
        )
    request_line = _REQUEST_LINE.match(first)
    if request_line is None:
        is_tls = received.startswith(_TLS_HANDSHAKE)
        return Refusal(Code.BAD_REQUEST, _WAS_TLS if is_tls else _NO_REQUEST)
    if request_line[3] not in (b"1.0", b"1.1"):
        return Refusal(Code.VERSION_NOT_SUPPORTED, "Only HTTP/1.1 and HTTP/1.0 are supported.")
    method = request_line[1].decode("ascii")
    if method not in KNOWN_METHODS:
        return _unknown(method)
    names = [line.partition(b":")[0].strip().lower() for line in lines[1:]]
    if b"transfer-encoding" in names or names.count(b"content-length") > 1:
        return Refusal(Code.BAD_FRAMING, "The length of the request's body is ambiguous.")
    hosts = names.count(b"host")
    is_whole = b"\r\n\r\n" in received
    if hosts > 1 or (not hosts and is_whole and request_line[3] == b"1.1"):
        return _not_one_host(hosts)
    if parse_target(request_line[2]) is None:
        return Refusal(Code.BAD_TARGET, _NO_PATH)
    malformed = Refusal(Code.BAD_REQUEST, "A header field of the request is not valid HTTP/1.1.")
    return _misspelt(request_line[2]) or malformed
