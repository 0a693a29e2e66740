"""The meaning of an UPSTREAM that is not a URL."""

import pytest

from corsproxy.config.short_upstream import full_upstream


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("3000", "http://localhost:3000"),
        (":3000", "http://localhost:3000"),
        ("3000/api", "http://localhost:3000/api"),
        ("localhost", "http://localhost"),
        ("localhost:3000", "http://localhost:3000"),
        ("LOCALHOST:3000/v1", "http://LOCALHOST:3000/v1"),
        ("api.localhost:3000", "http://api.localhost:3000"),
        ("127.0.0.1:3000", "http://127.0.0.1:3000"),
        ("[::1]:3000", "http://[::1]:3000"),
        ("10.0.0.7", "http://10.0.0.7"),
        ("192.168.1.4:8080", "http://192.168.1.4:8080"),
        ("172.16.0.1", "http://172.16.0.1"),
        ("169.254.1.1", "http://169.254.1.1"),
        ("[fd00::1]", "http://[fd00::1]"),
        ("api.example.com", "https://api.example.com"),
        ("api.example.com:8443/v2", "https://api.example.com:8443/v2"),
        ("api", "https://api"),
        ("8.8.8.8", "https://8.8.8.8"),
        ("[2606:4700::1111]:443", "https://[2606:4700::1111]:443"),
        ("notlocalhost:3000", "https://notlocalhost:3000"),
        ("https://api.example.com", "https://api.example.com"),
        ("http://api.example.com", "http://api.example.com"),
        ("unix:/run/api.sock", "unix:/run/api.sock"),
        ("user@host", "user@host"),
        ("//host", "//host"),
        ("", ""),
    ],
)
def test_what_is_meant(text: str, url: str) -> None:
    assert full_upstream(text) == url
