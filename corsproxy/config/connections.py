"""A route's `timeout` and `tls`: how its upstream is reached."""

import os.path
from collections.abc import Callable

from corsproxy.config.hosts import parse_host
from corsproxy.config.mistakes import BadValueError
from corsproxy.config.section import Section
from corsproxy.core.policy import Timeouts, Tls, UpstreamAddress
from corsproxy.errors import TlsFileError

TlsCheck = Callable[[Tls], TlsFileError | None]
"""Checks the files that TLS settings name, which this package never opens."""

_DEFAULTS = Timeouts()
_FILE_HELP = {
    "ca_file": "write the path of a PEM file with certificates, from this file's directory",
    "cert_file": "write the path of a PEM file with a certificate, whose private key `key_file`"
    " holds",
    "key_file": "write the path of a PEM file with a private key that is not encrypted",
}


def read_timeout(route: Section) -> Timeouts:
    """Return the route's bounds on waiting."""
    section = route.mapping("timeout", "timeout", "{response: 30s}", "response")
    if section is None:
        return _DEFAULTS
    # Connecting must have a bound, so `none` is not allowed here.
    return Timeouts(
        section.duration("connect", _DEFAULTS.connect or 5.0, zero=False),
        section.duration_or_none("response", _DEFAULTS.response),
        section.duration_or_none("idle", _DEFAULTS.idle),
    )


def read_tls(
    route: Section, upstream: UpstreamAddress | None, directory: str, check: TlsCheck
) -> Tls:
    """Return how TLS is spoken to the upstream, which must be https; `check` looks at the
    files, unless they cannot be meant as they are written."""
    section = route.mapping("tls", "tls", "{ca_file: certs/ca.pem}")
    if section is None:
        return Tls()
    before = route.findings.errors
    tls = _read_tls(route, section, upstream, directory)
    fault = check(tls) if route.findings.errors == before else None
    if fault is not None:
        message = f"`{section.where(fault.key)}`: {fault.path} cannot be used: {fault.reason}"
        help = _FILE_HELP[fault.key]
        route.findings.error("tls-file", section.raw(fault.key), message, help)
    return tls


def _read_tls(
    route: Section, section: Section, upstream: UpstreamAddress | None, directory: str
) -> Tls:
    findings = route.findings
    if upstream is not None and upstream.scheme != "https":
        help = "write an https:// upstream, or remove `tls`"
        message = f"`{section.path}`: it has no effect on an upstream without https"
        findings.error("tls-without-https", route.key("tls"), message, help)
    verify = section.flag("verify", True)
    if not verify:
        help = "name its authority with `ca_file` instead"
        message = "anyone between here and the upstream can impersonate it"
        findings.warning(
            "tls-unverified", section.raw("verify"), f"`{section.where('verify')}`: {message}", help
        )
    files = {
        key: read_file(section, key, directory) for key in ("ca_file", "cert_file", "key_file")
    }
    if not verify and section.has("ca_file"):
        message = f"`{section.where('ca_file')}` has no effect where `verify` is false"
        help = "remove `verify: false`, and the authority is trusted for this upstream"
        findings.warning("tls-unused", section.key("ca_file"), message, help)
    for key, other in (("cert_file", "key_file"), ("key_file", "cert_file")):
        if section.has(key) and not section.has(other):
            help = f"add `{other}`; it may be the same file"
            message = f"`{section.where(key)}` needs `{other}` beside it"
            findings.error("missing-key", section.key(key), message, help)
    return Tls(
        verify, files["ca_file"], files["cert_file"], files["key_file"], _server_name(section)
    )


def read_file(section: Section, key: str, directory: str) -> str | None:
    """Return the absolute path of the PEM file that the key names."""
    value = section.value(key, "write the path of a PEM file")
    if value is None:
        return None
    mistake = None
    if not value.text.strip():
        mistake = BadValueError("bad-file", "the path is empty", "write the path of a PEM file")
    elif "\0" in value.text or "\n" in value.text:
        mistake = BadValueError(
            "bad-file", "a path has no line breaks", "write the path of a PEM file"
        )
    elif "-----BEGIN" in value.text:
        mistake = BadValueError(
            "bad-file", "this must be a path, not a certificate", "write it to a file"
        )
    elif value.text.startswith("~"):
        help = "write it from the root, or with `${HOME}`"
        likely = f"${{HOME}}{value.text[1:]}" if value.text.startswith("~/") else None
        mistake = BadValueError("bad-file", "`~` is not expanded", help, likely)
    if mistake is not None:
        section.findings.mistake(value, mistake, section.where(key))
        return None
    return os.path.normpath(os.path.join(directory, value.text))


def _server_name(section: Section) -> str | None:
    hint = "write the name that the certificate carries"
    host = section.parsed("server_name", parse_host, hint)
    return None if host is None else host.strip("[]")
