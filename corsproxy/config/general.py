"""The keys of the whole process: `limits`, `log`, `allowed_hosts`, `trusted_proxies`, `via`
and the times of a shutdown."""

from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple, get_args

from corsproxy.config.hosts import parse_allowed_host, parse_network
from corsproxy.config.mistakes import BadValueError
from corsproxy.config.section import Section
from corsproxy.config.spelling import shown
from corsproxy.core.fields import is_token
from corsproxy.core.guard import parse_host
from corsproxy.core.policy import Limits, Log, LogFormat, LogRequests
from corsproxy.core.source import DEFAULT, Source

_LIMITS = Limits()
_VIA = "corsproxy"


class AllowedHosts(NamedTuple):
    """What `allowed_hosts` says."""

    names: frozenset[str] = frozenset()
    any: bool = False
    source: Source = DEFAULT


def check_version(top: Section) -> None:
    """Report a `version` that is not 1, the only one there is."""
    value = top.value("version", "write 1, or remove the key")
    if value is not None and value.text != "1":
        message = f"{shown(value.text)} is not known"
        help = "this corsproxy reads version 1; the key may be left out"
        top.refuse("version", value, message, help, "1", code="unknown-version")


def read_limits(top: Section) -> Limits:
    """Return `limits`, whose keys are the names of the fields of `Limits`."""
    section = top.mapping("limits", "limits", "{body: 10MB}")
    if section is None:
        return _LIMITS
    return Limits(
        head_timeout=section.duration("head_timeout", _LIMITS.head_timeout, zero=False),
        body_timeout=section.duration("body_timeout", _LIMITS.body_timeout, zero=False),
        write_timeout=section.duration("write_timeout", _LIMITS.write_timeout, zero=False),
        keepalive_timeout=section.duration("keepalive_timeout", _LIMITS.keepalive_timeout),
        upstream_keepalive=section.duration("upstream_keepalive", _LIMITS.upstream_keepalive),
        upstream_max_age=section.duration("upstream_max_age", _LIMITS.upstream_max_age),
        queue_timeout=section.duration("queue_timeout", _LIMITS.queue_timeout),
        target=section.size("target", _LIMITS.target),
        field=section.size("field", _LIMITS.field),
        field_section=section.size("field_section", _LIMITS.field_section),
        fields=section.count("fields", _LIMITS.fields),
        upstream_field_section=section.size(
            "upstream_field_section", _LIMITS.upstream_field_section
        ),
        body=section.size_or_none("body", _LIMITS.body),
        connections=section.count_or_none("connections", _LIMITS.connections),
        in_flight=section.count("in_flight", _LIMITS.in_flight),
    )


def read_log(top: Section) -> Log:
    """Return `log`."""
    section = top.mapping("log", "log", "{format: json}", "format")
    if section is None:
        return Log()
    formats: tuple[LogFormat, ...] = get_args(LogFormat)
    requests: tuple[LogRequests, ...] = get_args(LogRequests)
    return Log(
        section.choice("format", formats, "auto", {"pretty": "text", "plain": "text"}),
        section.choice("requests", requests, "all", {
            "true": "all", "on": "all", "yes": "all", "false": "none", "off": "none",
            "no": "none", "refused": "denied", "blocked": "denied", "errors": "denied",
        }),
    )  # fmt: skip


def read_allowed_hosts(top: Section) -> AllowedHosts:
    """Return the names beside `localhost` and addresses that Host may carry."""
    found = top.listing("allowed_hosts")
    if found is None:
        # Where the key would be written.
        return AllowedHosts(source=top.findings.source(top.node))
    findings = top.findings
    names: set[str] = set()
    any_host = False
    for value in found.values:
        if value.text == "*":
            any_host = True
            message = (
                '`allowed_hosts`: "*" lets DNS rebinding make any site the same origin as this'
            )
            findings.warning("any-host", value.node, message, "name the hosts")
            continue
        name = findings.parsed(parse_allowed_host, value, "allowed_hosts")
        if name is None:
            continue
        host = parse_host(name.encode("ascii"))
        if host is not None and host.always_allowed:
            message = f"`allowed_hosts`: {shown(value.text)} is always allowed"
            findings.warning("subsumed-entry", value.node, message, "remove it")
        elif name in names:
            message = f"`allowed_hosts`: {shown(value.text)} is listed twice"
            findings.warning("duplicate-entry", value.node, message, "remove it")
        names.add(name)
    return AllowedHosts(frozenset(names), any_host, findings.source(found.node))


def read_trusted_proxies(top: Section) -> tuple[IPv4Network | IPv6Network, ...]:
    """Return the networks whose X-Forwarded-* fields are believed."""
    found = top.listing("trusted_proxies")
    if found is None:
        return ()
    networks: list[IPv4Network | IPv6Network] = []
    for value in found.values:
        network = top.findings.parsed(parse_network, value, "trusted_proxies")
        if network is None:
            continue
        if network.prefixlen == 0:
            message = f"`trusted_proxies`: {shown(value.text)} lets every client claim any address"
            help = "name the proxies in front of this one"
            top.findings.warning("trusts-everybody", value.node, message, help)
        elif network in networks:
            message = f"`trusted_proxies`: {shown(value.text)} is listed twice"
            top.findings.warning("duplicate-entry", value.node, message, "remove it")
        networks.append(network)
    return tuple(networks)


def read_via(top: Section) -> str | None:
    """Return the pseudonym of this proxy in Via (RFC 9110, 7.6.3); None for none."""
    value = top.value("via", "write `false` to leave Via out, or a name for this proxy")
    if value is None:
        return _VIA
    if value.plain and value.text in ("true", "True", "TRUE"):
        return _VIA
    if value.plain and value.text in ("false", "False", "FALSE"):
        return None
    if value.text.lower() in ("off", "no", "none", "false", "on", "yes", "true"):
        likely = "true" if value.text.lower() in ("on", "yes", "true") else "false"
        message = f"{shown(value.text)} is not true or false"
        top.refuse("via", value, message, f"write `{likely}`", likely)
        return _VIA
    if len(value.text) <= 64 and is_token(value.text.encode("utf-8", "replace")):
        return value.text
    help = "write `true`, `false`, or a name without spaces"
    mistake = BadValueError("bad-via", f"{shown(value.text)} is not a valid name for Via", help)
    top.findings.mistake(value, mistake, "via")
    return _VIA
