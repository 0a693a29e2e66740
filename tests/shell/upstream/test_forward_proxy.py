"""shell/upstream/forward_proxy.py: which upstreams NO_PROXY and the others apply to."""

from base64 import b64decode

import pytest

from corsproxy.core.policy import UpstreamAddress
from corsproxy.errors import StartError
from corsproxy.shell.upstream.forward_proxy import ForwardProxies, ForwardProxy

PROXY = {"http": "http://proxy.test:3128", "https": "http://proxy.test:3129"}


def upstream(host: str, port: int = 80, *, secure: bool = False) -> UpstreamAddress:
    return UpstreamAddress("https" if secure else "http", host, port)


def test_without_settings_every_upstream_is_reached_directly() -> None:
    assert ForwardProxies({}).for_upstream(upstream("api.test")) is None


def test_each_scheme_has_its_own_proxy() -> None:
    proxies = ForwardProxies(PROXY)
    assert proxies.for_upstream(upstream("api.test")) == ForwardProxy("proxy.test", 3128)
    assert proxies.for_upstream(upstream("api.test", secure=True)) == ForwardProxy(
        "proxy.test", 3129
    )
    only_https = ForwardProxies({"https": "http://proxy.test:3129"})
    assert only_https.for_upstream(upstream("api.test")) is None


@pytest.mark.parametrize("host", ["localhost", "api.localhost", "127.0.0.1", "127.9.9.9", "::1"])
def test_loopback_is_reached_directly(host: str) -> None:
    assert ForwardProxies(PROXY).for_upstream(upstream(host)) is None


def test_a_unix_socket_is_reached_directly() -> None:
    address = UpstreamAddress("http", "", 0, socket_path="/run/api.sock")
    assert ForwardProxies(PROXY).for_upstream(address) is None


@pytest.mark.parametrize(
    ("entries", "host", "direct"),
    [
        ("*", "api.test", True),
        ("api.test", "api.test", True),
        ("API.test", "api.test", True),
        ("test", "api.test", True),
        (".test", "api.test", True),
        ("*.test", "api.test", True),
        ("other, api.test", "api.test", True),
        ("api.test:80", "api.test", True),
        ("api.test:81", "api.test", False),
        ("pi.test", "api.test", False),
        ("api.test.example", "api.test", False),
        ("", "api.test", False),
        (",", "api.test", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.0.0.0/99", "10.1.2.3", False),
        ("10.0.0.0/8", "api.test", False),
        ("2001:db8::/32", "2001:db8::1", True),
    ],
)
def test_no_proxy_names_who_is_reached_directly(entries: str, host: str, direct: bool) -> None:
    proxies = ForwardProxies({**PROXY, "no": entries})
    assert (proxies.for_upstream(upstream(host)) is None) is direct


@pytest.mark.parametrize(
    ("value", "proxy", "name"),
    [
        ("proxy.test:3128", ForwardProxy("proxy.test", 3128), "proxy.test:3128"),
        ("http://proxy.test", ForwardProxy("proxy.test", 80), "proxy.test:80"),
        ("http://[::1]:8080/", ForwardProxy("::1", 8080), "[::1]:8080"),
        (
            "http://u%40x:p%3Aw@proxy.test:1",
            ForwardProxy("proxy.test", 1, b"Basic dUB4OnA6dw=="),
            "proxy.test:1",
        ),
    ],
)
def test_a_proxy_is_read_from_its_url(value: str, proxy: ForwardProxy, name: str) -> None:
    found = ForwardProxies({"http": value}).for_upstream(upstream("api.test"))
    assert found == proxy
    assert str(found) == name


@pytest.mark.parametrize(
    "value",
    [
        "socks5://proxy.test:1080", "https://proxy.test", "http://", "http://proxy.test:99999",
        "http://a..test", "http://\udcff.test", "http://" + "a" * 64 + ".test",
    ],
)  # fmt: skip
def test_a_proxy_that_cannot_be_used_stops_who_needs_it(value: str) -> None:
    proxies = ForwardProxies({"https": value, "no": "direct.test"})
    with pytest.raises(StartError, match="HTTPS_PROXY"):
        proxies.check([upstream("api.test"), upstream("api.test", secure=True)])
    proxies.check([upstream("api.test"), upstream("direct.test", secure=True)])
    assert (
        ForwardProxies({"https": value, "no": "*"}).for_upstream(upstream("x", secure=True)) is None
    )


def test_variables_of_the_environment_are_read_in_both_cases() -> None:
    environ = {"HTTP_PROXY": "http://p:1", "http_proxy": "http://q:2", "NO_PROXY": "b.test"}
    proxies = ForwardProxies.of_environment(environ)
    assert str(proxies.for_upstream(upstream("a.test"))) == "q:2"
    assert proxies.for_upstream(upstream("b.test")) is None
    assert proxies.for_upstream(upstream("a.test", 443, secure=True)) is None


def test_a_name_and_a_password_are_bytes() -> None:
    proxies = ForwardProxies({"http": "http://\udcff%41:p%3Aw@proxy.test"})
    found = proxies.for_upstream(upstream("api.test"))
    assert found is not None
    assert b64decode(found.authorization.removeprefix(b"Basic ")) == b"\xffA:p:w"
