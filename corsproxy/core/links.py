"""Links of a response that point into an upstream, pointing back to this proxy.

A redirect to the upstream's own host would lead the browser around the proxy: the page
then asks a host that grants it nothing, with `Origin: null` (Fetch, "HTTP-redirect fetch").
So Location, Content-Location, Refresh and Link (RFC 9110, 10.2.2 and 8.7; HTML, "shared
declarative refresh steps"; RFC 8288, 3) are mapped, if and only if the proxy reaches the
same resource. Everything else, and every byte of path, query and fragment behind the
mapped prefix, stays as it is.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from corsproxy.core.messages import RequestHead
from corsproxy.core.paths import client_path, has_dot_segments
from corsproxy.core.policy import Route, Site
from corsproxy.core.routing import parse_target

_ABSOLUTE: Final = re.compile(
    rb"(?:(https?):)?//([^/?#\\]*)([^?#]*)(.*)", re.DOTALL | re.IGNORECASE
)
_HOST_AND_PORT: Final = re.compile(rb"([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{0,5}))?")
_PATH_ABSOLUTE: Final = re.compile(rb"(/(?![/\\])[^?#]*)(.*)", re.DOTALL)
_REFRESH: Final = re.compile(
    rb"([ \t]*[0-9.]+(?:[ \t]*[;,]|[ \t])[ \t]*(?:url[ \t]*=[ \t]*)?)"
    rb"""(?:(["'])(.*?)(\2.*|$)|(.*))""",
    re.DOTALL | re.IGNORECASE,
)
_LINK_TARGET: Final = re.compile(rb"([ \t,]*<)([^>]*)(>)")
_LINK_PARAMETERS: Final = re.compile(rb'(?:[^",]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)


class LinkMap(NamedTuple):
    """Maps the links of one response. Made per response, so it only holds references."""

    bases: Mapping[Site, Sequence[Route]]
    """`Policy.link_bases`."""
    route: Route
    """The route that the response came through."""
    authority: bytes
    """The host[:port] by which the client addressed this proxy."""
    secure: bool
    """Whether it did so by https."""
    received: RequestHead | None = None
    """The request that the response answers."""

    def rewrite_location(self, value: bytes, status: int) -> bytes:
        """Return the value of a Location line of a response with that status.

        It is a link only in a redirect and in a 201 (RFC 9110, 10.2.2). One that would lead a
        GET or HEAD back to its own target is not rewritten, because the browser would follow it
        forever: an upstream that redirects http to https sends such links.
        """
        if not (300 <= status < 400 or status == 201):
            return value
        mapped = self.rewrite_url(value)
        return value if status != 201 and self._leads_back(mapped) else mapped

    def _leads_back(self, url: bytes) -> bool:
        received = self.received
        if received is None or received.method not in ("GET", "HEAD"):
            return False
        url = url.partition(b"#")[0]
        target = parse_target(received.target)
        asked = b"" if target is None else target.path + target.query
        return url == asked or url == self._on_proxy(asked, b"")

    def rewrite_field(self, name: bytes, value: bytes) -> bytes:
        """Return the value of a Content-Location, Refresh or Link line.

        `name` is in lower case. Never raises; what cannot be parsed stays as it is.
        """
        if name == b"link":
            return self.rewrite_link(value)
        return self.rewrite_refresh(value) if name == b"refresh" else self.rewrite_url(value)

    def rewrite_url(self, url: bytes) -> bytes:
        """Return a URL on this proxy for one in an upstream; any other as it is.

        Userinfo is removed, unless the upstream answers CORS itself: a CORS redirect to a URL
        with credentials is a network error (Fetch, "HTTP-redirect fetch", step 9). A URL with a
        tab is not rewritten: browsers drop the tab, and what is left may name a host.
        """
        if url.find(b"\t") >= 0:
            return url
        found = _PATH_ABSOLUTE.fullmatch(url)
        if found is not None:
            return self._rewrite_path(found[1], found[2])
        found = _ABSOLUTE.fullmatch(url)
        if found is None:
            return url
        scheme, authority, path, rest = found.groups()
        mapped = None
        for site in self._sites(scheme, authority, path):
            mapped = mapped or self._client_path(site, path)
        if mapped is None:
            return url
        userinfo = authority[: authority.rfind(b"@") + 1]
        return self._on_proxy(mapped + rest, url, userinfo)

    def rewrite_refresh(self, value: bytes) -> bytes:
        """Return a Refresh value with its URL rewritten, quoted or not."""
        found = _REFRESH.fullmatch(value)
        if found is None:
            return value
        before, quote, quoted, after, bare = found.groups()
        if quote is None:
            return before + self.rewrite_url(bare)
        return before + quote + self.rewrite_url(quoted) + after

    def rewrite_link(self, value: bytes) -> bytes:
        """Return a Link value with the target of each link rewritten, parameters as they are."""
        pieces: list[bytes] = []
        position = 0
        while found := _LINK_TARGET.match(value, position):
            before, target, after = found.groups()
            parameters = _LINK_PARAMETERS.match(value, found.end())
            position = parameters.end() if parameters else found.end()
            pieces += before, self.rewrite_url(target), after, value[found.end() : position]
        return b"".join(pieces) + value[position:]

    def _rewrite_path(self, path: bytes, rest: bytes) -> bytes:
        mapped = self._client_path(self.route.upstream.site, path)
        if mapped is None or mapped == path:
            return path + rest
        if mapped.startswith((b"//", b"/\\")):
            # Alone it would name a host.
            return self._on_proxy(mapped + rest, path + rest)
        return mapped + rest

    def _on_proxy(self, target: bytes, otherwise: bytes, userinfo: bytes = b"") -> bytes:
        if _HOST_AND_PORT.fullmatch(self.authority.lower()) is None:
            return otherwise  # an HTTP/1.0 client that named no host
        scheme = b"https://" if self.secure else b"http://"
        if self.route.cors == "passthrough":
            scheme += userinfo
        return scheme + self.authority + target

    def _sites(self, scheme: bytes | None, authority: bytes, path: bytes) -> Iterator[Site]:
        """The upstreams that a URL with this scheme and authority may mean."""
        upstream = self.route.upstream
        scheme = upstream.scheme.encode("ascii") if scheme is None else scheme.lower()
        host = _without_default_port(authority.rpartition(b"@")[2], scheme)
        if host is None:
            return
        if self.route.preserve_host or self.route.tells_public_address:
            # The upstream takes this proxy's host for its own, whose paths it does not
            # know; but it may have been told its public URL, prefix included.
            own = host == _without_default_port(self.authority, scheme)
            prefix = self.route.stripped
            if own and not (prefix and client_path(path, prefix, b"")):
                yield upstream.site
        elif upstream.socket_path is not None and (scheme, host) == (b"http", upstream.authority):
            yield upstream.site  # what it was told as its Host
        yield scheme + b"://" + host
        if scheme == b"http":
            # What runs behind a terminator of TLS often takes its own links for plain http.
            yield b"https://" + host.removesuffix(b":443")

    def _client_path(self, site: Site, path: bytes) -> bytes | None:
        """Return the path under which the client reaches `path` of that upstream.

        That is through this route if possible, else through the route that maps most of the
        path. If there is none, and this route strips nothing, the path is kept, as in a
        relative link.
        """
        routes: Sequence[Route] = self.bases.get(site, ())
        if has_dot_segments(path) or not routes:
            return None
        if site == self.route.upstream.site:
            routes = (self.route, *routes)
        for route in routes:
            mapped = client_path(path, *_prefixes(route))
            if mapped is not None:
                return mapped
        for route in routes:
            if not route.strip_path:
                mapped = client_path(path, route.upstream.base, route.mount)
                if mapped is not None:
                    return mapped
        return None


def _prefixes(route: Route) -> tuple[bytes, bytes]:
    """The path prefix that the route maps, at the upstream and here."""
    path = b"" if route.path == b"/" else route.path
    kept = b"" if route.strip_path else path[len(route.mount) :]
    return route.upstream.base + kept, path


def _without_default_port(authority: bytes, scheme: bytes) -> bytes | None:
    """Return host[:port] as origins have it; None if it is malformed."""
    found = _HOST_AND_PORT.fullmatch(authority.lower())
    if found is None:
        return None
    host, port = found.groups()
    if not port or int(port) == (443 if scheme == b"https" else 80):
        return host
    return b"%s:%d" % (host, int(port))
