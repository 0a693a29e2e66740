"""Law: a page can read an answer exactly when the allowlist says so.

The package decides (`decide`, `complete`); an independent model of the browser judges
what it sent; an independent reading of the allowlist says what should have come of it.
The law must also notice every classic mistake of a CORS proxy, so each is planted once.
"""

from collections.abc import Callable
from typing import NamedTuple

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from corsproxy.core.answers import Answer
from corsproxy.core.decision import Forward, complete, decide
from corsproxy.core.messages import ClientHead, Field, Framing, RequestHead, UpstreamHead
from corsproxy.core.origins import OriginSet, parse_origin_pattern
from corsproxy.core.policy import CorsRules, Listed, Policy, Route, UpstreamAddress
from corsproxy.core.verdicts import Verdict
from tests.browser import intent, model
from tests.browser.intent import ANY, Spec
from tests.browser.model import Blocked, Request
from tests.policies import request_with, response_with

# Entries, and origins around their edges: other ports, schemes, suffixes, labels.
ENTRIES = (
    "https://app.example.com",
    "https://*.example.com",
    "https://pr-*.example.com",
    "https://example.com:8443",
    "http://localhost:*",
    "http://127.0.0.1:3000",
    "chrome-extension://abcdefghijklmnop",
    "null",
)
ORIGINS = (
    *(entry for entry in ENTRIES if "*" not in entry),
    "HTTPS://app.example.com",
    "https://App.example.com",
    "https://a.b.example.com",
    "https://app.example.com.",
    "https://app.example.com.evil.test",
    "https://app.example.com:8443",
    "https://evil-app.example.com",
    "https://evilexample.com",
    "https://example.com",
    "https://pr-.example.com",
    "https://pr-7.example.com",
    "https://pr-7.x.example.com",
    "http://app.example.com",
    "http://localhost",
    "http://localhost.evil.test",
    "http://localhost:3000",
    "http://localhost:5173",
    "http://127.0.0.1:30001",
    "chrome-extension://ponmlkjihgfedcba",
    "NULL",
)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "patch", "DELETE", "OPTIONS", "PROPFIND")
REQUEST_HEADERS = (
    ("Accept", "application/json"),
    ("Accept", "text/html;level=(1)"),
    ("Accept-Language", "x" * 200),
    ("Authorization", "Bearer token"),
    ("Content-Type", "text/plain"),
    ("Content-Type", "application/json"),
    ("Range", "bytes=0-9"),
    ("Range", "bytes=-9"),
    ("X-Api-Version", "2"),
    ("x-csrf", "1"),
)
UPSTREAM_FIELDS = (
    (b"Access-Control-Allow-Credentials", b"true"),
    (b"Access-Control-Allow-Origin", b"*"),
    (b"Access-Control-Allow-Origin", b"https://app.example.com"),
    (b"Access-Control-Expose-Headers", b"X-Total-Count, ETag"),
    (b"access-control-allow-origin", b"null"),
    (b"Content-Type", b"application/json"),
    (b"ETag", b'"1"'),
    (b"Set-Cookie", b"a=1"),
    (b"Set-Cookie", b"b=2"),
    (b"Vary", b"Accept-Encoding"),
    (b"Vary", b"origin, Accept"),
    (b"X-Total-Count", b"3"),
)
CREDENTIALS_ERRORS = ("InvalidAllowCredentials", "WildcardOriginNotAllowed")


class World(NamedTuple):
    spec: Spec
    request: Request
    upstream: UpstreamHead


class Exchange(NamedTuple):
    """What came back to the browser, and what the proxy says about it."""

    head: ClientHead
    verdict: Verdict
    asked: bool
    """Whether the upstream was asked."""


class Proxy:
    """The package, as one function from a request to what the browser gets."""

    def answer(self, spec: Spec, head: RequestHead, upstream: UpstreamHead) -> Exchange:
        decision = decide(_policy(spec), head)
        if isinstance(decision, Answer):
            return Exchange(decision.head, decision.verdict, asked=False)
        completed = complete(decision, upstream)
        if isinstance(completed, Answer):
            return Exchange(completed.head, completed.verdict, asked=True)
        return Exchange(completed, decision.verdict, asked=isinstance(decision, Forward))


def _policy(spec: Spec) -> Policy:
    rules = CorsRules(
        OriginSet([parse_origin_pattern(entry) for entry in spec.origins]),
        methods=_listed(spec.methods),
        request_headers=_listed(spec.headers),
        expose_headers=_listed(spec.expose),
        credentials=spec.credentials,
    )
    upstream = UpstreamAddress("https", "api.example.net", 443)
    return Policy((Route("api", b"/", upstream, rules),), rules)


def _listed(names: tuple[str, ...]) -> Listed:
    return Listed((), any=True) if ANY in names else Listed(names)


