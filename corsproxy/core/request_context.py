"""The context of a decision: one request, read once against one policy.

The decision, the refusals and the rewriting all take what they need from here, so that none
of them reads the request again or reads it differently.
"""

from typing import Final

from corsproxy.core.client_address import is_trusted
from corsproxy.core.connection_authentication import AUTHORIZATION
from corsproxy.core.cors import judge_origin
from corsproxy.core.fields import HOP_BY_HOP, managed_names, partition, split_list
from corsproxy.core.guard import parse_host
from corsproxy.core.messages import Field, RequestHead
from corsproxy.core.origins import parse_origin
from corsproxy.core.policy import CorsRules, Policy
from corsproxy.core.routing import find_route, parse_target
from corsproxy.core.source import Source
from corsproxy.core.verdicts import Code, Kind, Verdict

# What proxies say about the client, including the user they have authenticated. Only trusted
# proxies are believed.
FORWARDING_PREFIX: Final = b"x-forwarded-"
FORWARDING: Final = frozenset({b"forwarded", b"x-real-ip"})
SEC_FETCH: Final[tuple[Field, ...]] = (
    (b"sec-fetch-dest", b"Sec-Fetch-Dest"),
    (b"sec-fetch-mode", b"Sec-Fetch-Mode"),
    (b"sec-fetch-site", b"Sec-Fetch-Site"),
    (b"sec-fetch-storage-access", b"Sec-Fetch-Storage-Access"),
    (b"sec-fetch-user", b"Sec-Fetch-User"),
)
"""Names as they are compared and as they are written, as in the next table."""
# What a preflight asks for, in the order in which browsers send it.
ASKING: Final[tuple[Field, ...]] = (
    (b"access-control-request-method", b"Access-Control-Request-Method"),
    (b"access-control-request-headers", b"Access-Control-Request-Headers"),
)
# Request fields that are read here; the upstream gets them rewritten, or not at all.
_MANAGED: Final = managed_names(
    HOP_BY_HOP
    | FORWARDING
    | {
        *(key for key, _ in (*SEC_FETCH, *ASKING)),
        AUTHORIZATION,
        b"content-length",
        b"cookie",
        b"expect",
        b"host",
        b"max-forwards",
        b"origin",
        b"referer",
        b"via",
    },
    FORWARDING_PREFIX,
)


class RequestContext:
    """A request and what was read in it. Immutable."""

    __slots__ = (
        "found", "origin", "passed", "passthrough", "policy", "request", "route", "rules",
        "target",
    )  # fmt: skip

    def __init__(self, policy: Policy, request: RequestHead) -> None:
        self.policy = policy
        self.request = request
        self.passed, self.found = partition(request.fields, _MANAGED)
        """The field lines to pass on, and the values of the managed fields by name."""
        self.target = parse_target(request.target)
        self.route = None if self.target is None else find_route(policy, self.target.path)
        self.rules: CorsRules = policy.default_cors
        self.passthrough = False
        """Whether the upstream answers CORS itself."""
        if self.route is not None:
            if isinstance(self.route.cors, CorsRules):
                self.rules = self.route.cors
            else:
                self.passthrough = True
        self.origin = judge_origin(self.rules, self.found.get(b"origin"))

    @property
    def kind(self) -> Kind:
        if self.is_preflight:
            return Kind.PREFLIGHT
        if self.upgrade is not None:
            return Kind.WEBSOCKET
        return Kind.NO_ORIGIN if self.origin.value is None else Kind.ACTUAL

    @property
    def is_preflight(self) -> bool:
        """Fetch, "CORS-preflight request"; decided by the fields as received."""
        return (
            self.request.method == "OPTIONS"
            and self.origin.value is not None
            and b"access-control-request-method" in self.found
        )

    @property
    def upgrade(self) -> bytes | None:
        """The Upgrade value to pass on; None if the request does not ask to switch protocols.

        h2c is never passed on: the requests that follow would pass unchecked. A request with
        content cannot switch, because it would be unclear where the new protocol begins.
        """
        protocols = self.found.get(b"upgrade")
        if protocols is None or self.request.minor_version == 0 or self.request.method != "GET":
            return None
        found = self.found
        if b"transfer-encoding" in found or found.get(b"content-length", [b"0"]) != [b"0"]:
            return None
        connection = split_list(found.get(b"connection", ()))
        if all(token.lower() != b"upgrade" for token in connection):
            return None
        names = [name.partition(b"/")[0].lower() for name in split_list(protocols)]
        if not names or any(name in (b"h2c", b"http", b"tls") for name in names):
            return None
        return b", ".join(protocols)

    @property
    def is_trusted(self) -> bool:
        """Whether the peer is a trusted proxy, whose forwarding fields are believed."""
        return is_trusted(self.policy, self.request.client)

    @property
    def host(self) -> bytes:
        """The Host as received; empty if an HTTP/1.0 client sent none."""
        values = self.found.get(b"host")
        return values[0] if values else b""

    @property
    def public_host(self) -> bytes:
        """The Host that the browser used: the one that a trusted proxy reports, if it is
        well-formed; else the Host that was received."""
        reported = self._reported(b"x-forwarded-host")
        return reported if reported and parse_host(reported) is not None else self.host

    @property
    def is_secure(self) -> bool:
        """Whether the browser reaches this proxy by https."""
        reported = self._reported(b"x-forwarded-proto")
        if not reported:
            return self.request.secure
        scheme = reported.lower()
        return scheme in (b"https", b"wss") or (
            self.request.secure and scheme not in (b"http", b"ws")
        )

    def _reported(self, name: bytes) -> bytes:
        """Return what a trusted proxy says; empty if it says nothing, or is not trusted.

        Of several members it wrote only the last: the others may be the client's.
        """
        values = self.found.get(name)
        if values is None or not self.is_trusted:
            return b""
        members = split_list(values)
        return members[-1] if members else b""

    def is_same_origin(self, origin: bytes) -> bool:
        """Whether the page is this proxy's own.

        Sec-Fetch-Site decides if it is there (Fetch Metadata, 2.3), because no page can set it.
        Otherwise Host is compared. The scheme is compared only if the browser is known to use
        https, because TLS may end in front of this listener.
        """
        sites = self.found.get(b"sec-fetch-site")
        if sites is not None:
            return sites == [b"same-origin"] or sites == [b"none"]
        return is_own(origin, self.public_host, self.is_secure)

    def verdict(self, code: Code, allowed: bool, at: Source | None, subject: str = "") -> Verdict:
        """Return a verdict about this context."""
        name = None if self.route is None else self.route.name
        return Verdict(self.kind, code, allowed, name, at, subject)


def is_own(origin: bytes, authority: bytes, secure: bool) -> bool:
    """Whether a page on `origin` is this proxy's own, which browsers call `authority`. The
    scheme is compared only if `secure`: TLS may end in front of this listener."""
    own = parse_host(authority)
    # Most pages are on another host, and need no further look.
    start = len("http://") if origin[4:5] == b":" else len("https://")
    if own is None or not origin[start:].startswith(own.name.encode("ascii")):
        return False
    page = parse_origin(origin)
    if page is None or page.scheme not in ("http", "https"):
        return False
    if page.scheme == "http" and secure:
        return False
    default = 443 if page.scheme == "https" else 80
    return (page.host, page.port or default) == (own.name, own.port or default)
