"""Targets: the decision about a request, from its head to the head of its response."""

import ipaddress
import re
from dataclasses import replace

from corsproxy.core.answers import Answer
from corsproxy.core.decision import Forward, complete, decide
from corsproxy.core.messages import Field, Framing, RequestHead, UpstreamHead
from corsproxy.core.policy import CorsRules, HeaderRules, Policy, Route
from corsproxy.core.to_client import BOUND_TO_THE_UPSTREAM
from corsproxy.core.verdicts import Code
from corsproxy.http1.writer import RequestForm, head_bytes
from programs.fuzz.draw import Draw
from programs.fuzz.reference import climbs, entry_allows, head_of, values, web_origin
from tests.policies import listed, policy, route, rules, upstream

_PAGE = "http://localhost:5173"
_STRICT = rules(_PAGE, "https://*.example.com", credentials=True, expose_headers=listed("X-Id"))
_OPEN = rules("*", methods=listed("*"), request_headers=listed("*"), expose_headers=listed("*"))
_LOOSE = rules("null", _PAGE, unlisted_origins="forward", max_age=600)
_SET = HeaderRules(((b"X-Set", b"1"), (b"Vary", b"Accept")), frozenset({b"server", b"cookie"}))
POLICIES = (
    policy(route(cors=_STRICT), default=_STRICT),
    replace(
        policy(
            route(b"/api", _STRICT, strip_path=True, upstream=upstream("https://api.test", b"/v2")),
            replace(route(b"/api/raw"), cors="passthrough", origin="keep"),
            route(b"/host", _OPEN, preserve_host=True, origin="keep"),
            default=_LOOSE,
        ),
        trusted_proxies=(ipaddress.ip_network("10.0.0.0/8"),),
        allowed_hosts=frozenset({"proxy.test"}),
    ),
    policy(route(cors=_OPEN, response_headers=_SET, request_headers=_SET), default=_OPEN),
    replace(policy(route(cors=_LOOSE, origin="remove"), default=_LOOSE), via=None, any_host=True),
)

METHODS = ("GET", "OPTIONS", "POST", "HEAD", "PUT", "TRACE", "CONNECT", "PATCH", "get", "M-SEARCH")
TARGETS = (
    b"/", b"/api", b"/api/x?y", b"/api/raw/x", b"/host", b"*", b"http://localhost:8010/api/x",
    b"//evil.test/", b"/..", b"/%2e%2e", b"/api%2f..", b"\\", b";", b"#", b"/.", b"?", b"@", b"%5c",
    b"http://evil.test/", b"https://", b"/api/..;/", b"/apix", b"%00", b"\xff", b"localhost:80",
)  # fmt: skip
NAMES = (
    b"Origin", b"Host", b"Access-Control-Request-Method", b"Access-Control-Request-Headers",
    b"Connection", b"Upgrade", b"Content-Length", b"Transfer-Encoding", b"Expect", b"Via",
    b"X-Forwarded-For", b"X-Forwarded-Host", b"X-Forwarded-Proto", b"Forwarded", b"Cookie",
    b"X_Forwarded_For", b"Sec-Fetch-Site", b"Referer", b"Max-Forwards", b"X-A", b"TE", b"Vary",
    b"Content_Length", b"Transfer.Encoding", b"Proxy-Authorization", b"Authorization",
)  # fmt: skip
VALUES = (
    _PAGE.encode(), b"https://a.example.com", b"null", b"http://evil.test", b"localhost:8010",
    b"proxy.test", b"evil.test", b"[::1]:8010", b"0.0.0.0", b"PUT", b"content-type, x-a", b"close",
    b"Upgrade", b"websocket", b"h2c", b"chunked", b"gzip, chunked", b"0", b"5", b"100-continue",
    b"1.1 corsproxy", b"same-origin", b"cross-site", b"cookie, host, origin, content-length", b",",
    b"http://localhost:5173.evil.test", b"http://localhost:5173/", b"HTTP://localhost:5173",
    b"https",
)  # fmt: skip
ANSWERED = (
    b"Access-Control-Allow-Origin", b"Access-Control-Allow-Credentials", b"Set-Cookie", b"Vary",
    b"Connection", b"Location", b"Link", b"Refresh", b"Strict-Transport-Security", b"Server",
    b"Upgrade", b"Keep-Alive", b"Content-Type", b"Transfer-Encoding", b"X-A", b"Date", b"Trailer",
)  # fmt: skip
ANSWERS = (
    b"*", b"null", b"http://evil.test", b"true", b"a=1; Domain=api.test; Secure", b"Origin", b"x",
    b"close, content-length, vary", b"http://api.test:9000/x", b"</x>; rel=next", b"0; url=/x", b"",
    b"websocket", b"chunked", b"set-cookie, access-control-allow-origin", b"https://api.test/v2/x",
)  # fmt: skip
WORDS = (*TARGETS, *NAMES, *VALUES, *ANSWERED, *ANSWERS)

