"""`upstream`: a URL of http or https, or a Unix socket -> `UpstreamAddress`."""

import re

from corsproxy.config.hosts import parse_host, parse_port
from corsproxy.config.mistakes import BadValueError, checked
from corsproxy.core.policy import UpstreamAddress

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(/*)([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?", re.DOTALL)
_HOST_PORT = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(?::(.*))?", re.DOTALL)
# RFC 3986, 3.3: path-abempty, its segments not empty.
_BASE = re.compile(r"(?:/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})+)*")
# A segment that is a wildcard in other products: /**, /:path*, /{proxy+}, /(.*), /$1.
_PATTERN = re.compile(r"/(?:[^/]*[*{}^]|:|\$\d|\(\.).*", re.DOTALL)
_DOTS = frozenset({".", "..", "%2e", "%2e%2e", ".%2e", "%2e."})
_LONGEST_SOCKET_PATH = 107  # bytes, without the final NUL (unix(7))
_LONGEST = 2048

_DEFAULT_PORTS = {"http": 80, "https": 443}


@checked
def parse_upstream(text: str) -> UpstreamAddress:
    """Return where an upstream is.

    Raises BadValueError; no message repeats the text, which may hold a password.
    """
    if not text:
        raise BadValueError("bad-upstream", "the URL is empty", "write `https://api.example.com`")
    if len(text) > _LONGEST:
        raise BadValueError("bad-upstream", f"the URL is longer than {_LONGEST} characters")
    if re.search(r"[\s\x00-\x1f\x7f]", text):
        message = "a URL has no white space and no control characters"
        raise BadValueError("bad-upstream", message, "remove them", text.strip())
    if text.startswith("unix:"):
        return _socket(text)
    if "\\" in text:
        suggestion = text.replace("\\", "/")
        raise BadValueError("bad-upstream", "a URL has no backslashes", "write slashes", suggestion)
    parts = _URL.fullmatch(text)
    if parts is None:
        raise _without_scheme(text)
    scheme, slashes, authority, path, query, fragment = parts.groups()
    scheme = scheme.lower()
    if scheme not in _DEFAULT_PORTS:
        raise _other_scheme(scheme, text) if slashes else _without_scheme(text)
    if slashes != "//":
        suggestion = f"{scheme}://{text[parts.end(2) :]}"
        raise BadValueError(
            "bad-upstream", "two slashes follow the scheme", "write `://`", suggestion
        )
    if "@" in authority:
        help = "send credentials in a field: `request_headers: {set: {Authorization: …}}`"
        raise BadValueError(
            "upstream-userinfo", "a user name or password in a URL is never sent", help
        )
    if query is not None or fragment is not None:
        what = "query" if query is not None else "fragment"
        help = "end it before that; each request brings its own query"
        raise BadValueError("bad-upstream", f"the URL has a {what}", help, text[: parts.end(4)])
    host, port = _authority(scheme, authority, path)
    return UpstreamAddress(
        "https" if scheme == "https" else "http",
        host,
        port,
        _base(text[: parts.end(3)], path),
        ends_with_slash=len(path) > 1 and path.endswith("/"),
    )


def _without_scheme(text: str) -> BadValueError:
    rest = text.lstrip("/")
    host = re.split(r"[:/]", rest)[0].lower()
    local = host in ("localhost", "") or host[-1:].isdigit() or "." not in host
    likely = (
        f"{'http' if local else 'https'}://{rest}" if rest and not text.startswith("/") else None
    )
    port = re.fullmatch(r":?([0-9]+)(/.*)?", text)
    if port is not None:
        likely = f"http://localhost:{port[1]}{port[2] or ''}"
    if text.startswith("//") and rest:
        likely = f"https://{rest}"
    help = "write `http://` or `https://` before the host, or `unix:/path` for a socket"
    return BadValueError("bad-upstream", "the scheme is missing", help, likely)


def _other_scheme(scheme: str, text: str) -> BadValueError:
    meant = {"ws": "http", "wss": "https"}.get(scheme)
    if meant is not None:
        help = f"write `{meant}://`: WebSockets and requests go to the same upstream"
        suggestion = f"{meant}{text[len(scheme) :]}"
        return BadValueError(
            "bad-upstream", "an upstream is reached by http or https", help, suggestion
        )
    help = "write an `http://` or `https://` URL, or `unix:/path`"
    return BadValueError("bad-upstream", "an upstream is reached by http, https or a socket", help)


def _authority(scheme: str, authority: str, path: str) -> tuple[str, int]:
    found = _HOST_PORT.fullmatch(authority)
    if found is None or (authority.count(":") > 1 and authority[0] != "["):
        help = "write IPv6 addresses in brackets, as in `http://[::1]:3000`"
        raise BadValueError("bad-upstream", "host and port cannot be told apart", help)
    host_text, port_text = found.groups()
    prefix = f"{scheme}://"
    try:
        host = parse_host(host_text)
    except BadValueError as mistake:
        if mistake.suggestion is not None:
            port = "" if port_text is None else f":{port_text}"
            mistake.suggestion = f"{prefix}{mistake.suggestion}{port}{path}"
        raise
    if host.endswith(".") and scheme == "https":
        help = "no certificate names a host with a trailing dot: remove it"
        likely = f"{prefix}{authority.replace(host_text, host_text[:-1], 1)}{path}"
        raise BadValueError("bad-host", "the host ends with a dot", help, likely)
    if port_text is None:
        return host.strip("[]"), _DEFAULT_PORTS[scheme]
    try:
        return host.strip("[]"), parse_port(port_text)
    except BadValueError as mistake:
        if mistake.suggestion is not None:
            mistake.suggestion = f"{prefix}{host_text}:{mistake.suggestion}{path}"
        elif not port_text:
            mistake.suggestion = f"{prefix}{host_text}{path}"
        raise


def _base(origin: str, path: str) -> bytes:
    base = path.removesuffix("/")
    pattern = _PATTERN.search(base)
    if pattern is not None:
        message = "an upstream is an address, not a pattern"
        help = "every path goes below it: write it without the wildcard"
        raise BadValueError("bad-upstream", message, help, origin + base[: pattern.start()])
    if any(segment.lower() in _DOTS for segment in base.split("/")):
        help = "write the path that they lead to"
        raise BadValueError("bad-upstream", "the path has dot segments", help)
    if _BASE.fullmatch(base) is None:
        if "//" in base:
            suggestion = origin + re.sub("/+", "/", base)
            raise BadValueError(
                "bad-upstream", "the path has an empty segment", "write single slashes", suggestion
            )
        help = "write other characters percent-encoded, as in `/caf%C3%A9`"
        raise BadValueError("bad-upstream", "the path has characters that URLs do not have", help)
    return base.encode("ascii")


def _socket(text: str) -> UpstreamAddress:
    path = text.removeprefix("unix:")
    if not path.startswith("/") or path.startswith("//"):
        suggestion = (
            f"unix:/{path.lstrip('/')}" if path.startswith("//") and path.strip("/") else None
        )
        help = "write it like `unix:/run/api.sock`"
        raise BadValueError("bad-upstream", "a socket's path is absolute", help, suggestion)
    if path.endswith("/") or len(path.encode("utf-8", "surrogatepass")) > _LONGEST_SOCKET_PATH:
        help = f"name the socket itself, in at most {_LONGEST_SOCKET_PATH} bytes"
        raise BadValueError("bad-upstream", "this is not the path of a socket", help)
    return UpstreamAddress("http", "", 0, b"", path)
