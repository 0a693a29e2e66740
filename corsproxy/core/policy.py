"""The policy: the compiled configuration, frozen, complete and shared by every request.

`config` builds it from a file, `cli` from a URL and flags; nothing else does. Times are
seconds, sizes are bytes, None is "no limit". Constructors assume what the reader of the
file has checked: a bad value here is a bug of ours, never a user's mistake.
"""

from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network
from typing import Literal

from corsproxy.core.fields import CORS_SAFELISTED_REQUEST_HEADERS, NameTable
from corsproxy.core.messages import Field
from corsproxy.core.methods import CORS_SAFELISTED_METHODS, FORBIDDEN_METHODS, FORWARDED_METHODS
from corsproxy.core.origins import NearMiss, OriginSet, near_misses
from corsproxy.core.readings import readings
from corsproxy.core.source import DEFAULT, Source

OriginToUpstream = Literal["rewrite", "keep", "remove"]
CookiesMode = Literal["auto", "keep"]
Forwarded = Literal["auto", "on", "off"]
Documents = Literal["keep", "sandbox"]
UnlistedOrigins = Literal["block", "forward"]
LogFormat = Literal["auto", "text", "json"]
LogRequests = Literal["all", "denied", "none"]

Site = bytes | str
"""An upstream whatever its base: its origin, or the path of its Unix socket."""

DEFAULT_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
DEFAULT_REQUEST_HEADERS = ("content-type", "authorization")


@dataclass(frozen=True, slots=True)
class Listed:
    """A list of names as the file gives it: the members, or every name (`"*"`)."""

    names: tuple[str, ...]
    any: bool = False
    source: Source = DEFAULT
    """Where the list is written: the value node; where the key is missing, the `cors`
    mapping that lacks it, or DEFAULT."""


# Refused origins whose near misses are remembered.
_MOST_REFUSED = 256


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

    @cached_property
    def allowed_methods(self) -> frozenset[bytes]:
        """The methods that a preflight may name; compared by bytes (Fetch)."""
        listed = {*self.methods.names, *CORS_SAFELISTED_METHODS} - FORBIDDEN_METHODS
        names = FORWARDED_METHODS if self.methods.any else listed
        return frozenset(name.encode("ascii") for name in names)

    @cached_property
    def near_misses(self) -> NameTable[tuple[NearMiss, ...]]:
        """The entries that a refused origin came close to. They are looked for once: the same
        few pages are refused again and again."""
        return NameTable(lambda origin: near_misses(origin, self.origins), _MOST_REFUSED)

    @cached_property
    def allowed_request_headers(self) -> frozenset[bytes]:
        """The lower-case names that a preflight may name."""
        names = frozenset(name.encode("ascii") for name in self.request_headers.names)
        return names | CORS_SAFELISTED_REQUEST_HEADERS

    @cached_property
    def credentials_fields(self) -> tuple[Field, ...]:
        if not self.credentials:
            return ()
        return ((b"Access-Control-Allow-Credentials", b"true"),)

    @cached_property
    def actual_fields(self) -> tuple[Field, ...]:
        """The grant of an actual response without Access-Control-Allow-Origin, and
        without the names to expose where they depend on the response."""
        if self.expose_headers.any or not self.expose_headers.names:
            return self.credentials_fields
        exposed = ", ".join(self.expose_headers.names).encode("ascii")
        return (*self.credentials_fields, (b"Access-Control-Expose-Headers", exposed))

    @cached_property
    def allow_methods_value(self) -> bytes:
        """The configured methods as Access-Control-Allow-Methods has them."""
        return ", ".join(self.methods.names).encode("ascii")

    @cached_property
    def allow_headers_value(self) -> bytes:
        return ", ".join(self.request_headers.names).encode("ascii")

    @cached_property
    def max_age_fields(self) -> tuple[Field, ...]:
        if self.max_age is None:
            return ()
        return ((b"Access-Control-Max-Age", str(self.max_age).encode("ascii")),)


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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

    @cached_property
    def authority(self) -> bytes:
        """host[:port] as the Host field has it: no default port, IPv6 in brackets."""
        if self.socket_path is not None:
            return b"localhost"
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = 443 if self.scheme == "https" else 80
        return (host if self.port == default else f"{host}:{self.port}").encode("ascii")

    @cached_property
    def origin(self) -> bytes:
        """The origin that a page of this upstream would have (Fetch, serialised)."""
        return self.scheme.encode("ascii") + b"://" + self.authority

    @property
    def root(self) -> bytes:
        """What a request for the base itself asks for, as the URL was written."""
        return self.base + b"/" if self.ends_with_slash else self.base

    @property
    def site(self) -> Site:
        """What upstreams that differ only in their base share."""
        return self.origin if self.socket_path is None else self.socket_path

    def __str__(self) -> str:
        if self.socket_path is not None:
            return f"unix:{self.socket_path}"
        return (self.origin + self.root).decode("ascii")


