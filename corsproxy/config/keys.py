"""The keys of the file, and what people coming from other products call them.

Keys can differ by many letters and mean the same (`origins`, `allow_origins`), so edit
distance alone is not enough. `suggest` tries, in order: the
same letters, another product's name, a key that belongs elsewhere, and a typing error.
"""

import re
from collections.abc import Sequence
from dataclasses import fields
from functools import lru_cache
from typing import Literal, NamedTuple

from corsproxy.config.yaml.nodes import Mapping, Node, Scalar, is_null
from corsproxy.core.policy import Limits, Timeouts, Tls

Place = Literal[
    "top", "route", "cors", "origin", "headers", "timeout", "tls", "listener_tls", "limits", "log"
]

KEYS: dict[Place, tuple[str, ...]] = {
    "top": (
        "version", "listen", "admin", "allowed_hosts", "upstream", "cors", "routes", "limits",
        "log", "shutdown_grace", "drain_delay", "trusted_proxies", "via", "tls", "http2",
        "inspector",
    ),
    "cors": (
        "allow_origins", "allow_methods", "allow_headers", "expose_headers", "allow_credentials",
        "max_age", "unlisted_origins",
    ),
    "route": (
        "name", "path", "upstream", "strip_path", "preserve_host", "cors", "request_headers",
        "response_headers", "cookies", "origin", "forwarded", "documents", "timeout", "tls",
    ),
    "origin": ("origin", "until", "reason"),
    "headers": ("set", "remove"),
    "timeout": tuple(field.name for field in fields(Timeouts)),
    "tls": tuple(field.name for field in fields(Tls)),
    "listener_tls": ("cert_file", "key_file"),
    "limits": tuple(field.name for field in fields(Limits)),
    "log": ("format", "requests"),
}  # fmt: skip
"""Every key of the allowlist file, by the mapping that may hold it."""

TestPlace = Literal["tests", "case", "expect"]

TEST_KEYS: dict[TestPlace, tuple[str, ...]] = {
    "tests": ("config", "cases"),
    "case": ("name", "origin", "request", "headers", "credentials", "at", "expect"),
    "expect": ("code", "at"),
}
"""Every key of a file of expectations, for `corsproxy test`."""

AnyPlace = Place | TestPlace

KEYS_AT: dict[AnyPlace, tuple[str, ...]] = dict((*KEYS.items(), *TEST_KEYS.items()))

_UNDER: dict[Place, str] = {
    "top": "at the top level",
    "route": "in a route under `routes:`",
    "cors": "under `cors:`",
    "origin": "in an entry of `allow_origins`",
    "headers": "under `request_headers:` or `response_headers:`",
    "timeout": "under a route's `timeout:`",
    "tls": "under a route's `tls:`",
    "listener_tls": "under the `tls:` of the listeners",
    "limits": "under `limits:`",
    "log": "under `log:`",
}

_MAPPINGS = frozenset(
    {"limits", "log", "tls", "timeout", "request_headers", "response_headers", "set"}
)
_LISTS_OF_MAPPINGS = frozenset({"routes", "cases"})
# A mapping, or a word.
_EITHER = frozenset({"cors", "expect"})

