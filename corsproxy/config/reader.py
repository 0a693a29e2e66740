"""The allowlist file -> `Policy`, or every problem in it.

Reads no file, no network and no environment but what its caller hands it. A file with an
error makes no policy at all: nothing is guessed, and nothing fails open.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

from corsproxy.config.connections import TlsCheck
from corsproxy.config.contradictions import check_expired, check_list, check_rules
from corsproxy.config.cookie_sites import routes_sharing_cookies, routes_sharing_origin
from corsproxy.config.cors import NO_ORIGINS, Passthrough, read_cors, rules_without_origins
from corsproxy.config.findings import Findings
from corsproxy.config.general import (
    check_version,
    read_allowed_hosts,
    read_limits,
    read_log,
    read_trusted_proxies,
    read_via,
)
from corsproxy.config.https import CertificateCheck, check_https, read_listener_tls
from corsproxy.config.listeners import check_listeners, read_admin, read_inspector, read_listen
from corsproxy.config.problems import ConfigError, Problem
from corsproxy.config.routes import Surroundings, check_reachable, read_routes
from corsproxy.config.section import Section
from corsproxy.config.yaml.document import Document, read_document
from corsproxy.config.yaml.nodes import Mapping as MappingNode
from corsproxy.config.yaml.source_text import read_text
from corsproxy.core.policy import CorsRules, ListenAddress, Policy, Route
from corsproxy.core.source import Source

_DEFAULTS = Policy((), NO_ORIGINS)


class Reading(NamedTuple):
    """A file that can be served."""

    policy: Policy
    warnings: tuple[Problem, ...]
    """In file order; none is an error."""
    head: Mapping[str, Source] = MappingProxyType({})
    """Where those keys stand that a flag may take the place of; `log.format` is one."""


def read_policy(
    text: str | bytes | Document,
    name: str,
    environ: Mapping[str, str],
    directory: str,
    check_tls: TlsCheck = lambda _: None,
    *,
    check_certificate: CertificateCheck = lambda _: (),
    day: str | None = None,
) -> Reading:
    """Return the policy that `text` is, parsed or not, and what is worth a warning in it.

    `name` is what messages call the file. `environ` fills in `${NAME}`. `directory` is
    the absolute directory that relative paths in the file start from; none is opened, but
    `check_tls` may look at those that a route's `tls` names, and `check_certificate` at the
    listeners'. `day` is the day in UTC for which the policy is made, as YYYY-MM-DD: entries
    that have a last day hold until its end. None is later than every date.

    Raises ConfigError with every problem, in file order.
    """

    def read(document: Document) -> Reading:
        return _policy_of(
            document, environ, directory, check_tls, check_certificate=check_certificate, day=day
        )

    if isinstance(text, Document):
        return read(text)
    try:
        document = read_document(text, name)
    except ConfigError as error:
        raise _with_tried_fixes(error, text, name, read) from None
    return read(document)


def _with_tried_fixes(
    error: ConfigError, text: str | bytes, name: str, read: Callable[[Document], Reading]
) -> ConfigError:
    """Return the refusal of a text that is not YAML, with fixes that were tried."""
    if all(problem.fix is None for problem in error.problems):
        return error
    # Imported here, because most files are YAML.
    from corsproxy.config.trial import tried

    def problems_of(fixed: str) -> Iterable[Problem]:
        try:
            return read(read_document(fixed, name)).warnings
        except ConfigError as following:
            return following.problems

    lines = list(read_text(text, name).lines)
    last = tried(error.problems[-1], lines, problems_of)
    return ConfigError([*error.problems[:-1], last])


def _policy_of(
    document: Document,
    environ: Mapping[str, str],
    directory: str,
    check_tls: TlsCheck,
    *,
    check_certificate: CertificateCheck,
    day: str | None,
) -> Reading:
    findings = Findings(document.source, environ, document.tagged, day)
    for problem in document.problems:
        findings.add(problem)
    top = Section(findings, document.root, "top", "")
    policy = _read(top, directory, check_tls)
    policy = replace(
        policy, listener_tls=read_listener_tls(top, policy.listen, directory, check_certificate)
    )
    if top.lacks("tls"):
        check_https(findings, policy)
    _check_somebody_allowed(findings, policy)
    check_reachable(findings, policy)
    problems = findings.problems
    if any(problem.severity == "error" for problem in problems):
        raise ConfigError(problems)
    return Reading(policy, problems, _head(top))


def read_admin_address(
    text: str | bytes, name: str, environ: Mapping[str, str]
) -> ListenAddress | None:
    """Return what `admin` says in a file that may be wrong in all else; None where it is
    `off`. Raises ConfigError where that cannot be known."""
    document = read_document(text, name)
    findings = Findings(document.source, environ)
    top = Section(findings, document.root, "top", "")
    others = findings.count
    admin = read_admin(top)
    if findings.count > others:
        raise ConfigError(findings.problems)
    return admin


def _read(top: Section, directory: str, check_tls: TlsCheck) -> Policy:
    findings = top.findings
    check_version(top)
    listen = read_listen(top)
    admin = read_admin(top)
    check_listeners(findings, listen, admin)
    inspector = read_inspector(top, admin)
    hosts = read_allowed_hosts(top)
    default = _default_cors(top)
    around = Surroundings(findings, default, directory, listen, [], check_tls)
    routes = read_routes(top, around)
    _check_origins_named(top, around)
    _check_rules(around)
    _check_sharing(findings, routes)
    networks = read_trusted_proxies(top)
    if networks and top.has("trusted_proxies"):
        _check_story(top, routes)
    return Policy(
        routes=routes,
        default_cors=default if isinstance(default, CorsRules) else NO_ORIGINS,
        listen=listen,
        admin=admin,
        allowed_hosts=hosts.names,
        any_host=hosts.any,
        allowed_hosts_source=hosts.source,
        limits=read_limits(top),
        log=read_log(top),
        shutdown_grace=top.duration("shutdown_grace", _DEFAULTS.shutdown_grace),
        drain_delay=top.duration("drain_delay", _DEFAULTS.drain_delay),
        trusted_proxies=networks,
        via=read_via(top),
        http2=top.flag("http2", _DEFAULTS.http2),
        inspector=inspector,
        secrets=frozenset(findings.secrets),
    )


def _head(top: Section) -> dict[str, Source]:
    keys = ("listen", "admin", "drain_delay", "shutdown_grace")
    values = {key: top.raw(key) for key in keys if top.has(key)}
    for section, key in (("log", "format"), ("limits", "connections")):
        node = top.raw(section) if top.has(section) else None
        for entry in node.entries if isinstance(node, MappingNode) else ():
            if entry.key.text == key:
                values[f"{section}.{key}"] = entry.value
    return {key: top.findings.source(value) for key, value in values.items()}


def _default_cors(top: Section) -> CorsRules | Passthrough:
    """Return the file's own `cors`; rules that allow no origin if it has none."""
    node = top.get("cors", "write `{allow_origins: […]}`, or the word `passthrough`")
    if node is None:
        # A `cors:` without a value, or misspelled, has its own problem already.
        return (
            rules_without_origins(top.findings.source(top.node))
            if top.lacks("cors")
            else NO_ORIGINS
        )
    return read_cors(top.findings, node, "cors", None)


