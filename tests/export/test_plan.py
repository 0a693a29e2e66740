"""What every engine has to do."""

from corsproxy.export.plan import LinkRule
from tests.export.reading import GOOD, plan_of

ROUTES = """\
cors: {allow_origins: [https://app.example.com]}
routes:
  - {path: /, upstream: "http://a.test"}
  - {path: /shop, upstream: "http://a.test/v2", strip_path: true}
  - {path: /shop/x, upstream: "http://b.test", cors: {max_age: 5}}
"""


def words(text: str, day: str | None = None) -> list[str]:
    return [str(loss) for loss in plan_of(text, day).losses]


def test_the_longest_path_comes_first() -> None:
    assert [route.path for route in plan_of(ROUTES).routes] == ["/shop/x", "/shop", "/"]


def test_routes_share_policies() -> None:
    plan = plan_of(ROUTES)
    assert [route.cors.id for route in plan.routes if route.cors] == ["c2", "c1", "c1"]
    assert plan.default.id == "c1"
    assert plan.takes_everything
    assert plan.is_ambiguous_possible
    assert not plan_of(GOOD).is_ambiguous_possible


def test_links_lead_back_through_their_own_route_first() -> None:
    shop = plan_of(ROUTES).routes[1]
    assert shop.links == (
        LinkRule("http://a.test", "/v2", "/shop"),
        LinkRule("http://a.test", "", ""),
        LinkRule("", "/v2", "/shop"),
        LinkRule("http://b.test", "/shop/x", "/shop/x"),
        LinkRule("http://b.test", "", ""),
    )
    assert (shop.client_prefix, shop.upstream_prefix) == ("/shop", "/v2")


def test_port_0_and_generated_certificates_are_lost() -> None:
    text = f"listen: [localhost:0, 'https://localhost:8443']\n{GOOD}"
    plan = plan_of(text)
    assert [str(address) for address in plan.listen] == ["localhost:8010"]
    assert words(text) == [
        (
            "corsproxy.yaml:1: listen: https://localhost:8443 is left out: its certificate is made"
            " when corsproxy runs"
        ),
        "corsproxy.yaml:1: listen: port 0 means any free port; 8010 is exported",
    ]


def test_expired_entries_are_left_out_and_expiring_ones_reported() -> None:
    text = (
        "upstream: http://127.0.0.1:9\ncors:\n  allow_origins:\n"
        "    - {origin: https://old.example.com, until: 2026-01-01}\n"
        "    - {origin: https://new.example.com, until: 2026-12-31}\n"
    )
    assert words(text, "2026-06-01") == [
        (
            "corsproxy.yaml:4: allow_origins: https://old.example.com is left out: its last day was"
            " 2026-01-01"
        ),
        (
            "corsproxy.yaml:5: allow_origins: https://new.example.com does not expire by itself:"
            " export again after 2026-12-31"
        ),
    ]
    (only,) = plan_of(text, "2026-06-01").cors
    assert "old" not in only.origin
    assert only.longest == 260


def test_wildcards_alone_have_a_maximum_length() -> None:
    text = "upstream: http://a.test\ncors: {allow_origins: ['https://*.example.com']}\n"
    (only,) = plan_of(text).cors
    assert only.longest == 260


def test_common_losses_have_lines() -> None:
    found = words(f"{GOOD}limits: {{fields: 5}}\ntrusted_proxies: [10.0.0.0/8]\n")
    assert [line.partition(": ")[0] for line in found] == ["corsproxy.yaml:3", "corsproxy.yaml:4"]