# No parser lets these through, so the shell never passes them to the core.
_CONTROLS = bytes(byte for byte in range(32) if byte != 9) + b"\x7f"
_HOP = {
    b"connection", b"keep-alive", b"proxy-authorization", b"te", b"trailer", b"upgrade",
    b"transfer-encoding", b"expect", b"proxy-connection", b"proxy-authenticate",
}  # fmt: skip


def drawn_fields(draw: Draw, names: tuple[bytes, ...], some: tuple[bytes, ...]) -> list[Field]:
    return [
        (draw.pick(names), draw.word(some).translate(None, _CONTROLS).strip(b" \t"))
        for _ in range(draw.number(7))
    ]


def drawn_request(draw: Draw) -> RequestHead:
    target = b"".join(draw.word(TARGETS) for _ in range(1 + draw.number(2)))
    fields = drawn_fields(draw, NAMES, VALUES)
    if draw.number(7):
        fields.append((b"Host", b"localhost:8010"))
    return RequestHead(
        draw.pick(METHODS),
        target.translate(None, _CONTROLS + b" \t") or b"/",
        fields,
        minor_version=int(draw.number(7) > 0),
        client=draw.pick(("127.0.0.1", "10.1.2.3", "::1", "")),
    )


class Model:
    """What a plain reading of the rules says about a request."""

    def __init__(self, given: Policy, request: RequestHead) -> None:
        self.fields = [(name.lower(), value) for name, value in request.fields]
        path = path_of(request.target)
        routes = [each for each in given.routes if (path + b"/").startswith(_under(each.path))]
        self.route = max(routes, key=lambda each: len(each.path), default=None)
        self.rules = given.default_cors
        if self.route is not None and isinstance(self.route.cors, CorsRules):
            self.rules = self.route.cors
        self.passthrough = self.route is not None and self.route.cors == "passthrough"
        origins = values(self.fields, b"origin")
        self.origin = origins[0] if len(origins) == 1 else b""
        self.has_origin = any(origins) or len(origins) > 1
        self.anyone = any(pattern.text == "*" for pattern in self.rules.origins)
        self.is_allowed = bool(self.origin) and any(
            entry_allows(pattern.text, self.origin) for pattern in self.rules.origins
        )

    def is_same_origin(self, trusted: bool) -> bool:
        sites = values(self.fields, b"sec-fetch-site")
        if sites:
            return len(sites) == 1 and sites[0] in (b"same-origin", b"none")
        hosts = values(self.fields, b"host")
        schemes = []
        if trusted:
            hosts = values(self.fields, b"x-forwarded-host")[-1:] or hosts
            schemes = values(self.fields, b"x-forwarded-proto")[-1:]
        page = web_origin(self.origin.decode("latin-1"))
        if page is not None and page[0] == "http" and b"https" in map(bytes.lower, schemes):
            return False
        host = hosts[0].decode("latin-1").lower() if hosts else ""
        default = page is not None and page[2] == {"http": 80, "https": 443}[page[0]]
        names = [] if page is None else [f"{page[1]}:{page[2]}", *([page[1]] if default else [])]
        return host.removesuffix(":") in names or re.sub(r":0+(?=\d)", ":", host) in names

    def check_grant(self, fields: list[tuple[bytes, bytes]]) -> None:
        """A grant is for the request's own origin, complete, and only if it is allowed."""
        granted = values(fields, b"access-control-allow-origin")
        credentials = values(fields, b"access-control-allow-credentials")
        if self.anyone:
            assert granted == [b"*"], granted
        else:
            assert granted == ([self.origin] if self.is_allowed else []), (granted, self.origin)
        wanted = self.rules.credentials and not self.anyone and bool(granted)
        assert credentials == ([b"true"] if wanted else [])
        if not self.anyone:
            varies = b", ".join(values(fields, b"vary")).lower().split(b", ")
            assert b"origin" in varies or b"*" in varies, fields
        if not granted:
            assert not any(name.startswith(b"access-control-") for name, _ in fields)


def path_of(target: bytes) -> bytes:
    """The path that decides about the route; empty if there is none."""
    found = re.match(rb"(?i)(?:https?://[^/?]*)?([^?]*)", target)
    path = b"" if found is None else found[1]
    if target == b"*" or (not path and found is not None and found[0]):
        return b"/"
    return path if path.startswith(b"/") else b""


def _under(path: bytes) -> bytes:
    return path.rstrip(b"/") + b"/"


def exchange(data: bytes) -> None:
    """Only listed origins get a grant, only allowed and unambiguous requests are forwarded, and
    nothing in a head could end it early."""
    draw = Draw(data)
    given = draw.pick(POLICIES)
    request = drawn_request(draw)
    model = Model(given, request)
    decision = decide(given, request)
    if isinstance(decision, Answer):
        check_answer(model, decision)
        return
    check_forwarded(given, request, model, decision)
    fields = drawn_fields(draw, ANSWERED, ANSWERS)
    framing = draw.pick(tuple(Framing))
    status = draw.pick((200, 204, 304, 302, 101, 407, 500, 999))
    if framing is Framing.LENGTH:
        fields.append((b"Content-Length", b"5"))
    reason = draw.string().translate(None, _CONTROLS)
    answer = complete(decision, UpstreamHead(status, reason, fields, framing))
    if isinstance(answer, Answer):
        assert status in (101, 407)
        if not model.passthrough:
            check_answer(model, answer)
        return
    first, head = head_of(head_bytes(answer, request.minor_version, keep_alive=True))
    assert first.startswith(b"HTTP/1.1 %d " % status)
    if model.passthrough:
        grants = [line for line in head if line[0].startswith(b"access-control-")]
        assert grants == [
            (name.lower(), value)
            for name, value in fields
            if name.lower().startswith(b"access-control-") and name.lower() not in nominated(fields)
        ]
    elif status == 101:
        assert not values(head, b"access-control-allow-origin")
    else:
        model.check_grant(head)
    check_framing(answer.framing, head, status)
    names = {name for name, _ in head}
    assert not names & BOUND_TO_THE_UPSTREAM


