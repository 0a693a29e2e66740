"""Host names and addresses as people write them in the file."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_network

from corsproxy.config.mistakes import BadValueError, checked
from corsproxy.core.origins.hosts import (
    MAX_HOST_LENGTH,
    MAX_LABEL_LENGTH,
    canonical_ipv4,
    canonical_ipv6,
    ends_in_number,
    is_ipv4,
    to_punycode,
)

_DOMAIN = re.compile(r"(?:[a-z0-9_-]+\.)*[a-z0-9_-]+")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://([^/?#@]*)(.*)", re.DOTALL)
_PORT = re.compile(r"0|[1-9][0-9]{0,4}")


@checked
def parse_host(text: str) -> str:
    """Return a host in lower case, IPv6 in brackets, as URLs carry it.

    Raises BadValueError; its suggestion is a host.
    """
    host = text.lower()
    if not host:
        raise BadValueError("bad-host", "the host is missing", "write a name or an address")
    if host.startswith("["):
        return _bracketed(text)
    if not host.isascii():
        suggestion = to_punycode(text)
        help = "write internationalised names in punycode"
        raise BadValueError("bad-host", "the host is not ASCII", help, suggestion)
    if ends_in_number(host.removesuffix(".")):
        if not is_ipv4(host):
            help = "write four decimal numbers, each from 0 to 255, without leading zeros"
            raise BadValueError(
                "bad-host", "this is not a valid IPv4 address", help, canonical_ipv4(host)
            )
        return host
    name = host.removesuffix(".")
    if "*" in host:
        raise BadValueError("bad-host", "a host cannot have wildcards here", "name one host")
    if ".." in f".{name}." or not name:
        likely = ".".join(part for part in name.split(".") if part) or None
        raise BadValueError("bad-host", "the host has an empty label", "remove the dot", likely)
    if _DOMAIN.fullmatch(name) is None:
        raise BadValueError(
            "bad-host",
            "the host has a character that host names cannot have",
            "host names have letters, digits, hyphens, underscores and dots",
        )
    if len(name) > MAX_HOST_LENGTH or any(
        len(label) > MAX_LABEL_LENGTH for label in name.split(".")
    ):
        raise BadValueError(
            "bad-host",
            "the host is longer than host names can be",
            "at most 253 characters, and 63 between dots",
        )
    return host


def _bracketed(text: str) -> str:
    address, bracket, rest = text[1:].partition("]")
    if not bracket or rest:
        raise BadValueError(
            "bad-host", "the brackets of the IPv6 address are not closed", "write it like `[::1]`"
        )
    if "%" in address:
        help = "write an address that needs no zone"
        raise BadValueError("bad-host", "IPv6 zones are not supported", help)
    canonical = canonical_ipv6(address)
    if canonical is None:
        raise BadValueError("bad-host", "this is not a valid IPv6 address", "write it like `[::1]`")
    return f"[{canonical}]"


def parse_port(text: str, *, zero: bool = False) -> int:
    """Return a port; 0 only where `zero` says that it means any free one. Raises BadValueError."""
    if _PORT.fullmatch(text) and (zero or text != "0") and int(text) <= 65535:
        return int(text)
    least = 0 if zero else 1
    digits = text.lstrip("0")
    suggestion = digits if _PORT.fullmatch(digits) and int(digits) <= 65535 else None
    help = f"a port is a number from {least} to 65535, without leading zeros"
    raise BadValueError("bad-port", "this is not a valid port", help, suggestion)


@checked
def parse_allowed_host(text: str) -> str:
    """Return a host name that a Host field may carry, in lower case, without a port.

    Raises BadValueError.
    """
    code = "bad-allowed-host"
    url = _URL.fullmatch(text)
    if url is not None:
        host = url[1]
        help = "write the host alone"
        raise BadValueError(
            code, "this must be a host name, not a URL", help, _without_port(host) or None
        )
    if "/" in text:
        suggestion = text.partition("/")[0] or None
        raise BadValueError(code, "a host name has no path", "write the host alone", suggestion)
    if _without_port(text) != text:
        help = "write the host alone; any port is accepted"
        raise BadValueError(code, "a host name has no port here", help, _without_port(text))
    if "*" in text:
        help = 'name each host; `"*"` alone switches the check off'
        raise BadValueError(code, "wildcards are not supported here", help)
    host = parse_host(f"[{text}]" if text.count(":") > 1 and text[0] != "[" else text)
    if host in ("0.0.0.0", "[::]"):  # noqa: S104
        help = "use `localhost` in the browser instead"
        raise BadValueError(code, "no page can reach a server at this address", help)
    return host


def _without_port(text: str) -> str:
    found = re.fullmatch(r"(\[[^\]]*\]|[^:\[\]]*):[0-9*]*", text)
    return found[1] if found else text


def parse_network(text: str) -> IPv4Network | IPv6Network:
    """Return an address or a network in CIDR notation. Raises BadValueError."""
    code = "bad-network"
    bare = text.strip("[]")
    help = "write an address, or a network such as `10.0.0.0/8`"
    if "%" in text:
        raise BadValueError(code, "IPv6 zones are not supported", help)
    try:
        network = ip_network(bare, strict=False)
    except ValueError:
        raise BadValueError(code, "this is neither an address nor a network", help) from None
    if bare != text:
        raise BadValueError(code, "brackets are for URLs", "remove them", bare)
    try:
        return ip_network(text)
    except ValueError:
        message = "the address has bits set outside its network"
        raise BadValueError(code, message, f"write `{network}`", str(network)) from None
