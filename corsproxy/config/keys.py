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

# By letters and digits in lower case, from gateways, middlewares and dev servers; see `suggest`.
_ALIASES: dict[Place, dict[str, str]] = {
    "top": {
        "port": "listen", "host": "listen", "bind": "listen", "address": "listen",
        "addr": "listen", "server": "listen", "listenaddress": "listen", "listeners": "listen",
        "bindaddress": "listen", "hosts": "allowed_hosts", "trustedhosts": "allowed_hosts",
        "servername": "allowed_hosts", "target": "upstream", "proxyurl": "upstream",
        "targeturl": "upstream", "backend": "upstream", "backendurl": "upstream",
        "upstreams": "upstream", "upstreamurl": "upstream", "proxypass": "upstream",
        "url": "upstream", "api": "upstream", "destination": "upstream", "route": "routes",
        "proxy": "routes", "proxies": "routes", "rules": "routes", "locations": "routes",
        "mappings": "routes", "services": "routes", "paths": "routes", "corspolicy": "cors",
        "logging": "log", "logs": "log", "accesslog": "log", "inspect": "inspector",
        "dashboard": "inspector", "ui": "inspector",
        "metrics": "admin", "health": "admin", "gracefultimeout": "shutdown_grace",
        "shutdowntimeout": "shutdown_grace", "graceperiod": "shutdown_grace",
        "gracefulshutdown": "shutdown_grace", "stoptimeout": "shutdown_grace",
        "drain": "drain_delay", "draintimeout": "drain_delay", "trustproxy": "trusted_proxies",
        "trustedips": "trusted_proxies", "realipfrom": "trusted_proxies", "limit": "limits",
        "https": "tls", "ssl": "tls", "h2": "http2",
    },
    "route": {
        "target": "upstream", "url": "upstream", "backend": "upstream", "service": "upstream",
        "proxypass": "upstream", "to": "upstream", "destination": "upstream",
        "upstreams": "upstream", "proxyurl": "upstream", "prefix": "path",
        "pathprefix": "path", "location": "path", "match": "path", "from": "path",
        "context": "path", "paths": "path", "pathpattern": "path", "proxypartial": "path",
        "id": "name", "title": "name", "stripprefix": "strip_path", "rewrite": "strip_path",
        "pathrewrite": "strip_path", "stripprefixpath": "strip_path",
        "removeprefix": "strip_path", "keephost": "preserve_host", "passhost": "preserve_host",
        "passhostheader": "preserve_host", "preservehostheader": "preserve_host",
        "headers": "request_headers", "setheaders": "request_headers",
        "addheaders": "request_headers", "proxysetheader": "request_headers",
        "customrequestheaders": "request_headers", "headersup": "request_headers",
        "customresponseheaders": "response_headers", "headersdown": "response_headers",
        "cookie": "cookies", "cookiedomainrewrite": "cookies", "cookiepathrewrite": "cookies",
        "timeouts": "timeout", "proxytimeout": "timeout", "ssl": "tls", "https": "tls",
        "corspolicy": "cors", "originheader": "origin", "rewriteorigin": "origin",
        "rewritewsorigin": "origin", "xfwd": "forwarded", "xforwarded": "forwarded",
        "xforwardedfor": "forwarded", "xforwardedheaders": "forwarded",
        "forwardedheaders": "forwarded", "sandbox": "documents", "pages": "documents",
    },
    "cors": {
        "origins": "allow_origins", "origin": "allow_origins", "alloworigin": "allow_origins",
        "allowedorigins": "allow_origins", "allowedorigin": "allow_origins",
        "alloworiginlist": "allow_origins", "whitelist": "allow_origins",
        "originwhitelist": "allow_origins", "allowlist": "allow_origins",
        "domains": "allow_origins", "hosts": "allow_origins", "alloworiginregex": "allow_origins",
        "alloworiginregexes": "allow_origins", "alloworiginlistregex": "allow_origins",
        "allowedoriginregexes": "allow_origins", "alloworiginsbyregex": "allow_origins",
        "alloworiginpatterns": "allow_origins", "allowedoriginpatterns": "allow_origins",
        "alloworiginstringmatch": "allow_origins", "withorigins": "allow_origins",
        "methods": "allow_methods", "allowmethod": "allow_methods",
        "allowedmethods": "allow_methods", "withmethods": "allow_methods",
        "verbs": "allow_methods", "headers": "allow_headers", "allowheader": "allow_headers",
        "allowedheaders": "allow_headers", "requestheaders": "allow_headers",
        "withheaders": "allow_headers", "exposedheaders": "expose_headers",
        "exposed": "expose_headers", "exposeheader": "expose_headers",
        "exposeallheaders": "expose_headers", "responseheaders": "expose_headers",
        "withexposedheaders": "expose_headers", "credentials": "allow_credentials",
        "credentialed": "allow_credentials", "allowcredential": "allow_credentials",
        "allowscredentials": "allow_credentials",
        "supportscredentials": "allow_credentials", "withcredentials": "allow_credentials",
        "allowcookies": "allow_credentials", "cookies": "allow_credentials",
        "maxageseconds": "max_age", "maxageinseconds": "max_age", "preflightmaxage": "max_age",
        "setpreflightmaxage": "max_age", "preflightcache": "max_age", "ttl": "max_age",
        "unlisted": "unlisted_origins", "unmatchedpreflights": "unlisted_origins",
        "blockunlistedorigins": "unlisted_origins", "enforceallowedorigins": "unlisted_origins",
    },
    "origin": {"url": "origin", "host": "origin", "name": "origin", "value": "origin",
               "expires": "until", "expiry": "until", "expiresat": "until", "exp": "until",
               "expiredat": "until", "date": "until", "validuntil": "until", "end": "until",
               "comment": "reason", "note": "reason", "why": "reason", "statement": "reason",
               "description": "reason"},
    "headers": {"add": "set", "append": "set", "replace": "set", "overwrite": "set",
                "delete": "remove", "del": "remove", "unset": "remove", "hide": "remove",
                "drop": "remove", "strip": "remove"},
    "timeout": {"connecttimeout": "connect", "dial": "connect", "read": "response",
                "readtimeout": "response", "responsetimeout": "response", "header": "response",
                "ttfb": "response", "firstbyte": "response", "request": "response",
                "total": "response", "idletimeout": "idle", "stream": "idle", "write": "idle",
                "send": "idle"},
    "tls": {"ca": "ca_file", "cacert": "ca_file", "cabundle": "ca_file", "cafiles": "ca_file",
            "rootca": "ca_file", "rootcas": "ca_file", "cert": "cert_file",
            "certificate": "cert_file", "clientcert": "cert_file", "key": "key_file",
            "clientkey": "key_file", "privatekey": "key_file", "sni": "server_name",
            "hostname": "server_name"},
    "listener_tls": {"cert": "cert_file", "certificate": "cert_file",
                     "crt": "cert_file", "pem": "cert_file", "sslcertificate": "cert_file",
                     "key": "key_file", "privatekey": "key_file",
                     "sslcertificatekey": "key_file"},
    "limits": {"header": "field", "headers": "fields", "maxheaders": "fields",
               "headersize": "field_section", "maxheadersize": "field_section",
               "maxheaderbytes": "field_section", "headersection": "field_section",
               "bodysize": "body", "maxbody": "body", "maxbodysize": "body",
               "clientmaxbodysize": "body", "clientmaxsize": "body", "url": "target",
               "urlsize": "target", "maxconnections": "connections",
               "workerconnections": "connections",
               "concurrency": "in_flight", "maxrequests": "in_flight",
               "keepalive": "keepalive_timeout", "idletimeout": "keepalive_timeout",
               "headertimeout": "head_timeout", "clientheadertimeout": "head_timeout",
               "clientbodytimeout": "body_timeout", "sendtimeout": "write_timeout"},
    "log": {"fmt": "format", "style": "format", "output": "format", "access": "requests",
            "accesslog": "requests", "request": "requests"},
}  # fmt: skip

