"""The plan: what an engine has to do, made from the policy and the same for every engine.

It decides everything that the writers share: the policies and routes and their names, the
fields to remove from responses, the links to map back, and the common losses.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from corsproxy.core.origins import PatternKind
from corsproxy.core.origins.hosts import is_ipv4
from corsproxy.core.policy import CorsRules, ListenAddress, Policy, Route, Site, UpstreamAddress
from corsproxy.core.source import Source
from corsproxy.core.to_client import BOUND_TO_THE_UPSTREAM
from corsproxy.export import expressions, paths
from corsproxy.export.losses import ANY_PORT, Loss, Places, in_order, policy_losses

GRANT_FIELDS = tuple(
    f"Access-Control-{name}"
    for name in (
        "Allow-Origin", "Allow-Credentials", "Allow-Methods", "Allow-Headers",
        "Expose-Headers", "Max-Age", "Allow-Private-Network", "Allow-Local-Network",
    )
)  # fmt: skip
"""Response fields of CORS, which browsers would obey."""

ASKING_FIELDS = ("Access-Control-Request-Method", "Access-Control-Request-Headers")
SEC_FETCH_FIELDS = (
    "Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site", "Sec-Fetch-User",
    "Sec-Fetch-Storage-Access",
)  # fmt: skip
FORWARDING_FIELDS = (
    "Forwarded", "X-Real-IP", "X-Forwarded-By", "X-Forwarded-Host", "X-Forwarded-Port",
    "X-Forwarded-Prefix", "X-Forwarded-Proto", "X-Forwarded-Protocol", "X-Forwarded-Scheme",
    "X-Forwarded-Server", "X-Forwarded-Ssl", "X-Forwarded-Url", "X-Forwarded-User",
    "X-Forwarded-Email", "X-Forwarded-Groups", "X-Forwarded-Access-Token",
    "X-Forwarded-Preferred-Username",
)  # fmt: skip
"""What a client may not claim about itself; X-Forwarded-For is set anew."""
HOP_FIELDS = ("Keep-Alive", "Proxy-Authorization", "Proxy-Connection", "TE", "Trailer")
"""Request fields that belong to one connection."""

NOTHING = "a^"
"""Matches nothing."""

SANDBOX = "sandbox allow-scripts allow-forms"
NAVIGATIONS = ("document", "iframe", "frame", "embed", "object")


@dataclass(frozen=True)
class Cors:
    """A `cors:` mapping that routes share."""

    id: str
    rules: CorsRules
    source: Source

    @property
    def is_any(self) -> bool:
        return self.rules.origins.any is not None

    @cached_property
    def origins(self) -> tuple[tuple[str, str, Source], ...]:
        """An expression for each entry, the entry as written, and its place."""
        return tuple(
            (expressions.origin(pattern), pattern.text, pattern.source)
            for pattern in self.rules.origins.patterns
            if pattern.kind is not PatternKind.ANY
        )

    @cached_property
    def origin(self) -> str:
        """An expression for all of them; one that matches nothing if there are none."""
        return "|".join(expression for expression, _, _ in self.origins) or NOTHING

    @cached_property
    def has_wildcards(self) -> bool:
        """Whether an entry stands for several origins."""
        return any("*" in text for _, text, _ in self.origins)

    @property
    def longest(self) -> int:
        """The maximum length of an allowed origin."""
        exact = (len(p.text) for p in self.rules.origins.patterns if p.is_exact)
        return max((expressions.LONGEST_ORIGIN, *exact))


@dataclass(frozen=True)
class LinkRule:
    """A link in a response that leads back: its prefix at the upstream, and here."""

    site: str
    """The upstream's scheme and authority; empty for a path alone."""
    upstream_prefix: str
    client_prefix: str


