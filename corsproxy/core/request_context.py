"""The context of a decision: one request, read once against one policy.

Everything that the decision, the refusals and the rewriting ask of a request is found
here, so that none of them reads it again or reads it differently.
"""

from typing import Final

from corsproxy.core import guard
from corsproxy.core.client_address import is_trusted
from corsproxy.core.connection_authentication import AUTHORIZATION
from corsproxy.core.cors import judge_origin
from corsproxy.core.fields import HOP_BY_HOP, managed_names, partition, split_list
from corsproxy.core.messages import RequestHead
from corsproxy.core.origins import parse_origin
from corsproxy.core.policy import CorsRules, Policy
from corsproxy.core.routing import find_route, parse_target
from corsproxy.core.source import Source
from corsproxy.core.verdicts import Code, Kind, Verdict

# What a proxy says of the client, the user that it has authenticated included; what a client
# sends of it counts only behind a trusted proxy.
FORWARDING_PREFIX: Final = b"x-forwarded-"
FORWARDING: Final = frozenset({b"forwarded", b"x-real-ip"})
SEC_FETCH: Final = frozenset(
    {
        b"sec-fetch-dest",
        b"sec-fetch-mode",
        b"sec-fetch-site",
        b"sec-fetch-storage-access",
        b"sec-fetch-user",
    }
)
# What a preflight asks for, in the order in which browsers send it.
ASKING: Final = (b"access-control-request-method", b"access-control-request-headers")
# The request fields that are read here and written anew for the upstream, or not at all.
_MANAGED: Final = managed_names(
    HOP_BY_HOP
    | FORWARDING
    | SEC_FETCH
    | {
        *ASKING,
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
    """A request with what reading it has told. Made once, then only read."""

    __slots__ = (
        "found",
        "origin",
        "passed",
        "passthrough",
        "policy",
        "request",
        "route",
        "rules",
        "target",
    )

    def __init__(self, policy: Policy, request: RequestHead) -> None:
        self.policy = policy
        self.request = request
        self.passed, self.found = partition(request.fields, _MANAGED)
        """The end-to-end lines that nobody manages, and the values of those that are."""
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
        """The Upgrade value to pass on, or None where the request asks for none.

        h2c is never passed on: behind it, requests would flow that nobody here looks at.
        A request with content cannot ask (its end and the new protocol's start would
        blur).
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
        """Whether the peer's own forwarding fields are to be believed."""
        return is_trusted(self.policy, self.request.client)

    @property
    def host(self) -> bytes:
        """The Host as received; empty where an HTTP/1.0 client sent none."""
        values = self.found.get(b"host")
        return values[0] if values else b""

    @property
    def public_host(self) -> bytes:
        """The Host that the browser used: behind a trusted proxy the one it reports, if it is
        one; else the Host that was received."""
        reported = self._reported(b"x-forwarded-host")
        return reported if reported and guard.parse_host(reported) is not None else self.host

    @property
    def is_secure(self) -> bool:
        """Whether the browser knows this proxy under https."""
        reported = self._reported(b"x-forwarded-proto").lower()
        if reported in (b"https", b"wss"):
            return True
        return self.request.secure and reported not in (b"http", b"ws")

    def _reported(self, name: bytes) -> bytes:
        """Return what a trusted proxy says; empty where it says nothing, or is not trusted.

        Of several members the last one is its own: those before it may be the client's.
        """
        values = self.found.get(name)
        if values is None or not self.is_trusted:
            return b""
        members = split_list(values)
        return members[-1] if members else b""

    def is_same_origin(self, origin: bytes) -> bool:
        """Whether the page is this proxy's own.

        A browser that says so itself (Fetch Metadata, 2.3) is believed in either direction:
        no page can set the field. Where it does not, Host is compared; with the scheme only
        where the browser is known to have come by https, because TLS may end in front of
        this listener.
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
    """Whether a page on `origin` is this proxy's own, which the browser knows under
    `authority`. The scheme counts only where `secure` says that it is https: TLS may end in
    front of this listener."""
    page = parse_origin(origin)
    own = guard.parse_host(authority)
    if page is None or own is None or page.scheme not in ("http", "https"):
        return False
    if page.scheme == "http" and secure:
        return False
    default = 443 if page.scheme == "https" else 80
    return (page.host, page.port or default) == (own.name, own.port or default)