# Keys of other products that have no counterpart, and why.
_WITHOUT: dict[str, str] = {
    "changeorigin": "remove it: the upstream's own host is sent unless `preserve_host: true`",
    "ws": "remove it: WebSockets always work",
    "websocket": "remove it: WebSockets always work",
    "websockets": "remove it: WebSockets always work",
    "secure": "write `verify: false` under `tls:` for `secure: false`",
    "rejectunauthorized": "write `verify: false` under `tls:` for `rejectUnauthorized: false`",
    "insecure": "write `verify: false` under `tls:`",
    "insecureskipverify": "write `verify: false` under `tls:`",
    "skipverify": "write `verify: false` under `tls:`",
    "followredirects": "remove it: redirects are never followed, and point back to the proxy",
    "allowprivatenetwork": "remove it: browsers ask the user now, and no header answers for them",
    "allowprivatenetworkaccess": "remove it: browsers ask the user now, and no header answers",
    "preflightcontinue": "remove it: preflights are always answered here",
    "optionspassthrough": "remove it: preflights are always answered here",
    "forwardnotmatchingpreflights": "remove it: preflights are always answered here",
    "optionssuccessstatus": "remove it: a preflight is answered with 204",
    "addvaryheader": "remove it: `Vary: Origin` is sent wherever it is needed",
    "varyheader": "remove it: `Vary: Origin` is sent wherever it is needed",
    "debug": "remove it: a refused request always says why",
    "level": "remove it: `requests: all`, `denied` or `none` says what is logged",
    "loglevel": "write `log: {requests: all}`, `denied` or `none`",
    "workers": "remove it, and start with `corsproxy --workers 4`",
    "enabled": "remove the whole block to switch it off",
}


_LONGEST_TYPED = 32
"""Beyond this, a key is no typing error, and comparing it costs too much."""


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
