"""A plain reference implementation of the rules, which the targets compare with.

A mistake would have to be made twice, because it uses nothing of the package but what Unicode's
tables say about a label in punycode.
"""

import ipaddress
import re
from urllib.parse import unquote_to_bytes

from corsproxy.core.origins.hosts import has_true_names

_LABEL = re.compile(r"[a-z0-9_-]{1,63}")
_PORTS = {"http": 80, "https": 443}


def web_origin(text: str) -> tuple[str, str, int] | None:
    """Split an http or https origin into scheme, host and port. None if a browser would have
    written it differently, or not at all."""
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in _PORTS or not rest.isascii():
        return None
    host, colon, digits = rest, "", ""
    if not rest.endswith("]") and ":" in rest:
        host, colon, digits = rest.rpartition(":")
    port = _PORTS[scheme]
    if colon:
        if not digits.isdigit() or str(int(digits)) != digits:
            return None
        port = int(digits)
        if not 1 <= port <= 65535 or port == _PORTS[scheme]:
            return None
    return (scheme, host, port) if is_host(host) else None


def is_host(host: str) -> bool:
    """Whether a URL parser leaves the host unchanged."""
    if host.startswith("["):
        try:
            address = ipaddress.IPv6Address(host.removeprefix("[").removesuffix("]"))
        except ValueError:
            return False
        if address.scope_id is not None:
            return False
        mapped = address.ipv4_mapped
        if mapped is None:
            return host == f"[{address.compressed}]"
        one, two, three, four = mapped.packed
        return host == f"[::ffff:{one << 8 | two:x}:{three << 8 | four:x}]"
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        return False
    if not has_true_names(host):
        return False
    if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", labels[-1]):
        octets = [int(label) for label in labels if label.isdigit() and label == str(int(label))]
        return len(labels) == len(octets) == 4 and max(octets) < 256
    return True


def entry_allows(entry: str, origin: bytes) -> bool:
    """Whether an accepted entry of `allow_origins` allows an Origin."""
    if entry == "*":
        return True
    text = origin.decode("latin-1")
    if "*" not in entry:
        return text == entry
    found = web_origin(text)
    if found is None:
        return False
    scheme, host, port = found
    wanted_scheme, _, rest = entry.partition("://")
    if scheme != wanted_scheme:
        return False
    wanted_host, wanted_port = rest, str(_PORTS[scheme])
    if not rest.endswith("]") and ":" in rest:
        wanted_host, _, wanted_port = rest.rpartition(":")
    if wanted_port not in ("*", str(port)):
        return False
    first, _, parent = wanted_host.partition(".")
    if first == "*":
        return host.endswith(f".{parent}") and len(host) > len(parent) + 1
    if "*" not in first:
        return host == wanted_host
    label, _, above = host.partition(".")
    prefix, _, suffix = first.partition("*")
    filling = label[len(prefix) : len(label) - len(suffix)]
    return (
        above == parent
        and len(label) > len(prefix) + len(suffix)
        and label.startswith(prefix)
        and label.endswith(suffix)
        and "_" not in filling
    )


def climbs(path: bytes) -> bool:
    """Whether some reader of `path` would resolve a segment of it away.

    Before they split the path, readers may decode it once, treat a backslash as a slash, and
    drop path parameters.
    """
    for read in (path, unquote_to_bytes(path)):
        for segment in re.split(rb"[/\\]", read):
            for part in (segment, segment.partition(b";")[0]):
                if re.fullmatch(rb"(?:\.|%2[eE]){1,2}", part):
                    return True
    return False


def head_of(data: bytes) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """Read a serialized head as a strict peer does; fails unless it is exactly one."""
    assert data.endswith(b"\r\n\r\n")
    assert data.count(b"\r\n\r\n") == 1
    assert b"\0" not in data
    first, *lines = data[:-4].split(b"\r\n")
    for line in (first, *lines):
        assert b"\r" not in line, line
        assert b"\n" not in line, line
    fields = []
    for line in lines:
        name, colon, value = line.partition(b":")
        assert colon, line
        assert re.fullmatch(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", name), line
        fields.append((name.lower(), value.strip(b" \t")))
    return first, fields


def values(fields: list[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    return [value for key, value in fields if key == name]