class Outcome(NamedTuple):
    blocked: Blocked | None
    last: Exchange
    asked: bool


def browse(proxy: Proxy, world: World) -> Outcome:
    """Fetch, "HTTP fetch": ask first where the standard says so, then send, then check."""
    spec, request, upstream = world
    if model.needs_preflight(request):
        fields = model.preflight_fields(request)
        preflight = proxy.answer(spec, _head("OPTIONS", fields), upstream)
        blocked = model.preflight_check(request, preflight.head.status, preflight.head.fields)
        if blocked is not None or preflight.asked:
            return Outcome(blocked, preflight, preflight.asked)
    sent = [(name.encode(), value.encode()) for name, value in request.headers]
    if request.include:
        sent.append((b"Cookie", b"session=1"))
    sent.append((b"Origin", request.origin.encode()))
    actual = proxy.answer(spec, _head(model.method_sent(request), sent), upstream)
    return Outcome(model.cors_check(request, actual.head.fields), actual, actual.asked)


def _head(method: str, fields: list[Field]) -> RequestHead:
    return RequestHead(method, b"/items?page=1", [(b"Host", b"localhost:8010"), *fields])


def check_reading(proxy: Proxy, world: World) -> None:
    """The law for one page."""
    spec, request, _ = world
    blocked, last, asked = browse(proxy, world)
    assert (blocked is None) == intent.permits(spec, request)
    if blocked is None:
        # Transfer-Encoding belongs to one connection, not to the answer.
        fields = [line for line in last.head.fields if line[0] != b"Transfer-Encoding"]
        present = frozenset(name.decode().lower() for name, _ in fields)
        assert model.readable_names(request, fields) == intent.readable(spec, present)
        return
    if not intent.allows_origin(spec, request.origin):
        assert not asked, "a page that is not allowed must not cause anything"
    elif request.include and not spec.credentials:
        # The credentials mode is the browser's secret, so the verdict cannot name this.
        assert blocked.error.removeprefix("Preflight") in CREDENTIALS_ERRORS
        return
    assert last.verdict.browser_error == blocked.error
    assert last.verdict.subject in (blocked.parameter, request.origin, "")


def check_caching(proxy: Proxy, world: World, second: str) -> None:
    """The law for two pages with one cache: no page gets the answer meant for another."""
    spec, request, upstream = world
    first = request._replace(method="GET", headers=())
    later = first._replace(origin=second)
    stored = browse(proxy, World(spec, first, upstream)).last.head.fields
    if not model.may_reuse(stored, {"origin": first.origin}, {"origin": second}):
        return
    assert (model.cors_check(later, stored) is None) == intent.permits(spec, later)


def subsets(members: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(members), unique=True, max_size=3).map(tuple)


@st.composite
def specs(draw: st.DrawFn) -> Spec:
    """Allowlists as the file's reader lets them pass."""
    anyone = draw(st.integers(0, 9)) == 0
    names = subsets(("x-total-count", "etag", "x-other"))
    return Spec(
        origins=(ANY,) if anyone else draw(subsets(ENTRIES)),
        methods=draw(st.just((ANY,)) | subsets(("PUT", "PATCH", "patch", "DELETE", "PROPFIND"))),
        headers=draw(st.just((ANY,)) | subsets(("authorization", "content-type", "x-csrf"))),
        expose=draw(st.just((ANY,)) | names),
        credentials=not anyone and draw(st.booleans()),
    )


requests = st.builds(
    Request,
    origin=st.sampled_from(ORIGINS),
    method=st.sampled_from(METHODS) | st.sampled_from(("get", "put", "delete")),
    headers=st.lists(st.sampled_from(REQUEST_HEADERS), max_size=2, unique_by=lambda h: h[0]).map(
        tuple
    ),
    include=st.booleans(),
    same_origin=st.just(False),
)
upstreams = st.builds(
    UpstreamHead,
    status=st.sampled_from((200, 201, 204, 302, 304, 401, 403, 404, 500, 503)),
    reason=st.just(b""),
    fields=st.lists(st.sampled_from(UPSTREAM_FIELDS), max_size=5),
    framing=st.sampled_from((Framing.NONE, Framing.LENGTH, Framing.CHUNKED)),
)
worlds = st.builds(World, spec=specs(), request=requests, upstream=upstreams)


@settings(max_examples=600)
@given(worlds)
def test_a_page_reads_exactly_what_the_allowlist_permits(world: World) -> None:
    check_reading(Proxy(), world)


@settings(max_examples=200)
@given(worlds, st.sampled_from(ORIGINS))
def test_no_page_is_served_what_a_cache_holds_for_another(world: World, second: str) -> None:
    check_caching(Proxy(), world, second)


# The mistakes. Each is the package with one thing done as many proxies do it.

