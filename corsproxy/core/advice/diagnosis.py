"""What to do about a call that went wrong for its page, refused or not.

The proxy sees what both sides sent, so it knows why a browser withholds an answer, loses a
cookie or follows a redirect elsewhere. Each piece of advice has a cause and a subject, so that
readers are shown the same one only once.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Final, NamedTuple

from corsproxy.core.advice.confusions import about_local_network, about_missing_cookie, lacks_cookie
from corsproxy.core.advice.families import Family, family_of, missing_exposed, missing_headers
from corsproxy.core.advice.hints import capital, credentials_hint, hint_for, rules_of
from corsproxy.core.advice.remedies import (
    Remedy,
    command_of,
    credentials_remedy,
    remedies_for,
    remedy_under,
)
from corsproxy.core.advice.settings import is_quick, key_of_route, restart, setting
from corsproxy.core.fields import split_list
from corsproxy.core.messages import Fields, RequestHead
from corsproxy.core.origins import parse_origin
from corsproxy.core.origins.hosts import is_loopback
from corsproxy.core.outcome.call import Call, Mode
from corsproxy.core.outcome.outcome import Outcome, Word, is_lost
from corsproxy.core.outcome.set_cookie import CookieFate, cookie_fates, differences
from corsproxy.core.outcome.unread import unread_headers
from corsproxy.core.policy import CorsRules, Policy, Route
from corsproxy.core.verdicts import Kind, Verdict

_CREDENTIALS: Final = ("InvalidAllowCredentials", "WildcardOriginNotAllowed")
_RESOURCE_POLICY: Final = ("NotSameOrigin", "NotSameSite")
_REFUSED_LOGIN: Final = (403, 422)
_MOST_NAMES: Final = 12
MOST_STREAMS: Final = 6
"""How many HTTP/1.1 connections browsers open to one host."""
_LONGEST_PATH: Final = 60

_COOKIE_REASONS: Final[dict[str, str]] = {
    "SameSiteNoneInsecure": "SameSite=None needs Secure beside it",
    "SecureOnly": "Secure needs https, except on localhost",
    "InvalidPrefix": "it does not meet the rules that the prefix of its name stands for",
    "InvalidPartitioned": "Partitioned needs Secure beside it",
    "InvalidDomain": "its Domain is not this proxy's host",
    "NameValuePairExceedsMaxSize": "name and value have more than 4,096 bytes",
    "DisallowedCharacter": "it has a control character",
    "NoCookieContent": "it has neither a name nor a value",
}


class Cause(StrEnum):
    """What a piece of advice is about."""

    REFUSED = "refused"
    BLOCKED = "blocked"
    REDIRECT = "redirect"
    COOKIE = "cookie"
    MISSING_COOKIE = "missing-cookie"
    SIGNATURE = "signature"
    LOGIN = "login"
    INTERSTITIAL = "interstitial"
    UNREAD = "unread-headers"
    UNFOLLOWED = "unfollowed"
    DISCOVERY = "discovery"
    STREAMS = "streams"


class Ended(NamedTuple):
    """An exchange that is over, as far as advice depends on it."""

    policy: Policy
    request: RequestHead
    verdict: Verdict
    status: int
    fields: Fields
    """Of the response as it was sent."""
    call: Call | None = None
    outcome: Outcome | None = None
    detail: str | None = None
    """What was wrong with the upstream, as one sentence."""

    @property
    def route(self) -> Route | None:
        """Where it went; None where it was answered here."""
        if not self.verdict.allowed or self.verdict.facts.status:
            return None
        return next((each for each in self.policy.routes if each.name == self.verdict.route), None)

    def value(self, name: bytes) -> bytes:
        """Return the first request field of that lower-case name, or nothing."""
        return next((value for key, value in self.request.fields if key.lower() == name), b"")


class Advice(NamedTuple):
    """What to know, and what to do."""

    cause: Cause
    subject: str
    """What distinguishes it from other advice with the same cause."""
    lines: tuple[str, ...]
    """Sentences; a line that holds a command ends with it."""
    remedies: tuple[Remedy, ...] = ()
    """All the edits of the allowlist that help."""


def advise(ended: Ended) -> list[Advice]:
    """Return what there is to say about an exchange, the most pressing first."""
    if not ended.verdict.allowed or ended.verdict.facts.status >= 500:
        return _about_refusal(ended)
    route, call = ended.route, ended.call
    if route is None or call is None:
        return []
    found = _about_outcome(ended, route, call)
    if found is not None:
        return [found]
    return [*_about_answer(ended, route, call), *_about_cookies(ended, route, call)]


def about_unfollowed(ended: Ended) -> Advice:
    """Return what to say about a granted preflight, or the first request of socket.io, that no
    call followed."""
    rules = rules_of(ended.policy, ended.verdict.route or "")
    remedy = credentials_remedy(ended.verdict, ended.policy, rules)
    path = ended.request.target.partition(b"?")[0][:_LONGEST_PATH].decode("latin-1")
    first = "the preflight" if ended.verdict.kind is Kind.PREFLIGHT else "socket.io's first request"
    why = (
        f"After {first} for {path} no call came. If the page calls with credentials"
        " (credentials: 'include', withCredentials), the browser blocks it."
    )
    subject = f"{ended.verdict.route} {ended.value(b'origin').decode('latin-1')}"
    return Advice(
        Cause.UNFOLLOWED, subject, (why, f"To allow them, {remedy.instruction}"), (remedy,)
    )


def about_streams(ended: Ended) -> Advice:
    """Return what to say about a page with as many open streams as browsers allow."""
    origin = ended.value(b"origin").decode("latin-1")
    why = (
        f"The page has {MOST_STREAMS} event streams open, and browsers open no more than"
        f" {MOST_STREAMS} connections to a host over HTTP/1.1: its next call waits until a stream"
        " ends. HTTP/2, which browsers speak over https, has no such limit."
    )
    if ended.request.secure and not ended.policy.http2:
        return Advice(Cause.STREAMS, origin, (why, "Write `http2: true` at the top of the file."))
    route = ended.route
    do = () if route is None else (setting(ended.policy, route, https=True),)
    return Advice(Cause.STREAMS, origin, (why, *(f"To use it, {each}" for each in do)))


def _about_refusal(ended: Ended) -> list[Advice]:
    verdict, policy = ended.verdict, ended.policy
    fields = ended.request.fields
    asked = split_list([v for n, v in fields if n.lower() == b"access-control-request-headers"])
    method = ended.value(b"access-control-request-method")
    remedies = remedies_for(verdict, policy, method, asked)
    hint = hint_for(verdict, policy, remedies=remedies)
    family = family_of([name.decode("latin-1").lower() for name in asked])
    if family is not None and verdict.kind is Kind.PREFLIGHT and remedies:
        remedies = _with_family(remedies, family, verdict, policy)
        command = command_of(remedies)
        if command is not None:
            hint = (
                f"The client speaks {family.name}, whose calls need more than this one asks for"
                f" ({verdict.at}). To allow all of it, run: {command}"
            )
    if hint is not None and verdict.at is not None and verdict.at.line:
        hint = hint if str(verdict.at) in hint else f"{verdict.at}  {hint}"
    local = about_local_network(policy, verdict, ended.request.fields)
    lines = tuple(line for line in (ended.detail, hint, local) if line is not None)
    origin = ended.value(b"origin").decode("latin-1")
    subject = f"{verdict.route} {verdict.code} {verdict.at} {origin} {verdict.subject}"
    return [Advice(Cause.REFUSED, subject, lines, tuple(remedies))]


def _with_family(
    remedies: list[Remedy], family: Family, verdict: Verdict, policy: Policy
) -> list[Remedy]:
    """Return the remedies for a refused call and all others of its protocol."""
    rules = rules_of(policy, verdict.route or "")
    others = [each for each in remedies if each.key != "allow_headers"]
    refused = [value for each in remedies if each.key == "allow_headers" for value in each.values]
    names = list(dict.fromkeys([*refused, *missing_headers(family, rules)]))
    if names:
        others.append(remedy_under("allow_headers", names, verdict, policy, rules))
    exposed = missing_exposed(family.response_headers, rules)
    if exposed:
        others.append(remedy_under("expose_headers", exposed, verdict, policy, rules))
    return others


def _about_outcome(ended: Ended, route: Route, call: Call) -> Advice | None:
    outcome = ended.outcome
    if outcome is None or not is_lost(outcome):
        return None
    if outcome.word is Word.LEAVES:
        return _redirect(ended, route, outcome)
    return _blocked(ended, route, call, outcome)


def _blocked(ended: Ended, route: Route, call: Call, outcome: Outcome) -> Advice:
    error = outcome.error or "websocket"
    subject = f"{route.name} {error}"
    if not isinstance(route.cors, CorsRules):
        line = (
            "The upstream answers CORS itself on this route (`cors: passthrough`), and does not let"
            f" the page read the response: {outcome.sentence}"
        )
        return Advice(Cause.BLOCKED, subject, (line,))
    if error in _CREDENTIALS:
        return _credentials(ended, route.cors, call, subject)
    if error in _RESOURCE_POLICY:
        return Advice(Cause.BLOCKED, subject, _resource_policy(ended.policy, route))
    return Advice(Cause.BLOCKED, subject, (f"The browser: {outcome.sentence}",))


def _credentials(ended: Ended, rules: CorsRules, call: Call, subject: str) -> Advice:
    if rules.origins.any is not None:
        origin = (call.origin or b"").decode("latin-1")
        return Advice(Cause.BLOCKED, subject, (credentials_hint(origin),))
    remedy = credentials_remedy(ended.verdict, ended.policy, rules)
    why = "The call carries cookies, which this route does not allow: the page gets no response."
    return Advice(Cause.BLOCKED, subject, (why, f"To allow them, {remedy.instruction}"), (remedy,))


def _resource_policy(policy: Policy, route: Route) -> tuple[str, ...]:
    why = "The upstream's Cross-Origin-Resource-Policy keeps it from elements of other origins."
    key = "response_headers: {set: {Cross-Origin-Resource-Policy: cross-origin}}"
    instead = key_of_route(policy, route, key)
    do = "Add crossorigin to the element, as in <img crossorigin>: then CORS decides."
    return (why, do) if instead is None else (why, f"{do} Or {instead}.")


def _redirect(ended: Ended, route: Route, outcome: Outcome) -> Advice:
    location = (outcome.location or b"").decode("latin-1")
    scheme, _, rest = location.partition("://")
    host = rest.partition("/")[0].partition("?")[0].partition("#")[0]
    target = f"{scheme}://{host}"
    if ended.call is not None and _is_same_proxy(ended.call.own, target.encode("latin-1")):
        own = ended.call.own.decode("latin-1")
        why = (
            f"The redirect leads to {target}: this proxy as well, but another origin to the"
            " browser, which then sends Origin: null."
        )
        return Advice(Cause.REDIRECT, target, (why, f"Call it there: {target} in place of {own}."))
    why = f"The redirect leads to {scheme}://{host}, past this proxy: the page's call fails there."
    if scheme == "https" and route.upstream.scheme == "http" and _is_upstream(route, host):
        do = capital(setting(ended.policy, route, upstream=f"https://{host}"))
        return Advice(Cause.REDIRECT, f"{scheme}://{host}", (why, do))
    add = (
        f"to take it along, add a route for {scheme}://{host}"
        if not is_quick(ended.policy)
        else f"to call that host itself, {restart(ended.policy, upstream=f'{scheme}://{host}')}"
    )
    do = (
        "If it is a login, open it in a tab, or let the API answer fetch with 401 in place of a"
        f" redirect; {add}"
    )
    return Advice(Cause.REDIRECT, f"{scheme}://{host}", (why, do))


def _is_same_proxy(own: bytes, target: bytes) -> bool:
    """Whether two addresses differ in nothing but the name for this machine."""
    one, other = parse_origin(own), parse_origin(target)
    if one is None or other is None or not is_loopback(one.host) or not is_loopback(other.host):
        return False
    return (one.scheme, one.port) == (other.scheme, other.port)


def _is_upstream(route: Route, host: str) -> bool:
    name = host.partition(":")[0]
    return name.removeprefix("www.") == route.upstream.host.removeprefix("www.")


def _about_answer(ended: Ended, route: Route, call: Call) -> Iterator[Advice]:
    """What the upstream's own answer tells about how it was asked."""
    is_told_otherwise = not route.preserve_host or route.origin == "rewrite"
    if ended.status == 403 and _is_signed(ended):
        yield Advice(Cause.SIGNATURE, route.name, _signature(ended.policy, route))
    elif ended.request.method == "POST" and _is_token_endpoint(ended):
        yield Advice(Cause.LOGIN, f"{route.name} token", _token(ended.policy, route))
    elif is_told_otherwise and ended.request.method == "POST" and ended.status in _REFUSED_LOGIN:
        yield Advice(Cause.LOGIN, route.name, _login(ended.policy, route))
    elif lacks_cookie(ended.verdict, ended.status, ended.request.fields):
        rules = rules_of(ended.policy, route.name)
        line = about_missing_cookie(rules, ended.request.fields, differences(call))
        yield Advice(Cause.MISSING_COOKIE, route.name, (line,))
    if any(name.lower() == b"ngrok-error-code" for name, _ in ended.fields):
        why = "That is ngrok's own page, which it shows to browsers in place of the API's answer."
        skip = ("ngrok-skip-browser-warning", "1")
        do = capital(setting(ended.policy, route, header=skip))
        yield Advice(Cause.INTERSTITIAL, route.name, (why, do))
    if ended.request.target.partition(b"?")[0].endswith(b"/.well-known/openid-configuration"):
        yield Advice(Cause.DISCOVERY, route.name, _discovery(call))
    names = unread_headers(call, ended.fields) if ended.status < 400 else ()
    if names and isinstance(route.cors, CorsRules) and not route.cors.expose_headers.any:
        names = names[:_MOST_NAMES]
        remedy = remedy_under("expose_headers", names, ended.verdict, ended.policy, route.cors)
        why = f"The page cannot read these response headers: {', '.join(names)}."
        lines = (why, f"If it needs one, {remedy.instruction}")
        yield Advice(Cause.UNREAD, route.name, lines, (remedy,))


