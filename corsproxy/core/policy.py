"""The policy: the compiled configuration, frozen, complete and shared by every request.

`config` builds it from a file, `cli` from a URL and flags; nothing else does. Times are
seconds, sizes are bytes, None is "no limit". Constructors trust what the reader of the
file has checked: a bad value here is a bug, never a user's mistake.

What follows from the fields and is needed by every request is worked out when a value is
made, in `__post_init__`. Those fields do not count when values are compared.
"""

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import Literal

from corsproxy.core.fields import CORS_SAFELISTED_REQUEST_HEADERS
from corsproxy.core.messages import Field
from corsproxy.core.methods import CORS_SAFELISTED_METHODS, FORBIDDEN_METHODS, FORWARDED_METHODS
from corsproxy.core.origins import OriginSet
from corsproxy.core.path_readings import path_readings
from corsproxy.core.source import DEFAULT, Source

OriginToUpstream = Literal["rewrite", "keep", "remove"]
CookiesMode = Literal["auto", "keep"]
Forwarded = Literal["auto", "on", "off"]
Documents = Literal["keep", "sandbox"]
UnlistedOrigins = Literal["block", "forward"]
LogFormat = Literal["auto", "text", "json"]
LogRequests = Literal["all", "denied", "none"]

Site = bytes | str
"""An upstream without its base path: its origin, or the path of its Unix socket."""

DEFAULT_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
DEFAULT_REQUEST_HEADERS = ("content-type", "authorization")


def _derive(value: object, **derived: object) -> None:
    """Set the derived fields of a frozen value; to be called from `__post_init__`."""
    for name, each in derived.items():
        object.__setattr__(value, name, each)


def _ascii(text: str) -> bytes:
    return text.encode("ascii")


@dataclass(frozen=True)
class Listed:
    """A list of names as the file gives it: the members, or every name (`"*"`)."""

    names: tuple[str, ...]
    any: bool = False
    source: Source = DEFAULT
    """Where the list is written: the value node; where the key is missing, the `cors`
    mapping that lacks it, or DEFAULT."""