@dataclass(frozen=True, slots=True)
class HeaderRules:
    """A user's `request_headers` or `response_headers`: set replaces, remove deletes.

    Names match as CGI reads them (RFC 3875, 4.1.18): without case, "_" as "-".
    """

    set: tuple[Field, ...] = ()
    """Names as written, values as bytes."""
    remove: frozenset[bytes] = frozenset()
    """Names in lower case."""


@dataclass(frozen=True, slots=True)
class Route:
    """A path prefix and what becomes of the requests under it."""

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
    """What becomes of pages that browsers navigate to: "sandbox" gives them an origin of
    their own, so that they are not pages of every other route's upstream, too."""
    request_headers: HeaderRules = HeaderRules()
    response_headers: HeaderRules = HeaderRules()
    timeout: Timeouts = Timeouts()
    tls: Tls = Tls()
    source: Source = DEFAULT
    mount: bytes = b""
    """With what `path` begins where the proxy is part of another application: the upstream never
    sees it."""
    is_short: bool = field(default=False, compare=False)
    """Whether it is `upstream` at the top of the file, where it has no keys of its own."""

    @property
    def stripped(self) -> bytes:
        """With what the path of each request begins that the upstream does not see."""
        return self.path if self.strip_path and self.path != b"/" else self.mount

    @property
    def tells_public_address(self) -> bool:
        """Whether X-Forwarded-Host and -Proto say by which address browsers know this proxy."""
        return self.forwarded == "on" or (self.forwarded == "auto" and self.preserve_host)


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Log:
    format: LogFormat = "auto"
    requests: LogRequests = "all"
    quiet: bool = False
    """Whether what goes well has no line; only the command line says so."""


@dataclass(frozen=True, slots=True)
class Typed:
    """The flags that the command line has beside the upstream, to be typed again."""

    flags: tuple[str, ...] = ()
    for_init: tuple[str, ...] = ()
    """Those of them that `corsproxy init` takes."""


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """A `host:port` to listen on. "localhost" is 127.0.0.1 and ::1; port 0 is a free one."""

    host: str
    port: int
    source: Source = DEFAULT
    https: bool = False

    @property
    def authority(self) -> str:
        """host:port, IPv6 in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def scheme(self) -> Literal["http", "https"]:
        return "https" if self.https else "http"

    def __str__(self) -> str:
        return f"https://{self.authority}" if self.https else self.authority


@dataclass(frozen=True, slots=True)
class ListenerTls:
    """The certificate of the https listeners and its key. Paths are absolute."""

    cert_file: str
    """PEM: the listener's certificate first, then those between it and a root."""
    key_file: str
    source: Source = DEFAULT


@dataclass(frozen=True)
class Policy:
    """Everything the product was told, compiled."""

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
    """Whether the admin listener has the inspector; None: where somebody is at a terminal."""
    via: str | None = "corsproxy"
    """The pseudonym in Via, unique to this process so that it finds loops; None: no Via."""
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    """Values that came from ${...} in header rules: never printed."""
    typed: Typed | None = Typed()
    """What a hint without a file repeats; None where it may not, because it holds secrets."""

    @cached_property
    def routes_by_path(self) -> dict[bytes, Route]:
        return {route.path: route for route in self.routes}

    @cached_property
    def routes_by_reading(self) -> dict[bytes, Route]:
        """The routes by everything that a back end may make of their paths."""
        read = {reading: route for route in self.routes for reading in readings(route.path)}
        return read | self.routes_by_path

    @cached_property
    def pseudonym(self) -> bytes:
        """`via` as it stands in the Via field."""
        return (self.via or "").encode("ascii")

    @cached_property
    def link_bases(self) -> dict[Site, list[Route]]:
        """The routes to each upstream, those that reach the least of it first."""

        def upstream_prefix(route: Route) -> int:
            kept = 0 if route.strip_path else len(route.path) - len(route.mount)
            return len(route.upstream.base) + kept

        bases: dict[Site, list[Route]] = {}
        for route in sorted(self.routes, key=upstream_prefix, reverse=True):
            bases.setdefault(route.upstream.site, []).append(route)
        return bases

    @cached_property
    def longest_path(self) -> int:
        """The length of the longest route path: no longer prefix can match."""
        return max((len(route.path) for route in self.routes), default=0)