# By letters and digits in lower case, from gateways, middlewares and dev servers; see `suggest`.
_CALLED: dict[Place, dict[str, str]] = {
    "top": {
        "listen": "port host bind address addr server listenaddress listeners bindaddress",
        "allowed_hosts": "hosts trustedhosts servername",
        "upstream": "target proxyurl targeturl backend backendurl upstreams upstreamurl proxypass "
        "url api destination",
        "routes": "route proxy proxies rules locations mappings services paths",
        "cors": "corspolicy",
        "log": "logging logs accesslog",
        "inspector": "inspect dashboard ui",
        "admin": "metrics health",
        "shutdown_grace": "gracefultimeout shutdowntimeout graceperiod gracefulshutdown "
        "stoptimeout",
        "drain_delay": "drain draintimeout",
        "trusted_proxies": "trustproxy trustedips realipfrom",
        "limits": "limit",
        "tls": "https ssl",
        "http2": "h2",
    },
    "route": {
        "upstream": "target url backend service proxypass to destination upstreams proxyurl",
        "path": "prefix pathprefix location match from context paths pathpattern proxypartial",
        "name": "id title",
        "strip_path": "stripprefix rewrite pathrewrite stripprefixpath removeprefix",
        "preserve_host": "keephost passhost passhostheader preservehostheader",
        "request_headers": "headers setheaders addheaders proxysetheader customrequestheaders "
        "headersup",
        "response_headers": "customresponseheaders headersdown",
        "cookies": "cookie cookiedomainrewrite cookiepathrewrite",
        "timeout": "timeouts proxytimeout",
        "tls": "ssl https",
        "cors": "corspolicy",
        "origin": "originheader rewriteorigin rewritewsorigin",
        "forwarded": "xfwd xforwarded xforwardedfor xforwardedheaders forwardedheaders",
        "documents": "sandbox pages",
    },
    "cors": {
        "allow_origins": "origins origin alloworigin allowedorigins allowedorigin alloworiginlist "
        "whitelist originwhitelist allowlist domains hosts alloworiginregex alloworiginregexes "
        "alloworiginlistregex allowedoriginregexes alloworiginsbyregex alloworiginpatterns "
        "allowedoriginpatterns alloworiginstringmatch withorigins",
        "allow_methods": "methods allowmethod allowedmethods withmethods verbs",
        "allow_headers": "headers allowheader allowedheaders requestheaders withheaders",
        "expose_headers": "exposedheaders exposed exposeheader exposeallheaders responseheaders "
        "withexposedheaders",
        "allow_credentials": "credentials credentialed allowcredential allowscredentials "
        "supportscredentials withcredentials allowcookies cookies",
        "max_age": "maxageseconds maxageinseconds preflightmaxage setpreflightmaxage "
        "preflightcache ttl",
        "unlisted_origins": "unlisted unmatchedpreflights blockunlistedorigins "
        "enforceallowedorigins",
    },
    "origin": {
        "origin": "url host name value",
        "until": "expires expiry expiresat exp expiredat date validuntil end",
        "reason": "comment note why statement description",
    },
    "headers": {
        "set": "add append replace overwrite",
        "remove": "delete del unset hide drop strip",
    },
    "timeout": {
        "connect": "connecttimeout dial",
        "response": "read readtimeout responsetimeout header ttfb firstbyte request total",
        "idle": "idletimeout stream write send",
    },
    "tls": {
        "ca_file": "ca cacert cabundle cafiles rootca rootcas",
        "cert_file": "cert certificate clientcert",
        "key_file": "key clientkey privatekey",
        "server_name": "sni hostname",
    },
    "listener_tls": {
        "cert_file": "cert certificate crt pem sslcertificate",
        "key_file": "key privatekey sslcertificatekey",
    },
    "limits": {
        "field": "header",
        "fields": "headers maxheaders",
        "field_section": "headersize maxheadersize maxheaderbytes headersection",
        "body": "bodysize maxbody maxbodysize clientmaxbodysize clientmaxsize",
        "target": "url urlsize",
        "connections": "maxconnections workerconnections",
        "in_flight": "concurrency maxrequests",
        "keepalive_timeout": "keepalive idletimeout",
        "head_timeout": "headertimeout clientheadertimeout",
        "body_timeout": "clientbodytimeout",
        "write_timeout": "sendtimeout",
    },
    "log": {
        "format": "fmt style output",
        "requests": "access accesslog request",
    },
}
_ALIASES = {
    place: {alias: key for key, aliases in table.items() for alias in aliases.split()}
    for place, table in _CALLED.items()
}

