"""The TLS handshake with an upstream, and its failures in words."""

import asyncio
import re
import socket
import ssl
from typing import Final, Generic, TypeVar, cast

from corsproxy.core.policy import UpstreamAddress
from corsproxy.errors import UpstreamCause, UpstreamError, UpstreamFault
from corsproxy.shell.streams.tls import TlsConnection

# OpenSSL's reasons for bytes that are not TLS.
NOT_TLS: Final = frozenset(
    {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"}
)
# X509_V_ERR_*: x509_vfy.h.
_EXPIRED: Final = frozenset({9, 10})
_UNTRUSTED: Final = frozenset({2, 18, 19, 20, 21, 24})
_WRONG_NAME: Final = frozenset({62, 64})

_IN_TEXT: Final = re.compile(r"\[SSL\] (.+?) \(")

P = TypeVar("P", bound=asyncio.BufferedProtocol)


class ServerHandshake(Generic[P]):
    """The handshake with an upstream; a `shell.streams.tls.Handshake`."""

    def __init__(self, protocol: P) -> None:
        self._protocol = protocol
        self.done: asyncio.Future[P] = asyncio.get_running_loop().create_future()
        """Completes with the connected protocol, or raises OSError."""
        self.was_negotiated = False
        """Whether the server had chosen a cipher when it failed."""

    def space(self) -> memoryview:
        return cast(memoryview, self._protocol.get_buffer(-1))

    def began(self, connection: TlsConnection) -> None:
        """Do nothing."""

    def agreed(self, connection: TlsConnection) -> asyncio.BufferedProtocol:
        if not self.done.done():
            self.done.set_result(self._protocol)
        return self._protocol

    def failed(self, connection: TlsConnection, error: ssl.SSLError) -> None:
        self.was_negotiated = connection.get_extra_info("ssl_object").cipher() is not None
        connection.close()
        self.lost(connection, error)

    def lost(self, connection: TlsConnection, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error or ConnectionResetError())


async def secure(
    sock: socket.socket,
    context: ssl.SSLContext,
    server_name: str,
    address: UpstreamAddress,
    protocol: P,
) -> P:
    """Shake hands with `address` over `sock`, and return `protocol`, connected to it.

    Raises UpstreamError TLS.
    """
    loop = asyncio.get_running_loop()
    handshake = ServerHandshake(protocol)
    connection = TlsConnection(loop, context, handshake, server_name)
    await loop.create_connection(lambda: connection, sock=sock)
    try:
        return await handshake.done
    except OSError as error:
        raise handshake_error(address, error, handshake.was_negotiated) from error
    except BaseException:
        connection.abort()
        raise


def handshake_error(
    address: UpstreamAddress, error: OSError, was_negotiated: bool = False
) -> UpstreamError:
    """Return the error for a failed handshake with `address`.

    Up to TLS 1.2, a server that misses the client's certificate says only "handshake failure", the
    same as when no cipher is acceptable; but in that case no cipher `was_negotiated`.
    """
    sentence, cause = _words(address, error, was_negotiated)
    return UpstreamError(UpstreamFault.TLS, sentence, cause)


def handshake_timeout(address: UpstreamAddress, timeout: float) -> UpstreamError:
    """Return the error if the upstream does not answer the beginning of a handshake."""
    sentence = f"{address} accepted the connection but did not answer the TLS handshake"
    within = f"within {timeout:g} s (timeout.connect)"
    return UpstreamError(
        UpstreamFault.CONNECT_TIMEOUT, f"{sentence} {within}", UpstreamCause.NOT_TLS
    )


def refused_later(error: ssl.SSLError) -> UpstreamError:
    """Return the error if an upstream ends TLS after the handshake. TLS 1.3 refuses a client's
    certificate only then (RFC 8446, 4.4.2.4)."""
    reason = _reason(error)
    cause = UpstreamCause.CLIENT_CERTIFICATE if _is_about_ours(reason) else None
    hint = "" if cause is None else " (tls.cert_file)"
    sentence = f"the upstream ended TLS: {_spoken(reason)}{hint}"
    return UpstreamError(UpstreamFault.TLS, sentence, cause)


def _words(
    address: UpstreamAddress, error: OSError, was_negotiated: bool
) -> tuple[str, UpstreamCause | None]:
    if isinstance(error, ssl.SSLCertVerificationError):
        sentence = f"the certificate of {address} was not accepted: {error.verify_message}"
        return sentence + " (tls.ca_file, tls.server_name)", _of_certificate(error.verify_code)
    if not isinstance(error, ssl.SSLError):
        sentence = f"{address} closed the connection during the TLS handshake"
        return sentence, UpstreamCause.NOT_TLS
    reason = _reason(error)
    if reason in NOT_TLS:
        sentence = f"{address} does not speak TLS (does the upstream's URL need http://?)"
        return sentence, UpstreamCause.NOT_TLS
    if "NO_APPLICATION_PROTOCOL" in reason:
        sentence = f"{address} does not speak HTTP/1.1: it refused http/1.1 in ALPN, as servers"
        return sentence + " do that speak only HTTP/2 (h2)", UpstreamCause.HTTP2
    sentence = f"the TLS handshake with {address} failed: {_spoken(reason)}"
    if _is_about_ours(reason) or (was_negotiated and "HANDSHAKE_FAILURE" in reason):
        sentence += "; it asks for a client certificate (tls.cert_file)"
        return sentence, UpstreamCause.CLIENT_CERTIFICATE
    return sentence, None


def _reason(error: ssl.SSLError) -> str:
    """Return OpenSSL's name for the error; if Python has none, take it from the text."""
    named = _IN_TEXT.search(str(error))
    text = named[1] if named else "the connection ended"
    return getattr(error, "reason", None) or text.replace(" ", "_").upper()


def _is_about_ours(reason: str) -> bool:
    """Whether the upstream complains about a certificate, which is the client's."""
    return "ALERT" in reason and ("CERTIFICATE" in reason or "UNKNOWN_CA" in reason)


def _of_certificate(code: int) -> UpstreamCause | None:
    if code in _UNTRUSTED:
        return UpstreamCause.UNTRUSTED
    if code in _WRONG_NAME:
        return UpstreamCause.WRONG_NAME
    return UpstreamCause.EXPIRED if code in _EXPIRED else None


def _spoken(reason: str) -> str:
    return reason.replace("_", " ").lower()
