"""The certificate that the https listeners present, always the current one.

Files are checked with every new connection, and read again if they have changed. A local
authority signs a new certificate a month before the old one ends, or when the names change.
Existing connections keep theirs.
"""

import os
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from typing import Final, NamedTuple

from corsproxy.config.https import certificate_names
from corsproxy.core.advice.operation import not_installed
from corsproxy.core.policy import ListenerTls, Policy
from corsproxy.errors import StartError
from corsproxy.shell.certificates.directories import directories_of
from corsproxy.shell.certificates.files import server_context
from corsproxy.shell.system.packages import installing

HTTP2: Final = "h2"
HTTP1: Final = "http/1.1"

_RENEWED_BEFORE: Final = timedelta(days=30)

_Stamp = tuple[tuple[int, int, int], ...]


class _Shown(NamedTuple):
    """A context in use, and when it must be replaced."""

    context: ssl.SSLContext
    made_for: object
    """What it was made from; if that differs, a new context is needed."""
    renew_at: datetime | None = None


class ServedCertificate:
    """The current context of the https listeners."""

    def __init__(self, policy: Policy, tell: Callable[[str], None]) -> None:
        """`tell` gets sentences that people should know: a file that cannot be used, a root that
        is passed over.

        Raises StartError if there is no certificate to begin with.
        """
        self._policy = policy
        self._tell = tell
        self._failed: object = None
        self._is_told = False  # that a client does not trust it
        self._shown = self._make()

    def adopt(self, policy: Policy) -> None:
        """Present the certificate of `policy` from the next connection on."""
        self._policy = policy
        self.current()

    def current(self) -> ssl.SSLContext:
        """Return the context for a new connection."""
        if self._is_stale():
            self._renew()
        return self._shown.context

    def distrusted(self) -> None:
        """A client has refused the certificate. People are told once, with the remedy."""
        if self._is_told:
            return
        self._is_told = True
        tls = self._policy.listener_tls
        if tls is None:
            remedy = "run  corsproxy trust  once, then restart the browser"
        else:
            remedy = f"it must trust the authority that signed {tls.cert_file}"
        self._tell(f"a client does not trust the certificate of this proxy: {remedy}")

    def _is_stale(self) -> bool:
        shown = self._shown
        if shown.renew_at is not None and datetime.now(UTC) >= shown.renew_at:
            return True
        return _wanted(self._policy) not in (shown.made_for, self._failed)

    def _renew(self) -> None:
        """Make a new context. If the changed files cannot be used, keep the old one."""
        wanted = _wanted(self._policy)
        try:
            self._shown = self._make()
        except StartError as error:
            self._failed = wanted
            self._tell(f"{error}: still using the previous certificate")

    def _make(self) -> _Shown:
        policy = self._policy
        made_for, tls, renew_at = _wanted(policy), policy.listener_tls, None
        if tls is not None:
            context = _given(tls)
        else:
            context, renew_at = _local(policy, self._tell)
        context.set_alpn_protocols([HTTP2, HTTP1] if policy.http2 else [HTTP1])
        return _Shown(context, made_for, renew_at)


def prepare(policy: Policy) -> None:
    """Make sure that everything https needs exists, before anything else is started. Raises
    StartError."""
    require_extra(policy)
    if policy.listener_tls is None:
        from corsproxy.shell.certificates.authority import find_authority

        find_authority(directories_of(os.environ), datetime.now(UTC), [])


def require_extra(policy: Policy) -> None:
    """Raise StartError if packages that https needs are missing."""
    needed = ["h2"] if policy.http2 else []
    if policy.listener_tls is None:
        needed.append("cryptography")
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        raise StartError(not_installed("https", missing, installing(*missing)))


def _wanted(policy: Policy) -> object:
    """Return what a context would be made from now."""
    tls = policy.listener_tls
    if tls is None:
        return policy.http2, certificate_names(policy)
    return policy.http2, tls, _stamp(tls)


def _stamp(tls: ListenerTls) -> _Stamp:
    stamps = []
    for path in (tls.cert_file, tls.key_file):
        try:
            status = os.stat(path)
        except OSError:
            stamps.append((0, 0, 0))
        else:
            stamps.append((status.st_ino, status.st_mtime_ns, status.st_size))
    return tuple(stamps)


def _given(tls: ListenerTls) -> ssl.SSLContext:
    try:
        return server_context(tls.cert_file, tls.key_file)
    except OSError as error:
        reason = getattr(error, "reason", None) or error.strerror or str(error)
        words = reason.replace("_", " ").lower()
        message = f"{tls.cert_file} with {tls.key_file} cannot be used: {words}"
        raise StartError(message) from error


def _local(policy: Policy, tell: Callable[[str], None]) -> tuple[ssl.SSLContext, datetime]:
    """Return a context with a new certificate, and when to make the next."""
    require_extra(policy)
    # Imported here: it takes as long to import as all the rest.
    from corsproxy.shell.certificates.authority import LEAF_LIFETIME, find_authority, issue

    told: list[str] = []
    now = datetime.now(UTC)
    authority = find_authority(directories_of(os.environ), now, told)
    for sentence in told:
        tell(sentence)
    context = issue(authority, certificate_names(policy), now)
    ends = min(now + LEAF_LIFETIME, authority.certificate.not_valid_after_utc)
    return context, max(ends - _RENEWED_BEFORE, now + timedelta(days=1))