def nominated(fields: list[Field]) -> set[bytes]:
    joined = b",".join(value for name, value in fields if name.lower() == b"connection")
    return {token.strip(b" \t").lower() for token in joined.split(b",")}


def check_framing(framing: Framing, head: list[tuple[bytes, bytes]], status: int) -> None:
    """There is one way to delimit the content, and the body will be written that way."""
    lengths = values(head, b"content-length")
    codings = values(head, b"transfer-encoding")
    assert codings == ([b"chunked"] if framing is Framing.CHUNKED else [])
    if framing is Framing.LENGTH:
        assert lengths == [b"5"]
    elif framing is not Framing.NONE:
        assert not lengths
    hop = {name for name, _ in head} & (_HOP - {b"transfer-encoding"})
    assert not hop or status == 101 or hop == {b"connection"}, hop


def check_answer(model: Model, answer: Answer) -> None:
    first, head = head_of(head_bytes(answer.head, 1, keep_alive=not answer.close))
    assert first.startswith(b"HTTP/1.1 ")
    if answer.verdict.kind is not answer.verdict.kind.PREFLIGHT or model.is_allowed:
        model.check_grant(head)
    else:
        assert model.anyone or not values(head, b"access-control-allow-origin")
    if answer.head.framing is Framing.LENGTH:
        assert values(head, b"content-length") == [b"%d" % len(answer.body)]
    assert answer.body.isascii()


def check_forwarded(given: Policy, request: RequestHead, model: Model, to: Forward) -> None:
    assert request.method not in ("TRACE", "CONNECT", "get")
    assert to.route is model.route
    trusted = request.client == "10.1.2.3" and bool(given.trusted_proxies)
    if model.has_origin and not (model.is_allowed or model.anyone or model.passthrough):
        loose = model.rules.unlisted_origins == "forward" and not to.request.upgrade
        assert loose or model.is_same_origin(trusted), (request, to)
    hosts = values(model.fields, b"host")
    assert len(hosts) == 1 or request.minor_version == 0
    if hosts and not given.any_host:
        name = hosts[0].lower()
        assert re.match(rb"localhost|\[::1\]|proxy\.test(:|$)", name), name
        assert name != b"proxy.test" or given.allowed_hosts
    first, head = head_of(RequestForm().serialize(to.request))
    method, target, version = first.split(b" ")
    assert (method.decode(), version) == (request.method, b"HTTP/1.1")
    check_target(to.route, request.target, target)
    check_sent_fields(request, model, to, head, trusted=trusted)


def check_target(to: Route, received: bytes, target: bytes) -> None:
    assert target.startswith(b"/")
    assert received.endswith(target.removeprefix(to.upstream.base).removeprefix(b"/"))
    path = target.partition(b"?")[0]
    assert not climbs(path), target
    assert (path + b"/").startswith(_under(to.upstream.base))
    assert target.isascii()
    assert b"#" not in target


def check_sent_fields(
    request: RequestHead,
    model: Model,
    to: Forward,
    head: list[tuple[bytes, bytes]],
    *,
    trusted: bool,
) -> None:
    names = [name for name, _ in head]
    own = {b"transfer-encoding"} | ({b"connection", b"upgrade"} if to.request.upgrade else set())
    assert not set(names) & (_HOP - own)
    assert len(values(head, b"host")) == 1
    assert len(values(head, b"content-length")) + len(values(head, b"transfer-encoding")) <= 1
    for name in names:
        canonical = re.sub(rb"[_.]", b"-", name)
        assert name == canonical or canonical not in (b"x-forwarded-for", b"content-length")
        assert name == canonical or canonical != b"transfer-encoding"
    if not trusted:
        client = [request.client.encode()] if request.client else []
        assert values(head, b"x-forwarded-for") == client
        assert len(values(head, b"x-forwarded-host")) <= 1
        assert b"forwarded" not in names
    if b"cookie" not in to.route.request_headers.remove:
        assert values(head, b"cookie") == values(model.fields, b"cookie")
    assert values(head, b"authorization") == values(model.fields, b"authorization")
    origins = values(head, b"origin")
    if to.route.origin == "rewrite" and to.verdict.code is Code.ORIGIN_ALLOWED:
        assert origins == [to.route.upstream.origin]
    if to.route.origin == "remove":
        assert not origins
