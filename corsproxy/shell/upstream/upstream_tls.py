"""TLS contexts for upstreams: one per settings, made again when a file has changed.

The peer is verified unless the configuration says otherwise; `ca_file` adds to the system's
authorities.
"""

import asyncio
import os
import ssl

from corsproxy.core.policy import Tls
from corsproxy.errors import StartError, TlsFileError

_Stamp = tuple[tuple[int, int, int] | None, ...]


def check_tls(tls: Tls) -> None:
    """Raise TlsFileError if a file that `tls` names is missing or unusable."""
    _make_context(tls)


class TlsContexts:
    """The contexts in use. Certificates that are renewed in place are picked up."""

    def __init__(self) -> None:
        self._made: dict[Tls, tuple[_Stamp, ssl.SSLContext]] = {}
        self._making: dict[Tls, asyncio.Future[ssl.SSLContext]] = {}

    async def get(self, tls: Tls) -> ssl.SSLContext:
        """Return the context for `tls`. It is made in a thread, once for all waiting callers.

        Raises StartError, as `make`.
        """
        context = self.current(tls)
        if context is not None:
            return context
        making = self._making.get(tls)
        if making is None:
            making = self._making[tls] = asyncio.ensure_future(asyncio.to_thread(self.make, tls))
            making.add_done_callback(lambda _: self._making.pop(tls))
        return await asyncio.shield(making)

    def current(self, tls: Tls) -> ssl.SSLContext | None:
        """Return the context for `tls`, None if `make` must make one."""
        made = self._made.get(tls)
        return made[1] if made is not None and made[0] == _stamp(tls) else None

    def make(self, tls: Tls) -> ssl.SSLContext:
        """Make a context for `tls`. Reads files, for tens of milliseconds; any thread may call it.

        While a changed file cannot be used, the context of the last good ones is kept. Raises
        StartError if there never were good ones.
        """
        stamp = _stamp(tls)
        made = self._made.get(tls)
        try:
            context = _make_context(tls)
        except StartError:
            if made is None:
                raise
            return made[1]
        self._made[tls] = (stamp, context)
        return context


def _make_context(tls: Tls) -> ssl.SSLContext:
    for key, path in _files(tls):
        _check_readable(key, path)
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.ca_file is not None:
        try:
            context.load_verify_locations(tls.ca_file)
        except ssl.SSLError as error:
            raise _unusable("ca_file", tls.ca_file, error) from error
    if tls.cert_file is not None:
        try:
            # Without a callback, OpenSSL asks the terminal for an encrypted key's password.
            context.load_cert_chain(tls.cert_file, tls.key_file, password=lambda: b"")
        except ssl.SSLError as error:
            pair = tls.cert_file if tls.key_file is None else f"{tls.cert_file} with {tls.key_file}"
            raise _unusable("cert_file", pair, error) from error
    return context


def _files(tls: Tls) -> list[tuple[str, str]]:
    named = (("ca_file", tls.ca_file), ("cert_file", tls.cert_file), ("key_file", tls.key_file))
    return [(key, path) for key, path in named if path is not None]


def _check_readable(key: str, path: str) -> None:
    """Report an unreadable file by name: OpenSSL's errors do not name it."""
    try:
        with open(path, "rb") as file:
            file.read(1)
    except OSError as error:
        reason = (error.strerror or "it cannot be read").lower()
        raise TlsFileError(key, path, reason) from error


def _unusable(key: str, path: str, error: ssl.SSLError) -> TlsFileError:
    reason = "it is not PEM, or its key is encrypted"
    if error.reason:
        reason = error.reason.replace("_", " ").lower()
    return TlsFileError(key, path, reason)


def _stamp(tls: Tls) -> _Stamp:
    """Return what changes when a file does."""
    stamps: list[tuple[int, int, int] | None] = []
    for _, path in _files(tls):
        try:
            status = os.stat(path)
        except OSError:
            stamps.append(None)
        else:
            stamps.append((status.st_ino, status.st_mtime_ns, status.st_size))
    return tuple(stamps)