Lines = list[Field]


def _named(name: str) -> Callable[[Field], bool]:
    return lambda line: line[0].lower() == name.encode()


def _is_grant(line: Field) -> bool:
    return line[0].lower().startswith(b"access-control-")


ALLOW_ORIGIN = b"Access-Control-Allow-Origin"
is_allow_origin = _named("access-control-allow-origin")
is_allow_credentials = _named("access-control-allow-credentials")


def rewritten(edit: Callable[[Spec, RequestHead, UpstreamHead, ClientHead], ClientHead]) -> Proxy:
    """The package, whose answers `edit` spoils."""

    class Spoilt(Proxy):
        def answer(self, spec: Spec, head: RequestHead, upstream: UpstreamHead) -> Exchange:
            exchange = super().answer(spec, head, upstream)
            return exchange._replace(head=edit(spec, head, upstream, exchange.head))

    return Spoilt()


def misjudging(judge: Callable[[Spec, str], str]) -> Proxy:
    """The package, which takes one origin for another and answers to the real one."""

    class Spoilt(Proxy):
        def answer(self, spec: Spec, head: RequestHead, upstream: UpstreamHead) -> Exchange:
            origin = next(value for name, value in head.fields if name == b"Origin")
            mistaken = judge(spec, origin.decode()).encode()
            fields = [(n, mistaken if n == b"Origin" else v) for n, v in head.fields]
            exchange = super().answer(spec, request_with(head, fields), upstream)
            sent = [
                (n, origin if is_allow_origin((n, v)) and v == mistaken else v)
                for n, v in exchange.head.fields
            ]
            return exchange._replace(head=response_with(exchange.head, sent))

    return Spoilt()


def without(drop: Callable[[Field], bool], on: Callable[[ClientHead], bool]) -> Proxy:
    def edit(_: Spec, __: RequestHead, ___: UpstreamHead, head: ClientHead) -> ClientHead:
        kept = [line for line in head.fields if not drop(line)]
        return response_with(head, kept) if on(head) else head

    return rewritten(edit)


def replacing(name: str, value: bytes) -> Proxy:
    match = _named(name)

    def edit(_: Spec, __: RequestHead, ___: UpstreamHead, head: ClientHead) -> ClientHead:
        changed = [(n, value if match((n, v)) else v) for n, v in head.fields]
        return response_with(head, changed)

    return rewritten(edit)


def keep_upstream_grants(
    _: Spec, __: RequestHead, upstream: UpstreamHead, head: ClientHead
) -> ClientHead:
    return response_with(head, [*head.fields, *filter(_is_grant, upstream.fields)])


def always_star(_: Spec, __: RequestHead, ___: UpstreamHead, head: ClientHead) -> ClientHead:
    others = [line for line in head.fields if not is_allow_origin(line)]
    return response_with(head, [*others, (ALLOW_ORIGIN, b"*")])


def reflect_everybody(
    _: Spec, request: RequestHead, __: UpstreamHead, head: ClientHead
) -> ClientHead:
    origin = next(value for name, value in request.fields if name == b"Origin")
    others = [line for line in head.fields if not is_allow_origin(line)]
    return response_with(head, [*others, (ALLOW_ORIGIN, origin)])


def echo_the_pattern(spec: Spec, _: RequestHead, __: UpstreamHead, head: ClientHead) -> ClientHead:
    entry = spec.origins[0].encode() if spec.origins else b""
    changed = [(n, entry if is_allow_origin((n, v)) else v) for n, v in head.fields]
    return response_with(head, changed)


def list_every_origin(spec: Spec, _: RequestHead, __: UpstreamHead, head: ClientHead) -> ClientHead:
    every = ", ".join(spec.origins).encode()
    changed = [(n, every if is_allow_origin((n, v)) else v) for n, v in head.fields]
    return response_with(head, changed)


def duplicate_allow_origin(
    _: Spec, __: RequestHead, ___: UpstreamHead, head: ClientHead
) -> ClientHead:
    return response_with(head, [*head.fields, *filter(is_allow_origin, head.fields)])


def always_with_credentials(
    _: Spec, __: RequestHead, ___: UpstreamHead, head: ClientHead
) -> ClientHead:
    others = [line for line in head.fields if not is_allow_credentials(line)]
    return response_with(head, [*others, (b"Access-Control-Allow-Credentials", b"true")])


def ignore_the_case_of_methods(
    _: Spec, request: RequestHead, __: UpstreamHead, head: ClientHead
) -> ClientHead:
    match = _named("access-control-allow-methods")
    asked = next((v for n, v in request.fields if n == b"Access-Control-Request-Method"), b"-")
    changed = [
        (n, v + b", " + asked if match((n, v)) and asked.upper() in v else v)
        for n, v in head.fields
    ]
    return response_with(head, changed)