def _check_origins_named(top: Section, around: Surroundings) -> None:
    """Report rules without origins: only `[]` means that none is allowed."""
    findings, default = top.findings, around.cors
    if default is NO_ORIGINS:
        return  # it could not be read, so what routes take over cannot be judged
    help = "list your pages' origins: `allow_origins: [http://localhost:5173]`"
    for rules in around.used:
        if not isinstance(rules, CorsRules) or rules is NO_ORIGINS:
            continue
        if _unnamed(rules, default) and (rules is not default or top.has("cors")):
            message = "these `cors` rules have no `allow_origins`"
            findings.at("error", "missing-key", rules.source, message, help)


def _unnamed(rules: CorsRules, default: CorsRules | Passthrough) -> bool:
    """Whether no `allow_origins` stands in the rules' mapping nor in the one above it."""
    if isinstance(default, CorsRules) and rules.origins is default.origins:
        rules = default
    return rules.origins.source == rules.source


def _check_somebody_allowed(findings: Findings, policy: Policy) -> None:
    """Warn where routes inherit rules that allow no origin; their own list may be empty."""
    if findings.errors or policy.default_cors.origins.patterns:
        return
    for route in policy.routes:
        if route.cors is policy.default_cors:
            named = not _unnamed(policy.default_cors, policy.default_cors)
            source = policy.default_cors.origins.source if named else route.source
            message = "no origin is allowed: calls from pages on other origins are refused"
            help = "list your pages' origins: `cors: {allow_origins: [http://localhost:5173]}`"
            findings.at("warning", "no-origins", source, message, help)
            return


def _check_rules(around: Surroundings) -> None:
    """Report rules that contradict themselves, each list and each pair once."""
    report = around.findings.at
    listed: set[int] = set()
    judged: set[tuple[int, bool]] = set()
    found = [rules for rules in (around.cors, *around.used) if isinstance(rules, CorsRules)]
    credentialed = {id(rules.origins) for rules in found if rules.credentials}
    for rules in found:
        if id(rules.origins) not in listed:
            listed.add(id(rules.origins))
            credentials = id(rules.origins) in credentialed
            check_list(rules.origins, report, credentials)
            if around.findings.day is not None:
                check_expired(rules.origins, report, credentials)
        if (id(rules.origins), rules.credentials) not in judged:
            judged.add((id(rules.origins), rules.credentials))
            check_rules(rules, report)


def _check_sharing(findings: Findings, routes: Sequence[Route]) -> None:
    """Warn where one upstream gets another's cookies, or is called by another's pages."""
    found = routes_sharing_cookies(routes)
    if found is not None:
        one, other = found
        message = (
            f"cookies that {one.upstream.host} sets are sent to {other.upstream.host} too, and"
            " pages of either can call the other: behind one listener both are one host to browsers"
        )
        help = "run a proxy of its own, under a host name of its own, for one of them"
        findings.at("warning", "shared-cookies", other.source, message, help)
        return
    found = routes_sharing_origin(routes)
    if found is not None:
        one, other = found
        message = (
            f"pages of {_place(one)} can call {_place(other)} with the user's cookies, and the"
            " other way round: behind one listener both are one origin"
        )
        help = (
            "write `documents: sandbox` on the route whose pages you do not trust, or run a"
            " proxy for each"
        )
        findings.at("warning", "shared-origin", other.source, message, help)


def _place(route: Route) -> str:
    site = route.upstream.site
    return site if isinstance(site, str) else site.decode("ascii")


def _check_story(top: Section, routes: Iterable[Route]) -> None:
    """Warn where a proxy in front reports a public address that no upstream is told."""
    if any(route.preserve_host or route.forwarded != "auto" for route in routes):
        return
    message = (
        "the address that these proxies report is not passed on: no route has `preserve_host`,"
        " so every upstream is told its own address"
    )
    help = (
        "if an upstream makes links or redirects for the public address, write"
        " `preserve_host: true` on its route; if not, write `forwarded: off` on"
        " the routes, and this warning ends"
    )
    top.findings.warning("story-without-host", top.key("trusted_proxies"), message, help)