@dataclass(frozen=True)
class RoutePlan:
    """A route, with everything that engines need to know about it."""

    id: str
    route: Route
    cors: Cors | None
    """None if the upstream answers CORS itself."""
    mappings: tuple[paths.Mapping, ...]
    links: tuple[LinkRule, ...]
    """The first that matches decides."""

    @property
    def path(self) -> str:
        return self.route.path.decode("ascii")

    @property
    def taken(self) -> str:
        return paths.taken(self.route)

    @property
    def read_as(self) -> str:
        return ".*" if self.path == "/" else paths.read_as(self.route)

    @property
    def note(self) -> str:
        """A comment."""
        return f"{at(self.route.source)}: route {self.route.name}"

    @property
    def origin(self) -> str:
        return self.route.upstream.origin.decode("ascii")

    @property
    def authority(self) -> str:
        return self.route.upstream.authority.decode("ascii")

    @property
    def address(self) -> str:
        """host:port of the upstream, its scheme's default port included."""
        return f"{bracketed(self.route.upstream.host)}:{self.route.upstream.port}"

    @property
    def longest_wait(self) -> float | None:
        """The longer one of timeout.response and timeout.idle."""
        waits = (self.route.timeout.response, self.route.timeout.idle)
        return None if None in waits else max(wait for wait in waits if wait is not None)

    @property
    def cookie_paths(self) -> tuple[str, str]:
        """What the Path of a cookie begins with at the upstream, and here."""
        here = self.client_prefix if self.route.strip_path else ""
        return self.route.upstream.base.decode("ascii"), here

    @property
    def forwards_host(self) -> bool:
        """Whether the upstream is told the public host and scheme."""
        return self.route.tells_public_address

    @property
    def forwards_client(self) -> bool:
        return self.route.forwarded != "off"

    @property
    def sandboxes(self) -> bool:
        return self.route.documents == "sandbox"

    @property
    def named(self) -> bool:
        """Whether the upstream's name has to be resolved."""
        upstream = self.route.upstream
        if upstream.socket_path is not None or ":" in upstream.host:
            return False
        return not is_ipv4(upstream.host)

    @property
    def client_prefix(self) -> str:
        return "" if self.path == "/" else self.path

    @property
    def upstream_prefix(self) -> str:
        """The path of the route at the upstream."""
        base = self.route.upstream.base.decode("ascii")
        return base if self.route.strip_path else base + self.client_prefix


@dataclass(frozen=True)
class Plan:
    """Everything that a writer needs."""

    file: str
    policy: Policy
    places: Places
    listen: tuple[ListenAddress, ...]
    cors: tuple[Cors, ...]
    routes: tuple[RoutePlan, ...]
    """Longest path first, so that the first one that takes a path is the route."""
    default: Cors
    """For paths that no route takes."""
    is_ambiguous_possible: bool
    losses: tuple[Loss, ...]
    """The losses of every engine."""

    def cors_of(self, route: RoutePlan) -> Cors:
        """Return the policy for refusals on a route."""
        return self.default if route.cors is None else route.cors

    @property
    def takes_everything(self) -> bool:
        return any(route.path == "/" for route in self.routes)

    @property
    def via(self) -> str | None:
        """What the engine adds to Via; None if nothing."""
        return None if self.policy.via is None else f"1.1 {self.policy.via}"

    @property
    def removed_from_responses(self) -> tuple[str, ...]:
        """Fields that bind browsers to the upstream's own host, or to this one."""
        names = {name.decode("ascii") for name in BOUND_TO_THE_UPSTREAM}
        return tuple(sorted(names | {"service-worker-allowed"}))

    @property
    def schemes(self) -> frozenset[str]:
        """The schemes under which browsers reach the engine."""
        return frozenset(address.scheme for address in self.listen)


def make_plan(policy: Policy, file: str, found: Mapping[str, Source]) -> Plan:
    """Return the plan for a policy. `found` are the places of the file's keys."""
    places = Places(file, found)
    known: list[Cors] = []
    default = _cors(known, policy.default_cors)
    ordered = sorted(policy.routes, key=lambda route: (-len(route.path), route.path))
    planned = [
        RoutePlan(
            f"r{number}",
            route,
            None if isinstance(route.cors, str) else _cors(known, route.cors),
            paths.mappings(route),
            _links(policy, route),
        )
        for number, route in enumerate(ordered, 1)
    ]
    return Plan(
        file,
        policy,
        places,
        _listen(policy),
        tuple(known),
        tuple(planned),
        default,
        paths.may_be_ambiguous(policy),
        in_order(policy_losses(policy, places)),
    )


