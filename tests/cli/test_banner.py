"""The text shown when the proxy is ready."""

import socket
from collections.abc import Iterator

import pytest

from corsproxy.cli.banner import LOOPBACK_PAGES, banner
from corsproxy.core.policy import ListenAddress, ListenerTls, Policy, UpstreamAddress
from corsproxy.shell.system.binding import Bound, Listeners, bind_all
from tests.policies import FILE, policy, policy_for_url, route, rules


@pytest.fixture
def listeners() -> Iterator[Listeners]:
    listeners = bind_all([ListenAddress("localhost", 0)], ListenAddress("127.0.0.1", 0))
    yield listeners
    listeners.close()


def lines(policy: Policy, listeners: Listeners, file: str | None = FILE) -> list[str]:
    return banner(policy, listeners, file=file, width=200).splitlines()


def test_one_upstream_without_a_file(listeners: Listeners) -> None:
    found = lines(policy_for_url("https://api.example.com", ()), listeners, file=None)
    url, admin = listeners.proxy[0].url, listeners.admin
    assert admin is not None
    assert found[3:] == [
        f"  ➜  Proxy:       {url}  →  https://api.example.com",
        f"  ➜  Allowed:     {LOOPBACK_PAGES}  (--allow-origin adds others)",
        "  ➜  Cookies:     allowed pages call it with their user's cookies",
        f"  ➜  In your app: replace  https://api.example.com/…  with  {url}/…",
        "  ➜  Upstream:    sees its own Host and Origin",
        f"  ➜  Admin:       {admin.url}/readyz  /livez  /metrics",
    ]


def test_it_fits_the_terminal(listeners: Listeners) -> None:
    policy = policy_for_url("https://api.example.com", ["https://app.example.com"])
    text = banner(policy, listeners, file=None, keys=True, width=80)
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "their user's cookies" in text


def test_https_mentions_trust() -> None:
    listeners = bind_all([ListenAddress("localhost", 0, https=True)], None)
    text = banner(policy(), listeners, file=FILE)
    given = policy(listener_tls=ListenerTls("cert.pem", "key.pem"))
    other = banner(given, listeners, file=FILE)
    listeners.close()
    assert "Proxy:       https://localhost:" in text
    assert "corsproxy trust" in text
    assert "corsproxy trust" not in other


def test_metrics_are_only_listed_if_available(listeners: Listeners) -> None:
    text = banner(policy(), listeners, file=FILE, metrics=False)
    assert listeners.admin is not None
    assert text.endswith(f"{listeners.admin.url}/readyz  /livez\n")


def test_an_origin_of_a_flag_is_named_too(listeners: Listeners) -> None:
    found = lines(policy_for_url("https://api.example.com", ["https://a.example"]), listeners, None)
    assert "any port, https://a.example  (" in found[4]


def test_a_file_is_named(listeners: Listeners) -> None:
    assert lines(policy(), listeners)[7] == "  ➜  Policy:      corsproxy.yaml"
    text = banner(policy(), listeners, file=FILE, live=True)
    assert "Policy:      corsproxy.yaml  (saved edits take effect at once)" in text
    assert "--allow-origin" not in text


def test_routes_are_listed_with_who_may_call_them(listeners: Listeners) -> None:
    shop = route(b"/shop", rules("https://a.example", "https://b.example"))
    found = "\n".join(lines(policy(shop, route(b"/x", cors=None)), listeners))
    assert "/shop  →  http://api.test:9000  for https://a.example, https://b.example" in found
    assert "/x     →  http://api.test:9000  for http://localhost:5173" in found
    assert "In your app" not in found


def test_long_lists_are_counted(listeners: Listeners) -> None:
    origins = rules(*(f"https://a{number}.example" for number in range(10)))
    found = "\n".join(lines(policy(*(route(b"/%d" % n, origins) for n in range(50))), listeners))
    assert "and 6 more" in found
    assert "and 38 more" in found


def test_a_port_reachable_from_outside_is_pointed_out() -> None:
    server = socket.create_server(("0.0.0.0", 0))
    port = server.getsockname()[1]
    bound = Bound(ListenAddress("0.0.0.0", port), (server,))
    found = "\n".join(lines(policy(), Listeners((bound,), None)))
    bound.close()
    assert f"http://localhost:{port}" in found
    assert "other machines can reach this port" in found


def test_a_socket_upstream_cannot_be_replaced_in_an_app(listeners: Listeners) -> None:
    upstream = UpstreamAddress("http", "", 80, socket_path="/run/api.sock")
    text = "\n".join(lines(policy(route(upstream=upstream)), listeners))
    assert "unix:/run/api.sock" in text
    assert "In your app" not in text


def test_keys_time_and_colour_are_optional(listeners: Listeners) -> None:
    text = banner(policy(), listeners, file=FILE, started_ms=123.4, keys=True, color=True)
    assert "ready in 123 ms" in text
    assert "press h + enter" in text
    assert "\x1b[" in text
    plain = banner(policy(), listeners, file=FILE)
    assert "ready in" not in plain
    assert "press" not in plain
    assert "\x1b[" not in plain
