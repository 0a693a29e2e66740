"""TLS contexts for upstreams: made once per settings, and anew when a file has changed.

The peer is verified unless the file says otherwise; `ca_file` adds to the system's
authorities.
"""

import os
import ssl

from corsproxy.core.policy import Tls
from corsproxy.errors import StartError

_Stamp = tuple[tuple[int, int, int] | None, ...]


def check_tls(tls: Tls) -> None:
    """Raise StartError where a file that `tls` names is missing or of no use."""
    _make_context(tls)


class TlsContexts:
    """The contexts in use. Certificates that are renewed in place are picked up."""

    def __init__(self) -> None:
        self._made: dict[Tls, tuple[_Stamp, ssl.SSLContext]] = {}

    def get(self, tls: Tls) -> ssl.SSLContext:
        """Return the context for `tls`.

        While a changed file cannot be used, the context made of the last good ones stays.
        Raises StartError where there never were good ones.
        """
        stamp = _stamp(tls)
        made = self._made.get(tls)
        if made is not None and made[0] == stamp:
            return made[1]
        try:
            context = _make_context(tls)
        except StartError:
            if made is None:
                raise
            return made[1]
        self._made[tls] = (stamp, context)
        return context


def _make_context(tls: Tls) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.ca_file is not None:
        try:
            context.load_verify_locations(tls.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise _unusable("ca_file", tls.ca_file, error) from error
    if tls.cert_file is not None:
        try:
            # Without a callback, OpenSSL asks the terminal for an encrypted key's password.
            context.load_cert_chain(tls.cert_file, tls.key_file, password=lambda: b"")
        except (OSError, ssl.SSLError) as error:
            raise _unusable("cert_file", _culprit(tls, error), error) from error
    return context


def _culprit(tls: Tls, error: Exception) -> str:
    """Name the file of the pair: OpenSSL's errors do not."""
    if tls.cert_file is None or tls.key_file is None:
        return str(tls.cert_file)
    missing = isinstance(error, OSError) and not isinstance(error, ssl.SSLError)
    if missing and os.access(tls.cert_file, os.R_OK):
        return tls.key_file
    return f"{tls.cert_file} with key_file {tls.key_file}"


def _unusable(key: str, path: str, error: Exception) -> StartError:
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or "not PEM").replace("_", " ").lower()
    else:
        reason = (
            os.strerror(error.errno).lower()
            if isinstance(error, OSError) and error.errno
            else str(error)
        )
    return StartError(f"tls.{key} {path} cannot be used: {reason}")


def _stamp(tls: Tls) -> _Stamp:
    stamps: list[tuple[int, int, int] | None] = []
    for path in (tls.ca_file, tls.cert_file, tls.key_file):
        try:
            status = None if path is None else os.stat(path)
        except OSError:
            status = None
        stamps.append(
            None if status is None else (status.st_ino, status.st_mtime_ns, status.st_size)
        )
    return tuple(stamps)
