"""Targets: what is rewritten in a response, and the entry that allows an origin."""

import re

from corsproxy.core.cookies import rewrite_set_cookie
from corsproxy.core.links import LinkMap
from corsproxy.core.origins import (
    OriginPatternError,
    OriginSet,
    near_misses,
    parse_origin,
    parse_origin_pattern,
)
from corsproxy.core.policy import Route, UpstreamAddress
from corsproxy.core.routing import find_route, parse_target, upstream_target
from programs.fuzz.draw import Draw
from programs.fuzz.reference import entry_allows, web_origin
from tests.policies import policy, route, upstream

# Cookies

_PREFIXES = (b"__secure-", b"__host-", b"__http-")
_BASES = (b"", b"/v1", b"/a/b")
_PATHS = (b"/", b"/api", b"/v1")
COOKIE_WORDS = (
    b"; Path=/v1/x", b"; Domain=a.test", b"; Secure", b"; SameSite=None", b"; Partitioned",
    b"__Host-", b"__Secure-", b"; HttpOnly", b"; Max-Age=1", b"Path=", b"domain",
)  # fmt: skip


def attributes(cookie: bytes) -> list[tuple[bytes, bytes, bytes]]:
    """The attributes: name in lower case, value, and the original text."""
    found = []
    for written in cookie.split(b";")[1:]:
        name, _, value = written.partition(b"=")
        found.append((name.strip(b" \t").lower(), value.strip(b" \t"), written))
    return found


def cookies(data: bytes) -> None:
    """A rewritten Set-Cookie differs only in the attributes that must change."""
    draw = Draw(data)
    secure, strip = draw.flag(), draw.flag()
    base, path = draw.pick(_BASES), draw.pick(_PATHS)
    value = draw.rest()

    def rewrite(cookie: bytes) -> bytes:
        return rewrite_set_cookie(
            cookie, secure_listener=secure, base=base, path=path, strip_path=strip
        )

    result = rewrite(value)
    name = value.split(b";")[0]
    assert result.split(b";")[0] == name
    promised = name.partition(b"=")[0].strip(b" \t").lower().startswith(_PREFIXES)
    before, after = attributes(value), attributes(result)
    if value.count(b";"):
        assert all(key != b"domain" for key, _, _ in after)
        if not secure and not promised:
            assert not {b"secure", b"partitioned"} & {key for key, _, _ in after}
            assert all(v.lower() != b"none" for key, v, _ in after if key == b"samesite")
    touched = {b"domain", b"path"}
    if not secure and not promised:
        touched |= {b"secure", b"partitioned", b"samesite"}
    untouched = [[each for each in found if each[0] not in touched] for found in (before, after)]
    assert untouched[0] == untouched[1]
    paths = [[v for key, v, _ in found if key == b"path"] for found in (before, after)]
    for old, new in zip(*paths, strict=True):
        check_cookie_path(old, new, base, path if strip and path != b"/" else b"")
    if paths[0] == paths[1]:
        assert rewrite(result) == result


def check_cookie_path(old: bytes, new: bytes, base: bytes, prefix: bytes) -> None:
    """The upstream's path under the client's prefix; the root if there is no such path."""
    if old == new:
        return
    assert old.startswith(b"/")
    assert new == b"/" or (new + b"/").startswith(prefix + b"/")
    if new != b"/":
        assert base + new.removeprefix(prefix) == old


# Links

PROXY = b"http://localhost:8010"
_SHOP = route(b"/shop", upstream=upstream("https://api.test", b"/v2"), strip_path=True)
_AUTH = route(b"/auth", upstream=upstream("https://api.test", b"/sso"), strip_path=True)
_WIKI = route(b"/wiki", upstream=upstream("http://wiki.test:9000"))
_NAMED = route(b"/named", upstream=upstream("http://api.test"), preserve_host=True)
_SOCKET = route(
    b"/sock",
    upstream=UpstreamAddress("http", "", 80, b"/v2", socket_path="/run/app.sock"),
    strip_path=True,
)
_ROUTES = (_SHOP, _AUTH, _WIKI, _NAMED, _SOCKET)
_POLICY = policy(*_ROUTES)
LINK_WORDS = (
    b"https://api.test/v2/x", b"//api.test/sso", b"http://wiki.test:9000/wiki/", b"/v2/a?b#c",
    b"0; url=", b"</v2/x>; rel=next", b"https://user@api.test:443", b"\\", b"//", b"/../", b"%2e",
    b"http://localhost/v2/x", b"http://localhost:8010/named", b"/sso", b"'", b'"', b"<", b">",
)  # fmt: skip


