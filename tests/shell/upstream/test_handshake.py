"""shell/upstream/handshake.py: why a TLS handshake failed. Real handshakes: test_connect.py."""

import ssl

import pytest

from corsproxy.core.policy import UpstreamAddress
from corsproxy.errors import UpstreamCause, UpstreamFault
from corsproxy.shell.upstream.handshake import handshake_error, handshake_timeout, refused_later

API = UpstreamAddress("https", "api.test", 443)


def failure(text: str) -> ssl.SSLError:
    return ssl.SSLError(1, f"[SSL] {text} (_ssl.c:1006)")


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("tlsv1 alert no application protocol", UpstreamCause.HTTP2),
        ("tlsv13 alert certificate required", UpstreamCause.CLIENT_CERTIFICATE),
        ("sslv3 alert bad certificate", UpstreamCause.CLIENT_CERTIFICATE),
        ("tlsv1 alert unknown ca", UpstreamCause.CLIENT_CERTIFICATE),
        ("sslv3 alert handshake failure", None),
        ("tlsv1 unrecognized name", None),
        ("wrong version number", UpstreamCause.NOT_TLS),
    ],
)
def test_each_refusal_has_its_cause(text: str, cause: UpstreamCause | None) -> None:
    error = handshake_error(API, failure(text))
    assert (error.fault, error.cause) == (UpstreamFault.TLS, cause)
    assert "https://api.test" in error.detail


def test_a_silent_close_may_mean_no_tls() -> None:
    assert handshake_error(API, ConnectionResetError()).cause is UpstreamCause.NOT_TLS
    assert handshake_timeout(API, 5.0).cause is UpstreamCause.NOT_TLS


def test_a_client_certificate_may_be_refused_after_the_handshake() -> None:
    error = refused_later(failure("tlsv13 alert certificate required"))
    assert error.cause is UpstreamCause.CLIENT_CERTIFICATE
    assert "certificate required (tls.cert_file)" in error.detail
    assert refused_later(failure("tlsv1 alert internal error")).cause is None
