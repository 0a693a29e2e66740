"""`listen` and `admin`: texts -> addresses that can all be bound together.

Each is a `host:port`; `https://` in front of it makes a listener speak TLS.
"""

import re
from collections.abc import Iterable
from dataclasses import replace

from corsproxy.config.findings import Findings, Value
from corsproxy.config.hosts import parse_host, parse_port
from corsproxy.config.mistakes import BadValueError, checked
from corsproxy.config.section import Section
from corsproxy.config.yaml.nodes import Sequence
from corsproxy.core.origins.hosts import is_loopback
from corsproxy.core.policy import ListenAddress
from corsproxy.core.source import DEFAULT, Source

_LISTEN_PORT = 8010
ADMIN_PORT = 8011
DEFAULT_LISTEN = (ListenAddress("localhost", _LISTEN_PORT),)
DEFAULT_ADMIN = ListenAddress("localhost", ADMIN_PORT)

_MOST_ADDRESSES = 64

_HOST_PORT = re.compile(r"(\[[^\]]*\]|[^:\[\]]*):([^:]*)", re.DOTALL)
_PORT = re.compile(r"[0-9]{1,5}")
_WITH_PORT = re.compile(r"[^:\[\]]+:[0-9]{1,5}")
_TWO_PORTS = "this must be `address:port`, not two ports"
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/]*)(?:/.*)?", re.DOTALL)
_HTTPS = re.compile(r"https://(?!/)", re.IGNORECASE)
_LIKE_OFF = frozenset({"off", "false", "no", "none", "disabled"})
_LIKE_ON = frozenset({"on", "true", "yes", "enabled"})


def parse_listen(text: str, source: Source = DEFAULT) -> ListenAddress:
    """Return the address that `text`, `[https://]host:port`, names.

    A port alone is one of this machine: `localhost`. Raises BadValueError.
    """
    scheme = _HTTPS.match(text)
    if scheme is None:
        return ListenAddress(*parse_host_and_port(text), source)
    try:
        host, port = parse_host_and_port(text[scheme.end() :])
    except BadValueError as mistake:
        if mistake.suggestion is not None:
            mistake.suggestion = f"https://{mistake.suggestion}"
        raise
    return ListenAddress(host, port, source, https=True)


@checked
def parse_host_and_port(text: str, likely_port: int = _LISTEN_PORT) -> tuple[str, int]:
    """Return the host, IPv6 without brackets, and the port. Raises BadValueError, which suggests
    `likely_port` where the port is missing."""
    if text.isascii() and text.isdigit():
        return "localhost", parse_port(text, zero=True)
    parts = _HOST_PORT.fullmatch(text)
    if parts is not None and _PORT.fullmatch(parts[1]):
        # The two ports of a container; `0.0.31.144` is what a URL with the number would mean.
        help = f"write the port to listen on: `{parts[1]}`"
        raise BadValueError("bad-host", _TWO_PORTS, help, parts[1])
    if parts is None or not parts[1] or "*" in parts[1] or "/" in text:
        message, help, likely = _explain(text, likely_port)
        raise BadValueError("bad-listen", message, help, likely)
    try:
        host = parse_host(parts[1])
    except BadValueError as mistake:
        if mistake.suggestion is not None:
            mistake.suggestion = f"{mistake.suggestion}:{parts[2]}"
        raise
    try:
        port = parse_port(parts[2], zero=True)
    except BadValueError as mistake:
        if mistake.suggestion is not None:
            mistake.suggestion = f"{parts[1]}:{mistake.suggestion}"
        raise
    return host.strip("[]"), port


def _explain(text: str, port: int) -> tuple[str, str, str | None]:
    """Return what is wrong with a text that is no address, what to do, and a likely one."""
    url = _URL.fullmatch(text)
    if url is not None and url[1].lower() == "https":
        help = "the admin listener speaks plain http; write host and port alone"
        return "https is for `listen`", help, url[2]
    if url is not None:
        return "this must be an address, not a URL", "write host and port alone", url[2]
    if text.startswith("unix:"):
        return "sockets are not served", "write `host:port`", None
    if text.startswith(":") and text.count(":") == 1:
        help = f"write `localhost{text}` for this machine, or `0.0.0.0{text}` for all networks"
        return "the host is missing", help, f"localhost{text}"
    if text.startswith("*:"):
        help = "write `0.0.0.0` for every IPv4 address, `[::]` for every IPv6 address"
        return "an address has no wildcard", help, f"0.0.0.0{text[1:]}"  # noqa: S104
    if "/" in text:
        return "an address has no path", "write host and port alone", text.partition("/")[0]
    if text.count(":") > 1:
        address, _, last = text.rpartition(":")
        if _WITH_PORT.fullmatch(address):
            return _TWO_PORTS, f"write `{address}`", address
        help = f"write IPv6 addresses in brackets, as in `[::1]:{port}`"
        return "address and port cannot be told apart", help, f"[{address}]:{last}"
    help = "write `host:port`, or a port alone"
    is_host = re.match(r"[A-Za-z\[]|[0-9]+\.", text) and text.lower() not in _LIKE_ON
    likely = f"{text}:{port}" if is_host else None
    return "the port is missing", help, likely