def refuse_whole_preflight(
    _: Spec, request: RequestHead, __: UpstreamHead, head: ClientHead
) -> ClientHead:
    refused = any(name == b"Corsproxy-Reason" for name, _ in head.fields)
    if not refused or request.method != "OPTIONS":
        return head
    return ClientHead(403, head.reason, head.fields, head.framing)


def ignore_case(spec: Spec, origin: str) -> str:
    folded = {entry.lower(): entry for entry in spec.origins}
    return folded.get(origin.lower(), origin)


def match_suffixes(spec: Spec, origin: str) -> str:
    for entry in spec.origins:
        scheme, _, parent = entry.partition("://*.")
        if parent and origin.startswith(scheme) and origin.endswith(parent):
            return f"{scheme}://any.{parent}"
    return origin


def match_prefixes(spec: Spec, origin: str) -> str:
    return next((e for e in spec.origins if "*" not in e and origin.startswith(e)), origin)


def ignore_the_scheme(spec: Spec, origin: str) -> str:
    secure = origin.replace("http://", "https://")
    return secure if secure in spec.origins else origin


def ignore_the_port(spec: Spec, origin: str) -> str:
    for entry in spec.origins:
        if origin.split("://")[-1].split(":")[0] == entry.split("://")[-1].split(":")[0]:
            return entry.replace(":*", "")
    return origin


class AsksFirstJudgesLater(Proxy):
    """Forwards a refused page's request all the same, and only leaves the grant out."""

    def answer(self, spec: Spec, head: RequestHead, upstream: UpstreamHead) -> Exchange:
        exchange = super().answer(spec, head, upstream)
        return exchange._replace(asked=head.method != "OPTIONS" or exchange.asked)


MISTAKES: dict[str, Proxy] = {
    "keeps the upstream's own grants": rewritten(keep_upstream_grants),
    "always answers *": rewritten(always_star),
    "reflects every origin": rewritten(reflect_everybody),
    "answers with the entry instead of the origin": rewritten(echo_the_pattern),
    "answers with the whole list": rewritten(list_every_origin),
    "sends Access-Control-Allow-Origin twice": rewritten(duplicate_allow_origin),
    "forgets credentials": without(is_allow_credentials, on=lambda head: True),
    "forgets credentials on preflights": without(
        is_allow_credentials, on=lambda head: head.status == 204
    ),
    "writes True instead of true": replacing("access-control-allow-credentials", b"True"),
    "always allows credentials": rewritten(always_with_credentials),
    "forgets the grant on errors": without(_is_grant, on=lambda head: head.status >= 400),
    "forgets the grant on redirects": without(_is_grant, on=lambda head: head.status == 302),
    "exposes * to pages with credentials": replacing("access-control-expose-headers", b"*"),
    "allows every header with *": replacing("access-control-allow-headers", b"*"),
    "ignores the case of methods": rewritten(ignore_the_case_of_methods),
    "refuses a whole preflight for one header": rewritten(refuse_whole_preflight),
    "ignores case": misjudging(ignore_case),
    "matches suffixes": misjudging(match_suffixes),
    "matches prefixes": misjudging(match_prefixes),
    "ignores the scheme": misjudging(ignore_the_scheme),
    "ignores the port": misjudging(ignore_the_port),
    "asks the upstream before it judges": AsksFirstJudgesLater(),
}


@st.composite
def close_calls(draw: st.DrawFn) -> World:
    """Worlds whose page and method are near what is listed, where mistakes show soonest."""
    spec, request, upstream = draw(worlds)
    hosts = [entry.rpartition("/")[2].split("*")[-1].lstrip(".-:") for entry in spec.origins]
    named = [host.partition(":")[0] or "localhost" for host in hosts]
    if near := [origin for origin in ORIGINS if any(host in origin for host in named)]:
        request = request._replace(origin=draw(st.sampled_from(near)))
    if spellings := [each for name in spec.methods for each in (name, name.swapcase())]:
        request = request._replace(method=draw(st.sampled_from(spellings)))
    return World(spec, request, upstream)


hunting = settings(
    max_examples=3000,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    report_multiple_bugs=False,
)


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_the_law_notices_a_proxy_that(mistake: Proxy) -> None:
    @hunting
    @given(st.one_of(worlds, close_calls()))
    def law(world: World) -> None:
        check_reading(mistake, world)

    with pytest.raises(AssertionError):
        law()


def test_the_law_of_caches_notices_a_forgotten_vary() -> None:
    forgetful = without(_named("vary"), on=lambda head: True)

    @hunting
    @given(worlds, st.sampled_from(ORIGINS))
    def law(world: World, second: str) -> None:
        check_caching(forgetful, world, second)

    with pytest.raises(AssertionError):
        law()