def _cors(known: list[Cors], rules: CorsRules) -> Cors:
    for cors in known:
        if cors.rules is rules or cors.rules == rules:
            return cors
    known.append(Cors(f"c{len(known) + 1}", rules, rules.source))
    return known[-1]


def _links(policy: Policy, route: Route) -> tuple[LinkRule, ...]:
    """Return where links into any upstream lead, the route's own upstream first."""
    found: list[LinkRule] = []
    own = route.upstream
    sites = {own.site: own, **{other.upstream.site: other.upstream for other in policy.routes}}
    for site, upstream in sites.items():
        if upstream.socket_path is not None and upstream != own:
            continue
        ways = _ways(policy, route, site)
        found += [LinkRule(upstream.origin.decode("ascii"), *way) for way in ways]
        if site == own.site:
            while ways and ways[-1][0] == ways[-1][1]:
                ways.pop()
            found += [LinkRule("", *way) for way in ways]
    return tuple(found)


def _ways(policy: Policy, route: Route, site: Site) -> list[tuple[str, str]]:
    """Return the prefixes there and here; none follows one that takes everything."""
    routes = policy.link_bases.get(site, [])
    own = [route] if route.upstream.site == site else []
    found = dict.fromkeys(
        [
            *(_way(each) for each in (*own, *routes)),
            *(_whole(each) for each in routes if not each.strip_path),
        ]
    )
    ways = list(found)
    ends = [number for number, way in enumerate(ways, 1) if not way[0]]
    return ways[: ends[0]] if ends else ways


def _way(route: Route) -> tuple[str, str]:
    path = "" if route.path == b"/" else route.path.decode("ascii")
    base = route.upstream.base.decode("ascii")
    return (base if route.strip_path else base + path), path


def _whole(route: Route) -> tuple[str, str]:
    return route.upstream.base.decode("ascii"), ""


def _listen(policy: Policy) -> tuple[ListenAddress, ...]:
    """Return the listeners that can be exported: on their own port, and under https only with
    a certificate in files."""
    return tuple(
        address if address.port else replace(address, port=ANY_PORT)
        for address in policy.listen
        if not address.https or policy.listener_tls is not None
    )


def bracketed(host: str) -> str:
    """Return a host as URLs have it."""
    return f"[{host}]" if ":" in host else host


def at(source: Source) -> str:
    """Return a place for a comment."""
    return f"{source.name}:{source.line}" if source.line else source.name


def site(rule: LinkRule, upstream: UpstreamAddress) -> str:
    """Return an expression for what comes before the path of a link that `rule` maps. A link
    without a scheme has that of the upstream that sent it."""
    if not rule.site:
        return ""
    scheme, _, authority = rule.site.partition("://")
    # Servers behind a TLS terminator often write their own links as plain http.
    schemes = "https?" if scheme == "https" else "http"
    has_port = authority.rpartition(":")[2].isdigit() and not authority.endswith("]")
    port = "" if has_port else "(?::443|:80)?" if scheme == "https" else "(?::80)?"
    start = f"(?i:{schemes}:)" + ("?" if scheme == upstream.scheme else "")
    return f"{start}//(?:[^/?#@]*@)?(?i:{expressions.literal(authority)}){port}"


def redirects(rule: LinkRule, upstream: UpstreamAddress) -> list[tuple[str, str]]:
    """Return expressions for the links that a rule maps, each with what to put before the text
    of its one group."""
    there = f"^{site(rule, upstream)}{expressions.literal(rule.upstream_prefix)}"
    # Two slashes at the start of a path would name a host.
    below = "/.*" if rule.site or rule.upstream_prefix else r"/(?:[^/\\].*)?"
    if rule.client_prefix:
        return [(f"{there}((?:{below}|[?#].*)?)$", rule.client_prefix)]
    found = [(f"{there}({below})$", "")]
    if rule.site or rule.upstream_prefix:
        found.append((f"{there}((?:[?#].*)?)$", "/"))
    return found
