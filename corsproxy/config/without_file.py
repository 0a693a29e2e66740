"""The policy of `corsproxy UPSTREAM`: what a developer means who has not written a file yet.

`Quick` is what the command line says; `corsproxy init` writes the same as a file.
"""

import os.path
from collections.abc import Sequence
from typing import NamedTuple

from corsproxy.config.contradictions import check_rules
from corsproxy.config.cors import origin_mistake
from corsproxy.config.header_rules import refused_name
from corsproxy.config.mistakes import BadValueError
from corsproxy.config.problems import ConfigError, Problem, Severity
from corsproxy.config.short_upstream import full_upstream
from corsproxy.config.upstreams import parse_upstream
from corsproxy.core.fields import as_cgi, is_field_value
from corsproxy.core.messages import Field
from corsproxy.core.origins import (
    LOOPBACK_ORIGINS,
    OriginPatternError,
    OriginSet,
    parse_origin_pattern,
)
from corsproxy.core.policy import (
    CorsRules,
    HeaderRules,
    Listed,
    OriginToUpstream,
    Policy,
    Route,
    Tls,
    Typed,
    UpstreamAddress,
)
from corsproxy.core.source import Source

_UPSTREAM = Source("UPSTREAM")
_ALLOW_ORIGIN = Source("--allow-origin")
_HEADER = Source("--header")


class Quick(NamedTuple):
    """What the command line says about an upstream and who may call it."""

    upstream: str
    """As it was typed: a URL, `host[:port]` or a port."""
    allow_origins: tuple[str, ...] = ()
    """Written as in the file."""
    insecure: bool = False
    """Whether the upstream's certificate is not verified."""
    ca_file: str | None = None
    """A PEM file, from the working directory."""
    preserve_host: bool = False
    origin: OriginToUpstream | None = None
    """None is the default, which depends on `preserve_host`."""
    headers: tuple[str, ...] = ()
    """Request headers for the upstream, each as `NAME: VALUE`."""
    typed: Typed | None = Typed()
    """The flags, as hints repeat them."""

    @property
    def url(self) -> str:
        return full_upstream(self.upstream)

    @property
    def origin_sent(self) -> OriginToUpstream:
        return self.origin or ("keep" if self.preserve_host else "rewrite")


def quick_policy(quick: Quick) -> Policy:
    """Return the policy without a file.

    Pages that this machine serves may call with every method and header, with
    credentials, and read every response header; so may the origins in `allow_origins`.
    Never everybody. Raises ConfigError for a bad value.
    """
    problems: list[Problem] = []
    address = _address(quick.url, problems)
    rules = _rules(quick.allow_origins, problems)
    fields = read_headers(quick.headers, problems)
    if address is None or problems:
        raise ConfigError(problems)
    route = Route(
        "/",
        b"/",
        address,
        rules,
        preserve_host=quick.preserve_host,
        origin=quick.origin_sent,
        request_headers=HeaderRules(fields),
        tls=_tls(quick, address),
        source=_UPSTREAM,
    )
    secrets = frozenset(value.decode("utf-8", "replace") for _, value in fields)
    return Policy(routes=(route,), default_cors=rules, secrets=secrets, typed=quick.typed)


def _tls(quick: Quick, address: UpstreamAddress) -> Tls:
    if address.scheme != "https":
        return Tls()
    ca_file = None if quick.ca_file is None else os.path.abspath(quick.ca_file)
    return Tls(not quick.insecure, ca_file)


def read_headers(texts: Sequence[str], problems: list[Problem]) -> tuple[Field, ...]:
    """Return the fields that `--header` sets. What a problem says holds no value: it may be a
    secret."""
    fields: dict[bytes, Field] = {}
    for text in texts:
        name, colon, value = text.partition(":")
        content = value.strip(" \t").encode("utf-8", "surrogateescape")
        refused = refused_name(name) if colon else None
        if not colon:
            refused = ("bad-header", "there is no colon", "write it as 'NAME: VALUE'")
        elif refused is None and not is_field_value(content):
            refused = ("bad-header-value", f"the value of {name} has a control character", "")
        elif refused is None and as_cgi(name.encode("ascii")) in fields:
            refused = ("duplicate-header", f"{name} is set twice", "keep one of them")
        if refused is not None:
            code, message, help = refused
            problems.append(Problem("error", code, message, _HEADER, help=help))
        else:
            fields[as_cgi(name.encode("ascii"))] = (name.encode("ascii"), content)
    return tuple(fields.values())


def _address(upstream: str, problems: list[Problem]) -> UpstreamAddress | None:
    try:
        return parse_upstream(upstream)
    except BadValueError as mistake:
        # The URL is not shown: it may hold a password.
        if "{" in mistake.help:
            mistake.help = "send credentials in a header: --header 'Authorization: …'"
        problems.append(_problem(mistake, "", _UPSTREAM))
        return None


def _rules(allow_origins: Sequence[str], problems: list[Problem]) -> CorsRules:
    patterns = [parse_origin_pattern(text) for text in LOOPBACK_ORIGINS]
    for text in allow_origins:
        try:
            patterns.append(parse_origin_pattern(text, _ALLOW_ORIGIN))
        except OriginPatternError as error:
            mistake = origin_mistake(error, text)
            if error.reason == "several-origins":
                mistake.help = (
                    f"give {_ALLOW_ORIGIN} once for each, or separate them by spaces in"
                    " CORSPROXY_ALLOW_ORIGIN"
                )
            problems.append(_problem(mistake, text, _ALLOW_ORIGIN))
    everything = Listed((), any=True)
    rules = CorsRules(
        OriginSet(patterns, _ALLOW_ORIGIN),
        methods=everything,
        request_headers=everything,
        expose_headers=everything,
        credentials=True,
    )

    def report(severity: Severity, code: str, source: Source, message: str, help: str = "") -> None:
        if severity == "error":
            # There is no key that says so: it is what is meant without a file.
            cause = message.replace("with `allow_credentials: true`, ", "")
            problems.append(Problem(severity, code, cause, source, help=help))

    check_rules(rules, report)
    return rules


def _problem(mistake: BadValueError, text: str, source: Source) -> Problem:
    help = mistake.help
    if mistake.suggestion is not None and mistake.suggestion not in help:
        help = f"{help}: {mistake.suggestion}" if help else f"write {mistake.suggestion}"
    return Problem("error", mistake.code, mistake.message, source, len(text), help, text)