def read_listen(top: Section) -> tuple[ListenAddress, ...]:
    """Return the file's `listen`."""
    found = top.listing("listen", "write `localhost:8010`")
    if found is None:
        return DEFAULT_LISTEN
    if isinstance(found.node, Sequence) and not found.node.items:
        help = "name an address, or remove the key for `localhost:8010`"
        top.findings.error("empty-list", found.node, "`listen` has no address", help)
    if len(found.values) > _MOST_ADDRESSES:
        message = f"`listen` names more than {_MOST_ADDRESSES} addresses"
        help = "`0.0.0.0` is every IPv4 address, `[::]` every IPv6 address"
        top.findings.error("out-of-range", found.node, message, help)
        return DEFAULT_LISTEN
    addresses = (_listen_address(top.findings, value) for value in found.values)
    return tuple(address for address in addresses if address is not None) or DEFAULT_LISTEN


def read_admin(top: Section) -> ListenAddress | None:
    """Return the file's `admin`; None where it is `off`."""
    if top.lacks("admin"):
        return DEFAULT_ADMIN
    value = top.value("admin", "write `off` to have none, or `localhost:8011`")
    if value is None or value.text == "off":
        return None
    if value.plain and value.text.lower() in _LIKE_OFF:
        message = "`admin`: to have no admin listener, write `off`"
        fix = "off" if value.literal else None
        top.findings.error("wrong-type", value.node, message, "write `off`", fix)
        return None
    try:
        host, port = parse_host_and_port(value.text, ADMIN_PORT)
    except BadValueError as mistake:
        if value.plain and value.text.lower() in _LIKE_ON:
            mistake.suggestion = DEFAULT_ADMIN.authority
        top.findings.mistake(value, mistake, "admin")
        return None
    return ListenAddress(host, port, top.findings.source(value.node))


def _listen_address(findings: Findings, value: Value) -> ListenAddress | None:
    address = findings.parsed(parse_listen, value, "listen")
    return None if address is None else replace(address, source=findings.source(value.node))


def is_on_loopback(address: ListenAddress) -> bool:
    """Whether only this machine can reach it."""
    return address.host == "::1" or is_loopback(address.host)


def read_inspector(top: Section, admin: ListenAddress | None) -> bool | None:
    """Return whether the file wants the inspector; None where it does not say."""
    if top.lacks("inspector"):
        return None
    wanted = top.flag("inspector", False)
    if wanted and (admin is None or not is_on_loopback(admin)):
        message = "the inspector shows what passes to this machine alone"
        where = "there is no admin listener" if admin is None else f"`admin` is {admin.authority}"
        help = "let `admin` be `localhost:8011`, or remove `inspector`"
        node = top.raw("inspector")
        top.findings.error("inspector-not-on-loopback", node, f"{message}: {where}", help)
    return wanted


def check_listeners(
    findings: Findings, listen: Iterable[ListenAddress], admin: ListenAddress | None
) -> None:
    """Report addresses that cannot be bound beside each other."""
    named = [("listen", address) for address in listen]
    if admin is not None:
        named.append(("admin", admin))
    taken: list[tuple[str, ListenAddress]] = []
    for key, address in named:
        for other_key, other in taken:
            if _collide(address, other):
                _report(findings, key, address, other_key, other)
                break
        taken.append((key, address))


def _report(
    findings: Findings, key: str, address: ListenAddress, other_key: str, other: ListenAddress
) -> None:
    # A default `admin` is not in the file, so the problem is reported where it collides.
    if not address.source.line:
        key, address, other_key, other = other_key, other, key, address
    if not address.source.line:
        return
    place = f"on line {other.source.line}" if other.source.line else "by default"
    help = "give each its own port"
    if key == other_key and address.host == other.host:
        help = "remove one of them"
    elif not other.source.line:
        help = f"give it another port, or give `{other_key}` one"
    message = f"`{key}`: {address.authority} is taken by `{other_key}` ({other.authority}) {place}"
    findings.at("error", "address-taken", address.source, message, help)


def _collide(one: ListenAddress, other: ListenAddress) -> bool:
    """Whether two listeners would take the same address; port 0 is a free one each time."""
    if one.port != other.port or not one.port:
        return False
    return any(
        mine == theirs
        or ("0.0.0.0" in (mine, theirs) and ":" not in mine + theirs)  # noqa: S104
        or ("::" in (mine, theirs) and ":" in mine and ":" in theirs)
        for mine in one.hosts
        for theirs in other.hosts
    )
