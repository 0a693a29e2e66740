"""`tls` and `http2` of the listeners, and what https without a given certificate may name.

Without `tls`, the certificate is one of a local authority, which vouches for this machine
alone: a listener that others reach, or that has another name, needs one of its own.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from corsproxy.config.connections import read_file
from corsproxy.config.findings import Findings
from corsproxy.config.keys import KEYS
from corsproxy.config.problems import Severity
from corsproxy.config.section import Section
from corsproxy.config.yaml.nodes import Mapping
from corsproxy.core.origins.hosts import ends_in_number, is_loopback
from corsproxy.core.policy import ListenAddress, ListenerTls, Policy
from corsproxy.core.source import Source

_OF_ROUTES = frozenset(KEYS["tls"]) - frozenset(KEYS["listener_tls"])
_GIVE_ONE = "name a certificate and its key: `tls: {cert_file: cert.pem, key_file: key.pem}`"


class CertificateFault(NamedTuple):
    """What is wrong with the files of a certificate, or worth a warning."""

    severity: Severity
    code: str
    key: str
    """The key that names the file."""
    message: str
    help: str


CertificateCheck = Callable[[ListenerTls], Sequence[CertificateFault]]
"""Checks the files that `tls` names, which this package never opens."""


class HttpsMistake(NamedTuple):
    """Why a local authority's certificate is not sufficient."""

    source: Source
    message: str
    help: str


def read_listener_tls(
    top: Section, listen: Iterable[ListenAddress], directory: str, check: CertificateCheck
) -> ListenerTls | None:
    """Return the file's `tls`; `check` looks at the files."""
    if _is_a_routes(top):
        return None
    section = top.mapping("tls", "listener_tls", "{cert_file: cert.pem, key_file: key.pem}")
    if section is None:
        return None
    findings, before = top.findings, top.findings.errors
    for key in ("cert_file", "key_file"):
        if section.lacks(key):
            help = f"add `{key}: FILE.pem`; both may be in one file"
            findings.error("missing-key", top.key("tls"), f"`tls` needs `{key}`", help)
    cert_file, key_file = (read_file(section, key, directory) for key in ("cert_file", "key_file"))
    if not any(address.https for address in listen):
        message = "`tls` is for https listeners, and there is none"
        help = "write `listen: https://localhost:8443`; a route's `tls` is for its upstream"
        findings.warning("tls-without-listener", top.key("tls"), message, help)
    if cert_file is None or key_file is None or findings.errors > before:
        return None
    tls = ListenerTls(cert_file, key_file, findings.source(section.node))
    for fault in check(tls):
        report = findings.error if fault.severity == "error" else findings.warning
        message = f"`{section.where(fault.key)}`: {fault.message}"
        report(fault.code, section.raw(fault.key), message, fault.help)
    return tls


def _is_a_routes(top: Section) -> bool:
    """Report a `tls` that is meant for the upstream."""
    node = top.raw("tls") if top.has("tls") else None
    if not isinstance(node, Mapping):
        return False
    for entry in node.entries:
        if entry.key.text in _OF_ROUTES:
            message = f"`tls` is the listeners' here, and has no `{entry.key.text}`"
            help = top.in_route("tls") or "write it under the route's `tls`"
            top.findings.error("unknown-key", top.key("tls"), message, help)
            return True
    return False


def check_https(findings: Findings, policy: Policy) -> None:
    """Report https listeners that no local authority has a certificate for."""
    for source, message, help in https_mistakes(policy):
        findings.at("error", "https-without-tls", source, message, help)


def https_mistakes(policy: Policy) -> Iterator[HttpsMistake]:
    """Yield why the https listeners need a certificate of their own, where they do."""
    listen = [address for address in policy.listen if address.https]
    if policy.listener_tls is not None or not listen:
        return
    for address in listen:
        if not _is_local(address.host):
            message = (
                f"`listen`: {address} is reachable from other machines, and has no certificate"
            )
            help = f"{_GIVE_ONE}; or listen on https://localhost:{address.port}"
            yield HttpsMistake(address.source, message, help)
    names = (name for name in policy.allowed_hosts if not _is_address(name))
    others = sorted(name for name in names if not _is_local(name))
    if others:
        message = f"`allowed_hosts`: no local authority has a certificate for {', '.join(others)}"
        help = f"{_GIVE_ONE}; or use a name under .localhost or .test"
        yield HttpsMistake(policy.allowed_hosts_source, message, help)


def certificate_names(policy: Policy) -> tuple[str, ...]:
    """Return the names and addresses that a local authority's certificate must have."""
    hosts = {address.host for address in policy.listen if address.https}
    hosts |= {name for name in policy.allowed_hosts if not _is_address(name)}
    more = sorted(name.removesuffix(".") for name in hosts if _is_local(name))
    return tuple(dict.fromkeys(("localhost", "127.0.0.1", "::1", *more)))


def _is_local(host: str) -> bool:
    """Whether a name, or an address without brackets, is one of this machine alone."""
    name = host.removesuffix(".")
    return is_loopback(f"[{name}]" if ":" in name else name) or name.endswith(".test")


def _is_address(host: str) -> bool:
    return ":" in host or ends_in_number(host)