@dataclass(frozen=True)
class CorsRules:
    """What a `cors:` mapping says, defaults filled in, and what follows from it.

    `methods.names` are as the browser would send them (the six methods that Fetch
    normalises in upper case, all others as written); header names are in lower case.
    """

    origins: OriginSet
    methods: Listed = Listed(DEFAULT_METHODS)
    request_headers: Listed = Listed(DEFAULT_REQUEST_HEADERS)
    expose_headers: Listed = Listed(())
    credentials: bool = False
    max_age: int | None = None
    """Seconds; None sends no Access-Control-Max-Age, 0 sends 0."""
    unlisted_origins: UnlistedOrigins = "block"
    source: Source = DEFAULT
    """Where the `cors` mapping is written."""
    credentials_source: Source = DEFAULT
    """Where allow_credentials is written, or the mapping that lacks it."""
    max_age_source: Source = DEFAULT
    """Where max_age is written, or the mapping that lacks it."""
    unlisted_origins_source: Source = DEFAULT
    """Where unlisted_origins is written, or the mapping that lacks it."""

    allowed_methods: frozenset[bytes] = field(init=False, repr=False, compare=False)
    """The methods that a preflight may name; compared by bytes (Fetch)."""
    allowed_request_headers: frozenset[bytes] = field(init=False, repr=False, compare=False)
    """The lower-case names that a preflight may name."""
    credentials_fields: tuple[Field, ...] = field(init=False, repr=False, compare=False)
    actual_fields: tuple[Field, ...] = field(init=False, repr=False, compare=False)
    """The grant of an actual response without Access-Control-Allow-Origin, and
    without the names to expose where they depend on the response."""
    allow_methods_value: bytes = field(init=False, repr=False, compare=False)
    """The configured methods as Access-Control-Allow-Methods has them."""
    allow_headers_value: bytes = field(init=False, repr=False, compare=False)
    max_age_fields: tuple[Field, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        methods = {*self.methods.names, *CORS_SAFELISTED_METHODS} - FORBIDDEN_METHODS
        allowed = FORWARDED_METHODS if self.methods.any else methods
        headers = frozenset(_ascii(name) for name in self.request_headers.names)
        credentials: list[Field] = []
        if self.credentials:
            credentials.append((b"Access-Control-Allow-Credentials", b"true"))
        actual = list(credentials)
        if self.expose_headers.names and not self.expose_headers.any:
            exposed = _ascii(", ".join(self.expose_headers.names))
            actual.append((b"Access-Control-Expose-Headers", exposed))
        max_age: list[Field] = []
        if self.max_age is not None:
            max_age.append((b"Access-Control-Max-Age", b"%d" % self.max_age))
        _derive(
            self,
            allowed_methods=frozenset(_ascii(name) for name in allowed),
            allowed_request_headers=headers | CORS_SAFELISTED_REQUEST_HEADERS,
            credentials_fields=tuple(credentials),
            actual_fields=tuple(actual),
            allow_methods_value=_ascii(", ".join(self.methods.names)),
            allow_headers_value=_ascii(", ".join(self.request_headers.names)),
            max_age_fields=tuple(max_age),
        )


@dataclass(frozen=True)
class Tls:
    """How a TLS connection to an upstream is made. Paths are absolute."""

    verify: bool = True
    ca_file: str | None = None
    """PEM; added to the system's authorities, never instead of them."""
    cert_file: str | None = None
    key_file: str | None = None
    server_name: str | None = None
    """SNI and the name that the certificate must carry; None: the upstream's host."""

    @property
    def files(self) -> tuple[str, ...]:
        """The paths that are set."""
        return tuple(filter(None, (self.ca_file, self.cert_file, self.key_file)))


@dataclass(frozen=True)
class Timeouts:
    """A route's bounds on waiting for its upstream, in seconds; None never ends."""

    connect: float | None = 5.0
    response: float | None = 60.0
    idle: float | None = 300.0


@dataclass(frozen=True)
class UpstreamAddress:
    """Where an upstream is. Equal addresses with equal `Tls` share connections."""

    scheme: Literal["http", "https"]
    host: str
    """A name in punycode, an IPv4 address, or an IPv6 address without brackets.
    Empty for a Unix socket."""
    port: int
    base: bytes = b""
    """The path of the upstream URL without its trailing slash: b"" or b"/v2"."""
    socket_path: str | None = None
    """The Unix socket's path; `scheme` is then "http"."""
    ends_with_slash: bool = False
    """Whether the upstream URL's path was written with a slash at its end: /v2/."""

    authority: bytes = field(init=False, repr=False, compare=False)
    """host[:port] as the Host field has it: no default port, IPv6 in brackets."""
    origin: bytes = field(init=False, repr=False, compare=False)
    """The origin that this upstream's own pages would have (Fetch, serialised)."""

    def __post_init__(self) -> None:
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = 443 if self.scheme == "https" else 80
        authority = _ascii(host if self.port == default else f"{host}:{self.port}")
        if self.socket_path is not None:
            authority = b"localhost"
        _derive(self, authority=authority, origin=_ascii(self.scheme) + b"://" + authority)

    @property
    def root(self) -> bytes:
        """The path for requests to the base itself, as the URL was written."""
        return self.base + b"/" if self.ends_with_slash else self.base

    @property
    def site(self) -> Site:
        """What upstreams that differ only in their base path share."""
        return self.origin if self.socket_path is None else self.socket_path

    def __str__(self) -> str:
        if self.socket_path is not None:
            return f"unix:{self.socket_path}"
        return (self.origin + self.root).decode("ascii")


@dataclass(frozen=True)
class HeaderRules:
    """A user's `request_headers` or `response_headers`: set replaces, remove deletes.

    Names match as CGI reads them (RFC 3875, 4.1.18): without case, "_" as "-".
    """

    set: tuple[Field, ...] = ()
    """Names as written, values as bytes."""
    remove: frozenset[bytes] = frozenset()
    """Names in lower case."""
    source: Source = DEFAULT
    """Where the rules are written."""


@dataclass(frozen=True)
class Route:
    """A path prefix, and how the requests under it are treated."""

    name: str
    path: bytes
    """Starts with "/", has no trailing slash but for "/" itself; whole segments."""
    upstream: UpstreamAddress
    cors: CorsRules | Literal["passthrough"]
    strip_path: bool = False
    preserve_host: bool = False
    origin: OriginToUpstream = "rewrite"
    """What the upstream sees as Origin. The reader has filled in the default, which is
    "keep" with preserve_host or passthrough."""
    cookies: CookiesMode = "auto"
    forwarded: Forwarded = "auto"
    """Whether X-Forwarded-Host and -Proto are sent; "auto" does so with `preserve_host`."""
    documents: Documents = "keep"
    """How pages that browsers navigate to are treated: "sandbox" gives them an opaque origin,
    so that they cannot act as pages of the other routes."""
    request_headers: HeaderRules = HeaderRules()
    response_headers: HeaderRules = HeaderRules()
    timeout: Timeouts = Timeouts()
    tls: Tls = Tls()
    source: Source = DEFAULT
    upstream_source: Source = DEFAULT
    """Where the value of `upstream` is written."""
    mount: bytes = b""
    """The prefix of `path` under which the proxy is mounted in another application. Upstreams
    never see it."""
    is_short: bool = field(default=False, compare=False)
    """Whether it is `upstream` at the top of the file, which has no room for further keys."""

    @property
    def stripped(self) -> bytes:
        """The prefix of every request's path that the upstream does not see."""
        return self.path if self.strip_path and self.path != b"/" else self.mount

    @property
    def tells_public_address(self) -> bool:
        """Whether X-Forwarded-Host and -Proto tell the address that the browser called."""
        return self.forwarded == "on" or (self.forwarded == "auto" and self.preserve_host)


@dataclass(frozen=True)
class Limits:
    """Bounds of the listener and of the upstream connections (seconds, bytes, counts)."""

    head_timeout: float = 10.0  # the client's whole head
    body_timeout: float = 30.0  # between bytes of the client's body
    write_timeout: float = 60.0  # a client that does not read
    keepalive_timeout: float = 75.0  # an idle client connection
    upstream_keepalive: float = 30.0  # an idle upstream connection
    upstream_max_age: float = 60.0  # one to an address that the upstream's name has left
    queue_timeout: float = 5.0  # waiting for one of `in_flight`
    target: int = 8 * 1024
    field: int = 32 * 1024  # one field line
    field_section: int = 64 * 1024
    fields: int = 128
    upstream_field_section: int = 64 * 1024
    body: int | None = None  # a request's content
    connections: int | None = None
    """Client connections; None: 4,096 or 80 % of the descriptors / 2, the smaller."""
    in_flight: int = 1024  # requests per upstream


@dataclass(frozen=True)
class Log:
    format: LogFormat = "auto"
    requests: LogRequests = "all"
    quiet: bool = False
    """Whether successful requests are not logged; set only on the command line."""


@dataclass(frozen=True)
class Typed:
    """The flags typed on the command line beside the upstream, for repeating them in hints."""

    flags: tuple[str, ...] = ()
    for_init: tuple[str, ...] = ()
    """Those that `corsproxy init` takes."""


@dataclass(frozen=True)
class ListenAddress:
    """A `host:port` to listen on. "localhost" is 127.0.0.1 and ::1; port 0 is a free one."""

    host: str
    port: int
    source: Source = DEFAULT
    https: bool = False

    @property
    def hosts(self) -> tuple[str, ...]:
        """The addresses to bind, IPv6 without brackets."""
        return ("127.0.0.1", "::1") if self.host == "localhost" else (self.host,)

    @property
    def authority(self) -> str:
        """host:port, IPv6 in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def scheme(self) -> Literal["http", "https"]:
        return "https" if self.https else "http"

    def __str__(self) -> str:
        return f"https://{self.authority}" if self.https else self.authority


@dataclass(frozen=True)
class ListenerTls:
    """The certificate of the https listeners and its key. Paths are absolute."""

    cert_file: str
    """PEM: the listener's certificate first, then those between it and a root."""
    key_file: str
    source: Source = DEFAULT


@dataclass(frozen=True)
class Policy:
    """The whole configuration, compiled."""

    routes: tuple[Route, ...]
    default_cors: CorsRules
    """Decides about requests that no route takes, and about errors before routing."""
    listen: tuple[ListenAddress, ...] = (ListenAddress("localhost", 8010),)
    admin: ListenAddress | None = ListenAddress("localhost", 8011)
    allowed_hosts: frozenset[str] = frozenset()
    """Names in lower case, without ports; those that are always allowed are not here."""
    any_host: bool = False
    """`allowed_hosts: "*"`: the Host check is off."""
    allowed_hosts_source: Source = DEFAULT
    limits: Limits = Limits()
    log: Log = Log()
    shutdown_grace: float = 10.0
    drain_delay: float = 0.0
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    listener_tls: ListenerTls | None = None
    """The certificate of the https listeners; None: a local authority's, on loopback."""
    http2: bool = True
    """Whether https listeners offer HTTP/2 too."""
    inspector: bool | None = None
    """Whether the admin listener has the inspector; None: only at a terminal."""
    via: str | None = "corsproxy"
    """The pseudonym in Via, unique to this process so that it finds loops; None: no Via."""
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    """Values that came from ${...} in header rules: never printed."""
    typed: Typed | None = Typed()
    """What hints repeat where there is no file; None if they may not, because of secrets."""

    routes_by_path: dict[bytes, Route] = field(init=False, repr=False, compare=False)
    routes_by_reading: dict[bytes, Route] = field(init=False, repr=False, compare=False)
    """The routes by every way in which a back end may read their paths."""
    link_bases: dict[Site, list[Route]] = field(init=False, repr=False, compare=False)
    """The routes to each upstream, the most specific first."""
    longest_path: int = field(init=False, repr=False, compare=False)
    """The length of the longest route path: no longer prefix can match."""
    pseudonym: bytes = field(init=False, repr=False, compare=False)
    """`via` as it stands in the Via field."""

    def __post_init__(self) -> None:
        by_path = {route.path: route for route in self.routes}
        read = {reading: route for route in self.routes for reading in path_readings(route.path)}
        bases: dict[Site, list[Route]] = {}
        for route in sorted(self.routes, key=_upstream_prefix, reverse=True):
            bases.setdefault(route.upstream.site, []).append(route)
        _derive(
            self,
            routes_by_path=by_path,
            routes_by_reading=read | by_path,
            link_bases=bases,
            longest_path=max((len(route.path) for route in self.routes), default=0),
            pseudonym=_ascii(self.via or ""),
        )


def _upstream_prefix(route: Route) -> int:
    """Return the length of the prefix that all paths sent through `route` have."""
    kept = 0 if route.strip_path else len(route.path) - len(route.mount)
    return len(route.upstream.base) + kept
