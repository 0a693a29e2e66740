"""Which upstreams would get each other's cookies."""

import pytest

from corsproxy.config.cookie_sites import site_of
from tests.config.reading import codes_of


@pytest.mark.parametrize(
    ("host", "site"),
    [
        ("api.example.com", "example.com"),
        ("example.com", "example.com"),
        ("a.b.example.co.uk", "example.co.uk"),
        ("shop.github.io", "shop.github.io"),
        ("example.com.", "example.com"),
        ("localhost", None),
        ("api.localhost", None),
        ("api", None),
        ("10.0.0.1", None),
        ("::1", None),
        ("a.svc.cluster.local", None),
        ("db.internal", None),
    ],
)
def test_a_site_is_what_one_owner_registered(host: str, site: str | None) -> None:
    assert site_of(host) == site


def routes_to(*upstreams: str, cors: str = "") -> str:
    routes = "".join(
        f"  - {{path: /{number}, upstream: '{upstream}'{cors}}}\n"
        for number, upstream in enumerate(upstreams)
    )
    return (
        f"cors: {{allow_origins: [https://app.test], allow_credentials: true}}\nroutes:\n{routes}"
    )


@pytest.mark.parametrize(
    "upstreams",
    [
        ("https://a.example.com", "https://b.example.com"),
        ("https://a.example.com", "http://localhost:3000"),
        ("https://a.example.com", "http://db", "unix:/run/a.sock", "http://10.0.0.1"),
    ],
)
def test_upstreams_of_one_owner_may_share_cookies(upstreams: tuple[str, ...]) -> None:
    assert codes_of(routes_to(*upstreams)) == ["shared-origin"]


@pytest.mark.parametrize("upstream", ["http://localhost:3000", "http://localhost:3001"])
def test_pages_of_one_upstream_can_call_another(upstream: str) -> None:
    shared = ["shared-origin"] if upstream.endswith("1") else []
    assert codes_of(routes_to("http://localhost:3000/base", upstream)) == shared


def test_sandboxed_pages_cannot_call_other_upstreams() -> None:
    apart = ", documents: sandbox"
    assert codes_of(routes_to("http://localhost:1", "http://localhost:2", cors=apart)) == []
    one = routes_to("http://localhost:1", "http://localhost:2").replace(
        "localhost:2'", f"localhost:2'{apart}"
    )
    assert codes_of(one) == []


def test_upstreams_of_two_owners_are_warned_about() -> None:
    text = routes_to("https://a.example.com", "https://b.example.org", "https://c.example.net")
    assert codes_of(text) == ["shared-cookies"]


@pytest.mark.parametrize("cors", [", cors: passthrough", ", cors: {allow_credentials: false}"])
def test_without_credentials_there_are_no_cookies(cors: str) -> None:
    assert codes_of(routes_to("https://a.example.com", "https://b.example.org", cors=cors)) == []
