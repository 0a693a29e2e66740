"""A certificate and its key in files: whether they are usable, and their context.

Uses only the standard library. The certificate's contents are found out as a client would:
by a handshake in memory.
"""

import os
import ssl
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from corsproxy.config.https import CertificateFault
from corsproxy.core.advice.operation import MATCHING_KEY, PEM_FILE, RENEW, protect_key
from corsproxy.core.policy import ListenerTls

_EXPIRES_SOON: Final = timedelta(days=14)
_NOT_YET_VALID: Final = 9
_EXPIRED: Final = 10
# X509_V_FLAG_PARTIAL_CHAIN: a trusted certificate need not be a root.
_PARTIAL_CHAIN: Final = 0x80000
_REASONS = {
    "KEY_VALUES_MISMATCH": "the key is not that of the certificate",
    "NO_START_LINE": "it is not PEM, or its key is encrypted",
    "BAD_DECRYPT": "its key is encrypted",
    "EE_KEY_TOO_SMALL": "its key is too short for browsers: RSA needs 2,048 bits",
}


def server_context(cert_file: str, key_file: str) -> ssl.SSLContext:
    """Return a context that presents this certificate; TLS 1.2 or newer. Raises OSError, which
    includes ssl.SSLError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # HTTP/2 forbids it, too (RFC 9113, 9.2.1).
    context.options |= ssl.OP_NO_RENEGOTIATION
    # Without a callback, OpenSSL asks the terminal for an encrypted key's password.
    context.load_cert_chain(cert_file, key_file, password=lambda: b"")
    return context


def faults(tls: ListenerTls, now: datetime) -> list[CertificateFault]:
    """Return the errors and warnings about the files at the time `now`."""
    return list(_faults(tls, now))


def _faults(tls: ListenerTls, now: datetime) -> Iterator[CertificateFault]:
    for key, path in (("cert_file", tls.cert_file), ("key_file", tls.key_file)):
        try:
            with open(path, "rb") as file:
                file.read(1)
        except OSError as error:
            reason = (error.strerror or "it cannot be read").lower()
            yield _unusable(key, path, reason)
            return
    try:
        context = server_context(tls.cert_file, tls.key_file)
    except OSError as error:
        yield _misfit(tls, error)
        return
    yield from _validity(tls, context, now)
    if stat.S_IMODE(os.stat(tls.key_file).st_mode) & stat.S_IROTH:
        message = f"every user of this machine can read {tls.key_file}"
        help = protect_key(tls.key_file)
        yield CertificateFault("warning", "readable-key", "key_file", message, help)


def _unusable(key: str, path: str, reason: str) -> CertificateFault:
    message = f"{path} cannot be used: {reason}"
    return CertificateFault("error", "certificate-file", key, message, PEM_FILE)


def _misfit(tls: ListenerTls, error: OSError) -> CertificateFault:
    reason = getattr(error, "reason", None) or ""
    words = _REASONS.get(reason, reason.replace("_", " ").lower() or "it is not PEM")
    if reason == "KEY_VALUES_MISMATCH":
        message = f"{tls.key_file} does not fit {tls.cert_file}: {words}"
        return CertificateFault("error", "certificate-file", "key_file", message, MATCHING_KEY)
    key = "cert_file"
    try:
        # OpenSSL does not say which of the two files it is.
        ssl.create_default_context().load_verify_locations(tls.cert_file)
    except OSError:
        pass
    else:
        key = "cert_file" if reason == "EE_KEY_TOO_SMALL" else "key_file"
    return _unusable(key, tls.cert_file if key == "cert_file" else tls.key_file, words)


def _validity(
    tls: ListenerTls, context: ssl.SSLContext, now: datetime
) -> Iterator[CertificateFault]:
    try:
        certificate = shown_certificate(context, tls.cert_file)
    except ssl.SSLCertVerificationError as error:
        if error.verify_code not in (_EXPIRED, _NOT_YET_VALID):
            yield _unusable(
                "cert_file", tls.cert_file, f"browsers refuse it: {error.verify_message}"
            )
            return
        words = "has expired" if error.verify_code == _EXPIRED else "is not valid yet"
        message = f"the certificate in {tls.cert_file} {words}"
        yield CertificateFault("error", "certificate-expired", "cert_file", message, RENEW)
        return
    except ssl.SSLError as error:
        yield _unusable("cert_file", tls.cert_file, str(error.reason).replace("_", " ").lower())
        return
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
    if ends - now < _EXPIRES_SOON:
        days = max((ends - now).days, 0)
        message = f"the certificate in {tls.cert_file} expires in {days} days, on {ends:%Y-%m-%d}"
        yield CertificateFault("warning", "certificate-expires", "cert_file", message, RENEW)


def shown_certificate(context: ssl.SSLContext, cert_file: str) -> dict[str, object]:
    """Return what a client that trusts `cert_file` itself sees. Raises ssl.SSLError."""
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.check_hostname = False
    client_context.load_verify_locations(cert_file)
    client_context.verify_flags |= _PARTIAL_CHAIN
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server)
    server = context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return dict(client.getpeercert() or {})
