"""core/connection_authentication.py: which fields log somebody in on a connection."""

import pytest

from corsproxy.core.connection_authentication import is_asked_for, is_offered


@pytest.mark.parametrize(
    "value", [b"NTLM TlRMTVNTUAAB", b"Negotiate YII=", b"negotiate", b"Nego2 x", b"\tNTLM"]
)
def test_it_is_asked_for(value: bytes) -> None:
    assert is_asked_for([b"Basic eDp5", value])


@pytest.mark.parametrize("value", [b"", b"Basic NTLM", b"Bearer negotiate", b'Digest nego="1"'])
def test_it_is_not_asked_for(value: bytes) -> None:
    assert not is_asked_for([value])


@pytest.mark.parametrize(
    "field",
    [
        (b"WWW-Authenticate", b"NTLM"),
        (b"www-authenticate", b"NTLM TlRMTVNTUAAC=="),
        (b"WWW-Authenticate", b"Negotiate"),
        (b"WWW-Authenticate", b"nego2"),
        (b"WWW-Authenticate", b"NegoExts"),
        (b"WWW-Authenticate", b'Basic realm="a, b", NTLM'),
        (b"WWW-Authenticate", b'Basic realm="a\\"b" ,\tnegotiate oRQ=, Bearer'),
        # In doubt it counts: a quote that does not end.
        (b"WWW-Authenticate", b'Basic realm="a, NTLM'),
        (b"Persistent-Auth", b"true"),
        (b"PERSISTENT-AUTH", b""),
    ],
)
def test_it_is_offered(field: tuple[bytes, bytes]) -> None:
    assert is_offered([(b"WWW-Authenticate", b"Bearer"), field])


@pytest.mark.parametrize(
    "field",
    [
        (b"WWW-Authenticate", b""),
        (b"WWW-Authenticate", b'Bearer realm="a, NTLM, b"'),
        (b"WWW-Authenticate", b"Digest nego=1, ntlm = 2"),
        (b"WWW-Authenticate", b"Basic, X-NTLM"),
        (b"X-Auth", b"NTLM"),
        (b"Proxy-Authenticate", b"NTLM"),
    ],
)
def test_it_is_not_offered(field: tuple[bytes, bytes]) -> None:
    assert not is_offered([field])