def _discovery(call: Call) -> tuple[str, ...]:
    own = call.own.decode("latin-1")
    why = (
        "This document names the provider's own addresses: the calls of the login go there, past"
        " this proxy."
    )
    do = (
        "Give the client the endpoints that it calls here, with the document's paths. In"
        f' oidc-client-ts: `metadataSeed: {{token_endpoint: "{own}/…",'
        f' userinfo_endpoint: "{own}/…"}}`'
    )
    return (why, do)


def _is_signed(ended: Ended) -> bool:
    """Whether it carries an AWS signature (SigV4), in a field or in the query."""
    authorization = ended.value(b"authorization")
    return authorization.startswith(b"AWS4-") or b"X-Amz-Signature=" in ended.request.target


def _signature(policy: Policy, route: Route) -> tuple[str, ...]:
    if route.preserve_host:
        why = "The signature (AWS SigV4) covers Host, which the upstream got as the browser sent it"
        return (f"{why}: sign for this proxy's address, and check clock, region and keys.",)
    why = "The signature (AWS SigV4) covers Host, and this proxy sends the upstream's own."
    return (why, capital(setting(policy, route, preserve_host=True)))


def _is_token_endpoint(ended: Ended) -> bool:
    """Whether a client was refused while exchanging a code for a token (RFC 6749, 3.2)."""
    path = ended.request.target.partition(b"?")[0].rstrip(b"/").lower()
    return ended.status in (400, 401, 403) and path.endswith((b"/token", b"/oauth2/v2.0/token"))