# Keys of other products that have no counterpart, and why.
_ADVICE = {
    "changeorigin": "remove it: the upstream's own host is sent unless `preserve_host: true`",
    "ws websocket websockets": "remove it: WebSockets always work",
    "secure": "write `verify: false` under `tls:` for `secure: false`",
    "rejectunauthorized": "write `verify: false` under `tls:` for `rejectUnauthorized: false`",
    "insecure insecureskipverify skipverify": "write `verify: false` under `tls:`",
    "followredirects": "remove it: redirects are never followed, and point back to the proxy",
    "allowprivatenetwork": "remove it: browsers ask the user now, and no header answers for them",
    "allowprivatenetworkaccess": "remove it: browsers ask the user now, and no header answers",
    "preflightcontinue optionspassthrough forwardnotmatchingpreflights": "remove it: preflights"
    " are always answered here",
    "optionssuccessstatus": "remove it: a preflight is answered with 204",
    "addvaryheader varyheader": "remove it: `Vary: Origin` is sent wherever it is needed",
    "debug": "remove it: a refused request always says why",
    "level": "remove it: `requests: all`, `denied` or `none` says what is logged",
    "loglevel": "write `log: {requests: all}`, `denied` or `none`",
    "workers": "remove it, and start with `corsproxy --workers 4`",
    "enabled": "remove the whole block to switch it off",
    "corsproxy": "remove it: what stands below it belongs at the top level",
}
_WITHOUT = {key: advice for keys, advice in _ADVICE.items() for key in keys.split()}

_LONGEST_TYPED = 32
"""Beyond this, a key is no typing error, and comparing it costs too much."""


def can_hold(key: str, value: Node) -> bool:
    """Whether `value` may be what a known key is meant to have, judged by its kind alone."""
    if isinstance(value, Mapping):
        return key in _MAPPINGS or key in _EITHER
    if isinstance(value, Scalar):
        return is_null(value) or (key not in _MAPPINGS and key not in _LISTS_OF_MAPPINGS)
    return key not in _MAPPINGS


class Suggestion(NamedTuple):
    """What to do about an unknown key."""

    help: str
    key: str | None = None
    """The key to write in its place, where that is all there is to do."""


def _near(key: str, known: Sequence[str]) -> list[str]:
    """Return the known key that is spelled like `key`, if there is one."""
    # Imported here, because most keys are known.
    from difflib import get_close_matches

    return get_close_matches(key.lower(), known, n=1, cutoff=0.7)


def _suggest_for_tests(place: TestPlace, key: str) -> Suggestion:
    near = _near(key, TEST_KEYS[place])
    if near:
        return Suggestion(f"did you mean `{near[0]}`?", near[0])
    return Suggestion(f"the keys here are {', '.join(TEST_KEYS[place])}")


@lru_cache(maxsize=2048)
def suggest(place: AnyPlace, key: str) -> Suggestion:
    """Return what to do about `key`, which the mapping at `place` does not have."""
    if place == "tests" or place == "case" or place == "expect":
        return _suggest_for_tests(place, key)
    if place == "origin" and "://" in key:
        return Suggestion(f"write `origin: {key}`")
    letters = _letters(key)
    own = _named(place, letters)
    if own is not None:
        return Suggestion(f"did you mean `{own}`?", own)
    if place == "headers":
        return Suggestion(f"to send a field of that name, write `set: {{{key}: …}}`")
    if letters in _WITHOUT:
        return Suggestion(_WITHOUT[letters])
    for other in KEYS:
        elsewhere = None if other == place else _named(other, letters)
        if elsewhere is not None:
            return Suggestion(f"`{elsewhere}` belongs {_UNDER[other]}")
    if len(key) > _LONGEST_TYPED:
        return Suggestion(_known(place))
    near = _near(key, KEYS[place])
    if near:
        return Suggestion(f"did you mean `{near[0]}`?", near[0])
    return Suggestion(_known(place))


def is_spelling_of(key: str, own: str) -> bool:
    """Whether `key` can mean nothing but `own`: its letters, or what another product calls
    the same rule of CORS. A typing error is neither, and no name without the noun is:
    `cookies` may be meant otherwise."""
    letters = _letters(key)
    if letters == own.replace("_", ""):
        return True
    noun = own.rpartition("_")[2].removesuffix("s")
    return _ALIASES["cors"].get(letters) == own and noun in letters


def _letters(key: str) -> str:
    letters = re.sub(r"[^a-z0-9]", "", key.lower())
    if letters == "corsproxy":
        return letters
    for prefix in ("accesscontrol", "cors"):
        if letters != prefix:
            letters = letters.removeprefix(prefix)
    return letters


def _named(place: Place, letters: str) -> str | None:
    for key in KEYS[place]:
        if key.replace("_", "") == letters:
            return key
    return _ALIASES[place].get(letters)


def _known(place: Place) -> str:
    return f"the keys {_UNDER[place]} are {', '.join(KEYS[place])}"