def links(data: bytes) -> None:
    """A rewritten link leads back here, and on to the same target."""
    draw = Draw(data)
    current = draw.pick(_ROUTES)
    url = draw.rest()
    mapping = LinkMap(_POLICY.link_bases, current, PROXY.removeprefix(b"http://"), secure=False)
    result = mapping.rewrite_field(b"location", url)
    if result != url:
        check_link(current, url, result)
    # The other fields contain the same URL among other things, and change nothing else.
    if b">" not in url:
        link = mapping.rewrite_field(b"link", b"<" + url + b">; rel=next")
        assert link == b"<" + result + b">; rel=next"
    if not url[:1].isspace() and url[:1] not in b"\"';," and not url.lower().startswith(b"url"):
        assert mapping.rewrite_field(b"refresh", b"0; url=" + url) == b"0; url=" + result
    for name in (b"link", b"refresh"):
        other = mapping.rewrite_field(name, url)
        assert sum(map(other.count, (b"\r", b"\n"))) == sum(map(url.count, (b"\r", b"\n")))


def check_link(current: Route, url: bytes, result: bytes) -> None:
    """The result is on the proxy, and a request for it goes to where `url` points."""
    meant, at_upstream = meant_by(current, url)
    assert result.startswith((b"/", PROXY + b"/", PROXY + b"?", PROXY + b"#"))
    path = result.removeprefix(PROXY)
    assert result.startswith(PROXY) or path[1:2] not in (b"/", b"\\"), "it would name a host"
    target = parse_target(path.partition(b"#")[0])
    assert target is not None
    taken = find_route(_POLICY, target.path)
    fragment = path[len(path.partition(b"#")[0]) :]
    if taken in meant and upstream_target(taken, target) + fragment in at_upstream:
        return
    # The paths of a route without strip_path belong to the whole proxy, like relative links.
    assert any(not each.strip_path and each.upstream.base + path in at_upstream for each in meant)


def meant_by(current: Route, url: bytes) -> tuple[list[Route], tuple[bytes, ...]]:
    """Return the routes whose upstream `url` points into, and its path there, with and without
    the slash that a URL without a path stands for."""
    found = re.fullmatch(rb"(?is)(?:(https?):)?//([^/?#\\]*)(.*)", url)
    if found is None:
        return [each for each in _ROUTES if each.upstream.site == current.upstream.site], (url,)
    scheme = (found[1] or current.upstream.scheme.encode()).lower()
    host = found[2].rpartition(b"@")[2].lower()
    host, _, port = host.partition(b":")
    number = int(port or (443 if scheme == b"https" else 80))
    meant = [
        each
        for each in _ROUTES
        if (each.upstream.scheme.encode(), each.upstream.host.encode() or b"localhost")
        == (scheme, host)
        and each.upstream.port == number
    ]
    if (host, number) == (b"localhost", 8010) and current.preserve_host:
        meant += [each for each in _ROUTES if each.upstream.site == current.upstream.site]
    return meant, (found[3], b"/" + found[3])


# Origins

_ENTRIES = (
    b"https://*.example.com", b"http://localhost:*", b"https://pr-*.example.com", b"null", b"*",
    b"https://example.com", b"http://[::1]:*", b"http://127.0.0.1:3000", b"chrome-extension://abc",
    b"https://*.example.com:*", b"https://a*b.example.com:8443", b"https://*-x.co.test", b"file://",
)  # fmt: skip
_HOSTS = (
    b"example.com", b"a.b.example.com", b"pr-1.example.com", b"localhost", b"[::1]", b"127.0.0.1",
    b".example.com", b"evil", b"xn--bcher-kva", b"0x7f.1", b"[::ffff:7f00:1]", b"a_b.example.com",
)  # fmt: skip
_PIECES = (b":3000", b":80", b":443", b":8443", b".", b"@", b"/", b"\\", b"*", b":", b":0", b" ")


ORIGIN_WORDS = (*_ENTRIES, *_HOSTS, *_PIECES)


def drawn_origin(draw: Draw) -> bytes:
    if draw.flag():
        return draw.word(_ENTRIES)
    scheme = draw.pick((b"https://", b"http://", b"chrome-extension://", b"HTTP://", b""))
    pieces = [scheme, *(draw.word(draw.pick((_HOSTS, _PIECES))) for _ in range(draw.number(3)))]
    return b"".join(pieces)


def origins(data: bytes) -> None:
    """The matcher allows what the plain rules allow; an origin is its own serialization."""
    draw = Draw(data)
    patterns = []
    for _ in range(1 + draw.number(4)):
        text = drawn_origin(draw).decode("latin-1")
        try:
            patterns.append(parse_origin_pattern(text))
        except OriginPatternError as error:
            if error.suggestion is not None:
                parse_origin_pattern(error.suggestion)
    allowed = OriginSet(patterns)
    for _ in range(4):
        value = drawn_origin(draw)
        found = allowed.match(value)
        wanted = [pattern for pattern in patterns if entry_allows(pattern.text, value)]
        assert (found is not None) == bool(wanted), (patterns, value)
        assert found is None or found in wanted
        origin = parse_origin(value)
        assert origin is None or str(origin).encode() == value
        if value.startswith((b"http://", b"https://")):
            assert (origin is None) == (web_origin(value.decode("latin-1")) is None), value
        near_misses(value, allowed)