def _token(policy: Policy, route: Route) -> tuple[str, ...]:
    if route.origin == "remove":
        return ("The provider refused the code: check redirect URI, client and PKCE.",)
    why = "Providers that know the page's Origin refuse the upstream's own in its place."
    return (why, capital(setting(policy, route, origin="remove")))


def _login(policy: Policy, route: Route) -> tuple[str, ...]:
    host = route.upstream.authority.decode("ascii")
    why = (
        f"If that is the API's check against forged requests (CSRF): it was told Host {host} and"
        f" Origin {_origin_told(route)}. To send what the browser says,"
    )
    return (why, setting(policy, route, preserve_host=True))


def _origin_told(route: Route) -> str:
    words = {"rewrite": route.upstream.origin.decode("ascii"), "remove": "none"}
    return words.get(route.origin, "of the page")


def _about_cookies(ended: Ended, route: Route, call: Call) -> Iterator[Advice]:
    if not call.is_cross_origin or call.mode not in (Mode.CORS, Mode.NO_CORS):
        return
    for fate in cookie_fates(call, ended.request.target, ended.fields):
        if fate.reason is not None and not fate.deletes:
            lines = _lost_cookie(ended.policy, route, call, fate)
            yield Advice(Cause.COOKIE, f"{fate.name} {fate.reason}", lines)


def _lost_cookie(policy: Policy, route: Route, call: Call, fate: CookieFate) -> tuple[str, ...]:
    what = f"The browser rejects the cookie {fate.name or '(without a name)'} ({fate.reason})"
    if not fate.is_of_other_site:
        why = _COOKIE_REASONS.get(fate.reason or "", "")
        return (f"{what}: {why}." if why else f"{what}.",)
    page, own = (each.decode("latin-1") for each in (call.origin or b"", call.own))
    if differences(call) == ("scheme",):
        why = f"{what}: {page} and {own} differ in their scheme, which makes them two sites."
        return (why, capital(setting(policy, route, https=page.startswith("https://"))))
    why = f"{what}: {page} and {own} are two sites, because their hosts differ."
    return (why, "Open the page and call the proxy under one host name, localhost for one.")
